/* What every engine keeps (store/engine.h): one suite, run for each kind. */
#include "engine_rig.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/kind.h"

static struct rig *rig(void **state)
{
	return *state;
}

/* ---- rows ---- */

static enum err own_writes(struct job *j, struct txn *t)
{
	struct span v;
	assert_int_equal(txn_get(t, SPAN("k"), &v), ERR_NOENT);
	txn_put(t, SPAN("k"), SPAN("one"));
	assert_int_equal(txn_get(t, SPAN("k"), &v), ERR_OK);
	txn_put(t, SPAN("k"), SPAN("two"));
	/* what was given stays readable until the plan returns */
	assert_true(span_eq(v, SPAN("one")));
	assert_int_equal(txn_get(t, SPAN("k"), &v), ERR_OK);
	assert_true(span_eq(v, SPAN("two")));
	txn_put(t, SPAN("gone"), SPAN("x"));
	txn_delete(t, SPAN("gone"));
	assert_int_equal(txn_get(t, SPAN("gone"), &v), ERR_NOENT);
	return ERR_OK;
}

static void a_plan_reads_what_it_wrote(void **state)
{
	struct job j = { 0 };
	assert_int_equal(job_run(&j, rig(state), account_of(1), own_writes), ERR_OK);
	expect_row(rig(state), account_of(1), "k", "two");
	expect_row(rig(state), account_of(1), "gone", NULL);
}

static enum err delete_key(struct job *j, struct txn *t)
{
	struct span v;
	assert_int_equal(txn_get(t, j->key, &v), ERR_OK);
	txn_delete(t, j->key);
	assert_int_equal(txn_get(t, j->key, &v), ERR_NOENT);
	return ERR_OK;
}

static void a_deleted_row_is_gone_in_the_plan_and_after(void **state)
{
	struct job j = { .key = SPAN("k") };
	put_row(rig(state), account_of(1), "k", "v");
	assert_int_equal(job_run(&j, rig(state), account_of(1), delete_key), ERR_OK);
	expect_row(rig(state), account_of(1), "k", NULL);
}

static void an_empty_value_is_a_value(void **state)
{
	put_row(rig(state), account_of(1), "k", "");
	expect_row(rig(state), account_of(1), "k", "");
}

/* Rows seen, "a=1 b=2 ", and at most `max` of them. */
struct seen {
	char text[256];
	size_t max;
};

static bool see(void *arg, struct span key, struct span value)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);
	snprintf(s->text + n, sizeof s->text - n, "%.*s=%.*s ", (int)key.n, key.p,
		 (int)value.n, value.p);
	return --s->max > 0;
}

static void expect_scan(struct txn *t, struct span lo, struct span hi, size_t max,
			const char *want)
{
	struct seen s = { .max = max };
	assert_int_equal(txn_scan(t, lo, hi, see, &s), ERR_OK);
	assert_string_equal(s.text, want);
}

static enum err scan_plan(struct job *j, struct txn *t)
{
	struct span none = SPAN_NONE;
	expect_scan(t, SPAN("b"), SPAN("d"), 99, "b=2 c=3 ");
	expect_scan(t, SPAN("b"), none, 99, "b=2 c=3 d=4 ");
	expect_scan(t, none, none, 99, "a=1 b=2 c=3 d=4 ");
	expect_scan(t, SPAN("bb"), SPAN("cc"), 99, "c=3 ");
	expect_scan(t, SPAN("c"), SPAN("b"), 99, "");
	expect_scan(t, SPAN("e"), none, 99, "");
	expect_scan(t, none, none, 2, "a=1 b=2 ");

	txn_put(t, SPAN("0"), SPAN("first"));
	txn_put(t, SPAN("b"), SPAN("new"));
	txn_put(t, SPAN("bb"), SPAN("between"));
	txn_delete(t, SPAN("c"));
	txn_put(t, SPAN("z"), SPAN("last"));
	expect_scan(t, SPAN("b"), SPAN("d"), 99, "b=new bb=between ");
	expect_scan(t, none, none, 99, "0=first a=1 b=new bb=between d=4 z=last ");
	expect_scan(t, none, none, 3, "0=first a=1 b=new ");
	return ERR_OK;
}

