/* How long things live: bodies, views, handles, watches, recent claims, the account
 * cache. */
#include <stdio.h>

#include "store/account.h"
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

static enum err read_code(struct body_id id)
{
	struct buf b = { 0 };
	enum err rc = do_read(&site, a, id, &b);
	buf_done(&b);
	return rc;
}

static void sweep(void)
{
	account_reap(a);
	site_quiet(&site);
}

static void expunge_uids(struct mailbox *m, const char *uids)
{
	assert_int_equal(do_flag(&site, m, uids, FLAGS_ADD, FLAG_DELETED, NULL), ERR_OK);
	struct numset went = do_expunge(&site, m);
	numset_done(&went);
}

static void a_body_stays_while_a_view_shows_it(void **state)
{
	do_append_many(&site, a, "INBOX", 3);
	struct mailbox *m = do_open(&site, a, "INBOX");
	struct view *v = mailbox_view_now(m);
	struct body_id id = view_get(v, 2).info->body;
	expunge_uids(m, "2");
	sweep();
	assert_int_equal(read_code(id), ERR_OK);
	view_unref(v);
	sweep();
	assert_int_equal(read_code(id), ERR_NOENT);
	mailbox_unref(m);
}

static void a_shared_body_stays_until_the_last_holder_went(void **state)
{
	assert_int_equal(do_create(&site, a, "B", 0), ERR_OK);
	assert_int_equal(do_create(&site, a, "C", 0), ERR_OK);
	do_append_many(&site, a, "INBOX", 1);
	struct mailbox *m = do_open(&site, a, "INBOX"), *b = do_open(&site, a, "B");
	struct done d = { 0 };
	assert_int_equal(do_copy(&site, m, "1", "B", false, &d), ERR_OK);
	done_clear(&d);
	assert_int_equal(do_copy(&site, m, "1", "B", false, &d), ERR_OK);
	done_clear(&d);
	assert_int_equal(do_copy(&site, m, "1", "C", true, &d), ERR_OK);
	done_clear(&d);
	struct view *v = mailbox_view_now(b);
	struct body_id id = view_get(v, 1).info->body;
	view_unref(v);
	expunge_uids(b, "1");
	sweep();
	assert_int_equal(read_code(id), ERR_OK);
	expunge_uids(b, "2");
	sweep();
	assert_int_equal(read_code(id), ERR_OK);
	site_check(&site);
	assert_int_equal(do_delete(&site, a, "C"), ERR_OK);
	sweep();
	assert_int_equal(read_code(id), ERR_NOENT);
	mailbox_unref(m);
	mailbox_unref(b);
}

/* A view of one mailbox, from before the body's last holder in another one went. */
static void a_view_of_another_mailbox_keeps_a_shared_body(void **state)
{
	assert_int_equal(do_create(&site, a, "B", 0), ERR_OK);
	do_append_many(&site, a, "INBOX", 1);
	struct mailbox *m = do_open(&site, a, "INBOX"), *b = do_open(&site, a, "B");
	struct done d = { 0 };
	assert_int_equal(do_copy(&site, m, "1", "B", false, &d), ERR_OK);
	done_clear(&d);
	struct view *v = mailbox_view_now(m);
	struct body_id id = view_get(v, 1).info->body;
	expunge_uids(m, "1");
	expunge_uids(b, "1");
	sweep();
	assert_int_equal(read_code(id), ERR_OK);
	view_unref(v);
	sweep();
	assert_int_equal(read_code(id), ERR_NOENT);
	mailbox_unref(m);
	mailbox_unref(b);
}

static void bodies_to_drop_are_swept_when_the_last_session_ends(void **state)
{
	do_append_many(&site, a, "INBOX", 5);
	struct mailbox *m = do_open(&site, a, "INBOX");
	expunge_uids(m, "1:5");
	mailbox_unref(m);
	struct account *was = a;
	account_unref(a);
	site_quiet(&site);
	a = site_account(&site, "alice");
	assert_ptr_equal(a, was);
	assert_int_equal(a->drops, 0);
}

static void what_a_crash_left_is_swept_at_the_next_open(void **state)
{
	do_append_many(&site, a, "INBOX", 5);
	struct mailbox *m = do_open(&site, a, "INBOX");
	expunge_uids(m, "1:5");
	pthread_mutex_lock(&site.store->lock);
	site.store->is_closing = true; /* no sweep starts: as if the process had died */
	pthread_mutex_unlock(&site.store->lock);
	mailbox_unref(m);
	account_unref(a);
	site_close(&site);
	site_open(&site);
	a = site_account(&site, "alice");
	site_quiet(&site);
	pthread_mutex_lock(&a->lock);
	assert_int_equal(a->drops, 0);
	pthread_mutex_unlock(&a->lock);
}

