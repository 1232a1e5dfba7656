/* The engine's front: ops, names and bodies, the same over every kind. */
#include "store/kind.h"

#include <assert.h>
#include <sys/random.h>

#include "base/clock.h"
#include "store/commit.h"
#include "store/pack.h"
#include "store/runqueue.h"
#include "store/shared_body.h"

static const struct engine_kind *const kinds[] = { &engine_mem, &engine_rocks };

enum err engine_open(const struct engine_config *c, struct engine **ret,
		     struct buf *ret_why)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (c->kind && strcmp(c->kind, kinds[i]->name) == 0)
			return kinds[i]->open(c, ret, ret_why);
	}
	buf_printf(ret_why, "there is no store of the kind \"%s\"; use \"rocks\"",
		   c->kind ? c->kind : "");
	return ERR_UNSUPPORTED;
}

void engine_enter(struct engine *e)
{
	pthread_mutex_lock(&e->under_way.lock);
	e->under_way.n++;
	pthread_mutex_unlock(&e->under_way.lock);
}

void engine_leave(struct engine *e)
{
	pthread_mutex_lock(&e->under_way.lock);
	if (--e->under_way.n == 0)
		pthread_cond_signal(&e->under_way.none);
	pthread_mutex_unlock(&e->under_way.lock);
}

bool engine_try_enter(struct engine *e)
{
	pthread_mutex_lock(&e->under_way.lock);
	bool may = !e->under_way.is_closing;
	e->under_way.n += may;
	pthread_mutex_unlock(&e->under_way.lock);
	return may;
}

bool engine_is_closing(struct engine *e)
{
	pthread_mutex_lock(&e->under_way.lock);
	bool is_closing = e->under_way.is_closing;
	pthread_mutex_unlock(&e->under_way.lock);
	return is_closing;
}

void engine_close(struct engine *e)
{
	if (!e)
		return;
	pthread_mutex_lock(&e->under_way.lock);
	e->under_way.is_closing = true;
	while (e->under_way.n > 0)
		pthread_cond_wait(&e->under_way.none, &e->under_way.lock);
	pthread_mutex_unlock(&e->under_way.lock);
	e->kind->close(e);
}

/* ---- ops ---- */

/* The plan wrote, and what it wrote is durable. */
static void op_written(struct task *t)
{
	struct engine_op *op = TASK_OWNER(t, struct engine_op, op.task);
	struct engine *e = op->engine;
	if (op->publish)
		op->publish(op);
	op_finish(&op->op, ERR_OK);
	engine_leave(e);
}

/* What the plan saw is durable. */
static void op_seen(struct task *t)
{
	struct engine_op *op = TASK_OWNER(t, struct engine_op, op.task);
	struct engine *e = op->engine;
	op_finish(&op->op, op->op.rc);
	engine_leave(e);
}

static enum err run_plan(struct engine_op *op, struct txn *t)
{
	enum err rc = op->plan(op, t);
	return t->rc != ERR_OK ? t->rc : rc;
}

static enum err write_plan(struct engine *e, struct engine_op *op, struct txn *t,
			   unsigned *what)
{
	if (op->needs_room && e->kind->has_room && !e->kind->has_room(e))
		return ERR_FULL;
	enum err rc = run_plan(op, t);
	if (rc != ERR_OK || !txn_has_writes(t))
		return rc;
	rc = e->kind->write(t);
	if (rc == ERR_OK)
		*what |= COMMIT_ROWS | (t->keeps ? COMMIT_BODIES : 0);
	else if (op->abandon)
		op->abandon(op);
	return rc;
}

static enum err run_once(struct engine *e, struct engine_op *op, unsigned *what)
{
	struct txn t;
	if (e->flags & ENGINE_REPLAY) {
		txn_init(&t, e, op->account);
		run_plan(op, &t);
		txn_done(&t);
	}
	txn_init(&t, e, op->account);
	enum err rc = write_plan(e, op, &t, what);
	bool lets_go = t.lets_go;
	txn_done(&t);
	if (rc == ERR_OK && lets_go)
		engine_sweep_shared(e);
	return rc;
}

static bool runs_again(struct engine *e, struct engine_op *op)
{
	if (!op->again || !op->again(op))
		return false;
	if (e->at)
		e->at(e->at_arg, "part");
	return true;
}

static void run_op(struct engine *e, struct engine_op *op)
{
	struct account_id a = op->account;
	unsigned what = 0;
	enum err rc;
	do
		rc = run_once(e, op, &what);
	while (rc == ERR_OK && runs_again(e, op));
	if (rc == ERR_OK && what) {
		op->op.task.run = op_written;
		/* from here on the op may be gone */
		runqueue_wrote(e->queue, a, commit_add(e->commit, &op->op.task, what));
		return;
	}
	/* An error too may tell of rows that are not durable. */
	op->op.rc = rc;
	op->op.task.run = op_seen;
	if (e->commit)
		commit_wait(e->commit, &op->op.task, runqueue_ticket(e->queue, a));
	else
		op_seen(&op->op.task);
}

