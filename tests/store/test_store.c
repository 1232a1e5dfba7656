/* Accounts, appending, flags, expunging, copying, reading: one session. */
#include <stdio.h>

#include "mail/summary.h"
#include "store/account.h"
#include "testloop.h"

static struct site site;

static int setup(void **state)
{
	site_init(&site);
	return 0;
}

static int teardown(void **state)
{
	site_done(&site);
	return 0;
}

static void a_new_account_has_an_empty_inbox(void **state)
{
	struct account *a = site_account(&site, "alice");
	expect_names(a, "INBOX E\n");
	struct mailbox_status s = do_status(&site, a, "INBOX");
	assert_true(s.exists);
	assert_int_equal(s.messages, 0);
	assert_int_equal(s.uidnext, 1);
	assert_true(s.uidvalidity > 0);
	assert_true(s.highestmodseq > 0);
	account_unref(a);
}

static void an_account_is_not_made_unless_asked_for(void **state)
{
	struct done d = { 0 };
	store_account_open(site.store, SPAN("nobody"), false, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_NOENT);
	done_clear(&d);
	store_account_open(site.store, SPAN(""), true, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_INVAL);
	done_clear(&d);
}

static void an_appended_message_reads_back(void **state)
{
	struct account *a = site_account(&site, "alice");
	struct span text = SPAN("Subject: hi\r\n\r\nHello\r\n");
	assert_int_equal(do_append(&site, a, "INBOX", text, FLAG_SEEN, "$Work later"), 1);
	assert_int_equal(do_append(&site, a, "inbox", text, 0, "$WORK"), 2);
	struct mailbox *m = do_open(&site, a, "Inbox");
	struct view *v = mailbox_view_now(m);
	assert_int_equal(view_count(v), 2);
	assert_int_equal(view_unseen(v), 1);
	assert_int_equal(view_first_unseen(v), 2);
	assert_int_equal(view_uidnext(v), 3);
	assert_int_equal(view_bytes(v), 2 * text.n);
	assert_int_equal(view_keywords(v), 2);
	assert_true(span_eq(view_keyword(v, 0), SPAN("$Work")));
	assert_int_equal(view_find_keyword(v, SPAN("LATER")), 1);
	struct view_msg msg = view_get(v, 1);
	assert_int_equal(msg.uid, 1);
	assert_int_equal(msg.flags, FLAG_SEEN | 3 << 8);
	assert_int_equal(msg.info->bytes, text.n);
	assert_int_equal(msg.info->internal_date, 1000000000);
	assert_int_equal(msg.info->zone_min, -90);
	assert_true(view_has_keyword(v, 1, 1));
	assert_false(view_has_keyword(v, 2, 1));
	struct buf b = { 0 };
	assert_int_equal(do_read(&site, a, msg.info->body, &b), ERR_OK);
	assert_true(span_eq(buf_span(&b), text));
	buf_done(&b);
	view_unref(v);
	mailbox_unref(m);
	account_unref(a);
}

static void append_to_no_mailbox_is_noent_and_leaves_nothing(void **state)
{
	struct account *a = site_account(&site, "alice");
	assert_int_equal(do_append(&site, a, "nowhere", SPAN("x"), 0, NULL), 0);
	account_unref(a);
}

static void several_messages_are_appended_as_one(void **state)
{
	struct account *a = site_account(&site, "alice");
	do_append_many(&site, a, "INBOX", 600);
	struct mailbox *m = do_open(&site, a, "INBOX");
	struct view *v = mailbox_view_now(m);
	assert_int_equal(view_count(v), 600);
	uint64_t modseq = view_get(v, 1).modseq;
	for (uint32_t i = 1; i <= 600; i++) {
		assert_int_equal(view_get(v, i).uid, i);
		assert_int_equal(view_get(v, i).modseq, modseq);
	}
	view_unref(v);
	mailbox_unref(m);
	account_unref(a);
}

static void a_large_message_streams_in_pieces(void **state)
{
	struct account *a = site_account(&site, "alice");
	size_t n = 2 * BODY_PIECE + 12345;
	char *text = malloc(n);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + i * 2654435761u % 26);
	memcpy(text, "Subject: x\r\n\r\n", 14);
	assert_int_equal(do_append(&site, a, "INBOX", span_of(text, n), 0, NULL), 1);
	struct mailbox *m = do_open(&site, a, "INBOX");
	struct view *v = mailbox_view_now(m);
	struct buf b = { 0 };
	assert_int_equal(do_read(&site, a, view_get(v, 1).info->body, &b), ERR_OK);
	assert_int_equal(b.n, n);
	assert_memory_equal(buf_span(&b).p, text, n);
	buf_done(&b);
	free(text);
	view_unref(v);
	mailbox_unref(m);
	account_unref(a);
}

