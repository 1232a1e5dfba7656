/* A sorted map of rows: a skip list, each node with one of four chances to be a level
 * higher. */
#include "store/rowmap.h"

#include <stdlib.h>

enum { LEVELS = 12 };

struct node {
	struct row row; /* first: a row is its node */
	unsigned n_levels;
	struct node *next[];
};

struct rowmap {
	struct arena *arena;
	size_t n;
	uint32_t random;
	struct node *head; /* LEVELS high, no row */
};

static void *get_memory(struct rowmap *m, size_t n)
{
	return m->arena ? arena_alloc(m->arena, n) : xcalloc(1, n);
}

static void give_back(struct rowmap *m, const void *p)
{
	if (!m->arena)
		free((void *)(uintptr_t)p);
}

static struct span copy(struct rowmap *m, struct span s)
{
	char *p = get_memory(m, s.n ? s.n : 1);
	if (s.n)
		memcpy(p, s.p, s.n);
	return span_of(p, s.n);
}

static struct node *node_new(struct rowmap *m, unsigned n_levels)
{
	struct node *n = get_memory(m, sizeof *n + n_levels * sizeof n->next[0]);
	n->n_levels = n_levels;
	return n;
}

struct rowmap *rowmap_new(struct arena *a)
{
	struct rowmap *m = a ? ARENA_NEW(a, struct rowmap) : xcalloc(1, sizeof *m);
	m->arena = a;
	m->random = 2463534242u;
	m->head = node_new(m, LEVELS);
	return m;
}

static void node_free(struct rowmap *m, struct node *n)
{
	give_back(m, n->row.key.p);
	give_back(m, n->row.value.p);
	give_back(m, n);
}

void rowmap_free(struct rowmap *m)
{
	if (!m)
		return;
	for (struct node *n = m->head, *next; n; n = next) {
		next = n->next[0];
		node_free(m, n);
	}
	give_back(m, m);
}

static unsigned random_levels(struct rowmap *m)
{
	uint32_t x = m->random;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	m->random = x;
	unsigned n = 1;
	for (; n < LEVELS && (x & 3) == 0; x >>= 2)
		n++;
	return n;
}

/* The last node before `key` (or not after it) on each level; returns the one behind. */
static struct node *find(const struct rowmap *m, struct span key, bool is_after,
			 struct node *before[LEVELS])
{
	struct node *n = m->head;
	for (unsigned l = LEVELS; l-- > 0;) {
		while (n->next[l]) {
			int c = span_cmp(n->next[l]->row.key, key);
			if (c > 0 || (c == 0 && !is_after))
				break;
			n = n->next[l];
		}
		before[l] = n;
	}
	return n->next[0];
}

void rowmap_put(struct rowmap *m, struct span key, struct span value, bool is_delete)
{
	struct node *before[LEVELS];
	struct node *n = find(m, key, false, before);
	if (n && span_eq(n->row.key, key)) {
		struct span old = n->row.value;
		n->row.value = copy(m, value);
		n->row.is_delete = is_delete;
		give_back(m, old.p);
		return;
	}
	n = node_new(m, random_levels(m));
	n->row = (struct row){ copy(m, key), copy(m, value), is_delete };
	for (unsigned l = 0; l < n->n_levels; l++) {
		n->next[l] = before[l]->next[l];
		before[l]->next[l] = n;
	}
	m->n++;
}

void rowmap_remove(struct rowmap *m, struct span key)
{
	struct node *before[LEVELS];
	struct node *n = find(m, key, false, before);
	if (!n || !span_eq(n->row.key, key))
		return;
	for (unsigned l = 0; l < n->n_levels; l++)
		before[l]->next[l] = n->next[l];
	node_free(m, n);
	m->n--;
}

const struct row *rowmap_get(const struct rowmap *m, struct span key)
{
	const struct row *r = rowmap_seek(m, key, false);
	return r && span_eq(r->key, key) ? r : NULL;
}

const struct row *rowmap_seek(const struct rowmap *m, struct span key, bool is_after)
{
	struct node *before[LEVELS];
	struct node *n = find(m, key, is_after, before);
	return n ? &n->row : NULL;
}

const struct row *rowmap_next(const struct row *r)
{
	const struct node *n = (const struct node *)(const void *)r;
	return n->next[0] ? &n->next[0]->row : NULL;
}

size_t rowmap_count(const struct rowmap *m)
{
	return m->n;
}
