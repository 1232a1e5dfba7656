/* Many sessions at once, each with a loop of its own on a thread of its own. */
#include <stdio.h>

#include "store/account.h"
#include "testloop.h"

enum { SESSIONS = 6, ROUNDS = 40 };

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

/* A site with the same store and a loop of its own. */
struct session {
	struct site site;
	unsigned n;
	uint64_t rng;
	size_t appended, expunged;
	int changes;
	pthread_t thread;
};

static void count_change(void *arg)
{
	++((struct session *)arg)->changes;
}

static void walk(struct mailbox *m, struct view **v, size_t *seen)
{
	struct view *now = mailbox_view_now(m);
	assert_true(view_modseq(now) >= view_modseq(*v));
	assert_true(view_uidnext(now) >= view_uidnext(*v));
	struct view_diff d = { 0 };
	view_diff(*v, now, &d);
	uint32_t last = 0;
	for (uint32_t seq = 1; seq <= view_count(now); seq++) {
		struct view_msg msg = view_get(now, seq);
		assert_true(msg.uid > last);
		last = msg.uid;
		*seen += msg.info->bytes;
	}
	view_unref(*v);
	*v = now;
}

static void read_one(struct session *s, struct account *a, struct view *v)
{
	if (view_count(v) == 0)
		return;
	struct buf b = { 0 };
	struct view_msg msg = view_get(v, 1 + rnd(&s->rng, view_count(v)));
	assert_int_equal(do_read(&s->site, a, msg.info->body, &b), ERR_OK);
	buf_done(&b);
}

static void *work(void *arg)
{
	struct session *s = arg;
	struct account *a = site_account(&s->site, s->n % 3 ? "shared" : "other");
	struct watch *w = account_watch(a, &s->site.loop.executor, count_change, s);
	struct mailbox *m = do_open(&s->site, a, "INBOX");
	struct view *v = mailbox_view_now(m);
	size_t seen = 0;
	for (int i = 0; i < ROUNDS; i++) {
		char uids[32];
		do_append_many(&s->site, a, "INBOX", 1 + rnd(&s->rng, 3));
		walk(m, &v, &seen);
		uint32_t uid = 1 + rnd(&s->rng, view_uidnext(v));
		snprintf(uids, sizeof uids, "%u:%u", uid, uid + rnd(&s->rng, 4));
		assert_int_equal(do_flag(&s->site, m, uids, FLAGS_ADD,
					 rnd(&s->rng, 2) ? FLAG_DELETED : FLAG_SEEN,
					 "$x"),
				 ERR_OK);
		read_one(s, a, v);
		if (i % 4 == 0) {
			struct numset went = do_expunge(&s->site, m);
			s->expunged += numset_count(&went);
			numset_done(&went);
		}
		if (i % 7 == 0) {
			view_unref(v);
			mailbox_unref(m);
			m = do_open(&s->site, a, "INBOX");
			v = mailbox_view_now(m);
			mailbox_recent(m, view_uidnext(v), true);
		}
	}
	view_unref(v);
	mailbox_unref(m);
	watch_close(w);
	account_unref(a);
	testloop_drain(&s->site.loop);
	return NULL;
}

static void sessions_side_by_side_keep_the_store_whole(void **state)
{
	struct session session[SESSIONS];
	for (unsigned i = 0; i < SESSIONS; i++) {
		session[i] =
		    (struct session){ .n = i, .rng = i + 1, .site.store = site.store };
		testloop_init(&session[i].site.loop);
		assert_int_equal(
		    pthread_create(&session[i].thread, NULL, work, &session[i]), 0);
	}
	for (unsigned i = 0; i < SESSIONS; i++) {
		pthread_join(session[i].thread, NULL);
		testloop_drain(&session[i].site.loop);
		testloop_done(&session[i].site.loop);
		assert_true(session[i].changes > 0);
	}
}

/* Commands of one session that do not wait for one another take effect in their order. */
static void ops_of_one_account_run_in_order(void **state)
{
	enum { N = 60 };
	struct account *a = site_account(&site, "alice");
	struct mailbox *m = do_open(&site, a, "INBOX");
	struct done append[N], flag[N], expunge[N];
	struct numset all = uids_of("1:100000");
	struct flag_names f = { .system = FLAG_DELETED };
	memset(append, 0, sizeof append);
	memset(flag, 0, sizeof flag);
	memset(expunge, 0, sizeof expunge);
	for (int i = 0; i < N; i++) {
		struct append_item item = { 0 };
		item.body = incoming_new(a, &site.loop.executor, NULL, NULL);
		incoming_feed(item.body, SPAN("x"));
		messages_append(a, SPAN("INBOX"), &item, 1,
				done_to(&site.loop, &append[i]));
		messages_flag(m, &all, FLAGS_ADD, &f, UINT64_MAX,
			      done_to(&site.loop, &flag[i]));
		messages_expunge(m, NULL, done_to(&site.loop, &expunge[i]));
	}
	for (int i = 0; i < N; i++) {
		assert_int_equal(done_wait(&site.loop, &expunge[i]), ERR_OK);
		assert_int_equal(append[i].rc, ERR_OK);
		assert_int_equal(numset_min(&append[i].target), i + 1);
		assert_int_equal(numset_count(&expunge[i].source), 1);
		assert_int_equal(numset_min(&expunge[i].source), i + 1);
		done_clear(&append[i]);
		done_clear(&flag[i]);
		done_clear(&expunge[i]);
	}
	numset_done(&all);
	mailbox_unref(m);
	account_unref(a);
}

