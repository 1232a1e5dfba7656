/* Accounts, open mailboxes and watches in memory: references, the idle list, eviction. */
#include "store/seen.h"

#include <assert.h>
#include <stdlib.h>

static size_t bucket_of(const struct store *s, struct account_id id)
{
	uint64_t h;
	memcpy(&h, id.b + 8, sizeof h); /* random: made by the engine */
	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9u;
	return (size_t)(h >> 17) & (s->n_buckets - 1);
}

/* FNV-1a. */
static struct account **named_of(const struct store *s, struct span name)
{
	uint64_t h = 14695981039346656037u;
	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (unsigned char)name.p[i]) * 1099511628211u;
	return &s->named[(h ^ h >> 32) & (s->n_buckets - 1)];
}

/* The store's lock is held, here and below. */
static void name_add(struct store *s, struct account *a)
{
	struct account **to = named_of(s, a->name);
	a->name_next = *to;
	*to = a;
}

static void grow(struct store *s)
{
	struct account **old = s->bucket;
	size_t n = s->n_buckets;
	s->n_buckets = n ? n * 2 : 64;
	s->bucket = xcalloc(s->n_buckets, sizeof(struct account *));
	free(s->named);
	s->named = xcalloc(s->n_buckets, sizeof(struct account *));
	for (size_t i = 0; i < n; i++)
		for (struct account *a = old[i], *next; a; a = next) {
			next = a->hash_next;
			struct account **to = &s->bucket[bucket_of(s, a->id)];
			a->hash_next = *to;
			*to = a;
			if (a->name.n > 0)
				name_add(s, a);
		}
	free(old);
}

static void idle_remove(struct account *a)
{
	struct store *s = a->store;
	if (!a->idle_prev)
		return;
	*a->idle_prev = a->idle_next;
	if (a->idle_next)
		a->idle_next->idle_prev = a->idle_prev;
	else
		s->idle_last = a->idle_prev;
	a->idle_next = NULL;
	a->idle_prev = NULL;
	s->n_idle--;
}

static void idle_add(struct account *a)
{
	struct store *s = a->store;
	a->idle_prev = s->idle_last;
	*s->idle_last = a;
	s->idle_last = &a->idle_next;
	s->n_idle++;
}

static void unhash(struct account *a)
{
	struct store *s = a->store;
	struct account **at = &s->bucket[bucket_of(s, a->id)];
	while (*at != a)
		at = &(*at)->hash_next;
	*at = a->hash_next;
	s->n_accounts--;
	if (a->name.n == 0)
		return;
	at = named_of(s, a->name);
	while (*at != a)
		at = &(*at)->name_next;
	*at = a->name_next;
}

static void account_free(struct account *a)
{
	assert(!a->mailboxes && !a->watches && !a->views);
	tree_unref(a->head_names);
	tree_unref(a->names);
	attr_set_unref(a->head_attrs);
	attr_set_unref(a->attrs);
	attr_log_free(a->attr_log);
	pthread_mutex_destroy(&a->lock);
	free((char *)a->name.p);
	free(a);
}

void store_evict(struct store *s, size_t keep)
{
	kept_evict(s, keep);
	for (;;) {
		pthread_mutex_lock(&s->lock);
		struct account *a = s->n_idle > keep ? s->idle_first : NULL;
		if (a) {
			idle_remove(a);
			unhash(a);
		}
		pthread_mutex_unlock(&s->lock);
		if (!a)
			return;
		account_free(a);
	}
}

struct account *account_get(struct store *s, struct account_id id)
{
	pthread_mutex_lock(&s->lock);
	if (s->n_accounts >= s->n_buckets)
		grow(s);
	struct account **to = &s->bucket[bucket_of(s, id)], *a = *to;
	while (a && memcmp(&a->id, &id, sizeof id) != 0)
		a = a->hash_next;
	if (a) {
		idle_remove(a);
		account_ref(a);
	} else {
		a = xcalloc(1, sizeof *a);
		atomic_init(&a->refs, 1);
		pthread_mutex_init(&a->lock, NULL);
		a->store = s;
		a->id = id;
		a->hash_next = *to;
		*to = a;
		s->n_accounts++;
	}
	pthread_mutex_unlock(&s->lock);
	return a;
}

void account_name(struct account *a, struct span name)
{
	struct store *s = a->store;
	pthread_mutex_lock(&s->lock);
	if (a->name.n == 0) {
		char *p = xmalloc(name.n);
		memcpy(p, name.p, name.n);
		a->name = span_of(p, name.n);
		name_add(s, a);
	}
	pthread_mutex_unlock(&s->lock);
}