static void put_abcd(struct rig *r, struct account_id a)
{
	put_row(r, a, "a", "1");
	put_row(r, a, "b", "2");
	put_row(r, a, "c", "3");
	put_row(r, a, "d", "4");
}

static void a_scan_merges_own_and_stored_rows_within_its_borders(void **state)
{
	struct job j = { 0 };
	put_abcd(rig(state), account_of(1));
	assert_int_equal(job_run(&j, rig(state), account_of(1), scan_plan), ERR_OK);
}

static bool write_behind(void *arg, struct span key, struct span value)
{
	struct txn *t = arg;
	if (span_eq(key, SPAN("b"))) {
		txn_delete(t, SPAN("c"));
		txn_put(t, SPAN("cc"), SPAN("5"));
		txn_put(t, SPAN("a"), SPAN("not seen again"));
	}
	char as[8];
	snprintf(as, sizeof as, "z%.*s", (int)key.n, key.p);
	if (key.p[0] != 'z')
		txn_put(t, span_str(as), value);
	return true;
}

static enum err scan_and_write(struct job *j, struct txn *t)
{
	assert_int_equal(txn_scan(t, SPAN("a"), SPAN("z"), write_behind, t), ERR_OK);
	expect_scan(t, SPAN("z"), SPAN_NONE, 99, "za=1 zb=2 zcc=5 zd=4 ");
	return ERR_OK;
}

static void a_scan_may_write_on_its_way(void **state)
{
	struct job j = { 0 };
	put_abcd(rig(state), account_of(1));
	assert_int_equal(job_run(&j, rig(state), account_of(1), scan_and_write), ERR_OK);
	expect_row(rig(state), account_of(1), "zcc", "5");
}

static enum err scan_all(struct job *j, struct txn *t)
{
	struct seen s = { .max = 99 };
	assert_int_equal(txn_scan(t, SPAN_NONE, SPAN_NONE, see, &s), ERR_OK);
	assert_true(span_eq(span_str(s.text), j->value));
	return ERR_OK;
}

static void rows_of_other_accounts_are_never_seen(void **state)
{
	static const uint8_t ids[] = { 0, 1, 2, 0xfe, 0xff };
	for (size_t i = 0; i < sizeof ids; i++) {
		char value[4];
		snprintf(value, sizeof value, "%u", ids[i]);
		put_row(rig(state), account_of(ids[i]), "k", value);
	}
	for (size_t i = 0; i < sizeof ids; i++) {
		char want[16];
		snprintf(want, sizeof want, "k=%u ", ids[i]);
		struct job j = { .value = span_str(want) };
		assert_int_equal(job_run(&j, rig(state), account_of(ids[i]), scan_all),
				 ERR_OK);
	}
	expect_row(rig(state), account_of(3), "k", NULL);
}

static enum err put_many(struct job *j, struct txn *t)
{
	char key[16];
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "%08x", (unsigned)i * 2654435761u);
		txn_put(t, span_str(key), span_of(&i, sizeof i));
	}
	return ERR_OK;
}

struct count {
	size_t n;
	char last[16];
};

static bool count_row(void *arg, struct span key, struct span value)
{
	struct count *c = arg;
	assert_true(span_cmp(span_str(c->last), key) < 0);
	snprintf(c->last, sizeof c->last, "%.*s", (int)key.n, key.p);
	c->n++;
	return true;
}

static enum err count_plan(struct job *j, struct txn *t)
{
	struct count c = { 0 };
	enum err rc = txn_scan(t, SPAN_NONE, SPAN_NONE, count_row, &c);
	j->n = c.n;
	return rc;
}

