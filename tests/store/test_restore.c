/* Setting accounts back from another store, and snapshots of one (doc/backup.md). */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/attrs.h"
#include "store/quota.h"
#include "testloop.h"

/* The site, and what it was. */
static struct site now, then;

static int setup(void **state)
{
	site_init(&now);
	site_init(&then);
	return 0;
}

static int teardown(void **state)
{
	site_done(&now);
	site_done(&then);
	return 0;
}

static struct span text_of(char to[64], int i)
{
	int n = snprintf(to, 64, "Subject: number %d\r\n\r\ntext of %d\r\n", i, i);
	return span_of(to, (size_t)n);
}

static void set_attr(struct site *s, struct account *a, uint32_t mailbox,
		     enum attr_kind kind, const char *name, const char *value)
{
	const struct attr_edit e = {
		.key = { .mailbox = mailbox, .kind = kind, .name = span_str(name) },
		.value = span_str(value),
	};
	struct done d = { 0 };
	attrs_set(a, &e, 1, NULL, done_to(&s->loop, &d));
	assert_int_equal(done_wait(&s->loop, &d), ERR_OK);
	done_clear(&d);
}

/* "" when there is none. */
static void get_attr(struct account *a, uint32_t mailbox, enum attr_kind kind,
		     const char *name, char to[64])
{
	const struct attr_key key = { .mailbox = mailbox,
				      .kind = kind,
				      .name = span_str(name) };
	to[0] = 0;
	const struct attrs *at = account_attrs_now(a);
	const struct attr *found = attrs_find(at, &key);
	if (found)
		snprintf(to, 64, "%.*s", (int)found->value.n, found->value.p);
	attrs_unref(at);
}

static uint32_t number_of(struct account *a, const char *path)
{
	const struct names *names = account_names_now(a);
	const struct name *n = names_find(names, span_str(path));
	uint32_t number = n ? n->mailbox : 0;
	names_unref(names);
	return number;
}

static void fill(struct site *s, struct account *a)
{
	char text[64];
	assert_int_equal(do_create(s, a, "Work/deep", USE_ARCHIVE), ERR_OK);
	assert_int_equal(do_subscribe(s, a, "Work", true), ERR_OK);
	assert_int_equal(do_subscribe(s, a, "gone/x", true), ERR_OK);
	for (int i = 1; i <= 80; i++)
		do_append(s, a, "Work", text_of(text, i), i % 2 ? FLAG_SEEN : 0,
			  i % 3 ? "$Junk" : NULL);
	struct mailbox *m = do_open(s, a, "Work");
	struct done d = { 0 };
	assert_int_equal(do_copy(s, m, "1:50", "Work/deep", false, &d), ERR_OK);
	done_clear(&d);
	do_flag(s, m, "7,9,70", FLAGS_ADD, FLAG_DELETED, NULL);
	struct numset gone = do_expunge(s, m);
	numset_done(&gone);
	mailbox_unref(m);
	set_attr(s, a, number_of(a, "Work"), ATTR_ACL, "bob", "lrs");
	set_attr(s, a, 0, ATTR_LIMIT, "STORAGE", "1000");
}

static enum err restore(const char *to, const char *from, struct restored *ret)
{
	struct buf why = { 0 };
	enum err rc = store_restore(now.store, span_str(to), then.store, span_str(from),
				    ret, &why);
	assert_int_equal(rc != ERR_OK, why.n > 0);
	buf_done(&why);
	return rc;
}

/* Messages of two mailboxes are the same but for what a restore changes. */
static void expect_same(struct account *a, struct account *b, const char *path)
{
	struct mailbox *m = do_open(&now, a, path), *n = do_open(&then, b, path);
	assert_non_null(m);
	assert_non_null(n);
	struct view *v = mailbox_view_now(m), *w = mailbox_view_now(n);
	assert_int_equal(view_count(v), view_count(w));
	for (uint32_t seq = 1; seq <= view_count(v); seq++) {
		struct view_msg x, y;
		struct buf p = { 0 }, q = { 0 };
		assert_int_equal(view_walk(v, seq, &x, 1), 1);
		assert_int_equal(view_walk(w, seq, &y, 1), 1);
		assert_int_equal(x.uid, y.uid);
		assert_int_equal(x.flags, y.flags);
		assert_int_equal(x.info->internal_date, y.info->internal_date);
		assert_memory_equal(x.info->email_id, y.info->email_id, 16);
		assert_memory_equal(x.info->thread_id, y.info->thread_id, 16);
		assert_int_equal(do_read(&now, a, x.info->body, &p), ERR_OK);
		assert_int_equal(do_read(&then, b, y.info->body, &q), ERR_OK);
		assert_true(span_eq(buf_span(&p), buf_span(&q)));
		buf_done(&p);
		buf_done(&q);
	}
	view_unref(v);
	view_unref(w);
	mailbox_unref(m);
	mailbox_unref(n);
}

