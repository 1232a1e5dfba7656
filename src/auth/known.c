/* What databases said last: sets of four places, picked by a hash of the name. */
#include "auth/known.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"

enum { WAYS = 4 };

struct place {
	char *name; /* NULL: empty */
	size_t n;
	struct users *user; /* NULL: nobody */
	uint64_t at_ms;
};

struct known {
	pthread_mutex_t lock; /* guards the places */
	uint64_t seed;
	size_t sets; /* a power of two */
	struct place *place;
};

struct known *known_new(size_t max, uint64_t seed)
{
	struct known *k = xcalloc(1, sizeof *k);

	k->seed = seed;
	for (k->sets = 1; k->sets * WAYS < max && k->sets < (size_t)1 << 24;)
		k->sets *= 2;
	k->place = xcalloc(k->sets * WAYS, sizeof *k->place);
	pthread_mutex_init(&k->lock, NULL);
	return k;
}

static void clear(struct place *p)
{
	free(p->name);
	users_unref(p->user);
	*p = (struct place){ 0 };
}

void known_free(struct known *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->sets * WAYS; i++)
		clear(&k->place[i]);
	pthread_mutex_destroy(&k->lock);
	free(k->place);
	free(k);
}

static struct place *set_of(struct known *k, struct span name)
{
	uint64_t h = 0xcbf29ce484222325 ^ k->seed;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (unsigned char)name.p[i]) * 0x100000001b3;
	h ^= h >> 32;
	h = (h ^ k->seed) * 0x9e3779b97f4a7c15;
	return &k->place[(h >> 32 & (k->sets - 1)) * WAYS];
}

static struct place *find(struct known *k, struct span name)
{
	struct place *p = set_of(k, name);

	for (int i = 0; i < WAYS; i++)
		if (p[i].name && span_eq(span_of(p[i].name, p[i].n), name))
			return &p[i];
	return NULL;
}

void known_put(struct known *k, struct span name, struct users *user, uint64_t now_ms)
{
	struct place *p, *set;

	pthread_mutex_lock(&k->lock);
	p = find(k, name);
	if (p && p->at_ms > now_ms) { /* a later question was answered first */
		pthread_mutex_unlock(&k->lock);
		return;
	}
	if (!p) {
		p = set = set_of(k, name);
		/* nobody goes before somebody, then the older one */
		for (int i = 1; i < WAYS; i++)
			if (p->name &&
			    (!set[i].name || (p->user && !set[i].user) ||
			     (!p->user == !set[i].user && set[i].at_ms < p->at_ms)))
				p = &set[i];
	}
	clear(p);
	p->name = xmalloc(name.n + 1);
	if (name.n)
		memcpy(p->name, name.p, name.n);
	p->n = name.n;
	p->user = user ? users_ref(user) : NULL;
	p->at_ms = now_ms;
	pthread_mutex_unlock(&k->lock);
}

bool known_get(struct known *k, struct span name, struct users **ret, uint64_t *ret_ms)
{
	struct place *p;

	pthread_mutex_lock(&k->lock);
	p = find(k, name);
	if (p && ret)
		*ret = p->user ? users_ref(p->user) : NULL;
	if (p && ret_ms)
		*ret_ms = p->at_ms;
	pthread_mutex_unlock(&k->lock);
	return p;
}
