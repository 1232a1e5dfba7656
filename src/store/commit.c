/*
 * The commit thread and its helper: one syncs the rows, the other the bodies,
 * at the same time. A sync that failed has lost what nobody can name
 * (fsync(2) reports it once): the process ends, and nothing is acknowledged.
 */
#include "store/commit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"

struct group {
	struct task *head, **tail;
	unsigned what; /* COMMIT_* of all its members */
	uint64_t ticket;
};

struct commit {
	struct commit_config config;
	atomic_uint_least64_t durable; /* and told */
	pthread_mutex_t lock;	       /* guards what follows */
	pthread_cond_t wake;
	struct group next;
	uint64_t ticket;
	bool is_stopping;
	bool is_asleep;  /* the commit thread, and nobody has called it yet */
	bool is_ticking; /* these two: the commit thread's */
	uint64_t next_tick_us;
	struct { /* the helper, which syncs bodies */
		pthread_cond_t wake, done;
		bool is_wanted, is_stopping;
		enum err rc;
		struct buf why;
	} bodies;
	pthread_t thread, bodies_thread;
};

static void group_init(struct group *g)
{
	*g = (struct group){ 0 };
	g->tail = &g->head;
}

static void group_add(struct group *g, struct task *t)
{
	t->next = NULL;
	*g->tail = t;
	g->tail = &t->next;
}

