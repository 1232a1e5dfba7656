/* Number sets as sorted ranges: see the header. Searches are binary. */
#include "base/numset.h"

#include <stdlib.h>

#include "base/arena.h"

void numset_done(struct numset *s)
{
	free(s->r);
	*s = (struct numset){ 0 };
}

static void reserve(struct numset *s, size_t n)
{
	if (n <= s->cap)
		return;
	size_t cap = s->cap ? s->cap * 2 : 4;
	if (cap < n)
		cap = n;
	s->r = xrealloc(s->r, cap * sizeof *s->r);
	s->cap = cap;
}

/* The first range that ends at `v` or above; s->n when there is none. */
static size_t first_ending(const struct numset *s, uint64_t v)
{
	size_t lo = 0, hi = s->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (s->r[mid].hi >= v)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* The first range that begins above `v`. */
static size_t first_above(const struct numset *s, uint64_t v)
{
	size_t lo = 0, hi = s->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (s->r[mid].lo > v)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* Puts `count` ranges in the place of those from `from` to before `to`. */
static void replace(struct numset *s, size_t from, size_t to, const struct numrange *with,
		    size_t count)
{
	reserve(s, s->n - (to - from) + count);
	if (s->n > to)
		memmove(s->r + from + count, s->r + to, (s->n - to) * sizeof *s->r);
	for (size_t i = 0; i < count; i++)
		s->r[from + i] = with[i];
	s->n = s->n - (to - from) + count;
}

void numset_add(struct numset *s, uint32_t v)
{
	numset_add_range(s, v, v);
}

void numset_add_range(struct numset *s, uint32_t lo, uint32_t hi)
{
	if (lo > hi) {
		uint32_t t = lo;
		lo = hi;
		hi = t;
	}
	struct numrange *last = s->n ? &s->r[s->n - 1] : NULL;
	if (!last || lo > (uint64_t)last->hi + 1) {
		reserve(s, s->n + 1);
		s->r[s->n++] = (struct numrange){ lo, hi };
		return;
	}
	if (lo >= last->lo) {
		if (hi > last->hi)
			last->hi = hi;
		return;
	}
	/* those that touch [lo-1, hi+1] melt into one */
	size_t from = first_ending(s, lo ? lo - 1 : 0);
	size_t to = first_above(s, (uint64_t)hi + 1);
	if (from < to) {
		if (s->r[from].lo < lo)
			lo = s->r[from].lo;
		if (s->r[to - 1].hi > hi)
			hi = s->r[to - 1].hi;
	}
	replace(s, from, to, &(struct numrange){ lo, hi }, 1);
}

void numset_remove_range(struct numset *s, uint32_t lo, uint32_t hi)
{
	if (lo > hi) {
		uint32_t t = lo;
		lo = hi;
		hi = t;
	}
	size_t from = first_ending(s, lo), to = first_above(s, hi), count = 0;
	if (from >= to)
		return;
	struct numrange rest[2];
	if (s->r[from].lo < lo)
		rest[count++] = (struct numrange){ s->r[from].lo, lo - 1 };
	if (s->r[to - 1].hi > hi)
		rest[count++] = (struct numrange){ hi + 1, s->r[to - 1].hi };
	replace(s, from, to, rest, count);
}

void numset_add_set(struct numset *s, const struct numset *o)
{
	if (s == o || o->n == 0)
		return;
	if (o->n < 8 || s->n == 0 || o->r[0].lo > numset_max(s)) {
		for (size_t i = 0; i < o->n; i++)
			numset_add_range(s, o->r[i].lo, o->r[i].hi);
		return;
	}
	struct numset sum = { 0 };
	reserve(&sum, s->n + o->n);
	for (size_t i = 0, k = 0; i < s->n || k < o->n;) {
		bool mine = k == o->n || (i < s->n && s->r[i].lo <= o->r[k].lo);
		struct numrange r = mine ? s->r[i++] : o->r[k++];
		numset_add_range(&sum, r.lo, r.hi);
	}
	numset_done(s);
	*s = sum;
}

void numset_remove_set(struct numset *s, const struct numset *o)
{
	struct numset rest = { 0 };
	uint64_t next = 0;

	if (o->n == 0)
		return;
	for (size_t i = 0; i < o->n; i++) {
		if (o->r[i].lo > next)
			numset_add_range(&rest, (uint32_t)next, o->r[i].lo - 1);
		next = (uint64_t)o->r[i].hi + 1;
	}
	if (next <= UINT32_MAX)
		numset_add_range(&rest, (uint32_t)next, UINT32_MAX);
	numset_intersect(s, &rest);
	numset_done(&rest);
}

void numset_intersect(struct numset *s, const struct numset *o)
{
	if (s == o)
		return;
	struct numset both = { 0 };
	for (size_t i = 0, k = 0; i < s->n && k < o->n;) {
		struct numrange a = s->r[i], b = o->r[k];
		uint32_t lo = a.lo > b.lo ? a.lo : b.lo, hi = a.hi < b.hi ? a.hi : b.hi;
		if (lo <= hi)
			numset_add_range(&both, lo, hi);
		if (a.hi < b.hi)
			i++;
		else
			k++;
	}
	numset_done(s);
	*s = both;
}

void numset_copy(struct numset *to, const struct numset *from)
{
	if (to == from)
		return;
	to->n = 0;
	reserve(to, from->n);
	if (from->n)
		memcpy(to->r, from->r, from->n * sizeof *from->r);
	to->n = from->n;
}

bool numset_has(const struct numset *s, uint32_t v)
{
	size_t i = first_ending(s, v);
	return i < s->n && s->r[i].lo <= v;
}

bool numset_equal(const struct numset *a, const struct numset *b)
{
	return a->n == b->n &&
	       (a->n == 0 || memcmp(a->r, b->r, a->n * sizeof *a->r) == 0);
}

static uint64_t width(struct numrange r)
{
	return (uint64_t)r.hi - r.lo + 1;
}

uint64_t numset_count(const struct numset *s)
{
	uint64_t n = 0;
	for (size_t i = 0; i < s->n; i++)
		n += width(s->r[i]);
	return n;
}

uint32_t numset_min(const struct numset *s)
{
	return s->n ? s->r[0].lo : 0;
}

uint32_t numset_max(const struct numset *s)
{
	return s->n ? s->r[s->n - 1].hi : 0;
}

uint64_t numset_rank(const struct numset *s, uint32_t v)
{
	uint64_t n = 0;
	for (size_t i = 0; i < s->n && s->r[i].lo <= v; i++)
		n += width(
		    (struct numrange){ s->r[i].lo, s->r[i].hi < v ? s->r[i].hi : v });
	return n;
}

bool numset_select(const struct numset *s, uint64_t i, uint32_t *ret)
{
	for (size_t k = 0; k < s->n; k++) {
		uint64_t w = width(s->r[k]);
		if (i < w) {
			*ret = (uint32_t)(s->r[k].lo + i);
			return true;
		}
		i -= w;
	}
	return false;
}

void numset_print(const struct numset *s, struct buf *out)
{
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			buf_putc(out, ',');
		buf_put_u64(out, s->r[i].lo);
		if (s->r[i].hi != s->r[i].lo) {
			buf_putc(out, ':');
			buf_put_u64(out, s->r[i].hi);
		}
	}
}

struct numset_iter numset_iter(const struct numset *s)
{
	return (struct numset_iter){ .s = s };
}

bool numset_next(struct numset_iter *it, uint32_t *ret)
{
	if (it->i < it->s->n && it->next > it->s->r[it->i].hi)
		it->i++;
	if (it->i >= it->s->n)
		return false;
	if (it->next < it->s->r[it->i].lo)
		it->next = it->s->r[it->i].lo;
	*ret = (uint32_t)it->next++;
	return true;
}
