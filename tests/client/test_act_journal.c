/* The journal of a run: what a crash leaves of it, and what is read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "tools/act_journal.h"

static char path[64];

/* Runs what is posted when told to: so that records gather. */
struct later {
	struct executor x;
	struct task *first;
};

static void post_later(struct executor *x, struct task *t)
{
	struct later *l = (struct later *)(void *)x;

	t->next = l->first;
	l->first = t;
}

static void post_now(struct executor *x, struct task *t)
{
	t->run(t);
}

static struct executor now = { post_now };

static void run_later(struct later *l)
{
	struct task *t = l->first;

	l->first = NULL;
	while (t) {
		struct task *next = t->next;
		t->run(t);
		t = next;
	}
}

static int setup(void **state)
{
	snprintf(path, sizeof path, "/tmp/journal-%ld-XXXXXX", (long)getpid());
	int fd = mkstemp(path);
	close(fd);
	return unlink(path);
}

static int teardown(void **state)
{
	unlink(path);
	return 0;
}

static enum err open_as(const char *job, struct journal **ret)
{
	struct buf why = { 0 };
	enum err rc = journal_open(path, span_str(job), &now, &now, ret, &why);

	assert_true((rc == ERR_OK) == (why.n == 0));
	buf_done(&why);
	return rc;
}

static enum journal_state state_of(struct journal *j, const char *user)
{
	return journal_find(j, span_str(user)).state;
}

static void put_raw(const char *text, int flags)
{
	int fd = open(path, O_WRONLY | O_CREAT | flags, 0600);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void write_some(void)
{
	struct journal *j;

	assert_int_equal(open_as("job", &j), ERR_OK);
	journal_done(j, SPAN("alice"), NULL);
	journal_begin(j, SPAN("bob"), 7, 42, NULL);
	journal_begin(j, SPAN("carol"), 8, 43, NULL);
	journal_failed(j, SPAN("carol"), NULL);
	journal_close(j);
}

static void what_was_noted_is_read_back(void **state)
{
	struct journal *j;

	write_some();
	assert_int_equal(open_as("job", &j), ERR_OK);
	assert_int_equal(state_of(j, "alice"), JOURNAL_DONE);
	assert_int_equal(state_of(j, "bob"), JOURNAL_BEGUN);
	assert_int_equal(journal_find(j, SPAN("bob")).uidvalidity, 7);
	assert_int_equal(journal_find(j, SPAN("bob")).uidnext, 42);
	assert_int_equal(state_of(j, "carol"), JOURNAL_FAILED);
	assert_int_equal(journal_find(j, SPAN("carol")).uidnext, 43);
	assert_int_equal(state_of(j, "dave"), JOURNAL_NONE);
	assert_int_equal(journal_count(j, JOURNAL_DONE), 1);
	journal_close(j);
}

static void odd_names_come_back_as_they_were(void **state)
{
	static const char *const names[] = { "a b",	 "100%", "%41", "x\ty",
					     "\xc3\xbc", " ",	 "%" };
	struct journal *j;

	assert_int_equal(open_as("job", &j), ERR_OK);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		journal_done(j, span_str(names[i]), NULL);
	journal_close(j);
	assert_int_equal(open_as("job", &j), ERR_OK);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(state_of(j, names[i]), JOURNAL_DONE);
	assert_int_equal(state_of(j, "A"), JOURNAL_NONE);
	assert_int_equal(state_of(j, "a"), JOURNAL_NONE);
	journal_close(j);
}

/* Whatever byte the file is cut off at: no record is half believed, and it goes on. */
static void a_tail_that_was_cut_off_is_dropped(void **state)
{
	struct journal *j;
	char whole[4096];

	write_some();
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, whole, sizeof whole);
	close(fd);
	for (ssize_t cut = 0; cut < n; cut++) {
		fd = open(path, O_WRONLY | O_TRUNC);
		assert_int_equal(write(fd, whole, (size_t)cut), cut);
		close(fd);
		assert_int_equal(open_as("job", &j), ERR_OK);
		size_t known = journal_count(j, JOURNAL_DONE) +
			       journal_count(j, JOURNAL_BEGUN);
		assert_true(known <= 3 && journal_count(j, JOURNAL_FAILED) == 0);
		journal_done(j, SPAN("zoe"), NULL);
		journal_close(j);
		assert_int_equal(open_as("job", &j), ERR_OK);
		assert_int_equal(state_of(j, "zoe"), JOURNAL_DONE);
		journal_close(j);
	}
}

static void damage_before_the_tail_is_an_error(void **state)
{
	struct journal *j = NULL;

	write_some();
	int fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, "x", 1, 110), 1);
	close(fd);
	assert_int_equal(open_as("job", &j), ERR_CORRUPT);
}

static void a_bad_checksum_at_the_end_is_a_tail(void **state)
{
	struct journal *j;

	write_some();
	put_raw("done eve 00000000\n", O_APPEND);
	assert_int_equal(open_as("job", &j), ERR_OK);
	assert_int_equal(state_of(j, "eve"), JOURNAL_NONE);
	assert_int_equal(state_of(j, "alice"), JOURNAL_DONE);
	journal_close(j);
}

static void another_job_or_another_file_is_refused(void **state)
{
	struct journal *j;

	write_some();
	assert_int_equal(open_as("other", &j), ERR_CONFLICT);
	put_raw("this is a letter to my aunt\nwith two lines\n", O_TRUNC);
	assert_int_equal(open_as("job", &j), ERR_CORRUPT);
}

static void two_runs_cannot_have_the_same_journal(void **state)
{
	struct journal *j, *other;

	assert_int_equal(open_as("job", &j), ERR_OK);
	assert_int_equal(open_as("job", &other), ERR_BUSY);
	journal_close(j);
}

struct waiter {
	struct journal_ticket ticket;
	unsigned *count;
	enum err rc;
};

static void on_durable(struct journal_ticket *t, enum err rc)
{
	struct waiter *w = TASK_OWNER(t, struct waiter, ticket);

	++*w->count;
	w->rc = rc;
}

static void records_that_gather_share_a_sync(void **state)
{
	struct later work = { .x = { post_later } };
	struct journal *j;
	struct buf why = { 0 };
	unsigned count = 0;
	struct waiter w[10];

	assert_int_equal(journal_open(path, SPAN("job"), &work.x, &now, &j, &why),
			 ERR_OK);
	for (int i = 0; i < 10; i++) {
		char name[8];
		snprintf(name, sizeof name, "u%d", i);
		w[i] = (struct waiter){ .ticket = { .durable = on_durable },
					.count = &count };
		journal_done(j, span_str(name), &w[i].ticket);
	}
	assert_int_equal(count, 0);
	assert_false(journal_idle(j));
	run_later(&work); /* the first alone */
	assert_int_equal(count, 1);
	run_later(&work); /* the nine that came meanwhile */
	assert_int_equal(count, 10);
	assert_int_equal(journal_syncs(j), 2);
	assert_true(journal_idle(j));
	journal_close(j);
}

static void a_journal_that_is_no_file_is_refused(void **state)
{
	struct journal *j;

	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_not_equal(open_as("job", &j), ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(what_was_noted_is_read_back),
		T(odd_names_come_back_as_they_were),
		T(a_tail_that_was_cut_off_is_dropped),
		T(damage_before_the_tail_is_an_error),
		T(a_bad_checksum_at_the_end_is_a_tail),
		T(another_job_or_another_file_is_refused),
		T(two_runs_cannot_have_the_same_journal),
		T(records_that_gather_share_a_sync),
		T(a_journal_that_is_no_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
