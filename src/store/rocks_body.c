/*
 * The rocks engine: bodies. Rows and bodies are synced in parallel, so after a
 * power cut a row may be there whose body is not; nobody was told of either
 * yet. Each kept body therefore has an 'f' row (fresh) until its sync is known
 * to be done; only those are looked at when the store is opened.
 */
#include "store/rocks.h"

#include <stdlib.h>

#include "store/body_row.h"
#include "store/pack.h"

enum { SETTLE = 64 }; /* 'f' rows that one write clears away */

struct rocks_put {
	struct body_put put;
	struct piece *pieces;
	uint32_t n, cap;
};

static struct body_ref ref_of(struct account_id a, struct body_id id)
{
	struct body_ref ref;
	memcpy(ref.b, a.b, sizeof a.b);
	memcpy(ref.b + sizeof a.b, id.b, sizeof id.b);
	return ref;
}

static struct span ref_span(const struct body_ref *ref)
{
	return span_of(ref->b, sizeof ref->b);
}

/* 'f' or 't' before the ref. */
struct mark {
	char b[1 + sizeof(struct body_ref)];
};

static struct mark mark_of(char kind, const struct body_ref *ref)
{
	struct mark m;
	m.b[0] = kind;
	memcpy(m.b + 1, ref->b, sizeof ref->b);
	return m;
}

static void refs_add(struct refs *l, struct body_ref ref)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 64;
		l->at = xrealloc(l->at, l->cap * sizeof l->at[0]);
	}
	l->at[l->n++] = ref;
}

/* ---- writing ---- */

struct body_put *rocks_body_begin(struct engine *e, struct account_id a,
				  struct body_id id)
{
	struct rocks_put *p = xcalloc(1, sizeof *p);
	return &p->put;
}

enum err rocks_body_write(struct body_put *put, struct span bytes)
{
	struct rocks_put *p = TASK_OWNER(put, struct rocks_put, put);
	struct rocks *r = rocks_of(put->engine);
	if (!rocks_has_room(put->engine))
		return ERR_FULL;
	if (p->n == p->cap) {
		if (p->n > UINT32_MAX / 4)
			return ERR_TOOBIG;
		p->cap = p->cap ? 2 * p->cap : 1;
		p->pieces = xrealloc(p->pieces, p->cap * sizeof p->pieces[0]);
	}
	enum err rc = segments_append(r->segments, put->account, put->id, p->n, bytes,
				      &p->pieces[p->n]);
	if (rc == ERR_OK)
		p->n++;
	return rc;
}

void rocks_body_end(struct body_put *put)
{
	struct rocks_put *p = TASK_OWNER(put, struct rocks_put, put);
	for (uint32_t i = 0; i < p->n; i++)
		segments_unpin(rocks_of(put->engine)->segments, &p->pieces[i]);
	free(p->pieces);
	free(p);
}

/* ---- keeping and dropping ---- */

void rocks_batch_live(struct rocks *r, rocksdb_writebatch_t *batch, uint32_t segment,
		      uint64_t add)
{
	char key[5], value[8];
	key[0] = 'l';
	pack_be32(key + 1, segment);
	pack_le64(value, add);
	rocksdb_writebatch_merge_cf(batch, r->cf[CF_SEG], key, sizeof key, value,
				    sizeof value);
}

/* One addition for each run of pieces in the same segment. */
static void batch_pieces(struct rocks *r, rocksdb_writebatch_t *batch,
			 const struct body_row *row, bool is_drop)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < row->n; i++) {
		struct piece p = body_row_piece(row, i);
		sum += record_room(p.stored);
		if (i + 1 < row->n && body_row_piece(row, i + 1).segment == p.segment)
			continue;
		rocks_batch_live(r, batch, p.segment, is_drop ? 0 - sum : sum);
		sum = 0;
	}
}

