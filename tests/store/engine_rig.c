/* The rig of the engine's tests. */
#include "engine_rig.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void post(struct executor *x, struct task *t)
{
	struct home *h = TASK_OWNER(x, struct home, executor);
	t->next = NULL;
	pthread_mutex_lock(&h->lock);
	*h->tail = t;
	h->tail = &t->next;
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
}

void home_init(struct home *h)
{
	*h = (struct home){ .executor.post = post };
	h->tail = &h->head;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->wake, NULL);
}

void home_done(struct home *h)
{
	assert_null(h->head);
	pthread_cond_destroy(&h->wake);
	pthread_mutex_destroy(&h->lock);
}

void home_run(struct home *h, size_t n)
{
	for (; n > 0; n--) {
		pthread_mutex_lock(&h->lock);
		while (!h->head)
			pthread_cond_wait(&h->wake, &h->lock);
		struct task *t = h->head;
		h->head = t->next;
		if (!h->head)
			h->tail = &h->head;
		pthread_mutex_unlock(&h->lock);
		t->run(t);
		h->n_run++;
	}
}

static void fatal(void *arg, const char *sentence)
{
	fprintf(stderr, "%s\n", sentence);
	_exit(3);
}

enum err rig_try_open(struct rig *r, unsigned flags, struct engine **ret, struct buf *why)
{
	struct engine_config c = { .kind = r->kind,
				   .dir = r->dir,
				   .workers = workers_executor(r->workers),
				   .flags = flags,
				   .reserve_bytes = r->tune.reserve_bytes,
				   .segment_bytes = r->tune.segment_bytes,
				   .tick_ms = r->tune.tick_ms,
				   .pass_ms = r->tune.pass_ms,
				   .at = r->tune.at,
				   .at_arg = r->tune.at_arg,
				   .fatal = fatal };
	return engine_open(&c, ret, why);
}

void rig_open(struct rig *r)
{
	struct buf why = { 0 };
	enum err rc = rig_try_open(r, r->flags, &r->engine, &why);
	if (rc != ERR_OK)
		fail_msg("%.*s", (int)why.n, buf_span(&why).p);
	buf_done(&why);
}

void rig_close(struct rig *r)
{
	engine_close(r->engine);
	r->engine = NULL;
}

void rig_init(struct rig *r, const char *kind, unsigned flags)
{
	*r = (struct rig){ .kind = kind, .flags = flags };
	const char *tmp = getenv("TMPDIR");
	snprintf(r->dir, sizeof r->dir, "%.40s/engine-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(r->dir));
	r->workers = workers_new(4);
	assert_non_null(r->workers);
	home_init(&r->home);
	rig_open(r);
}

static int remove_one(const char *path, const struct stat *st, int what, struct FTW *at)
{
	return remove(path);
}

void rig_done(struct rig *r)
{
	engine_close(r->engine);
	workers_free(r->workers);
	home_done(&r->home);
	nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- jobs ---- */

static void done(struct op *op, void *owner)
{
	struct job *j = owner;
	j->rc = op->rc;
	j->done_on = pthread_self();
	j->is_done = true;
}

static void keep(struct op *op)
{
	/* the test owns it */
}

static enum err plan_of_job(struct engine_op *e, struct txn *t)
{
	struct job *j = (struct job *)(void *)e;
	return j->plan(j, t);
}

void job_start(struct job *j, struct rig *r, struct account_id a,
	       enum err (*plan)(struct job *, struct txn *))
{
	j->rig = r;
	j->plan = plan;
	j->is_done = false;
	j->e.account = a;
	j->e.plan = plan_of_job;
	j->e.op.home = &r->home.executor;
	j->e.op.done = done;
	j->e.op.owner = j;
	j->e.op.free = keep;
	engine_run(r->engine, &j->e);
}

enum err job_run(struct job *j, struct rig *r, struct account_id a,
		 enum err (*plan)(struct job *, struct txn *))
{
	job_start(j, r, a, plan);
	home_run(&r->home, 1);
	assert_true(j->is_done);
	return j->rc;
}

struct account_id account_of(uint8_t n)
{
	struct account_id a;
	memset(a.b, n, sizeof a.b);
	return a;
}

static enum err put_plan(struct job *j, struct txn *t)
{
	txn_put(t, j->key, j->value);
	return ERR_OK;
}

void put_row(struct rig *r, struct account_id a, const char *key, const char *value)
{
	struct job j = { .key = span_str(key), .value = span_str(value) };
	assert_int_equal(job_run(&j, r, a, put_plan), ERR_OK);
}

static enum err expect_plan(struct job *j, struct txn *t)
{
	struct span v = SPAN_NONE;
	enum err rc = txn_get(t, j->key, &v);
	assert_int_equal(rc, j->value.p ? ERR_OK : ERR_NOENT);
	if (rc == ERR_OK)
		assert_true(span_eq(v, j->value));
	return ERR_OK;
}

void expect_row(struct rig *r, struct account_id a, const char *key, const char *value)
{
	struct job j = { .key = span_str(key), .value = span_str(value) };
	assert_int_equal(job_run(&j, r, a, expect_plan), ERR_OK);
}

static enum err keep_plan(struct job *j, struct txn *t)
{
	return txn_body_keep(t, j->put);
}

struct body_id keep_body(struct rig *r, struct account_id a, struct span bytes)
{
	struct job j = { 0 };
	j.put = engine_body_begin(r->engine, a, &j.body);
	for (; bytes.n > 0; bytes = span_sub(bytes, BODY_PIECE, SIZE_MAX))
		assert_int_equal(engine_body_write(j.put, span_sub(bytes, 0, BODY_PIECE)),
				 ERR_OK);
	assert_int_equal(job_run(&j, r, a, keep_plan), ERR_OK);
	engine_body_end(j.put);
	return j.body;
}

void fill_random(char *p, size_t n, uint64_t seed)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
	for (size_t i = 0; i < n; i++) {
		if (i % 8 == 0) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
		}
		p[i] = (char)(x >> (i % 8 * 8));
	}
}
