/* A plan's transaction: its own writes, in memory, laid over the rows as stored. */
#include "store/kind.h"

#include <assert.h>
#include <stdlib.h>

#include "store/shared_body.h"

void txn_init(struct txn *t, struct engine *e, struct account_id a)
{
	*t = (struct txn){ .engine = e, .account = a, .arena = arena_new(NULL) };
	t->is_read_only = (e->flags & ENGINE_READ_ONLY) != 0;
}

void txn_done(struct txn *t)
{
	arena_free(t->arena);
}

bool txn_has_writes(const struct txn *t)
{
	return t->writes || t->common || t->keeps || t->drops || t->n_moves;
}

struct arena *txn_arena(struct txn *t)
{
	return t->arena;
}

struct account_id txn_account(struct txn *t)
{
	return t->account;
}

struct span account_key(struct arena *a, struct account_id id, struct span key)
{
	char *p = arena_alloc(a, sizeof id.b + key.n);
	memcpy(p, id.b, sizeof id.b);
	if (key.n)
		memcpy(p + sizeof id.b, key.p, key.n);
	return span_of(p, sizeof id.b + key.n);
}

enum err txn_get(struct txn *t, struct span key, struct span *ret_value)
{
	const struct row *own = t->writes ? rowmap_get(t->writes, key) : NULL;
	if (!own)
		return t->engine->kind->get(t, key, ret_value);
	if (own->is_delete)
		return ERR_NOENT;
	*ret_value = own->value;
	return ERR_OK;
}

/* False: refused, and the plan will fail with it. */
static bool may_write(struct txn *t)
{
	if (t->is_read_only)
		t->rc = ERR_DENIED;
	return !t->is_read_only;
}

static void write_row(struct txn *t, struct rowmap **to, struct span key,
		      struct span value, bool is_delete)
{
	assert(key.n > 0);
	if (!may_write(t))
		return;
	if (!*to)
		*to = rowmap_new(t->arena);
	rowmap_put(*to, key, value, is_delete);
}

void txn_put(struct txn *t, struct span key, struct span value)
{
	write_row(t, &t->writes, key, value, false);
}

void txn_delete(struct txn *t, struct span key)
{
	write_row(t, &t->writes, key, SPAN_NONE, true);
}

void txn_put_common(struct txn *t, struct span key, struct span value)
{
	write_row(t, &t->common, key, value, false);
}

void txn_delete_common(struct txn *t, struct span key)
{
	write_row(t, &t->common, key, SPAN_NONE, true);
}

struct merge {
	struct txn *txn;
	struct cursor *stored;
	struct buf last; /* the key that was given last, or lo */
	bool is_started;
	struct span hi;
};

/* The plan's next own row. Sought anew each time, as `row` may have written. */
static const struct row *next_own(const struct merge *m)
{
	if (!m->txn->writes)
		return NULL;
	const struct row *own = rowmap_seek(m->txn->writes, buf_span(&m->last),
					    m->is_started);
	if (own && m->hi.n > 0 && span_cmp(own->key, m->hi) >= 0)
		return NULL;
	return own;
}

static void remember(struct merge *m, struct span key)
{
	buf_truncate(&m->last, 0);
	buf_put(&m->last, key);
	m->is_started = true;
}

/* One step; false at the end or when `row` has had enough. */
static bool merge_step(struct merge *m, bool (*row)(void *, struct span, struct span),
		       void *arg)
{
	const struct engine_kind *kind = m->txn->engine->kind;
	const struct row *own = next_own(m);
	struct cursor *c = m->stored;
	if (!own && !c->is_valid)
		return false;
	int order = !own ? 1 : !c->is_valid ? -1 : span_cmp(own->key, c->key);
	bool go_on = true;
	if (order > 0) {
		remember(m, c->key);
		go_on = row(arg, c->key, c->value);
	} else {
		remember(m, own->key);
		if (!own->is_delete)
			go_on = row(arg, own->key, own->value);
	}
	if (order >= 0)
		kind->cursor_next(c);
	return go_on;
}