static void many_rows_come_back_in_order(void **state)
{
	struct job j = { 0 };
	assert_int_equal(job_run(&j, rig(state), account_of(1), put_many), ERR_OK);
	assert_int_equal(job_run(&j, rig(state), account_of(1), count_plan), ERR_OK);
	assert_int_equal(j.n, 5000);
}

/* ---- ops ---- */

static enum err append_digit(struct job *j, struct txn *t)
{
	struct span old = SPAN_NONE;
	enum err rc = txn_get(t, SPAN("log"), &old);
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	char *to = arena_alloc(txn_arena(t), old.n + 1);
	if (old.n)
		memcpy(to, old.p, old.n);
	to[old.n] = (char)('a' + j->n % 26);
	txn_put(t, SPAN("log"), span_of(to, old.n + 1));
	return ERR_OK;
}

static void plans_of_an_account_run_in_the_order_they_were_started(void **state)
{
	enum { N = 200 };
	struct job *jobs = calloc(N, sizeof *jobs);
	char want[N + 1];
	for (size_t i = 0; i < N; i++) {
		jobs[i].n = i;
		want[i] = (char)('a' + i % 26);
		job_start(&jobs[i], rig(state), account_of(1), append_digit);
	}
	want[N] = '\0';
	home_run(&rig(state)->home, N);
	expect_row(rig(state), account_of(1), "log", want);
	free(jobs);
}

static enum err add_one(struct job *j, struct txn *t)
{
	struct span v;
	uint64_t n = 0;
	if (txn_get(t, SPAN("n"), &v) == ERR_OK)
		memcpy(&n, v.p, sizeof n);
	n++;
	txn_put(t, SPAN("n"), span_of(&n, sizeof n));
	j->n = n;
	return ERR_OK;
}

enum { ADDERS = 4, ADDS = 200, ACCOUNTS = 3 };
struct adder {
	struct rig *rig;
	struct job jobs[ADDS];
	pthread_t thread;
};

static void *add_many(void *arg)
{
	struct adder *a = arg;
	for (int i = 0; i < ADDS; i++)
		job_start(&a->jobs[i], a->rig, account_of((uint8_t)(i % ACCOUNTS)),
			  add_one);
	return NULL;
}

static enum err read_n(struct job *j, struct txn *t)
{
	struct span v;
	enum err rc = txn_get(t, SPAN("n"), &v);
	if (rc == ERR_OK)
		memcpy(&j->n, v.p, sizeof j->n);
	return rc;
}

static void threads_that_change_the_same_accounts_lose_nothing(void **state)
{
	struct adder *a = calloc(ADDERS, sizeof *a);
	for (int i = 0; i < ADDERS; i++) {
		a[i].rig = rig(state);
		pthread_create(&a[i].thread, NULL, add_many, &a[i]);
	}
	home_run(&rig(state)->home, ADDERS * ADDS);
	uint64_t sum = 0;
	for (int i = 0; i < ADDERS; i++) {
		pthread_join(a[i].thread, NULL);
		for (int k = 0; k < ADDS; k++)
			assert_int_equal(a[i].jobs[k].rc, ERR_OK);
	}
	for (uint8_t i = 0; i < ACCOUNTS; i++) {
		struct job j = { 0 };
		assert_int_equal(job_run(&j, rig(state), account_of(i), read_n), ERR_OK);
		sum += j.n;
	}
	assert_int_equal(sum, ADDERS * ADDS);
	free(a);
}

static enum err nothing(struct job *j, struct txn *t)
{
	return ERR_OK;
}

static void the_completion_runs_on_its_home(void **state)
{
	struct job j = { 0 };
	assert_int_equal(job_run(&j, rig(state), account_of(1), add_one), ERR_OK);
	assert_true(pthread_equal(j.done_on, pthread_self()));
	assert_int_equal(job_run(&j, rig(state), account_of(1), nothing), ERR_OK);
	assert_true(pthread_equal(j.done_on, pthread_self()));
}

