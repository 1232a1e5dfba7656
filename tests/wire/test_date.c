/* date and date-time (RFC 9051 section 9). */
#include "reader.h"
#include "wire/date.h"

static void days_and_civil_dates_agree(void **state)
{
	int y, m, d;

	assert_int_equal(wire_days(1970, 1, 1), 0);
	assert_int_equal(wire_days(2000, 3, 1), 11017);
	assert_int_equal(wire_days(1969, 12, 31), -1);
	for (int32_t day = -800000; day < 3000000; day += 7) {
		wire_civil(day, &y, &m, &d);
		assert_int_equal(wire_days(y, m, d), day);
	}
	for (int32_t day = 11000; day < 12500; day++) {
		wire_civil(day, &y, &m, &d);
		assert_int_equal(wire_days(y, m, d), day);
	}
}

static void dates_come_with_quotes_or_without(void **state)
{
	static const char *const good[] = { "1-Feb-1994", "\"1-Feb-1994\"",
					    "01-fEB-1994" };

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct cursor c = on(good[i]);

		assert_int_equal(cursor_date(&c), wire_days(1994, 2, 1));
		assert_true(cursor_rest_empty(&c));
	}
}

static void days_that_do_not_exist_are_bad(void **state)
{
	static const char *const bad[] = { "0-Jan-2000",
					   "32-Jan-2000",
					   "29-Feb-2023",
					   "31-Apr-2000",
					   "29-Feb-1900",
					   "1-Foo-2000",
					   "1-Jan-200",
					   "1-Jan-20000",
					   "1 Jan 2000",
					   "\"1-Jan-2000",
					   "1-Jan-2000\"",
					   " 1-Jan-2000",
					   "001-Jan-2000",
					   "-Jan-2000",
					   "1-Ja",
					   "1-January-2000",
					   "" };
	struct cursor c = on("29-Feb-2000");

	assert_int_equal(cursor_date(&c), wire_days(2000, 2, 29));
	assert_false(c.bad);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		c = on(bad[i]);
		cursor_date(&c);
		assert_false(cursor_rest_empty(&c));
	}
}

static void date_times_have_a_zone(void **state)
{
	struct cursor c = on("\"17-Jul-1996 02:44:25 -0700\"");
	struct wire_time t = cursor_date_time(&c);

	assert_true(cursor_rest_empty(&c));
	assert_int_equal(t.utc, 837596665);
	assert_int_equal(t.zone_minutes, -420);
	c = on("\" 1-Jan-1970 00:00:00 +0000\"");
	t = cursor_date_time(&c);
	assert_int_equal(t.utc, 0);
	assert_true(cursor_rest_empty(&c));
}

/* Not of the grammar, but sent by imapflow and others. */
static void a_day_of_one_digit_needs_no_space(void **state)
{
	struct cursor c = on("\"1-Jan-1970 00:00:00 +0000\"");
	struct wire_time t = cursor_date_time(&c);

	assert_int_equal(t.utc, 0);
	assert_true(cursor_rest_empty(&c));
}

static void malformed_date_times_are_bad(void **state)
{
	static const char *const bad[] = {
		"\"17-Jul-96 00:00:00 +0000\"",	   "\" 1-Jan-1970 24:00:00 +0000\"",
		"\" 1-Jan-1970 00:60:00 +0000\"",  "\" 1-Jan-1970 00:00:61 +0000\"",
		"\" 1-Jan-1970 00:00:00 +0060\"",  "\" 1-Jan-1970 00:00:00 0000\"",
		"\" 1-Jan-1970 00:00:00\"",	   "\" 1-Jan-1970 00:00 +0000\"",
		"\"31-Jun-1970 00:00:00 +0000\"",  "\" 1-Jan-1970 00:00:00 +000\"",
		"\" 1-Jan-1970 00:00:00 +00000\"", " 1-Jan-1970 00:00:00 +0000",
		"\" 1-Jan-1970 00:00:00 +0000",	   "\"",
		"\" 1-Jan-1970  0:00:00 +0000\"",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct cursor c = on(bad[i]);

		cursor_date_time(&c);
		assert_false(cursor_rest_empty(&c));
		assert_non_null(c.why);
	}
}

static void what_is_read_is_emitted(void **state)
{
	static const char *const good[] = {
		"\" 1-Jan-1970 00:00:00 +0000\"", "\"17-Jul-1996 02:44:25 -0700\"",
		"\"31-Dec-9999 23:59:59 -9959\"", "\" 1-Jan-0000 00:00:00 +9959\"",
		"\"29-Feb-2024 12:30:00 +0530\"", "\"31-Dec-1969 23:59:59 +0000\""
	};
	struct buf b = { 0 };

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct cursor c = on(good[i]);

		emit_date_time(&b, cursor_date_time(&c));
		assert_string_equal(text_of(&b), good[i]);
	}
	emit_date(&b, wire_days(2024, 2, 29));
	assert_string_equal(text_of(&b), "29-Feb-2024");
	emit_date(&b, INT32_MAX);
	assert_string_equal(text_of(&b), "31-Dec-9999");
	emit_date(&b, INT32_MIN);
	assert_string_equal(text_of(&b), "1-Jan-0000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_and_civil_dates_agree),
		cmocka_unit_test(dates_come_with_quotes_or_without),
		cmocka_unit_test(days_that_do_not_exist_are_bad),
		cmocka_unit_test(date_times_have_a_zone),
		cmocka_unit_test(a_day_of_one_digit_needs_no_space),
		cmocka_unit_test(malformed_date_times_are_bad),
		cmocka_unit_test(what_is_read_is_emitted),
	};
	return RUN(tests);
}
