/* Spans: comparing, searching, numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/span.h"

static void comparisons_go_by_bytes_and_length(void **state)
{
	assert_true(span_cmp(SPAN("a"), SPAN("b")) < 0);
	assert_true(span_cmp(SPAN("ab"), SPAN("a")) > 0);
	assert_true(span_cmp(SPAN("\x80"), SPAN("\x7f")) > 0);
	assert_int_equal(span_cmp(SPAN_NONE, SPAN("")), 0);
	assert_int_equal(span_icmp(SPAN("InBoX"), SPAN("iNbOx")), 0);
	assert_true(span_icmp(SPAN("_"), SPAN("a")) < 0);
	assert_false(span_ieq(SPAN("k"), SPAN("\xe2\x84\xaa")));
}

static void prefixes_and_suffixes_are_found(void **state)
{
	assert_true(span_starts(SPAN("abc"), SPAN("ab")));
	assert_false(span_starts(SPAN("a"), SPAN("ab")));
	assert_true(span_istarts(SPAN("ABc"), SPAN("ab")));
	assert_true(span_ends(SPAN("abc"), SPAN("bc")));
	assert_true(span_ends(SPAN("abc"), SPAN_NONE));
	assert_int_equal(span_find(SPAN("abca"), 'c'), 2);
	assert_int_equal(span_find(SPAN("abca"), 'x'), -1);
	assert_int_equal(span_find(SPAN_NONE, 'x'), -1);
}

static void sub_never_leaves_the_span(void **state)
{
	struct span s = SPAN("abcdef");
	assert_true(span_eq(span_sub(s, 2, 2), SPAN("cd")));
	assert_true(span_eq(span_sub(s, 4, SIZE_MAX), SPAN("ef")));
	assert_int_equal(span_sub(s, SIZE_MAX, SIZE_MAX).n, 0);
	assert_int_equal(span_sub(SPAN_NONE, 3, 3).n, 0);
}

static void trim_takes_white_space_from_both_ends(void **state)
{
	assert_true(span_eq(span_trim(SPAN(" \t a b\r\n")), SPAN("a b")));
	assert_int_equal(span_trim(SPAN(" \r\n")).n, 0);
}

static void numbers_are_digits_only_and_bounded(void **state)
{
	uint64_t v = 7;
	assert_true(span_u64(SPAN("007"), 10, &v) && v == 7);
	assert_true(span_u64(SPAN("18446744073709551615"), UINT64_MAX, &v) &&
		    v == UINT64_MAX);
	assert_true(span_u64(SPAN("4294967295"), UINT32_MAX, &v) && v == UINT32_MAX);
	v = 99;
	assert_false(span_u64(SPAN("4294967296"), UINT32_MAX, &v));
	assert_false(span_u64(SPAN("18446744073709551616"), UINT64_MAX, &v));
	assert_false(span_u64(SPAN("99999999999999999999999"), UINT64_MAX, &v));
	assert_false(span_u64(SPAN(""), 10, &v));
	assert_false(span_u64(SPAN("+1"), 10, &v));
	assert_false(span_u64(SPAN("1 "), 10, &v));
	assert_int_equal(v, 99);
}

static void secrets_are_compared_whole(void **state)
{
	assert_true(span_eq_secret(SPAN("abc"), SPAN("abc")));
	assert_true(span_eq_secret(SPAN_NONE, SPAN("")));
	assert_false(span_eq_secret(SPAN("abc"), SPAN("abd")));
	assert_false(span_eq_secret(SPAN("abc"), SPAN("ab")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparisons_go_by_bytes_and_length),
		cmocka_unit_test(prefixes_and_suffixes_are_found),
		cmocka_unit_test(sub_never_leaves_the_span),
		cmocka_unit_test(trim_takes_white_space_from_both_ends),
		cmocka_unit_test(numbers_are_digits_only_and_bounded),
		cmocka_unit_test(secrets_are_compared_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
