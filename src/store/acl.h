/*
 * Rights on a mailbox and who has them (RFC 4314). An entry of an access control list is
 * an attribute (attrs.h) of the mailbox, ATTR_ACL, named by its identifier:
 *
 *	anyone	everybody
 *	$team	who is in the group "team"
 *	bob	the user bob
 *	-bob	with "-" before any of these: rights that are taken away
 *
 * A user's entry also has the store name of his account, so that who is given a deleted
 * user's name is not given his rights.
 */
#ifndef STORE_ACL_H
#define STORE_ACL_H

#include "store/attrs.h"

/* Bits; a set of rights is an unsigned. */
enum right {
	RIGHT_L = 1,	/* lookup: it is there for him */
	RIGHT_R = 2,	/* read */
	RIGHT_S = 4,	/* \Seen */
	RIGHT_W = 8,	/* flags other than \Seen and \Deleted */
	RIGHT_I = 16,	/* insert */
	RIGHT_P = 32,	/* post */
	RIGHT_K = 64,	/* create below */
	RIGHT_X = 128,	/* delete */
	RIGHT_T = 256,	/* \Deleted */
	RIGHT_E = 512,	/* expunge */
	RIGHT_A = 1024, /* administer */
};
#define RIGHTS_ALL 2047u

/* Letters; "c" is `k` and `x`, "d" is `e` and `t` (section 2.1.1). False: none of these. */
bool rights_read(struct span letters, unsigned *ret);
/* With "c" and "d" where one of what they stand for is there, as clients are shown. */
void rights_put(unsigned rights, struct buf *out);

struct acl_entry {
	struct span identifier;
	struct span account; /* of a user; may be empty: he was not there when it was set */
	unsigned rights;     /* RIGHT_P is kept, for whoever delivers */
};
/* Both lie in `at` as long as it does. False: the value is damaged, and gives no right. */
bool acl_entry_read(const struct attr *at, struct acl_entry *ret);
/* The value of the attribute. */
struct span acl_entry_value(struct arena *a, const struct acl_entry *e);
/* What an identifier names, without its "-". */
enum acl_kind { ACL_ANYONE, ACL_GROUP, ACL_USER };
enum acl_kind acl_kind(struct span identifier, bool *ret_negative, struct span *ret_name);

/* For whom rights are asked. */
struct acl_who {
	struct span name, account;
	struct span groups; /* names with "," between them */
};
/* What the list of that mailbox gives him: all that any entry gives less all that any
 * takes. That the owner has all rights is the caller's to know. */
unsigned acl_rights(const struct attrs *at, uint32_t mailbox, const struct acl_who *who);

#define ACL_ENTRIES_MAX 256 /* of a mailbox */
/* The store name of an account that is nobody's: who shares with groups and everybody
 * (server/acl_share.h). */
#define ACL_REGISTRY "shares"

#endif
