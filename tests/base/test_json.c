/* JSON output: commas, escapes (RFC 8259 section 7), UTF-8 (RFC 3629). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/json.h"

static void check(struct buf *b, const char *want)
{
	buf_putc(b, 0);
	assert_string_equal(buf_span(b).p, want);
	buf_done(b);
}

static void commas_stand_between_members_at_every_depth(void **state)
{
	struct buf b = { 0 };
	struct json j;
	json_init(&j, &b);
	json_open(&j, NULL, '{');
	json_num(&j, "a", -1);
	json_open(&j, "b", '[');
	json_bool(&j, NULL, true);
	json_open(&j, NULL, '{');
	json_close(&j, '}');
	json_null(&j, NULL);
	json_close(&j, ']');
	json_real(&j, "c", 1.5, 2);
	json_str(&j, "d", SPAN("x"));
	json_close(&j, '}');
	check(&b, "{\"a\":-1,\"b\":[true,{},null],\"c\":1.50,\"d\":\"x\"}");
}

static void the_ends_of_the_number_range_are_printed(void **state)
{
	struct buf b = { 0 };
	struct json j;
	json_init(&j, &b);
	json_open(&j, NULL, '[');
	json_num(&j, NULL, INT64_MIN);
	json_num(&j, NULL, INT64_MAX);
	json_real(&j, NULL, (double)NAN, 1);
	json_real(&j, NULL, -0.25, 3);
	json_close(&j, ']');
	check(&b, "[-9223372036854775808,9223372036854775807,null,-0.250]");
}

static void string_is(struct span s, const char *want)
{
	struct buf b = { 0 };
	struct json j;
	json_init(&j, &b);
	json_str(&j, NULL, s);
	check(&b, want);
}

static void control_characters_and_quotes_are_escaped(void **state)
{
	string_is(span_of("\"\\/\b\f\n\r\t\0\x1f\x7f", 11),
		  "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f\"");
}

static void good_utf8_passes_unchanged(void **state)
{
	string_is(SPAN("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
		  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void bad_utf8_becomes_replacement_characters(void **state)
{
	string_is(SPAN("a\xff"), "\"a\xef\xbf\xbd\"");
	string_is(SPAN("\xc3"), "\"\xef\xbf\xbd\"");
	string_is(SPAN("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	string_is(SPAN("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	string_is(SPAN("\xe2\x82z"), "\"\xef\xbf\xbd\xef\xbf\xbdz\"");
	string_is(SPAN("\xf4\x90\x80\x80"),
		  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commas_stand_between_members_at_every_depth),
		cmocka_unit_test(the_ends_of_the_number_range_are_printed),
		cmocka_unit_test(control_characters_and_quotes_are_escaped),
		cmocka_unit_test(good_utf8_passes_unchanged),
		cmocka_unit_test(bad_utf8_becomes_replacement_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