static void expect_new_numbers(struct mailbox_status old, struct mailbox_status other,
			       struct mailbox_status is)
{
	assert_true(is.uidvalidity > old.uidvalidity);
	assert_true(is.uidvalidity > other.uidvalidity);
	assert_true(is.highestmodseq > old.highestmodseq);
	assert_true(is.highestmodseq > other.highestmodseq);
}

static void an_account_is_as_it_was_under_new_numbers(void **state)
{
	struct account *a = site_account(&now, "alice"), *b = site_account(&then, "key");
	struct restored r;
	char value[64];
	fill(&then, b);
	fill(&now, a); /* something else that has the same names */
	assert_int_equal(do_create(&now, a, "New/below", 0), ERR_OK);
	struct mailbox_status old = do_status(&now, a, "Work");
	struct mailbox_status was = do_status(&then, b, "Work");

	assert_int_equal(restore("alice", "key", &r), ERR_OK);
	assert_int_equal(r.mailboxes, 3);
	assert_int_equal(r.messages, 77 + 50);
	assert_int_equal(r.copied, 77 + 2); /* two lived on as copies */
	expect_names(a, "INBOX E\nWork ESC\nWork/deep E\ngone -\ngone/x -S\n");
	expect_same(a, b, "Work");
	expect_same(a, b, "Work/deep");
	expect_same(a, b, "INBOX");
	expect_new_numbers(old, was, do_status(&now, a, "Work"));
	get_attr(a, number_of(a, "Work"), ATTR_ACL, "bob", value);
	assert_string_equal(value, "lrs");
	struct quota q;
	account_quota_now(a, &q);
	assert_int_equal(q.limit[QUOTA_STORAGE], 1000);
	assert_int_equal(q.used[QUOTA_MESSAGE], 127);
	site_check(&now);
	account_unref(a);
	account_unref(b);
}

static void what_is_still_there_is_not_copied(void **state)
{
	struct account *a, *b = site_account(&then, "key");
	struct restored r;
	fill(&then, b);
	assert_int_equal(restore("alice", "key", &r), ERR_OK); /* made */
	a = site_account(&now, "alice");
	struct mailbox_status first = do_status(&now, a, "Work");
	struct mailbox *m = do_open(&now, a, "Work");
	do_flag(&now, m, "1:60", FLAGS_ADD, FLAG_DELETED, NULL);
	struct numset gone = do_expunge(&now, m);
	size_t n = numset_count(&gone);
	numset_done(&gone);
	mailbox_unref(m);
	assert_int_equal(do_delete(&now, a, "Work/deep"), ERR_OK);
	site_quiet(&now);
	assert_int_equal(n, 58);

	assert_int_equal(restore("alice", "key", &r), ERR_OK);
	assert_in_range(r.copied, 50, 60); /* the view that is kept may show some yet */
	expect_same(a, b, "Work");
	expect_same(a, b, "Work/deep");
	assert_true(do_status(&now, a, "Work").uidvalidity > first.uidvalidity);
	assert_int_equal(restore("alice", "key", &r), ERR_OK);
	assert_int_equal(r.copied, 0);
	expect_same(a, b, "Work");
	site_check(&now);
	account_unref(a);
	account_unref(b);
}

/* Several commits of bodies, and every plan run twice. */
static void many_come_back_in_steps(void **state)
{
	struct account *a, *b = site_account(&then, "key");
	struct restored r;
	site_close(&now);
	now.flags = ENGINE_REPLAY;
	site_open(&now);
	do_append_many(&then, b, "INBOX", 1300);
	assert_int_equal(restore("alice", "key", &r), ERR_OK);
	assert_int_equal(r.copied, 1300);
	a = site_account(&now, "alice");
	expect_same(a, b, "INBOX");
	site_check(&now);
	account_unref(a);
	account_unref(b);
}

