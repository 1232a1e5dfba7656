/* COPY, MOVE and REPLACE between two accounts, and what a crash leaves of them. */
#include <semaphore.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/across.h"
#include "store/quota.h"
#include "testloop.h"

static struct site site;
static struct account *alice, *bob;

static void open_both(void)
{
	alice = site_account(&site, "alice");
	bob = site_account(&site, "bob");
}

static void close_both(void)
{
	account_unref(alice);
	account_unref(bob);
	alice = bob = NULL;
}

static int setup(void **state)
{
	site_init(&site);
	open_both();
	assert_int_equal(do_create(&site, bob, "in", 0), ERR_OK);
	return 0;
}

static int teardown(void **state)
{
	close_both();
	site_done(&site);
	return 0;
}

static enum err across(struct mailbox *m, const char *uids, struct account *to,
		       const char *path, bool move, uint64_t locked, struct done *d)
{
	struct numset set = uids_of(uids);
	messages_copy_to(m, &set,
			 &(struct copy_target){ to, span_str(path), locked, SPAN_NONE },
			 move, done_to(&site.loop, d));
	numset_done(&set);
	return done_wait(&site.loop, d);
}

static void start_move(struct mailbox *m, const struct numset *uids, struct done *d)
{
	const struct copy_target target = { .account = bob, .path = SPAN("in") };
	messages_copy_to(m, uids, &target, true, done_to(&site.loop, d));
}

/* UIDs, numbers of bytes, system flags: "1 5 1, 2 5 0". */
static void expect_messages(struct account *a, const char *path, const char *text)
{
	struct mailbox *m = do_open(&site, a, path);
	struct view *v = mailbox_view_now(m);
	struct buf b = { 0 };
	for (uint32_t seq = 1; seq <= view_count(v); seq++) {
		struct view_msg at = view_get(v, seq);
		buf_printf(&b, "%s%u %llu %llu", seq > 1 ? ", " : "", at.uid,
			   (unsigned long long)at.info->bytes,
			   (unsigned long long)(at.flags & 0xff));
	}
	buf_putc(&b, 0);
	assert_string_equal(buf_span(&b).p, text);
	buf_done(&b);
	view_unref(v);
	mailbox_unref(m);
}

static size_t claims(struct account *a)
{
	const struct attrs *at = account_attrs_now(a);
	size_t n = 0;
	for (size_t i = 0; i < at->n; i++)
		n += at->at[i].key.kind == ATTR_MOVING;
	attrs_unref(at);
	return n;
}

static void count_attrs(struct op *op, void *owner)
{
	size_t *n = owner;
	*n = op->rc == ERR_OK ? op_attrs(op)->n + 1 : 99;
}

static size_t marks(struct account *a)
{
	const struct attr_query q = { .key = { .kind = ATTR_MOVED } };
	size_t n = 0;
	bool is_done = false;
	attrs_read(a, &q, 1, (struct op_to){ &site.loop.executor, count_attrs, &n });
	while (!is_done) {
		testloop_drain(&site.loop);
		is_done = n > 0;
	}
	return n - 1;
}

static void expect_clean(void)
{
	site_quiet(&site);
	assert_int_equal(claims(alice), 0);
	assert_int_equal(claims(bob), 0);
	assert_int_equal(marks(alice), 0);
	assert_int_equal(marks(bob), 0);
}

