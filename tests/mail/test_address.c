/* Address lists (RFC 5322 sections 3.4 and 4.4, appendix A). */
#include "helper.h"

#include "mail/address.h"

static void put(struct buf *out, struct span s)
{
	if (s.p)
		buf_put(out, s);
	else
		buf_puts(out, "NIL");
}

/* Compares with "name|route|mailbox|host" for each address, "/" between. */
static void assert_addresses(const char *value, const char *want)
{
	struct arena *a = arena_new(NULL);
	struct address_list list = { 0 };
	struct buf out = { 0 };

	address_parse(a, span_str(value), &list);
	for (size_t i = 0; i < list.n; i++) {
		if (i > 0)
			buf_putc(&out, '/');
		put(&out, list.v[i].name);
		buf_putc(&out, '|');
		put(&out, list.v[i].route);
		buf_putc(&out, '|');
		put(&out, list.v[i].mailbox);
		buf_putc(&out, '|');
		put(&out, list.v[i].host);
	}
	arena_free(a);
	assert_buf(&out, want);
}

static void examples_of_appendix_a1(void **state)
{
	assert_addresses(" John Doe <jdoe@machine.example>",
			 "John Doe|NIL|jdoe|machine.example");
	assert_addresses(
	    "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
	    "Mary Smith|NIL|mary|x.test/NIL|NIL|jdoe|example.org/Who?|NIL|one|y.test");
	assert_addresses(
	    "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
	    "NIL|NIL|boss|nil.test/Giant; \"Big\" Box|NIL|sysservices|example.net");
	assert_addresses(
	    "A Group:Ed Jones <joe@where.test>,john@x.test;",
	    "NIL|NIL|A Group|NIL/Ed Jones|NIL|joe|where.test/NIL|NIL|john|x.test/"
	    "NIL|NIL|NIL|NIL");
	assert_addresses("Undisclosed recipients:;",
			 "NIL|NIL|Undisclosed recipients|NIL/NIL|NIL|NIL|NIL");
}

static void comments_stand_anywhere(void **state)
{
	assert_addresses("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
			 "Pete|NIL|pete|silly.test");
	assert_addresses(
	    "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,"
	    "\r\n joe@example.org; (the end)",
	    "NIL|NIL|A Group|NIL/Chris Jones|NIL|c|public.example/"
	    "NIL|NIL|joe|example.org/NIL|NIL|NIL|NIL");
}

static void obsolete_forms_of_appendix_a6(void **state)
{
	assert_addresses("Joe Q. Public <john.q.public@example.com>",
			 "Joe Q. Public|NIL|john.q.public|example.com");
	assert_addresses(
	    "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
	    "Mary Smith|@node.test|mary|example.net/NIL|NIL|jdoe|test.example");
	assert_addresses("<@a.test,@b.test:c@d.test>", "NIL|@a.test,@b.test|c|d.test");
}

static void a_comment_names_a_bare_address(void **state)
{
	assert_addresses("joe@x.test (Joe Doe)", "Joe Doe|NIL|joe|x.test");
	assert_addresses("Joe <joe@x.test> (not this)", "Joe|NIL|joe|x.test");
}

static void quoting_is_removed(void **state)
{
	assert_addresses("\"Joe \\\\ Doe\" <\"joe doe\"@x.test>",
			 "Joe \\ Doe|NIL|joe doe|x.test");
	assert_addresses("joe@[192.0.2.1]", "NIL|NIL|joe|[192.0.2.1]");
}

static void encoded_words_are_not_cut_at_specials(void **state)
{
	assert_addresses("=?UTF-8?Q?Doe,_Jane?= <j@x.test>, b@y.test",
			 "=?UTF-8?Q?Doe,_Jane?=|NIL|j|x.test/NIL|NIL|b|y.test");
}

static void what_is_no_address_is_shown_as_near_as_may_be(void **state)
{
	assert_addresses("root", "NIL|NIL|root|");
	assert_addresses("Joe Bloggs", "Joe Bloggs|NIL||");
	assert_addresses("joe@x.test <joe@x.test>", "joe@x.test|NIL|joe|x.test");
	assert_addresses("Joe Bloggs joe@x.test", "Joe Bloggs|NIL|joe|x.test");
	assert_addresses("a@b; c@d", "NIL|NIL|a|b/NIL|NIL|c|d");
	assert_addresses("A <a@b, c@d", "A|NIL|a|b/NIL|NIL|c|d");
	assert_addresses("<>", "NIL|NIL||");
	assert_addresses("<mailto:a@b>", "NIL|NIL|mailto:a|b");
	assert_addresses("a@b c@d", "NIL|NIL|a|b/NIL|NIL|c|d");
	assert_addresses("a@b x <c@d>", "a@b x|NIL|c|d");
}

static void nothing_gives_nothing(void **state)
{
	assert_addresses("", "");
	assert_addresses(" ,, , (comment)", "");
	assert_addresses(";", "");
}

static void an_open_group_is_closed(void **state)
{
	assert_addresses("G: a@b", "NIL|NIL|G|NIL/NIL|NIL|a|b/NIL|NIL|NIL|NIL");
	assert_addresses(
	    "G: H: a@b;",
	    "NIL|NIL|G|NIL/NIL|NIL|NIL|NIL/NIL|NIL|H|NIL/NIL|NIL|a|b/NIL|NIL|NIL|NIL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_appendix_a1),
		cmocka_unit_test(comments_stand_anywhere),
		cmocka_unit_test(obsolete_forms_of_appendix_a6),
		cmocka_unit_test(a_comment_names_a_bare_address),
		cmocka_unit_test(quoting_is_removed),
		cmocka_unit_test(encoded_words_are_not_cut_at_specials),
		cmocka_unit_test(what_is_no_address_is_shown_as_near_as_may_be),
		cmocka_unit_test(nothing_gives_nothing),
		cmocka_unit_test(an_open_group_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
