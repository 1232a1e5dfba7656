/* Operations of the store: what all of them have in common. Private to the store. */
#ifndef STORE_OP_H
#define STORE_OP_H

#include "store/account.h"

struct change;
struct stage;

/* What a plan leaves for publish: a piece of the head. */
struct news {
	struct mailbox *mailbox; /* a reference */
	struct view *view;	 /* a reference; NULL: the mailbox is gone */
	struct seen *seen;	 /* instead, of a user's handle; a reference */
};

struct store_op {
	struct engine_op e;
	void (*done)(struct op *, void *owner); /* the caller's */
	struct store *store;
	struct account *account; /* a reference, or NULL */
	struct mailbox
	    *mailbox;  /* a reference, or NULL: whom it acts on, or the result */
	uint64_t seed; /* random, for ids that a plan gives */
	int64_t now_s; /* when the op was started */
	struct span path, path2; /* malloc'd, canonical */
	/* In the account, alone; may run again. NULL: the op has no plan. */
	enum err (*plan)(struct store_op *, struct change *);
	/*
	 * A command that may be done in part (not COPY, not APPEND) is a commit for each
	 * STORE_COMMIT_CHUNKS. The plan begins at this UID and, when it stops before the
	 * end, says where the next one begins; 0: it is the last. COPY and APPEND are parts
	 * as well, but nothing of them shows before the last (stage.h).
	 */
	uint32_t from, next;
	struct stage *stage; /* what its parts have written; NULL: none */
	struct numset all_modified, all_source, all_target; /* of all parts: the results */
	bool goes_on;
	/* On home, before the caller's done, when it is called. NULL is fine. */
	void (*before_done)(struct store_op *);
	void (*free_more)(struct store_op *);

	/* what the plan has prepared */
	bool is_prepared;
	bool is_background; /* nobody waits for it: the store does, when it closes */
	bool always_ok; /* its rows are a convenience: failing to write them is no failure
			 */
	bool ignores_quota;
	bool needs_no_info; /* of messages (change.h) */
	bool may_make;	/* the account, if it has no rows yet */
	struct news *news;
	size_t n_news;
	struct tree *names;
	struct attr_set *attrs;
	struct stage *part;	     /* NULL: it is not a part, or the last */
	bool is_undoing;	     /* another op's parts; it has not begun */
	struct attr_key *attr_edits; /* what it changed, for the log; not its own */
	size_t n_attr_edits;
	uint64_t modseq, drops;
	struct used used;
	uint32_t doomed;

	/* results */
	uint8_t mailbox_id[8];
	uint32_t uidvalidity;
	struct numset modified, source, target; /* of the part in hand */
	struct mailbox_status *status;
	size_t n_status;
	struct buf bytes;
};

#define STORE_OP(op) TASK_OWNER((op), struct store_op, e.op)

/* `size` bytes that begin with a store_op, zeroed and set up; `account` may be NULL. */
void *op_new(size_t size, struct store *s, struct account *a, struct op_to to);
/* Runs op->plan in the account. Returns the op, for the caller's caller. */
struct op *op_start(struct store_op *o);
/* Ends it at once: posts the completion. */
struct op *op_fail(struct store_op *o, enum err rc);
/* Clears the results of a plan that runs again, and what it had prepared. */
void op_reset(struct store_op *o);
/* A name as the store keeps it, malloc'd: "INBOX" in capitals, one trailing "/" cut if
 * `cut`. ERR_INVAL, ERR_LIMIT. */
enum err op_path(struct span path, bool cut, struct span *ret);
/* For ops that give ids: sets the seed. */
void op_seed(struct store_op *o);
/* Eight bytes that differ for each `n` and each op. */
void op_make_id(const struct store_op *o, uint32_t n, uint8_t ret[8]);

#endif