static enum err batch_keep(struct rocks *r, rocksdb_writebatch_t *batch,
			   struct body_put *put)
{
	struct rocks_put *p = TASK_OWNER(put, struct rocks_put, put);
	struct body_ref ref = ref_of(put->account, put->id);
	struct mark fresh = mark_of('f', &ref);
	struct buf value = { 0 };
	struct body_row row;
	body_row_encode(put->bytes, p->pieces, p->n, &value);
	struct span v = buf_span(&value);
	enum err rc = body_row_decode(v, &row);
	if (rc == ERR_OK) {
		rocksdb_writebatch_put_cf(batch, r->cf[CF_BODY], (const char *)ref.b,
					  sizeof ref.b, v.p, v.n);
		rocksdb_writebatch_put_cf(batch, r->cf[CF_DEFAULT], fresh.b,
					  sizeof fresh.b, "", 0);
		batch_pieces(r, batch, &row, false);
	}
	buf_done(&value);
	return rc;
}

static enum err batch_drop(struct rocks *r, rocksdb_writebatch_t *batch,
			   struct body_ref ref)
{
	struct buf value = { 0 };
	struct body_row row;
	enum err rc = rocks_get(r, CF_BODY, ref_span(&ref), &value);
	if (rc == ERR_OK)
		rc = body_row_decode(buf_span(&value), &row);
	if (rc == ERR_OK)
		batch_pieces(r, batch, &row, true);
	/* a row that cannot be read goes as well; its segment then keeps
	 * more than it need, until it is rewritten */
	if (rc == ERR_OK || rc == ERR_CORRUPT) {
		struct mark torn = mark_of('t', &ref);
		rocksdb_writebatch_delete_cf(batch, r->cf[CF_BODY], (const char *)ref.b,
					     sizeof ref.b);
		if (r->has_torn)
			rocksdb_writebatch_delete_cf(batch, r->cf[CF_DEFAULT], torn.b,
						     sizeof torn.b);
	}
	buf_done(&value);
	return rc == ERR_NOENT || rc == ERR_CORRUPT ? ERR_OK : rc;
}

static void batch_unmark(struct rocks *r, rocksdb_writebatch_t *batch,
			 const struct body_ref *ref)
{
	struct mark fresh = mark_of('f', ref);
	rocksdb_writebatch_singledelete_cf(batch, r->cf[CF_DEFAULT], fresh.b,
					   sizeof fresh.b);
}

/* Clears away 'f' rows of earlier bodies, in the same write as new ones. */
static void batch_settle(struct rocks *r, rocksdb_writebatch_t *batch)
{
	pthread_mutex_lock(&r->fresh.lock);
	for (int i = 0; i < SETTLE && r->fresh.synced.n > 0; i++)
		batch_unmark(r, batch, &r->fresh.synced.at[--r->fresh.synced.n]);
	pthread_mutex_unlock(&r->fresh.lock);
}

enum err rocks_batch_bodies(struct txn *t, rocksdb_writebatch_t *batch)
{
	struct rocks *r = rocks_of(t->engine);
	enum err rc = ERR_OK;
	for (struct txn_body *k = t->keeps; k && rc == ERR_OK; k = k->next)
		rc = batch_keep(r, batch, k->put);
	const struct row *d = t->drops ? rowmap_seek(t->drops, SPAN_NONE, false) : NULL;
	for (; d && rc == ERR_OK; d = rowmap_next(d)) {
		struct body_id id;
		memcpy(id.b, d->key.p, sizeof id.b);
		rc = batch_drop(r, batch, ref_of(t->account, id));
		collector_wake(r->collector);
	}
	if (rc == ERR_OK && t->keeps)
		batch_settle(r, batch);
	return rc;
}

void rocks_bodies_written(struct txn *t)
{
	struct rocks *r = rocks_of(t->engine);
	if (!t->keeps)
		return;
	pthread_mutex_lock(&r->fresh.lock);
	for (struct txn_body *k = t->keeps; k; k = k->next)
		refs_add(&r->fresh.written, ref_of(t->account, k->put->id));
	pthread_mutex_unlock(&r->fresh.lock);
}

