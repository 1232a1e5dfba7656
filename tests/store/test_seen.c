/* \Seen of users who do not own the mailbox (seen.h). */
#include "store/seen.h"
#include "testloop.h"

static struct site site;
static struct account *a;

static int setup(void **state)
{
	site_init(&site);
	a = site_account(&site, "alice");
	return 0;
}

static int teardown(void **state)
{
	account_unref(a);
	site_done(&site);
	return 0;
}

static void reopen(unsigned flags)
{
	account_unref(a);
	site_close(&site);
	site.flags = flags;
	site_open(&site);
	a = site_account(&site, "alice");
}

static struct mailbox *open_as(const char *user)
{
	struct done d = { 0 };
	mailbox_open_as(a, SPAN("INBOX"), span_str(user), done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	struct mailbox *m = d.mailbox;
	d.mailbox = NULL;
	done_clear(&d);
	return m;
}

static void expect_seen(struct mailbox *m, const char *uids)
{
	struct view *v = mailbox_view_now(m);
	struct numset seen = { 0 };
	view_match_flags(v, FLAG_SEEN, FLAG_SEEN, &seen);
	expect_uids(&seen, uids);
	assert_int_equal(view_unseen(v), view_count(v) - numset_count(&seen));
	numset_done(&seen);
	view_unref(v);
}

static struct mailbox_status status_as(const char *user)
{
	struct done d = { 0 };
	const struct names *names = account_names_now(a);
	const struct name *n = names_find(names, SPAN("INBOX"));
	mailbox_status_as(a, &n->mailbox, 1, span_str(user), false,
			  done_to(&site.loop, &d));
	names_unref(names);
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	struct mailbox_status st = d.status[0];
	done_clear(&d);
	return st;
}

static void each_user_has_his_own(void **state)
{
	do_append_many(&site, a, "INBOX", 700);
	struct mailbox *own = do_open(&site, a, "INBOX");
	struct mailbox *ben = open_as("ben"), *cid = open_as("cid"),
		       *ben2 = open_as("ben");
	assert_ptr_equal(ben, ben2);
	do_flag(&site, own, "1,600", FLAGS_ADD, FLAG_SEEN, NULL);
	do_flag(&site, ben, "2:300", FLAGS_ADD, FLAG_SEEN | FLAG_FLAGGED, NULL);
	do_flag(&site, ben, "299:300", FLAGS_REMOVE, FLAG_SEEN, NULL);
	do_flag(&site, cid, "700", FLAGS_SET, FLAG_SEEN, "key");
	expect_seen(own, "1,600");
	expect_seen(ben, "2:298");
	expect_seen(cid, "700");
	struct view *v = mailbox_view_now(own);
	assert_int_equal(view_get(v, 2).flags & 0xff, FLAG_FLAGGED);
	assert_true(view_find_keyword(v, SPAN("key")) >= 0);
	view_unref(v);
	assert_int_equal(status_as("ben").unseen, 700 - 297);
	assert_int_equal(status_as("nobody").unseen, 700);
	assert_int_equal(do_status(&site, a, "INBOX").unseen, 698);
	/* the same two make the same view */
	v = mailbox_view_now(ben);
	struct view *again = mailbox_view_now(ben);
	assert_ptr_equal(v, again);
	view_unref(v);
	view_unref(again);
	mailbox_unref(own);
	mailbox_unref(ben);
	mailbox_unref(ben2);
	mailbox_unref(cid);
	if (!site_is_lasting())
		return;
	reopen(0);
	ben = open_as("ben");
	expect_seen(ben, "2:298");
	mailbox_unref(ben);
}

static uint64_t highest(struct mailbox *m)
{
	struct view *v = mailbox_view_now(m);
	uint64_t modseq = view_modseq(v);
	view_unref(v);
	return modseq;
}

static void count_changed(void *arg, uint32_t seq, const struct view_msg *old,
			  const struct view_msg *now, bool differ)
{
	assert_true(differ && now->modseq > old->modseq);
	++*(unsigned *)arg;
}

static void a_change_is_news_for_him_alone(void **state)
{
	do_append_many(&site, a, "INBOX", 300);
	struct mailbox *own = do_open(&site, a, "INBOX");
	struct mailbox *ben = open_as("ben"), *cid = open_as("cid");
	struct view *was = mailbox_view_now(ben), *cid_was = mailbox_view_now(cid);
	uint64_t own_high = highest(own), cid_high = highest(cid);
	unsigned n = 0;
	do_flag(&site, ben, "1,2,290", FLAGS_ADD, FLAG_SEEN, NULL);
	struct view *now = mailbox_view_now(ben), *cid_now = mailbox_view_now(cid);
	assert_int_equal(highest(own), own_high);
	assert_int_equal(highest(cid), cid_high);
	assert_ptr_equal(cid_was, cid_now);
	assert_true(highest(ben) > own_high);
	assert_int_equal(status_as("ben").highestmodseq, highest(ben));
	assert_int_equal(status_as("cid").highestmodseq, cid_high);
	view_diff(was, now, &(struct view_diff){ .changed = count_changed, .arg = &n });
	assert_int_equal(n, 3);
	view_unref(was);
	view_unref(now);
	view_unref(cid_was);
	view_unref(cid_now);
	mailbox_unref(own);
	mailbox_unref(ben);
	mailbox_unref(cid);
}

static void what_is_expunged_leaves_it(void **state)
{
	do_append_many(&site, a, "INBOX", 4);
	struct mailbox *ben = open_as("ben");
	do_flag(&site, ben, "1:3", FLAGS_ADD, FLAG_SEEN, NULL);
	do_flag(&site, ben, "2", FLAGS_ADD, FLAG_DELETED, NULL);
	struct numset went = do_expunge(&site, ben);
	expect_uids(&went, "2");
	numset_done(&went);
	expect_seen(ben, "1,3");
	assert_int_equal(status_as("ben").unseen, 1);
	do_flag(&site, ben, "4", FLAGS_ADD, FLAG_SEEN, NULL);
	expect_seen(ben, "1,3:4");
	assert_int_equal(ben->seen->chunk[0]->seen[0], 1 << 1 | 1 << 3 | 1 << 4);
	mailbox_unref(ben);
}

static enum err copy_as(struct mailbox *m, const char *uids, const char *user)
{
	const struct copy_target target = { a, SPAN("INBOX"), 0, span_str(user) };
	struct numset set = uids_of(uids);
	struct done d = { 0 };
	messages_copy_to(m, &set, &target, false, done_to(&site.loop, &d));
	enum err rc = done_wait(&site.loop, &d);
	numset_done(&set);
	done_clear(&d);
	return rc;
}

static void copies_are_seen_by_who_had_seen_them(void **state)
{
	do_append_many(&site, a, "INBOX", 600);
	if (site_is_lasting()) {
		site.commit_chunks = 1;
		reopen(0);
	}
	struct mailbox *own = do_open(&site, a, "INBOX"), *ben = open_as("ben");
	do_flag(&site, own, "1", FLAGS_ADD, FLAG_SEEN, NULL);
	do_flag(&site, ben, "2,512:600", FLAGS_ADD, FLAG_SEEN, NULL);
	assert_int_equal(copy_as(ben, "1:600", "ben"), ERR_OK);
	struct view *v = mailbox_view_now(ben);
	assert_int_equal(view_count(v), 1200);
	assert_int_equal(view_unseen(v), 1200 - 2 * 90);
	for (uint32_t seq = 1; seq <= 600; seq++)
		assert_int_equal(view_get(v, seq).flags & FLAG_SEEN,
				 view_get(v, seq + 600).flags & FLAG_SEEN);
	view_unref(v);
	expect_seen(own, "1");
	/* by one who has no handle */
	assert_int_equal(copy_as(own, "1", "cid"), ERR_OK);
	assert_int_equal(status_as("cid").unseen, 1200);
	mailbox_unref(own);
	mailbox_unref(ben);
}

static void plans_that_run_twice_change_it_once(void **state)
{
	reopen(ENGINE_REPLAY);
	do_append_many(&site, a, "INBOX", 3);
	struct mailbox *ben = open_as("ben");
	do_flag(&site, ben, "1:2", FLAGS_ADD, FLAG_SEEN, NULL);
	do_flag(&site, ben, "1", FLAGS_REMOVE, FLAG_SEEN, NULL);
	expect_seen(ben, "2");
	assert_int_equal(copy_as(ben, "1:3", "ben"), ERR_OK);
	expect_seen(ben, "2,5");
	mailbox_unref(ben);
}

static void a_deleted_mailbox_takes_it_along(void **state)
{
	assert_int_equal(do_create(&site, a, "x", 0), ERR_OK);
	do_append_many(&site, a, "x", 3);
	struct done d = { 0 };
	mailbox_open_as(a, SPAN("x"), SPAN("ben"), done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	do_flag(&site, d.mailbox, "1:2", FLAGS_ADD, FLAG_SEEN, NULL);
	assert_int_equal(do_delete(&site, a, "x"), ERR_OK);
	assert_true(mailbox_is_gone_now(d.mailbox));
	assert_int_equal(do_flag(&site, d.mailbox, "1", FLAGS_ADD, FLAG_SEEN, NULL),
			 ERR_NOENT);
	done_clear(&d);
	assert_null(mailbox_open_as_now(a, SPAN("x"), SPAN("ben")));
	site_quiet(&site);
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(each_user_has_his_own),
		TEST(a_change_is_news_for_him_alone),
		TEST(what_is_expunged_leaves_it),
		TEST(copies_are_seen_by_who_had_seen_them),
		TEST(plans_that_run_twice_change_it_once),
		TEST(a_deleted_mailbox_takes_it_along),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
