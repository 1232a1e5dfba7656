/*
 * A message for several accounts: its bytes are kept once, each account has its own
 * before them, and what one does with his takes nothing from another
 * (store/shared_body.h).
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/account.h"
#include "store/op.h"
#include "store/shared_body.h"
#include "testloop.h"

enum { USERS = 3 };
static const char *const names[USERS] = { "alice", "bob", "carol" };
static struct site site;
static struct account *user[USERS];

static void up(void)
{
	site.workers = workers_new(4);
	site_open(&site);
	for (int i = 0; i < USERS; i++)
		user[i] = site_account(&site, names[i]);
}

static void leave_users(void)
{
	for (int i = 0; i < USERS; i++)
		account_unref(user[i]);
}

static void down(void)
{
	leave_users();
	site_close(&site);
	workers_free(site.workers);
}

static int setup(void **state)
{
	site_init(&site);
	for (int i = 0; i < USERS; i++)
		user[i] = site_account(&site, names[i]);
	return 0;
}

static int teardown(void **state)
{
	leave_users();
	site_done(&site);
	return 0;
}

/* ---- a delivery ---- */

struct gate {
	bool is_open;
};

static void open_gate(void *arg)
{
	((struct gate *)arg)->is_open = true;
}

/* Does not compress to nothing. */
static char *text_of(size_t n, unsigned seed)
{
	char *text = malloc(n + 1);
	uint64_t random = seed + 1;
	size_t head = (size_t)sprintf(text, "Subject: number %u\r\n\r\n", seed);
	for (size_t i = head; i < n; i++)
		text[i] = i % 64 == 63 ? '\n' : (char)('a' + rnd(&random, 26));
	text[n] = 0;
	return text;
}

static void head_of(int i, char to[64])
{
	snprintf(to, 64, "Delivered-To: %s\r\n", names[i]);
}

