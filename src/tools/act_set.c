/* A set of names: open addressing over an array in the order of arrival. */
#include <assert.h>
#include <stdlib.h>
#include "base/arena.h"
#include "tools/act_set.h"

static uint64_t hash(struct span s)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (uint8_t)s.p[i]) * 0x100000001b3u;
	return h ^ (h >> 29);
}

void act_set_done(struct act_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].name);
	free(s->v);
	free(s->slot);
	*s = (struct act_set){ 0 };
}

/* The slot that holds the name, or the free one where it belongs. */
static size_t place(const struct act_set *s, struct span name)
{
	size_t i = (size_t)hash(name) & (s->slots - 1);

	while (s->slot[i]) {
		const struct act_name *e = &s->v[s->slot[i] - 1];
		if (span_eq(span_of(e->name, e->n), name))
			break;
		i = (i + 1) & (s->slots - 1);
	}
	return i;
}

static void grow(struct act_set *s)
{
	free(s->slot);
	s->slots = s->slots ? s->slots * 2 : 64;
	s->slot = xcalloc(s->slots, sizeof *s->slot);
	for (size_t i = 0; i < s->n; i++)
		s->slot[place(s, span_of(s->v[i].name, s->v[i].n))] = (uint32_t)i + 1;
}

struct act_name *act_set_find(const struct act_set *s, struct span name)
{
	if (!s->slots)
		return NULL;
	uint32_t at = s->slot[place(s, name)];
	return at ? &s->v[at - 1] : NULL;
}

struct act_name *act_set_add(struct act_set *s, struct span name, bool *ret_new)
{
	struct act_name *e = act_set_find(s, name);

	if (ret_new)
		*ret_new = !e;
	if (e)
		return e;
	assert(s->n < UINT32_MAX - 1);
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->v = xrealloc(s->v, s->cap * sizeof *s->v);
	}
	e = &s->v[s->n];
	*e = (struct act_name){ .name = xmalloc(name.n + 1), .n = name.n };
	if (name.n)
		memcpy(e->name, name.p, name.n);
	e->name[name.n] = 0;
	s->n++;
	if (s->n * 2 > s->slots)
		grow(s);
	else
		s->slot[place(s, name)] = (uint32_t)s->n;
	return e;
}
