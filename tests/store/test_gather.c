/* What is wanted of many messages at once. */
#include <stdio.h>

#include "store/account.h"
#include "testloop.h"

enum { MANY = 600 };

static struct site site;
static struct account *a;
static struct mailbox *m;
static struct view *v;
static struct body_id ids[MANY];

static struct span text_of(unsigned i, char to[512])
{
	int n = snprintf(to, 512,
			 "From: f%u@example.org\r\nSubject: number %u\r\nX-Odd: %u\r\n"
			 "\tfolded\r\nContent-Type: text/plain\r\n\r\nBody of %u\r\n",
			 i, i, i, i);
	return span_of(to, (size_t)n);
}

static int setup(void **state)
{
	site_init(&site);
	a = site_account(&site, "alice");
	for (unsigned i = 0; i < MANY; i++) {
		char text[512];
		do_append(&site, a, "INBOX", text_of(i, text), 0, NULL);
	}
	m = do_open(&site, a, "INBOX");
	v = mailbox_view_now(m);
	for (unsigned i = 0; i < MANY; i++)
		ids[i] = view_get(v, i + 1).info->body;
	return 0;
}

static int teardown(void **state)
{
	view_unref(v);
	mailbox_unref(m);
	account_unref(a);
	site_done(&site);
	return 0;
}

static bool has(struct span s, const char *what)
{
	return memmem(s.p, s.n, what, strlen(what)) != NULL;
}

static void what_is_wanted_comes_in_the_order_of_the_ids(void **state)
{
	struct want want = { .what = WANT_SUMMARY | WANT_ENVELOPE | WANT_STRUCTURE };
	struct body_id mixed[MANY];
	struct gathered g;
	/* backwards, and each third twice */
	for (unsigned i = 0; i < MANY; i++)
		mixed[i] = ids[MANY - 1 - i + (i % 3 == 2)];
	assert_int_equal(do_gather(&site, a, mixed, MANY, &want, &g), ERR_OK);
	assert_int_equal(g.n, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		unsigned which = MANY - 1 - i + (i % 3 == 2);
		char subject[32], text[512];
		snprintf(subject, sizeof subject, "\"number %u\"", which);
		assert_true(g.at[i].has_summary);
		assert_true(has(g.at[i].summary.envelope, subject));
		assert_int_equal(g.at[i].summary.size, text_of(which, text).n);
		assert_true(has(g.at[i].summary.structure, "(\"TEXT\" \"PLAIN\""));
		assert_true(
		    span_eq(g.at[i].summary.structure, g.at[i].summary.structure_rev1));
		assert_int_equal(g.at[i].summary.body.n, 0);
		assert_int_equal(g.at[i].summary.header.n, 0);
		assert_int_equal(g.at[i].summary.header_kind, SUMMARY_HEADER_NONE);
		assert_false(g.at[i].has_bytes);
	}
	gathered_done(&g);
}

static void header_fields_come_filtered(void **state)
{
	const struct span names[] = { SPAN("x-odd"), SPAN("subject") };
	struct want want = { .what = WANT_SUMMARY | WANT_HEADER,
			     .names = names,
			     .n_names = 2 };
	struct gathered g;
	assert_int_equal(do_gather(&site, a, ids, 3, &want, &g), ERR_OK);
	assert_true(g.at[2].has_fields);
	assert_true(span_eq(g.at[2].summary.header,
			    SPAN("Subject: number 2\r\nX-Odd: 2\r\n\tfolded\r\n\r\n")));
	gathered_done(&g);
	want.is_not = true;
	assert_int_equal(do_gather(&site, a, ids, 3, &want, &g), ERR_OK);
	assert_true(g.at[0].has_fields);
	assert_true(
	    span_eq(g.at[0].summary.header, SPAN("From: f0@example.org\r\n"
						 "Content-Type: text/plain\r\n\r\n")));
	gathered_done(&g);
	want.n_names = 0;
	assert_int_equal(do_gather(&site, a, ids, 1, &want, &g), ERR_OK);
	assert_int_equal(g.at[0].summary.header_kind, SUMMARY_HEADER_WHOLE);
	assert_true(has(g.at[0].summary.header, "From: f0@"));
	gathered_done(&g);
}

