/* What a view is made of. Private to the store. */
#ifndef STORE_VIEW_INSIDE_H
#define STORE_VIEW_INSIDE_H

#include "store/chunk.h"
#include "store/header.h"

struct account;

/*
 * Who keeps the chunks of a view. A large mailbox has thousands, and a change of one of
 * them shall not touch all: a holder has references to the chunks that its version
 * brought, and to the holder of the version before, which has the rest. The chain is
 * short: what it holds that nobody shows any more is bounded (view_next).
 */
struct chunk_holder {
	atomic_uint refs;
	struct chunk_holder *lender; /* NULL: it has all */
	uint32_t depth, n_brought;   /* lenders in all; chunks that they and it brought */
	uint32_t n;
	struct chunk *chunk[];
};

struct view {
	atomic_uint refs;
	struct account *account; /* a reference */
	uint32_t mailbox;
	/* The account's list of live views, and since when this one is not the
	 * newest of its mailbox (0: it is): under the account's lock. */
	struct view *next, **prev;
	uint64_t superseded_at;

	struct mailbox_header h;
	struct keywords *keywords;
	uint32_t n_chunks;
	struct chunk **chunk; /* ascending, none empty */
	uint32_t *base;	      /* messages before the chunk */
	/* Every message has its constant part. False only of a mailbox's first view, until
	 * something asks for them or changes a message. */
	atomic_bool is_whole;
	struct chunk_holder *holder; /* NULL: the view has the references itself */
	struct view *under; /* that it is laid over (seen.h), a reference, or NULL */
};

/* A chunk that differs in the next version; chunk NULL: it is gone. */
struct changed_chunk {
	uint32_t index;
	struct chunk *chunk;
};

/* Takes over header and keywords (a reference); room for `n` chunks, not on a list yet.
 */
struct view *view_new(struct account *a, uint32_t mailbox, const struct mailbox_header *h,
		      struct keywords *keywords, uint32_t n);
/* Appends; takes over the reference. */
void view_put_chunk(struct view *v, struct chunk *c);
/* The version after `old`: takes over header and keywords; `changed` ascends. */
struct view *view_next(const struct view *old, const struct mailbox_header *h,
		       struct keywords *keywords, const struct changed_chunk *changed,
		       size_t n_changed);
/* The place of the first chunk with an index >= `index`; n_chunks when none. */
uint32_t view_chunk_from(const struct view *v, uint32_t index);

/* Position of a message while walking. */
struct view_at {
	uint32_t chunk, slot, in_chunk;
};
struct view_msg view_msg_of(const struct chunk *c, uint32_t slot, uint32_t in_chunk);

#endif
