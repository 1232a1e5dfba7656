/* The rocks engine: rows of accounts and names. */
#include "store/rocks.h"
#include "store/shared_body.h"

#include <stdlib.h>

enum err rocks_err(char *error, struct buf *why)
{
	static const struct {
		const char *has;
		enum err rc;
	} table[] = {
		{ "No space left", ERR_FULL },
		{ "No space", ERR_FULL },
		{ "Disk quota", ERR_FULL },
		{ "quota exceeded", ERR_FULL },
		{ "Corruption", ERR_CORRUPT },
		{ "lock hold by current process", ERR_BUSY },
		{ "While lock file", ERR_BUSY },
		{ "Resource busy", ERR_BUSY },
		{ "Busy", ERR_BUSY },
		{ "Shutdown in progress", ERR_CLOSED },
		{ "Not implemented", ERR_UNSUPPORTED },
	};
	if (!error)
		return ERR_OK;
	enum err rc = ERR_IO;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (strstr(error, table[i].has)) {
			rc = table[i].rc;
			break;
		}
	}
	if (why)
		buf_puts(why, error);
	rocksdb_free(error);
	return rc;
}

static void slice_free(void *slice)
{
	rocksdb_pinnableslice_destroy(slice);
}

static enum err get_row(struct txn *t, struct span key, struct span *ret_value)
{
	struct rocks *r = rocks_of(t->engine);
	struct span full = account_key(t->arena, t->account, key);
	rocksdb_readoptions_t *o = r->read;
	if (t->snapshot) {
		o = rocksdb_readoptions_create();
		rocksdb_readoptions_set_snapshot(o, t->snapshot);
	}
	char *error = NULL;
	rocksdb_pinnableslice_t *slice = rocksdb_get_pinned_cf(r->db, o, r->cf[CF_IDX],
							       full.p, full.n, &error);
	if (t->snapshot)
		rocksdb_readoptions_destroy(o);
	if (error)
		return rocks_err(error, NULL);
	if (!slice)
		return ERR_NOENT;
	arena_defer(t->arena, slice_free, slice);
	size_t n;
	const char *p = rocksdb_pinnableslice_value(slice, &n);
	*ret_value = span_of(p, n);
	return ERR_OK;
}

enum err rocks_get(struct rocks *r, enum rocks_cf cf, struct span key, struct buf *out)
{
	char *error = NULL;
	rocksdb_pinnableslice_t *slice = rocksdb_get_pinned_cf(r->db, r->read, r->cf[cf],
							       key.p, key.n, &error);
	if (error)
		return rocks_err(error, NULL);
	if (!slice)
		return ERR_NOENT;
	size_t n;
	const char *p = rocksdb_pinnableslice_value(slice, &n);
	buf_put(out, span_of(p, n));
	rocksdb_pinnableslice_destroy(slice);
	return ERR_OK;
}

/* ---- cursors ---- */

struct rocks_cursor {
	struct cursor cursor;
	rocksdb_iterator_t *it;
	rocksdb_readoptions_t *options;
	struct buf bound; /* must outlive the iterator */
};

static void cursor_load(struct rocks_cursor *c)
{
	c->cursor.is_valid = rocksdb_iter_valid(c->it);
	if (!c->cursor.is_valid)
		return;
	size_t n;
	const char *p = rocksdb_iter_key(c->it, &n);
	c->cursor.key = span_sub(span_of(p, n), sizeof(struct account_id), SIZE_MAX);
	p = rocksdb_iter_value(c->it, &n);
	c->cursor.value = span_of(p, n);
}