/* Of a header that is too large to be kept the summary has the common fields alone. */
static void fields_that_the_summary_lacks_are_not_made_up(void **state)
{
	struct buf text = { 0 };
	buf_puts(&text, "Subject: large\r\n");
	for (int i = 0; i < 2000; i++)
		buf_printf(&text, "X-Filler-%d: ...............\r\n", i);
	buf_puts(&text, "X-Odd: there\r\n\r\nBody\r\n");
	do_append(&site, a, "INBOX", buf_span(&text), 0, NULL);
	buf_done(&text);
	struct view *now = mailbox_view_now(m);
	struct body_id id = view_get(now, view_count(now)).info->body;
	struct span odd = SPAN("X-Odd"), subject = SPAN("Subject");
	struct want want = { .what = WANT_SUMMARY | WANT_HEADER,
			     .names = &odd,
			     .n_names = 1 };
	struct gathered g;
	assert_int_equal(do_gather(&site, a, &id, 1, &want, &g), ERR_OK);
	assert_true(g.at[0].has_summary);
	assert_false(g.at[0].has_fields);
	gathered_done(&g);
	want.names = &subject;
	assert_int_equal(do_gather(&site, a, &id, 1, &want, &g), ERR_OK);
	assert_true(g.at[0].has_fields);
	assert_true(has(g.at[0].summary.header, "Subject: large"));
	gathered_done(&g);
	view_unref(now);
}

static void messages_come_whole(void **state)
{
	struct want want = { .what = WANT_BYTES };
	struct gathered g;
	char text[512];
	assert_int_equal(do_gather(&site, a, ids, MANY, &want, &g), ERR_OK);
	for (unsigned i = 0; i < MANY; i++) {
		assert_true(g.at[i].has_bytes);
		assert_false(g.at[i].has_summary);
		assert_true(span_eq(g.at[i].bytes, text_of(i, text)));
	}
	gathered_done(&g);
}

static void what_is_not_there_is_told_one_by_one(void **state)
{
	struct body_id some[5] = {
		{ { 0 } }, ids[7], { { 1 } }, ids[3], { { 255, 255 } }
	};
	struct want want = { .what = WANT_SUMMARY | WANT_ENVELOPE | WANT_BYTES };
	struct gathered g;
	assert_int_equal(do_gather(&site, a, some, 5, &want, &g), ERR_OK);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(g.at[i].has_summary, i % 2);
		assert_int_equal(g.at[i].has_bytes, i % 2);
		assert_int_equal(g.at[i].bytes_rc, i % 2 ? ERR_OK : ERR_NOENT);
	}
	assert_true(has(g.at[3].bytes, "number 3"));
	assert_true(has(g.at[3].summary.envelope, "number 3"));
	gathered_done(&g);
}

/* Rows of others lie between those that are wanted: they are sought, not walked to. */
static void far_rows_are_found(void **state)
{
	struct want want = { .what = WANT_SUMMARY | WANT_ENVELOPE };
	const unsigned which[] = { 0, 1, 2, 50, 51, 300, 301, 315, 599 };
	struct body_id some[9];
	struct gathered g;
	for (size_t i = 0; i < 9; i++)
		some[i] = ids[which[i]];
	assert_int_equal(do_gather(&site, a, some, 9, &want, &g), ERR_OK);
	for (size_t i = 0; i < 9; i++) {
		char subject[32];
		snprintf(subject, sizeof subject, "\"number %u\"", which[i]);
		assert_true(g.at[i].has_summary);
		assert_true(has(g.at[i].summary.envelope, subject));
	}
	gathered_done(&g);
}

int main(int argc, char **argv)
{
	site_args(argc, argv);
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(what_is_wanted_comes_in_the_order_of_the_ids),
		T(header_fields_come_filtered),
		T(fields_that_the_summary_lacks_are_not_made_up),
		T(messages_come_whole),
		T(what_is_not_there_is_told_one_by_one),
		T(far_rows_are_found),
	};
	return cmocka_run_group_tests_name("gather", tests, setup, teardown);
}
