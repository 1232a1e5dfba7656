/* The event loop and its executor, on libuv. */
#include "net/loop_impl.h"

#include <signal.h>
#include <stdlib.h>

#include "base/arena.h"
#include "net/listener.h"
#include "net/stack.h"

static void post(struct executor *x, struct task *t)
{
	struct loop *l = TASK_OWNER(x, struct loop, executor);
	t->next = NULL;
	pthread_mutex_lock(&l->lock);
	bool was_empty = !l->head;
	*l->tail = t;
	l->tail = &t->next;
	/* the loop takes the whole queue at once, so the first one wakes it for all */
	if (was_empty && !l->is_ending)
		uv_async_send(&l->async);
	pthread_mutex_unlock(&l->lock);
}

/* Runs what was posted until now; false when that was nothing. */
static bool run_tasks(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	struct task *t = l->head;
	l->head = NULL;
	l->tail = &l->head;
	pthread_mutex_unlock(&l->lock);
	if (!t)
		return false;
	while (t) {
		struct task *next = t->next;
		t->next = NULL;
		t->run(t);
		t = next;
	}
	return true;
}

static void on_async(uv_async_t *a)
{
	struct loop *l = a->data;
	run_tasks(l);
	if (atomic_load(&l->is_stopping))
		uv_stop(&l->uv);
}

enum err net_loop_new(struct loop **ret_loop)
{
	struct loop *l = xcalloc(1, sizeof *l);
	if (uv_loop_init(&l->uv) != 0) {
		free(l);
		return ERR_LIMIT;
	}
	if (uv_async_init(&l->uv, &l->async, on_async) != 0) {
		uv_loop_close(&l->uv);
		free(l);
		return ERR_LIMIT;
	}
	uv_timer_init(&l->uv, &l->timer);
	l->async.data = l;
	l->timer.data = l;
	l->executor.post = post;
	l->tail = &l->head;
	pthread_mutex_init(&l->lock, NULL);
	wheel_init(l);
	*ret_loop = l;
	return ERR_OK;
}

static void close_rest(uv_handle_t *h, void *arg)
{
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

void net_loop_free(struct loop *l)
{
	if (!l)
		return;
	while (run_tasks(l))
		;
	while (l->stacks)
		net_abort(l->stacks);
	while (l->listeners)
		net_listener_close(l->listeners);
	pthread_mutex_lock(&l->lock);
	l->is_ending = true;
	pthread_mutex_unlock(&l->lock);
	uv_walk(&l->uv, close_rest, NULL);
	do {
		uv_run(&l->uv, UV_RUN_DEFAULT);
	} while (run_tasks(l) || uv_loop_alive(&l->uv));
	uv_loop_close(&l->uv);
	pthread_mutex_destroy(&l->lock);
	xfree_secret(l, sizeof *l);
}

static void enter(struct loop *l)
{
	atomic_store(&l->here, pthread_self());
	atomic_store(&l->is_running, true);
}

void net_loop_run(struct loop *l)
{
	enter(l);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	atomic_store(&l->is_stopping, false);
	atomic_store(&l->is_running, false);
}

void net_loop_turn(struct loop *l, bool wait)
{
	enter(l);
	l->is_turn = true;
	uv_run(&l->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
	l->is_turn = false;
	atomic_store(&l->is_running, false);
}

int net_loop_fd(const struct loop *l)
{
	return uv_backend_fd(&l->uv);
}

int net_loop_timeout_ms(struct loop *l)
{
	uv_update_time(&l->uv); /* it counts from there */
	return uv_backend_timeout(&l->uv);
}

static void *thread_main(void *arg)
{
	net_loop_run(arg);
	return NULL;
}

enum err net_loop_start(struct loop *l)
{
	/* signals are for the main thread */
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	l->has_thread = pthread_create(&l->thread, NULL, thread_main, l) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return l->has_thread ? ERR_OK : ERR_LIMIT;
}

void net_loop_join(struct loop *l)
{
	if (l->has_thread)
		pthread_join(l->thread, NULL);
	l->has_thread = false;
}

void net_loop_stop(struct loop *l)
{
	atomic_store(&l->is_stopping, true);
	uv_async_send(&l->async);
}

struct executor *net_loop_executor(struct loop *l)
{
	return &l->executor;
}

bool net_loop_is_here(const struct loop *l)
{
	return !atomic_load(&l->is_running) ||
	       pthread_equal(atomic_load(&l->here), pthread_self());
}

struct uv_loop_s *net_loop_uv(struct loop *l)
{
	return &l->uv;
}
