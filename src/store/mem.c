/*
 * The engine for tests: everything in maps, nothing on a disk, otherwise the
 * same: plans on the workers, commits and completions by the commit thread.
 */
#include "store/kind.h"

#include <stdlib.h>

#include "store/commit.h"
#include "store/shared_body.h"

struct mem {
	struct engine engine;
	pthread_rwlock_t lock;	      /* guards the maps; never held in a callback */
	struct rowmap *rows, *bodies; /* by account_key() */
	struct rowmap *names;
};

struct mem_put {
	struct body_put put;
	struct buf bytes;
};

struct mem_cursor {
	struct cursor cursor;
	struct mem *mem;
	struct account_id account;
	struct span hi;		/* full key */
	struct buf full, value; /* of the row */
	struct buf bound;
};

static struct mem *mem_of(struct engine *e)
{
	return TASK_OWNER(e, struct mem, engine);
}

static enum err mem_get(struct txn *t, struct span key, struct span *ret_value)
{
	struct mem *m = mem_of(t->engine);
	struct span full = account_key(t->arena, t->account, key);
	enum err rc = ERR_NOENT;
	pthread_rwlock_rdlock(&m->lock);
	const struct row *r = rowmap_get(m->rows, full);
	if (r) {
		*ret_value = arena_dup(t->arena, r->value);
		rc = ERR_OK;
	}
	pthread_rwlock_unlock(&m->lock);
	return rc;
}

/* ---- cursors: each step copies, so that a span kept too long is found ---- */

static void cursor_seek(struct mem_cursor *c, bool is_after)
{
	struct buf full = { 0 }, value = { 0 };
	pthread_rwlock_rdlock(&c->mem->lock);
	const struct row *r = rowmap_seek(c->mem->rows, buf_span(&c->full), is_after);
	c->cursor.is_valid =
	    r && span_starts(r->key, span_of(c->account.b, sizeof c->account.b)) &&
	    (c->hi.n == 0 || span_cmp(r->key, c->hi) < 0);
	if (c->cursor.is_valid) {
		buf_put(&full, r->key);
		buf_put(&value, r->value);
	}
	pthread_rwlock_unlock(&c->mem->lock);
	buf_done(&c->full);
	buf_done(&c->value);
	c->full = full;
	c->value = value;
	c->cursor.key = span_sub(buf_span(&c->full), sizeof c->account.b, SIZE_MAX);
	c->cursor.value = buf_span(&c->value);
}

static struct cursor *mem_cursor_open(struct txn *t, struct span lo, struct span hi)
{
	struct mem_cursor *c = xcalloc(1, sizeof *c);
	c->mem = mem_of(t->engine);
	c->account = t->account;
	struct span prefix = span_of(t->account.b, sizeof t->account.b);
	if (hi.n > 0) {
		buf_put(&c->bound, prefix);
		buf_put(&c->bound, hi);
		c->hi = buf_span(&c->bound);
	}
	buf_put(&c->full, prefix);
	buf_put(&c->full, lo);
	cursor_seek(c, false);
	return &c->cursor;
}

static void mem_cursor_next(struct cursor *c)
{
	if (c->is_valid)
		cursor_seek(TASK_OWNER(c, struct mem_cursor, cursor), true);
}

static enum err mem_cursor_close(struct cursor *cursor)
{
	struct mem_cursor *c = TASK_OWNER(cursor, struct mem_cursor, cursor);
	buf_done(&c->full);
	buf_done(&c->value);
	buf_done(&c->bound);
	free(c);
	return ERR_OK;
}

/* ---- writing ---- */

static struct span body_key(struct txn *t, struct body_id id)
{
	return account_key(t->arena, t->account, span_of(id.b, sizeof id.b));
}

static void write_rows(struct mem *m, struct txn *t, struct account_id a,
		       struct rowmap *rows)
{
	const struct row *r = rows ? rowmap_seek(rows, SPAN_NONE, false) : NULL;
	for (; r; r = rowmap_next(r)) {
		struct span full = account_key(t->arena, a, r->key);
		if (r->is_delete)
			rowmap_remove(m->rows, full);
		else
			rowmap_put(m->rows, full, r->value, false);
	}
}

static enum err mem_write(struct txn *t)
{
	struct mem *m = mem_of(t->engine);
	pthread_rwlock_wrlock(&m->lock);
	write_rows(m, t, t->account, t->writes);
	write_rows(m, t, common_account(), t->common);
	for (struct txn_body *k = t->keeps; k; k = k->next) {
		struct mem_put *p = TASK_OWNER(k->put, struct mem_put, put);
		rowmap_put(m->bodies, body_key(t, k->put->id), buf_span(&p->bytes),
			   false);
	}
	const struct row *r = t->drops ? rowmap_seek(t->drops, SPAN_NONE, false) : NULL;
	for (; r; r = rowmap_next(r))
		rowmap_remove(m->bodies, account_key(t->arena, t->account, r->key));
	pthread_rwlock_unlock(&m->lock);
	return ERR_OK;
}

/* ---- names ---- */

static enum err mem_name_get(struct engine *e, struct span name, struct account_id *ret)
{
	struct mem *m = mem_of(e);
	pthread_rwlock_rdlock(&m->lock);
	const struct row *r = rowmap_get(m->names, name);
	if (r)
		memcpy(ret->b, r->value.p, sizeof ret->b);
	pthread_rwlock_unlock(&m->lock);
	return r ? ERR_OK : ERR_NOENT;
}

