/* Dates (RFC 5322 sections 3.3 and 4.3). */
#include "helper.h"

#include "mail/date.h"

static void assert_date(const char *text, int64_t utc, int32_t day)
{
	struct mail_date d;

	if (!date_parse(span_str(text), &d))
		fail_msg("not read: %s", text);
	if (d.utc != utc || d.day != day)
		fail_msg("%s: utc %ld, day %d", text, (long)d.utc, d.day);
}

static void assert_no_date(const char *text)
{
	struct mail_date d;

	if (date_parse(span_str(text), &d))
		fail_msg("read: %s", text);
}

static void days_are_counted_from_1970(void **state)
{
	assert_int_equal(date_days(1970, 1, 1), 0);
	assert_int_equal(date_days(1969, 12, 31), -1);
	assert_int_equal(date_days(2000, 2, 29), 11016);
	assert_int_equal(date_days(2000, 3, 1), 11017);
	assert_int_equal(date_days(1, 1, 1), -719162);
	assert_int_equal(date_days(9999, 12, 31), 2932896);
}

static void examples_of_rfc_5322(void **state)
{
	assert_date(" Fri, 21 Nov 1997 09:55:06 -0600", 880127706, 10186);
	assert_date("Tue, 1 Jul 2003 10:52:37 +0200", 1057049557, 12234);
	assert_date("Thu, 13 Feb 1969 23:32:54 -0330", -27723426, -322);
	assert_date("Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n"
		    "               -0330 (Newfoundland Time)",
		    -27723480, -322);
	assert_date("21 Nov 97 09:55:06 GMT", 880106106, 10186);
}

static void the_day_is_the_one_written(void **state)
{
	/* RFC 9051 section 6.4.4: disregarding time and timezone */
	assert_date("1 Jan 2020 00:30:00 +1200", 1577795400, 18262);
	assert_date("31 Dec 2019 23:30:00 -1200", 1577878200, 18261);
}

static void two_and_three_digit_years_are_of_section_4_3(void **state)
{
	assert_date("1 Jan 49 00:00 +0000", 2493072000, 28855);
	assert_date("1 Jan 50 00:00 +0000", -631152000, -7305);
	assert_date("1 Jan 103 00:00 +0000", 1041379200, 12053);
}

static void named_zones_are_known_and_others_are_utc(void **state)
{
	assert_date("1 Jan 2001 00:00:00 EST", 978325200, 11323);
	assert_date("1 Jan 2001 00:00:00 PDT", 978332400, 11323);
	assert_date("1 Jan 2001 00:00:00 ZULU", 978307200, 11323);
	assert_date("1 Jan 2001 00:00:00", 978307200, 11323);
	assert_date("1 Jan 2001 00:00:00 -0000", 978307200, 11323);
}

static void broken_forms_that_mail_has_are_read(void **state)
{
	assert_date("Mon Jan  1 00:00:00 2001", 978307200, 11323);
	assert_date("Mon Jan  1 00:00:00 EST 2001", 978325200, 11323);
	assert_date("1-Jan-2001 00:00:00 +0000", 978307200, 11323);
	assert_date("2001-01-01 00:00:00 +0000", 978307200, 11323);
	assert_date("2001-01-01T00:00:00Z", 978307200, 11323);
	assert_date("Montag, 1 January 2001 00.00.00 +0000", 978307200, 11323);
	assert_date("Tue, 1 Jan 2001 0:0:0 GMT", 978307200, 11323);
	assert_date("Mon, 1 Jan 2001 00:00:00 +01:00", 978303600, 11323);
	assert_date("1 Jan 2001", 978307200, 11323);
	assert_date("Wed 29 May 2019 06:09:22 PM EDT", 1559167762, 18045);
	assert_date("1 Jan 2001 12:00:00 AM", 978307200, 11323);
	assert_date("31 Dec 2016 23:59:60 +0000", 1483228800, 17166);
}

static void nonsense_is_no_date(void **state)
{
	assert_no_date("");
	assert_no_date("today");
	assert_no_date("30 Feb 2001 00:00:00 +0000");
	assert_no_date("32 Jan 2001 00:00:00 +0000");
	assert_no_date("0 Jan 2001 00:00:00 +0000");
	assert_no_date("1 Jan 0000 00:00:00 +0000");
	assert_no_date("1 Jan 2001 25:00:00 +0000");
	assert_no_date("1 Jan 2001 00:61:00 +0000");
	assert_no_date("Mon, 1 Xxx 2001 00:00:00 +0000");
	assert_no_date("99999999999999999999 Jan 2001");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_are_counted_from_1970),
		cmocka_unit_test(examples_of_rfc_5322),
		cmocka_unit_test(the_day_is_the_one_written),
		cmocka_unit_test(two_and_three_digit_years_are_of_section_4_3),
		cmocka_unit_test(named_zones_are_known_and_others_are_utc),
		cmocka_unit_test(broken_forms_that_mail_has_are_read),
		cmocka_unit_test(nonsense_is_no_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
