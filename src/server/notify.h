/*
 * NOTIFY (RFC 5465): what a client is told by itself, between commands and inside IDLE.
 * One registration a session, in its slot; it ends with the session (RFC 8437
 * section 4.1).
 *
 * The selected mailbox is told by report() with the session's `unwanted`; all others by a
 * command of our own, which compares the tree of names and the STATUS of each watched
 * mailbox with what was told last.
 */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

#include "server/command.h"
#include "wire/notify.h"

/* What the client knows of a mailbox that is not selected. */
struct notify_base {
	uint32_t number, uidvalidity, uidnext, messages, unseen;
	uint64_t modseq;
	bool is_own; /* this client has added to it since */
};

struct notify {
	bool is_set; /* NOTIFY SET is in force */
	bool is_delayed;
	struct arena *arena;		/* of `args`: a NOTIFY replaces it */
	struct notify_args args;	/* names in normal form */
	const struct fetch_args *fetch; /* for new messages of the selected mailbox */
	struct numset pending;		/* UIDs to be fetched */
	uint32_t pending_of;		/* UIDVALIDITY of their mailbox */
	struct numset made;		/* UIDs that this client made there */
	uint32_t made_in;
	const struct names *names; /* as told */
	uint32_t newest; /* the highest number in them; 0: nothing was told yet */
	struct notify_base *base; /* by number */
	size_t n_base;
	struct buf
	    own; /* paths that this client changed since, each with a kind and NUL */
};

/* Its state in this session; NULL when NOTIFY SET is not in force. */
struct notify *notify_of(struct session *s);
/* The union of what the groups want of a mailbox that is not selected. */
unsigned notify_events(const struct notify *n, const struct name *name);

/*
 * RFC 5465 section 5: the client is not told of what it did itself. Messages, by the
 * UIDVALIDITY of their mailbox; and names, `is_tree` with all below.
 */
void notify_made(struct cmd *cmd, uint32_t uidvalidity, const struct numset *uids);
void notify_renamed(struct cmd *cmd, struct span path, bool is_tree);

/* Whether changed metadata of a mailbox (NULL: the server's) are to be told. */
bool notify_wants_metadata(struct session *s, const struct name *name);

/* notify_tell.c: of the command that tells about the other mailboxes, and of NOTIFY SET.
 */
enum { NOTIFY_MAILBOXES_MAX = 1000 };
/*
 * The first step: tells of the names. CMD_WAIT: STATUS is on its way, the next step is
 * `next_step`; CMD_DONE: there is nothing more. False in `ret_fits`: too many to watch.
 */
enum verdict notify_begin(struct cmd *cmd, struct notify *n, int next_step,
			  bool *ret_fits);
/* When STATUS has come: tells what is new, or `all` of it, and keeps it. */
void notify_status_came(struct cmd *cmd, struct notify *n, bool all);

#endif