static struct cursor *rocks_cursor_open(struct txn *t, struct span lo, struct span hi)
{
	struct rocks *r = rocks_of(t->engine);
	struct rocks_cursor *c = xcalloc(1, sizeof *c);
	struct span from = account_key(t->arena, t->account, lo);
	c->options = rocksdb_readoptions_create();
	/* the prefix is the account: never a row of the next one */
	rocksdb_readoptions_set_prefix_same_as_start(c->options, 1);
	if (hi.n > 0) {
		buf_put(&c->bound, span_of(t->account.b, sizeof t->account.b));
		buf_put(&c->bound, hi);
		struct span b = buf_span(&c->bound);
		rocksdb_readoptions_set_iterate_upper_bound(c->options, b.p, b.n);
	}
	if (t->snapshot)
		rocksdb_readoptions_set_snapshot(c->options, t->snapshot);
	c->it = rocksdb_create_iterator_cf(r->db, c->options, r->cf[CF_IDX]);
	rocksdb_iter_seek(c->it, from.p, from.n);
	cursor_load(c);
	return &c->cursor;
}

static void rocks_cursor_next(struct cursor *cursor)
{
	struct rocks_cursor *c = TASK_OWNER(cursor, struct rocks_cursor, cursor);
	if (!cursor->is_valid)
		return;
	rocksdb_iter_next(c->it);
	cursor_load(c);
}

static enum err rocks_cursor_close(struct cursor *cursor)
{
	struct rocks_cursor *c = TASK_OWNER(cursor, struct rocks_cursor, cursor);
	char *error = NULL;
	rocksdb_iter_get_error(c->it, &error);
	rocksdb_iter_destroy(c->it);
	rocksdb_readoptions_destroy(c->options);
	buf_done(&c->bound);
	free(c);
	return rocks_err(error, NULL);
}

static void rocks_snapshot_begin(struct txn *t)
{
	t->snapshot = rocksdb_create_snapshot(rocks_of(t->engine)->db);
}

static void rocks_snapshot_end(struct txn *t)
{
	rocksdb_release_snapshot(rocks_of(t->engine)->db, t->snapshot);
	t->snapshot = NULL;
}

/* ---- writing ---- */

static void batch_rows(struct rocks *r, rocksdb_writebatch_t *batch, struct account_id a,
		       struct rowmap *rows)
{
	struct buf full = { 0 };
	buf_put(&full, span_of(a.b, sizeof a.b));
	const struct row *row = rows ? rowmap_seek(rows, SPAN_NONE, false) : NULL;
	for (; row; row = rowmap_next(row)) {
		buf_truncate(&full, sizeof a.b);
		buf_put(&full, row->key);
		struct span k = buf_span(&full);
		if (row->is_delete)
			rocksdb_writebatch_delete_cf(batch, r->cf[CF_IDX], k.p, k.n);
		else
			rocksdb_writebatch_put_cf(batch, r->cf[CF_IDX], k.p, k.n,
						  row->value.p, row->value.n);
	}
	buf_done(&full);
}

static enum err rocks_write(struct txn *t)
{
	struct rocks *r = rocks_of(t->engine);
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	batch_rows(r, batch, t->account, t->writes);
	batch_rows(r, batch, common_account(), t->common);
	enum err rc = rocks_batch_bodies(t, batch);
	if (rc == ERR_OK && t->n_moves)
		rc = rocks_batch_moves(t, batch);
	if (rc == ERR_OK) {
		unsigned failures = atomic_load(&r->space.failures);
		char *error = NULL;
		rocksdb_write(r->db, r->write, batch, &error);
		rc = rocks_wrote(r, failures, error);
	}
	rocksdb_writebatch_destroy(batch);
	if (rc == ERR_OK)
		rocks_bodies_written(t);
	return rc;
}

enum err rocks_wrote(struct rocks *r, unsigned failures, char *error)
{
	if (error) {
		atomic_fetch_add(&r->space.failures, 1);
		atomic_store(&r->space.has_failed, true);
	} else if (atomic_load(&r->space.has_failed) &&
		   atomic_load(&r->space.failures) == failures) {
		atomic_store(&r->space.has_failed, false);
	}
	return rocks_err(error, NULL);
}