struct published {
	struct job j;
	struct published_log *log;
};
struct published_log {
	atomic_size_t n;
	uint64_t at[300];
};

static void publish(struct engine_op *e)
{
	struct published *p = (struct published *)(void *)e;
	assert_false(p->j.is_done);
	p->log->at[atomic_fetch_add(&p->log->n, 1)] = p->j.n;
}

static void versions_are_published_in_order_before_the_completion(void **state)
{
	enum { N = 300 };
	struct published_log log = { 0 };
	struct published *p = calloc(N, sizeof *p);
	for (size_t i = 0; i < N; i++) {
		p[i].log = &log;
		p[i].j.e.publish = publish;
		job_start(&p[i].j, rig(state), account_of(1), add_one);
	}
	home_run(&rig(state)->home, 1);
	assert_true(atomic_load(&log.n) >= 1);
	home_run(&rig(state)->home, N - 1);
	assert_int_equal(atomic_load(&log.n), N);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(log.at[i], i + 1);
	free(p);
}

static void check_published(struct op *op, void *owner)
{
	struct published *p = owner;
	/* what a reader saw was published before it completes */
	assert_true(atomic_load(&p->log->n) >= p->j.n);
	p->j.is_done = true;
}

static void a_reader_completes_after_what_it_saw_is_published(void **state)
{
	enum { N = 100 };
	struct published_log log = { 0 };
	struct published *p = calloc(2 * N, sizeof *p);
	for (size_t i = 0; i < 2 * N; i += 2) {
		p[i] = (struct published){ .log = &log, .j.e.publish = publish };
		job_start(&p[i].j, rig(state), account_of(1), add_one);
		struct published *r = &p[i + 1];
		*r = (struct published){ .log = &log };
		job_start(&r->j, rig(state), account_of(1), read_n);
		r->j.e.op.done = check_published;
	}
	home_run(&rig(state)->home, 2 * N);
	free(p);
}

static enum err write_then_fail(struct job *j, struct txn *t)
{
	txn_put(t, SPAN("k"), SPAN("must not be kept"));
	return ERR_LIMIT;
}

static void never(struct engine_op *e)
{
	fail_msg("must not be called");
}

static void a_failed_plan_writes_nothing(void **state)
{
	struct job j = { .e.publish = never, .e.abandon = never };
	assert_int_equal(job_run(&j, rig(state), account_of(1), write_then_fail),
			 ERR_LIMIT);
	expect_row(rig(state), account_of(1), "k", NULL);
}

static void a_plan_that_only_read_is_not_published(void **state)
{
	struct job j = { .e.publish = never, .e.abandon = never };
	assert_int_equal(job_run(&j, rig(state), account_of(1), nothing), ERR_OK);
}

static enum err full(struct txn *t)
{
	return ERR_FULL;
}

static void count_abandoned(struct engine_op *e)
{
	((struct job *)(void *)e)->value = SPAN("abandoned");
}

static void a_commit_that_fails_is_abandoned_and_not_published(void **state)
{
	struct rig *r = rig(state);
	const struct engine_kind *real = r->engine->kind;
	struct engine_kind broken = *real;
	broken.write = full;
	struct job j = { .e.publish = never, .e.abandon = count_abandoned };
	r->engine->kind = &broken;
	assert_int_equal(job_run(&j, r, account_of(1), add_one), ERR_FULL);
	r->engine->kind = real;
	assert_true(span_eq(j.value, SPAN("abandoned")));
	expect_row(r, account_of(1), "n", NULL);
	assert_int_equal(job_run(&j, r, account_of(1), nothing), ERR_OK);
}

static void an_orphaned_op_is_still_done(void **state)
{
	struct job j = { 0 }, k = { 0 };
	job_start(&j, rig(state), account_of(1), add_one);
	op_orphan(&j.e.op);
	home_run(&rig(state)->home, 1);
	assert_false(j.is_done);
	assert_int_equal(job_run(&k, rig(state), account_of(1), read_n), ERR_OK);
	assert_int_equal(k.n, 1);
}

