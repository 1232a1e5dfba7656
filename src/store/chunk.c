/* Chunks: references, masks, lookup and editing. Their rows: chunk_row.c. */
#include "store/chunk.h"

#include <assert.h>
#include <stdlib.h>

struct chunk *chunk_ref(struct chunk *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void chunk_unref(struct chunk *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned i = 0; i < CHUNK_BLOCKS; i++)
		block_unref(c->block[i]);
	overflow_unref(c->overflow);
	free(c);
}

struct block *block_ref(struct block *b)
{
	if (b)
		atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void block_unref(struct block *b)
{
	if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		free(b);
}

struct overflow *overflow_ref(struct overflow *o)
{
	if (o)
		atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return o;
}

void overflow_unref(struct overflow *o)
{
	if (o && atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1)
		free(o);
}

uint32_t mask_count(const uint64_t mask[4])
{
	return mask_rank(mask, CHUNK_UIDS);
}

uint32_t mask_rank(const uint64_t mask[4], uint32_t slot)
{
	uint32_t n = 0, i = 0;
	for (; i < slot / 64; i++)
		n += (uint32_t)__builtin_popcountll(mask[i]);
	if (slot % 64)
		n += (uint32_t)__builtin_popcountll(mask[i] &
						    (((uint64_t)1 << (slot % 64)) - 1));
	return n;
}

uint32_t mask_select(const uint64_t mask[4], uint32_t i)
{
	uint32_t word = 0;
	for (;; word++) {
		uint32_t n = (uint32_t)__builtin_popcountll(mask[word]);
		if (i < n)
			break;
		i -= n;
	}
	uint64_t w = mask[word];
	while (i-- > 0)
		w &= w - 1;
	return word * 64 + (uint32_t)__builtin_ctzll(w);
}

uint32_t mask_next(const uint64_t mask[4], uint32_t from)
{
	for (uint32_t word = from / 64; word < 4; word++) {
		uint64_t w = mask[word];
		if (word == from / 64)
			w &= ~(uint64_t)0 << (from % 64);
		if (w)
			return word * 64 + (uint32_t)__builtin_ctzll(w);
	}
	return CHUNK_UIDS;
}

static uint32_t block_rank(const struct block *b, uint32_t bit)
{
	return (uint32_t)__builtin_popcount(b->mask & (((uint32_t)1 << bit) - 1));
}

const struct view_info *chunk_info(const struct chunk *c, uint32_t slot)
{
	const struct block *b = __atomic_load_n(&c->block[slot / BLOCK_UIDS],
						__ATOMIC_ACQUIRE);
	uint32_t bit = slot % BLOCK_UIDS;
	if (!b || !(b->mask >> bit & 1))
		return NULL;
	return &b->at[block_rank(b, bit)];
}

/* The first entry that is not below `v`. */
static size_t overflow_from(const uint32_t *at, size_t n, uint32_t v)
{
	size_t lo = 0, hi = n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (at[mid] < v)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool overflow_has(const struct overflow *o, uint32_t slot, uint32_t keyword)
{
	if (!o)
		return false;
	uint32_t v = slot << 16 | keyword;
	size_t i = overflow_from(o->at, o->n, v);
	return i < o->n && o->at[i] == v;
}

bool overflow_differs(const struct overflow *a, const struct overflow *b, uint32_t slot)
{
	if (a == b)
		return false;
	size_t i = a ? overflow_from(a->at, a->n, slot << 16) : 0;
	size_t j = b ? overflow_from(b->at, b->n, slot << 16) : 0;
	for (;; i++, j++) {
		bool in_a = a && i < a->n && a->at[i] >> 16 == slot;
		bool in_b = b && j < b->n && b->at[j] >> 16 == slot;
		if (!in_a && !in_b)
			return false;
		if (in_a != in_b || a->at[i] != b->at[j])
			return true;
	}
}

struct chunk_edit *chunk_edit_new(uint32_t index, const struct chunk *from)
{
	struct chunk_edit *e = xcalloc(1, sizeof *e);
	e->index = index;
	if (!from)
		return e;
	memcpy(e->mask, from->mask, sizeof e->mask);
	for (unsigned i = 0; i < CHUNK_BLOCKS; i++)
		e->block[i] = block_ref(from->block[i]);
	if (from->overflow) {
		e->overflow_n = e->overflow_cap = (uint32_t)from->overflow->n;
		e->overflow = xcalloc(e->overflow_n, sizeof *e->overflow);
		memcpy(e->overflow, from->overflow->at,
		       e->overflow_n * sizeof *e->overflow);
	}
	uint32_t i = 0;
	for (uint32_t s = mask_next(e->mask, 0); s < CHUNK_UIDS;
	     s = mask_next(e->mask, s + 1))
		e->at[s] = from->at[i++];
	return e;
}

void chunk_edit_free(struct chunk_edit *e)
{
	if (!e)
		return;
	for (unsigned i = 0; i < CHUNK_BLOCKS; i++)
		block_unref(e->block[i]);
	free(e->overflow);
	free(e);
}

struct chunk *chunk_edit_seal(const struct chunk_edit *e)
{
	uint32_t n = mask_count(e->mask);
	if (n == 0)
		return NULL;
	struct chunk *c = xcalloc(1, sizeof *c + n * sizeof c->at[0]);
	atomic_init(&c->refs, 1);
	c->index = e->index;
	memcpy(c->mask, e->mask, sizeof c->mask);
	for (unsigned i = 0; i < CHUNK_BLOCKS; i++)
		c->block[i] = block_ref(e->block[i]);
	for (uint32_t s = mask_next(e->mask, 0); s < CHUNK_UIDS;
	     s = mask_next(e->mask, s + 1)) {
		c->at[c->n] = e->at[s];
		c->unseen += !(e->at[s].flags & FLAG_SEEN);
		c->deleted += !!(e->at[s].flags & FLAG_DELETED);
		if (c->modseq < e->at[s].modseq)
			c->modseq = e->at[s].modseq;
		c->n++;
	}
	if (e->overflow_n > 0) {
		struct overflow *o = xcalloc(1,
					     sizeof *o + e->overflow_n * sizeof o->at[0]);
		atomic_init(&o->refs, 1);
		o->n = e->overflow_n;
		memcpy(o->at, e->overflow, e->overflow_n * sizeof o->at[0]);
		c->overflow = o;
	}
	return c;
}

/* A block with the messages of `keep` from `from`, and one more if `info`. */
static struct block *block_copy(const struct block *from, uint32_t keep, uint32_t bit,
				const struct view_info *info)
{
	uint32_t mask = info ? keep | (uint32_t)1 << bit : keep;
	if (!mask)
		return NULL;
	uint32_t n = (uint32_t)__builtin_popcount(mask);
	struct block *b = xcalloc(1, sizeof *b + n * sizeof b->at[0]);
	atomic_init(&b->refs, 1);
	b->mask = mask;
	uint32_t i = 0;
	for (uint32_t left = mask; left; left &= left - 1, i++) {
		uint32_t k = (uint32_t)__builtin_ctz(left);
		b->at[i] = info && k == bit ? *info : from->at[block_rank(from, k)];
	}
	return b;
}

/* Bits of the block's messages that the chunk still has. */
static uint32_t live_bits(const struct chunk_edit *e, uint32_t block)
{
	return (uint32_t)(e->mask[block / 2] >> (block % 2 * 32));
}

static void block_replace(struct chunk_edit *e, uint32_t block, struct block *with)
{
	block_unref(e->block[block]);
	e->block[block] = with;
	e->block_changed |= 1u << block;
}

void chunk_edit_add(struct chunk_edit *e, uint32_t slot, struct chunk_msg msg,
		    const struct view_info *info)
{
	assert(!mask_has(e->mask, slot));
	uint32_t block = slot / BLOCK_UIDS;
	struct block *old = e->block[block];
	uint32_t keep = live_bits(e, block);
	assert(!keep || (old && (keep & ~old->mask) == 0));
	block_replace(e, block, block_copy(old, keep, slot % BLOCK_UIDS, info));
	mask_set(e->mask, slot);
	e->at[slot] = msg;
	e->is_changed = true;
}

void chunk_edit_remove(struct chunk_edit *e, uint32_t slot)
{
	assert(mask_has(e->mask, slot));
	chunk_edit_clear_keywords(e, slot);
	mask_clear(e->mask, slot);
	e->is_changed = true;

	uint32_t block = slot / BLOCK_UIDS, keep = live_bits(e, block);
	struct block *old = e->block[block];
	if (!keep)
		block_replace(e, block, NULL);
	else if (old && __builtin_popcount(keep) * 2 < __builtin_popcount(old->mask))
		block_replace(e, block, block_copy(old, keep & old->mask, 0, NULL));
}

bool chunk_edit_has_keyword(const struct chunk_edit *e, uint32_t slot, uint32_t keyword)
{
	uint32_t v = slot << 16 | keyword;
	size_t i = overflow_from(e->overflow, e->overflow_n, v);
	return i < e->overflow_n && e->overflow[i] == v;
}

void chunk_edit_set_keyword(struct chunk_edit *e, uint32_t slot, uint32_t keyword,
			    bool on)
{
	if (chunk_edit_has_keyword(e, slot, keyword) == on)
		return;
	uint32_t v = slot << 16 | keyword;
	size_t i = overflow_from(e->overflow, e->overflow_n, v);
	size_t behind = (e->overflow_n - i) * sizeof v;
	if (on) {
		if (e->overflow_n == e->overflow_cap) {
			e->overflow_cap = e->overflow_cap ? e->overflow_cap * 2 : 16;
			e->overflow = xrealloc(e->overflow, e->overflow_cap * sizeof v);
		}
		memmove(e->overflow + i + 1, e->overflow + i, behind);
		e->overflow[i] = v;
		e->overflow_n++;
	} else {
		memmove(e->overflow + i, e->overflow + i + 1, behind - sizeof v);
		e->overflow_n--;
	}
	e->is_changed = e->overflow_changed = true;
}

size_t chunk_edit_count_keywords(const struct chunk_edit *e, uint32_t slot)
{
	return overflow_from(e->overflow, e->overflow_n, (slot + 1) << 16) -
	       overflow_from(e->overflow, e->overflow_n, slot << 16);
}

void chunk_edit_clear_keywords(struct chunk_edit *e, uint32_t slot)
{
	if (e->overflow_n == 0)
		return;
	size_t lo = overflow_from(e->overflow, e->overflow_n, slot << 16);
	size_t hi = overflow_from(e->overflow, e->overflow_n, (slot + 1) << 16);
	if (lo == hi)
		return;
	memmove(e->overflow + lo, e->overflow + hi,
		(e->overflow_n - hi) * sizeof(uint32_t));
	e->overflow_n -= (uint32_t)(hi - lo);
	e->is_changed = e->overflow_changed = true;
}