enum err rocks_put_synced(struct rocks *r, enum rocks_cf cf, struct span key,
			  struct span value)
{
	char *error = NULL;
	rocksdb_put_cf(r->db, r->write, r->cf[cf], key.p, key.n, value.p, value.n,
		       &error);
	if (!error)
		rocksdb_flush_wal(r->db, 1, &error);
	return rocks_err(error, NULL);
}

/* ---- names ---- */

static enum err account_of_value(struct span value, struct account_id *ret)
{
	if (value.n != sizeof ret->b)
		return ERR_CORRUPT;
	memcpy(ret->b, value.p, sizeof ret->b);
	return ERR_OK;
}

static enum err rocks_name_get(struct engine *e, struct span name, struct account_id *ret)
{
	struct buf value = { 0 };
	enum err rc = rocks_get(rocks_of(e), CF_NAME, name, &value);
	if (rc == ERR_OK)
		rc = account_of_value(buf_span(&value), ret);
	buf_done(&value);
	return rc;
}

static enum err rocks_name_put(struct engine *e, struct span name, struct account_id a)
{
	struct rocks *r = rocks_of(e);
	unsigned failures = atomic_load(&r->space.failures);
	char *error = NULL;
	rocksdb_put_cf(r->db, r->write, r->cf[CF_NAME], name.p, name.n, (const char *)a.b,
		       sizeof a.b, &error);
	return rocks_wrote(r, failures, error);
}

static enum err rocks_name_delete(struct engine *e, struct span name)
{
	struct rocks *r = rocks_of(e);
	unsigned failures = atomic_load(&r->space.failures);
	char *error = NULL;
	rocksdb_delete_cf(r->db, r->write, r->cf[CF_NAME], name.p, name.n, &error);
	return rocks_wrote(r, failures, error);
}

static enum err rocks_list(struct engine *e, struct span after, size_t max,
			   bool (*name)(void *arg, struct span name, struct account_id),
			   void *arg)
{
	struct rocks *r = rocks_of(e);
	rocksdb_iterator_t *it = rocksdb_create_iterator_cf(r->db, r->read,
							    r->cf[CF_NAME]);
	enum err rc = ERR_OK;
	for (rocksdb_iter_seek(it, after.p ? after.p : "", after.n);
	     rocksdb_iter_valid(it) && max > 0; rocksdb_iter_next(it)) {
		size_t kn, vn;
		const char *k = rocksdb_iter_key(it, &kn),
			   *v = rocksdb_iter_value(it, &vn);
		if (after.n > 0 && span_eq(span_of(k, kn), after))
			continue;
		struct account_id a;
		rc = account_of_value(span_of(v, vn), &a);
		if (rc != ERR_OK || !name(arg, span_of(k, kn), a))
			break;
		max--;
	}
	char *error = NULL;
	rocksdb_iter_get_error(it, &error);
	rocksdb_iter_destroy(it);
	enum err found = rocks_err(error, NULL);
	return rc != ERR_OK ? rc : found;
}

const struct engine_kind engine_rocks = {
	.name = "rocks",
	.open = rocks_open,
	.close = rocks_close,
	.get = get_row,
	.cursor_open = rocks_cursor_open,
	.cursor_next = rocks_cursor_next,
	.cursor_close = rocks_cursor_close,
	.snapshot_begin = rocks_snapshot_begin,
	.snapshot_end = rocks_snapshot_end,
	.write = rocks_write,
	.name_get = rocks_name_get,
	.name_put = rocks_name_put,
	.name_delete = rocks_name_delete,
	.list = rocks_list,
	.body_begin = rocks_body_begin,
	.body_write = rocks_body_write,
	.body_end = rocks_body_end,
	.body_read = rocks_body_read,
	.bodies_read = rocks_bodies_read,
	.bodies = rocks_bodies,
	.torn = rocks_torn,
	.snapshot = rocks_snapshot,
	.has_room = rocks_has_room,
};
