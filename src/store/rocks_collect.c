/*
 * The rocks engine: the collector. A sealed segment of which less than half is
 * held is read from its beginning; the records that a row still names are
 * copied to a segment of copies, that is synced, and only then the rows are
 * switched, each account's in an op of its own like any other change. When they
 * are durable and nothing in the segment is held any more, its file goes.
 *
 * A reader that looked up the old place and comes too late looks up the new one
 * (rocks_body_read). A crash at any point leaves the old place, or both, and a
 * file of which nothing is held is removed by a later pass.
 *
 * It has a turn a tick, a window of the segment each, so that mail comes first.
 * Points, for tests that kill there: "begin", "copied", "synced", "switched",
 * "empty", "unlinked", "removed".
 */
#include "store/rocks.h"

#include <stdlib.h>

#include "base/clock.h"
#include "store/body_row.h"
#include "store/commit.h"
#include "store/pack.h"

enum {
	WINDOW = 8 << 20, /* what a turn reads; holds the largest record */
	PASS_MS = 10000,
	FAILED_MS = 60000, /* rest after a failure: a full device, say */
};

struct sealed {
	uint32_t number;
	uint64_t bytes, live;
};

struct sealed_list {
	struct rocks *r;
	struct sealed *at;
	size_t n, cap;
};

struct collector {
	struct rocks *r;
	const unsigned pass_ms;
	void (*const at)(void *arg, const char *point);
	void *const at_arg;
	atomic_bool is_started, is_due, is_running;

	/* of the turn under way, else of the commit thread */
	struct task turn;
	uint64_t next_pass_ms;
	bool has_victim;
	struct sealed victim;
	uint64_t offset; /* what stands before is done with */
	bool is_end;	 /* the window was the last one */
	char *window;
	struct body_move *moves;
	size_t n_moves, cap_moves;
	uint32_t *stuck; /* segments in which something held cannot be read */
	size_t n_stuck;
	atomic_size_t waiting; /* ops, and the one who starts them */
	atomic_bool has_failed;
};

struct switch_op {
	struct engine_op e;
	struct collector *c;
	const struct body_move *moves;
	size_t n;
};

static void reach(struct collector *c, const char *point)
{
	if (c->at)
		c->at(c->at_arg, point);
}

struct collector *collector_new(struct rocks *r, const struct engine_config *config)
{
	struct collector init = { .r = r,
				  .pass_ms = config->pass_ms ? config->pass_ms : PASS_MS,
				  .at = config->at,
				  .at_arg = config->at_arg };
	struct collector *c = xmalloc(sizeof *c);
	memcpy(c, &init, sizeof *c);
	return c;
}

void collector_free(struct collector *c)
{
	if (!c)
		return;
	free(c->window);
	free(c->moves);
	free(c->stuck);
	free(c);
}

void collector_wake(struct collector *c)
{
	atomic_store(&c->is_due, true);
	atomic_store(&c->is_started, true);
}

/* ---- which segment ---- */

static bool is_stuck(const struct collector *c, uint32_t number)
{
	for (size_t i = 0; i < c->n_stuck; i++)
		if (c->stuck[i] == number)
			return true;
	return false;
}

static void set_stuck(struct collector *c, uint32_t number)
{
	c->stuck = xrealloc(c->stuck, (c->n_stuck + 1) * sizeof *c->stuck);
	c->stuck[c->n_stuck++] = number;
}

static bool add_sealed(void *arg, uint32_t number, uint64_t bytes)
{
	struct sealed_list *l = arg;
	if (!segments_is_sealed(l->r->segments, number) ||
	    is_stuck(l->r->collector, number))
		return true;
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 64;
		l->at = xrealloc(l->at, l->cap * sizeof l->at[0]);
	}
	l->at[l->n++] = (struct sealed){ number, bytes, 0 };
	return true;
}

static void live_key(char key[5], uint32_t number)
{
	key[0] = 'l';
	pack_be32(key + 1, number);
}

static enum err live_bytes(struct rocks *r, uint32_t number, uint64_t *ret)
{
	char key[5];
	struct buf value = { 0 };
	live_key(key, number);
	enum err rc = rocks_get(r, CF_SEG, span_of(key, sizeof key), &value);
	if (rc == ERR_OK && value.n != 8)
		rc = ERR_CORRUPT;
	if (rc == ERR_OK)
		*ret = unpack_le64(buf_span(&value).p);
	if (rc == ERR_NOENT) {
		*ret = 0;
		rc = ERR_OK;
	}
	buf_done(&value);
	return rc;
}

