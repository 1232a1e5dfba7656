/* The set of users. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "tools/act_set.h"

static void a_name_is_found_as_often_as_it_is_asked_for_and_kept_once(void **state)
{
	struct act_set s = { 0 };
	char name[16];
	bool is_new;

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 5000; i++) {
			snprintf(name, sizeof name, "user%d", i);
			act_set_add(&s, span_str(name), &is_new);
			assert_true(is_new == (round == 0));
		}
	assert_int_equal(s.n, 5000);
	assert_string_equal(s.v[4999].name, "user4999");
	assert_ptr_equal(act_set_find(&s, SPAN("user17")), &s.v[17]);
	assert_null(act_set_find(&s, SPAN("user5000")));
	act_set_done(&s);
}

static void nothing_is_in_an_empty_set(void **state)
{
	struct act_set s = { 0 };

	assert_null(act_set_find(&s, SPAN("x")));
	act_set_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_name_is_found_as_often_as_it_is_asked_for_and_kept_once),
		cmocka_unit_test(nothing_is_in_an_empty_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
