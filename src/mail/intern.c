/* A table of strings: open addressing, at most half full. */
#include "mail/intern.h"

#include <stdlib.h>

#include "base/arena.h"

/* Mixes eight bytes a step under the seed. */
static uint64_t hash_of(uint64_t seed, struct span s)
{
	uint64_t h = seed ^ s.n;

	while (s.n > 0) {
		size_t n = s.n < 8 ? s.n : 8;
		uint64_t w = 0;
		unsigned __int128 m;

		memcpy(&w, s.p, n);
		m = (unsigned __int128)(h ^ w ^ 0x9e3779b97f4a7c15u) *
		    (seed | 0xd6e8feb86659fd93u);
		h = (uint64_t)m ^ (uint64_t)(m >> 64);
		s = span_sub(s, n, s.n);
	}
	return h ^ h >> 29;
}

static void place(struct intern *t, uint32_t number)
{
	size_t at = t->entries[number].hash & (t->n_slots - 1);

	while (t->slots[at])
		at = (at + 1) & (t->n_slots - 1);
	t->slots[at] = number + 1;
}

static void grow(struct intern *t)
{
	t->cap = t->cap ? t->cap * 2 : 64;
	t->entries = xrealloc(t->entries, t->cap * sizeof *t->entries);
	free(t->slots);
	t->n_slots = t->cap * 2;
	t->slots = xcalloc(t->n_slots, sizeof *t->slots);
	for (size_t i = 0; i < t->n; i++)
		place(t, (uint32_t)i);
}

static struct span entry_span(const struct intern *t, const struct intern_entry *e)
{
	return span_sub(buf_span(&t->bytes), e->off, e->n);
}

uint32_t intern(struct intern *t, struct span s)
{
	uint64_t hash = hash_of(t->seed, s);

	if (t->n == t->cap)
		grow(t);
	for (size_t at = hash & (t->n_slots - 1); t->slots[at];
	     at = (at + 1) & (t->n_slots - 1)) {
		const struct intern_entry *e = &t->entries[t->slots[at] - 1];

		if (e->hash == hash && span_eq(entry_span(t, e), s))
			return t->slots[at] - 1;
	}
	t->entries[t->n] = (struct intern_entry){ t->bytes.n, s.n, hash };
	buf_put(&t->bytes, s);
	place(t, (uint32_t)t->n);
	return (uint32_t)t->n++;
}

void intern_done(struct intern *t)
{
	buf_done(&t->bytes);
	free(t->entries);
	free(t->slots);
	*t = (struct intern){ .seed = t->seed };
}
