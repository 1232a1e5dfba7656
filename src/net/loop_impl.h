/* Inside of a loop, for net/ alone. */
#ifndef NET_LOOP_IMPL_H
#define NET_LOOP_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "net/loop.h"

enum {
	WHEEL_BITS = 6,
	WHEEL_SLOTS = 1 << WHEEL_BITS,
	WHEEL_LEVELS = 7, /* 64^7 ms are 139 years */
	LOOP_SCRATCH = 32768,
};

struct wheel {
	uint64_t now_ms, base_ms; /* what was handled; the clock when the loop was made */
	uint64_t armed_ms;	  /* when uv_timer fires; UINT64_MAX: not armed */
	uint64_t used[WHEEL_LEVELS]; /* a bit a slot that may hold timers */
	struct net_timer *slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

struct loop {
	uv_loop_t uv;
	uv_async_t async;
	uv_timer_t timer;
	struct wheel wheel;
	struct executor executor;
	pthread_mutex_t lock; /* guards the queue and is_ending */
	struct task *head, **tail;
	bool is_ending; /* the async handle is closing */
	atomic_bool is_stopping;
	_Atomic(pthread_t) here; /* the thread that runs it */
	atomic_bool is_running;
	pthread_t thread;
	bool has_thread;
	bool is_turn; /* net_loop_turn() */
	struct net_stack *stacks;	/* all that were not freed yet */
	struct net_listener *listeners; /* all that are open */
	char scratch[LOOP_SCRATCH]; /* for one recv(2); no stack keeps a buffer for it */
};

void wheel_init(struct loop *l);
/* Calls what is due and arms uv's timer for the next. */
void wheel_turn(struct loop *l);

#endif
