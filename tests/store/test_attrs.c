/* Attributes of accounts and mailboxes (store/attrs.h). */
#include <stdio.h>

#include "store/attrs.h"
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

static int teardown(void **state)
{
	account_unref(a);
	site_done(&site);
	return 0;
}

static void again(void)
{
	account_unref(a);
	site_close(&site);
	site_open(&site);
	a = site_account(&site, "alice");
}

static uint32_t number_of(const char *path)
{
	const struct names *n = account_names_now(a);
	uint32_t number = names_find(n, span_str(path))->mailbox;
	names_unref(n);
	return number;
}

static struct attr_key key(uint32_t mailbox, enum attr_kind kind, const char *user,
			   const char *name)
{
	return (struct attr_key){ mailbox, kind, span_str(user), span_str(name) };
}

static uint64_t last_modseq;

/* A finished op is read in its done: modseq and attributes are copied there. */
struct end {
	struct done d;
	struct buf text;
};

static void set_ended(struct op *op, void *owner)
{
	struct done *d = owner;
	last_modseq = op_modseq(op);
	d->rc = op->rc;
	d->is_done = true;
}

static enum err set_all(const struct attr_edit *e, size_t n,
			const struct attr_limit *limit)
{
	struct done d = { 0 };
	attrs_set(a, e, n, limit, (struct op_to){ &site.loop.executor, set_ended, &d });
	testloop_until(&site.loop, &d.is_done);
	return d.rc;
}

static enum err set(struct attr_key k, const char *value)
{
	struct attr_edit e = { .key = k,
			       .value = span_str(value),
			       .remove = value == NULL };
	return set_all(&e, 1, NULL);
}

static void read_ended(struct op *op, void *owner)
{
	struct end *e = owner;
	e->d.rc = op->rc;
	e->d.is_done = true;
	const struct attrs *at = op_attrs(op);
	for (size_t i = 0; op->rc == ERR_OK && i < at->n; i++)
		buf_printf(&e->text, "%zu/%u/%.*s/%.*s=%.*s\n", at->at[i].query,
			   at->at[i].key.mailbox, (int)at->at[i].key.user.n,
			   at->at[i].key.user.p, (int)at->at[i].key.name.n,
			   at->at[i].key.name.p, (int)at->at[i].value.n,
			   at->at[i].value.p);
}

static void expect_read(const struct attr_query *q, size_t n, const char *text)
{
	struct end e = { 0 };
	attrs_read(a, q, n, (struct op_to){ &site.loop.executor, read_ended, &e });
	testloop_until(&site.loop, &e.d.is_done);
	assert_int_equal(e.d.rc, ERR_OK);
	buf_putc(&e.text, 0);
	assert_string_equal(buf_span(&e.text).p, text);
	buf_done(&e.text);
}

static void expect_now(struct attr_key k, const char *value)
{
	const struct attrs *now = account_attrs_now(a);
	const struct attr *at = attrs_find(now, &k);
	if (!value)
		assert_null(at);
	else
		assert_true(at && span_eq(at->value, span_str(value)));
	attrs_unref(now);
}

static void those_in_memory_are_there_at_once_and_after_closing(void **state)
{
	uint32_t inbox = number_of("INBOX");
	expect_now(key(inbox, ATTR_ACL, "", "bob"), NULL);
	assert_int_equal(set(key(inbox, ATTR_ACL, "", "bob"), "lrs"), ERR_OK);
	assert_int_equal(set(key(inbox, ATTR_ACL, "", "alice"), "lrswa"), ERR_OK);
	assert_int_equal(set(key(0, ATTR_LIMIT, "", "STORAGE"), "7"), ERR_OK);
	assert_int_equal(set(key(0, ATTR_LIMIT, "", "MESSAGE"), ""), ERR_OK);
	for (int i = 0; i < 2; i++) {
		expect_now(key(inbox, ATTR_ACL, "", "bob"), "lrs");
		expect_now(key(inbox, ATTR_ACL, "", "bobo"), NULL);
		expect_now(key(0, ATTR_LIMIT, "", "STORAGE"), "7");
		expect_now(key(0, ATTR_LIMIT, "", "MESSAGE"), "");
		const struct attrs *now = account_attrs_now(a);
		size_t n;
		const struct attr *at = attrs_of(now, inbox, ATTR_ACL, &n);
		assert_int_equal(n, 2);
		assert_true(span_eq(at->key.name, SPAN("alice")));
		assert_null(attrs_of(now, inbox, ATTR_LIMIT, &n));
		assert_int_equal(n, 0);
		attrs_unref(now);
		if (!site_is_lasting())
			break;
		again();
	}
	assert_int_equal(set(key(inbox, ATTR_ACL, "", "bob"), NULL), ERR_OK);
	expect_now(key(inbox, ATTR_ACL, "", "bob"), NULL);
}

