/*
 * COPY and APPEND that are more than one commit: all or nothing for whoever looks, and
 * after a crash at any part of them (store/stage.h).
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/account.h"
#include "testloop.h"

enum { PARTS = 5, MESSAGES = PARTS * 256 - 100, MANY = 6000 };

static struct site site;
static struct account *a;

static void up(void)
{
	site.workers = workers_new(4);
	site_open(&site);
}

static void down(void)
{
	site_close(&site);
	workers_free(site.workers);
	site.workers = NULL;
}

/* One chunk a commit. */
static void small_commits(void)
{
	site_init(&site);
	down();
	site.commit_chunks = 1;
	up();
}

static int setup(void **state)
{
	small_commits();
	a = site_account(&site, "alice");
	return 0;
}

static int teardown(void **state)
{
	account_unref(a);
	site_done(&site);
	return 0;
}

static void limit_messages(uint64_t n)
{
	const uint64_t limits[QUOTA_RESOURCES] = { QUOTA_NONE, n, QUOTA_NONE };
	struct done d = { 0 };
	account_quota_set(a, limits, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	done_clear(&d);
}

/* Enough keywords that some lie beyond the flags word. */
static void some_keywords(struct mailbox *m)
{
	char names[1000] = "";
	for (int i = 0; i < 60; i++)
		sprintf(names + strlen(names), " K%d", i);
	assert_int_equal(do_flag(&site, m, "1", FLAGS_ADD, FLAG_SEEN, names), ERR_OK);
	assert_int_equal(do_flag(&site, m, "700:1200", FLAGS_ADD, FLAG_FLAGGED, "K58"),
			 ERR_OK);
}

static void expect_same(struct mailbox *from, struct mailbox *to, const struct done *d)
{
	struct view *v = mailbox_view_now(from), *w = mailbox_view_now(to);
	struct numset left = { 0 };
	numset_copy(&left, &d->target);
	for (uint32_t seq = 1; seq <= MESSAGES; seq += 13) {
		struct view_msg x = view_get(v, seq);
		uint32_t uid = numset_min(&left) + seq - 1;
		uint32_t at = view_seq(w, uid);
		assert_true(at > 0);
		struct view_msg y = view_get(w, at);
		assert_int_equal(x.flags & 0xff, y.flags & 0xff);
		assert_memory_equal(x.info->body.b, y.info->body.b, 16);
		assert_int_equal(y.modseq, view_modseq(w));
		int k = view_find_keyword(v, SPAN("K58")),
		    l = view_find_keyword(w, SPAN("K58"));
		assert_true(k >= 0 && l >= 0);
		assert_int_equal(view_has_keyword(v, seq, (size_t)k),
				 view_has_keyword(w, at, (size_t)l));
	}
	numset_done(&left);
	view_unref(v);
	view_unref(w);
}

static void copy_all(struct mailbox *m, const char *to, struct done *d)
{
	assert_int_equal(do_copy(&site, m, "1:4294967295", to, false, d), ERR_OK);
	assert_int_equal(numset_count(&d->source), MESSAGES);
	assert_int_equal(numset_count(&d->target), MESSAGES);
	assert_int_equal(numset_max(&d->target) - numset_min(&d->target), MESSAGES - 1);
}

static void a_copy_in_parts_is_one_change(void **state)
{
	do_append_many(&site, a, "INBOX", MESSAGES);
	struct mailbox *m = do_open(&site, a, "INBOX");
	some_keywords(m);
	assert_int_equal(do_create(&site, a, "Open", 0), ERR_OK);
	assert_int_equal(do_create(&site, a, "Closed", 0), ERR_OK);
	do_append_many(&site, a, "Open", 3);
	struct mailbox *open = do_open(&site, a, "Open");
	struct view *was = mailbox_view_now(open);
	struct done d = { 0 };
	copy_all(m, "Open", &d);
	assert_int_equal(numset_min(&d.target), 256); /* none of a chunk that was there */
	expect_same(m, open, &d);
	struct view *is = mailbox_view_now(open);
	assert_int_equal(view_count(was), 3);
	assert_int_equal(view_count(is), 3 + MESSAGES);
	assert_int_equal(view_modseq(is), view_modseq(was) + 1);
	view_unref(was);
	view_unref(is);
	done_clear(&d);

	copy_all(m, "Closed", &d);
	assert_int_equal(numset_min(&d.target), 1);
	struct mailbox *closed = do_open(&site, a, "Closed");
	expect_same(m, closed, &d);
	done_clear(&d);
	struct mailbox_status st = do_status(&site, a, "Closed");
	assert_int_equal(st.messages, MESSAGES);
	assert_int_equal(st.unseen, MESSAGES - 1);
	assert_true(do_append(&site, a, "Closed", SPAN("x"), 0, NULL) == MESSAGES + 1);
	site_check(&site);
	mailbox_unref(closed);
	mailbox_unref(open);
	mailbox_unref(m);
}

static void a_copy_in_parts_to_its_own_end(void **state)
{
	do_append_many(&site, a, "INBOX", MESSAGES);
	struct mailbox *m = do_open(&site, a, "INBOX");
	some_keywords(m);
	struct done d = { 0 };
	copy_all(m, "INBOX", &d);
	expect_same(m, m, &d);
	done_clear(&d);
	site_check(&site);
	assert_int_equal(do_flag(&site, m, "1:4294967295", FLAGS_ADD, FLAG_DELETED, NULL),
			 ERR_OK);
	struct numset went = do_expunge(&site, m);
	assert_int_equal(numset_count(&went), 2 * MESSAGES);
	numset_done(&went);
	mailbox_unref(m);
}

static void a_copy_that_fails_in_its_middle_leaves_nothing(void **state)
{
	do_append_many(&site, a, "INBOX", MESSAGES);
	assert_int_equal(do_create(&site, a, "Copy", 0), ERR_OK);
	struct mailbox *m = do_open(&site, a, "INBOX");
	struct mailbox *to = do_open(&site, a, "Copy");
	struct done d = { 0 };
	limit_messages(MESSAGES + 1000);
	assert_int_equal(do_copy(&site, m, "1:4294967295", "Copy", false, &d), ERR_QUOTA);
	done_clear(&d);
	site_check(&site);
	assert_int_equal(do_status(&site, a, "Copy").messages, 0);
	assert_int_equal(do_append(&site, a, "Copy", SPAN("x"), 0, NULL), 1);
	limit_messages(10 * MESSAGES);
	copy_all(m, "Copy", &d);
	done_clear(&d);
	struct view *v = mailbox_view_now(to);
	assert_int_equal(view_count(v), MESSAGES + 1);
	view_unref(v);
	mailbox_unref(to);
	mailbox_unref(m);
}

/* Rows of 32 KiB are a commit here: headers of 2 KiB make several of 100 messages. */
static enum err append_large_headers(size_t n, struct done *d)
{
	struct append_item *items = calloc(n, sizeof *items);
	char text[2200], filler[2001];
	memset(filler, 'f', 2000);
	filler[2000] = 0;
	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof text, "Subject: message %zu %s\r\n\r\nbody %zu\r\n",
			 i, filler, i);
		items[i].body = incoming_new(a, &site.loop.executor, NULL, NULL);
		incoming_feed(items[i].body, span_str(text));
	}
	messages_append(a, SPAN("Target"), items, n, done_to(&site.loop, d));
	free(items);
	return done_wait(&site.loop, d);
}

