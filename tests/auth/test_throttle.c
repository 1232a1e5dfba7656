/* Failed logins by address, and slots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/throttle.h"

static const struct throttle_config config = {
	.free = 2, .first_ms = 100, .most_ms = 1000, .forget_ms = 60000, .max = 4
};

static const struct span v4 = SPAN_INIT("\xc0\x00\x02\x01");

static void delay_grows_to_its_limit_with_each_failure(void **state)
{
	struct throttle *t = throttle_new(&config);
	static const uint64_t want[] = { 0, 0, 100, 200, 400, 800, 1000, 1000 };
	assert_int_equal(throttle_delay_ms(t, v4, 1), 0);
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
		assert_int_equal(throttle_failed(t, v4, 1 + i), want[i]);
	assert_int_equal(throttle_delay_ms(t, v4, 5000), 1000);
	throttle_free(t);
}

static void parallel_tries_stand_in_line(void **state)
{
	struct throttle *t = throttle_new(&config);
	for (int i = 0; i < 3; i++)
		throttle_failed(t, v4, 1);
	assert_int_equal(throttle_delay_ms(t, v4, 1000), 100);
	assert_int_equal(throttle_delay_ms(t, v4, 1000), 200);
	assert_int_equal(throttle_delay_ms(t, v4, 1050), 250);
	throttle_free(t);
}

static void failures_are_forgotten_with_time(void **state)
{
	struct throttle *t = throttle_new(&config);
	for (int i = 0; i < 4; i++)
		throttle_failed(t, v4, 1);
	assert_int_equal(throttle_delay_ms(t, v4, 60001), 100);
	assert_int_equal(throttle_delay_ms(t, v4, 120001), 0);
	throttle_free(t);
}

static void addresses_do_not_pay_for_each_other(void **state)
{
	struct throttle *t = throttle_new(&config);
	for (int i = 0; i < 6; i++)
		throttle_failed_text(t, "2001:db8:0:1::7", 1);
	assert_true(throttle_delay_text_ms(t, "2001:db8:0:1:ffff::8%eth0", 2) > 0);
	assert_int_equal(throttle_delay_text_ms(t, "2001:db8:0:2::7", 2), 0);
	assert_int_equal(throttle_delay_text_ms(t, "192.0.2.1", 2), 0);
	for (int i = 0; i < 6; i++)
		throttle_failed(t, v4, 1);
	assert_true(throttle_delay_text_ms(t, "::ffff:192.0.2.1", 2) > 0);
	assert_int_equal(throttle_failed_text(t, "nonsense", 2), 0);
	throttle_free(t);
}

static void table_is_bounded_and_the_oldest_goes(void **state)
{
	struct throttle *t = throttle_new(&config);
	char b[4] = { 10, 0, 0, 0 };
	for (char i = 0; i < 5; i++) {
		b[3] = i;
		for (int k = 0; k < 3; k++)
			throttle_failed(t, span_of(b, 4), 1);
	}
	for (char i = 0; i < 5; i++) {
		b[3] = i;
		assert_int_equal(throttle_delay_ms(t, span_of(b, 4), 2) > 0, i > 0);
	}
	throttle_free(t);
}

static void slots_are_limited_by_key(void **state)
{
	struct slots *s = slots_new(2);
	assert_true(slots_acquire(s, SPAN("bob")));
	assert_true(slots_acquire(s, SPAN("bob")));
	assert_false(slots_acquire(s, SPAN("bob")));
	assert_true(slots_acquire(s, SPAN("ann")));
	slots_release(s, SPAN("bob"));
	assert_int_equal(slots_count(s, SPAN("bob")), 1);
	assert_true(slots_acquire(s, SPAN("bob")));
	slots_release(s, SPAN("nobody"));
	assert_int_equal(slots_count(s, SPAN("nobody")), 0);
	slots_free(s);
}

static void slots_without_limit_still_count(void **state)
{
	struct slots *s = slots_new(0);
	char key[4];
	for (int i = 0; i < 1000; i++) {
		memcpy(key, &i, 4);
		assert_true(slots_acquire(s, span_of(key, 4)));
		assert_true(slots_acquire(s, span_of(key, 4)));
	}
	for (int i = 0; i < 1000; i++) {
		memcpy(key, &i, 4);
		slots_release(s, span_of(key, 4));
		assert_int_equal(slots_count(s, span_of(key, 4)), 1);
		slots_release(s, span_of(key, 4));
		assert_int_equal(slots_count(s, span_of(key, 4)), 0);
	}
	slots_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delay_grows_to_its_limit_with_each_failure),
		cmocka_unit_test(parallel_tries_stand_in_line),
		cmocka_unit_test(failures_are_forgotten_with_time),
		cmocka_unit_test(addresses_do_not_pay_for_each_other),
		cmocka_unit_test(table_is_bounded_and_the_oldest_goes),
		cmocka_unit_test(slots_are_limited_by_key),
		cmocka_unit_test(slots_without_limit_still_count),
	};
	return cmocka_run_group_tests_name("auth/throttle", tests, NULL, NULL);
}