/* The one with the least to copy. The counts are read after it is known that the
 * segments are sealed: from then on they only fall. */
static enum err choose(struct collector *c)
{
	struct sealed_list l = { .r = c->r };
	enum err rc = segments_list(c->r->segments, add_sealed, &l);
	for (size_t i = 0; i < l.n && rc == ERR_OK; i++) {
		struct sealed *s = &l.at[i];
		rc = live_bytes(c->r, s->number, &s->live);
		bool is_due = s->live == 0 || s->live < s->bytes / 2;
		if (rc == ERR_OK && is_due &&
		    (!c->has_victim || s->live < c->victim.live)) {
			c->victim = *s;
			c->has_victim = true;
		}
	}
	free(l.at);
	c->offset = SEGMENT_HEAD;
	c->is_end = c->victim.live == 0;
	return rc;
}

/* ---- copying ---- */

/* The piece's place is this one, says its body's row. */
static bool is_held(struct rocks *r, const struct body_ref *ref, const struct record *h,
		    uint32_t segment, uint32_t offset, struct buf *value)
{
	struct body_row row;
	buf_clear(value);
	if (rocks_get(r, CF_BODY, span_of(ref->b, sizeof ref->b), value) != ERR_OK ||
	    body_row_decode(buf_span(value), &row) != ERR_OK || h->piece >= row.n)
		return false;
	struct piece p = body_row_piece(&row, h->piece);
	return p.segment == segment && p.offset == offset && p.stored == h->stored;
}

static enum err copy_record(struct collector *c, const struct body_ref *ref,
			    const struct record *h, struct span bytes, uint32_t offset)
{
	struct body_move m = { .ref = *ref,
			       .piece = h->piece,
			       .from_segment = c->victim.number,
			       .from_offset = offset,
			       .room = record_room(h->stored) };
	enum err rc = segments_copy(c->r->segments, bytes, &m.to_segment, &m.to_offset);
	if (rc != ERR_OK)
		return rc;
	if (c->n_moves == c->cap_moves) {
		c->cap_moves = c->cap_moves ? 2 * c->cap_moves : 256;
		c->moves = xrealloc(c->moves, c->cap_moves * sizeof c->moves[0]);
	}
	c->moves[c->n_moves++] = m;
	return ERR_OK;
}

/* One record at `at` in the window; `ret_room` 0: it goes on behind the window. */
static enum err take_record(struct collector *c, struct span w, size_t at,
			    struct buf *value, size_t *ret_room)
{
	struct record h;
	struct body_ref ref;
	*ret_room = RECORD_ALIGN;
	if (record_decode(w.p + at, &h) != ERR_OK)
		return ERR_OK;
	size_t n = RECORD_HEAD + (size_t)h.stored;
	if (n > w.n - at) {
		*ret_room = at > 0 ? 0 : RECORD_ALIGN;
		return ERR_OK;
	}
	struct span bytes = span_sub(w, at, n);
	if (record_check(&h, bytes) != ERR_OK)
		return ERR_OK;
	*ret_room = record_room(h.stored);
	memcpy(ref.b, h.account.b, sizeof h.account.b);
	memcpy(ref.b + sizeof h.account.b, h.body.b, sizeof h.body.b);
	uint32_t offset = (uint32_t)(c->offset + at);
	if (!is_held(c->r, &ref, &h, c->victim.number, offset, value))
		return ERR_OK;
	return copy_record(c, &ref, &h, bytes, offset);
}

static enum err copy_window(struct collector *c)
{
	size_t n, at = 0, room = 1;
	struct buf value = { 0 };
	if (!c->window)
		c->window = xmalloc(WINDOW);
	enum err rc = segments_window(c->r->segments, c->victim.number, c->offset,
				      c->window, WINDOW, &n);
	c->is_end = rc == ERR_OK && n < WINDOW;
	while (rc == ERR_OK && room > 0 && at + RECORD_HEAD <= n) {
		rc = take_record(c, span_of(c->window, n), at, &value, &room);
		at += room;
	}
	if (room == 0)
		c->is_end = false;
	c->offset += at;
	buf_done(&value);
	return rc;
}

/* ---- switching ---- */

static int by_place(const void *a, const void *b)
{
	const struct body_move *x = a, *y = b;
	int order = memcmp(x->ref.b, y->ref.b, sizeof x->ref.b);
	return order ? order : x->piece < y->piece ? -1 : x->piece > y->piece;
}

