/* The cursor: atoms, numbers, strings, lists (RFC 9051 section 9). */
#include "reader.h"
#include "wire/frame.h"

static void the_first_error_sticks(void **state)
{
	struct cursor c = on("x y\r\n");

	assert_int_equal(cursor_number(&c), 0);
	assert_true(c.bad);
	assert_string_equal(c.why, "a number below 2^32 was expected");
	assert_span(cursor_atom(&c), "");
	assert_false(cursor_sp(&c));
	assert_false(cursor_end(&c));
	assert_int_equal(c.at, 0);
	assert_string_equal(c.why, "a number below 2^32 was expected");
}

static void atoms_end_at_specials(void **state)
{
	static const char specials[] = "(){ %*\"\\]\x01\x7f\x80";
	struct cursor c;

	for (size_t i = 0; i < sizeof specials - 1; i++) {
		char text[] = { 'a', specials[i], '\0' };

		if (specials[i] == ')')
			continue;
		c = on(text);
		assert_span(cursor_atom(&c), "a");
		c = on(text + 1);
		cursor_atom(&c);
		assert_true(c.bad);
	}
	c = on("a}+&[~!x");
	assert_span(cursor_atom(&c), "a}+&[~!x");
}

static void astrings_may_hold_a_closing_bracket(void **state)
{
	struct cursor c = on("a]b \"q\\\"\\\\\" {3+}\r\n\r\nx {0}\r\n \"\"\r\n");

	assert_span(cursor_astring(&c), "a]b");
	cursor_sp(&c);
	assert_span(cursor_astring(&c), "q\"\\");
	cursor_sp(&c);
	assert_span(cursor_astring(&c), "\r\nx");
	cursor_sp(&c);
	assert_span(cursor_astring(&c), "");
	cursor_sp(&c);
	assert_span(cursor_astring(&c), "");
	assert_true(cursor_end(&c));
}

static void tags_hold_no_plus(void **state)
{
	struct cursor c = on("a]1 ");

	assert_span(cursor_tag(&c), "a]1");
	c = on("a+1 ");
	cursor_tag(&c);
	assert_true(c.bad);
	assert_false(wire_is_tag(SPAN("")));
}

static void numbers_have_their_ranges(void **state)
{
	struct cursor c = on("4294967295");

	assert_int_equal(cursor_number(&c), UINT32_MAX);
	c = on("4294967296");
	cursor_number(&c);
	assert_true(c.bad);
	c = on("007");
	assert_int_equal(cursor_number(&c), 7);
	c = on("07");
	cursor_nz_number(&c);
	assert_true(c.bad);
	c = on("0");
	cursor_nz_number(&c);
	assert_true(c.bad);
	c = on("9223372036854775807");
	assert_true(cursor_number64(&c) == INT64_MAX);
	c = on("9223372036854775808");
	cursor_number64(&c);
	assert_true(c.bad);
	c = on("99999999999999999999999999");
	cursor_nz_number64(&c);
	assert_true(c.bad);
}

static void words_match_in_any_case_and_whole(void **state)
{
	struct cursor c = on("Body[1] bodystructure BODY.PEEK nil)");

	assert_true(cursor_try_word(&c, "BODY"));
	assert_int_equal(cursor_peek(&c), '[');
	c.at = 8;
	assert_false(cursor_try_word(&c, "BODY"));
	assert_true(cursor_word(&c, "BODYSTRUCTURE"));
	cursor_sp(&c);
	assert_false(cursor_try_word(&c, "BODY"));
	assert_true(cursor_word(&c, "BODY.PEEK"));
	cursor_sp(&c);
	assert_true(cursor_try_nil(&c));
	assert_int_equal(cursor_peek(&c), ')');
	assert_false(cursor_word(&c, "X"));
}

static void quoted_strings_follow_their_grammar(void **state)
{
	static const char *const bad[] = { "\"a",
					   "\"a\\b\"",
					   "\"a\r\n\"",
					   "\"a\n\"",
					   "\"\\",
					   "\"\x80\"",
					   "\"\xc0\xaf\"",
					   "\"\xed\xa0\x80\"",
					   "\"\xf4\x90\x80\x80\"",
					   "a" };
	struct cursor c;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		c = on(bad[i]);
		cursor_quoted(&c);
		assert_true(c.bad);
		assert_non_null(c.why);
	}
	c = on("\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\"");
	assert_span(cursor_quoted(&c), "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
	assert_false(c.bad);
}

static void borrowed_unless_bytes_differ(void **state)
{
	struct cursor c = on("\"ab\" \"a\\\\\"");
	struct span s = cursor_quoted(&c);

	assert_ptr_equal(s.p, c.in.p + 1);
	cursor_sp(&c);
	s = cursor_quoted(&c);
	assert_false(s.p >= c.in.p && s.p < c.in.p + c.in.n);
}