void engine_run(struct engine *e, struct engine_op *op)
{
	op->engine = e;
	engine_enter(e);
	runqueue_add(e->queue, op);
}

enum err engine_read_now(struct engine *e, struct account_id a,
			 enum err (*plan)(void *arg, struct txn *), void *arg)
{
	struct txn t;
	txn_init(&t, e, a);
	t.is_read_only = true;
	if (e->kind->snapshot_begin)
		e->kind->snapshot_begin(&t);
	enum err rc = plan(arg, &t);
	if (t.rc != ERR_OK)
		rc = t.rc;
	if (e->kind->snapshot_end)
		e->kind->snapshot_end(&t);
	txn_done(&t);
	return rc;
}

/* ---- names ---- */

static enum err random_bytes(void *to, size_t n)
{
	return getrandom(to, n, 0) == (ssize_t)n ? ERR_OK : ERR_IO;
}

/* With the names' lock held. */
static enum err name_add(struct name_op *op, struct span name, bool *ret_wrote)
{
	struct engine *e = op->engine;
	enum err rc = e->kind->name_get(e, name, &op->account);
	if (rc != ERR_NOENT)
		return rc;
	if (e->flags & ENGINE_READ_ONLY)
		return ERR_DENIED;
	struct account_id made;
	rc = random_bytes(made.b, sizeof made.b);
	if (rc == ERR_OK)
		rc = e->kind->name_put(e, name, made);
	if (rc != ERR_OK)
		return rc;
	op->account = made;
	op->was_added = *ret_wrote = true;
	return ERR_OK;
}

static enum err name_remove(struct name_op *op, struct span name, bool *ret_wrote)
{
	struct engine *e = op->engine;
	enum err rc = e->kind->name_get(e, name, &op->account);
	if (rc == ERR_OK && (e->flags & ENGINE_READ_ONLY))
		rc = ERR_DENIED;
	if (rc == ERR_OK)
		rc = e->kind->name_delete(e, name);
	*ret_wrote = rc == ERR_OK;
	return rc;
}

static enum err name_do(struct name_op *op, bool *ret_wrote)
{
	size_t n = strnlen(op->name, sizeof op->name);
	if (n == 0 || n == sizeof op->name)
		return ERR_INVAL;
	struct span name = span_of(op->name, n);
	switch (op->verb) {
	case NAME_GET: return op->engine->kind->name_get(op->engine, name, &op->account);
	case NAME_ADD: return name_add(op, name, ret_wrote);
	case NAME_REMOVE: return name_remove(op, name, ret_wrote);
	}
	return ERR_INVAL;
}

static void name_durable(struct task *t)
{
	struct name_op *op = TASK_OWNER(t, struct name_op, op.task);
	struct engine *e = op->engine;
	op_finish(&op->op, op->op.rc);
	engine_leave(e);
}

static void name_run(struct task *t)
{
	struct name_op *op = TASK_OWNER(t, struct name_op, op.task);
	struct engine *e = op->engine;
	bool wrote = false;
	engine_enter(e); /* the op may be done, and the engine closed, before we are */
	op->was_added = false;
	pthread_mutex_lock(&e->names.lock);
	op->op.rc = name_do(op, &wrote);
	op->op.task.run = name_durable;
	if (wrote)
		e->names.ticket = commit_add(e->commit, &op->op.task, COMMIT_ROWS);
	uint64_t ticket = e->names.ticket;
	pthread_mutex_unlock(&e->names.lock);
	if (!wrote && e->commit)
		commit_wait(e->commit, &op->op.task, ticket);
	else if (!wrote)
		name_durable(&op->op.task);
	engine_leave(e);
}

void engine_name(struct engine *e, struct name_op *op)
{
	op->engine = e;
	engine_enter(e);
	op->op.task.run = name_run;
	executor_post(e->workers, &op->op.task);
}

enum err engine_list(struct engine *e, struct span after, size_t max,
		     bool (*name)(void *arg, struct span name, struct account_id),
		     void *arg)
{
	return e->kind->list(e, after, max, name, arg);
}

/* ---- bodies ---- */

/*
 * 48 bits of time in ms, a counter, 48 random bits of this opening: sorted by
 * arrival, and never the same again, whatever the clock does at a restart.
 */