/* All moves of one body; pieces that were dropped or moved meanwhile are left. */
static enum err batch_body(struct rocks *r, rocksdb_writebatch_t *batch,
			   const struct body_move *m, size_t n)
{
	struct buf value = { 0 };
	struct body_row row;
	bool has_any = false;
	enum err rc = rocks_get(r, CF_BODY, span_of(m->ref.b, sizeof m->ref.b), &value);
	if (rc == ERR_OK)
		rc = body_row_decode(buf_span(&value), &row);
	for (size_t i = 0; i < n && rc == ERR_OK; i++) {
		struct piece p = { 0 };
		if (m[i].piece < row.n)
			p = body_row_piece(&row, m[i].piece);
		if (p.segment != m[i].from_segment || p.offset != m[i].from_offset)
			continue;
		body_row_move((char *)(uintptr_t)buf_span(&value).p, m[i].piece,
			      m[i].to_segment, m[i].to_offset);
		rocks_batch_live(r, batch, m[i].from_segment, 0 - (uint64_t)m[i].room);
		rocks_batch_live(r, batch, m[i].to_segment, m[i].room);
		has_any = true;
	}
	struct span v = buf_span(&value);
	if (has_any)
		rocksdb_writebatch_put_cf(batch, r->cf[CF_BODY], (const char *)m->ref.b,
					  sizeof m->ref.b, v.p, v.n);
	buf_done(&value);
	return rc == ERR_NOENT ? ERR_OK : rc;
}

enum err rocks_batch_moves(struct txn *t, rocksdb_writebatch_t *batch)
{
	enum err rc = ERR_OK;
	for (size_t i = 0; i < t->n_moves && rc == ERR_OK;) {
		const struct body_move *m = &t->moves[i];
		size_t n = 1;
		while (i + n < t->n_moves &&
		       memcmp(m[n].ref.b, m->ref.b, sizeof m->ref.b) == 0)
			n++;
		rc = batch_body(rocks_of(t->engine), batch, m, n);
		i += n;
	}
	return rc;
}

static enum err switch_plan(struct engine_op *op, struct txn *t)
{
	struct switch_op *x = TASK_OWNER(op, struct switch_op, e);
	t->moves = x->moves;
	t->n_moves = x->n;
	return ERR_OK;
}

static void turn_end(struct collector *c);

static void one_less(struct collector *c)
{
	if (atomic_fetch_sub(&c->waiting, 1) == 1)
		turn_end(c);
}

static void switch_done(struct op *op, void *owner)
{
	struct collector *c = owner;
	if (op->rc != ERR_OK)
		atomic_store(&c->has_failed, true);
}

static void switch_free(struct op *op)
{
	struct engine_op *e = TASK_OWNER(op, struct engine_op, op);
	struct switch_op *x = TASK_OWNER(e, struct switch_op, e);
	struct collector *c = x->c;
	free(x);
	one_less(c);
}

static void start_switch(struct collector *c, const struct body_move *m, size_t n)
{
	struct switch_op *x = xcalloc(1, sizeof *x);
	x->e.op = (struct op){ .home = c->r->engine.workers,
			       .done = switch_done,
			       .owner = c,
			       .free = switch_free };
	memcpy(x->e.account.b, m->ref.b, sizeof x->e.account.b);
	x->e.plan = switch_plan;
	x->c = c;
	x->moves = m;
	x->n = n;
	atomic_fetch_add(&c->waiting, 1);
	engine_run(&c->r->engine, &x->e);
}

static void start_switches(struct collector *c)
{
	if (c->n_moves > 1)
		qsort(c->moves, c->n_moves, sizeof c->moves[0], by_place);
	for (size_t i = 0; i < c->n_moves;) {
		const struct body_move *m = &c->moves[i];
		size_t n = 1;
		while (i + n < c->n_moves &&
		       memcmp(m[n].ref.b, m->ref.b, sizeof(struct account_id)) == 0)
			n++;
		start_switch(c, m, n);
		i += n;
	}
}

/* ---- removing ---- */

/* What made it empty is durable. */
static enum err remove_victim(struct collector *c)
{
	struct rocks *r = c->r;
	unsigned failures = atomic_load(&r->space.failures);
	char key[5], *error = NULL;
	reach(c, "empty");
	if (pthread_mutex_trylock(&r->files) != 0)
		return ERR_BUSY;
	enum err rc = segments_remove(r->segments, c->victim.number);
	pthread_mutex_unlock(&r->files);
	if (rc != ERR_OK)
		return rc;
	reach(c, "unlinked");
	live_key(key, c->victim.number);
	rocksdb_delete_cf(r->db, r->write, r->cf[CF_SEG], key, sizeof key, &error);
	reach(c, "removed");
	return rocks_wrote(r, failures, error);
}

