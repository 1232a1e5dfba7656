/*
 * Work that moves between threads. A task is part of its owner's block, so
 * posting allocates nothing and cannot fail.
 *
 * An executor runs tasks: a loop's executor runs them on the loop thread, in
 * the order posted (net/loop.h); the worker pool's runs them on any worker.
 */
#ifndef BASE_TASK_H
#define BASE_TASK_H

#include <stddef.h>
#include "base/err.h"

struct task {
	struct task *next;
	void (*run)(struct task *);
};

struct executor {
	void (*post)(struct executor *, struct task *); /* any thread */
};

static inline void executor_post(struct executor *x, struct task *t)
{
	x->post(x, t);
}

/* Recovers the block from its task. */
#define TASK_OWNER(t, type, member) \
	((type *)(void *)((char *)(t) - offsetof(type, member)))

/*
 * A pool of `n` threads that may block: disk reads, commits, password hashes.
 * NULL when not a single thread could be started.
 */
struct workers;
struct workers *workers_new(unsigned n);
struct executor *workers_executor(struct workers *w);
/* Runs what was posted to its end, then joins the threads and frees. */
void workers_free(struct workers *w);

/*
 * An operation: work started on a loop that ends on the same loop. The block
 * that embeds it is owned by the room that runs it and holds inputs and
 * results; none of it lies in an arena.
 *
 * `done` runs once, on `home`, with the owner given at start, and then the
 * op is freed by op_finish() (through `free`): the owner copies what it wants.
 * If the owner has gone (op_orphan), the result is freed unread.
 */
struct op {
	struct task task;
	struct executor *home;
	void (*done)(struct op *, void *owner);
	void *owner;            /* NULL: orphaned */
	void (*free)(struct op *);
	enum err rc;
};

/* For the room that runs the op: posts the completion to its home. */
void op_finish(struct op *op, enum err rc);
/* On the home loop: the owner goes away; `done` will not be called. */
void op_orphan(struct op *op);

#endif
