/* Substring search under i;unicode-casemap (RFC 5051). */
#include "helper.h"

#include "mail/match.h"

static bool finds(const char *needle, const char *text)
{
	struct arena *a = arena_new(NULL);
	struct match_needle *n = match_needle_new(a, comparator_default(),
						  span_str(needle));
	struct match m = { 0 };
	bool found = match_text(n, span_str(text));

	/* byte by byte it is the same */
	match_begin(&m, n);
	for (size_t i = 0; text[i]; i++)
		match_feed(&m, span_of(text + i, 1));
	assert_int_equal(match_finish(&m), found);
	match_done(&m);
	arena_free(a);
	return found;
}

static void case_does_not_matter(void **state)
{
	assert_true(finds("HeLLo", "say hello!"));
	assert_true(finds("gr\xc3\x9c", "Gr\xc3\xbc\xc3\x9f"
					"e"));	    /* GRÜ, Grüße */
	assert_true(finds("\xce\xa3", "\xcf\x83")); /* Σ, σ */
	assert_true(finds("\xd0\x9f", "\xd0\xbf")); /* П, п */
	assert_false(finds("hello", "help hell o"));
}

static void characters_are_decomposed(void **state)
{
	/* RFC 5051 section 2, its example: U+01C4 becomes D z U+030C */
	struct buf out = { 0 };

	match_fold(SPAN("\xc7\x84"), &out);
	assert_buf(&out, "Dz\xcc\x8c");
	assert_true(finds("e\xcc\x81", "caf\xc3\xa9")); /* e + acute, é */
	assert_true(finds("a", "\xef\xbc\xa1"));	/* full-width A, compatibility */
	/* Title case comes first, so the ligature fi becomes small letters */
	assert_false(finds("fi", "\xef\xac\x81"));
	match_fold(SPAN("\xed\x95\x9c"), &out); /* Hangul by its rule */
	assert_buf(&out, "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab");
}

static void an_empty_needle_is_in_everything(void **state)
{
	assert_true(finds("", ""));
	assert_true(finds("", "x"));
	assert_false(finds("x", ""));
}

static void bad_bytes_do_not_hide_the_rest(void **state)
{
	assert_true(finds("world", "\xff hello \xc3 world"));
	assert_true(finds("\xef\xbf\xbd", "\xff"));
}

static void a_match_across_windows_is_found(void **state)
{
	struct arena *a = arena_new(NULL);
	struct match_needle *n = match_needle_new(a, comparator_default(),
						  SPAN("needle"));
	struct match m = { 0 };
	struct buf hay = { 0 };

	for (size_t at = 16384 - 8; at < 16384 + 3; at++) {
		buf_clear(&hay);
		memset(buf_room(&hay, 40000), 'n', 40000);
		buf_added(&hay, 40000);
		memcpy(hay.p + hay.off + at, "needle", 6);
		match_begin(&m, n);
		assert_true(match_feed(&m, buf_span(&hay)));
		assert_true(m.window.n < 100000);
	}
	match_done(&m);
	buf_done(&hay);
	arena_free(a);
}

static void header_values_are_decoded_and_unfolded(void **state)
{
	struct arena *a = arena_new(NULL);
	struct span block = SPAN(
	    "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?Q?_an_alle?=\r\n"
	    "Subject: second\r\nX: y\r\n\r\n");

	assert_true(match_header_field(match_needle_new(a, comparator_default(),
							SPAN("\xc3\x9f"
							     "e an")),
				       block, SPAN("subject")));
	assert_true(
	    match_header_field(match_needle_new(a, comparator_default(), SPAN("SECOND")),
			       block, SPAN("Subject")));
	assert_false(
	    match_header_field(match_needle_new(a, comparator_default(), SPAN("y")),
			       block, SPAN("subject")));
	/* an empty string asks for the field itself */
	assert_true(match_header_field(
	    match_needle_new(a, comparator_default(), SPAN("")), block, SPAN("X")));
	assert_false(match_header_field(
	    match_needle_new(a, comparator_default(), SPAN("")), block, SPAN("Z")));
	assert_true(match_header_value(
	    match_needle_new(a, comparator_default(), SPAN("a b")), SPAN(" A\r\n B")));
	arena_free(a);
}

static bool body_has(const char *needle, enum coding coding, const char *charset,
		     const char *raw)
{
	struct arena *a = arena_new(NULL);
	struct match_body *b =
	    match_body_new(match_needle_new(a, comparator_default(), span_str(needle)),
			   coding, span_str(charset), false);
	bool found;

	for (size_t i = 0; raw[i]; i++)
		match_body_feed(b, span_of(raw + i, 1));
	found = match_body_finish(b);
	match_body_free(b);
	arena_free(a);
	return found;
}

static void bodies_are_decoded_by_coding_and_charset(void **state)
{
	assert_true(body_has("gr\xc3\xbc\xc3\x9f"
			     "e",
			     CODING_QP, "iso-8859-1", "Gr=FC=DF=\r\ne"));
	assert_true(body_has("hello", CODING_BASE64, "us-ascii", "SGVs\r\nbG8="));
	assert_false(body_has("SGVs", CODING_BASE64, "us-ascii", "SGVs\r\nbG8="));
	assert_true(body_has("plain", CODING_UNKNOWN, "no-such-set", "Plain"));
	assert_true(body_has("plain", CODING_7BIT, "", "Plain"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(case_does_not_matter),
		cmocka_unit_test(characters_are_decomposed),
		cmocka_unit_test(an_empty_needle_is_in_everything),
		cmocka_unit_test(bad_bytes_do_not_hide_the_rest),
		cmocka_unit_test(a_match_across_windows_is_found),
		cmocka_unit_test(header_values_are_decoded_and_unfolded),
		cmocka_unit_test(bodies_are_decoded_by_coding_and_charset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
