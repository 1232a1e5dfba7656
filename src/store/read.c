/*
 * Reading bodies and summaries. Neither needs the account for itself: a body never
 * changes, and what a durable view shows is there. A summary that is missing or
 * damaged is made anew from the body and put back.
 */
#include <stdlib.h>

#include "mail/summary.h"
#include "store/change.h"

/* ---- bodies ---- */

struct read_op {
	struct store_op o;
	struct task job;
	struct body_id body;
	uint64_t off;
	size_t len;
};

static void body_job(struct task *t)
{
	struct read_op *x = TASK_OWNER(t, struct read_op, job);
	enum err rc = engine_body_read(x->o.store->engine, x->o.account->id, x->body,
				       x->off, x->len, &x->o.bytes);
	op_finish(&x->o.e.op, rc);
}

struct op *body_read(struct account *a, struct body_id id, uint64_t off, size_t len,
		     struct op_to to)
{
	struct read_op *x = op_new(sizeof *x, a->store, a, to);
	x->body = id;
	x->off = off;
	x->len = len;
	x->job.run = body_job;
	executor_post(a->store->workers, &x->job);
	return &x->o.e.op;
}

/* ---- summaries ---- */

struct summary_at {
	struct body_id body;
	size_t off, n;	 /* in o.bytes */
	bool is_missing; /* of the rows */
	bool is_made;	 /* from the body: to be put back */
};

struct summaries_op {
	struct store_op o;
	struct task job;
	struct summary_at *at;
	size_t n;
};

static bool is_whole(struct span blob)
{
	struct summary s;
	return summary_open(blob, &s) == ERR_OK;
}

static enum err rows_read(void *arg, struct txn *t)
{
	struct summaries_op *x = arg;
	for (size_t i = 0; i < x->n; i++) {
		struct summary_at *at = &x->at[i];
		struct key k = key_body(KEY_SUMMARY, at->body);
		struct span row;
		enum err rc = txn_get(t, key_span(&k), &row);
		if (rc != ERR_OK && rc != ERR_NOENT)
			return rc;
		at->is_missing = rc != ERR_OK || !is_whole(row);
		at->off = x->o.bytes.n;
		at->n = at->is_missing ? 0 : row.n;
		if (!at->is_missing)
			buf_put(&x->o.bytes, row);
	}
	return ERR_OK;
}

enum err summary_make(struct engine *e, struct account_id a, struct body_id body,
		      struct buf *out)
{
	struct summary_scanner *s = summary_scanner_new();
	struct buf piece = { 0 };
	enum err rc;
	uint64_t off = 0;
	do {
		buf_clear(&piece);
		rc = engine_body_read(e, a, body, off, BODY_PIECE, &piece);
		summary_scanner_feed(s, buf_span(&piece));
		off += piece.n;
	} while (rc == ERR_OK && piece.n == BODY_PIECE);
	if (rc == ERR_OK)
		summary_scanner_finish(s, out);
	summary_scanner_free(s);
	buf_done(&piece);
	return rc;
}

/* Those that were made are put back, unless the body went meanwhile. */
static enum err put_back_plan(struct store_op *o, struct change *c)
{
	struct summaries_op *x = (struct summaries_op *)(void *)o;
	for (size_t i = 0; i < x->n; i++) {
		const struct summary_at *at = &x->at[i];
		struct buf byte = { 0 };
		if (at->is_made && engine_body_read(o->store->engine, o->account->id,
						    at->body, 0, 1, &byte) == ERR_OK) {
			struct key k = key_body(KEY_SUMMARY, at->body);
			txn_put(c->t, key_span(&k),
				span_sub(buf_span(&o->bytes), at->off, at->n));
		}
		buf_done(&byte);
	}
	return ERR_OK;
}

static void summaries_job(struct task *t)
{
	struct summaries_op *x = TASK_OWNER(t, struct summaries_op, job);
	struct engine *e = x->o.store->engine;
	bool is_any_made = false;
	enum err rc = engine_read_now(e, x->o.account->id, rows_read, x);
	for (size_t i = 0; i < x->n && rc == ERR_OK; i++) {
		struct summary_at *at = &x->at[i];
		if (!at->is_missing)
			continue;
		at->off = x->o.bytes.n;
		if (summary_make(e, x->o.account->id, at->body, &x->o.bytes) == ERR_OK)
			at->is_made = is_any_made = true;
		at->n = x->o.bytes.n - at->off;
	}
	x->o.always_ok = rc == ERR_OK;
	if (rc == ERR_OK && is_any_made && !(x->o.store->flags & ENGINE_READ_ONLY))
		op_start(&x->o);
	else
		op_finish(&x->o.e.op, rc);
}

static void summaries_ready(struct store_op *o)
{
	struct summaries_op *x = (struct summaries_op *)(void *)o;
	o->n_summaries = x->n;
	o->summaries = xcalloc(x->n, sizeof *o->summaries);
	for (size_t i = 0; i < x->n; i++)
		o->summaries[i] = span_sub(buf_span(&o->bytes), x->at[i].off, x->at[i].n);
}

static void summaries_free(struct store_op *o)
{
	free(((struct summaries_op *)(void *)o)->at);
}

struct op *summaries_read(struct account *a, const struct body_id *ids, size_t n,
			  struct op_to to)
{
	struct summaries_op *x = op_new(sizeof *x, a->store, a, to);
	x->o.plan = put_back_plan;
	x->o.before_done = summaries_ready;
	x->o.free_more = summaries_free;
	x->n = n;
	x->at = xcalloc(n, sizeof *x->at);
	for (size_t i = 0; i < n; i++)
		x->at[i].body = ids[i];
	x->job.run = summaries_job;
	executor_post(a->store->workers, &x->job);
	return &x->o.e.op;
}