/* RFC 3502: all or none; here the second message asks for too many keywords. */
static void an_append_that_fails_half_way_leaves_nothing(void **state)
{
	struct account *a = site_account(&site, "alice");
	char text[STORE_KEYWORDS + 1][16];
	struct span keyword[STORE_KEYWORDS + 1];
	struct append_item items[2] = { 0 };
	for (int i = 0; i < 2; i++) {
		items[i].body = incoming_new(a, &site.loop.executor, NULL, NULL);
		incoming_feed(items[i].body, SPAN("x"));
	}
	for (unsigned i = 0; i <= STORE_KEYWORDS; i++) {
		snprintf(text[i], sizeof text[i], "k%u", i);
		keyword[i] = span_str(text[i]);
	}
	items[1].flags = (struct flag_names){ .keyword = keyword,
					      .n_keyword = STORE_KEYWORDS + 1 };
	struct done d = { 0 };
	messages_append(a, SPAN("INBOX"), items, 2, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_LIMIT);
	done_clear(&d);
	assert_int_equal(do_status(&site, a, "INBOX").messages, 0);
	assert_int_equal(do_append(&site, a, "INBOX", SPAN("x"), 0, NULL), 1);
	account_unref(a);
}

/* ---- what never changes is read when it is asked for ---- */

static struct mailbox *select_inbox(struct account *a)
{
	struct done d = { 0 };
	mailbox_select(a, SPAN("INBOX"), done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	struct mailbox *m = mailbox_ref(d.mailbox);
	done_clear(&d);
	return m;
}

static void make_whole(struct mailbox *m)
{
	struct done d = { 0 };
	mailbox_whole(m, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	done_clear(&d);
	assert_true(mailbox_is_whole_now(m));
}

static struct account *filled(const char *name, size_t n)
{
	struct account *a = site_account(&site, name);
	do_append_many(&site, a, "INBOX", n);
	return a;
}

static void expect_infos(const struct view *v, bool are_there)
{
	for (uint32_t i = 1; i <= view_count(v); i++)
		assert_int_equal(view_get(v, i).info != NULL, are_there);
}

static void a_selected_mailbox_becomes_whole_when_it_is_asked_to(void **state)
{
	struct account *a = filled("alice", 600);
	struct mailbox *m = select_inbox(a);
	struct view *v = mailbox_view_now(m);
	assert_int_equal(view_count(v), 600);
	assert_false(mailbox_is_whole_now(m));
	assert_null(mailbox_open_now(a, SPAN("INBOX")));
	expect_infos(v, false);
	make_whole(m);
	expect_infos(v, true);
	struct mailbox *again = mailbox_open_now(a, SPAN("INBOX"));
	assert_ptr_equal(again, m);
	mailbox_unref(again);
	view_unref(v);
	mailbox_unref(m);
	account_unref(a);
}

/* Blocks of which less than half is left are written anew: the first view has all. */
static void a_change_makes_it_whole_first(void **state)
{
	struct account *a = filled("alice", 600);
	struct mailbox *m = select_inbox(a);
	struct view *v = mailbox_view_now(m);
	assert_int_equal(do_flag(&site, m, "1:599", FLAGS_ADD, FLAG_DELETED, NULL), ERR_OK);
	struct numset went = do_expunge(&site, m);
	assert_int_equal(numset_count(&went), 599);
	numset_done(&went);
	expect_infos(v, true);
	struct view *now = mailbox_view_now(m);
	assert_int_equal(view_count(now), 1);
	expect_infos(now, true);
	view_unref(now);
	view_unref(v);
	mailbox_unref(m);
	account_unref(a);
}

/* A commit that failed: what is read of the rows is no view that anybody has. */
static void a_view_is_filled_though_its_head_was_dropped(void **state)
{
	struct account *a = filled("alice", 600);
	struct mailbox *m = select_inbox(a);
	struct view *v = mailbox_view_now(m);
	atomic_store(&a->drop_head, true);
	make_whole(m);
	expect_infos(v, true);
	assert_int_equal(do_append(&site, a, "INBOX", SPAN("x"), 0, NULL), 601);
	struct view *now = mailbox_view_now(m);
	expect_infos(now, true);
	view_unref(now);
	view_unref(v);
	mailbox_unref(m);
	account_unref(a);
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(sessions_side_by_side_keep_the_store_whole),
		T(ops_of_one_account_run_in_order),
		T(an_append_that_fails_half_way_leaves_nothing),
		T(a_selected_mailbox_becomes_whole_when_it_is_asked_to),
		T(a_change_makes_it_whole_first),
		T(a_view_is_filled_though_its_head_was_dropped),
	};
	return cmocka_run_group_tests_name("sessions", tests, NULL, NULL);
}
