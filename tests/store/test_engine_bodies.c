/* What every engine keeps, bodies and names: the second half of the suite. */
#include "engine_rig.h"

#include <stdio.h>
#include <stdlib.h>

#define MIB ((size_t)1 << 20)

static struct rig *rig(void **state)
{
	return *state;
}

static void expect_range(struct rig *r, struct account_id a, struct body_id id,
			 struct span all, uint64_t off, size_t len)
{
	struct buf out = { 0 };
	buf_puts(&out, "kept");
	assert_int_equal(engine_body_read(r->engine, a, id, off, len, &out), ERR_OK);
	struct span want = span_sub(all, off > all.n ? all.n : (size_t)off, len);
	assert_true(span_eq(span_sub(buf_span(&out), 4, SIZE_MAX), want));
	buf_done(&out);
}

static void ranges_of(struct rig *r, struct account_id a, struct body_id id,
		      struct span all)
{
	static const size_t piece = BODY_PIECE;
	const struct {
		uint64_t off;
		size_t len;
	} ranges[] = {
		{ 0, SIZE_MAX },
		{ 0, 0 },
		{ 0, 1 },
		{ 1, 10 },
		{ piece - 1, 2 },
		{ piece, 1 },
		{ piece - 5, piece + 10 },
		{ 2 * piece + 7, 100 },
		{ all.n, 5 },
		{ all.n ? all.n - 1 : 0, 5 },
		{ UINT64_MAX, 5 },
		{ 3, SIZE_MAX },
	};
	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
		expect_range(r, a, id, all, ranges[i].off, ranges[i].len);
}

static void bodies_of_any_size_come_back_in_any_range(void **state)
{
	const size_t sizes[] = { 0,	      1,       255,	    256,     4096,
				 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 20 * MIB };
	char *bytes = malloc(20 * MIB);
	fill_random(bytes, 20 * MIB, 1);
	/* the second half shrinks, the first does not */
	for (size_t i = 10 * MIB; i < 20 * MIB; i++)
		bytes[i] = "Subject: a line of mail\r\n"[i % 25];
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct span all = span_of(bytes + 20 * MIB - sizes[i], sizes[i]);
		ranges_of(rig(state), account_of(1),
			  keep_body(rig(state), account_of(1), all), all);
		all = span_of(bytes, sizes[i]);
		ranges_of(rig(state), account_of(1),
			  keep_body(rig(state), account_of(1), all), all);
	}
	free(bytes);
}

static enum err read_body(struct rig *r, struct account_id a, struct body_id id)
{
	struct buf out = { 0 };
	enum err rc = engine_body_read(r->engine, a, id, 0, 100, &out);
	assert_true(rc == ERR_OK || out.n == 0);
	buf_done(&out);
	return rc;
}

static enum err drop_plan(struct job *j, struct txn *t)
{
	txn_body_drop(t, j->body);
	txn_body_drop(t, j->body);
	return ERR_OK;
}

static void a_dropped_body_is_gone_and_others_stay(void **state)
{
	struct rig *r = rig(state);
	struct body_id one = keep_body(r, account_of(1), SPAN("one"));
	struct body_id two = keep_body(r, account_of(1), SPAN("two"));
	struct job j = { .body = one };
	assert_int_equal(job_run(&j, r, account_of(1), drop_plan), ERR_OK);
	assert_int_equal(read_body(r, account_of(1), one), ERR_NOENT);
	assert_int_equal(read_body(r, account_of(1), two), ERR_OK);
	/* once more harms nothing */
	assert_int_equal(job_run(&j, r, account_of(1), drop_plan), ERR_OK);
}

static void a_body_is_its_accounts_alone(void **state)
{
	struct rig *r = rig(state);
	struct body_id id = keep_body(r, account_of(1), SPAN("secret"));
	assert_int_equal(read_body(r, account_of(2), id), ERR_NOENT);
	struct job j = { .body = id };
	assert_int_equal(job_run(&j, r, account_of(2), drop_plan), ERR_OK);
	assert_int_equal(read_body(r, account_of(1), id), ERR_OK);
}

static enum err keep_and_fail(struct job *j, struct txn *t)
{
	assert_int_equal(txn_body_keep(t, j->put), ERR_OK);
	return ERR_LIMIT;
}

static enum err keep_and_drop(struct job *j, struct txn *t)
{
	txn_put(t, SPAN("k"), SPAN("v"));
	assert_int_equal(txn_body_keep(t, j->put), ERR_OK);
	txn_body_drop(t, j->body);
	return ERR_OK;
}

static void a_body_that_no_commit_keeps_is_not_there(void **state)
{
	struct rig *r = rig(state);
	struct job j = { 0 };
	j.put = engine_body_begin(r->engine, account_of(1), &j.body);
	assert_int_equal(engine_body_write(j.put, SPAN("lost")), ERR_OK);
	assert_int_equal(read_body(r, account_of(1), j.body), ERR_NOENT);
	assert_int_equal(job_run(&j, r, account_of(1), keep_and_fail), ERR_LIMIT);
	assert_int_equal(read_body(r, account_of(1), j.body), ERR_NOENT);
	assert_int_equal(job_run(&j, r, account_of(1), keep_and_drop), ERR_OK);
	assert_int_equal(read_body(r, account_of(1), j.body), ERR_NOENT);
	engine_body_end(j.put);
	engine_body_end(NULL);
}

static void body_ids_differ_and_sort_by_arrival(void **state)
{
	struct body_id last = { { 0 } };
	for (int i = 0; i < 1000; i++) {
		struct body_id id;
		engine_body_end(
		    engine_body_begin(rig(state)->engine, account_of(1), &id));
		assert_true(memcmp(last.b, id.b, sizeof id.b) < 0);
		last = id;
	}
}