static struct body_id make_body_id(struct engine *e)
{
	struct body_id id;
	pthread_mutex_lock(&e->ids.lock);
	uint64_t ms = (uint64_t)clock_wall_ms();
	if (ms > e->ids.last_ms)
		e->ids.last_ms = ms;
	ms = e->ids.last_ms;
	uint32_t n = e->ids.n++;
	if (e->ids.n == 0)
		e->ids.last_ms++;
	pthread_mutex_unlock(&e->ids.lock);
	uint8_t be[8];
	pack_be64(be, ms << 16);
	memcpy(id.b, be, 6);
	pack_be32(id.b + 6, n);
	memcpy(id.b + 10, &e->ids.boot, 6);
	return id;
}

struct body_id engine_body_id(struct engine *e)
{
	return make_body_id(e);
}

struct body_put *engine_body_begin(struct engine *e, struct account_id a,
				   struct body_id *ret_id)
{
	*ret_id = make_body_id(e);
	return engine_body_again(e, a, *ret_id);
}

struct body_put *engine_body_again(struct engine *e, struct account_id a, struct body_id id)
{
	struct body_put *p = e->kind->body_begin(e, a, id);
	p->engine = e;
	p->account = a;
	p->id = id;
	if (e->flags & ENGINE_READ_ONLY)
		p->rc = ERR_DENIED;
	return p;
}

enum err engine_body_write(struct body_put *p, struct span piece)
{
	assert(piece.n <= BODY_PIECE && (!p->is_ended || piece.n == 0));
	if (p->rc == ERR_OK && piece.n > 0)
		p->rc = p->engine->kind->body_write(p, piece);
	p->bytes += piece.n;
	p->is_ended = p->is_ended || piece.n < BODY_PIECE;
	return p->rc;
}

void engine_body_end(struct body_put *p)
{
	if (p)
		p->engine->kind->body_end(p);
}

enum err engine_row_now(struct engine *e, struct account_id a, struct span key,
			struct buf *out)
{
	struct txn t;
	struct span row;
	txn_init(&t, e, a);
	enum err rc = txn_get(&t, key, &row);
	if (rc == ERR_OK)
		buf_put(out, row);
	txn_done(&t);
	return rc;
}

enum err engine_body_read(struct engine *e, struct account_id a, struct body_id id,
			  uint64_t off, size_t len, struct buf *out)
{
	enum err rc = e->kind->body_read(e, a, id, off, len, out);
	return rc == ERR_NOENT ? shared_part_get(e, a, id, off, len, out) : rc;
}

void engine_bodies_read(struct engine *e, struct account_id a, const struct body_id *ids,
			size_t n, struct buf *out, enum err *ret_rc, size_t *ret_bytes)
{
	if (e->kind->bodies_read) {
		e->kind->bodies_read(e, a, ids, n, out, ret_rc, ret_bytes);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		size_t before = out->n;
		ret_rc[i] = engine_body_read(e, a, ids[i], 0, SIZE_MAX, out);
		ret_bytes[i] = out->n - before;
	}
}

enum err engine_torn(struct engine *e,
		     bool (*body)(void *arg, struct account_id a, struct body_id id),
		     void *arg)
{
	return e->kind->torn ? e->kind->torn(e, body, arg) : ERR_OK;
}

enum err engine_snapshot(struct engine *e, const char *dir, struct buf *ret_why)
{
	enum err rc = ERR_UNSUPPORTED;
	if (!e->kind->snapshot) {
		buf_puts(ret_why, "A store in memory has no files.");
	} else if (!engine_try_enter(e)) {
		buf_puts(ret_why, "The store is being closed.");
		rc = ERR_CLOSED;
	} else {
		rc = e->kind->snapshot(e, dir, ret_why);
		engine_leave(e);
	}
	return rc;
}

uint64_t engine_boot(const struct engine *e)
{
	return e->ids.boot;
}

uint64_t engine_recounted(const struct engine *e)
{
	return e->recounted;
}

/* ---- what the kinds share ---- */

void engine_init(struct engine *e, const struct engine_kind *kind,
		 const struct engine_config *c, struct commit *commit)
{
	e->kind = kind;
	e->workers = c->workers;
	e->flags = c->flags;
	e->at = c->at;
	e->at_arg = c->at_arg;
	e->commit = commit;
	e->queue = runqueue_new(e, run_op);
	pthread_mutex_init(&e->ids.lock, NULL);
	pthread_mutex_init(&e->names.lock, NULL);
	pthread_mutex_init(&e->under_way.lock, NULL);
	pthread_cond_init(&e->under_way.none, NULL);
	if (random_bytes(&e->ids.boot, sizeof e->ids.boot) != ERR_OK)
		e->ids.boot = clock_mono_us() ^ (uint64_t)(uintptr_t)e << 24;
}

void engine_done(struct engine *e)
{
	commit_free(e->commit);
	runqueue_free(e->queue);
	pthread_mutex_destroy(&e->ids.lock);
	pthread_mutex_destroy(&e->names.lock);
	pthread_mutex_destroy(&e->under_way.lock);
	pthread_cond_destroy(&e->under_way.none);
}
