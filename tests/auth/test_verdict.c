/* The verdict cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/verdict.h"

static struct verdict_key key(const char *who, const char *hash, const char *secret)
{
	return (struct verdict_key){ span_str(who), span_str(hash), span_str(secret) };
}

static void only_what_was_put_is_known(void **state)
{
	struct verdicts *v = verdicts_new(64, 1000);
	struct verdict_key k = key("bob", "$h", "secret"), other[] = {
		key("ann", "$h", "secret"), key("bob", "$h", "secreT"),
		key("bob", "$i", "secret"), key("bob", "$hs", "ecret"),
		key("bo", "b$h", "secret"), key("bob", "$h", ""),
	};
	assert_false(verdicts_has(v, &k, 5));
	verdicts_put(v, &k, 5);
	assert_true(verdicts_has(v, &k, 5));
	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
		assert_false(verdicts_has(v, &other[i], 5));
	verdicts_free(v);
}

static void memory_ends_after_its_time_even_when_used(void **state)
{
	struct verdicts *v = verdicts_new(64, 1000);
	struct verdict_key k = key("bob", "$h", "secret");
	verdicts_put(v, &k, 5);
	assert_true(verdicts_has(v, &k, 1004));
	assert_false(verdicts_has(v, &k, 1005));
	verdicts_free(v);
}

static void zero_never_remembers(void **state)
{
	struct verdicts *v = verdicts_new(64, 0);
	struct verdict_key k = key("bob", "$h", "secret");
	verdicts_put(v, &k, 5);
	assert_false(verdicts_has(v, &k, 5));
	verdicts_free(v);
}

static void clear_forgets_all(void **state)
{
	struct verdicts *v = verdicts_new(64, 1000);
	struct verdict_key k = key("bob", "$h", "secret");
	verdicts_put(v, &k, 5);
	verdicts_clear(v);
	assert_false(verdicts_has(v, &k, 6));
	verdicts_free(v);
}

static void the_oldest_goes_when_it_is_full(void **state)
{
	struct verdicts *v = verdicts_new(1, 1000); /* one set of four */
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	for (uint64_t i = 0; i < 5; i++) {
		struct verdict_key k = key(names[i], "$h", "s");
		verdicts_put(v, &k, 10 + i);
	}
	for (uint64_t i = 0; i < 5; i++) {
		struct verdict_key k = key(names[i], "$h", "s");
		assert_int_equal(verdicts_has(v, &k, 20), i > 0);
	}
	verdicts_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_was_put_is_known),
		cmocka_unit_test(memory_ends_after_its_time_even_when_used),
		cmocka_unit_test(zero_never_remembers),
		cmocka_unit_test(clear_forgets_all),
		cmocka_unit_test(the_oldest_goes_when_it_is_full),
	};
	return cmocka_run_group_tests_name("auth/verdict", tests, NULL, NULL);
}