static void a_session_loses_its_mailbox_and_still_reads_it(void **state)
{
	struct account *a = site_account(&now, "alice"), *b = site_account(&then, "key");
	struct restored r;
	char text[64];
	do_append(&then, b, "INBOX", text_of(text, 1), 0, NULL);
	do_append(&now, a, "INBOX", text_of(text, 2), 0, NULL);
	struct mailbox *m = do_open(&now, a, "INBOX");
	struct view *v = mailbox_view_now(m);
	assert_int_equal(restore("alice", "key", &r), ERR_OK);
	assert_true(mailbox_is_gone_now(m));
	struct view_msg msg;
	struct buf out = { 0 };
	view_walk(v, 1, &msg, 1);
	assert_int_equal(do_read(&now, a, msg.info->body, &out), ERR_OK);
	assert_true(span_eq(buf_span(&out), text_of(text, 2)));
	buf_done(&out);
	view_unref(v);
	mailbox_unref(m);
	expect_same(a, b, "INBOX");
	account_unref(a);
	account_unref(b);
}

static void nothing_changes_when_it_fails(void **state)
{
	struct account *a = site_account(&now, "alice"), *b = site_account(&then, "key");
	struct restored r;
	fill(&now, a);
	struct mailbox_status old = do_status(&now, a, "Work");
	assert_int_equal(restore("alice", "nobody", &r), ERR_NOENT);
	struct mailbox_status is = do_status(&now, a, "Work");
	assert_int_equal(old.uidvalidity, is.uidvalidity);
	assert_int_equal(old.highestmodseq, is.highestmodseq);
	account_unref(a);
	account_unref(b);
}

static void every_mailbox_of_a_store_gets_new_numbers(void **state)
{
	struct account *a = site_account(&now, "alice"),
		       *b = site_account(&then, "alice");
	struct buf why = { 0 };
	fill(&now, a);
	fill(&then, b);
	struct mailbox_status old[2] = { do_status(&now, a, "Work"),
					 do_status(&now, a, "INBOX") };
	account_unref(a);
	site_close(&now);
	if (!site_is_lasting()) {
		account_unref(b);
		return;
	}
	site_open(&now);
	assert_int_equal(store_raise(now.store, then.store, &why), ERR_OK);
	a = site_account(&now, "alice");
	struct mailbox_status is[2] = { do_status(&now, a, "Work"),
					do_status(&now, a, "INBOX") };
	for (int i = 0; i < 2; i++) {
		assert_true(is[i].uidvalidity > old[i].uidvalidity);
		assert_true(is[i].highestmodseq > old[i].highestmodseq);
		assert_int_equal(is[i].messages, old[i].messages);
	}
	account_unref(a);
	account_unref(b);
}

/* ---- snapshots ---- */

