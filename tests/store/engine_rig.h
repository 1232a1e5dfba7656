/* An engine under test, its workers, and a home that the test drains itself. */
#ifndef TEST_ENGINE_RIG_H
#define TEST_ENGINE_RIG_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/engine.h"

struct home {
	struct executor executor;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct task *head, **tail;
	size_t n_run; /* completions that ran */
};

void home_init(struct home *h);
void home_done(struct home *h);
/* Runs completions on this thread until `n` more have run. */
void home_run(struct home *h, size_t n);

struct rig {
	const char *kind;
	unsigned flags;
	struct engine_config tune; /* for the next rig_open: what tests may alter */
	char dir[64];		   /* of its own, removed by rig_done */
	struct workers *workers;
	struct engine *engine;
	struct home home;
};

void rig_init(struct rig *r, const char *kind, unsigned flags);
void rig_done(struct rig *r);
void rig_open(struct rig *r);
void rig_close(struct rig *r);
enum err rig_try_open(struct rig *r, unsigned flags, struct engine **ret,
		      struct buf *why);

/* One op; the test owns it and reads it after home_run. */
struct job {
	struct engine_op e;
	struct rig *rig;
	enum err (*plan)(struct job *, struct txn *);
	struct span key, value; /* whatever the plan wants */
	struct body_put *put;
	struct body_id body;
	uint64_t n;
	bool is_done;
	pthread_t done_on;
	enum err rc;
};

void job_start(struct job *j, struct rig *r, struct account_id a,
	       enum err (*plan)(struct job *, struct txn *));
/* Starts, waits, gives op.rc. */
enum err job_run(struct job *j, struct rig *r, struct account_id a,
		 enum err (*plan)(struct job *, struct txn *));
struct account_id account_of(uint8_t n);

/* Shortcuts, each an op of its own. */
void put_row(struct rig *r, struct account_id a, const char *key, const char *value);
/* Asserts the row's value; NULL: that it is absent. */
void expect_row(struct rig *r, struct account_id a, const char *key, const char *value);
struct body_id keep_body(struct rig *r, struct account_id a, struct span bytes);
/* Bytes that do not compress; the same for the same seed. */
void fill_random(char *p, size_t n, uint64_t seed);

#endif