static void literals_are_checked(void **state)
{
	static const char *const bad[] = {
		"{3}\r\nab", "{}\r\n",	   "{1}\nx",
		"{1}x",	     "{1+1}\r\nx", "{9223372036854775807}\r\nx",
		"~{1}\r\nx", "{",	   "{9999999999999999999}\r\n",
		"{1"
	};
	struct cursor c;
	bool is8 = false;
	struct span nul = SPAN("~{3}\r\na\0b");

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		c = on(bad[i]);
		cursor_literal(&c);
		assert_true(c.bad);
	}
	c = cursor_of(exact(nul), false, arena);
	assert_int_equal(cursor_literal_any(&c, &is8).n, 3);
	assert_true(is8);
	c = cursor_of(exact(SPAN("{3}\r\na\0b")), false, arena);
	cursor_literal(&c);
	assert_true(c.bad);
}

static void the_header_of_a_streamed_literal_can_be_read(void **state)
{
	struct cursor c = on("x {310+}\r\n");
	struct frame_literal l;

	cursor_astring(&c);
	cursor_sp(&c);
	assert_true(cursor_literal_header(&c, &l));
	assert_int_equal(l.bytes, 310);
	assert_false(l.sync);
	assert_true(cursor_rest_empty(&c));
}

static void nstrings_tell_nil_from_the_string(void **state)
{
	struct cursor c = on("nil \"NIL\" \"\" NILL");
	struct span s;

	assert_false(cursor_nstring(&c, &s));
	assert_null(s.p);
	cursor_sp(&c);
	assert_true(cursor_nstring(&c, &s));
	assert_span(s, "NIL");
	cursor_sp(&c);
	assert_true(cursor_nstring(&c, &s));
	assert_int_equal(s.n, 0);
	cursor_sp(&c);
	assert_false(c.bad);
	assert_false(cursor_nstring(&c, &s));
	assert_true(c.bad);
}

static void inbox_has_one_spelling(void **state)
{
	struct cursor c = on("iNbOx \"inbox\" {5}\r\nInBoX inboxes");

	for (int i = 0; i < 3; i++) {
		assert_span(cursor_mailbox(&c), "INBOX");
		cursor_sp(&c);
	}
	assert_span(cursor_mailbox(&c), "inboxes");
}

static void mailbox_names_are_decoded(void **state)
{
	struct cursor c = on("Entw&APw-rfe A&-B \"gr\xc3\xbc&n\"");

	assert_span(cursor_mailbox(&c), "Entw\xc3\xbcrfe");
	cursor_sp(&c);
	assert_span(cursor_mailbox(&c), "A&B");
	cursor_sp(&c);
	/* With 8-bit bytes it is UTF-8 as it stands (RFC 6855 section 3). */
	assert_span(cursor_mailbox(&c), "gr\xc3\xbc&n");
	c = on_utf8("A&-B \"a\xc3\xa9\" &");
	assert_span(cursor_mailbox(&c), "A&-B");
	cursor_sp(&c);
	assert_span(cursor_mailbox(&c), "a\xc3\xa9");
	cursor_sp(&c);
	assert_span(cursor_mailbox(&c), "&");
}

static void names_that_are_not_canonical_are_refused(void **state)
{
	static const char *const bad[] = { "&",	    "a&b",	"&Jjo!",	  "&AGE-",
					   "&ACY-", "\"a\tb\"", "{2}\r\n\xff\xfe" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct cursor c = on(bad[i]);

		cursor_mailbox(&c);
		assert_true(c.bad);
	}
}

static void a_server_may_name_a_mailbox_as_it_likes(void **state)
{
	struct cursor c = on("\"R & D\" Entw&APw-rfe");

	assert_span(cursor_mailbox_any(&c), "R & D");
	cursor_sp(&c);
	assert_span(cursor_mailbox_any(&c), "Entw\xc3\xbcrfe");
	assert_false(c.bad);
}

static void patterns_may_hold_wildcards(void **state)
{
	struct cursor c = on("a%/*] \"*\" inbox");

	assert_span(cursor_list_mailbox(&c), "a%/*]");
	cursor_sp(&c);
	assert_span(cursor_list_mailbox(&c), "*");
	cursor_sp(&c);
	assert_span(cursor_list_mailbox(&c), "inbox");
	c = on("a% b");
	assert_span(cursor_mailbox(&c), "a");
}

static void lists_nest_up_to_a_limit(void **state)
{
	char open[WIRE_NESTING_MAX + 2];
	struct cursor c;

	memset(open, '(', sizeof open);
	open[sizeof open - 1] = '\0';
	c = on(open);
	for (int i = 0; i < WIRE_NESTING_MAX; i++)
		assert_true(cursor_list_open(&c));
	assert_false(cursor_try_list_open(&c));
	assert_true(c.bad);
}

static void list_more_wants_a_space_or_the_end(void **state)
{
	struct cursor c = on("(a b)");

	cursor_list_open(&c);
	cursor_atom(&c);
	assert_true(cursor_list_more(&c));
	cursor_atom(&c);
	assert_false(cursor_list_more(&c));
	assert_false(c.bad);
	c = on("(a,b)");
	cursor_list_open(&c);
	c.at++;
	c.at++;
	c.in.p = arena_strdup(arena, "(a\"b)");
	assert_false(cursor_list_more(&c));
	assert_true(c.bad);
}

