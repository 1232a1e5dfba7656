/*
 * Attributes: small named values beside the messages, of an account or of one of its
 * mailboxes: rights, limits, metadata, keys, saved searches. They belong to the mailbox's
 * number: RENAME keeps them, DELETE takes them along.
 *
 * A key is (mailbox, kind, user, name). `user` is whose own it is, empty for all's; `name`
 * is the kind's. Names and users are bytes, compared exactly: who wants another
 * comparison folds them before.
 *
 * Kinds below ATTR_ON_DISK are in memory as long as the account is, and account_attrs_now()
 * answers at once; they are for what is asked often and stays small. All others are read
 * with attrs_read(). A change of any attribute is a new version of the account: watches
 * fire, and account_attr_changes() says which they were.
 */
#ifndef STORE_ATTRS_H
#define STORE_ATTRS_H

#include "store/store.h"

enum attr_kind { /* stored: a number keeps its meaning */
	/* in memory */
	ATTR_ACL = 1,	/* mailbox; name: identifier; value: rights (RFC 4314) */
	ATTR_LIMIT = 2, /* account; name: resource; value: decimal (RFC 9208) */
	ATTR_SHARE = 3, /* account; what ACL keeps about accounts that share with it */
	ATTR_MOVING = 4, /* mailbox; messages on their way to another account (moving.h) */
	/* read when asked for */
	ATTR_ON_DISK = 64,
	ATTR_METADATA = 64, /* name: entry, lower case (RFC 5464) */
	ATTR_FILTER = 65,   /* account; name: filter (RFC 5466) */
	ATTR_URL_KEY = 66,  /* keys of URLAUTH (RFC 4467) */
	ATTR_IMPORT = 67,   /* account; name: an import; value: how far it came */
	ATTR_MOVED = 68,    /* account; they have come (moving.h) */
	ATTR_SEEN = 69,	    /* mailbox, user; name: a chunk; his own \Seen (seen.h) */
	/*
	 * No attribute: an edit of it gives the mailbox these special uses, value: enum
	 * special_use in two bytes, big-endian. ERR_CONFLICT: another one has it. The name is
	 * for who asks what changed.
	 */
	ATTR_SPECIAL_USE = 255,
};

struct attr_key {
	uint32_t mailbox; /* 0: the account itself */
	enum attr_kind kind;
	struct span user; /* STORE_ATTR_USER_BYTES at most; empty: everybody's */
	struct span name; /* STORE_ATTR_NAME_BYTES at most, not empty */
};

struct attr {
	struct attr_key key;
	struct span value;
	uint64_t modseq; /* of the account, when it was set */
	size_t query;	 /* attrs_read: which query found it */
};

/* Sorted by mailbox, kind, user, name. */
struct attrs {
	size_t n;
	const struct attr *at;
};

/* ---- at once, from memory ---- */

/* Those of kinds below ATTR_ON_DISK, as durable now: a reference, attrs_unref(). */
const struct attrs *account_attrs_now(struct account *a);
void attrs_unref(const struct attrs *at); /* NULL is fine */
/* NULL: there is none. */
const struct attr *attrs_find(const struct attrs *at, const struct attr_key *key);
/* The attributes of a mailbox and kind, all users': `ret_n` from the returned one. */
const struct attr *attrs_of(const struct attrs *at, uint32_t mailbox, enum attr_kind kind,
			    size_t *ret_n);

/* ---- operations ---- */

struct attr_query {
	struct attr_key key; /* name: a prefix, may be empty */
	bool is_exact;	     /* the name is the whole name */
	bool any_user;	     /* key.user is not looked at, nor the name */
};
/* Any kinds. In done: op_attrs, by query and then by key; the op's. */
struct op *attrs_read(struct account *a, const struct attr_query *queries, size_t n,
		      struct op_to to);
const struct attrs *op_attrs(struct op *op);

struct attr_edit {
	struct attr_key key;
	struct span value; /* STORE_ATTR_BYTES at most */
	bool remove;	   /* no error if there is none */
	/* ERR_CONFLICT, and nothing is changed, unless the value is this (p NULL: there is
	 * none): for who read, thought and now writes. */
	bool has_expect;
	struct span expect;
};
/* What a mailbox (or the account) and user may have of a kind; 0: no limit. */
struct attr_limit {
	uint64_t rows, bytes; /* bytes: of names and values */
};
/*
 * All or none, in the order given. ERR_NOENT: no such mailbox. ERR_INVAL: a name or user
 * that cannot be; ERR_TOOBIG: a value; ERR_LIMIT: too many rows, or bytes, by `limit`
 * (NULL is fine) or by the store's own bounds. In done: op_modseq.
 */
struct op *attrs_set(struct account *a, const struct attr_edit *edits, size_t n,
		     const struct attr_limit *limit, struct op_to to);
/* The account's version that the op made; 0 when it changed nothing. */
uint64_t op_modseq(struct op *op);

/* ---- what changed ---- */

/*
 * Calls `each` (NULL is fine) for changes of attributes made after the version `since`,
 * oldest first, with the account locked: it only looks and copies. Returns the version of
 * the newest one, for the next call. The last STORE_ATTR_CHANGES are known, and none from
 * before the account came into memory.
 */
uint64_t account_attr_changes(struct account *a, uint64_t since,
			      void (*each)(void *arg, const struct attr_key *key,
					   uint64_t modseq),
			      void *arg);

#endif