static void others_are_read_by_name_prefix_and_user(void **state)
{
	uint32_t inbox = number_of("INBOX");
	set(key(inbox, ATTR_METADATA, "", "/comment"), "all");
	set(key(inbox, ATTR_METADATA, "", "/comments"), "more");
	set(key(inbox, ATTR_METADATA, "", "/comment/deep"), "deep");
	set(key(inbox, ATTR_METADATA, "bob", "/comment"), "bob's");
	set(key(inbox, ATTR_METADATA, "bo", "/comment"), "bo's");
	set(key(0, ATTR_METADATA, "", "/admin"), "server");
	struct attr_query q[] = {
		{ key(inbox, ATTR_METADATA, "", "/comment"), .is_exact = true },
		{ key(inbox, ATTR_METADATA, "", "/comment/"), .is_exact = false },
		{ key(inbox, ATTR_METADATA, "bob", ""), .is_exact = false },
		{ key(0, ATTR_METADATA, "", ""), .is_exact = false },
		{ key(0, ATTR_METADATA, "", "/none"), .is_exact = true },
	};
	expect_read(q, 5,
		    "0/2//"
		    "/comment=all\n"
		    "1/2//"
		    "/comment/deep=deep\n"
		    "2/2/bob//comment=bob's\n"
		    "3/0//"
		    "/admin=server\n");
	q[0] = (struct attr_query){ key(inbox, ATTR_METADATA, "", ""), .any_user = true };
	expect_read(q, 1,
		    "0/2//"
		    "/comment=all\n"
		    "0/2//"
		    "/comment/deep=deep\n"
		    "0/2//"
		    "/comments=more\n"
		    "0/2/bo//comment=bo's\n"
		    "0/2/bob//comment=bob's\n");
}

static void all_or_none_are_set(void **state)
{
	uint32_t inbox = number_of("INBOX");
	struct attr_edit e[] = {
		{ .key = key(inbox, ATTR_METADATA, "", "/a"), .value = SPAN("1") },
		{ .key = key(99, ATTR_METADATA, "", "/a"), .value = SPAN("1") },
	};
	struct attr_query q = { key(inbox, ATTR_METADATA, "", ""), .any_user = true };
	assert_int_equal(set_all(e, 2, NULL), ERR_NOENT);
	expect_read(&q, 1, "");
	e[1] = (struct attr_edit){ .key = key(inbox, ATTR_METADATA, "", "/b"),
				   .value = SPAN("2") };
	assert_int_equal(set_all(e, 2, &(struct attr_limit){ .rows = 1 }), ERR_LIMIT);
	assert_int_equal(set_all(e, 2, &(struct attr_limit){ .bytes = 10 }), ERR_LIMIT);
	expect_read(&q, 1, "");
	assert_int_equal(set_all(e, 2, &(struct attr_limit){ .rows = 2 }), ERR_OK);
	expect_read(&q, 1,
		    "0/2//"
		    "/a=1\n"
		    "0/2//"
		    "/b=2\n");
	/* what goes makes room for what comes */
	e[0].remove = true;
	e[1].key = key(inbox, ATTR_METADATA, "", "/c");
	assert_int_equal(set_all(e, 2, &(struct attr_limit){ .rows = 2 }), ERR_OK);
	char big[STORE_ATTR_NAME_BYTES + 2];
	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = 0;
	assert_int_equal(set(key(0, ATTR_METADATA, "", big), ""), ERR_INVAL);
	assert_int_equal(set(key(0, ATTR_METADATA, "", ""), ""), ERR_INVAL);
}