static void an_append_of_many_in_parts_is_one_change(void **state)
{
	struct done d = { 0 };
	assert_int_equal(do_create(&site, a, "Target", 0), ERR_OK);
	struct mailbox *m = do_open(&site, a, "Target");
	assert_int_equal(append_large_headers(100, &d), ERR_OK);
	assert_int_equal(numset_count(&d.target), 100);
	struct view *v = mailbox_view_now(m);
	assert_int_equal(view_count(v), 100);
	struct buf text = { 0 };
	assert_int_equal(do_read(&site, a, view_get(v, 77).info->body, &text), ERR_OK);
	assert_non_null(memmem(buf_span(&text).p, text.n, "body 76\r\n", 9));
	buf_done(&text);
	assert_int_equal(view_get(v, 100).modseq, view_get(v, 1).modseq);
	view_unref(v);
	done_clear(&d);

	limit_messages(160);
	assert_int_equal(append_large_headers(100, &d), ERR_QUOTA);
	done_clear(&d);
	site_check(&site);
	v = mailbox_view_now(m);
	assert_int_equal(view_count(v), 100);
	view_unref(v);
	mailbox_unref(m);
}

/* ---- killed ---- */

static unsigned long countdown;

static void at_point(void *arg, const char *point)
{
	if (strcmp(point, "part") == 0 && --countdown == 0)
		kill(getpid(), SIGKILL);
}

