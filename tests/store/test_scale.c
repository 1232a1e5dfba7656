/*
 * Large mailboxes and large trees of names: costs follow what changes. `MESSAGES NAMES`
 * as further arguments make it larger.
 */
#include <stdio.h>

#include "base/clock.h"
#include "store/account.h"
#include "testloop.h"

static struct site site;
static size_t n_messages = 300 * CHUNK_UIDS, n_names = 2000;

static uint64_t started;

static void begin(void)
{
	started = clock_mono_us();
}

static void end(const char *what)
{
	print_message("%-36s %8.2f ms\n", what,
		      (double)(clock_mono_us() - started) / 1000);
}

static void fill(struct account *a)
{
	begin();
	for (size_t left = n_messages; left > 0;) {
		size_t n = left < 8000 ? left : 8000;
		do_append_many(&site, a, "INBOX", n);
		left -= n;
	}
	end("append all");
}

struct diff_count {
	size_t expunged, changed;
};

static void count_expunged(void *arg, uint32_t old_seq, uint32_t uid)
{
	((struct diff_count *)arg)->expunged++;
}

static void count_changed(void *arg, uint32_t new_seq, const struct view_msg *old,
			  const struct view_msg *now, bool flags_differ)
{
	((struct diff_count *)arg)->changed++;
}

static size_t chunks_that_differ(const struct view *a, const struct view *b)
{
	size_t n = 0;
	assert_int_equal(a->n_chunks, b->n_chunks);
	for (uint32_t i = 0; i < a->n_chunks; i++)
		n += a->chunk[i] != b->chunk[i];
	return n;
}

static void flag_and_diff(struct mailbox *m, const char *uids, size_t messages,
			  size_t chunks, const char *what)
{
	struct view *was = mailbox_view_now(m);
	begin();
	assert_int_equal(do_flag(&site, m, uids, FLAGS_ADD, FLAG_SEEN, NULL), ERR_OK);
	end(what);
	struct view *is = mailbox_view_now(m);
	assert_int_equal(chunks_that_differ(was, is), chunks);
	struct diff_count n = { 0 };
	struct view_diff d = { count_expunged, count_changed, &n };
	begin();
	view_diff(was, is, &d);
	end("  its difference");
	assert_int_equal(n.changed, messages);
	/* a commit is bounded: one modseq for each part */
	assert_int_equal(view_modseq(is) - view_modseq(was),
			 1 + (chunks - 1) / STORE_COMMIT_CHUNKS);
	view_unref(was);
	view_unref(is);
}

static size_t count_flagged(const struct view *v)
{
	struct view_msg m[64];
	size_t n, flagged = 0;
	for (uint32_t seq = 1; (n = view_walk(v, seq, m, 64)) > 0; seq += (uint32_t)n) {
		assert_int_equal(view_seq(v, m[0].uid), seq);
		for (size_t i = 0; i < n; i++)
			flagged += !!(m[i].flags & FLAG_FLAGGED);
	}
	return flagged;
}

/* Whatever order they end in: a view borrows chunks of the versions before it. */
static void views_last(struct mailbox *m)
{
	enum { N = 80 };
	struct view *v[N];
	for (size_t i = 0; i < N; i++) {
		char uid[16];
		snprintf(uid, sizeof uid, "%zu", 1 + i * 7919 % n_messages);
		assert_int_equal(do_flag(&site, m, uid, FLAGS_ADD, FLAG_FLAGGED, NULL),
				 ERR_OK);
		v[i] = mailbox_view_now(m);
	}
	for (size_t i = 0; i < N; i += 2)
		view_unref(v[i]);
	for (size_t i = N; i-- > 0;) {
		if (i % 2 == 0)
			continue;
		if (i % 8 == 7)
			assert_int_equal(count_flagged(v[i]), i + 1);
		view_unref(v[i]);
	}
}