static void who_read_before_is_told_of_a_conflict(void **state)
{
	struct attr_edit e = { .key = key(0, ATTR_LIMIT, "", "X"),
			       .value = SPAN("1"),
			       .has_expect = true };
	assert_int_equal(set_all(&e, 1, NULL), ERR_OK);
	assert_int_equal(set_all(&e, 1, NULL), ERR_CONFLICT);
	e.expect = SPAN("2");
	assert_int_equal(set_all(&e, 1, NULL), ERR_CONFLICT);
	e.expect = SPAN("1");
	e.remove = true;
	assert_int_equal(set_all(&e, 1, NULL), ERR_OK);
	assert_int_equal(set_all(&e, 1, NULL), ERR_CONFLICT);
}

static void rename_keeps_them_and_delete_takes_them(void **state)
{
	do_create(&site, a, "x", 0);
	uint32_t x = number_of("x");
	set(key(x, ATTR_METADATA, "bob", "/comment"), "c");
	set(key(x, ATTR_ACL, "", "bob"), "lr");
	do_rename(&site, a, "x", "y");
	struct attr_query q = { key(x, ATTR_METADATA, "", ""), .any_user = true };
	expect_read(&q, 1, "0/4/bob//comment=c\n");
	assert_int_equal(number_of("y"), x);
	expect_now(key(x, ATTR_ACL, "", "bob"), "lr");
	do_delete(&site, a, "y");
	expect_now(key(x, ATTR_ACL, "", "bob"), NULL);
	assert_int_equal(set(key(x, ATTR_ACL, "", "bob"), "lr"), ERR_NOENT);
	site_quiet(&site);
	expect_read(&q, 1, "");
	if (site_is_lasting())
		again();
	expect_now(key(x, ATTR_ACL, "", "bob"), NULL);
}

struct seen {
	char text[400];
	size_t n;
};

static void note(void *arg, const struct attr_key *k, uint64_t modseq)
{
	struct seen *s = arg;
	s->n++;
	snprintf(s->text, sizeof s->text, "%u%.*s%.*s", k->mailbox, (int)k->user.n,
		 k->user.p, (int)k->name.n, k->name.p);
}

static bool is_called;

static void called(void *arg)
{
	is_called = true;
}

static void changes_are_told_once_and_watches_fire(void **state)
{
	struct seen s = { 0 };
	is_called = false;
	struct watch *w = account_watch(a, &site.loop.executor, called, NULL);
	uint64_t at = account_attr_changes(a, 0, NULL, NULL);
	assert_int_equal(set(key(0, ATTR_METADATA, "bob", "/x"), "1"), ERR_OK);
	assert_true(last_modseq > at);
	testloop_until(&site.loop, &is_called);
	watch_close(w);
	uint64_t now = account_attr_changes(a, at, note, &s);
	assert_int_equal(now, last_modseq);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.text, "0bob/x");
	/* as it was: no change */
	assert_int_equal(set(key(0, ATTR_METADATA, "bob", "/x"), "1"), ERR_OK);
	assert_int_equal(last_modseq, 0);
	assert_int_equal(account_attr_changes(a, now, note, &s), now);
	assert_int_equal(s.n, 1);
	set(key(0, ATTR_METADATA, "bob", "/x"), NULL);
	assert_true(account_attr_changes(a, now, note, &s) > now);
	assert_int_equal(s.n, 2);
	char name[20];
	for (int i = 0; i < 3 * STORE_ATTR_CHANGES; i++) {
		snprintf(name, sizeof name, "/n%d", i);
		set(key(0, ATTR_METADATA, "", name), "1");
	}
	s.n = 0;
	account_attr_changes(a, now, note, &s);
	assert_int_equal(s.n, STORE_ATTR_CHANGES);
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(those_in_memory_are_there_at_once_and_after_closing),
		T(others_are_read_by_name_prefix_and_user),
		T(all_or_none_are_set),
		T(who_read_before_is_told_of_a_conflict),
		T(rename_keeps_them_and_delete_takes_them),
		T(changes_are_told_once_and_watches_fire),
	};
	return cmocka_run_group_tests_name("attrs", tests, NULL, NULL);
}