static enum err mem_name_put(struct engine *e, struct span name, struct account_id a)
{
	struct mem *m = mem_of(e);
	pthread_rwlock_wrlock(&m->lock);
	rowmap_put(m->names, name, span_of(a.b, sizeof a.b), false);
	pthread_rwlock_unlock(&m->lock);
	return ERR_OK;
}

static enum err mem_name_delete(struct engine *e, struct span name)
{
	struct mem *m = mem_of(e);
	pthread_rwlock_wrlock(&m->lock);
	rowmap_remove(m->names, name);
	pthread_rwlock_unlock(&m->lock);
	return ERR_OK;
}

static enum err mem_list(struct engine *e, struct span after, size_t max,
			 bool (*name)(void *arg, struct span name, struct account_id),
			 void *arg)
{
	struct mem *m = mem_of(e);
	struct arena *a = arena_new(NULL);
	bool go_on = true;
	for (; go_on && max > 0; max--) {
		struct account_id id;
		pthread_rwlock_rdlock(&m->lock);
		const struct row *r = rowmap_seek(m->names, after, after.n > 0);
		if (r) {
			after = arena_dup(a, r->key);
			memcpy(id.b, r->value.p, sizeof id.b);
		}
		pthread_rwlock_unlock(&m->lock);
		go_on = r && name(arg, after, id);
	}
	arena_free(a);
	return ERR_OK;
}

/* ---- bodies ---- */

static struct body_put *mem_body_begin(struct engine *e, struct account_id a,
				       struct body_id id)
{
	struct mem_put *p = xcalloc(1, sizeof *p);
	return &p->put;
}

static enum err mem_body_write(struct body_put *put, struct span piece)
{
	buf_put(&TASK_OWNER(put, struct mem_put, put)->bytes, piece);
	return ERR_OK;
}

static void mem_body_end(struct body_put *put)
{
	struct mem_put *p = TASK_OWNER(put, struct mem_put, put);
	buf_done(&p->bytes);
	free(p);
}

static enum err mem_body_read(struct engine *e, struct account_id a, struct body_id id,
			      uint64_t off, size_t len, struct buf *out)
{
	struct mem *m = mem_of(e);
	uint8_t key[sizeof a.b + sizeof id.b];
	memcpy(key, a.b, sizeof a.b);
	memcpy(key + sizeof a.b, id.b, sizeof id.b);
	pthread_rwlock_rdlock(&m->lock);
	const struct row *r = rowmap_get(m->bodies, span_of(key, sizeof key));
	if (r)
		buf_put(out, span_sub(r->value,
				      off > r->value.n ? r->value.n : (size_t)off, len));
	pthread_rwlock_unlock(&m->lock);
	return r ? ERR_OK : ERR_NOENT;
}

static enum err mem_bodies(struct txn *t, bool (*body)(void *arg, struct body_id id),
			   void *arg)
{
	struct mem *m = mem_of(t->engine);
	struct span prefix = span_of(t->account.b, sizeof t->account.b), at = prefix;
	for (bool go_on = true; go_on;) {
		struct body_id id;
		pthread_rwlock_rdlock(&m->lock);
		const struct row *r = rowmap_seek(m->bodies, at, at.n > prefix.n);
		go_on = r && span_starts(r->key, prefix);
		if (go_on) {
			at = arena_dup(t->arena, r->key);
			memcpy(id.b, at.p + prefix.n, sizeof id.b);
		}
		pthread_rwlock_unlock(&m->lock);
		go_on = go_on && body(arg, id);
	}
	return ERR_OK;
}

/* ---- opening ---- */

static enum err mem_open(const struct engine_config *config, struct engine **ret,
			 struct buf *ret_why)
{
	struct commit *c = commit_new(&(struct commit_config){
	    .fatal = config->fatal, .fatal_arg = config->fatal_arg });
	if (!c) {
		buf_puts(ret_why, "the commit thread could not be started");
		return ERR_LIMIT;
	}
	struct mem *m = xcalloc(1, sizeof *m);
	engine_init(&m->engine, &engine_mem, config, c);
	pthread_rwlock_init(&m->lock, NULL);
	m->rows = rowmap_new(NULL);
	m->bodies = rowmap_new(NULL);
	m->names = rowmap_new(NULL);
	*ret = &m->engine;
	return ERR_OK;
}

static void mem_close(struct engine *e)
{
	struct mem *m = mem_of(e);
	engine_done(e);
	rowmap_free(m->rows);
	rowmap_free(m->bodies);
	rowmap_free(m->names);
	pthread_rwlock_destroy(&m->lock);
	free(m);
}

const struct engine_kind engine_mem = {
	.name = "mem",
	.open = mem_open,
	.close = mem_close,
	.get = mem_get,
	.cursor_open = mem_cursor_open,
	.cursor_next = mem_cursor_next,
	.cursor_close = mem_cursor_close,
	.write = mem_write,
	.name_get = mem_name_get,
	.name_put = mem_name_put,
	.name_delete = mem_name_delete,
	.list = mem_list,
	.body_begin = mem_body_begin,
	.body_write = mem_body_write,
	.body_end = mem_body_end,
	.body_read = mem_body_read,
	.bodies = mem_bodies,
};
