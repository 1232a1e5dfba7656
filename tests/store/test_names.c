/* The tree of names: CREATE, DELETE, RENAME, SUBSCRIBE (RFC 9051 section 6.3). */
#include <stdio.h>

#include "store/limits.h"
#include "testloop.h"

static struct site site;
static struct account *a;

static int setup(void **state)
{
	site_init(&site);
	a = site_account(&site, "alice");
	return 0;
}

/* One chunk a commit. */
static int setup_small(void **state)
{
	site_init(&site);
	site_close(&site);
	workers_free(site.workers);
	site.workers = workers_new(4);
	site.commit_chunks = 1;
	site_open(&site);
	a = site_account(&site, "alice");
	return 0;
}

static int teardown(void **state)
{
	account_unref(a);
	site_done(&site);
	return 0;
}

static enum err create(const char *path)
{
	return do_create(&site, a, path, 0);
}

static enum err delete (const char *path) { return do_delete(&site, a, path); }

static enum err rename_to(const char *from, const char *to)
{
	return do_rename(&site, a, from, to);
}

static enum err subscribe(const char *path, bool on)
{
	return do_subscribe(&site, a, path, on);
}

static struct name name_of(const char *path)
{
	const struct names *n = account_names_now(a);
	const struct name *found = names_find(n, span_str(path));
	assert_non_null(found);
	struct name copy = *found;
	copy.path = SPAN_NONE;
	names_unref(n);
	return copy;
}

static void create_makes_the_levels_above(void **state)
{
	assert_int_equal(create("foo/bar/zap"), ERR_OK);
	expect_names(a, "INBOX E\nfoo EC\nfoo/bar EC\nfoo/bar/zap E\n");
	assert_int_equal(create("foo/bar"), ERR_EXISTS);
	assert_int_equal(create("owl/"), ERR_OK);
	assert_int_equal(create("owl"), ERR_EXISTS);
	assert_int_equal(create("InBox"), ERR_EXISTS);
	assert_int_equal(create("inbox/sub"), ERR_OK);
	expect_names(a,
		     "INBOX EC\nINBOX/sub E\nfoo EC\nfoo/bar EC\nfoo/bar/zap E\nowl E\n");
}

