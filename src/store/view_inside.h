/* What a view is made of. Private to the store. */
#ifndef STORE_VIEW_INSIDE_H
#define STORE_VIEW_INSIDE_H

#include "store/chunk.h"
#include "store/header.h"

struct account;

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
};

/* Takes over header and keywords (a reference); room for `n` chunks, not on a list yet.
 */
struct view *view_new(struct account *a, uint32_t mailbox, const struct mailbox_header *h,
		      struct keywords *keywords, uint32_t n);
/* Appends; takes over the reference. */
void view_put_chunk(struct view *v, struct chunk *c);
/* The place of the first chunk with an index >= `index`; n_chunks when none. */
uint32_t view_chunk_from(const struct view *v, uint32_t index);

/* Position of a message while walking. */
struct view_at {
	uint32_t chunk, slot, in_chunk;
};
struct view_msg view_msg_of(const struct chunk *c, uint32_t slot, uint32_t in_chunk);

#endif