enum err txn_scan(struct txn *t, struct span lo, struct span hi,
		  bool (*row)(void *arg, struct span key, struct span value), void *arg)
{
	if (hi.n > 0 && span_cmp(lo, hi) >= 0)
		return ERR_OK;
	const struct engine_kind *kind = t->engine->kind;
	struct merge m = { .txn = t, .hi = hi };
	buf_put(&m.last, lo);
	m.stored = kind->cursor_open(t, lo, hi);
	while (merge_step(&m, row, arg))
		;
	enum err rc = kind->cursor_close(m.stored);
	buf_done(&m.last);
	return rc;
}

/* Walks along from one to the next; what lies far off is sought anew. */
enum err txn_get_many(struct txn *t, const struct span *keys, size_t n,
		      void (*row)(void *arg, size_t i, struct span value), void *arg)
{
	const struct engine_kind *kind = t->engine->kind;
	enum { STEPS = 12 };
	enum err rc = ERR_OK;
	size_t i = 0;
	assert(!t->writes);
	while (i < n && rc == ERR_OK) {
		struct cursor *c = kind->cursor_open(t, keys[i], SPAN_NONE);
		for (int steps = 0; i < n && steps < STEPS;) {
			int order = c->is_valid ? span_cmp(c->key, keys[i]) : 1;
			if (order < 0) {
				kind->cursor_next(c);
				steps++;
				continue;
			}
			row(arg, i++, order == 0 ? c->value : SPAN_NONE);
			steps = 0;
		}
		rc = kind->cursor_close(c);
	}
	return rc;
}

/* Those that share their bytes come in between, in the order of ids. */
struct bodies {
	bool (*body)(void *arg, struct body_id id);
	void *arg;
	struct body_id *part;
	size_t n, cap, at;
	bool is_over;
};

static bool add_part(void *arg, struct span key, struct span value)
{
	struct bodies *b = arg;
	if (b->n == b->cap) {
		b->cap = b->cap ? 2 * b->cap : 64;
		b->part = xrealloc(b->part, b->cap * sizeof *b->part);
	}
	b->n += key_read_body(key, &b->part[b->n]);
	return true;
}

/* The parts before `id`; NULL: the rest. */
static void parts_before(struct bodies *b, const struct body_id *id)
{
	for (; !b->is_over && b->at < b->n; b->at++) {
		if (id && memcmp(b->part[b->at].b, id->b, sizeof id->b) >= 0)
			return;
		b->is_over = !b->body(b->arg, b->part[b->at]);
	}
}

static bool one_body(void *arg, struct body_id id)
{
	struct bodies *b = arg;
	parts_before(b, &id);
	b->is_over = b->is_over || !b->body(b->arg, id);
	return !b->is_over;
}

enum err txn_bodies(struct txn *t, bool (*body)(void *arg, struct body_id id), void *arg)
{
	struct bodies b = { .body = body, .arg = arg };
	struct key lo = { .n = 1, .b = { KEY_PART } }, hi = key_kind_end(KEY_PART);
	enum err rc = txn_scan(t, key_span(&lo), key_span(&hi), add_part, &b);
	if (rc == ERR_OK)
		rc = t->engine->kind->bodies(t, one_body, &b);
	if (rc == ERR_OK)
		parts_before(&b, NULL);
	free(b.part);
	return rc;
}

enum err txn_body_keep(struct txn *t, struct body_put *p)
{
	assert(memcmp(t->account.b, p->account.b, sizeof t->account.b) == 0);
	if (!may_write(t))
		return ERR_DENIED;
	if (p->rc != ERR_OK)
		return p->rc;
	struct txn_body *k = ARENA_NEW(t->arena, struct txn_body);
	*k = (struct txn_body){ t->keeps, p };
	t->keeps = k;
	return ERR_OK;
}

void txn_body_drop(struct txn *t, struct body_id id)
{
	if (!may_write(t))
		return;
	for (struct txn_body **k = &t->keeps; *k; k = &(*k)->next) {
		if (memcmp((*k)->put->id.b, id.b, sizeof id.b) == 0) {
			*k = (*k)->next;
			return;
		}
	}
	if (shared_part_drop(t, id)) {
		t->lets_go = true;
		return;
	}
	if (!t->drops)
		t->drops = rowmap_new(t->arena);
	rowmap_put(t->drops, span_of(id.b, sizeof id.b), SPAN_NONE, true);
}
