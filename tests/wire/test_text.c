/* Names of conditions and codes. */
#include "reader.h"
#include "wire/text.h"

static void every_code_has_its_name(void **state)
{
	for (int c = CODE_ALERT; c < CODE_COUNT; c++) {
		assert_true(strlen(code_name((enum code)c)) > 0);
		assert_int_equal(code_of(span_str(code_name((enum code)c))), c);
	}
	assert_int_equal(code_of(SPAN("read-only")), CODE_READ_ONLY);
	assert_int_equal(code_of(SPAN("X-NEW")), CODE_OTHER);
	assert_int_equal(code_of(SPAN("")), CODE_NONE);
	assert_string_equal(code_name(CODE_OTHER), "");
}

static void every_condition_has_its_name(void **state)
{
	for (int c = COND_OK; c <= COND_PREAUTH; c++)
		assert_int_equal(cond_of(span_str(cond_name((enum cond)c))), c);
	assert_int_equal(cond_of(SPAN("preauth")), COND_PREAUTH);
	assert_int_equal(cond_of(SPAN("OKAY")), COND_NONE);
	assert_int_equal(cond_of(SPAN("")), COND_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_its_name),
		cmocka_unit_test(every_condition_has_its_name),
	};
	return RUN(tests);
}