/* ---- turns ---- */

static void turn_over(struct collector *c, bool has_failed);

static void removal_run(struct task *t)
{
	struct collector *c = TASK_OWNER(t, struct collector, turn);
	enum err rc = remove_victim(c);
	/* a snapshot is being made: a later pass comes to it again */
	turn_over(c, rc != ERR_OK && rc != ERR_BUSY);
}

/* On the commit thread. */
static void emptiness_durable(struct task *t)
{
	struct collector *c = TASK_OWNER(t, struct collector, turn);
	c->turn.run = removal_run;
	executor_post(c->r->engine.workers, &c->turn);
}

/* False: nothing more is to be waited for. */
static bool remove_when_durable(struct collector *c, bool *ret_has_failed)
{
	uint64_t live;
	*ret_has_failed = live_bytes(c->r, c->victim.number, &live) != ERR_OK;
	if (*ret_has_failed)
		return false;
	if (live > 0) {
		set_stuck(c, c->victim.number);
		return false;
	}
	c->turn.run = emptiness_durable;
	commit_add(c->r->engine.commit, &c->turn, COMMIT_ROWS);
	return true;
}

static void victim_end(struct collector *c)
{
	c->has_victim = false;
	free(c->window);
	c->window = NULL;
}

static void pass_end(struct collector *c, unsigned rest_ms)
{
	victim_end(c);
	c->next_pass_ms = clock_mono_ms() + rest_ms;
}

static void turn_over(struct collector *c, bool has_failed)
{
	struct engine *e = &c->r->engine;
	if (has_failed) {
		atomic_store(&c->is_due, true);
		pass_end(c, FAILED_MS);
	} else if (c->is_end) {
		victim_end(c);
	}
	c->n_moves = 0;
	atomic_store(&c->is_running, false);
	engine_leave(e);
}

/* Every switch of the turn is durable, or has failed. */
static void turn_end(struct collector *c)
{
	bool has_failed = atomic_load(&c->has_failed);
	if (c->n_moves > 0)
		reach(c, "switched");
	if (!has_failed && c->has_victim && c->is_end &&
	    remove_when_durable(c, &has_failed))
		return;
	turn_over(c, has_failed);
}

/* A snapshot ends the segment of copies, so it must not come between. */
static enum err copy_and_sync(struct collector *c)
{
	if (pthread_mutex_trylock(&c->r->files) != 0)
		return ERR_OK; /* the next turn goes on */
	enum err rc = copy_window(c);
	reach(c, "copied");
	if (rc == ERR_OK && c->n_moves > 0)
		rc = segments_copies_sync(c->r->segments);
	reach(c, "synced");
	pthread_mutex_unlock(&c->r->files);
	return rc;
}

static void turn_run(struct task *t)
{
	struct collector *c = TASK_OWNER(t, struct collector, turn);
	enum err rc = ERR_OK;
	atomic_store(&c->waiting, 1);
	atomic_store(&c->has_failed, false);
	if (!c->has_victim) {
		atomic_store(&c->is_due, false);
		rc = choose(c);
		if (rc == ERR_OK && c->has_victim) {
			atomic_store(&c->is_due, true); /* perhaps there are more */
			reach(c, "begin");
		} else {
			pass_end(c, c->pass_ms);
		}
	}
	if (rc == ERR_OK && c->has_victim && !c->is_end &&
	    !engine_is_closing(&c->r->engine)) {
		rc = copy_and_sync(c);
		if (rc == ERR_OK)
			start_switches(c);
	}
	if (rc != ERR_OK)
		atomic_store(&c->has_failed, true);
	one_less(c);
}

bool collector_tick(struct collector *c)
{
	if (!atomic_load(&c->is_started) || atomic_load(&c->is_running))
		return true;
	if (!c->has_victim) {
		if (!atomic_load(&c->is_due))
			return false;
		if (clock_mono_ms() < c->next_pass_ms)
			return true;
	}
	if (!engine_try_enter(&c->r->engine))
		return false;
	atomic_store(&c->is_running, true);
	c->turn.run = turn_run;
	executor_post(c->r->engine.workers, &c->turn);
	return true;
}
