/* A set of digests: open addressing, at most half full (key_set.h). */
#include "tools/key_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* A digest is as good as any hash of it. */
static struct key_entry *find(const struct key_set *s, const uint8_t key[KEY_BYTES])
{
	uint64_t h;

	memcpy(&h, key, sizeof h);
	for (size_t i = (size_t)h & (s->cap - 1);; i = (i + 1) & (s->cap - 1)) {
		struct key_entry *e = &s->at[i];

		if (!e->count || memcmp(e->key, key, KEY_BYTES) == 0)
			return e;
	}
}

static void grow(struct key_set *s)
{
	struct key_set more = { .cap = s->cap ? 2 * s->cap : 1024, .n = s->n };

	more.at = xcalloc(more.cap, sizeof *more.at);
	for (size_t i = 0; i < s->cap; i++)
		if (s->at[i].count)
			*find(&more, s->at[i].key) = s->at[i];
	free(s->at);
	*s = more;
}

uint32_t key_set_add(struct key_set *s, const uint8_t key[KEY_BYTES])
{
	struct key_entry *e;

	if (2 * s->n >= s->cap)
		grow(s);
	e = find(s, key);
	if (!e->count) {
		memcpy(e->key, key, KEY_BYTES);
		s->n++;
	}
	return ++e->count;
}

uint32_t key_set_count(const struct key_set *s, const uint8_t key[KEY_BYTES])
{
	return s->cap ? find(s, key)->count : 0;
}

void key_set_done(struct key_set *s)
{
	free(s->at);
	*s = (struct key_set){ 0 };
}
