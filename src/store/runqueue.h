/*
 * The run queue: a worker takes an account, not a job, and runs the ops that
 * wait there in the order they were started. An account has memory only while
 * ops of it wait or run, whatever the number of accounts in the store.
 */
#ifndef STORE_RUNQUEUE_H
#define STORE_RUNQUEUE_H

#include "store/engine.h"

struct runqueue;

/* `run` does one op, on a worker, alone in its account. */
struct runqueue *runqueue_new(struct engine *e,
			      void (*run)(struct engine *, struct engine_op *));
/* When nothing is under way; NULL is fine. */
void runqueue_free(struct runqueue *q);
void runqueue_add(struct runqueue *q, struct engine_op *op);

/*
 * The ticket of an account's last write, or a later one (accounts share slots,
 * so that this too stays small): who read the account waits for it.
 */
void runqueue_wrote(struct runqueue *q, struct account_id a, uint64_t ticket);
uint64_t runqueue_ticket(struct runqueue *q, struct account_id a);

#endif