static void base64_is_whole_quanta_or_an_equals_sign(void **state)
{
	static const char *const good[] = { "=",    "AA==", "AAA=",
					    "AAAA", "ab+/", "AGJvYgBw" };
	static const char *const bad[] = { "",	   "A",	   "AA",   "AAA", "AA=",
					   "A===", "====", "A=A=", "AA-A" };

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct cursor c = on(good[i]);

		assert_span(cursor_base64(&c), good[i]);
		assert_true(cursor_rest_empty(&c));
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct cursor c = on(bad[i]);

		cursor_base64(&c);
		assert_true(c.bad);
	}
}

static void the_end_is_crlf_and_nothing_more(void **state)
{
	struct cursor c = on("\r\n");

	assert_true(cursor_end(&c));
	c = on("\r\nx");
	assert_false(cursor_end(&c));
	c = on("\n");
	assert_false(cursor_end(&c));
	c = on(" \r\n");
	assert_false(cursor_end(&c));
}

static void unknown_values_are_skipped_whole(void **state)
{
	static const char *const good[] = { "1",
					    "1:5,*",
					    "$",
					    "(a b (c \"d)\" ({2}\r\n)) e)))",
					    "()",
					    "(\\Sent \\Trash)",
					    "(~{1+}\r\n) ())",
					    "\"x\"" };
	static const char *const bad[] = {
		"(",	"(a",	 "(a ", "(a  b)", "( a)",
		"(a )", "(a))(", "",	"(\"a)",  "({9}\r\na)"
	};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct cursor c = on(good[i]);

		assert_span(cursor_ext_value(&c), good[i]);
		assert_true(cursor_rest_empty(&c));
		assert_int_equal(c.depth, 0);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct cursor c = on(bad[i]);

		cursor_ext_value(&c);
		assert_false(cursor_rest_empty(&c));
	}
}

static void unknown_values_nest_up_to_a_limit(void **state)
{
	struct buf b = { 0 };
	struct cursor c;

	for (int i = 0; i < 100000; i++)
		buf_putc(&b, '(');
	c = cursor_of(buf_span(&b), false, arena);
	cursor_ext_value(&c);
	assert_true(c.bad);
	buf_done(&b);
}

static void parameters_have_values_or_not(void **state)
{
	struct cursor c = on(
	    "(CONDSTORE QRESYNC (1 2 1:3) CHANGEDSINCE 12345 PARTIAL -1:-100 "
	    "VANISHED)");
	struct wire_params p;
	struct cursor v;

	assert_true(cursor_params(&c, &p));
	assert_int_equal(p.n, 5);
	assert_null(wire_param_find(&p, "condstore")->value.p);
	assert_span(wire_param_find(&p, "PARTIAL")->value, "-1:-100");
	assert_null(wire_param_find(&p, "UNKNOWN"));
	assert_span(p.v[4].name, "VANISHED");
	v = cursor_on(&c, wire_param_find(&p, "ChangedSince")->value);
	assert_int_equal(cursor_number64(&v), 12345);
	assert_true(cursor_rest_empty(&v));
	c = on("()");
	assert_false(cursor_params(&c, &p));
	c = on("(1A)");
	assert_false(cursor_params(&c, &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_error_sticks),
		cmocka_unit_test(atoms_end_at_specials),
		cmocka_unit_test(astrings_may_hold_a_closing_bracket),
		cmocka_unit_test(tags_hold_no_plus),
		cmocka_unit_test(numbers_have_their_ranges),
		cmocka_unit_test(words_match_in_any_case_and_whole),
		cmocka_unit_test(quoted_strings_follow_their_grammar),
		cmocka_unit_test(borrowed_unless_bytes_differ),
		cmocka_unit_test(literals_are_checked),
		cmocka_unit_test(the_header_of_a_streamed_literal_can_be_read),
		cmocka_unit_test(nstrings_tell_nil_from_the_string),
		cmocka_unit_test(inbox_has_one_spelling),
		cmocka_unit_test(mailbox_names_are_decoded),
		cmocka_unit_test(names_that_are_not_canonical_are_refused),
		cmocka_unit_test(a_server_may_name_a_mailbox_as_it_likes),
		cmocka_unit_test(patterns_may_hold_wildcards),
		cmocka_unit_test(lists_nest_up_to_a_limit),
		cmocka_unit_test(list_more_wants_a_space_or_the_end),
		cmocka_unit_test(base64_is_whole_quanta_or_an_equals_sign),
		cmocka_unit_test(the_end_is_crlf_and_nothing_more),
		cmocka_unit_test(unknown_values_are_skipped_whole),
		cmocka_unit_test(unknown_values_nest_up_to_a_limit),
		cmocka_unit_test(parameters_have_values_or_not),
	};
	return RUN(tests);
}