enum err rocks_sync_bodies(void *arg, struct buf *ret_why)
{
	struct rocks *r = arg;
	/* Taken before the sync: what is listed lies in the segments by now. */
	pthread_mutex_lock(&r->fresh.lock);
	struct refs taken = r->fresh.written;
	r->fresh.written = (struct refs){ 0 };
	pthread_mutex_unlock(&r->fresh.lock);
	enum err rc = segments_sync(r->segments, ret_why);
	if (rc == ERR_OK) {
		pthread_mutex_lock(&r->fresh.lock);
		for (size_t i = 0; i < taken.n; i++)
			refs_add(&r->fresh.synced, taken.at[i]);
		pthread_mutex_unlock(&r->fresh.lock);
	}
	free(taken.at);
	return rc;
}

/* ---- reading ---- */

static enum err read_pieces(struct rocks *r, const struct body_ref *ref,
			    const struct body_row *row, uint64_t off, uint64_t len,
			    struct buf *out)
{
	struct account_id a;
	struct body_id id;
	memcpy(a.b, ref->b, sizeof a.b);
	memcpy(id.b, ref->b + sizeof a.b, sizeof id.b);
	enum err rc = ERR_OK;
	while (len > 0 && rc == ERR_OK) {
		uint32_t i = (uint32_t)(off / BODY_PIECE);
		struct piece p = body_row_piece(row, i);
		size_t skip = (size_t)(off % BODY_PIECE), n = p.raw - skip;
		if (n > len)
			n = (size_t)len;
		rc = segments_read(r->segments, a, id, i, &p, skip, n, out);
		off += n;
		len -= n;
	}
	return rc;
}

static enum err read_range(struct rocks *r, const struct body_ref *ref, struct span value,
			   uint64_t off, uint64_t len, struct buf *out)
{
	struct body_row row;
	enum err rc = body_row_decode(value, &row);
	if (rc != ERR_OK)
		return rc;
	if (off > row.bytes)
		off = row.bytes;
	if (len > row.bytes - off)
		len = row.bytes - off;
	return read_pieces(r, ref, &row, off, len, out);
}

enum err rocks_body_read(struct engine *e, struct account_id a, struct body_id id,
			 uint64_t off, size_t len, struct buf *out)
{
	struct body_ref ref = ref_of(a, id);
	size_t before = out->n;
	struct rocks *r = rocks_of(e);
	struct buf value = { 0 }, last = { 0 };
	enum err rc;
	/* A piece that the collector moved meanwhile is found at its new place. */
	for (;;) {
		struct buf was = last;
		last = value;
		value = was;
		buf_clear(&value);
		rc = rocks_get(r, CF_BODY, ref_span(&ref), &value);
		if (rc != ERR_OK || span_eq(buf_span(&value), buf_span(&last))) {
			rc = rc == ERR_OK ? ERR_CORRUPT : rc;
			break;
		}
		rc = read_range(r, &ref, buf_span(&value), off, len, out);
		if (rc != ERR_CORRUPT)
			break;
		buf_truncate(out, before);
	}
	if (rc != ERR_OK)
		buf_truncate(out, before);
	buf_done(&value);
	buf_done(&last);
	return rc;
}

/* The rows of many, looked for at once. */
struct rows {
	struct body_ref *ref;
	const char **key;
	size_t *key_bytes;
	rocksdb_pinnableslice_t **value; /* NULL: none, or it could not be read */
	char **error;
};

static void rows_get(struct rocks *r, struct account_id a, const struct body_id *ids,
		     size_t n, struct rows *ret)
{
	ret->ref = xcalloc(n, sizeof *ret->ref);
	ret->key = xcalloc(n, sizeof *ret->key);
	ret->key_bytes = xcalloc(n, sizeof *ret->key_bytes);
	ret->value = xcalloc(n, sizeof *ret->value);
	ret->error = xcalloc(n, sizeof *ret->error);
	bool is_sorted = true;
	for (size_t i = 0; i < n; i++) {
		ret->ref[i] = ref_of(a, ids[i]);
		struct span key = ref_span(&ret->ref[i]);
		ret->key[i] = key.p;
		ret->key_bytes[i] = key.n;
		is_sorted = is_sorted &&
			    (i == 0 || memcmp(ids[i - 1].b, ids[i].b, sizeof ids[i].b) < 0);
	}
	rocksdb_batched_multi_get_cf(r->db, r->read, r->cf[CF_BODY], n, ret->key,
				     ret->key_bytes, ret->value, ret->error, is_sorted);
}