static void a_large_mailbox_changes_by_chunks(void **state)
{
	site_init(&site);
	struct account *a = site_account(&site, "alice");
	fill(a);
	begin();
	struct mailbox *m = do_open(&site, a, "INBOX");
	end("open");
	struct view *v = mailbox_view_now(m);
	assert_int_equal(view_count(v), n_messages);
	size_t chunks = v->n_chunks;
	for (uint32_t uid = 1; uid <= n_messages; uid += 997)
		assert_int_equal(view_seq(v, uid), uid);
	view_unref(v);

	flag_and_diff(m, "5000", 1, 1, "flag one");
	flag_and_diff(m, "300:600", 301, 2, "flag 301");
	flag_and_diff(m, "1:4294967295", n_messages - 302, chunks, "flag all");
	views_last(m);
	begin();
	assert_true(do_append(&site, a, "INBOX", SPAN("x"), 0, NULL) > 0);
	end("append one");

	assert_int_equal(do_create(&site, a, "Copy", 0), ERR_OK);
	struct done d = { 0 };
	begin();
	assert_int_equal(do_copy(&site, m, "1:4294967295", "Copy", false, &d), ERR_OK);
	end("copy all");
	done_clear(&d);
	do_flag(&site, m, "1000:4000", FLAGS_ADD, FLAG_DELETED, NULL);
	begin();
	struct numset went = do_expunge(&site, m);
	end("expunge 3001");
	expect_uids(&went, "1000:4000");
	numset_done(&went);
	begin();
	assert_int_equal(do_copy(&site, m, "1:4294967295", "INBOX", true, &d), ERR_OK);
	end("move the rest to its own end");
	assert_int_equal(numset_count(&d.target), n_messages + 1 - 3001);
	assert_int_equal(numset_count(&d.source), n_messages + 1 - 3001);
	done_clear(&d);
	begin();
	assert_int_equal(do_copy(&site, m, "1:4294967295", "Copy", true, &d), ERR_OK);
	end("move the rest");
	assert_int_equal(numset_count(&d.target), n_messages + 1 - 3001);
	done_clear(&d);
	begin();
	assert_int_equal(do_delete(&site, a, "Copy"), ERR_OK);
	end("delete the copies");
	mailbox_unref(m);
	begin();
	site_quiet(&site);
	end("sweep");
	account_unref(a);
	site_done(&site);
}

static void a_large_tree_of_names_is_made_and_loaded(void **state)
{
	site_init(&site);
	struct account *a = site_account(&site, "alice");
	begin();
	for (size_t i = 0; i < n_names; i++) {
		char path[32];
		snprintf(path, sizeof path, "dir%zu/box%zu", i * 7919 % 50, i);
		assert_int_equal(do_create(&site, a, path, 0), ERR_OK);
	}
	end("create all");
	begin();
	assert_int_equal(do_rename(&site, a, "dir7", "elsewhere"), ERR_OK);
	end("rename a tree");
	account_unref(a);
	site_quiet(&site);
	store_evict(site.store, 0);
	begin();
	a = site_account(&site, "alice");
	end("load");
	const struct names *names = account_names_now(a);
	assert_int_equal(names->n, n_names + 51);
	struct done d = { 0 };
	uint32_t *numbers = calloc(names->n, sizeof *numbers);
	for (size_t i = 0; i < names->n; i++)
		numbers[i] = names->at[i]->mailbox;
	begin();
	mailbox_status(a, numbers, names->n, done_to(&site.loop, &d));
	assert_int_equal(done_wait(&site.loop, &d), ERR_OK);
	end("STATUS of all");
	done_clear(&d);
	free(numbers);
	names_unref(names);
	account_unref(a);
	site_done(&site);
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
	if (argc > 3) {
		n_messages = strtoul(argv[2], NULL, 10);
		n_names = strtoul(argv[3], NULL, 10);
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_mailbox_changes_by_chunks),
		cmocka_unit_test(a_large_tree_of_names_is_made_and_loaded),
	};
	return cmocka_run_group_tests_name("scale", tests, NULL, NULL);
}
