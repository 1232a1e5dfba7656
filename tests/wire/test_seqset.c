/* Sequence sets (RFC 9051 section 9, RFC 5182). */
#include "reader.h"
#include "wire/seqset.h"

static const char *resolved(const char *text, uint32_t last)
{
	struct cursor c = on(text);
	struct seqset s;
	struct numset n = { 0 };
	struct buf b = { 0 };

	assert_true(cursor_sequence_set(&c, &s));
	assert_true(cursor_rest_empty(&c));
	seqset_resolve(&s, last, &n);
	numset_print(&n, &b);
	numset_done(&n);
	return text_of(&b);
}

static void the_examples_of_the_rfc_hold(void **state)
{
	assert_string_equal(resolved("2,4:7,9,12:*", 15), "2,4:7,9,12:15");
	assert_string_equal(resolved("*:4,5:7", 10), "4:10");
	assert_string_equal(resolved("3291:*", 100), "100:3291");
}

static void reversed_range_is_the_same_set(void **state)
{
	assert_string_equal(resolved("4:2", 9), resolved("2:4", 9));
	assert_string_equal(resolved("9,8,7,1,1:2", 9), "1:2,7:9");
}

static void a_star_of_nothing_adds_nothing(void **state)
{
	assert_string_equal(resolved("*", 0), "");
	assert_string_equal(resolved("3,1:*", 0), "3");
	assert_string_equal(resolved("*", 7), "7");
	assert_string_equal(resolved("*:*", 7), "7");
}

static void numbers_over_the_last_are_the_callers(void **state)
{
	struct cursor c = on("1,4294967295:3,*");
	struct seqset s;

	assert_string_equal(resolved("1:4294967295", 5), "1:4294967295");
	assert_true(cursor_sequence_set(&c, &s));
	assert_true(seqset_max(&s) == UINT32_MAX);
	assert_true(seqset_has_star(&s));
}

static void the_saved_result_stands_alone(void **state)
{
	struct cursor c = on("$");
	struct seqset s;
	struct buf b = { 0 };

	assert_true(cursor_is_sequence_set(&c));
	assert_true(cursor_sequence_set(&c, &s));
	assert_true(s.saved);
	assert_int_equal(s.n, 0);
	emit_sequence_set(&b, &s);
	assert_string_equal(text_of(&b), "$");
	c = on("$Junk");
	assert_false(cursor_is_sequence_set(&c));
	c = on("$,1");
	assert_true(cursor_sequence_set(&c, &s));
	assert_false(cursor_rest_empty(&c));
}

static void malformed_sets_are_bad(void **state)
{
	static const char *const bad[] = { "",	   "0",		 "1:0", "1,", ",1",
					   "1::2", "1:2:3",	 "a",	"01", "1,,2",
					   "**",   "4294967296", "1:",	"-1", ":",
					   "1,$",  "1-2",	 "1 ,2" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct cursor c = on(bad[i]);
		struct seqset s;

		cursor_sequence_set(&c, &s);
		assert_false(cursor_rest_empty(&c));
	}
}

static void it_is_emitted_as_written(void **state)
{
	struct cursor c = on("5:2,*,1,*:7,3:3");
	struct seqset s, again;
	struct buf b = { 0 };

	assert_true(cursor_sequence_set(&c, &s));
	emit_sequence_set(&b, &s);
	c = on(text_of(&b));
	assert_span(c.in, "5:2,*,1,*:7,3");
	assert_true(cursor_sequence_set(&c, &again));
	assert_true(seqset_equal(&s, &again));
}

static void the_number_of_ranges_is_limited(void **state)
{
	struct buf b = { 0 };
	struct cursor c;
	struct seqset s;

	for (int i = 0; i < WIRE_RANGES_MAX; i++)
		buf_printf(&b, "%s%d", i ? "," : "", WIRE_RANGES_MAX * 2 - i * 2);
	c = cursor_of(buf_span(&b), false, arena);
	assert_true(cursor_sequence_set(&c, &s));
	assert_int_equal(s.n, WIRE_RANGES_MAX);
	buf_puts(&b, ",1");
	c = cursor_of(buf_span(&b), false, arena);
	assert_false(cursor_sequence_set(&c, &s));
	assert_string_equal(c.why, "a sequence set has too many ranges");
	buf_done(&b);
}

static void uid_sets_have_neither_star_nor_dollar(void **state)
{
	struct numset n = { 0 };
	struct cursor c = on("304,319:320");

	assert_true(cursor_uid_set(&c, &n));
	assert_int_equal(numset_count(&n), 3);
	c = on("1:*");
	assert_false(cursor_uid_set(&c, &n));
	c = on("$");
	assert_false(cursor_uid_set(&c, &n));
	numset_done(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_the_rfc_hold),
		cmocka_unit_test(reversed_range_is_the_same_set),
		cmocka_unit_test(a_star_of_nothing_adds_nothing),
		cmocka_unit_test(numbers_over_the_last_are_the_callers),
		cmocka_unit_test(the_saved_result_stands_alone),
		cmocka_unit_test(malformed_sets_are_bad),
		cmocka_unit_test(it_is_emitted_as_written),
		cmocka_unit_test(the_number_of_ranges_is_limited),
		cmocka_unit_test(uid_sets_have_neither_star_nor_dollar),
	};
	return RUN(tests);
}
