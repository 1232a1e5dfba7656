/* IMAP URLs (RFC 5092, 4467, 5550). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/url.h"

static struct arena *a;

static int setup(void **state)
{
	a = arena_new(NULL);
	return 0;
}

static int teardown(void **state)
{
	arena_free(a);
	return 0;
}

static struct wire_url good(const char *text)
{
	struct wire_url u;

	if (!wire_url_parse(a, span_str(text), &u))
		fail_msg("%s", text);
	return u;
}

static void bad(const char *text)
{
	struct wire_url u;

	if (wire_url_parse(a, span_str(text), &u))
		fail_msg("%s", text);
}

static void is(struct span got, const char *want)
{
	if (!span_eq(got, span_str(want)))
		fail_msg("got %.*s, want %s", (int)got.n, got.p, want);
}

static void absolute_urls_have_all_parts(void **state)
{
	struct wire_url u = good("imap://joe;AUTH=*@example.com:143/gray%20council;"
				 "UIDVALIDITY=385759045/;UID=20/;SECTION=1.2.HEADER/"
				 ";PARTIAL=0.1024");

	assert_true(u.is_absolute && u.is_rooted);
	is(u.user, "joe");
	is(u.host, "example.com:143");
	is(u.mailbox, "gray council");
	assert_int_equal(u.uidvalidity, 385759045);
	assert_int_equal(u.uid, 20);
	assert_int_equal(u.section.n_path, 2);
	assert_int_equal(u.section.text, FETCH_TEXT_HEADER);
	assert_true(u.has_partial);
	assert_int_equal(u.offset, 0);
	assert_int_equal(u.bytes, 1024);
	u = good("IMAP://minbari.example.org/%E4%BA%8E/a/;uid=5");
	assert_null(u.user.p);
	is(u.mailbox, "\xe4\xba\x8e/a");
	assert_int_equal(u.section.text, FETCH_TEXT_WHOLE);
}

static void relative_urls_begin_with_a_mailbox_or_a_message(void **state)
{
	struct wire_url u =
	    good("/Drafts/;UID=20/;section=HEADER.FIELDS%20(Subject%20To)");

	assert_true(!u.is_absolute && u.is_rooted);
	is(u.mailbox, "Drafts");
	assert_int_equal(u.section.n_names, 2);
	u = good(";UID=7");
	assert_null(u.mailbox.p);
	assert_int_equal(u.uid, 7);
	u = good("foo/bar/;UID=7/;PARTIAL=10");
	is(u.mailbox, "foo/bar");
	assert_false(u.is_rooted);
	assert_int_equal(u.offset, 10);
	assert_int_equal(u.bytes, 0);
}

static void urlauth_is_split_from_the_rump(void **state)
{
	struct wire_url u = good("imap://joe@example.com/INBOX/;uid=20/"
				 ";section=1.2;urlauth=submit+fred:internal:"
				 "91354a473744909de610943775f92038");

	assert_int_equal(u.access, URL_SUBMIT);
	is(u.access_user, "fred");
	is(u.rump,
	   "imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred");
	is(u.mechanism, "internal");
	is(u.token, "91354a473744909de610943775f92038");
	u = good("imap://joe@h/INBOX/;uid=20;EXPIRE=1970-01-02T01:00:00+01:00;URLAUTH="
		 "anonymous");
	assert_int_equal(u.expire, 86400);
	assert_int_equal(u.access, URL_ANONYMOUS);
	assert_null(u.token.p);
	u = good(
	    "imap://joe@h/INBOX/;uid=20;expire=2024-02-29T12:00:00.5Z;urlauth=authuser");
	assert_int_equal(u.expire, 1709208000);
	u = good("imap://joe@h/INBOX/;uid=1;urlauth=user+a%40b");
	is(u.access_user, "a@b");
}

static void what_names_no_message_is_refused(void **state)
{
	static const char *const none[] = {
		"",
		"http://x/INBOX/;UID=1",
		"imap://example.com",
		"imap://example.com/",
		"imap://example.com/INBOX",
		"imap://example.com/INBOX?SUBJECT%20x",
		"imap:///INBOX/;UID=1",
		"/;UID=1",
		"/INBOX/;UID=0",
		"/INBOX/;UID=4294967296",
		"/INBOX/;UID=1x",
		"/INBOX/;UID=1/",
		"/INBOX;UIDVALIDITY=0/;UID=1",
		"/INBOX;UID=1",
		"/INBOX/;UID=1/;SECTION=",
		"/INBOX/;UID=1/;SECTION=BODY",
		"/INBOX/;UID=1/;SECTION=1%5D",
		"/INBOX/;UID=1/;PARTIAL=1.0",
		"/INBOX/;UID=1/;PARTIAL=",
		"/IN%ZZBOX/;UID=1",
		"/IN%4/;UID=1",
		"/IN%00BOX/;UID=1",
		"/IN%0D%0ABOX/;UID=1",
		"/IN%FFBOX/;UID=1",
		"/IN BOX/;UID=1",
		"/INBOX/;UID=1;URLAUTH=",
		"/INBOX/;UID=1;URLAUTH=root",
		"/INBOX/;UID=1;URLAUTH=user+",
		"/INBOX/;UID=1;URLAUTH=authuserx",
		"/INBOX/;UID=1;URLAUTH=authuser:INTERNAL",
		"/INBOX/;UID=1;URLAUTH=authuser:INTERNAL:",
		"/INBOX/;UID=1;EXPIRE=2024-01-01T00:00:00Z",
		"/INBOX/;UID=1;EXPIRE=2024-13-01T00:00:00Z;URLAUTH=authuser",
		"/INBOX/;UID=1;EXPIRE=2024-01-01T00:00:00;URLAUTH=authuser",
	};

	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		bad(none[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absolute_urls_have_all_parts),
		cmocka_unit_test(relative_urls_begin_with_a_mailbox_or_a_message),
		cmocka_unit_test(urlauth_is_split_from_the_rump),
		cmocka_unit_test(what_names_no_message_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
