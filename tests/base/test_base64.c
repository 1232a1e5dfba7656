/* Base64: the vectors of RFC 4648 section 10, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base64.h"

static void the_vectors_of_rfc_4648_hold_both_ways(void **state)
{
	static const char *const v[][2] = { { "", "" },
					    { "f", "Zg==" },
					    { "fo", "Zm8=" },
					    { "foo", "Zm9v" },
					    { "foob", "Zm9vYg==" },
					    { "fooba", "Zm9vYmE=" },
					    { "foobar", "Zm9vYmFy" } };
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct buf b = { 0 };
		base64_encode(span_str(v[i][0]), &b);
		assert_true(span_eq(buf_span(&b), span_str(v[i][1])));
		buf_clear(&b);
		assert_int_equal(base64_decode(span_str(v[i][1]), &b), ERR_OK);
		assert_true(span_eq(buf_span(&b), span_str(v[i][0])));
		buf_done(&b);
	}
}

static void every_byte_survives(void **state)
{
	unsigned char all[257];
	struct buf b = { 0 }, c = { 0 };
	for (unsigned i = 0; i < sizeof all; i++)
		all[i] = (unsigned char)i;
	base64_encode(span_of(all, sizeof all), &b);
	assert_int_equal(base64_decode(buf_span(&b), &c), ERR_OK);
	assert_true(span_eq(buf_span(&c), span_of(all, sizeof all)));
	buf_done(&b);
	buf_done(&c);
}

static void what_is_not_well_formed_is_refused_and_leaves_nothing(void **state)
{
	static const char *const bad[] = {
		"Z",	    "Zg",   "Zg=",   "Zg===",	 "=",	      "====",
		"Zh==",	    "Zm9=", "Zm 9v", "Zm9v\r\n", "Zg==Zg==",  "Zm9vZ===",
		"Zm9v====", "Z-9_", "Z=9v",  "Zm=v",	 "\xc3\xa9zz"
	};
	struct buf b = { 0 };
	buf_puts(&b, "kept");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(base64_decode(span_str(bad[i]), &b), ERR_INVAL);
		assert_true(span_eq(buf_span(&b), SPAN("kept")));
	}
	assert_int_equal(base64_decode(span_of("Zg\0=", 4), &b), ERR_INVAL);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_rfc_4648_hold_both_ways),
		cmocka_unit_test(every_byte_survives),
		cmocka_unit_test(what_is_not_well_formed_is_refused_and_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
