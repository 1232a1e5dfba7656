/*
 * Where a mailbox lies: every command that names a mailbox finds its place here, be it
 * the user's own, another user's or a shared one, and is told which rights the user has
 * there (RFC 4314). A command goes on with the place, never with session->account.
 *
 *	if (!place_find(cmd, name, RIGHT_R, &st->place))
 *		return cmd->verdict;
 *	return cmd_wait(cmd, ANSWER, mailbox_x(st->place.account, st->place.path, ...));
 */
#ifndef SERVER_PLACE_H
#define SERVER_PLACE_H

#include "server/command.h"
#include "store/acl.h"

enum place_space { /* RFC 2342 */
		   PLACE_PERSONAL,
		   PLACE_OTHER,
		   PLACE_SHARED,
};

struct place {
	struct account *account; /* lives as long as the command */
	struct span path;	 /* of the mailbox in that account; in cmd->arena */
	struct span name;	 /* as the user names it: for responses */
	enum place_space space;
	unsigned rights;   /* enum right; the owner has all */
	uint32_t mailbox;  /* its number, if it is not personal and is there */
	struct span user;  /* whose \Seen it is: empty of his own mailboxes (store.h) */
	struct span owner; /* whose tree it is: the user's name; and his store name: */
	struct span owner_account;
};

/* Beside rights in `need`: */
enum {
	PLACE_TARGET = 1 << 16, /* where there is none: NO [TRYCREATE] */
	PLACE_ANY = 1 << 17,	/* instead of rights: one of `lrikxa` (MYRIGHTS) */
};

/*
 * The place of a name that was read by mailbox_name(). Called in the command's first
 * step, when its arguments were read and before it has done anything: false ends that
 * step with `return cmd->verdict`. Then either a reply is set, or another account has to
 * be opened first, and run() is called again with the arguments unread as before, in the
 * same step. A personal mailbox never waits.
 *
 * `need`: rights, all of them needed; where one is missing the reply is NO [NOPERM], or
 * that of a mailbox that is not there for who may not look it up (RFC 4314 section 6).
 * Whether a personal mailbox exists is left to the store.
 */
bool place_find(struct cmd *cmd, struct span name, unsigned need, struct place *ret);
/*
 * For a mailbox to be made at that name, by CREATE or RENAME: needs `k` at the nearest
 * level above that is there; `ret->rights` are those.
 */
bool place_find_new(struct cmd *cmd, struct span name, struct place *ret);

/*
 * The account of that store name, for the rest of the command; under place_find()'s
 * conditions. `create` as store_account_open(). True: it is there, or there is none
 * (NULL). False: `return cmd->verdict`.
 */
bool place_account(struct cmd *cmd, struct span store_name, bool create,
		   struct account **ret);
/*
 * Who stands in databases is asked for (auth_learn_start), so that auth_user() tells of
 * these names: what is younger than a minute will do. Under place_find()'s conditions;
 * twice a command at most. False: `return cmd->verdict`.
 */
bool place_learn(struct cmd *cmd, const struct span *names, size_t n);
/* For whom a session asks for rights: his groups are those of the user table now, or as a
 * database said last, which was asked at his login; in `a`. */
struct acl_who place_who(const struct session *s, struct arena *a);
/* "Other Users/" or "Shared/"; empty: there are none (configuration). */
struct span place_prefix(const struct server *s, enum place_space space);

/* Somebody who shares, or once shared, a mailbox with the user. */
struct place_owner {
	enum place_space space;
	struct span name, account; /* the account's store name */
};
/* All of them, in cmd->arena, sorted by space and name; as place_account(). */
bool place_owners(struct cmd *cmd, struct place_owner **ret, size_t *ret_n);

/* Whether the user has all of `need` there. */
static inline bool place_may(const struct place *p, unsigned need)
{
	return (p->rights & need) == need;
}
/* Both of one account: COPY and RENAME are one commit there. */
static inline bool place_same_account(const struct place *a, const struct place *b)
{
	return a->account == b->account;
}

/* The system flags that he may not change there; FLAG_ANSWERED stands for all others than
 * \Seen and \Deleted, and for keywords (RFC 4314 section 4). */
uint64_t place_locked(const struct place *p);
static inline bool place_may_flag(const struct place *p)
{
	return p->rights & (RIGHT_S | RIGHT_W | RIGHT_T);
}
/* Takes out of the list what he may not change. False: there was something in it and
 * nothing is left. */
bool place_filter_flags(const struct place *p, struct flag_names *f);

/* Whether a mailbox that was opened by that place is the one that its rights are of: the
 * owner may have renamed another to its path meanwhile. */
bool place_is(const struct place *p, const struct mailbox *m);
/* The mailbox there, as this user sees it: mailbox_open_now() and mailbox_open(). Who
 * reads it asks place_is() first. */
struct mailbox *place_open_now(const struct place *p);
struct op *place_open(const struct place *p, struct op_to to);
/* Likewise mailbox_select_now() and mailbox_select(). */
struct mailbox *place_select_now(const struct place *p);
struct op *place_select(const struct place *p, struct op_to to);

#endif