static void messages_with_torn_bodies_go(void **state)
{
	do_append_many(&site, a, "INBOX", 300);
	assert_int_equal(do_create(&site, a, "B", 0), ERR_OK);
	struct mailbox *m = do_open(&site, a, "INBOX");
	struct done d = { 0 };
	assert_int_equal(do_copy(&site, m, "1:10", "B", false, &d), ERR_OK);
	done_clear(&d);
	struct view *v = mailbox_view_now(m);
	struct body_id torn[3] = { view_get(v, 3).info->body,
				   view_get(v, 290).info->body,
				   { { 9 } } };
	view_unref(v);
	mailbox_unref(m);
	struct account_id id = a->id;
	account_unref(a);
	site_quiet(&site);
	store_evict(site.store, 0);
	_Atomic enum err rc = ERR_OK;
	store_torn_remove(site.store, id, torn, 3, &rc);
	site_quiet(&site);
	assert_int_equal(rc, ERR_OK);
	a = site_account(&site, "alice");
	assert_int_equal(do_status(&site, a, "INBOX").messages, 298);
	assert_int_equal(do_status(&site, a, "B").messages, 9);
	assert_int_equal(read_code(torn[0]), ERR_NOENT);
	assert_int_equal(read_code(torn[1]), ERR_NOENT);
}

static void a_deleted_mailbox_is_gone_for_its_sessions(void **state)
{
	assert_int_equal(do_create(&site, a, "B", 0), ERR_OK);
	do_append_many(&site, a, "B", 700);
	struct mailbox *m = do_open(&site, a, "B");
	struct view *v = mailbox_view_now(m);
	assert_false(mailbox_is_gone_now(m));
	assert_int_equal(do_delete(&site, a, "B"), ERR_OK);
	assert_true(mailbox_is_gone_now(m));
	site_quiet(&site);
	assert_int_equal(view_count(v), 700);
	assert_int_equal(read_code(view_get(v, 500).info->body), ERR_OK);
	struct view *same = mailbox_view_now(m);
	assert_ptr_equal(same, v);
	view_unref(same);
	assert_int_equal(do_flag(&site, m, "1", FLAGS_ADD, FLAG_SEEN, NULL), ERR_NOENT);
	struct done d = { 0 };
	assert_int_not_equal(do_copy(&site, m, "1", "INBOX", false, &d), ERR_OK);
	done_clear(&d);
	/* its name again: another mailbox */
	assert_int_equal(do_create(&site, a, "B", 0), ERR_OK);
	assert_true(mailbox_is_gone_now(m));
	assert_int_equal(do_status(&site, a, "B").messages, 0);
	struct body_id id = view_get(v, 500).info->body;
	view_unref(v);
	mailbox_unref(m);
	sweep();
	assert_int_equal(read_code(id), ERR_NOENT);
}

static void a_renamed_mailbox_stays_open(void **state)
{
	assert_int_equal(do_create(&site, a, "B", 0), ERR_OK);
	do_append_many(&site, a, "B", 1);
	struct mailbox *m = do_open(&site, a, "B");
	assert_int_equal(do_rename(&site, a, "B", "C"), ERR_OK);
	assert_false(mailbox_is_gone_now(m));
	assert_int_equal(do_flag(&site, m, "1", FLAGS_ADD, FLAG_SEEN, NULL), ERR_OK);
	assert_int_equal(do_status(&site, a, "C").unseen, 0);
	mailbox_unref(m);
}

