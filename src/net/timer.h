/*
 * Timers, in one wheel a loop. They are part of their owner's block: starting
 * allocates nothing, stopping is immediate, and a stopped timer never fires.
 */
#ifndef NET_TIMER_H
#define NET_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

/* `{0}` is a timer that does not run. */
struct net_timer {
	struct net_timer *next, **link; /* link NULL: not running */
	uint64_t due_ms;		/* since the loop was made */
	void (*fn)(void *arg);
	void *arg;
};

/*
 * Calls fn(arg) once on the loop, `ms` milliseconds from now at the earliest
 * (0 counts as 1). A running timer is started anew. fn may start or stop any
 * timer, and free the block that holds this one.
 */
void net_timer_start(struct loop *l, struct net_timer *t, uint64_t ms,
		     void (*fn)(void *arg), void *arg);
/* Fine for one that does not run. */
void net_timer_stop(struct net_timer *t);

static inline bool net_timer_is_running(const struct net_timer *t)
{
	return t->link != NULL;
}

#endif