static void count(const char *dir, unsigned *ret_segments)
{
	char command[200];
	snprintf(command, sizeof command, "ls %s/segments | wc -l", dir);
	FILE *f = popen(command, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", ret_segments), 1);
	pclose(f);
}

static void a_snapshot_is_a_store_that_stays(void **state)
{
	char text[64], dir[80], growing[100];
	struct buf why = { 0 };
	struct stat st;
	struct account *a = site_account(&now, "alice");
	fill(&now, a);
	snprintf(dir, sizeof dir, "%s/snapshot", now.dir);
	snprintf(growing, sizeof growing, "%s/growing", dir);
	enum err rc = store_snapshot(now.store, dir, &why);
	if (!site_is_lasting()) {
		assert_int_equal(rc, ERR_UNSUPPORTED);
		buf_done(&why);
		account_unref(a);
		return;
	}
	assert_int_equal(rc, ERR_OK);
	assert_int_equal(stat(growing, &st), 0);
	assert_int_equal(st.st_size, 0); /* what grew has been closed */
	/* everything goes and other things come */
	assert_int_equal(do_delete(&now, a, "Work/deep"), ERR_OK);
	assert_int_equal(do_delete(&now, a, "Work"), ERR_OK);
	do_append(&now, a, "INBOX", text_of(text, 1000), 0, NULL);
	site_check(&now);

	struct site copy = { .kind = site_kind, .flags = ENGINE_READ_ONLY };
	snprintf(copy.dir, sizeof copy.dir, "%.60s", dir);
	copy.workers = workers_new(2);
	testloop_init(&copy.loop);
	site_open(&copy);
	site_check(&copy);
	struct account *was = site_account(&copy, "alice");
	assert_int_equal(do_status(&copy, was, "Work").messages, 77);
	assert_int_equal(do_status(&copy, was, "INBOX").messages, 0);
	account_unref(was);
	site_close(&copy);
	workers_free(copy.workers);
	testloop_done(&copy.loop);

	unsigned first, second;
	count(dir, &first);
	snprintf(dir, sizeof dir, "%s/second", now.dir);
	assert_int_equal(store_snapshot(now.store, dir, &why), ERR_OK);
	count(dir, &second);
	assert_int_equal(second, first + 1); /* the message that came after */
	account_unref(a);
}

enum { SNAPSHOTS = 12 };

static const char *take_snapshots(const struct site *s)
{
	for (int i = 0; i < SNAPSHOTS; i++) {
		struct buf why = { 0 };
		char dir[100];
		snprintf(dir, sizeof dir, "%s/s%d", s->dir, i);
		if (store_snapshot(s->store, dir, &why) != ERR_OK)
			return "failed";
		buf_done(&why);
		usleep(20000);
	}
	return NULL;
}

/* A store with small segments, whose collector never rests. */
static void open_busy(struct site *s, unsigned flags)
{
	struct buf why = { 0 };
	const struct engine_config c = { .kind = "rocks",
					 .dir = s->dir,
					 .workers = workers_executor(s->workers),
					 .flags = flags,
					 .segment_bytes = 1 << 16,
					 .tick_ms = 1,
					 .pass_ms = 1 };
	assert_int_equal(store_open(&c, &s->store, &why), ERR_OK);
	buf_done(&why);
}

/* Segments come, are rewritten and go all the time. */
static void churn(struct site *s, atomic_bool *is_over)
{
	struct account *a = site_account(s, "alice");
	struct mailbox *m = do_open(s, a, "INBOX");
	uint64_t state = 1;
	char text[6000];
	while (!atomic_load(is_over)) {
		for (int i = 0; i < 8; i++) {
			for (size_t k = 0; k < sizeof text; k++)
				text[k] = (char)(33 + rnd(&state, 90));
			uint32_t uid = do_append(s, a, "INBOX",
						 span_of(text, sizeof text),
						 rnd(&state, 4) ? FLAG_DELETED : 0, NULL);
			assert_true(uid > 0);
		}
		struct numset gone = do_expunge(s, m);
		numset_done(&gone);
	}
	mailbox_unref(m);
	account_unref(a);
}

struct snapping {
	struct site *s;
	atomic_bool is_over;
	const char *result;
};

static void *snap(void *arg)
{
	struct snapping *x = arg;
	x->result = take_snapshots(x->s);
	atomic_store(&x->is_over, true);
	return NULL;
}

static void snapshots_beside_the_collector_are_whole(void **state)
{
	pthread_t thread;
	struct snapping x = { .s = &now };
	if (!site_is_lasting())
		return;
	site_close(&now);
	open_busy(&now, 0);
	account_unref(site_account(&now, "alice"));
	assert_int_equal(pthread_create(&thread, NULL, snap, &x), 0);
	churn(&now, &x.is_over);
	pthread_join(thread, NULL);
	assert_null(x.result);
	char first[100];
	snprintf(first, sizeof first, "%s/segments/00000001.seg", now.dir);
	assert_int_equal(access(first, F_OK), -1); /* there was work for it */
	for (int i = 0; i < SNAPSHOTS; i++) {
		struct site copy = { .workers = now.workers };
		uint64_t accounts, messages;
		snprintf(copy.dir, sizeof copy.dir, "%.50s/s%d", now.dir, i);
		open_busy(&copy, ENGINE_READ_ONLY);
		assert_int_equal(
		    store_check(copy.store, NULL, NULL, &accounts, &messages), ERR_OK);
		assert_int_equal(accounts, 1);
		store_close(copy.store);
	}
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_account_is_as_it_was_under_new_numbers),
		T(what_is_still_there_is_not_copied),
		T(many_come_back_in_steps),
		T(a_session_loses_its_mailbox_and_still_reads_it),
		T(nothing_changes_when_it_fails),
		T(every_mailbox_of_a_store_gets_new_numbers),
		T(a_snapshot_is_a_store_that_stays),
		T(snapshots_beside_the_collector_are_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