/* RFC 3501 section 2.3.2: one session is told of each message */
static void recent_messages_are_claimed_once(void **state)
{
	do_append_many(&site, a, "INBOX", 3);
	assert_int_equal(do_status(&site, a, "INBOX").recent, 3);
	struct mailbox *m = do_open(&site, a, "INBOX"), *n = do_open(&site, a, "INBOX");
	assert_ptr_equal(m, n);
	assert_int_equal(mailbox_recent(m, 4, false), 1);
	assert_int_equal(mailbox_recent(m, 4, true), 1);
	assert_int_equal(mailbox_recent(n, 4, true), 4);
	assert_int_equal(do_status(&site, a, "INBOX").recent, 0);
	do_append_many(&site, a, "INBOX", 2);
	assert_int_equal(do_status(&site, a, "INBOX").recent, 2);
	assert_int_equal(mailbox_recent(n, 6, true), 4);
	mailbox_unref(n);
	mailbox_unref(m);
	site_quiet(&site);
	m = do_open(&site, a, "INBOX");
	assert_int_equal(mailbox_recent(m, 6, true), 6);
	mailbox_unref(m);
	assert_int_equal(do_status(&site, a, "INBOX").recent, 0);
}

static void count_call(void *arg)
{
	++*(int *)arg;
}

static void a_watch_is_told_once_for_many_changes(void **state)
{
	int calls = 0, other = 0;
	struct watch *w = account_watch(a, &site.loop.executor, count_call, &calls);
	struct watch *x = account_watch(a, &site.loop.executor, count_call, &other);
	struct done d = { 0 }, e = { 0 };
	mailbox_create(a, SPAN("one"), 0, done_to(&site.loop, &d));
	mailbox_create(a, SPAN("two"), 0, done_to(&site.loop, &e));
	for (;;) { /* both are durable before the loop looks */
		pthread_mutex_lock(&a->lock);
		bool both = a->names->names.n == 3;
		pthread_mutex_unlock(&a->lock);
		if (both)
			break;
	}
	watch_close(x);
	done_wait(&site.loop, &d);
	done_wait(&site.loop, &e);
	assert_int_equal(calls, 1);
	assert_int_equal(other, 0);
	done_clear(&d);
	done_clear(&e);
	/* nothing changed: nothing is told */
	struct mailbox *m = do_open(&site, a, "one");
	assert_int_equal(do_flag(&site, m, "1", FLAGS_ADD, FLAG_SEEN, NULL), ERR_OK);
	testloop_drain(&site.loop);
	assert_int_equal(calls, 1);
	do_append_many(&site, a, "one", 1);
	assert_int_equal(calls, 2);
	mailbox_unref(m);
	watch_close(w);
}

static void never(struct op *op, void *owner)
{
	fail();
}

static void an_orphaned_op_does_its_work_unseen(void **state)
{
	struct op_to to = { &site.loop.executor, never, &site };
	op_orphan(mailbox_create(a, SPAN("x"), 0, to));
	op_orphan(mailbox_open(a, SPAN("x"), to));
	struct numset one = uids_of("1");
	struct mailbox *m = do_open(&site, a, "INBOX");
	op_orphan(messages_expunge(m, &one, to));
	numset_done(&one);
	mailbox_unref(m);
	assert_int_equal(do_create(&site, a, "x", 0), ERR_EXISTS);
	testloop_drain(&site.loop);
}

static void idle_accounts_leave_memory(void **state)
{
	char name[16];
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "user%d", i);
		struct account *u = site_account(&site, name);
		do_append_many(&site, u, "INBOX", 1);
		account_unref(u);
	}
	site_quiet(&site);
	store_evict(site.store, 10);
	pthread_mutex_lock(&site.store->lock);
	assert_int_equal(site.store->n_idle, 10);
	assert_int_equal(site.store->n_accounts, 11);
	pthread_mutex_unlock(&site.store->lock);
	struct account *u = site_account(&site, "user0");
	assert_int_equal(do_status(&site, u, "INBOX").messages, 1);
	account_unref(u);
}

static void an_account_in_memory_is_there_at_once(void **state)
{
	assert_null(store_account_now(site.store, SPAN("bob")));
	struct account *b = site_account(&site, "bob");
	struct account *now = store_account_now(site.store, SPAN("bob"));
	assert_ptr_equal(now, b);
	account_unref(now);
	account_unref(b);
	now = store_account_now(site.store, SPAN("bob"));
	assert_ptr_equal(now, b);
	account_unref(now);
	site_quiet(&site);
	store_evict(site.store, 0);
	assert_null(store_account_now(site.store, SPAN("bob")));
}