static void bad_names_are_refused(void **state)
{
	static const char *const bad[] = {
		"",	"/",	     "/a", "a//b",	   "a\tb",	     "a\x7f",
		"\xff", "a\xc2\x85", "//", "\xed\xa0\x80", "a\xe2\x80\xa8 b"
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(create(bad[i]), ERR_INVAL);
	char deep[200] = "a", longest[STORE_NAME_BYTES + 2];
	for (int i = 1; i < STORE_NAME_DEPTH; i++)
		strcat(deep, "/a");
	assert_int_equal(create(deep), ERR_OK);
	strcat(deep, "/a");
	assert_int_equal(create(deep), ERR_LIMIT);
	memset(longest, 'x', sizeof longest);
	longest[STORE_NAME_BYTES + 1] = 0;
	assert_int_equal(create(longest), ERR_LIMIT);
	longest[STORE_NAME_BYTES] = 0;
	assert_int_equal(create(longest), ERR_OK);
	assert_int_equal(create("100% * & # \xc3\xa4"), ERR_OK);
}

static void delete_keeps_what_lies_below(void **state)
{
	create("foo/bar");
	assert_int_equal(delete ("foo"), ERR_BUSY);
	assert_int_equal(delete ("foo/bar"), ERR_OK);
	assert_int_equal(delete ("foo/bar"), ERR_NOENT);
	assert_int_equal(delete ("foo"), ERR_OK);
	assert_int_equal(delete ("INBOX"), ERR_DENIED);
	assert_int_equal(delete ("inbox"), ERR_DENIED);
	assert_int_equal(delete ("a//b"), ERR_NOENT);
	expect_names(a, "INBOX E\n");
}

static void a_name_given_again_has_a_new_uidvalidity_and_id(void **state)
{
	uint32_t last = do_status(&site, a, "INBOX").uidvalidity;
	uint8_t id[8] = { 0 };
	for (int i = 0; i < 5; i++) {
		create("again");
		struct name n = name_of("again");
		struct mailbox_status s = do_status(&site, a, "again");
		assert_true(s.uidvalidity > last);
		assert_memory_not_equal(n.mailbox_id, id, 8);
		last = s.uidvalidity;
		memcpy(id, n.mailbox_id, 8);
		delete ("again");
	}
}

static void rename_moves_the_tree_and_keeps_ids(void **state)
{
	create("foo/bar/zap");
	create("foo/car");
	create("foo bar");
	struct name was = name_of("foo/bar");
	do_append_many(&site, a, "foo/bar", 3);
	assert_int_equal(rename_to("foo", "x/y"), ERR_OK);
	expect_names(
	    a,
	    "INBOX E\nfoo bar E\nx EC\nx/y EC\nx/y/bar EC\nx/y/bar/zap E\nx/y/car E\n");
	struct name is = name_of("x/y/bar");
	assert_memory_equal(was.mailbox_id, is.mailbox_id, 8);
	assert_int_equal(was.mailbox, is.mailbox);
	assert_int_equal(do_status(&site, a, "x/y/bar").messages, 3);

	assert_int_equal(rename_to("nothing", "z"), ERR_NOENT);
	assert_int_equal(rename_to("x/y", "foo bar"), ERR_EXISTS);
	assert_int_equal(rename_to("x", "x/y/z"), ERR_INVAL);
	assert_int_equal(rename_to("x", "x"), ERR_EXISTS);
	assert_int_equal(rename_to("x", "INBOX"), ERR_EXISTS);
	assert_int_equal(rename_to("x", "a//b"), ERR_INVAL);
	assert_int_equal(rename_to("x/y/bar/zap", "INBOX/zap"), ERR_OK);
	assert_int_equal(rename_to("x/y", "foo bar/in"), ERR_OK);
	expect_names(
	    a, "INBOX EC\nINBOX/zap E\nfoo bar EC\nfoo bar/in EC\nfoo bar/in/bar E\n"
	       "foo bar/in/car E\nx E\n");
}

static void a_rename_that_gets_too_deep_changes_nothing(void **state)
{
	char deep[200] = "a";
	for (int i = 1; i < STORE_NAME_DEPTH - 1; i++)
		strcat(deep, "/a");
	create(deep);
	create("b");
	assert_int_equal(rename_to("a", "b/c"), ERR_OK);
	assert_int_equal(rename_to("b", "c/d"), ERR_LIMIT);
	struct name b = name_of("b");
	assert_true(b.flags & NAME_EXISTS);
}

static void a_large_inbox_is_renamed_in_parts(void **state)
{
	do_append_many(&site, a, "INBOX", 600);
	assert_int_equal(rename_to("INBOX", "old"), ERR_OK);
	assert_int_equal(do_status(&site, a, "INBOX").messages, 0);
	struct mailbox *m = do_open(&site, a, "old");
	struct view *v = mailbox_view_now(m);
	assert_int_equal(view_count(v), 600);
	assert_true(view_get(v, 1).modseq < view_get(v, 300).modseq);
	assert_true(view_get(v, 300).modseq < view_get(v, 600).modseq);
	view_unref(v);
	mailbox_unref(m);
}

static void renaming_inbox_moves_its_messages(void **state)
{
	do_append_many(&site, a, "INBOX", 300);
	create("INBOX/sub");
	struct mailbox *m = do_open(&site, a, "INBOX");
	assert_int_equal(do_flag(&site, m, "7", FLAGS_ADD, FLAG_FLAGGED, "$X"), ERR_OK);
	uint32_t uidvalidity = do_status(&site, a, "INBOX").uidvalidity;
	assert_int_equal(rename_to("inbox", "old/mail"), ERR_OK);
	expect_names(a, "INBOX EC\nINBOX/sub E\nold EC\nold/mail E\n");
	struct mailbox_status s = do_status(&site, a, "INBOX");
	assert_int_equal(s.messages, 0);
	assert_int_equal(s.uidnext, 301);
	assert_int_equal(s.uidvalidity, uidvalidity);
	assert_false(mailbox_is_gone_now(m));
	mailbox_unref(m);
	m = do_open(&site, a, "old/mail");
	struct view *v = mailbox_view_now(m);
	assert_int_equal(view_count(v), 300);
	assert_int_equal(view_get(v, 7).flags, FLAG_FLAGGED | 1 << 8);
	view_unref(v);
	mailbox_unref(m);
	/* not open, the second time */
	do_append_many(&site, a, "INBOX", 3);
	assert_int_equal(rename_to("INBOX", "old/mail"), ERR_EXISTS);
	assert_int_equal(rename_to("INBOX", "INBOX/arch"), ERR_OK);
	assert_int_equal(do_status(&site, a, "INBOX/arch").messages, 3);
}

/* RFC 9051 section 6.3.7 and the note of 6.3.6: by name, whatever the name stands for */
static void subscriptions_stay_with_names(void **state)
{
	assert_int_equal(subscribe("news/comp/mail", true), ERR_OK);
	assert_int_equal(subscribe("news/comp/mail", true), ERR_OK);
	expect_names(a, "INBOX E\nnews -\nnews/comp -\nnews/comp/mail -S\n");
	assert_int_equal(delete ("news"), ERR_NOENT);
	assert_int_equal(create("news/comp"), ERR_OK);
	expect_names(a, "INBOX E\nnews EC\nnews/comp E\nnews/comp/mail -S\n");
	subscribe("news/comp", true);
	assert_int_equal(delete ("news/comp"), ERR_OK);
	expect_names(a, "INBOX E\nnews E\nnews/comp -S\nnews/comp/mail -S\n");
	assert_int_equal(create("news/comp/mail"), ERR_OK);
	expect_names(a, "INBOX E\nnews EC\nnews/comp ESC\nnews/comp/mail ES\n");
	assert_int_equal(rename_to("news", "olds"), ERR_OK);
	expect_names(
	    a, "INBOX E\nnews -\nnews/comp -S\nnews/comp/mail -S\nolds EC\nolds/comp EC\n"
	       "olds/comp/mail E\n");
	/* onto names that are subscribed only */
	assert_int_equal(rename_to("olds", "news"), ERR_OK);
	expect_names(a, "INBOX E\nnews EC\nnews/comp ESC\nnews/comp/mail ES\n");
	subscribe("news/comp", false);
	subscribe("news/comp/mail", false);
	subscribe("never/there", false);
	expect_names(a, "INBOX E\nnews EC\nnews/comp EC\nnews/comp/mail E\n");
	subscribe("x/y/z", true);
	subscribe("x/y/z", false);
	subscribe("inbox", true);
	expect_names(a, "INBOX ES\nnews EC\nnews/comp EC\nnews/comp/mail E\n");
}

static void a_special_use_is_given_once(void **state)
{
	assert_int_equal(do_create(&site, a, "Sent", USE_SENT), ERR_OK);
	assert_int_equal(do_create(&site, a, "Sent2", USE_SENT), ERR_CONFLICT);
	assert_int_equal(name_of("Sent").special_use, USE_SENT);
	assert_int_equal(rename_to("Sent", "Gone"), ERR_OK);
	assert_int_equal(name_of("Gone").special_use, USE_SENT);
	delete ("Gone");
	assert_int_equal(do_create(&site, a, "Sent2", USE_SENT), ERR_OK);
}

static void names_outlive_closing(void **state)
{
	create("a/b c/d");
	create("a/b/d");
	create("a.b");
	subscribe("q/r", true);
	const char *all =
	    "INBOX E\na EC\na/b EC\na/b/d E\na/b c EC\na/b c/d E\na.b E\nq -\nq/r -S\n";
	expect_names(a, all);
	account_unref(a);
	site_close(&site);
	site_open(&site);
	a = site_account(&site, "alice");
	expect_names(a, all);
	assert_int_equal(create("a/b/d/e"), ERR_OK);
}

/* ---- against a model: sets of paths ---- */

enum { PATHS = 40 };
struct model {
	char path[PATHS][24]; /* closed upwards, parents first */
	bool exists[PATHS], subscribed[PATHS];
	int n;
};

static bool below(const char *p, const char *top)
{
	size_t n = strlen(top);
	return strncmp(p, top, n) == 0 && p[n] == '/';
}

static void make_paths(struct model *m)
{
	static const char *const level[] = { "a", "a b", "b" };
	for (int i = 0; i < 3; i++) {
		snprintf(m->path[m->n++], 24, "%s", level[i]);
		for (int j = 0; j < 3; j++) {
			snprintf(m->path[m->n++], 24, "%s/%s", level[i], level[j]);
			for (int k = 0; k < 2; k++)
				snprintf(m->path[m->n++], 24, "%s/%s/%s", level[i],
					 level[j], level[k]);
		}
	}
}

static void make_above(struct model *m, const char *path)
{
	for (int i = 0; i < m->n; i++)
		if (below(path, m->path[i]))
			m->exists[i] = true;
}

static enum err model_rename(struct model *m, int from, int to)
{
	bool exists[PATHS];
	if (!m->exists[from])
		return ERR_NOENT;
	if (m->exists[to])
		return ERR_EXISTS;
	if (below(m->path[to], m->path[from]))
		return ERR_INVAL;
	memcpy(exists, m->exists, sizeof exists);
	for (int i = 0; i < m->n; i++) {
		if (!m->exists[i] || (i != from && !below(m->path[i], m->path[from])))
			continue;
		char is[64];
		int k = 0;
		snprintf(is, sizeof is, "%s%s", m->path[to],
			 m->path[i] + strlen(m->path[from]));
		exists[i] = false;
		while (k < m->n && strcmp(m->path[k], is) != 0)
			k++;
		if (k == m->n)
			return ERR_UNKNOWN; /* leaves the model's universe: not tried */
		exists[k] = true;
	}
	/* none of the moved may have been set where another moved away from: disjoint
	 * trees */
	memcpy(m->exists, exists, sizeof exists);
	make_above(m, m->path[to]);
	return ERR_OK;
}

static bool any_below(const struct model *m, int top, const bool *set)
{
	for (int i = 0; i < m->n; i++)
		if (set[i] && below(m->path[i], m->path[top]))
			return true;
	return false;
}

static void compare(const struct model *m)
{
	const struct names *names = account_names_now(a);
	size_t n = 1;
	for (int i = 0; i < m->n; i++) {
		bool subs = any_below(m, i, m->subscribed),
		     kids = any_below(m, i, m->exists);
		const struct name *found = names_find(names, span_str(m->path[i]));
		bool there = m->exists[i] || m->subscribed[i] || subs;
		assert_true(there == (found != NULL));
		if (!found)
			continue;
		n++;
		assert_true(!!(found->flags & NAME_EXISTS) == m->exists[i]);
		assert_true(!!(found->flags & NAME_SUBSCRIBED) == m->subscribed[i]);
		assert_true(!!(found->flags & NAME_CHILDREN) == kids);
	}
	assert_int_equal(names->n, n);
	names_unref(names);
}

static void random_edits_match_a_model(void **state)
{
	struct model m = { 0 };
	uint64_t rng = 42;
	make_paths(&m);
	for (int step = 0; step < 1500; step++) {
		int i = (int)rnd(&rng, (uint32_t)m.n), k = (int)rnd(&rng, (uint32_t)m.n);
		bool on = rnd(&rng, 2);
		enum err want;
		switch (rnd(&rng, 5)) {
		case 0:
			assert_int_equal(create(m.path[i]),
					 m.exists[i] ? ERR_EXISTS : ERR_OK);
			m.exists[i] = true;
			make_above(&m, m.path[i]);
			break;
		case 1:
			want = any_below(&m, i, m.exists) ? ERR_BUSY
			       : m.exists[i]		  ? ERR_OK
							  : ERR_NOENT;
			assert_int_equal(delete (m.path[i]), want);
			if (want == ERR_OK)
				m.exists[i] = false;
			break;
		case 2:
			assert_int_equal(subscribe(m.path[i], on), ERR_OK);
			m.subscribed[i] = on;
			break;
		default:
			want = model_rename(&m, i, k);
			if (want != ERR_UNKNOWN)
				assert_int_equal(rename_to(m.path[i], m.path[k]), want);
			break;
		}
		compare(&m);
		if (step % 300 == 0)
			site_check(&site);
	}
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
#define T(name)	       cmocka_unit_test_setup_teardown(name, setup, teardown)
#define IN_PARTS(name) cmocka_unit_test_setup_teardown(name, setup_small, teardown)
	const struct CMUnitTest tests[] = {
		T(create_makes_the_levels_above),
		T(bad_names_are_refused),
		T(delete_keeps_what_lies_below),
		T(a_name_given_again_has_a_new_uidvalidity_and_id),
		T(rename_moves_the_tree_and_keeps_ids),
		T(a_rename_that_gets_too_deep_changes_nothing),
		T(renaming_inbox_moves_its_messages),
		IN_PARTS(renaming_inbox_moves_its_messages),
		IN_PARTS(a_large_inbox_is_renamed_in_parts),
		T(subscriptions_stay_with_names),
		T(a_special_use_is_given_once),
		T(random_edits_match_a_model),
	};
	const struct CMUnitTest lasting[] = {
		T(names_outlive_closing),
	};
	int bad = cmocka_run_group_tests_name("names", tests, NULL, NULL);
	/* Nothing outlives closing in the engine `mem`. */
	if (site_is_lasting())
		bad += cmocka_run_group_tests_name("names for good", lasting, NULL, NULL);
	return bad;
}