static void a_copy_has_the_bytes_the_flags_and_the_ids(void **state)
{
	static const struct want want = { .what = WANT_SUMMARY | WANT_ENVELOPE };
	struct span text = SPAN("Subject: x\r\n\r\nthe body\r\n");
	struct done d = { 0 };
	do_append(&site, alice, "INBOX", text, FLAG_SEEN | FLAG_FLAGGED, "one two");
	do_append(&site, bob, "in", SPAN("a: b\r\n\r\n"), 0, "two");
	struct mailbox *m = do_open(&site, alice, "INBOX");
	assert_int_equal(across(m, "1", bob, "in", false, 0, &d), ERR_OK);
	expect_uids(&d.source, "1");
	expect_uids(&d.target, "2");
	done_clear(&d);
	struct mailbox *in = do_open(&site, bob, "in");
	struct view *from = mailbox_view_now(m), *to = mailbox_view_now(in);
	struct view_msg was = view_get(from, 1), is = view_get(to, 2);
	assert_int_equal(is.flags & 0xff, FLAG_SEEN | FLAG_FLAGGED);
	assert_true(view_has_keyword(to, 2, (size_t)view_find_keyword(to, SPAN("one"))));
	assert_true(view_has_keyword(to, 2, (size_t)view_find_keyword(to, SPAN("two"))));
	assert_memory_equal(was.info->email_id, is.info->email_id, 16);
	assert_memory_equal(was.info->thread_id, is.info->thread_id, 16);
	assert_int_equal(was.info->internal_date, is.info->internal_date);
	assert_int_equal(was.info->zone_min, is.info->zone_min);
	struct buf bytes = { 0 };
	assert_int_equal(do_read(&site, bob, is.info->body, &bytes), ERR_OK);
	assert_true(span_eq(buf_span(&bytes), text));
	buf_done(&bytes);
	struct gathered got;
	assert_int_equal(do_gather(&site, bob, &is.info->body, 1, &want, &got), ERR_OK);
	assert_true(got.n == 1 && got.at[0].has_summary &&
		    got.at[0].summary.envelope.n > 0);
	gathered_done(&got);
	view_unref(from);
	view_unref(to);
	mailbox_unref(in);
	mailbox_unref(m);
	expect_clean();
}

static void flags_that_are_locked_stay_behind(void **state)
{
	struct done d = { 0 };
	do_append(&site, alice, "INBOX", SPAN("xxxxx"), FLAG_SEEN | FLAG_DELETED, "one");
	struct mailbox *m = do_open(&site, alice, "INBOX");
	assert_int_equal(across(m, "1", bob, "in", false, FLAG_SEEN | FLAG_ANSWERED, &d),
			 ERR_OK);
	done_clear(&d);
	expect_messages(bob, "in", "1 5 8");
	mailbox_unref(m);
}