/* In a process of its own: does it, and dies behind the part of that number. */
static int child(const char *dir, const char *what, const char *count)
{
	countdown = strtoul(count, NULL, 10);
	site = (struct site){ .kind = site_kind, .commit_chunks = 1, .at = at_point };
	snprintf(site.dir, sizeof site.dir, "%s", dir);
	testloop_init(&site.loop);
	up();
	a = site_account(&site, "alice"); /* what was left there is taken back */
	struct done d = { 0 };
	enum err rc = ERR_OK;
	if (strcmp(what, "copy") == 0) {
		struct mailbox *m = do_open(&site, a, "INBOX");
		rc = do_copy(&site, m, "1:4294967295", "Target", false, &d);
	} else if (strcmp(what, "append") == 0) {
		rc = append_large_headers(100, &d);
	}
	_exit(rc == ERR_OK ? 0 : 1);
}

/* Whether it was killed; else it has done it. */
static bool killed(const char *what, unsigned long count)
{
	char number[24];
	snprintf(number, sizeof number, "%lu", count);
	pid_t pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "test_stage", "child", site.dir, what, number,
		      (char *)NULL);
		_exit(9);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return true;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

/* As `check` beside it would see it, with what was left. */
static void check_untouched(void)
{
	site.flags = ENGINE_READ_ONLY;
	up();
	down();
	site.flags = 0;
}

static void expect_target(uint32_t messages)
{
	up();
	a = site_account(&site, "alice");
	site_check(&site);
	assert_int_equal(do_status(&site, a, "Target").messages, messages);
	account_unref(a);
	down();
}

static void prepare(size_t n)
{
	small_commits();
	a = site_account(&site, "alice");
	do_append_many(&site, a, "INBOX", n);
	assert_int_equal(do_create(&site, a, "Target", 0), ERR_OK);
	account_unref(a);
	down();
}

static void done_with(void)
{
	up();
	site_done(&site);
}

static void killed_at_any_part_nothing_or_all_is_there(void **state)
{
	static const char *const whats[] = { "copy", "append" };
	for (int i = 0; i < 2; i++) {
		unsigned long count = 1;
		prepare(MESSAGES);
		for (; killed(whats[i], count); count++) {
			check_untouched();
			if (count % 2)
				expect_target(0); /* else the next one finds it */
		}
		assert_true(count >= PARTS);
		expect_target(i == 0 ? MESSAGES : 100);
		done_with();
	}
}

static void killed_while_it_is_taken_back(void **state)
{
	prepare(MANY);
	assert_true(killed("copy", 22));
	assert_true(killed("open", 1));
	check_untouched();
	assert_true(killed("open", 1));
	assert_false(killed("open", 9));
	check_untouched();
	expect_target(0);
	assert_false(killed("copy", 99));
	expect_target(MANY);
	done_with();
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "child") == 0) {
		site_kind = "rocks";
		return child(argv[2], argv[3], argv[4]);
	}
	site_args(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_copy_in_parts_is_one_change, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_copy_in_parts_to_its_own_end, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
		    a_copy_that_fails_in_its_middle_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(an_append_of_many_in_parts_is_one_change,
						setup, teardown),
	};
	/* what is killed in the memory of a process is gone with it */
	const struct CMUnitTest killings[] = {
		cmocka_unit_test(killed_at_any_part_nothing_or_all_is_there),
		cmocka_unit_test(killed_while_it_is_taken_back),
	};
	int failed = cmocka_run_group_tests_name("stage", tests, NULL, NULL);
	if (site_is_lasting())
		failed += cmocka_run_group_tests_name("stage, killed", killings, NULL,
						      NULL);
	return failed;
}