static void rows_done(struct rows *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (rows->value[i])
			rocksdb_pinnableslice_destroy(rows->value[i]);
		rocksdb_free(rows->error[i]);
	}
	free(rows->ref);
	free(rows->key);
	free(rows->key_bytes);
	free(rows->value);
	free(rows->error);
}

void rocks_bodies_read(struct engine *e, struct account_id a, const struct body_id *ids,
		       size_t n, struct buf *out, enum err *ret_rc, size_t *ret_bytes)
{
	struct rocks *r = rocks_of(e);
	struct rows rows;
	rows_get(r, a, ids, n, &rows);
	for (size_t i = 0; i < n; i++) {
		size_t before = out->n, value_n = 0;
		const char *value = rocksdb_pinnableslice_value(rows.value[i], &value_n);
		ret_rc[i] = value ? read_range(r, &rows.ref[i], span_of(value, value_n), 0,
					       UINT64_MAX, out)
				  : ERR_NOENT;
		if (ret_rc[i] != ERR_OK) { /* moved meanwhile, or else this says why */
			buf_truncate(out, before);
			ret_rc[i] = engine_body_read(e, a, ids[i], 0, SIZE_MAX, out);
		}
		ret_bytes[i] = out->n - before;
	}
	rows_done(&rows, n);
}

/* ---- after a crash ---- */

/* The refs under one kind of mark. */
static enum err marks_read(struct rocks *r, char kind, struct refs *out)
{
	rocksdb_iterator_t *it = rocksdb_create_iterator_cf(r->db, r->read,
							    r->cf[CF_DEFAULT]);
	for (rocksdb_iter_seek(it, &kind, 1); rocksdb_iter_valid(it);
	     rocksdb_iter_next(it)) {
		size_t n;
		const char *k = rocksdb_iter_key(it, &n);
		if (k[0] != kind)
			break;
		struct body_ref ref;
		if (n != 1 + sizeof ref.b)
			continue; /* "format" begins like a fresh mark */
		memcpy(ref.b, k + 1, sizeof ref.b);
		refs_add(out, ref);
	}
	char *error = NULL;
	rocksdb_iter_get_error(it, &error);
	rocksdb_iter_destroy(it);
	return rocks_err(error, NULL);
}

static enum err body_verify(struct rocks *r, const struct body_ref *ref)
{
	struct buf value = { 0 }, bytes = { 0 };
	struct body_row row;
	enum err rc = rocks_get(r, CF_BODY, ref_span(ref), &value);
	if (rc == ERR_OK)
		rc = body_row_decode(buf_span(&value), &row);
	for (uint64_t off = 0; rc == ERR_OK && off < row.bytes; off += BODY_PIECE) {
		buf_truncate(&bytes, 0);
		rc = read_pieces(
		    r, ref, &row, off,
		    row.bytes - off < BODY_PIECE ? row.bytes - off : BODY_PIECE, &bytes);
	}
	buf_done(&value);
	buf_done(&bytes);
	return rc == ERR_NOENT ? ERR_OK : rc; /* dropped meanwhile */
}

static enum err write_marks(struct rocks *r, rocksdb_writebatch_t *batch)
{
	char *error = NULL;
	rocksdb_write(r->db, r->write, batch, &error);
	if (!error)
		rocksdb_flush_wal(r->db, 1, &error);
	return rocks_err(error, NULL);
}