/* ---- names ---- */

static void name_done(struct op *op, void *owner)
{
	*(enum err *)owner = op->rc;
}

static void name_keep(struct op *op)
{
	/* on the test's stack */
}

static enum err name_run(struct rig *r, struct name_op *op, enum name_verb verb,
			 const char *name)
{
	enum err rc = ERR_UNKNOWN;
	*op = (struct name_op){ .verb = verb };
	op->op.home = &r->home.executor;
	op->op.done = name_done;
	op->op.owner = &rc;
	op->op.free = name_keep;
	memset(op->name, 'x', sizeof op->name);
	if (strlen(name) < sizeof op->name)
		memcpy(op->name, name, strlen(name) + 1);
	engine_name(r->engine, op);
	home_run(&r->home, 1);
	return rc;
}

static void a_name_is_added_once_found_and_removed(void **state)
{
	struct rig *r = rig(state);
	struct name_op op;
	assert_int_equal(name_run(r, &op, NAME_GET, "ann"), ERR_NOENT);
	assert_int_equal(name_run(r, &op, NAME_REMOVE, "ann"), ERR_NOENT);
	assert_int_equal(name_run(r, &op, NAME_ADD, "ann"), ERR_OK);
	assert_true(op.was_added);
	struct account_id ann = op.account;
	assert_int_equal(name_run(r, &op, NAME_ADD, "ann"), ERR_OK);
	assert_false(op.was_added);
	assert_memory_equal(op.account.b, ann.b, sizeof ann.b);
	assert_int_equal(name_run(r, &op, NAME_ADD, "bob"), ERR_OK);
	assert_memory_not_equal(op.account.b, ann.b, sizeof ann.b);
	assert_int_equal(name_run(r, &op, NAME_GET, "ann"), ERR_OK);
	assert_memory_equal(op.account.b, ann.b, sizeof ann.b);
	assert_int_equal(name_run(r, &op, NAME_REMOVE, "ann"), ERR_OK);
	assert_int_equal(name_run(r, &op, NAME_GET, "ann"), ERR_NOENT);
}

static void an_empty_or_endless_name_is_refused(void **state)
{
	char endless[600];
	struct name_op op;
	memset(endless, 'x', sizeof endless);
	endless[sizeof endless - 1] = '\0';
	assert_int_equal(name_run(rig(state), &op, NAME_ADD, ""), ERR_INVAL);
	assert_int_equal(name_run(rig(state), &op, NAME_ADD, endless), ERR_INVAL);
}

static bool add_name(void *arg, struct span name, struct account_id a)
{
	buf_put(arg, name);
	buf_putc(arg, ' ');
	return !span_eq(name, SPAN("stop"));
}

static void expect_list(struct rig *r, const char *after, size_t max, const char *want)
{
	struct buf b = { 0 };
	assert_int_equal(engine_list(r->engine, span_str(after), max, add_name, &b),
			 ERR_OK);
	assert_true(span_eq(buf_span(&b), span_str(want)));
	buf_done(&b);
}

static void names_are_listed_in_order_from_any_place(void **state)
{
	static const char *const names[] = { "zoe", "ann", "stop", "bob" };
	struct name_op op;
	expect_list(rig(state), "", 10, "");
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(name_run(rig(state), &op, NAME_ADD, names[i]), ERR_OK);
	expect_list(rig(state), "", 10, "ann bob stop ");
	expect_list(rig(state), "", 2, "ann bob ");
	expect_list(rig(state), "", 0, "");
	expect_list(rig(state), "ann", 1, "bob ");
	expect_list(rig(state), "b", 1, "bob ");
	expect_list(rig(state), "stop", 10, "zoe ");
	expect_list(rig(state), "zoe", 10, "");
}

static void names_added_by_many_at_once_are_made_once(void **state)
{
	enum { N = 50 };
	struct name_op *ops = calloc(N, sizeof *ops);
	enum err rc[N];
	int added = 0;
	for (int i = 0; i < N; i++) {
		ops[i].verb = NAME_ADD;
		ops[i].op = (struct op){ .home = &rig(state)->home.executor,
					 .done = name_done,
					 .owner = &rc[i],
					 .free = name_keep };
		snprintf(ops[i].name, sizeof ops[i].name, "name%d", i % 5);
		engine_name(rig(state)->engine, &ops[i]);
	}
	home_run(&rig(state)->home, N);
	for (int i = 0; i < N; i++) {
		assert_int_equal(rc[i], ERR_OK);
		added += ops[i].was_added;
		assert_memory_equal(ops[i].account.b, ops[i % 5].account.b, 16);
	}
	assert_int_equal(added, 5);
	free(ops);
}

int engine_suite_bodies(const char *name, CMFixtureFunction up, CMFixtureFunction down);

#define T(f)                                                                             \
	{                                                                                \
#f, f, up, down, NULL                                                    \
	}

int engine_suite_bodies(const char *name, CMFixtureFunction up, CMFixtureFunction down)
{
	const struct CMUnitTest tests[] = {
		T(bodies_of_any_size_come_back_in_any_range),
		T(a_dropped_body_is_gone_and_others_stay),
		T(a_body_is_its_accounts_alone),
		T(a_body_that_no_commit_keeps_is_not_there),
		T(body_ids_differ_and_sort_by_arrival),
		T(a_name_is_added_once_found_and_removed),
		T(an_empty_or_endless_name_is_refused),
		T(names_are_listed_in_order_from_any_place),
		T(names_added_by_many_at_once_are_made_once),
	};
	return _cmocka_run_group_tests(name, tests, sizeof tests / sizeof tests[0], NULL,
				       NULL);
}
