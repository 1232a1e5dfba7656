/*
 * Messages in batches: what is wanted of them comes from the store a few batches ahead
 * of what is looked at, so that several workers read while the loop prints and the peer
 * receives. FETCH and SEARCH.
 */
#ifndef SERVER_AHEAD_H
#define SERVER_AHEAD_H

#include "server/command.h"
#include "server/selected.h"

enum {
	AHEAD_BATCH = 256, /* messages asked for at once */
	AHEAD_BATCHES = 4, /* with the one in hand */
};

struct ahead_message {
	uint32_t seq;
	struct view_msg msg;
};

struct ahead_batch { /* malloc'd, as an op fills it */
	struct ahead_batch *next;
	struct ahead *ahead;
	struct op *op; /* under way; NULL: it has come, or none was needed */
	enum err rc;
	struct gathered got; /* got.n is n, or 0 when nothing was wanted */
	size_t n;
	struct ahead_message at[AHEAD_BATCH];
};

enum ahead_fill {
	AHEAD_MORE,  /* ask again, for another batch */
	AHEAD_LATER, /* has worked long enough: others first */
	AHEAD_OVER,  /* there are no more messages */
};

struct ahead {
	struct cmd *cmd;
	int step; /* of the command, to be run at when a batch has come */
	/* Puts messages into an empty batch; `want`, NULL at first, for what is wanted of
	 * them. Whatever it returns, what is in the batch is given. */
	enum ahead_fill (*fill)(struct ahead *, struct ahead_batch *,
				const struct want **want);
	void *arg;		   /* fill's own */
	struct selected *sel;	   /* whose messages they are; borrowed */
	struct ahead_batch *first; /* in hand */
	size_t at;		   /* the message in hand */
	struct ahead_batch *awaited;
	bool is_over;
};

/* Ends with `arena`, the command's or a child of it; ops under way are let go then. */
void ahead_begin(struct ahead *a, struct arena *arena, struct cmd *cmd, int step,
		 enum ahead_fill (*fill)(struct ahead *, struct ahead_batch *,
					 const struct want **),
		 void *arg, struct selected *sel);
/*
 * Whether the message of `uid` is for another batch: the batch is full, or has enough and
 * the store keeps that one elsewhere (digests of 256 UIDs).
 */
static inline bool ahead_is_full(const struct ahead_batch *b, uint32_t uid)
{
	return b->n == AHEAD_BATCH ||
	       (b->n >= AHEAD_BATCH / 2 &&
		uid / AHEAD_BATCH != b->at[b->n - 1].msg.uid / AHEAD_BATCH);
}
/*
 * After a->at has come to the end of the batch in hand, or at the start. CMD_DONE:
 * a->first is the next batch, with at least one message, or NULL when there are
 * no more. Else the command's verdict: run() comes again at a->step.
 */
enum verdict ahead_next(struct ahead *a);
/* The message in hand; and what came of it, or NULL. */
static inline const struct ahead_message *ahead_message(const struct ahead *a)
{
	return &a->first->at[a->at];
}
static inline const struct gathered_message *ahead_content(const struct ahead *a)
{
	return a->first->got.n ? &a->first->got.at[a->at] : NULL;
}

#endif