enum err rocks_recover_bodies(struct rocks *r)
{
	struct refs fresh = { 0 };
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	enum err rc = marks_read(r, 'f', &fresh);
	for (size_t i = 0; i < fresh.n && rc == ERR_OK; i++) {
		rc = body_verify(r, &fresh.at[i]);
		if (rc == ERR_CORRUPT) {
			struct mark torn = mark_of('t', &fresh.at[i]);
			rocksdb_writebatch_put_cf(batch, r->cf[CF_DEFAULT], torn.b,
						  sizeof torn.b, "", 0);
			rc = ERR_OK;
		}
		batch_unmark(r, batch, &fresh.at[i]);
	}
	/* What was found whole must stay so when the marks are gone. */
	if (rc == ERR_OK && fresh.n > 0)
		rc = segments_sync_old(r->segments);
	if (rc == ERR_OK && fresh.n > 0)
		rc = write_marks(r, batch);
	rocksdb_writebatch_destroy(batch);
	free(fresh.at);

	struct refs torn = { 0 };
	if (rc == ERR_OK)
		rc = marks_read(r, 't', &torn);
	r->has_torn = torn.n > 0;
	free(torn.at);
	return rc;
}

enum err rocks_bodies(struct txn *t, bool (*body)(void *arg, struct body_id id),
		      void *arg)
{
	struct rocks *r = rocks_of(t->engine);
	struct span prefix = span_of(t->account.b, sizeof t->account.b);
	rocksdb_readoptions_t *o = rocksdb_readoptions_create();
	rocksdb_readoptions_set_prefix_same_as_start(o, 1);
	if (t->snapshot)
		rocksdb_readoptions_set_snapshot(o, t->snapshot);
	rocksdb_iterator_t *it = rocksdb_create_iterator_cf(r->db, o, r->cf[CF_BODY]);
	for (rocksdb_iter_seek(it, prefix.p, prefix.n); rocksdb_iter_valid(it);
	     rocksdb_iter_next(it)) {
		struct body_id id;
		size_t n;
		const char *key = rocksdb_iter_key(it, &n);
		if (n != prefix.n + sizeof id.b || memcmp(key, prefix.p, prefix.n) != 0)
			break;
		memcpy(id.b, key + prefix.n, sizeof id.b);
		if (!body(arg, id))
			break;
	}
	char *error = NULL;
	rocksdb_iter_get_error(it, &error);
	rocksdb_iter_destroy(it);
	rocksdb_readoptions_destroy(o);
	return rocks_err(error, NULL);
}

enum err rocks_torn(struct engine *e,
		    bool (*body)(void *arg, struct account_id a, struct body_id id),
		    void *arg)
{
	struct refs torn = { 0 };
	enum err rc = marks_read(rocks_of(e), 't', &torn);
	for (size_t i = 0; i < torn.n && rc == ERR_OK; i++) {
		struct account_id a;
		struct body_id id;
		memcpy(a.b, torn.at[i].b, sizeof a.b);
		memcpy(id.b, torn.at[i].b + sizeof a.b, sizeof id.b);
		if (!body(arg, a, id))
			break;
	}
	free(torn.at);
	return rc;
}

enum err rocks_settle_some(struct rocks *r, struct buf *ret_why)
{
	enum { SOME = 4096 };
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	size_t n = 0;
	pthread_mutex_lock(&r->fresh.lock);
	for (; n < SOME && r->fresh.synced.n > 0; n++)
		batch_unmark(r, batch, &r->fresh.synced.at[--r->fresh.synced.n]);
	pthread_mutex_unlock(&r->fresh.lock);
	unsigned failures = atomic_load(&r->space.failures);
	char *error = NULL;
	if (n > 0)
		rocksdb_write(r->db, r->write, batch, &error);
	rocksdb_writebatch_destroy(batch);
	/* A mark that stays only has its body looked at when the store is opened. */
	if (n == 0 || rocks_wrote(r, failures, error) != ERR_OK)
		return ERR_OK;
	error = NULL;
	rocksdb_flush_wal(r->db, 1, &error);
	return rocks_err(error, ret_why);
}

enum err rocks_settle_bodies(struct rocks *r)
{
	rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
	for (size_t i = 0; i < r->fresh.synced.n; i++)
		batch_unmark(r, batch, &r->fresh.synced.at[i]);
	enum err rc = r->fresh.synced.n > 0 ? write_marks(r, batch) : ERR_OK;
	rocksdb_writebatch_destroy(batch);
	return rc;
}
