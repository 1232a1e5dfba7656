/*
 * A set of 32-bit numbers as sorted, disjoint, non-adjacent ranges: UID sets
 * and message-number sets. Owns its memory (malloc); `{0}` is the empty set.
 */
#ifndef BASE_NUMSET_H
#define BASE_NUMSET_H

#include "base/buf.h"

struct numrange { uint32_t lo, hi; }; /* both inclusive, lo <= hi */

struct numset {
	struct numrange *r;
	size_t n, cap; /* ranges */
};

void numset_done(struct numset *s);
void numset_add(struct numset *s, uint32_t v);      /* O(1) when ascending */
void numset_add_range(struct numset *s, uint32_t lo, uint32_t hi); /* any order of ends */
void numset_remove_range(struct numset *s, uint32_t lo, uint32_t hi);
void numset_remove_set(struct numset *s, const struct numset *o); /* in one pass */
void numset_add_set(struct numset *s, const struct numset *o);
void numset_intersect(struct numset *s, const struct numset *o);
void numset_copy(struct numset *to, const struct numset *from); /* `to` is replaced */
bool numset_has(const struct numset *s, uint32_t v);
bool numset_equal(const struct numset *a, const struct numset *b);
uint64_t numset_count(const struct numset *s);
uint32_t numset_min(const struct numset *s); /* 0 when empty */
uint32_t numset_max(const struct numset *s); /* 0 when empty */
/* How many members are <= v. */
uint64_t numset_rank(const struct numset *s, uint32_t v);
/* The i-th member, from 0; false when there are not that many. */
bool numset_select(const struct numset *s, uint64_t i, uint32_t *ret);
/* Prints "1:3,7" (RFC 9051 sequence-set, ascending); nothing when empty. */
void numset_print(const struct numset *s, struct buf *out);

/* for (struct numset_iter it = numset_iter(s); numset_next(&it, &v); ) */
struct numset_iter { const struct numset *s; size_t i; uint64_t next; };
struct numset_iter numset_iter(const struct numset *s);
bool numset_next(struct numset_iter *it, uint32_t *ret);

#endif