static void closing_waits_for_what_is_under_way(void **state)
{
	enum { N = 100 };
	struct job *jobs = calloc(N, sizeof *jobs);
	for (uint8_t i = 0; i < N; i++)
		job_start(&jobs[i], rig(state), account_of(i), add_one);
	rig_close(rig(state));
	home_run(&rig(state)->home, N);
	for (int i = 0; i < N; i++)
		assert_int_equal(jobs[i].rc, ERR_OK);
	free(jobs);
}

static enum err now_plan(void *arg, struct txn *t)
{
	struct span v;
	assert_int_equal(txn_get(t, SPAN("b"), &v), ERR_OK);
	expect_scan(t, SPAN_NONE, SPAN_NONE, 99, "a=1 b=2 c=3 d=4 ");
	if (arg)
		txn_put(t, SPAN("x"), SPAN("y"));
	return ERR_OK;
}

static void reading_now_sees_rows_and_refuses_writes(void **state)
{
	struct engine *e = rig(state)->engine;
	put_abcd(rig(state), account_of(1));
	assert_int_equal(engine_read_now(e, account_of(1), now_plan, NULL), ERR_OK);
	assert_int_equal(engine_read_now(e, account_of(1), now_plan, e), ERR_DENIED);
	expect_row(rig(state), account_of(1), "x", NULL);
}

int engine_suite_bodies(const char *name, CMFixtureFunction up, CMFixtureFunction down);

static int up_mem(void **state)
{
	*state = calloc(1, sizeof(struct rig));
	rig_init(*state, "mem", 0);
	return 0;
}

static int up_replay(void **state)
{
	*state = calloc(1, sizeof(struct rig));
	rig_init(*state, "mem", ENGINE_REPLAY);
	return 0;
}

static int up_rocks(void **state)
{
	*state = calloc(1, sizeof(struct rig));
	rig_init(*state, "rocks", 0);
	return 0;
}

static int down(void **state)
{
	rig_done(*state);
	free(*state);
	return 0;
}

#define T(f)                                                                             \
	{                                                                                \
#f, f, up, down, NULL                                                    \
	}

static int suite(const char *name, CMFixtureFunction up)
{
	const struct CMUnitTest tests[] = {
		T(a_plan_reads_what_it_wrote),
		T(a_deleted_row_is_gone_in_the_plan_and_after),
		T(an_empty_value_is_a_value),
		T(a_scan_merges_own_and_stored_rows_within_its_borders),
		T(a_scan_may_write_on_its_way),
		T(rows_of_other_accounts_are_never_seen),
		T(many_rows_come_back_in_order),
		T(plans_of_an_account_run_in_the_order_they_were_started),
		T(threads_that_change_the_same_accounts_lose_nothing),
		T(the_completion_runs_on_its_home),
		T(versions_are_published_in_order_before_the_completion),
		T(a_reader_completes_after_what_it_saw_is_published),
		T(a_failed_plan_writes_nothing),
		T(a_plan_that_only_read_is_not_published),
		T(a_commit_that_fails_is_abandoned_and_not_published),
		T(an_orphaned_op_is_still_done),
		T(closing_waits_for_what_is_under_way),
		T(reading_now_sees_rows_and_refuses_writes),
	};
	return _cmocka_run_group_tests(name, tests, sizeof tests / sizeof tests[0], NULL,
				       NULL) +
	       engine_suite_bodies(name, up, down);
}

/* With an argument only that engine: the thread sanitizer knows nothing of RocksDB's
 * inside. */
int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		CMFixtureFunction up;
	} kinds[] = { { "mem", up_mem },
		      { "mem, each plan twice", up_replay },
		      { "rocks", up_rocks } };
	int failed = 0;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (argc < 2 || strcmp(argv[1], kinds[i].name) == 0)
			failed += suite(kinds[i].name, kinds[i].up);
	}
	return failed;
}
