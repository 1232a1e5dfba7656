/* Header blocks (RFC 5322 sections 2.2, 4.5). */
#include "helper.h"

#include "mail/header.h"

static void fields_come_in_order_with_their_folds(void **state)
{
	struct header_iter it =
	    header_iter(SPAN("A: 1\r\nB : x\r\n\ty\nC:\r\n\r\nD: body\r\n"));
	struct header_field f;

	assert_true(header_next(&it, &f));
	assert_span(f.name, "A");
	assert_span(f.value, " 1");
	assert_true(header_next(&it, &f));
	assert_span(f.name, "B");
	assert_span(f.value, " x\r\n\ty");
	assert_span(f.whole, "B : x\r\n\ty\n");
	assert_true(header_next(&it, &f));
	assert_span(f.name, "C");
	assert_span(f.value, "");
	assert_false(header_next(&it, &f));
	assert_false(header_next(&it, &f));
}

static void lines_that_are_no_field_are_skipped_with_their_folds(void **state)
{
	struct header_iter it = header_iter(
	    SPAN("From me Mon Jan 1\n cont\nno colon\n: no name\nG\xc3\xb6: x\nA: 1\n"));
	struct header_field f;

	assert_true(header_next(&it, &f));
	assert_span(f.name, "A");
	assert_false(header_next(&it, &f));
}

static void a_line_of_blanks_continues_the_field(void **state)
{
	struct header_field f;

	assert_true(header_find(SPAN("A: 1\r\n \r\n 2\r\nB: 3\r\n\r\n"), SPAN("a"), &f));
	assert_span(f.value, " 1\r\n \r\n 2");
	assert_true(header_find(SPAN("A: 1\r\n \r\n 2\r\nB: 3\r\n\r\n"), SPAN("b"), &f));
	assert_false(header_find(SPAN("A: 1\r\n\r\nB: 3\r\n"), SPAN("b"), &f));
}

static void unfolding_takes_line_ends_only(void **state)
{
	struct buf out = { 0 };

	header_unfold(SPAN(" a\r\n b\n\tc \r d \r\n"), &out);
	assert_buf(&out, "a b\tc \r d");
}

static void filter_gives_exact_bytes_and_the_empty_line(void **state)
{
	const struct span block = SPAN("From: a\r\nTo : b,\r\n c\r\nX: y\r\nto: d\n\r\n");
	const struct span names[] = { SPAN("TO"), SPAN("nothing") };
	struct buf out = { 0 };

	header_filter(block, names, 2, false, &out);
	assert_buf(&out, "To : b,\r\n c\r\nto: d\n\r\n");
	header_filter(block, names, 2, true, &out);
	assert_buf(&out, "From: a\r\nX: y\r\n\r\n");
}

static void filter_adds_no_empty_line_where_none_is(void **state)
{
	const struct span names[] = { SPAN("To") };
	struct buf out = { 0 };

	header_filter(SPAN("From: a\r\nTo: b"), names, 1, false, &out);
	assert_buf(&out, "To: b");
	header_filter(SPAN("junk line\r\nTo: b\r\n\r\nTo: body"), names, 1, true, &out);
	assert_buf(&out, "junk line\r\n\r\n");
	header_filter(SPAN(""), names, 1, true, &out);
	assert_buf(&out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_come_in_order_with_their_folds),
		cmocka_unit_test(lines_that_are_no_field_are_skipped_with_their_folds),
		cmocka_unit_test(a_line_of_blanks_continues_the_field),
		cmocka_unit_test(unfolding_takes_line_ends_only),
		cmocka_unit_test(filter_gives_exact_bytes_and_the_empty_line),
		cmocka_unit_test(filter_adds_no_empty_line_where_none_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