static void a_copy_is_all_or_nothing(void **state)
{
	const uint64_t two[QUOTA_RESOURCES] = { QUOTA_NONE, 2, QUOTA_NONE };
	struct done d = { 0 };
	do_append_many(&site, alice, "INBOX", 3);
	struct mailbox *m = do_open(&site, alice, "INBOX");
	account_quota_set(bob, two, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	done_clear(&d);
	assert_int_equal(across(m, "1:3", bob, "in", false, 0, &d), ERR_QUOTA);
	done_clear(&d);
	assert_int_equal(across(m, "1:3", bob, "in", true, 0, &d), ERR_QUOTA);
	done_clear(&d);
	assert_int_equal(across(m, "1:3", bob, "out", true, 0, &d), ERR_NOENT);
	done_clear(&d);
	assert_int_equal(across(m, "1:3", bob, "", true, 0, &d), ERR_NOENT);
	done_clear(&d);
	expect_messages(bob, "in", "");
	assert_int_equal(do_status(&site, alice, "INBOX").messages, 3);
	assert_int_equal(across(m, "9", bob, "in", true, 0, &d), ERR_OK);
	assert_int_equal(numset_count(&d.target), 0);
	done_clear(&d);
	mailbox_unref(m);
	expect_clean();
}

static void a_move_takes_them_along_part_by_part(void **state)
{
	struct done d = { 0 };
	do_append_many(&site, alice, "INBOX", 700);
	struct mailbox *m = do_open(&site, alice, "INBOX");
	assert_int_equal(across(m, "2:699,900", bob, "in", true, 0, &d), ERR_OK);
	expect_uids(&d.source, "2:699");
	expect_uids(&d.target, "1:698");
	done_clear(&d);
	assert_int_equal(do_status(&site, alice, "INBOX").messages, 2);
	assert_int_equal(do_status(&site, bob, "in").messages, 698);
	struct mailbox *in = do_open(&site, bob, "in");
	assert_int_equal(across(in, "5", alice, "INBOX", true, 0, &d), ERR_OK);
	expect_uids(&d.target, "701");
	done_clear(&d);
	mailbox_unref(in);
	mailbox_unref(m);
	expect_clean();
}

static void a_large_message_comes_whole(void **state)
{
	size_t n = 2 * BODY_PIECE + 12345;
	char *text = malloc(n);
	struct done d = { 0 };
	struct buf bytes = { 0 };
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(i % 60 == 59 ? '\n' : 'a' + i / 60 % 26);
	do_append(&site, alice, "INBOX", span_of(text, n), 0, NULL);
	struct mailbox *m = do_open(&site, alice, "INBOX");
	assert_int_equal(across(m, "1", bob, "in", true, 0, &d), ERR_OK);
	done_clear(&d);
	struct mailbox *in = do_open(&site, bob, "in");
	struct view *v = mailbox_view_now(in);
	assert_int_equal(do_read(&site, bob, view_get(v, 1).info->body, &bytes), ERR_OK);
	assert_true(span_eq(buf_span(&bytes), span_of(text, n)));
	buf_done(&bytes);
	free(text);
	view_unref(v);
	mailbox_unref(in);
	mailbox_unref(m);
}

static enum err replace(struct mailbox *m, uint32_t uid, const char *to)
{
	struct append_item item = { .body = incoming_new(bob, &site.loop.executor, NULL,
							 NULL) };
	struct done d = { 0 };
	incoming_feed(item.body, SPAN("anew: yes\r\n\r\n"));
	messages_replace(m, uid, bob, span_str(to), &item, done_to(&site.loop, &d));
	enum err rc = done_wait(&site.loop, &d);
	done_clear(&d);
	return rc;
}

static void a_replacement_may_lie_elsewhere(void **state)
{
	do_append_many(&site, alice, "INBOX", 2);
	struct mailbox *m = do_open(&site, alice, "INBOX");
	assert_int_equal(replace(m, 1, "in"), ERR_OK);
	assert_int_equal(replace(m, 1, "in"), ERR_CLOSED);
	assert_int_equal(replace(m, 2, "out"), ERR_NOENT);
	assert_int_equal(replace(m, 2, ""), ERR_NOENT);
	assert_int_equal(do_status(&site, alice, "INBOX").messages, 1);
	expect_messages(bob, "in", "1 13 0");
	mailbox_unref(m);
	expect_clean();
}

static void a_copy_of_many_is_shown_at_once(void **state)
{
	struct done d = { 0 };
	do_append_many(&site, alice, "INBOX", 900);
	if (site_is_lasting()) {
		close_both();
		site_close(&site);
		site.commit_chunks = 1;
		site_open(&site);
		open_both();
	}
	struct mailbox *m = do_open(&site, alice, "INBOX");
	struct mailbox *in = do_open(&site, bob, "in");
	assert_int_equal(across(m, "1:899", bob, "in", false, 0, &d), ERR_OK);
	expect_uids(&d.source, "1:899");
	assert_int_equal(numset_count(&d.target), 899);
	done_clear(&d);
	assert_int_equal(across(m, "1:899", bob, "in", true, 0, &d), ERR_OK);
	assert_int_equal(numset_count(&d.target), 899);
	done_clear(&d);
	struct view *v = mailbox_view_now(in);
	assert_int_equal(view_count(v), 2 * 899);
	view_unref(v);
	mailbox_unref(in);
	mailbox_unref(m);
	expect_clean();
}

/* ---- others meanwhile ---- */

static struct {
	const char *point;
	sem_t has_come, go_on;
} stop;

static void wait_there(void *arg, const char *point)
{
	if (strcmp(point, stop.point) != 0)
		return;
	sem_post(&stop.has_come);
	sem_wait(&stop.go_on);
}

static void reopen(void (*at)(void *, const char *))
{
	close_both();
	site_close(&site);
	site.at = at;
	site_open(&site);
	open_both();
}

static void what_is_on_its_way_is_moved_by_nobody_else(void **state)
{
	struct done d = { 0 }, other = { 0 };
	if (!site_is_lasting())
		return;
	struct numset set = uids_of("1:2");
	stop.point = "move claimed";
	sem_init(&stop.has_come, 0, 0);
	sem_init(&stop.go_on, 0, 0);
	do_append_many(&site, alice, "INBOX", 4);
	assert_int_equal(do_create(&site, alice, "a", 0), ERR_OK);
	reopen(wait_there);
	struct mailbox *m = do_open(&site, alice, "INBOX");
	start_move(m, &set, &d);
	sem_wait(&stop.has_come);
	assert_int_equal(do_copy(&site, m, "2:3", "a", true, &other), ERR_OK);
	expect_uids(&other.source, "3");
	done_clear(&other);
	assert_int_equal(across(m, "1:2", bob, "in", true, 0, &other), ERR_OK);
	assert_int_equal(numset_count(&other.target), 0);
	done_clear(&other);
	assert_int_equal(replace(m, 2, "in"), ERR_CLOSED);
	/* of INBOX the rest goes along */
	assert_int_equal(do_rename(&site, alice, "INBOX", "old"), ERR_OK);
	assert_int_equal(do_copy(&site, m, "1", "a", false, &other), ERR_OK);
	done_clear(&other);
	sem_post(&stop.go_on);
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	expect_uids(&d.source, "1:2");
	done_clear(&d);
	numset_done(&set);
	assert_int_equal(do_status(&site, alice, "INBOX").messages, 0);
	assert_int_equal(do_status(&site, alice, "old").messages, 1);
	assert_int_equal(do_status(&site, alice, "a").messages, 2);
	assert_int_equal(do_status(&site, bob, "in").messages, 2);
	mailbox_unref(m);
	expect_clean();
	sem_destroy(&stop.has_come);
	sem_destroy(&stop.go_on);
}

static void a_mailbox_may_go_while_they_leave(void **state)
{
	static const char *const points[] = { "move claimed", "move written" };
	for (size_t i = 0; i < 2 && site_is_lasting(); i++) {
		struct done d = { 0 };
		struct numset set = uids_of("1:2");
		stop.point = points[i];
		sem_init(&stop.has_come, 0, 0);
		sem_init(&stop.go_on, 0, 0);
		assert_int_equal(do_create(&site, alice, "a", 0), ERR_OK);
		do_append_many(&site, alice, "a", 3);
		reopen(wait_there);
		struct mailbox *m = do_open(&site, alice, "a");
		start_move(m, &set, &d);
		sem_wait(&stop.has_come);
		assert_int_equal(do_delete(&site, alice, "a"), ERR_OK);
		sem_post(&stop.go_on);
		assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
		done_clear(&d);
		numset_done(&set);
		mailbox_unref(m);
		assert_int_equal(do_status(&site, bob, "in").messages, 2 * (i + 1));
		expect_clean();
		sem_destroy(&stop.has_come);
		sem_destroy(&stop.go_on);
	}
}

/* ---- crashes ---- */

static void die_there(void *arg, const char *point)
{
	if (strcmp(point, arg) == 0)
		_exit(0);
}

/* The other process: argv is program, kind, directory, point, from, to, "move" or not. */
static int crash_main(char **argv)
{
	struct done d = { 0 };
	site.workers = workers_new(4);
	testloop_init(&site.loop);
	snprintf(site.dir, sizeof site.dir, "%s", argv[2]);
	site.at = die_there;
	site.at_arg = argv[3];
	site_open(&site);
	open_both();
	struct mailbox *m = do_open(&site, alice, argv[4]);
	if (strcmp(argv[6], "move") == 0)
		across(m, "1:2", bob, argv[5], true, 0, &d);
	else
		replace(m, 1, argv[5]);
	site_quiet(&site); /* "move unmarked" comes behind the answer */
	return 1;
}

/* A process of its own that ends at the point; MOVE, or else REPLACE. */
static void crash(const char *point, const char *from, const char *to, bool is_move)
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		execl("/proc/self/exe", "crash", site_kind, site.dir, point, from, to,
		      is_move ? "move" : "replace", (char *)NULL);
		_exit(2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void crash_and_look(const char *point, bool has_come, unsigned n)
{
	char from[40], to[40];
	bool is_move = n & 1, bob_first = n & 2;
	uint32_t moved = !has_come ? 0 : is_move ? 2 : 1;
	snprintf(from, sizeof from, "from%s%u", point, n);
	snprintf(to, sizeof to, "to%s%u", point, n);
	assert_int_equal(do_create(&site, alice, from, 0), ERR_OK);
	assert_int_equal(do_create(&site, bob, to, 0), ERR_OK);
	do_append_many(&site, alice, from, 3);
	close_both();
	site_close(&site);
	crash(point, from, to, is_move);
	site_open(&site);
	if (bob_first)
		bob = site_account(&site, "bob");
	alice = site_account(&site, "alice");
	if (!bob_first)
		bob = site_account(&site, "bob");
	assert_int_equal(do_status(&site, alice, from).messages, 3 - moved);
	assert_int_equal(do_status(&site, bob, to).messages, moved);
	expect_clean();
	site_check(&site);
}

static void after_a_crash_each_message_is_in_one_place(void **state)
{
	for (unsigned n = 0; n < 4 && site_is_lasting(); n++) {
		crash_and_look("move claimed", false, n);
		crash_and_look("move written", true, n);
		crash_and_look("move removed", true, n);
		crash_and_look("move unmarked", true, n);
	}
}

static void a_claim_is_judged_by_whoever_opens_it_for_writing(void **state)
{
	if (!site_is_lasting())
		return;
	do_append_many(&site, alice, "INBOX", 3);
	close_both();
	site_close(&site);
	crash("move written", "INBOX", "in", true);
	site.flags = ENGINE_READ_ONLY;
	site_open(&site);
	open_both();
	assert_int_equal(do_status(&site, alice, "INBOX").messages, 3);
	assert_int_equal(claims(alice), 1);
	close_both();
	site_close(&site);
	site.flags = 0;
	site_open(&site);
	open_both();
	assert_int_equal(do_status(&site, alice, "INBOX").messages, 1);
	assert_int_equal(do_status(&site, bob, "in").messages, 2);
	expect_clean();
}

static void plans_that_run_twice_move_once(void **state)
{
	struct done d = { 0 };
	close_both();
	site_close(&site);
	site.flags = ENGINE_REPLAY;
	site_open(&site);
	open_both();
	do_create(&site, bob, "in", 0); /* "mem" is empty again */
	do_append_many(&site, alice, "INBOX", 300);
	struct mailbox *m = do_open(&site, alice, "INBOX");
	assert_int_equal(across(m, "1:290", bob, "in", true, 0, &d), ERR_OK);
	done_clear(&d);
	assert_int_equal(do_status(&site, alice, "INBOX").messages, 10);
	assert_int_equal(do_status(&site, bob, "in").messages, 290);
	mailbox_unref(m);
	expect_clean();
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
	if (argc == 7)
		return crash_main(argv);
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_copy_has_the_bytes_the_flags_and_the_ids),
		TEST(flags_that_are_locked_stay_behind),
		TEST(a_copy_is_all_or_nothing),
		TEST(a_move_takes_them_along_part_by_part),
		TEST(a_large_message_comes_whole),
		TEST(a_copy_of_many_is_shown_at_once),
		TEST(a_replacement_may_lie_elsewhere),
		TEST(what_is_on_its_way_is_moved_by_nobody_else),
		TEST(a_mailbox_may_go_while_they_leave),
		TEST(after_a_crash_each_message_is_in_one_place),
		TEST(a_claim_is_judged_by_whoever_opens_it_for_writing),
		TEST(plans_that_run_twice_move_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
