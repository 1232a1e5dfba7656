/* Quota (RFC 9208) and REPLACE (RFC 8508) in the store. */
#include "store/quota.h"
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

static void limit(uint64_t storage, uint64_t messages, uint64_t mailboxes)
{
	const uint64_t limits[QUOTA_RESOURCES] = { storage, messages, mailboxes };
	struct done d = { 0 };
	account_quota_set(a, limits, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	done_clear(&d);
}

static struct append_item item_of(size_t bytes)
{
	char *text = malloc(bytes);
	memset(text, 'x', bytes);
	struct incoming *in = incoming_new(a, &site.loop.executor, NULL, NULL);
	incoming_feed(in, span_of(text, bytes));
	free(text);
	return (struct append_item){ .body = in };
}

static enum err append(size_t bytes)
{
	struct append_item item = item_of(bytes);
	struct done d = { 0 };
	messages_append(a, SPAN("INBOX"), &item, 1, done_to(&site.loop, &d));
	enum err rc = done_wait(&site.loop, &d);
	done_clear(&d);
	return rc;
}

static enum err replace(struct mailbox *m, uint32_t uid, const char *to, size_t bytes)
{
	struct append_item item = item_of(bytes);
	struct done d = { 0 };
	messages_replace(m, uid, a, span_str(to), &item, done_to(&site.loop, &d));
	enum err rc = done_wait(&site.loop, &d);
	done_clear(&d);
	return rc;
}

static void expect_used(uint64_t storage, uint64_t messages, uint64_t mailboxes)
{
	struct quota q;
	account_quota_now(a, &q);
	assert_int_equal(q.used[QUOTA_STORAGE], storage);
	assert_int_equal(q.used[QUOTA_MESSAGE], messages);
	assert_int_equal(q.used[QUOTA_MAILBOX], mailboxes);
}

static void what_would_make_more_than_the_limit_is_refused(void **state)
{
	assert_int_equal(append(1000), ERR_OK);
	expect_used(1, 1, 1);
	limit(3, QUOTA_NONE, QUOTA_NONE);
	assert_int_equal(append(2000), ERR_OK);
	expect_used(3, 2, 1);
	assert_int_equal(append(100), ERR_QUOTA);
	expect_used(3, 2, 1);
	limit(QUOTA_NONE, 2, 2);
	assert_int_equal(append(1), ERR_QUOTA);
	assert_int_equal(do_create(&site, a, "a/b", 0), ERR_QUOTA);
	assert_int_equal(do_create(&site, a, "a", 0), ERR_OK);
	struct mailbox *inbox = do_open(&site, a, "INBOX");
	struct done d = { 0 };
	assert_int_equal(do_copy(&site, inbox, "1", "a", false, &d), ERR_QUOTA);
	done_clear(&d);
	assert_int_equal(do_copy(&site, inbox, "1", "a", true, &d), ERR_OK);
	done_clear(&d);
	expect_used(3, 2, 2);
	/* below what is used already: what makes it no larger goes on */
	limit(0, 0, 0);
	assert_int_equal(do_flag(&site, inbox, "2", FLAGS_ADD, FLAG_DELETED, NULL),
			 ERR_OK);
	assert_int_equal(do_rename(&site, a, "a", "b"), ERR_OK);
	struct numset gone = do_expunge(&site, inbox);
	numset_done(&gone);
	expect_used(1, 1, 2);
	mailbox_unref(inbox);
}

static void an_accounts_own_limits_go_before_the_defaults(void **state)
{
	const uint64_t none_but_one[QUOTA_RESOURCES] = { QUOTA_NONE, 1, QUOTA_NONE };
	struct quota q;
	store_quota_default(site.store, none_but_one);
	assert_int_equal(append(10), ERR_OK);
	assert_int_equal(append(10), ERR_QUOTA);
	limit(QUOTA_NONE, 2, QUOTA_NONE);
	assert_int_equal(append(10), ERR_OK);
	limit(QUOTA_NONE, QUOTA_NONE, QUOTA_NONE);
	assert_int_equal(append(10), ERR_OK);
	struct done d = { 0 };
	account_quota_set(a, NULL, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	done_clear(&d);
	account_quota_now(a, &q);
	assert_int_equal(q.limit[QUOTA_MESSAGE], 1);
	assert_true(quota_refuses(&q, 1, 1));
	assert_int_equal(append(10), ERR_QUOTA);
}

static void replace_is_one_change_and_counts_the_net(void **state)
{
	do_create(&site, a, "to", 0);
	append(3000);
	append(10);
	limit(3, 2, QUOTA_NONE);
	struct mailbox *inbox = do_open(&site, a, "INBOX");
	assert_int_equal(replace(inbox, 1, "INBOX", 2000), ERR_OK);
	struct view *v = mailbox_view_now(inbox);
	assert_int_equal(view_count(v), 2);
	assert_int_equal(view_get(v, 1).uid, 2);
	assert_int_equal(view_get(v, 2).uid, 3);
	view_unref(v);
	assert_int_equal(replace(inbox, 3, "INBOX", 5000), ERR_QUOTA);
	assert_int_equal(replace(inbox, 1, "to", 10), ERR_CLOSED);
	assert_int_equal(replace(inbox, 3, "nowhere", 10), ERR_NOENT);
	expect_used(2, 2, 2);
	assert_int_equal(replace(inbox, 3, "to", 10), ERR_OK);
	assert_int_equal(do_status(&site, a, "to").messages, 1);
	assert_int_equal(do_status(&site, a, "INBOX").messages, 1);
	mailbox_unref(inbox);
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(what_would_make_more_than_the_limit_is_refused),
		T(an_accounts_own_limits_go_before_the_defaults),
		T(replace_is_one_change_and_counts_the_net),
	};
	return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