static void *bodies_main(void *arg)
{
	struct commit *c = arg;
	pthread_mutex_lock(&c->lock);
	for (;;) {
		while (!c->bodies.is_wanted && !c->bodies.is_stopping)
			pthread_cond_wait(&c->bodies.wake, &c->lock);
		if (!c->bodies.is_wanted)
			break;
		pthread_mutex_unlock(&c->lock);
		enum err rc = c->config.sync_bodies(c->config.arg, &c->bodies.why);
		pthread_mutex_lock(&c->lock);
		c->bodies.rc = rc;
		c->bodies.is_wanted = false;
		pthread_cond_signal(&c->bodies.done);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static void bodies_start(struct commit *c)
{
	pthread_mutex_lock(&c->lock);
	c->bodies.is_wanted = true;
	pthread_mutex_unlock(&c->lock);
	pthread_cond_signal(&c->bodies.wake);
}

static enum err bodies_finish(struct commit *c)
{
	pthread_mutex_lock(&c->lock);
	while (c->bodies.is_wanted)
		pthread_cond_wait(&c->bodies.done, &c->lock);
	enum err rc = c->bodies.rc;
	pthread_mutex_unlock(&c->lock);
	return rc;
}

_Noreturn static void die(struct commit *c, const char *what, struct buf *why)
{
	struct buf sentence = { 0 };
	struct span w = buf_span(why);
	buf_printf(&sentence,
		   "cannot make %s durable: %.*s; nothing more is acknowledged. "
		   "See to the device, then start again",
		   what, (int)w.n, w.p);
	buf_putc(&sentence, '\0');
	if (c->config.fatal)
		c->config.fatal(c->config.fatal_arg, buf_span(&sentence).p);
	_exit(71); /* no abort(): a core file would hold everybody's mail */
}

static void make_durable(struct commit *c, unsigned what)
{
	struct buf why = { 0 };
	bool has_bodies = (what & COMMIT_BODIES) && c->config.sync_bodies;
	if (has_bodies)
		bodies_start(c);
	enum err rc = ERR_OK;
	if ((what & COMMIT_ROWS) && c->config.sync_rows)
		rc = c->config.sync_rows(c->config.arg, &why);
	if (has_bodies && bodies_finish(c) != ERR_OK)
		die(c, "message bodies", &c->bodies.why);
	if (rc != ERR_OK)
		die(c, "the index", &why);
	buf_done(&why);
}

static void tell(struct group *g)
{
	for (struct task *t = g->head, *next; t; t = next) {
		next = t->next; /* `run` gives the task away */
		t->run(t);
	}
}

/* With the lock held. False when it is time for a tick. */
static bool sleep_a_while(struct commit *c)
{
	c->is_asleep = true;
	if (!c->is_ticking) {
		pthread_cond_wait(&c->wake, &c->lock);
		return true;
	}
	const struct timespec until = { (time_t)(c->next_tick_us / 1000000),
					(long)(c->next_tick_us % 1000000) * 1000 };
	return pthread_cond_timedwait(&c->wake, &c->lock, &until) == 0;
}

/* False when there is nothing more and there will not be. Empty: only a tick is due. */
static bool take_group(struct commit *c, struct group *g)
{
	pthread_mutex_lock(&c->lock);
	while (!c->next.head && !c->is_stopping && sleep_a_while(c))
		;
	c->is_asleep = false;
	bool is_over = !c->next.head && c->is_stopping;
	*g = c->next;
	group_init(&c->next);
	pthread_mutex_unlock(&c->lock);
	return !is_over;
}

static void tick(struct commit *c, bool is_idle)
{
	uint64_t now = clock_mono_us();
	c->is_ticking = c->config.tick && (c->is_ticking || !is_idle);
	if (!c->is_ticking || now < c->next_tick_us)
		return;
	struct buf why = { 0 };
	c->is_ticking = false;
	if (c->config.tick(c->config.arg, is_idle, &c->is_ticking, &why) != ERR_OK)
		die(c, "the index", &why);
	buf_done(&why);
	c->next_tick_us = now + (uint64_t)c->config.tick_ms * 1000;
}

static void *commit_main(void *arg)
{
	struct commit *c = arg;
	struct group g;
	while (take_group(c, &g)) {
		if (g.what)
			make_durable(c, g.what);
		tell(&g);
		/* Only now: who finds its ticket durable completes at once,
		 * and must not overtake what was added before. */
		if (g.ticket)
			atomic_store_explicit(&c->durable, g.ticket,
					      memory_order_release);
		tick(c, !g.head);
	}
	return NULL;
}

uint64_t commit_add(struct commit *c, struct task *t, unsigned what)
{
	pthread_mutex_lock(&c->lock);
	group_add(&c->next, t);
	c->next.what |= what;
	uint64_t ticket = c->next.ticket = ++c->ticket;
	bool must_wake = c->is_asleep;
	c->is_asleep = false;
	pthread_mutex_unlock(&c->lock);
	if (must_wake)
		pthread_cond_signal(&c->wake);
	return ticket;
}

void commit_wait(struct commit *c, struct task *t, uint64_t ticket)
{
	if (ticket <= atomic_load_explicit(&c->durable, memory_order_acquire)) {
		t->run(t);
		return;
	}
	/* The writer stands before it, in this group or one under way. */
	pthread_mutex_lock(&c->lock);
	group_add(&c->next, t);
	bool must_wake = c->is_asleep;
	c->is_asleep = false;
	pthread_mutex_unlock(&c->lock);
	if (must_wake)
		pthread_cond_signal(&c->wake);
}

static void stop_bodies(struct commit *c)
{
	pthread_mutex_lock(&c->lock);
	c->bodies.is_stopping = true;
	pthread_cond_signal(&c->bodies.wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->bodies_thread, NULL);
}

static void release(struct commit *c)
{
	pthread_cond_destroy(&c->wake);
	pthread_cond_destroy(&c->bodies.wake);
	pthread_cond_destroy(&c->bodies.done);
	pthread_mutex_destroy(&c->lock);
	buf_done(&c->bodies.why);
	free(c);
}

struct commit *commit_new(const struct commit_config *config)
{
	struct commit *c = xcalloc(1, sizeof *c);
	c->config = *config;
	group_init(&c->next);
	pthread_mutex_init(&c->lock, NULL);
	c->is_ticking = config->tick != NULL;
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&c->bodies.wake, NULL);
	pthread_cond_init(&c->bodies.done, NULL);

	/* signals are for the main thread */
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	bool has_bodies = pthread_create(&c->bodies_thread, NULL, bodies_main, c) == 0;
	bool has_both = has_bodies &&
			pthread_create(&c->thread, NULL, commit_main, c) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (has_both)
		return c;
	if (has_bodies)
		stop_bodies(c);
	release(c);
	return NULL;
}

void commit_free(struct commit *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->is_stopping = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	stop_bodies(c);
	release(c);
}
