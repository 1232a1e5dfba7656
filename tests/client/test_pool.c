/* The pool (mailstile.h), rule C8; many threads, run under TSan by ./test. */
#include "host.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct host_rule rules[] = {
	HOST_UNAUTH,
	HOST_LOGIN,
	{ .want = "SELECT", .say = "* 3 EXISTS\r\n$T OK [READ-WRITE] for $U\r\n" },
	{ .want = "SILENT" },
	{ 0 },
};

static struct mailstile_pool *pool_of(unsigned connections, uint32_t wait_ms)
{
	struct mailstile_pool_options o = MAILSTILE_POOL_OPTIONS;

	o.connections = connections;
	o.wait_ms = wait_ms;
	return mailstile_pool_new(&o);
}

static struct mailstile *take(struct mailstile_pool *p, struct mailstile_options *o,
			      const char *user, enum mailstile_how want)
{
	struct mailstile *m = NULL;
	enum mailstile_how how;
	char why[200] = "";

	if (mailstile_pool_take(p, o, user, &m, &how, why, sizeof why) != MAILSTILE_OK)
		fail_msg("%s: %s", user, why);
	assert_int_equal(how, want);
	assert_string_equal(mailstile_user(m), user);
	return m;
}

static void one_connection_serves_user_after_user(void **state)
{
	struct host h = { 0 };
	struct mailstile_options o = host_options(&h), other;
	struct mailstile_pool *p = pool_of(4, 1000);
	struct mailstile_pool_stats s;

	host_start(&h, rules);
	mailstile_pool_give(p, take(p, &o, "alice", MAILSTILE_CONNECTED));
	mailstile_pool_give(p, take(p, &o, "bob", MAILSTILE_SWITCHED));
	/* A fresh login for the same user: nothing of the last taker's shows. */
	mailstile_pool_give(p, take(p, &o, "bob", MAILSTILE_SWITCHED));
	assert_int_equal(h.connections, 1);
	/* Another credential never meets it. */
	other = o;
	other.password = "other";
	mailstile_pool_give(p, take(p, &other, "bob", MAILSTILE_CONNECTED));
	mailstile_pool_stats(p, &s, sizeof s);
	assert_int_equal(s.idle, 2);
	assert_int_equal(s.taken, 4);
	assert_int_equal(s.made, 2);
	mailstile_pool_free(p);
	host_end(&h);
}

static void a_login_may_be_kept_for_its_user(void **state)
{
	struct host h = { 0 };
	struct mailstile_options o = host_options(&h);
	struct mailstile_pool_options po = MAILSTILE_POOL_OPTIONS;
	struct mailstile_pool *p;
	struct mailstile *a, *b;

	host_start(&h, rules);
	po.keep_login = true;
	p = mailstile_pool_new(&po);
	a = take(p, &o, "alice", MAILSTILE_CONNECTED);
	b = take(p, &o, "bob", MAILSTILE_CONNECTED);
	mailstile_pool_give(p, a);
	mailstile_pool_give(p, b);
	assert_ptr_equal(take(p, &o, "alice", MAILSTILE_SAME), a);
	mailstile_pool_give(p, a);
	mailstile_pool_free(p);
	host_end(&h);
}

static void what_is_in_use_is_limited_and_the_oldest_idle_one_makes_room(void **state)
{
	struct host h = { 0 };
	struct mailstile_options o = host_options(&h), other;
	struct mailstile_pool *p = pool_of(1, 30);
	struct mailstile *m, *none = NULL;
	char why[200];

	host_start(&h, rules);
	m = take(p, &o, "alice", MAILSTILE_CONNECTED);
	assert_int_equal(mailstile_pool_take(p, &o, "bob", &none, NULL, why, sizeof why),
			 MAILSTILE_LIMIT);
	assert_null(none);
	assert_string_equal(why, "all connections of the pool are in use");
	mailstile_pool_give(p, m);
	other = o;
	other.login = "admin";
	mailstile_pool_give(p, take(p, &other, "bob", MAILSTILE_CONNECTED));
	assert_int_equal(h.connections, 2);
	mailstile_pool_free(p);
	host_end(&h);
}

static void what_is_not_clean_is_not_kept(void **state)
{
	static const struct mailstile_calls calls = { 0 };
	struct host h = { 0 };
	struct mailstile_options o = host_options(&h);
	struct mailstile_pool *p = pool_of(2, 1000);
	struct mailstile_command *cmd;
	struct mailstile *m;

	host_start(&h, rules);
	m = take(p, &o, "alice", MAILSTILE_CONNECTED);
	cmd = mailstile_command(m);
	mailstile_put(cmd, "NOOP"); /* and never sent */
	mailstile_pool_give(p, m);
	m = take(p, &o, "alice", MAILSTILE_CONNECTED);
	mailstile_cut(m);
	mailstile_step(m);
	usleep(5000);
	mailstile_step(m);
	mailstile_pool_give(p, m);
	m = take(p, &o, "alice", MAILSTILE_CONNECTED);
	cmd = mailstile_command(m);
	assert_int_equal(mailstile_send(cmd, &calls, NULL), MAILSTILE_INVALID);
	mailstile_pool_give(p, m); /* that left nothing */
	take(p, &o, "bob", MAILSTILE_SWITCHED);
	mailstile_pool_free(p);
	mailstile_pool_give(p, m); /* the last one ends the pool */
	host_end(&h);
}