static void a_mailbox_stays_in_memory_after_its_last_session(void **state)
{
	assert_null(mailbox_open_now(a, SPAN("INBOX")));
	struct mailbox *m = do_open(&site, a, "INBOX");
	mailbox_unref(m);
	struct mailbox *now = mailbox_open_now(a, SPAN("inbox"));
	assert_ptr_equal(now, m);
	do_append_many(&site, a, "INBOX", 3);
	struct view *v = mailbox_view_now(now);
	assert_int_equal(view_count(v), 3);
	view_unref(v);
	mailbox_unref(now);
	assert_int_equal(site.store->kept.n, 1);
	assert_null(mailbox_open_now(a, SPAN("absent")));
	assert_null(mailbox_open_now(a, SPAN("")));
	store_evict(site.store, 0);
	assert_int_equal(site.store->kept.n, 0);
	assert_int_equal(site.store->kept.bytes, 0);
	assert_null(mailbox_open_now(a, SPAN("INBOX")));
}

static void a_mailbox_evicted_in_use_goes_with_its_session(void **state)
{
	struct mailbox *m = do_open(&site, a, "INBOX");
	mailbox_unref(m);
	m = mailbox_open_now(a, SPAN("INBOX"));
	store_evict(site.store, 0);
	struct view *v = mailbox_view_now(m);
	assert_int_equal(view_count(v), 0);
	view_unref(v);
	mailbox_unref(m);
	assert_int_equal(site.store->kept.n, 1);
}

static void a_deleted_mailbox_is_not_kept(void **state)
{
	assert_int_equal(do_create(&site, a, "B", 0), ERR_OK);
	do_append_many(&site, a, "B", 2);
	struct mailbox *m = do_open(&site, a, "B");
	struct view *v = mailbox_view_now(m);
	struct body_id id = view_get(v, 1).info->body;
	view_unref(v);
	mailbox_unref(m);
	assert_int_equal(site.store->kept.n, 1);
	assert_int_equal(do_delete(&site, a, "B"), ERR_OK);
	assert_int_equal(site.store->kept.n, 0);
	assert_null(mailbox_open_now(a, SPAN("B")));
	sweep();
	assert_int_equal(read_code(id), ERR_NOENT);
}

static void claims_of_recent_in_a_kept_mailbox_outlive_the_store(void **state)
{
	do_append_many(&site, a, "INBOX", 3);
	struct mailbox *m = do_open(&site, a, "INBOX");
	assert_int_equal(mailbox_recent(m, 4, true), 1);
	mailbox_unref(m);
	account_unref(a);
	site_close(&site);
	site_open(&site);
	a = site_account(&site, "alice");
	assert_int_equal(do_status(&site, a, "INBOX").recent, 0);
}

static void keywords_overflow_the_flags_word(void **state)
{
	char all[600 * 6] = "";
	do_append_many(&site, a, "INBOX", 2);
	struct mailbox *m = do_open(&site, a, "INBOX");
	for (int i = 0; i < STORE_KEYWORDS; i++) {
		char one[16];
		snprintf(one, sizeof one, "k%d ", i);
		strcat(all, one);
	}
	assert_int_equal(do_flag(&site, m, "1", FLAGS_ADD, 0, all), ERR_OK);
	assert_int_equal(do_flag(&site, m, "2", FLAGS_ADD, 0, "k60 k3 k511"), ERR_OK);
	assert_int_equal(do_flag(&site, m, "2", FLAGS_ADD, 0, "one-more"), ERR_LIMIT);
	assert_int_equal(do_flag(&site, m, "1", FLAGS_REMOVE, 0, "K60"), ERR_OK);
	assert_int_equal(do_create(&site, a, "B", 0), ERR_OK);
	struct done d = { 0 };
	assert_int_equal(do_copy(&site, m, "2", "B", false, &d), ERR_OK);
	done_clear(&d);
	mailbox_unref(m);
	store_evict(site.store, 0);
	m = do_open(&site, a, "INBOX");
	struct view *v = mailbox_view_now(m);
	assert_int_equal(view_keywords(v), STORE_KEYWORDS);
	assert_true(view_has_keyword(v, 1, 511));
	assert_false(view_has_keyword(v, 1, 60));
	assert_true(view_has_keyword(v, 2, 60));
	assert_true(view_has_keyword(v, 2, 3));
	assert_false(view_has_keyword(v, 2, 4));
	view_unref(v);
	struct mailbox *b = do_open(&site, a, "B");
	v = mailbox_view_now(b);
	assert_int_equal(view_keywords(v), 3);
	assert_int_equal(view_get(v, 1).flags, 7 << 8);
	view_unref(v);
	mailbox_unref(b);
	expunge_uids(m, "1");
	mailbox_unref(m);
}

