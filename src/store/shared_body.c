/* Bodies that accounts share: rows (shared_body.h). */
#include "store/shared_body.h"

#include <stdlib.h>

#include "store/kind.h"

enum { VERSION = 1, PART_HEAD = 25, SWEEP = 1024 };

struct account_id common_account(void)
{
	return (struct account_id){ { 0 } };
}

static struct key triple(enum key_kind kind, struct body_id shared, struct account_id a,
			 struct body_id body)
{
	struct key k = key_body(kind, shared);
	memcpy(k.b + k.n, a.b, sizeof a.b);
	memcpy(k.b + k.n + sizeof a.b, body.b, sizeof body.b);
	k.n += sizeof a.b + sizeof body.b;
	return k;
}

struct key shared_holder_key(struct body_id shared, struct account_id a,
			     struct body_id body)
{
	return triple(KEY_HOLDER, shared, a, body);
}

/* Each holder's own: a sweep that has read it takes away no other's. */
static struct key unheld_key(struct body_id shared, struct account_id a,
			     struct body_id body)
{
	return triple(KEY_UNHELD, shared, a, body);
}

void shared_look_after(struct txn *t, struct body_id shared)
{
	struct key k = unheld_key(shared, common_account(), shared);
	txn_put(t, key_span(&k), SPAN("\1"));
	t->lets_go = true;
}

bool shared_holder_read(struct span key, struct body_id *ret_shared,
			struct account_id *ret_account, struct body_id *ret_body)
{
	struct reader r = reader_of(span_sub(key, 1, key.n));
	read_bytes(&r, ret_shared->b, sizeof ret_shared->b);
	read_bytes(&r, ret_account->b, sizeof ret_account->b);
	read_bytes(&r, ret_body->b, sizeof ret_body->b);
	return reader_ok(&r);
}

enum err shared_part_read(struct span row, struct shared_part *ret)
{
	struct reader r = reader_of(row);
	struct shared_part p;
	uint64_t version = read_uint(&r, 1);
	p.bytes = read_uint(&r, 8);
	read_bytes(&r, p.shared.b, sizeof p.shared.b);
	p.head = read_span(&r, r.bad ? 0 : (size_t)(r.end - r.p));
	if (!reader_ok(&r) || version != VERSION || p.head.n > p.bytes ||
	    p.head.n > SHARED_HEAD_MAX)
		return ERR_CORRUPT;
	*ret = p;
	return ERR_OK;
}

void shared_part_keep(struct txn *t, struct body_id body, struct span head,
		      struct body_id shared, uint64_t bytes)
{
	struct key k = key_body(KEY_PART, body);
	uint8_t *row = arena_alloc(txn_arena(t), PART_HEAD + head.n);
	struct pen w = { row };
	pen_uint(&w, VERSION, 1);
	pen_uint(&w, head.n + bytes, 8);
	pen_bytes(&w, shared.b, sizeof shared.b);
	pen_bytes(&w, head.p, head.n);
	txn_put(t, key_span(&k), span_of(row, PART_HEAD + head.n));
	k = shared_holder_key(shared, txn_account(t), body);
	txn_put_common(t, key_span(&k), SPAN("\1"));
}

bool shared_part_drop(struct txn *t, struct body_id body)
{
	struct key k = key_body(KEY_PART, body);
	struct span row;
	struct shared_part p;
	if (txn_get(t, key_span(&k), &row) != ERR_OK)
		return false;
	/* one that cannot be read: its holder's row stays, and what is shared with it */
	if (shared_part_read(row, &p) == ERR_OK) {
		struct key held = shared_holder_key(p.shared, txn_account(t), body);
		struct key look = unheld_key(p.shared, txn_account(t), body);
		txn_delete_common(t, key_span(&held));
		txn_put_common(t, key_span(&look), SPAN("\1"));
	}
	txn_delete(t, key_span(&k));
	return true;
}

enum err shared_part_get(struct engine *e, struct account_id a, struct body_id id,
			 uint64_t off, size_t len, struct buf *out)
{
	struct key k = key_body(KEY_PART, id);
	struct buf row = { 0 };
	struct shared_part p;
	size_t before = out->n;
	enum err rc = engine_row_now(e, a, key_span(&k), &row);
	if (rc == ERR_OK)
		rc = shared_part_read(buf_span(&row), &p);
	if (rc == ERR_OK && off < p.head.n) {
		struct span own = span_sub(p.head, (size_t)off, len);
		buf_put(out, own);
		off = 0;
		len -= own.n;
	} else if (rc == ERR_OK) {
		off -= p.head.n;
	}
	if (rc == ERR_OK && len > 0)
		rc = e->kind->body_read(e, common_account(), p.shared, off, len, out);
	if (rc != ERR_OK)
		buf_truncate(out, before);
	buf_done(&row);
	return rc;
}

