/* Sort keys (RFC 5256 section 3, RFC 5957 section 3). */
#include "helper.h"

#include "mail/sort_key.h"

static int order(const char *a, const char *b, bool reverse)
{
	const struct comparator *c = comparator_default();
	struct buf x = { 0 }, y = { 0 };
	int r;

	sort_key_text(&x, c, span_str(a), reverse);
	sort_key_text(&y, c, span_str(b), reverse);
	r = span_cmp(buf_span(&x), buf_span(&y));
	buf_done(&x);
	buf_done(&y);
	return r;
}

static int order_numbers(int64_t a, int64_t b, bool reverse)
{
	struct buf x = { 0 }, y = { 0 };
	int r;

	sort_key_number(&x, a, reverse);
	sort_key_number(&y, b, reverse);
	r = span_cmp(buf_span(&x), buf_span(&y));
	buf_done(&x);
	buf_done(&y);
	return r;
}

static void texts_sort_without_regard_to_case(void **state)
{
	assert_int_equal(order("abc", "ABC", false), 0);
	assert_true(order("abc", "abd", false) < 0);
	assert_true(order("", "a", false) < 0);
	assert_true(order("ab", "abc", false) < 0);
	assert_true(order("\xc3\xa9", "\xc3\x89", false) == 0);
}

static void reverse_turns_each_around(void **state)
{
	assert_true(order("abc", "abd", true) > 0);
	assert_true(order("", "a", true) > 0);
	assert_true(order("ab", "abc", true) > 0);
	assert_int_equal(order("x", "X", true), 0);
	assert_true(order_numbers(1, 2, true) > 0);
}

static void numbers_sort_by_value(void **state)
{
	assert_true(order_numbers(-1, 0, false) < 0);
	assert_true(order_numbers(255, 256, false) < 0);
	assert_true(order_numbers(INT64_MIN, INT64_MAX, false) < 0);
}

static void the_shorter_text_ends_before_the_next_criterion(void **state)
{
	const struct comparator *c = comparator_default();
	struct buf x = { 0 }, y = { 0 };

	sort_key_text(&x, c, SPAN("ab"), false);
	sort_key_number(&x, INT64_MAX, false);
	sort_key_text(&y, c, span_of("ab\0c", 4), false);
	sort_key_number(&y, INT64_MIN, false);
	assert_true(span_cmp(buf_span(&x), buf_span(&y)) < 0);
	buf_done(&x);
	buf_done(&y);
}

typedef void text_fn(struct arena *, struct span, struct span, struct buf *);

static void assert_text(text_fn *fn, const char *block, const char *name,
			const char *want)
{
	struct arena *a = arena_new(NULL);
	struct buf out = { 0 };

	fn(a, span_str(block), span_str(name), &out);
	assert_buf(&out, want);
	arena_free(a);
}

static void from_is_the_mailbox_of_the_first_address(void **state)
{
	assert_text(sort_text_mailbox, "From: Zoe <anna@x.org>, b@x.org\r\n\r\n", "From",
		    "anna");
	assert_text(sort_text_mailbox, "From:\r\nFrom: b@x.org\r\n\r\n", "from", "b");
	assert_text(sort_text_mailbox, "To: friends: a@x, b@y;\r\n\r\n", "To", "friends");
	assert_text(sort_text_mailbox, "To: a@x\r\n\r\n", "Cc", "");
}

static void display_is_name_else_address(void **state)
{
	assert_text(sort_text_display, "From: =?utf-8?q?Zo=C3=AB?= <a@x.org>\r\n\r\n",
		    "From", "Zo\xc3\xab");
	assert_text(sort_text_display, "From: a@x.org\r\n\r\n", "From", "a@x.org");
	assert_text(sort_text_display, "From: \"\" <a@x.org>\r\n\r\n", "From", "a@x.org");
	assert_text(sort_text_display, "To: friends: a@x, b@y;\r\n\r\n", "To", "friends");
	assert_text(sort_text_display, "Subject: x\r\n\r\n", "From", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_sort_without_regard_to_case),
		cmocka_unit_test(reverse_turns_each_around),
		cmocka_unit_test(numbers_sort_by_value),
		cmocka_unit_test(the_shorter_text_ends_before_the_next_criterion),
		cmocka_unit_test(from_is_the_mailbox_of_the_first_address),
		cmocka_unit_test(display_is_name_else_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