static struct shared *keep(struct span message)
{
	struct gate gate = { true };
	struct done d = { 0 };
	struct shared *sh = shared_new(site.store, &site.loop.executor, open_gate, &gate);
	for (struct span left = message; left.n > 0;
	     left = span_sub(left, 65536, left.n)) {
		gate.is_open = shared_feed(sh, span_sub(left, 0, 65536));
		testloop_until(&site.loop, &gate.is_open);
	}
	shared_keep(sh, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	done_clear(&d);
	return sh;
}

static enum err deliver_one(struct shared *sh, int i, struct span message)
{
	struct gate gate = { true };
	struct done d = { 0 };
	struct append_item item = { .internal_date = 1000000000 };
	const struct span inbox = SPAN("INBOX");
	char head[64];
	head_of(i, head);
	item.body = incoming_new(user[i], &site.loop.executor, open_gate, &gate);
	incoming_feed(item.body, span_str(head));
	assert_true(incoming_share(item.body, sh));
	for (struct span left = message; left.n > 0;
	     left = span_sub(left, 65536, left.n)) {
		gate.is_open = incoming_feed(item.body, span_sub(left, 0, 65536));
		testloop_until(&site.loop, &gate.is_open);
	}
	messages_deliver(user[i], &inbox, 1, &item, done_to(&site.loop, &d));
	enum err rc = done_wait(&site.loop, &d);
	done_clear(&d);
	return rc;
}

static void deliver(struct span message, int n)
{
	struct shared *sh = keep(message);
	for (int i = 0; i < n; i++)
		assert_int_equal(deliver_one(sh, i, message), ERR_OK);
	shared_unref(sh);
}

/* ---- what is there ---- */

static bool count(void *arg, struct body_id id)
{
	++*(size_t *)arg;
	return true;
}

static enum err count_plan(void *arg, struct txn *t)
{
	return txn_bodies(t, count, arg);
}

static size_t bodies_in_common(void)
{
	size_t n = 0;
	site_quiet(&site);
	assert_int_equal(
	    engine_read_now(site.store->engine, common_account(), count_plan, &n),
	    ERR_OK);
	return n;
}

/* The sweep is nobody's in the background: it is waited for. */
static void expect_in_common(size_t n)
{
	for (int i = 0; i < 500 && bodies_in_common() != n; i++)
		usleep(10000);
	assert_int_equal(bodies_in_common(), n);
}

static struct body_id body_of(struct mailbox *m, uint32_t seq)
{
	struct view *v = mailbox_view_now(m);
	struct body_id id = view_get(v, seq).info->body;
	view_unref(v);
	return id;
}

/* The text with that user's head, whole and at its seams. */
static void expect_text(int i, uint32_t seq, struct span message)
{
	struct mailbox *m = do_open(&site, user[i], "INBOX");
	struct body_id id = body_of(m, seq);
	struct buf want = { 0 }, got = { 0 };
	char head[64];
	head_of(i, head);
	buf_puts(&want, head);
	buf_put(&want, message);
	assert_int_equal(do_read(&site, user[i], id, &got), ERR_OK);
	assert_true(span_eq(buf_span(&got), buf_span(&want)));
	const size_t h = strlen(head);
	const size_t at[] = { 0,	  h - 1,      h,      h + 1,
			      want.n / 2, want.n - 1, want.n, want.n + 9 };
	for (size_t k = 0; k < sizeof at / sizeof at[0]; k++)
		for (size_t len = 0; len < 4; len++) {
			struct done d = { 0 };
			body_read(user[i], id, at[k], len, done_to(&site.loop, &d));
			assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
			assert_true(span_eq(buf_span(&d.bytes),
					    span_sub(buf_span(&want), at[k], len)));
			done_clear(&d);
		}
	buf_done(&want);
	buf_done(&got);
	mailbox_unref(m);
}

static void expunge(int i, const char *uids)
{
	struct mailbox *m = do_open(&site, user[i], "INBOX");
	assert_int_equal(do_flag(&site, m, uids, FLAGS_ADD, FLAG_DELETED, NULL), ERR_OK);
	struct numset went = do_expunge(&site, m);
	numset_done(&went);
	mailbox_unref(m);
	account_reap(user[i]);
	site_quiet(&site);
}

static void bytes_are_kept_once_and_heads_are_each_ones_own(void **state)
{
	static const size_t sizes[] = { 1, 3000, BODY_PIECE, 2 * BODY_PIECE + 77 };
	for (size_t k = 0; k < 4; k++) {
		char *text = text_of(sizes[k] < 40 ? 40 : sizes[k], (unsigned)k);
		deliver(span_str(text), USERS);
		for (int i = 0; i < USERS; i++)
			expect_text(i, (uint32_t)k + 1, span_str(text));
		expect_in_common(k + 1);
		free(text);
	}
	struct mailbox *m = do_open(&site, user[1], "INBOX");
	struct body_id id = body_of(m, 2);
	struct want want = { .what = WANT_SUMMARY | WANT_HEADER | WANT_BYTES };
	struct gathered g;
	assert_int_equal(do_gather(&site, user[1], &id, 1, &want, &g), ERR_OK);
	assert_true(g.at[0].has_summary && g.at[0].has_bytes);
	assert_true(span_starts(g.at[0].summary.header, SPAN("Delivered-To: bob\r\n")));
	assert_true(span_starts(g.at[0].bytes, SPAN("Delivered-To: bob\r\n")));
	gathered_done(&g);
	mailbox_unref(m);
	site_check(&site);
}

static void nobody_takes_it_from_another(void **state)
{
	char *text = text_of(5000, 1);
	struct done d = { 0 };
	deliver(span_str(text), USERS);
	struct mailbox *m = do_open(&site, user[0], "INBOX");
	assert_int_equal(do_create(&site, user[0], "Copy", 0), ERR_OK);
	assert_int_equal(do_copy(&site, m, "1", "Copy", false, &d), ERR_OK);
	done_clear(&d);
	mailbox_unref(m);
	expunge(1, "1");
	site_check(&site);
	expect_text(0, 1, span_str(text));
	expect_text(2, 1, span_str(text));
	expunge(2, "1");
	expunge(0, "1"); /* the copy is there yet */
	expect_in_common(1);
	site_check(&site);
	m = do_open(&site, user[0], "Copy");
	struct buf got = { 0 };
	assert_int_equal(do_read(&site, user[0], body_of(m, 1), &got), ERR_OK);
	assert_true(got.n > 5000);
	buf_done(&got);
	mailbox_unref(m);
	assert_int_equal(do_delete(&site, user[0], "Copy"), ERR_OK);
	expect_in_common(0);
	site_check(&site);
	free(text);
}

static void a_delivery_that_nobody_gets_leaves_nothing(void **state)
{
	struct shared *sh = keep(SPAN("Subject: x\r\n\r\nnobody\r\n"));
	expect_in_common(1);
	site_check(&site);
	struct gate gate = { true };
	struct incoming *in = incoming_new(user[0], &site.loop.executor, open_gate,
					   &gate);
	assert_true(incoming_share(in, sh));
	incoming_free(in);
	shared_unref(sh);
	expect_in_common(0);
	site_check(&site);
}

static void other_bytes_are_not_taken_for_it(void **state)
{
	struct shared *sh = keep(SPAN("Subject: x\r\n\r\nthis\r\n"));
	assert_int_equal(deliver_one(sh, 0, SPAN("Subject: x\r\n\r\nthat is longer\r\n")),
			 ERR_INVAL);
	shared_unref(sh);
	expect_in_common(0);
	assert_int_equal(do_status(&site, user[0], "INBOX").messages, 0);
}

/* ---- check and repair ---- */

static struct key damaged;
static bool puts_it;

static enum err damage_plan(struct engine_op *e, struct txn *t)
{
	if (puts_it)
		txn_put(t, key_span(&damaged), SPAN("\1"));
	else
		txn_delete(t, key_span(&damaged));
	return ERR_OK;
}

static bool first_key(void *arg, struct span key, struct span value)
{
	damaged.n = key.n;
	memcpy(damaged.b, key.p, key.n);
	return false;
}

static enum err find_plan(void *arg, struct txn *t)
{
	struct key lo = { .n = 1, .b = { KEY_HOLDER } }, hi = key_kind_end(KEY_HOLDER);
	return txn_scan(t, key_span(&lo), key_span(&hi), first_key, NULL);
}

static void damage(bool put)
{
	struct done d = { 0 };
	struct store_op *o = op_new(sizeof *o, site.store, NULL, done_to(&site.loop, &d));
	puts_it = put;
	o->e.account = common_account();
	o->e.plan = damage_plan;
	o->e.publish = NULL;
	o->e.again = NULL;
	op_start(o);
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	done_clear(&d);
}

static void expect_mended(void)
{
	uint64_t accounts, messages, n;
	site_quiet(&site);
	assert_int_equal(store_check(site.store, NULL, NULL, &accounts, &messages),
			 ERR_CORRUPT);
	assert_int_equal(store_repair(site.store, NULL, NULL, &n), ERR_OK);
	assert_true(n > 0);
	site_check(&site);
}

static void who_holds_it_is_made_anew(void **state)
{
	char *text = text_of(5000, 1);
	deliver(span_str(text), USERS);
	assert_int_equal(
	    engine_read_now(site.store->engine, common_account(), find_plan, NULL),
	    ERR_OK);
	damage(false); /* a holder is not known */
	expect_mended();
	damaged.b[40] ^= 1; /* one that does not hold it */
	damage(true);
	expect_mended();
	for (int i = 0; i < USERS; i++)
		expect_text(i, 1, span_str(text));
	for (int i = 0; i < USERS; i++)
		expunge(i, "1");
	expect_in_common(0);
	free(text);
}

/* ---- killed ---- */

enum { STEPS = 8, CHURN = 40 };
static const char *const points[] = { "begin", "copied",   "synced", "switched",
				      "empty", "unlinked", "removed" };
static const char *kill_point;

static void at_point(void *arg, const char *point)
{
	if (kill_point && strcmp(point, kill_point) == 0)
		kill(getpid(), SIGKILL);
}

static void step(int n, int last)
{
	if (n == last)
		kill(getpid(), SIGKILL);
}

static void steps(int last)
{
	char *text = text_of(100000, 7);
	struct shared *sh = keep(span_str(text));
	step(0, last);
	deliver_one(sh, 0, span_str(text));
	step(1, last);
	deliver_one(sh, 1, span_str(text));
	step(2, last);
	shared_unref(sh);
	step(3, last);
	site_quiet(&site);
	step(4, last);
	expunge(0, "1");
	step(5, last);
	expunge(1, "1");
	step(6, last);
	expect_in_common(0);
	step(7, last);
}

/* Small segments, of which both expunge most: the collector moves what is left. */
static void churn(void)
{
	for (unsigned i = 1; i <= CHURN; i++) {
		char *text = text_of(60000, i);
		char uid[16];
		deliver(span_str(text), 2);
		free(text);
		snprintf(uid, sizeof uid, "%u", i);
		for (int u = 0; u < 2 && i % 4 != 0; u++)
			expunge(u, uid);
	}
	pause();
}

static int child(const char *dir, const char *what)
{
	site = (struct site){ .kind = site_kind, .at = at_point };
	snprintf(site.dir, sizeof site.dir, "%s", dir);
	testloop_init(&site.loop);
	bool is_step = what[0] >= '0' && what[0] <= '9';
	if (!is_step) {
		kill_point = what;
		site.segment_bytes = 1 << 18;
		site.tick_ms = 3;
		site.pass_ms = 1;
		alarm(60);
	}
	up();
	if (is_step)
		steps(atoi(what));
	else
		churn();
	_exit(0);
}

static void kill_child(const char *what)
{
	pid_t pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "test_shared", "child", site.dir, what,
		      (char *)NULL);
		_exit(9);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

/* As `check` would find it beside it, with what was left. */
static void check_as_it_is(void)
{
	site.flags = ENGINE_READ_ONLY;
	site.workers = workers_new(2);
	site_open(&site);
	site_close(&site);
	workers_free(site.workers);
	site.flags = 0;
}

static void killed_at_any_step_each_has_what_was_his(void **state)
{
	static const unsigned alice[STEPS] = { 0, 1, 1, 1, 1, 0, 0, 0 },
			      bob[STEPS] = { 0, 0, 1, 1, 1, 1, 0, 0 };
	char *text = text_of(100000, 7);
	for (int s = 0; s < STEPS; s++) {
		char what[8];
		setup(NULL);
		down();
		snprintf(what, sizeof what, "%d", s);
		kill_child(what);
		check_as_it_is();
		up();
		site_check(&site);
		assert_int_equal(do_status(&site, user[0], "INBOX").messages, alice[s]);
		assert_int_equal(do_status(&site, user[1], "INBOX").messages, bob[s]);
		if (alice[s])
			expect_text(0, 1, span_str(text));
		if (bob[s])
			expect_text(1, 1, span_str(text));
		expect_in_common(alice[s] || bob[s]);
		site_check(&site);
		teardown(NULL);
	}
	free(text);
}

static void expect_churned(int i)
{
	struct mailbox *m = do_open(&site, user[i], "INBOX");
	struct view *v = mailbox_view_now(m);
	for (uint32_t seq = 1; seq <= view_count(v); seq++) {
		char *text = text_of(60000, view_get(v, seq).uid);
		expect_text(i, seq, span_str(text));
		free(text);
	}
	view_unref(v);
	mailbox_unref(m);
}

static void a_collector_killed_anywhere_leaves_what_is_shared(void **state)
{
	for (size_t p = 0; p < sizeof points / sizeof points[0]; p++) {
		setup(NULL);
		down();
		kill_child(points[p]);
		check_as_it_is();
		up();
		expect_churned(0);
		expect_churned(1);
		site_check(&site);
		teardown(NULL);
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "child") == 0) {
		site_kind = "rocks";
		return child(argv[2], argv[3]);
	}
	site_args(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    bytes_are_kept_once_and_heads_are_each_ones_own, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_takes_it_from_another, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
		    a_delivery_that_nobody_gets_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(other_bytes_are_not_taken_for_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_holds_it_is_made_anew, setup,
						teardown),
	};
	/* what is killed in the memory of a process is gone with it */
	const struct CMUnitTest killings[] = {
		cmocka_unit_test(killed_at_any_step_each_has_what_was_his),
		cmocka_unit_test(a_collector_killed_anywhere_leaves_what_is_shared),
	};
	int failed = cmocka_run_group_tests_name("shared", tests, NULL, NULL);
	if (site_is_lasting())
		failed += cmocka_run_group_tests_name("shared, killed", killings, NULL,
						      NULL);
	return failed;
}