/* ---- in the common account ---- */

void shared_guard(struct txn *t, struct body_id shared)
{
	struct key k = key_body(KEY_GUARD, shared);
	txn_put(t, key_span(&k), SPAN("\1"));
}

static bool found(void *arg, struct span key, struct span value)
{
	*(bool *)arg = true;
	return false;
}

static enum err has_any(struct txn *t, enum key_kind kind, struct body_id shared,
			bool *ret)
{
	struct key lo = key_body(kind, shared), hi = key_after(&lo);
	*ret = false;
	return txn_scan(t, key_span(&lo), key_span(&hi), found, ret);
}

enum err shared_is_looked_after(struct txn *t, struct body_id shared, bool *ret)
{
	return has_any(t, KEY_UNHELD, shared, ret);
}

enum err shared_is_held(struct txn *t, struct body_id shared, bool *ret)
{
	struct key k = key_body(KEY_GUARD, shared);
	struct span row;
	*ret = false;
	enum err rc = txn_get(t, key_span(&k), &row);
	if (rc == ERR_OK) {
		*ret = true;
		return ERR_OK;
	}
	if (rc != ERR_NOENT)
		return rc;
	return has_any(t, KEY_HOLDER, shared, ret);
}

static enum err drop_if_unheld(struct txn *t, struct body_id shared)
{
	bool is_held;
	enum err rc = shared_is_held(t, shared, &is_held);
	if (rc == ERR_OK && !is_held)
		txn_body_drop(t, shared);
	return rc;
}

enum err shared_unguard(struct txn *t, struct body_id shared)
{
	struct key k = key_body(KEY_GUARD, shared);
	txn_delete(t, key_span(&k));
	return drop_if_unheld(t, shared);
}

struct sweep {
	struct txn *t;
	unsigned left;
	enum err rc;
};

static bool unheld_row(void *arg, struct span key, struct span value)
{
	struct sweep *s = arg;
	struct account_id a;
	struct body_id shared, body;
	if (s->left-- == 0)
		return false;
	if (shared_holder_read(key, &shared, &a, &body))
		s->rc = drop_if_unheld(s->t, shared);
	if (s->rc == ERR_OK)
		txn_delete(s->t, key);
	return s->rc == ERR_OK;
}

enum err shared_sweep(struct txn *t, bool *ret_more)
{
	struct sweep s = { .t = t, .left = SWEEP };
	struct key lo = { .n = 1, .b = { KEY_UNHELD } }, hi = key_kind_end(KEY_UNHELD);
	enum err rc = txn_scan(t, key_span(&lo), key_span(&hi), unheld_row, &s);
	*ret_more = s.left == UINT32_MAX;
	return rc == ERR_OK ? s.rc : rc;
}

static bool guard_row(void *arg, struct span key, struct span value)
{
	struct txn *t = arg;
	struct body_id shared;
	if (key_read_body(key, &shared))
		shared_look_after(t, shared);
	txn_delete(t, key);
	return true;
}

enum err shared_recover(struct txn *t)
{
	struct key lo = { .n = 1, .b = { KEY_GUARD } }, hi = key_kind_end(KEY_GUARD);
	t->lets_go = true; /* of what this makes, and of what the last run left */
	return txn_scan(t, key_span(&lo), key_span(&hi), guard_row, t);
}

/* ---- the sweep ---- */

struct sweep_op {
	struct engine_op e;
	bool has_more;
};

static enum err sweep_plan(struct engine_op *op, struct txn *t)
{
	struct sweep_op *x = TASK_OWNER(op, struct sweep_op, e);
	atomic_store(&t->engine->sweeps, false);
	return shared_sweep(t, &x->has_more);
}

static void sweep_done(struct op *op, void *owner)
{
}

static void sweep_free(struct op *op)
{
	struct engine_op *e = TASK_OWNER(op, struct engine_op, op);
	struct sweep_op *x = TASK_OWNER(e, struct sweep_op, e);
	struct engine *engine = x->e.engine;
	if (op->rc == ERR_OK && x->has_more)
		engine_sweep_shared(engine);
	free(x);
	engine_leave(engine);
}

void engine_sweep_shared(struct engine *e)
{
	if (atomic_exchange(&e->sweeps, true))
		return;
	if (!engine_try_enter(e)) {
		atomic_store(&e->sweeps, false);
		return; /* its rows wait for the next time */
	}
	struct sweep_op *x = xcalloc(1, sizeof *x);
	x->e.op = (struct op){
		.home = e->workers, .done = sweep_done, .owner = e, .free = sweep_free
	};
	x->e.account = common_account();
	x->e.plan = sweep_plan;
	engine_run(e, &x->e);
}
