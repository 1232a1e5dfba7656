/*
 * Chunks: the messages of a mailbox in groups of 256 UIDs, immutable and shared
 * by the views that have them. What changes (flags, keywords, modseq) lies in
 * the chunk; what never changes in blocks of 32 UIDs that versions of the chunk
 * share. A change edits a copy and seals it.
 */
#ifndef STORE_CHUNK_H
#define STORE_CHUNK_H

#include <stdatomic.h>
#include "base/arena.h"
#include "store/keys.h"
#include "store/limits.h"
#include "store/view.h"

#define CHUNK_UIDS   256u
#define BLOCK_UIDS   32u
#define CHUNK_BLOCKS (CHUNK_UIDS / BLOCK_UIDS)
#define MODSEQ_MAX   (((uint64_t)1 << 48) - 1) /* 48 bits are stored */

static inline uint32_t chunk_of(uint32_t uid)
{
	return uid / CHUNK_UIDS;
}

static inline uint32_t chunk_slot(uint32_t uid)
{
	return uid % CHUNK_UIDS;
}

/* What never changes about the messages of a block; may know some that are gone. */
struct block {
	atomic_uint refs;
	uint32_t mask; /* bit: UID within the block; in order with `at` */
	struct view_info at[];
};

/* Keywords beyond the flags word: slot << 16 | keyword, ascending. */
struct overflow {
	atomic_uint refs;
	size_t n;
	uint32_t at[];
};

struct chunk_msg {
	uint64_t flags;
	uint64_t modseq;
};

struct chunk {
	atomic_uint refs;
	uint32_t index;	 /* uid / 256 */
	uint32_t n;	 /* messages, at least 1 */
	uint32_t unseen; /* of them without \Seen */
	uint32_t deleted;
	uint64_t modseq; /* the highest in it */
	uint64_t mask[4];
	struct block *block[CHUNK_BLOCKS]; /* NULL: none, or not loaded */
	struct overflow *overflow;	   /* NULL: none */
	struct chunk_msg at[];
};

struct chunk *chunk_ref(struct chunk *c);
void chunk_unref(struct chunk *c); /* NULL is fine, here and below */
struct block *block_ref(struct block *b);
void block_unref(struct block *b);
struct overflow *overflow_ref(struct overflow *o);
void overflow_unref(struct overflow *o);

static inline bool mask_has(const uint64_t mask[4], uint32_t slot)
{
	return mask[slot / 64] >> (slot % 64) & 1;
}

static inline void mask_set(uint64_t mask[4], uint32_t slot)
{
	mask[slot / 64] |= (uint64_t)1 << (slot % 64);
}

static inline void mask_clear(uint64_t mask[4], uint32_t slot)
{
	mask[slot / 64] &= ~((uint64_t)1 << (slot % 64));
}

uint32_t mask_count(const uint64_t mask[4]);
/* How many are set below `slot` (0..256). */
uint32_t mask_rank(const uint64_t mask[4], uint32_t slot);
/* The slot of the i-th that is set, from 0; i < mask_count(). */
uint32_t mask_select(const uint64_t mask[4], uint32_t i);
/* The first set slot >= `from`; CHUNK_UIDS when none. */
uint32_t mask_next(const uint64_t mask[4], uint32_t from);

/* The constant part of a message that is in the chunk; NULL if its block is not loaded.
 * Loops ask while a plan loads blocks into the chunks of a view (view_fill).
 */
const struct view_info *chunk_info(const struct chunk *c, uint32_t slot);
bool overflow_has(const struct overflow *o, uint32_t slot, uint32_t keyword);
/* Whether the keywords of this slot differ in the two. */
bool overflow_differs(const struct overflow *a, const struct overflow *b, uint32_t slot);

/* ---- rows ---- */

#define CHUNK_ROW_MAX (8 + 1 + 32 + CHUNK_UIDS * 14)
#define BLOCK_ROW_MAX (1 + 4 + BLOCK_UIDS * 80)

struct span chunk_write(const struct chunk *c, uint8_t to[CHUNK_ROW_MAX]);
/* One reference; blocks and overflow are NULL. */
enum err chunk_read(uint32_t index, struct span row, struct chunk **ret);
struct span block_write(const struct block *b, uint8_t to[BLOCK_ROW_MAX]);
enum err block_read(struct span row, struct block **ret);
struct span overflow_write(const struct overflow *o, struct arena *a);
enum err overflow_read(struct span row, struct overflow **ret);

/* ---- editing ---- */

struct chunk_edit {
	uint32_t index;
	uint64_t mask[4];
	struct block *block[CHUNK_BLOCKS];
	uint32_t overflow_n, overflow_cap;
	uint32_t *overflow;
	bool is_changed, overflow_changed;
	uint32_t block_changed; /* bit a block */
	struct chunk_msg at[CHUNK_UIDS];
};

/* `from`: NULL for an empty chunk. */
struct chunk_edit *chunk_edit_new(uint32_t index, const struct chunk *from);
void chunk_edit_free(struct chunk_edit *e);
/* The sealed chunk with one reference, NULL when no message is left in it. */
struct chunk *chunk_edit_seal(const struct chunk_edit *e);
/* The slot must be free; its block, if the chunk has one, must be loaded. */
void chunk_edit_add(struct chunk_edit *e, uint32_t slot, struct chunk_msg msg,
		    const struct view_info *info);
/* Takes the message out, keywords too; a block that keeps less than half is rewritten. */
void chunk_edit_remove(struct chunk_edit *e, uint32_t slot);
bool chunk_edit_has_keyword(const struct chunk_edit *e, uint32_t slot, uint32_t keyword);
/* Keywords beyond the flags word only. */
void chunk_edit_set_keyword(struct chunk_edit *e, uint32_t slot, uint32_t keyword,
			    bool on);
size_t chunk_edit_count_keywords(const struct chunk_edit *e, uint32_t slot);
void chunk_edit_clear_keywords(struct chunk_edit *e, uint32_t slot);

#endif
