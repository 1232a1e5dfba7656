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
	unsigned rights; /* enum right; the owner has all */
};

/* Beside rights in `need`: */
enum {
	PLACE_TARGET = 1 << 16, /* where there is none: NO [TRYCREATE] */
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

/* The mailbox there, as this user sees it: mailbox_open_now() and mailbox_open(). */
struct mailbox *place_open_now(const struct place *p);
struct op *place_open(const struct place *p, struct op_to to);

#endif