/* A name stays with its account as long as the store is open. */
struct account *store_account_now(struct store *s, struct span name)
{
	pthread_mutex_lock(&s->lock);
	struct account *a = s->n_buckets ? *named_of(s, name) : NULL;
	while (a && !span_eq(a->name, name))
		a = a->name_next;
	if (a) {
		pthread_mutex_lock(&a->lock);
		bool is_ready = a->is_ready;
		pthread_mutex_unlock(&a->lock);
		if (is_ready) {
			idle_remove(a);
			account_ref(a);
		} else {
			a = NULL;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return a;
}

struct account *account_ref(struct account *a)
{
	atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
	return a;
}

void account_unref(struct account *a)
{
	if (!a)
		return;
	unsigned n = atomic_load(&a->refs);
	while (n > 1)
		if (atomic_compare_exchange_weak(&a->refs, &n, n - 1))
			return;
	/* perhaps the last one: nobody is left whose view could hold a body */
	account_reap(a);
	struct store *s = a->store;
	pthread_mutex_lock(&s->lock);
	if (atomic_fetch_sub(&a->refs, 1) == 1)
		idle_add(a);
	bool is_full = s->n_idle > STORE_IDLE_ACCOUNTS;
	pthread_mutex_unlock(&s->lock);
	if (is_full)
		store_evict(s, STORE_IDLE_ACCOUNTS);
}

void account_view_made(struct account *a, struct view *v)
{
	pthread_mutex_lock(&a->lock);
	v->next = a->views;
	if (v->next)
		v->next->prev = &v->next;
	v->prev = &a->views;
	a->views = v;
	pthread_mutex_unlock(&a->lock);
}

void account_view_gone(struct account *a, struct view *v)
{
	pthread_mutex_lock(&a->lock);
	if (v->prev) {
		*v->prev = v->next;
		if (v->next)
			v->next->prev = v->prev;
	}
	bool is_due = v->superseded_at && a->drops >= STORE_REAP_BODIES;
	if (v->superseded_at) {
		a->views_gone++;
		a->reap_is_blocked = false;
	}
	pthread_mutex_unlock(&a->lock);
	if (is_due)
		account_reap(a);
}

bool account_views_before(struct account *a, uint64_t modseq, uint32_t mailbox)
{
	bool found = false;
	pthread_mutex_lock(&a->lock);
	for (struct view *v = a->views; v && !found; v = v->next)
		found = (v->superseded_at && v->superseded_at <= modseq) ||
			(mailbox && v->mailbox == mailbox);
	pthread_mutex_unlock(&a->lock);
	return found;
}

uint64_t account_oldest_superseded(struct account *a)
{
	uint64_t min = UINT64_MAX;
	pthread_mutex_lock(&a->lock);
	for (struct view *v = a->views; v; v = v->next)
		if (v->superseded_at && v->superseded_at < min)
			min = v->superseded_at;
	pthread_mutex_unlock(&a->lock);
	return min;
}

void account_drop_head(struct account *a)
{
	struct view *dropped = NULL;
	pthread_mutex_lock(&a->lock);
	/* a view stays published that is not known to be the newest: it may hold any body
	 */
	for (struct view *v = a->views; v; v = v->next)
		v->superseded_at = 1;
	pthread_mutex_unlock(&a->lock);
	do {
		dropped = NULL;
		pthread_mutex_lock(&a->lock);
		for (struct mailbox *m = a->mailboxes; m && !dropped; m = m->next) {
			dropped = m->head;
			m->head = NULL;
		}
		pthread_mutex_unlock(&a->lock);
		view_unref(dropped);
	} while (dropped);
	/* only plans load and take it: whoever holds a handle waits for none of it */
	pthread_mutex_lock(&a->lock);
	for (struct mailbox *m = a->mailboxes; m; m = m->next)
		for (struct mailbox *r = m->readers; r; r = r->next) {
			seen_unref(r->seen_head);
			r->seen_head = NULL;
		}
	pthread_mutex_unlock(&a->lock);
	tree_unref(a->head_names);
	a->head_names = NULL;
	attr_set_unref(a->head_attrs);
	a->head_attrs = NULL;
	a->has_head = false;
}

const struct names *account_names_now(struct account *a)
{
	pthread_mutex_lock(&a->lock);
	struct tree *t = tree_ref(a->names);
	pthread_mutex_unlock(&a->lock);
	return &t->names;
}
