/* Loops, their executors and timers. Also runs under ThreadSanitizer. */
#include "help.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"

enum { POSTERS = 4, TASKS = 3000 };

struct note {
	struct task task;
	unsigned poster, number;
	unsigned *last; /* of each poster */
	unsigned *sum;
	bool *is_wrong;
};

static void note_run(struct task *t)
{
	struct note *n = TASK_OWNER(t, struct note, task);
	if (n->number != n->last[n->poster] + 1)
		*n->is_wrong = true;
	n->last[n->poster] = n->number;
	(*n->sum)++;
}

struct poster {
	struct loop *loop;
	struct note *notes;
};

static void *post_all(void *arg)
{
	struct poster *p = arg;
	for (int i = 0; i < TASKS; i++)
		executor_post(net_loop_executor(p->loop), &p->notes[i].task);
	return NULL;
}

static void tasks_of_many_threads_run_in_the_order_each_posted(void **state)
{
	struct loop *l = loop_make();
	pthread_t threads[POSTERS];
	struct poster posters[POSTERS];
	unsigned last[POSTERS] = { 0 }, sum = 0;
	bool is_wrong = false;
	assert_int_equal(net_loop_start(l), ERR_OK);
	for (unsigned p = 0; p < POSTERS; p++) {
		posters[p] = (struct poster){ l, xcalloc(TASKS, sizeof(struct note)) };
		for (unsigned i = 0; i < TASKS; i++)
			posters[p].notes[i] = (struct note){
				{ .run = note_run }, p, i + 1, last, &sum, &is_wrong
			};
		pthread_create(&threads[p], NULL, post_all, &posters[p]);
	}
	for (unsigned p = 0; p < POSTERS; p++)
		pthread_join(threads[p], NULL);
	net_loop_stop(l);
	net_loop_join(l);
	net_loop_free(l); /* runs what the stop overtook */
	assert_int_equal(sum, POSTERS * TASKS);
	assert_false(is_wrong);
	for (unsigned p = 0; p < POSTERS; p++)
		free(posters[p].notes);
}

struct again {
	struct task task;
	struct loop *loop;
	int left;
	bool was_here;
};

static void again_run(struct task *t)
{
	struct again *a = TASK_OWNER(t, struct again, task);
	a->was_here = net_loop_is_here(a->loop);
	if (--a->left)
		executor_post(net_loop_executor(a->loop), t);
	else
		net_loop_stop(a->loop);
}

static void a_task_may_post_itself_again(void **state)
{
	struct loop *l = loop_make();
	struct again a = { { .run = again_run }, l, 10, false };
	executor_post(net_loop_executor(l), &a.task);
	net_loop_start(l);
	net_loop_join(l);
	assert_int_equal(a.left, 0);
	assert_true(a.was_here);
	net_loop_free(l);
}

static void a_loop_that_was_stopped_before_returns_at_once(void **state)
{
	struct loop *l = loop_make();
	net_loop_stop(l);
	net_loop_run(l);
	net_loop_free(l);
	net_loop_free(NULL);
}

/* --- timers -------------------------------------------------------------- */

struct alarm {
	struct net_timer timer;
	uint64_t due_ms, rang_ms;
	int n;
};

static void ring(void *arg)
{
	struct alarm *a = arg;
	a->rang_ms = clock_mono_ms();
	a->n++;
}

static void start(struct loop *l, struct alarm *a, uint64_t ms)
{
	a->due_ms = clock_mono_ms() + ms;
	net_timer_start(l, &a->timer, ms, ring, a);
}

static void timers_ring_once_in_time_and_never_early(void **state)
{
	static const uint64_t ms[] = { 0,  1,  2,   3,	 20,  63,  64,
				       65, 66, 120, 127, 128, 129, 150 };
	enum { N = sizeof ms / sizeof *ms };
	struct loop *l = loop_make();
	struct alarm a[N] = { 0 };
	for (int i = N - 1; i >= 0; i--)
		start(l, &a[i], ms[i]);
	UNTIL(l, a[N - 1].n);
	settle(l);
	for (int i = 0; i < N; i++) {
		assert_int_equal(a[i].n, 1);
		assert_true(a[i].rang_ms >= a[i].due_ms);
		if (i)
			assert_true(a[i].rang_ms >= a[i - 1].rang_ms);
		assert_false(net_timer_is_running(&a[i].timer));
	}
	net_loop_free(l);
}