static void open_gate(void *arg)
{
	*(bool *)arg = true;
}

static void large_messages_of_one_append_go_to_disk_one_by_one(void **state)
{
	static const size_t size[] = { 100000, 10, BODY_PIECE, BODY_PIECE + 20000,
				       20000 };
	struct account *a = site_account(&site, "alice");
	struct append_item items[5] = { 0 };
	char *text = malloc(BODY_PIECE + 20000);
	memset(text, 'x', BODY_PIECE + 20000);
	for (size_t i = 0; i < 5; i++) {
		bool is_open = false;
		items[i].body = incoming_new(a, &site.loop.executor, open_gate, &is_open);
		incoming_feed(items[i].body, span_of(text, size[i]));
		if (i < 4 && !incoming_end(items[i].body))
			testloop_until(&site.loop, &is_open);
	}
	struct done d = { 0 };
	messages_append(a, SPAN("INBOX"), items, 5, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	expect_uids(&d.target, "1:5");
	done_clear(&d);
	struct mailbox *m = do_open(&site, a, "INBOX");
	struct view *v = mailbox_view_now(m);
	for (uint32_t i = 0; i < 5; i++) {
		struct buf b = { 0 };
		assert_int_equal(do_read(&site, a, view_get(v, i + 1).info->body, &b),
				 ERR_OK);
		assert_int_equal(b.n, size[i]);
		buf_done(&b);
	}
	free(text);
	view_unref(v);
	mailbox_unref(m);
	account_unref(a);
}

static void an_empty_message_is_a_message(void **state)
{
	struct account *a = site_account(&site, "alice");
	assert_int_equal(do_append(&site, a, "INBOX", SPAN(""), 0, NULL), 1);
	account_unref(a);
}

static void an_aborted_message_leaves_nothing(void **state)
{
	struct account *a = site_account(&site, "alice");
	char *text = calloc(1, BODY_PIECE + 10);
	struct incoming *in = incoming_new(a, &site.loop.executor, NULL, NULL);
	assert_false(incoming_feed(in, span_of(text, BODY_PIECE + 10)));
	incoming_free(in); /* while its piece is being written */
	free(text);
	in = incoming_new(a, &site.loop.executor, NULL, NULL);
	assert_true(incoming_feed(in, SPAN("small")));
	incoming_free(in);
	bool is_idle = false;
	while (!is_idle) {
		testloop_drain(&site.loop);
		pthread_mutex_lock(&site.store->lock);
		is_idle = atomic_load(&a->refs) == 1;
		pthread_mutex_unlock(&site.store->lock);
	}
	account_unref(a);
}

static void flags_change_and_a_change_of_nothing_writes_nothing(void **state)
{
	struct account *a = site_account(&site, "alice");
	do_append_many(&site, a, "INBOX", 3);
	struct mailbox *m = do_open(&site, a, "INBOX");
	assert_int_equal(do_flag(&site, m, "2:9", FLAGS_ADD, FLAG_SEEN, "$A"), ERR_OK);
	struct view *v = mailbox_view_now(m);
	assert_int_equal(view_unseen(v), 1);
	assert_int_equal(view_get(v, 2).flags, FLAG_SEEN | 1 << 8);
	uint64_t modseq = view_modseq(v);
	assert_int_equal(view_get(v, 2).modseq, modseq);
	assert_int_equal(view_get(v, 3).modseq, modseq);
	assert_true(view_get(v, 1).modseq < modseq);

	assert_int_equal(do_flag(&site, m, "2:3", FLAGS_ADD, FLAG_SEEN, "$a"), ERR_OK);
	assert_int_equal(do_flag(&site, m, "1", FLAGS_REMOVE, FLAG_SEEN, "$B"), ERR_OK);
	assert_int_equal(do_flag(&site, m, "70:90", FLAGS_SET, FLAG_SEEN, "$C"), ERR_OK);
	struct view *same = mailbox_view_now(m);
	assert_ptr_equal(same, v);
	view_unref(same);

	assert_int_equal(do_flag(&site, m, "2", FLAGS_SET, FLAG_DELETED, NULL), ERR_OK);
	same = mailbox_view_now(m);
	assert_int_equal(view_get(same, 2).flags, FLAG_DELETED);
	assert_int_equal(view_deleted(same), 1);
	assert_int_equal(view_keywords(same), 1);
	view_unref(same);
	view_unref(v);
	mailbox_unref(m);
	account_unref(a);
}

/* RFC 7162 sections 3.1.3 and 3.1.11 */
static void unchangedsince_passes_over_newer_messages(void **state)
{
	struct account *a = site_account(&site, "alice");
	do_append_many(&site, a, "INBOX", 4);
	struct mailbox *m = do_open(&site, a, "INBOX");
	struct view *v = mailbox_view_now(m);
	uint64_t since = view_modseq(v);
	view_unref(v);
	assert_int_equal(do_flag(&site, m, "2", FLAGS_ADD, FLAG_FLAGGED, NULL), ERR_OK);
	struct done d = { 0 };
	struct flag_names f = { .system = FLAG_SEEN };
	struct numset all = uids_of("1:4");
	messages_flag(m, &all, FLAGS_ADD, &f, since, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	expect_uids(&d.modified, "2");
	done_clear(&d);
	v = mailbox_view_now(m);
	assert_int_equal(view_unseen(v), 1);
	view_unref(v);
	messages_flag(m, &all, FLAGS_ADD, &f, 0, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	expect_uids(&d.modified, "1:4");
	done_clear(&d);
	numset_done(&all);
	mailbox_unref(m);
	account_unref(a);
}

/* RFC 7162 section 3.1.12 */
static void unchangedsince_forgives_what_others_did_to_other_flags(void **state)
{
	struct account *a = site_account(&site, "alice");
	do_append_many(&site, a, "INBOX", 3);
	struct mailbox *m = do_open(&site, a, "INBOX");
	struct view *known = mailbox_view_now(m);
	uint64_t since = view_modseq(known);
	assert_int_equal(do_flag(&site, m, "1:2", FLAGS_ADD, FLAG_FLAGGED, NULL), ERR_OK);
	assert_int_equal(do_flag(&site, m, "3", FLAGS_ADD, FLAG_SEEN, NULL), ERR_OK);
	struct done d = { 0 };
	struct flag_names f = { .system = FLAG_SEEN };
	struct numset all = uids_of("1:3");
	messages_flag_known(m, &all, FLAGS_ADD, &f, since, known, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	expect_uids(&d.modified, "3");
	done_clear(&d);
	/* Not when the client speaks of an earlier state than it was told, nor for all flags */
	messages_flag_known(m, &all, FLAGS_ADD, &f, since - 3, known,
			    done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	expect_uids(&d.modified, "1:3");
	done_clear(&d);
	messages_flag_known(m, &all, FLAGS_SET, &f, since, known, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	expect_uids(&d.modified, "1:3");
	done_clear(&d);
	numset_done(&all);
	view_unref(known);
	mailbox_unref(m);
	account_unref(a);
}

static void changed_since_names_what_is_newer(void **state)
{
	struct account *a = site_account(&site, "alice");
	do_append_many(&site, a, "INBOX", 600);
	struct mailbox *m = do_open(&site, a, "INBOX");
	struct view *v = mailbox_view_now(m);
	uint64_t since = view_modseq(v);
	view_unref(v);
	assert_int_equal(do_flag(&site, m, "2,299:301,600", FLAGS_ADD, FLAG_FLAGGED, NULL),
			 ERR_OK);
	v = mailbox_view_now(m);
	struct numset got = { 0 }, some = uids_of("300:999");
	view_changed_since(v, since, NULL, &got);
	expect_uids(&got, "2,299:301,600");
	numset_done(&got);
	view_changed_since(v, since, &some, &got);
	expect_uids(&got, "300:301,600");
	numset_done(&got);
	view_changed_since(v, view_modseq(v), NULL, &got);
	assert_int_equal(got.n, 0);
	numset_done(&some);
	view_unref(v);
	mailbox_unref(m);
	account_unref(a);
}

static void expunge_takes_the_deleted_ones_and_records_them(void **state)
{
	struct account *a = site_account(&site, "alice");
	do_append_many(&site, a, "INBOX", 10);
	struct mailbox *m = do_open(&site, a, "INBOX");
	do_flag(&site, m, "2:4,9", FLAGS_ADD, FLAG_DELETED, NULL);
	struct numset some = uids_of("3:5");
	struct done d = { 0 };
	messages_expunge(m, &some, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	expect_uids(&d.source, "3:4");
	done_clear(&d);
	numset_done(&some);
	struct numset went = do_expunge(&site, m);
	expect_uids(&went, "2,9");
	numset_done(&went);
	went = do_expunge(&site, m);
	expect_uids(&went, "");
	struct view *v = mailbox_view_now(m);
	assert_int_equal(view_count(v), 6);
	assert_int_equal(view_seq(v, 5), 2);
	assert_int_equal(view_seq(v, 4), 0);
	assert_int_equal(view_seq_from(v, 2), 2);
	assert_int_equal(view_seq_from(v, 11), 0);
	assert_int_equal(view_uidnext(v), 11);
	view_unref(v);
	assert_int_equal(do_append(&site, a, "INBOX", SPAN("x"), 0, NULL), 11);
	mailbox_unref(m);
	account_unref(a);
}

static void copy_pairs_uids_and_shares_bodies(void **state)
{
	struct account *a = site_account(&site, "alice");
	assert_int_equal(do_create(&site, a, "Work", 0), ERR_OK);
	do_append_many(&site, a, "Work", 2);
	do_append_many(&site, a, "INBOX", 5);
	struct mailbox *m = do_open(&site, a, "INBOX"), *w = do_open(&site, a, "Work");
	do_flag(&site, m, "4", FLAGS_ADD, FLAG_ANSWERED, "$X $Y");
	do_flag(&site, w, "1", FLAGS_ADD, 0, "$Y");
	struct done d = { 0 };
	assert_int_equal(do_copy(&site, m, "2,4:99", "Work", false, &d), ERR_OK);
	expect_uids(&d.source, "2,4:5");
	expect_uids(&d.target, "3:5");
	struct view *v = mailbox_view_now(m), *to = mailbox_view_now(w);
	assert_int_equal(d.uidvalidity, view_uidvalidity(to));
	assert_int_equal(view_count(to), 5);
	assert_int_equal(view_count(v), 5);
	struct view_msg was = view_get(v, 4), is = view_get(to, 4);
	assert_memory_equal(was.info->body.b, is.info->body.b, 16);
	assert_memory_equal(was.info->email_id, is.info->email_id, 16);
	assert_int_equal(was.info->internal_date, is.info->internal_date);
	/* $Y is 1 in the source and 0 in the target, $X 0 and 1 */
	assert_int_equal(is.flags, FLAG_ANSWERED | 3 << 8);
	assert_true(span_eq(view_keyword(to, 1), SPAN("$X")));
	view_unref(v);
	view_unref(to);
	done_clear(&d);
	assert_int_equal(do_copy(&site, m, "1", "nowhere", false, &d), ERR_NOENT);
	done_clear(&d);
	assert_int_equal(do_copy(&site, m, "77", "Work", false, &d), ERR_OK);
	expect_uids(&d.source, "");
	done_clear(&d);
	mailbox_unref(w);
	mailbox_unref(m);
	account_unref(a);
}

static void move_is_copy_and_expunge_in_one(void **state)
{
	struct account *a = site_account(&site, "alice");
	assert_int_equal(do_create(&site, a, "Work", 0), ERR_OK);
	do_append_many(&site, a, "INBOX", 300);
	struct mailbox *m = do_open(&site, a, "INBOX");
	struct done d = { 0 };
	assert_int_equal(do_copy(&site, m, "2:299", "Work", true, &d), ERR_OK);
	expect_uids(&d.source, "2:299");
	expect_uids(&d.target, "1:298");
	done_clear(&d);
	struct view *v = mailbox_view_now(m);
	assert_int_equal(view_count(v), 2);
	uint64_t modseq = view_modseq(v);
	view_unref(v);
	assert_int_equal(do_status(&site, a, "Work").highestmodseq, modseq);
	/* to itself: new UIDs, the old ones go */
	assert_int_equal(do_copy(&site, m, "1:300", "INBOX", true, &d), ERR_OK);
	expect_uids(&d.source, "1,300");
	expect_uids(&d.target, "301:302");
	done_clear(&d);
	mailbox_unref(m);
	account_unref(a);
}

static enum err deliver(struct account *a, const char *second, struct numset *ret_uids)
{
	struct done d = { 0 };
	struct span paths[] = { SPAN("INBOX"), span_str(second) };
	struct append_item item = { .internal_date = 1000000000 };
	item.body = incoming_new(a, &site.loop.executor, NULL, NULL);
	incoming_feed(item.body, SPAN("Subject: hi\r\n\r\nHello\r\n"));
	messages_deliver(a, paths, 2, &item, done_to(&site.loop, &d));
	enum err rc = done_wait(&site.loop, &d);
	numset_copy(ret_uids, &d.target);
	done_clear(&d);
	return rc;
}

static void expunge_all(struct mailbox *m)
{
	assert_int_equal(do_flag(&site, m, "1:9", FLAGS_ADD, FLAG_DELETED, NULL), ERR_OK);
	struct numset went = do_expunge(&site, m);
	expect_uids(&went, "1");
	numset_done(&went);
}

static void a_delivery_to_two_mailboxes_shares_its_body(void **state)
{
	struct account *a = site_account(&site, "alice");
	struct numset uids = { 0 };
	struct buf text = { 0 };
	assert_int_equal(deliver(a, "Work", &uids), ERR_NOENT);
	assert_int_equal(do_status(&site, a, "INBOX").messages, 0);
	assert_int_equal(do_create(&site, a, "Work", 0), ERR_OK);
	assert_int_equal(deliver(a, "Work", &uids), ERR_OK);
	expect_uids(&uids, "1");
	numset_done(&uids);
	struct mailbox *inbox = do_open(&site, a, "INBOX"),
		       *work = do_open(&site, a, "Work");
	struct view *v = mailbox_view_now(inbox), *w = mailbox_view_now(work);
	struct body_id id = view_get(v, 1).info->body;
	assert_memory_equal(id.b, view_get(w, 1).info->body.b, sizeof id.b);
	view_unref(v);
	view_unref(w);
	site_check(&site);
	/* it stays as long as one of them holds it */
	expunge_all(inbox);
	site_check(&site);
	assert_int_equal(do_read(&site, a, id, &text), ERR_OK);
	assert_int_equal(text.n, 22);
	expunge_all(work);
	buf_done(&text);
	mailbox_unref(inbox);
	mailbox_unref(work);
	account_unref(a);
}

static void replies_and_originals_share_a_thread_id(void **state)
{
	struct account *a = site_account(&site, "alice");
	do_append(&site, a, "INBOX", SPAN("Message-ID: <r@x>\r\n\r\n"), 0, NULL);
	do_append(&site, a, "INBOX",
		  SPAN("Message-ID: <s@x>\r\nReferences: <r@x>\r\n <q@x>\r\n\r\n"), 0,
		  NULL);
	do_append(&site, a, "INBOX",
		  SPAN("Message-ID: <t@x>\r\nIn-Reply-To: <r@x>\r\n\r\n"), 0, NULL);
	do_append(&site, a, "INBOX", SPAN("\r\n"), 0, NULL);
	struct mailbox *m = do_open(&site, a, "INBOX");
	struct view *v = mailbox_view_now(m);
	const uint8_t *first = view_get(v, 1).info->thread_id;
	assert_memory_equal(view_get(v, 2).info->thread_id, first, 16);
	assert_memory_equal(view_get(v, 3).info->thread_id, first, 16);
	assert_memory_equal(view_get(v, 4).info->thread_id, view_get(v, 4).info->email_id,
			    16);
	view_unref(v);
	mailbox_unref(m);
	account_unref(a);
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_new_account_has_an_empty_inbox),
		T(an_account_is_not_made_unless_asked_for),
		T(an_appended_message_reads_back),
		T(append_to_no_mailbox_is_noent_and_leaves_nothing),
		T(several_messages_are_appended_as_one),
		T(a_large_message_streams_in_pieces),
		T(large_messages_of_one_append_go_to_disk_one_by_one),
		T(an_empty_message_is_a_message),
		T(an_aborted_message_leaves_nothing),
		T(flags_change_and_a_change_of_nothing_writes_nothing),
		T(unchangedsince_passes_over_newer_messages),
		T(unchangedsince_forgives_what_others_did_to_other_flags),
		T(changed_since_names_what_is_newer),
		T(expunge_takes_the_deleted_ones_and_records_them),
		T(copy_pairs_uids_and_shares_bodies),
		T(a_delivery_to_two_mailboxes_shares_its_body),
		T(move_is_copy_and_expunge_in_one),
		T(replies_and_originals_share_a_thread_id),
	};
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
