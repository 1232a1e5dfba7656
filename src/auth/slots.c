/* Counted slots by key: a chained table that holds the keys in use. */
#include <pthread.h>
#include <stdlib.h>

#include "auth/throttle.h"
#include "base/arena.h"

struct holder {
	struct holder *chain;
	uint64_t hash;
	unsigned count;
	size_t n;
	char key[];
};

struct slots {
	pthread_mutex_t lock; /* guards all below */
	unsigned limit;
	struct holder **bucket;
	size_t buckets, n; /* a power of two; keys */
};

struct slots *slots_new(unsigned limit)
{
	struct slots *s = xcalloc(1, sizeof *s);
	s->limit = limit;
	s->buckets = 64;
	s->bucket = xcalloc(s->buckets, sizeof(struct holder *));
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void slots_free(struct slots *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->buckets; i++)
		while (s->bucket[i]) {
			struct holder *h = s->bucket[i];
			s->bucket[i] = h->chain;
			free(h);
		}
	pthread_mutex_destroy(&s->lock);
	free(s->bucket);
	free(s);
}

static uint64_t hash_of(struct span s)
{
	uint64_t h = 0xcbf29ce484222325;
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3;
	return h ^ h >> 29;
}

/* Where the pointer to the key's holder stands, or would stand. */
static struct holder **place_of(struct slots *s, struct span key, uint64_t hash)
{
	struct holder **p = &s->bucket[hash & (s->buckets - 1)];
	while (*p && !((*p)->hash == hash && span_eq(span_of((*p)->key, (*p)->n), key)))
		p = &(*p)->chain;
	return p;
}

static void grow(struct slots *s)
{
	struct holder **old = s->bucket;
	size_t n = s->buckets;
	s->buckets *= 2;
	s->bucket = xcalloc(s->buckets, sizeof(struct holder *));
	for (size_t i = 0; i < n; i++)
		while (old[i]) {
			struct holder *h = old[i];
			old[i] = h->chain;
			h->chain = s->bucket[h->hash & (s->buckets - 1)];
			s->bucket[h->hash & (s->buckets - 1)] = h;
		}
	free(old);
}

bool slots_acquire(struct slots *s, struct span key)
{
	uint64_t hash = hash_of(key);
	pthread_mutex_lock(&s->lock);
	struct holder **p = place_of(s, key, hash);
	bool is_free = !*p || s->limit == 0 || (*p)->count < s->limit;
	if (is_free && !*p) {
		struct holder *h = xcalloc(1, sizeof *h + key.n);
		h->hash = hash;
		h->n = key.n;
		if (key.n)
			memcpy(h->key, key.p, key.n);
		*p = h;
		s->n++;
	}
	if (is_free)
		(*p)->count++;
	if (s->n > s->buckets)
		grow(s);
	pthread_mutex_unlock(&s->lock);
	return is_free;
}

void slots_release(struct slots *s, struct span key)
{
	pthread_mutex_lock(&s->lock);
	struct holder **p = place_of(s, key, hash_of(key)), *h = *p;
	if (h && --h->count == 0) {
		*p = h->chain;
		free(h);
		s->n--;
	}
	pthread_mutex_unlock(&s->lock);
}

unsigned slots_count(struct slots *s, struct span key)
{
	pthread_mutex_lock(&s->lock);
	struct holder *h = *place_of(s, key, hash_of(key));
	unsigned n = h ? h->count : 0;
	pthread_mutex_unlock(&s->lock);
	return n;
}
