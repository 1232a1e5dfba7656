/* The worker pool, and operations whose owner may go away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/task.h"

enum { TASKS = 5000 };

struct counted {
	struct task task;
	atomic_uint *sum;
};

static void count(struct task *t)
{
	atomic_fetch_add(TASK_OWNER(t, struct counted, task)->sum, 1);
}

static void all_that_was_posted_runs_before_free_returns(void **state)
{
	atomic_uint sum = 0;
	struct counted *c = xcalloc(TASKS, sizeof *c);
	struct workers *w = workers_new(4);
	for (int i = 0; i < TASKS; i++) {
		c[i] = (struct counted){ { .run = count }, &sum };
		executor_post(workers_executor(w), &c[i].task);
	}
	workers_free(w);
	assert_int_equal(sum, TASKS);
	free(c);
}

struct numbered {
	struct task task;
	int number, *last;
};

static void follows(struct task *t)
{
	struct numbered *n = TASK_OWNER(t, struct numbered, task);
	if (*n->last == n->number - 1)
		*n->last = n->number;
}

static void one_worker_keeps_the_order(void **state)
{
	int last = 0;
	struct numbered *n = xcalloc(TASKS, sizeof *n);
	struct workers *w = workers_new(1);
	for (int i = 0; i < TASKS; i++) {
		n[i] = (struct numbered){ { .run = follows }, i + 1, &last };
		executor_post(workers_executor(w), &n[i].task);
	}
	workers_free(w);
	assert_int_equal(last, TASKS);
	free(n);
	workers_free(NULL);
}

/* A home loop: tasks wait in a list until turn(). */
struct home {
	struct executor x;
	pthread_mutex_t lock;
	struct task *head, **tail;
};

static void home_post(struct executor *x, struct task *t)
{
	struct home *h = TASK_OWNER(x, struct home, x);
	pthread_mutex_lock(&h->lock);
	t->next = NULL;
	*h->tail = t;
	h->tail = &t->next;
	pthread_mutex_unlock(&h->lock);
}

static void turn(struct home *h)
{
	while (h->head) {
		struct task *t = h->head;
		h->head = t->next;
		if (!h->head)
			h->tail = &h->head;
		t->run(t);
	}
}

struct square {
	struct op op;
	int in, out;
	int *freed;
};

static void compute(struct task *t)
{
	struct square *s = TASK_OWNER(t, struct square, op.task);
	s->out = s->in * s->in;
	op_finish(&s->op, s->in < 0 ? ERR_INVAL : ERR_OK);
}

static void take(struct op *op, void *owner)
{
	*(int *)owner = op->rc == ERR_OK ? TASK_OWNER(op, struct square, op)->out : -1;
}

static void square_free(struct op *op)
{
	struct square *s = TASK_OWNER(op, struct square, op);
	(*s->freed)++;
	free(s);
}

static struct square *square_new(struct home *h, int in, int *owner, int *freed)
{
	struct square *s = xcalloc(1, sizeof *s);
	s->op = (struct op){ .task.run = compute,
			     .home = &h->x,
			     .done = take,
			     .owner = owner,
			     .free = square_free };
	s->in = in;
	s->freed = freed;
	return s;
}

static void an_operation_tells_its_owner_once_and_is_freed(void **state)
{
	struct home h = { { home_post }, PTHREAD_MUTEX_INITIALIZER, NULL, &h.head };
	int good = 0, bad = 0, freed = 0;
	struct workers *w = workers_new(2);
	executor_post(workers_executor(w), &square_new(&h, 7, &good, &freed)->op.task);
	executor_post(workers_executor(w), &square_new(&h, -7, &bad, &freed)->op.task);
	workers_free(w);
	assert_int_equal(good, 0);
	turn(&h);
	assert_int_equal(good, 49);
	assert_int_equal(bad, -1);
	assert_int_equal(freed, 2);
}

static void an_orphan_is_freed_unread(void **state)
{
	struct home h = { { home_post }, PTHREAD_MUTEX_INITIALIZER, NULL, &h.head };
	int early = 5, late = 5, freed = 0;
	struct square *a = square_new(&h, 7, &early, &freed);
	struct square *b = square_new(&h, 7, &late, &freed);
	struct workers *w = workers_new(2);
	executor_post(workers_executor(w), &a->op.task);
	executor_post(workers_executor(w), &b->op.task);
	op_orphan(&a->op); /* maybe while it runs: only the home reads the owner */
	workers_free(w);
	op_orphan(&b->op); /* finished, not told yet */
	turn(&h);
	assert_int_equal(early, 5);
	assert_int_equal(late, 5);
	assert_int_equal(freed, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_was_posted_runs_before_free_returns),
		cmocka_unit_test(one_worker_keeps_the_order),
		cmocka_unit_test(an_operation_tells_its_owner_once_and_is_freed),
		cmocka_unit_test(an_orphan_is_freed_unread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