static void vanished_rows_are_merged_and_bounded(void **state)
{
	const unsigned n = 2 * STORE_VANISHED_ROWS + 40;
	do_append_many(&site, a, "INBOX", n);
	struct mailbox *m = do_open(&site, a, "INBOX");
	assert_int_equal(do_flag(&site, m, "1:99999", FLAGS_ADD, FLAG_DELETED, NULL),
			 ERR_OK);
	for (unsigned i = 1; i <= n; i++) {
		struct numset one = { 0 };
		struct done d = { 0 };
		numset_add(&one, i % 2 ? i : n + 1 - i + i % 2);
		messages_expunge(m, &one, done_to(&site.loop, &d));
		assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
		done_clear(&d);
		numset_done(&one);
	}
	struct view *v = mailbox_view_now(m);
	assert_true(v->h.vanished_rows <= STORE_VANISHED_ROWS);
	view_unref(v);
	mailbox_unref(m);
}

static void expect_expunged(struct mailbox *m, uint64_t since, const char *want)
{
	struct done d = { 0 };
	mailbox_expunged(m, since, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	expect_uids(&d.source, want);
	done_clear(&d);
}

static uint64_t modseq_of(struct mailbox *m)
{
	struct view *v = mailbox_view_now(m);
	uint64_t modseq = view_modseq(v);
	view_unref(v);
	return modseq;
}

static void what_was_expunged_since_a_modseq(void **state)
{
	do_append_many(&site, a, "INBOX", 20);
	struct mailbox *m = do_open(&site, a, "INBOX");
	uint64_t start = modseq_of(m);
	expunge_uids(m, "3,5:7");
	uint64_t middle = modseq_of(m);
	expunge_uids(m, "4");
	expect_expunged(m, start, "3:7");
	expect_expunged(m, middle, "4");
	expect_expunged(m, modseq_of(m), "");
	expect_expunged(m, 1, "3:7");
	mailbox_unref(m);
}

/* RFC 7162 section 5.3: more may be named than what went, never less */
static void expunged_beyond_the_history(void **state)
{
	account_unref(a);
	site_close(&site);
	site.expunge_history = 4;
	site_open(&site);
	a = site_account(&site, "alice");
	do_append_many(&site, a, "INBOX", 200);
	struct mailbox *m = do_open(&site, a, "INBOX");
	uint64_t start = modseq_of(m), late = 0;
	for (unsigned i = 0; i < 80; i++) {
		char uid[16];
		snprintf(uid, sizeof uid, "%u", 2 * i + 1);
		expunge_uids(m, uid);
		late = i == 78 ? modseq_of(m) : late;
	}
	expect_expunged(m, late, "159");
	expect_expunged(m, start, "1:4294967294");
	struct view *v = mailbox_view_now(m);
	assert_true(v->h.vanished_rows <= 4);
	view_unref(v);
	mailbox_unref(m);
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_body_stays_while_a_view_shows_it),
		T(a_shared_body_stays_until_the_last_holder_went),
		T(a_view_of_another_mailbox_keeps_a_shared_body),
		T(bodies_to_drop_are_swept_when_the_last_session_ends),
		T(messages_with_torn_bodies_go),
		T(a_deleted_mailbox_is_gone_for_its_sessions),
		T(a_renamed_mailbox_stays_open),
		T(recent_messages_are_claimed_once),
		T(a_watch_is_told_once_for_many_changes),
		T(an_orphaned_op_does_its_work_unseen),
		T(idle_accounts_leave_memory),
		T(an_account_in_memory_is_there_at_once),
		T(a_mailbox_stays_in_memory_after_its_last_session),
		T(a_mailbox_evicted_in_use_goes_with_its_session),
		T(a_deleted_mailbox_is_not_kept),
		T(keywords_overflow_the_flags_word),
		T(vanished_rows_are_merged_and_bounded),
		T(what_was_expunged_since_a_modseq),
		T(expunged_beyond_the_history),
	};
	const struct CMUnitTest lasting[] = {
		T(what_a_crash_left_is_swept_at_the_next_open),
		T(claims_of_recent_in_a_kept_mailbox_outlive_the_store),
	};
	int bad = cmocka_run_group_tests_name("life", tests, NULL, NULL);
	/* Nothing outlives closing in the engine `mem`. */
	if (site_is_lasting())
		bad += cmocka_run_group_tests_name("life for good", lasting, NULL, NULL);
	return bad;
}