static void age_and_users_end_a_connection(void **state)
{
	struct host h = { 0 };
	struct mailstile_options o = host_options(&h);
	struct mailstile_pool_options po = MAILSTILE_POOL_OPTIONS;
	struct mailstile_pool *p;

	host_start(&h, rules);
	po.users = 2;
	po.idle_ms = 40;
	p = mailstile_pool_new(&po);
	mailstile_pool_give(p, take(p, &o, "alice", MAILSTILE_CONNECTED));
	mailstile_pool_give(p, take(p, &o, "bob", MAILSTILE_SWITCHED));
	mailstile_pool_give(p, take(p, &o, "carol", MAILSTILE_CONNECTED));
	usleep(80000);
	mailstile_pool_give(p, take(p, &o, "dave", MAILSTILE_CONNECTED));
	assert_int_equal(h.connections, 3);
	mailstile_pool_free(p);
	host_end(&h);
}

static void a_connection_that_died_idle_is_replaced_unseen(void **state)
{
	static const struct host_rule dying[] = {
		HOST_LOGIN,
		{ .want = "NOOP", .say = "$T OK\r\n* BYE tired\r\n", .is_end = true },
		{ 0 },
	};
	struct host h = { 0 };
	struct mailstile_options o = host_options(&h);
	struct mailstile_pool *p = pool_of(2, 1000);
	struct mailstile *m;

	host_start(&h, dying);
	m = take(p, &o, "alice", MAILSTILE_CONNECTED);
	assert_int_equal(mailstile_runf(m, NULL, "NOOP"), MAILSTILE_OK);
	mailstile_pool_give(p, m);
	usleep(20000);
	m = NULL;
	assert_int_equal(mailstile_pool_take(p, &o, "bob", &m, NULL, NULL, 0),
			 MAILSTILE_OK);
	assert_string_equal(mailstile_user(m), "bob");
	mailstile_pool_give(p, m);
	mailstile_pool_free(p);
	host_end(&h);
}

static void a_refused_user_costs_nobody_else_anything(void **state)
{
	static const struct host_rule picky[] = {
		HOST_UNAUTH,
		{ .want = "AUTHENTICATE PLAIN Ym9i", .say = "$T NO not bob\r\n" },
		HOST_LOGIN,
		{ 0 },
	};
	struct host h = { 0 };
	struct mailstile_options o = host_options(&h);
	struct mailstile_pool *p = pool_of(1, 1000);
	struct mailstile *m = NULL;
	char why[64];

	host_start(&h, picky);
	mailstile_pool_give(p, take(p, &o, "alice", MAILSTILE_CONNECTED));
	assert_int_equal(mailstile_pool_take(p, &o, "bob", &m, NULL, why, sizeof why),
			 MAILSTILE_REFUSED);
	assert_string_equal(why, "not bob");
	assert_null(m);
	mailstile_pool_give(p, take(p, &o, "alice", MAILSTILE_CONNECTED));
	mailstile_pool_free(p);
	host_end(&h);
}

/* --- threads ---------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 30 };

struct worker {
	pthread_t thread;
	struct mailstile_pool *pool;
	struct mailstile_options *o;
	unsigned number, bad;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	char user[16], want[32];

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct mailstile *m = NULL;
		struct mailstile_reply *r;

		snprintf(user, sizeof user, "user%u", (w->number + i) % 11);
		snprintf(want, sizeof want, "for %s", user);
		if (mailstile_pool_take(w->pool, w->o, user, &m, NULL, NULL, 0) !=
		    MAILSTILE_OK) {
			w->bad++;
			continue;
		}
		/* The server says whom it thinks it serves. */
		w->bad += mailstile_runf(m, &r, "SELECT %m", user) != MAILSTILE_OK ||
			  strcmp(r->text, want) != 0;
		mailstile_reply_free(r);
		mailstile_pool_give(w->pool, m);
	}
	return NULL;
}

static void many_threads_share_few_connections(void **state)
{
	struct host h = { 0 };
	struct mailstile_options o = host_options(&h);
	struct mailstile_pool *p = pool_of(3, 60000);
	struct worker w[THREADS];
	struct mailstile_pool_stats s;

	host_start(&h, rules);
	for (unsigned i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ .pool = p, .o = &o, .number = i };
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].bad, 0);
	}
	mailstile_pool_stats(p, &s, sizeof s);
	assert_int_equal(s.taken, THREADS * ROUNDS);
	assert_int_equal(s.in_use, 0);
	assert_true(s.idle <= 3);
	mailstile_pool_free(p);
	assert_true(h.connections <= 3);
	host_end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_connection_serves_user_after_user),
		cmocka_unit_test(a_login_may_be_kept_for_its_user),
		cmocka_unit_test(
		    what_is_in_use_is_limited_and_the_oldest_idle_one_makes_room),
		cmocka_unit_test(what_is_not_clean_is_not_kept),
		cmocka_unit_test(age_and_users_end_a_connection),
		cmocka_unit_test(a_connection_that_died_idle_is_replaced_unseen),
		cmocka_unit_test(a_refused_user_costs_nobody_else_anything),
		cmocka_unit_test(many_threads_share_few_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
