/* The worker pool and the end of an operation. */
#include "base/task.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/arena.h"

struct workers {
	struct executor executor;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct task *head, **tail;
	unsigned n_idle;
	bool is_waking; /* an idle one was called and has not come yet */
	bool is_stopping;
	unsigned n;
	pthread_t threads[];
};

/* With the lock held; true: signal when it is not held any more, lest the called one
 * comes just to wait for it. One is called at a time, and calls the next. */
static bool must_call(struct workers *w)
{
	if (!w->head || !w->n_idle || w->is_waking)
		return false;
	w->is_waking = true;
	return true;
}

static void post(struct executor *x, struct task *t)
{
	struct workers *w = TASK_OWNER(x, struct workers, executor);
	t->next = NULL;
	pthread_mutex_lock(&w->lock);
	*w->tail = t;
	w->tail = &t->next;
	bool must = must_call(w);
	pthread_mutex_unlock(&w->lock);
	if (must)
		pthread_cond_signal(&w->wake);
}

/* The next task; NULL when all is done and the pool is stopping. */
static struct task *next_task(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	while (!w->head && !w->is_stopping) {
		w->n_idle++;
		pthread_cond_wait(&w->wake, &w->lock);
		w->n_idle--;
		w->is_waking = false;
	}
	struct task *t = w->head;
	if (t) {
		w->head = t->next;
		if (!w->head)
			w->tail = &w->head;
		t->next = NULL;
	}
	bool must = must_call(w);
	pthread_mutex_unlock(&w->lock);
	if (must)
		pthread_cond_signal(&w->wake);
	return t;
}

static void *work(void *arg)
{
	struct task *t;
	while ((t = next_task(arg)))
		t->run(t);
	return NULL;
}

struct workers *workers_new(unsigned n)
{
	if (n == 0)
		n = 1;
	struct workers *w = xcalloc(1, sizeof *w + n * sizeof w->threads[0]);
	w->executor.post = post;
	w->tail = &w->head;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);

	/* signals are for the main thread */
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (w->n < n && pthread_create(&w->threads[w->n], NULL, work, w) == 0)
		w->n++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (w->n == 0) {
		workers_free(w);
		return NULL;
	}
	return w;
}

struct executor *workers_executor(struct workers *w)
{
	return &w->executor;
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->is_stopping = true;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->n; i++)
		pthread_join(w->threads[i], NULL);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void complete(struct task *t)
{
	struct op *op = TASK_OWNER(t, struct op, task);
	if (op->owner)
		op->done(op, op->owner);
	op->free(op);
}

void op_finish(struct op *op, enum err rc)
{
	op->rc = rc;
	op->task.run = complete;
	executor_post(op->home, &op->task);
}

void op_orphan(struct op *op)
{
	op->owner = NULL;
}
