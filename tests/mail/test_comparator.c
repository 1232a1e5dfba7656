/* Comparators (RFC 4790 sections 3 and 9, RFC 5051, RFC 5255 section 4.6). */
#include "helper.h"

#include "mail/match.h"

static const struct comparator *named(const char *name)
{
	const struct comparator *found[COMPARATORS];

	assert_int_equal(comparator_find(span_str(name), found), 1);
	assert_string_equal(comparator_name(found[0]), name);
	return found[0];
}

static void expect_order(const char *comparator, const char *a, const char *b, int want)
{
	int order = comparator_compare(named(comparator), span_str(a), span_str(b));

	if ((order > 0) - (order < 0) != want)
		fail_msg("%s: \"%s\" against \"%s\" gives %d", comparator, a, b, order);
	order = comparator_compare(named(comparator), span_str(b), span_str(a));
	assert_int_equal((order > 0) - (order < 0), -want);
}

static void the_default_is_unicode_casemap(void **state)
{
	const struct comparator *found[COMPARATORS];

	assert_string_equal(comparator_name(comparator_default()), "i;unicode-casemap");
	assert_int_equal(comparator_find(SPAN("default"), found), 1);
	assert_ptr_equal(found[0], comparator_default());
}

static void a_wildcard_finds_the_most_useful_first(void **state)
{
	const struct comparator *found[COMPARATORS];

	assert_int_equal(comparator_find(SPAN("*"), found), 3);
	assert_ptr_equal(found[0], comparator_default());
	assert_int_equal(comparator_find(SPAN("i;*casemap"), found), 2);
	assert_string_equal(comparator_name(found[1]), "i;ascii-casemap");
	assert_int_equal(comparator_find(SPAN("I;OCTET"), found), 1);
	assert_int_equal(comparator_find(SPAN("*o*t*"), found), 1);
	assert_int_equal(comparator_find(SPAN("+i;octet"), found), 1);
	assert_int_equal(comparator_find(SPAN("-i;octet"), found), 0);
	assert_int_equal(comparator_find(SPAN("i;octe"), found), 0);
	assert_int_equal(comparator_find(SPAN("cz;*"), found), 0);
	assert_int_equal(comparator_find(SPAN(""), found), 0);
}

static void octets_are_compared_as_bytes(void **state)
{
	/* RFC 4790 section 9.3.1, its algorithm */
	expect_order("i;octet", "", "", 0);
	expect_order("i;octet", "", "a", -1);
	expect_order("i;octet", "ab", "abc", -1);
	expect_order("i;octet", "a", "B", 1);
	expect_order("i;octet", "\x7f", "\x80", -1);
}

static void ascii_casemap_knows_ascii_letters_only(void **state)
{
	/* RFC 4790 section 9.2.1: a-z become A-Z, so "_" stands behind "z" */
	expect_order("i;ascii-casemap", "Hello", "hELLO", 0);
	expect_order("i;ascii-casemap", "a", "B", -1);
	expect_order("i;ascii-casemap", "z", "_", -1);
	expect_order("i;ascii-casemap", "\xc3\xbc", "\xc3\x9c", 1); /* ü, Ü */
}

static void unicode_casemap_knows_all_and_decomposes(void **state)
{
	expect_order("i;unicode-casemap", "gr\xc3\xbc\xc3\x9f", "GR\xc3\x9c\xc3\x9f", 0);
	expect_order("i;unicode-casemap", "e\xcc\x81t\xc3\xa9", "\xc3\x89te\xcc\x81", 0);
	/* U+01C4, the example of RFC 5051 section 2 */
	expect_order("i;unicode-casemap", "\xc7\x84", "Dz\xcc\x8c", 1);
	/* characters with diacritics beside those without: "germ" < "gerä.." < "geu" */
	expect_order("i;unicode-casemap", "ger", "ger\xc3\xa4t", -1);
	expect_order("i;unicode-casemap", "ger\xc3\xa4t", "geru", -1);
}

/* The four strings of RFC 5255 section 4.6, the last one converted from KOI8-R. */
static void what_is_not_utf8_comes_last_in_the_order_of_its_octets(void **state)
{
	const char *s1 = "\xd0\xc0\xd0\xbd\xd0\xb4\xd1\x80\xd0\xb5\xd0\xb9";
	const char *s2 = "\xd1\x81\xd0\x95\xd0\xa0\xd0\x93\xd0\x95\xd0\x99";
	const char *s3 = "\xd0\x92\xd0\xb0\xd1\x81\xd0\xb8\xd0\xbb\xd0\xb8\xff\xb9";
	const char *s4 = "\xd0\x90\xd0\xbb\xd0\xb5\xd0\xba\xd1\x81\xd0\xb5\xd0\xb9";

	expect_order("i;unicode-casemap", s4, s2, -1);
	expect_order("i;unicode-casemap", s2, s3, -1);
	expect_order("i;unicode-casemap", s3, s1, -1);
	expect_order("i;unicode-casemap", "\xf0\x9f\x98\x80", "\xff", -1);
}

static bool finds(const char *comparator, const char *needle, const char *text)
{
	struct arena *a = arena_new(NULL);
	struct match_needle *n = match_needle_new(a, named(comparator), span_str(needle));
	bool found = match_text(n, span_str(text));

	assert_int_equal(match_header_value(n, span_str(text)), found);
	arena_free(a);
	return found;
}

static void substrings_follow_the_comparator(void **state)
{
	assert_true(finds("i;octet", "ell", "Hello"));
	assert_false(finds("i;octet", "ELL", "Hello"));
	assert_true(finds("i;ascii-casemap", "ELL", "Hello"));
	assert_false(finds("i;ascii-casemap", "\xc3\x9c", "gr\xc3\xbcn"));
	assert_true(finds("i;ascii-casemap", "R\xc3\xbcN", "gr\xc3\xbcn"));
	assert_true(finds("i;unicode-casemap", "R\xc3\x9cN", "gr\xc3\xbcn"));
	assert_true(finds("i;octet", "", "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_is_unicode_casemap),
		cmocka_unit_test(a_wildcard_finds_the_most_useful_first),
		cmocka_unit_test(octets_are_compared_as_bytes),
		cmocka_unit_test(ascii_casemap_knows_ascii_letters_only),
		cmocka_unit_test(unicode_casemap_knows_all_and_decomposes),
		cmocka_unit_test(what_is_not_utf8_comes_last_in_the_order_of_its_octets),
		cmocka_unit_test(substrings_follow_the_comparator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