static void a_stopped_timer_never_rings(void **state)
{
	struct loop *l = loop_make();
	struct alarm never = { 0 }, once = { 0 }, zero = { 0 };
	net_timer_stop(&zero.timer);
	start(l, &never, 5);
	start(l, &once, 5);
	start(l, &once, 30);
	net_timer_stop(&never.timer);
	UNTIL(l, once.n);
	assert_true(once.rang_ms >= once.due_ms);
	assert_int_equal(never.n, 0);
	net_loop_free(l);
}

struct chain {
	struct net_timer timer;
	struct loop *loop;
	struct chain *victim;
	int left;
};

static void chain_ring(void *arg)
{
	struct chain *c = arg;
	if (c->victim) {
		net_timer_stop(&c->victim->timer);
		free(c->victim);
		c->victim = NULL;
	}
	if (--c->left)
		net_timer_start(c->loop, &c->timer, 1, chain_ring, c);
}

static void a_timer_may_restart_itself_and_free_another(void **state)
{
	struct loop *l = loop_make();
	struct chain *victim = xcalloc(1, sizeof *victim);
	struct chain c = { .loop = l, .victim = victim, .left = 5 };
	net_timer_start(l, &victim->timer, 1000, chain_ring, victim);
	net_timer_start(l, &c.timer, 1, chain_ring, &c);
	UNTIL(l, c.left == 0);
	net_loop_free(l);
}

static void random_timers_ring_in_the_order_due(void **state)
{
	enum { N = 2000 };
	struct loop *l = loop_make();
	struct alarm *a = xcalloc(N, sizeof *a);
	int want = 0, got = 0;
	srandom(3);
	for (int i = 0; i < N; i++)
		start(l, &a[i], (uint64_t)random() % 300);
	for (int i = 0; i < N / 2; i++) {
		struct alarm *x = &a[random() % N];
		if (random() % 2)
			net_timer_stop(&x->timer);
		else
			start(l, x, (uint64_t)random() % 400);
	}
	for (int i = 0; i < N; i++)
		want += net_timer_is_running(&a[i].timer);
	uint64_t end = clock_mono_ms() + 500;
	UNTIL(l, clock_mono_ms() > end);
	for (int i = 0; i < N; i++) {
		got += a[i].n;
		assert_true(a[i].n <= 1);
		assert_true(a[i].n == 0 || a[i].rang_ms >= a[i].due_ms);
	}
	assert_int_equal(got, want);
	free(a);
	net_loop_free(l);
}

static void far_timers_do_not_ring_now(void **state)
{
	struct loop *l = loop_make();
	struct alarm half_hour = { 0 }, century = { 0 }, forever = { 0 };
	start(l, &half_hour, 1800000);
	start(l, &century, (uint64_t)3155760000000);
	net_timer_start(l, &forever.timer, UINT64_MAX, ring, &forever);
	settle(l);
	assert_int_equal(half_hour.n + century.n + forever.n, 0);
	assert_true(net_timer_is_running(&half_hour.timer));
	net_timer_stop(&half_hour.timer);
	net_timer_stop(&century.timer);
	net_timer_stop(&forever.timer);
	net_loop_free(l);
}

/* As on a machine that is busy elsewhere between the two calls. */
static void a_turn_does_not_wait_behind_a_timer_that_was_due(void **state)
{
	struct loop *l = loop_make();
	struct alarm due = { 0 }, later = { 0 };
	start(l, &later, 3000);
	start(l, &due, 1);
	uint64_t before = clock_mono_ms();
	while (clock_mono_ms() < before + 20)
		;
	net_loop_turn(l, true);
	assert_int_equal(due.n, 1);
	assert_true(clock_mono_ms() < before + 2000);
	net_timer_stop(&later.timer);
	net_loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_of_many_threads_run_in_the_order_each_posted),
		cmocka_unit_test(a_task_may_post_itself_again),
		cmocka_unit_test(a_loop_that_was_stopped_before_returns_at_once),
		cmocka_unit_test(timers_ring_once_in_time_and_never_early),
		cmocka_unit_test(a_stopped_timer_never_rings),
		cmocka_unit_test(a_timer_may_restart_itself_and_free_another),
		cmocka_unit_test(random_timers_ring_in_the_order_due),
		cmocka_unit_test(far_timers_do_not_ring_now),
		cmocka_unit_test(a_turn_does_not_wait_behind_a_timer_that_was_due),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
