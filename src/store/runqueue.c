/* The run queue of accounts. */
#include "store/runqueue.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "store/kind.h"

enum {
	STRIPES = 1024,
	TICKETS = 8192,
	TURN = 16, /* ops of one account before others have a turn */
};

/* An account with ops. */
struct busy {
	struct task task;
	struct runqueue *queue;
	struct busy *next; /* in the stripe */
	struct account_id id;
	struct engine_op *head, **tail;
};

struct stripe {
	pthread_mutex_t lock;
	struct busy *first;
};

struct runqueue {
	struct engine *engine;
	void (*run)(struct engine *, struct engine_op *);
	struct stripe stripes[STRIPES];
	atomic_uint_least64_t tickets[TICKETS];
};

/* Ids are random, but whoever makes one up shall not pile them on one slot's
 * neighbours: all bytes count. FNV-1a. */
static uint32_t hash(struct account_id a)
{
	uint64_t h = 14695981039346656037u;
	for (size_t i = 0; i < sizeof a.b; i++)
		h = (h ^ a.b[i]) * 1099511628211u;
	return (uint32_t)(h ^ (h >> 32));
}

static struct stripe *stripe_of(struct runqueue *q, struct account_id a)
{
	return &q->stripes[hash(a) % STRIPES];
}

struct runqueue *runqueue_new(struct engine *e,
			      void (*run)(struct engine *, struct engine_op *))
{
	struct runqueue *q = xcalloc(1, sizeof *q);
	q->engine = e;
	q->run = run;
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_init(&q->stripes[i].lock, NULL);
	return q;
}

void runqueue_free(struct runqueue *q)
{
	if (!q)
		return;
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_destroy(&q->stripes[i].lock);
	free(q);
}

/* The next op; NULL when none waits: then the account is not busy any more. */
static struct engine_op *next_op(struct busy *b)
{
	struct stripe *s = stripe_of(b->queue, b->id);
	pthread_mutex_lock(&s->lock);
	struct engine_op *op = b->head;
	if (op) {
		b->head = op->queue_next;
		if (!b->head)
			b->tail = &b->head;
	} else {
		struct busy **at = &s->first;
		while (*at != b)
			at = &(*at)->next;
		*at = b->next;
	}
	pthread_mutex_unlock(&s->lock);
	return op;
}

static void run_account(struct task *t)
{
	struct busy *b = TASK_OWNER(t, struct busy, task);
	struct runqueue *q = b->queue;
	for (int i = 0; i < TURN; i++) {
		struct engine_op *op = next_op(b);
		if (!op) {
			free(b);
			engine_leave(q->engine);
			return;
		}
		q->run(q->engine, op);
	}
	executor_post(q->engine->workers, &b->task);
}

/* With the stripe's lock held. */
static struct busy *busy_new(struct runqueue *q, struct stripe *s, struct account_id id)
{
	struct busy *b = xcalloc(1, sizeof *b);
	b->queue = q;
	b->id = id;
	b->tail = &b->head;
	b->task.run = run_account;
	b->next = s->first;
	s->first = b;
	engine_enter(q->engine);
	return b;
}

void runqueue_add(struct runqueue *q, struct engine_op *op)
{
	struct stripe *s = stripe_of(q, op->account);
	op->queue_next = NULL;
	pthread_mutex_lock(&s->lock);
	struct busy *b = s->first;
	while (b && memcmp(b->id.b, op->account.b, sizeof b->id.b) != 0)
		b = b->next;
	bool is_new = !b;
	if (is_new)
		b = busy_new(q, s, op->account);
	*b->tail = op;
	b->tail = &op->queue_next;
	pthread_mutex_unlock(&s->lock);
	if (is_new)
		executor_post(q->engine->workers, &b->task);
}

static atomic_uint_least64_t *ticket_of(struct runqueue *q, struct account_id a)
{
	return &q->tickets[hash(a) % TICKETS];
}

void runqueue_wrote(struct runqueue *q, struct account_id a, uint64_t ticket)
{
	atomic_uint_least64_t *t = ticket_of(q, a);
	uint64_t old = atomic_load(t);
	while (old < ticket && !atomic_compare_exchange_weak(t, &old, ticket))
		;
}

uint64_t runqueue_ticket(struct runqueue *q, struct account_id a)
{
	return atomic_load(ticket_of(q, a));
}
