/* The commit thread: nobody is told before a sync, nobody overtakes, no ack after a
 * failure. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/commit.h"

/* A sync that waits until the test lets it go. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned entered, allowed;
	atomic_uint body_syncs;
};

static enum err gated_sync(void *arg, struct buf *why)
{
	struct gate *g = arg;
	pthread_mutex_lock(&g->lock);
	g->entered++;
	pthread_cond_broadcast(&g->changed);
	while (g->allowed < g->entered)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
	return ERR_OK;
}

static enum err body_sync(void *arg, struct buf *why)
{
	struct gate *g = arg;
	atomic_fetch_add(&g->body_syncs, 1);
	return ERR_OK;
}

static void gate_allow(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->allowed++;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

static void gate_wait(struct gate *g, unsigned entered)
{
	pthread_mutex_lock(&g->lock);
	while (g->entered < entered)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

struct told {
	struct task task;
	atomic_uint *clock;
	atomic_uint at; /* 0: not yet */
};

static void tell(struct task *t)
{
	struct told *w = TASK_OWNER(t, struct told, task);
	atomic_store(&w->at, atomic_fetch_add(w->clock, 1) + 1);
}

static int up(void **state)
{
	struct gate *g = calloc(1, sizeof *g);
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
	*state = g;
	return 0;
}

static int down(void **state)
{
	free(*state);
	return 0;
}

static struct commit *gated(struct gate *g)
{
	struct commit_config c = { .sync_rows = gated_sync,
				   .sync_bodies = body_sync,
				   .arg = g };
	struct commit *made = commit_new(&c);
	assert_non_null(made);
	return made;
}

static void a_writer_is_told_after_the_sync(void **state)
{
	struct gate *g = *state;
	struct commit *c = gated(g);
	atomic_uint clock = 0;
	struct told w = { .task.run = tell, .clock = &clock };
	commit_add(c, &w.task, COMMIT_ROWS);
	gate_wait(g, 1);
	assert_int_equal(atomic_load(&w.at), 0);
	gate_allow(g);
	commit_free(c);
	assert_int_equal(atomic_load(&w.at), 1);
	assert_int_equal(atomic_load(&g->body_syncs), 0);
}

static void a_reader_of_what_is_being_synced_waits_and_does_not_overtake(void **state)
{
	struct gate *g = *state;
	struct commit *c = gated(g);
	atomic_uint clock = 0;
	struct told writer = { .task.run = tell, .clock = &clock }, reader = writer,
		    other = writer;
	uint64_t ticket = commit_add(c, &writer.task, COMMIT_ROWS);
	gate_wait(g, 1);
	commit_wait(c, &reader.task, ticket);
	assert_int_equal(atomic_load(&reader.at), 0);
	/* who depends on nothing does not wait */
	commit_wait(c, &other.task, 0);
	assert_int_equal(atomic_load(&other.at), 1);
	gate_allow(g);
	commit_free(c);
	assert_int_equal(atomic_load(&writer.at), 2);
	assert_int_equal(atomic_load(&reader.at), 3);
}

static void what_is_added_during_a_sync_shares_the_next_one(void **state)
{
	enum { N = 20 };
	struct gate *g = *state;
	struct commit *c = gated(g);
	atomic_uint clock = 0;
	struct told w[N];
	for (int i = 0; i < N; i++) {
		w[i].task.run = tell;
		w[i].clock = &clock;
		atomic_init(&w[i].at, 0);
		commit_add(c, &w[i].task, COMMIT_ROWS | (i == 5 ? COMMIT_BODIES : 0));
		if (i == 0)
			gate_wait(g, 1);
	}
	gate_allow(g);
	gate_wait(g, 2);
	assert_int_equal(atomic_load(&clock), 1);
	gate_allow(g);
	commit_free(c);
	assert_int_equal(g->entered, 2);
	assert_int_equal(atomic_load(&g->body_syncs), 1);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(atomic_load(&w[i].at), i + 1);
}

static enum err failing_sync(void *arg, struct buf *why)
{
	buf_puts(why, "the device is on fire");
	return ERR_IO;
}

static enum err good_sync(void *arg, struct buf *why)
{
	return ERR_OK;
}

static void exit_42(void *arg, const char *sentence)
{
	_exit(sentence && *sentence ? 42 : 1);
}

static void acknowledged(struct task *t)
{
	_exit(7);
}

/* In a process of its own, as it ends it. */
static int status_of(enum err (*rows)(void *, struct buf *),
		     enum err (*bodies)(void *, struct buf *))
{
	pid_t pid = fork();
	if (pid == 0) {
		struct commit_config config = { .sync_rows = rows,
						.sync_bodies = bodies,
						.fatal = exit_42 };
		struct commit *c = commit_new(&config);
		struct task t = { .run = acknowledged };
		commit_add(c, &t, COMMIT_ROWS | COMMIT_BODIES);
		commit_free(c);
		_exit(8);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_failed_sync_is_fatal_and_acknowledges_nothing(void **state)
{
	assert_int_equal(status_of(failing_sync, good_sync), 42);
	assert_int_equal(status_of(good_sync, failing_sync), 42);
	assert_int_equal(status_of(good_sync, good_sync), 7);
}

#define T(f)                                                                             \
	{                                                                                \
#f, f, up, down, NULL                                                    \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_failed_sync_is_fatal_and_acknowledges_nothing), /* forks: before any
								       thread */
		T(a_writer_is_told_after_the_sync),
		T(a_reader_of_what_is_being_synced_waits_and_does_not_overtake),
		T(what_is_added_during_a_sync_shares_the_next_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
