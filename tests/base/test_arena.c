/* Arenas: lifetimes, the order of deferred calls, alignment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"

static char order[16];
static size_t order_n;

static void note(void *arg)
{
	order[order_n++] = *(const char *)arg;
	order[order_n] = 0;
}

static int reset(void **state)
{
	order_n = 0;
	order[0] = 0;
	return 0;
}

static void deferred_calls_run_last_first(void **state)
{
	struct arena *a = arena_new(NULL);
	arena_defer(a, note, (void *)(uintptr_t) "1");
	arena_defer(a, note, (void *)(uintptr_t) "2");
	arena_defer(a, note, (void *)(uintptr_t) "3");
	arena_free(a);
	assert_string_equal(order, "321");
}

static void deferred_calls_run_before_the_children_are_freed(void **state)
{
	struct arena *a = arena_new(NULL), *child = arena_new(a);
	arena_defer(child, note, (void *)(uintptr_t) "c");
	arena_defer(a, note, (void *)(uintptr_t) "p");
	arena_free(a);
	assert_string_equal(order, "pc");
}

static void a_child_that_was_freed_is_not_freed_again(void **state)
{
	struct arena *a = arena_new(NULL);
	struct arena *first = arena_new(a), *middle = arena_new(a), *last = arena_new(a);
	arena_defer(middle, note, (void *)(uintptr_t) "m");
	arena_defer(last, note, (void *)(uintptr_t) "l");
	arena_defer(first, note, (void *)(uintptr_t) "f");
	arena_free(middle);
	arena_free(last);
	assert_string_equal(order, "ml");
	arena_free(a);
	assert_string_equal(order, "mlf");
}

struct late {
	struct arena *a;
	char *name;
};

static void defer_more(void *arg)
{
	struct late *l = arg;
	arena_defer(l->a, note, arena_strdup(l->a, l->name));
}

static void a_deferred_call_may_use_the_arena_and_defer(void **state)
{
	struct arena *a = arena_new(NULL);
	struct late *l = ARENA_NEW(a, struct late);
	l->a = a;
	l->name = arena_strdup(a, "x");
	arena_defer(a, note, (void *)(uintptr_t) "y");
	arena_defer(a, defer_more, l);
	arena_free(a);
	assert_string_equal(order, "xy");
}

static void memory_is_zeroed_and_aligned_at_any_size(void **state)
{
	struct arena *a = arena_new(NULL);
	for (size_t n = 0; n < 9000; n = n * 5 / 4 + 1) {
		unsigned char *p = arena_alloc(a, n);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xa5, n);
	}
	memset(arena_alloc(a, 300000), 1, 300000);
	memset(arena_alloc(a, 24), 1, 24);
	arena_free(a);
}

static void allocations_do_not_overlap(void **state)
{
	enum { N = 3000 };
	struct arena *a = arena_new(NULL);
	unsigned **p = arena_array(a, N, sizeof *p);
	for (unsigned i = 0; i < N; i++) {
		p[i] = arena_array(a, 1 + i % 37, sizeof **p);
		for (unsigned k = 0; k < 1 + i % 37; k++)
			p[i][k] = i;
	}
	for (unsigned i = 0; i < N; i++)
		for (unsigned k = 0; k < 1 + i % 37; k++)
			assert_int_equal(p[i][k], i);
	arena_free(a);
}

static void copies_are_followed_by_a_nul(void **state)
{
	struct arena *a = arena_new(NULL);
	struct span s = arena_dup(a, span_of("abcdef", 3));
	assert_int_equal(s.n, 3);
	assert_string_equal(s.p, "abc");
	assert_string_equal(arena_dup(a, SPAN_NONE).p, "");
	assert_string_equal(arena_printf(a, "%s-%d", "x", 7), "x-7");
	arena_free(a);
}

static void bytes_count_the_children_too(void **state)
{
	struct arena *a = arena_new(NULL), *child = arena_new(a);
	size_t before = arena_bytes(a);
	arena_alloc(child, 100000);
	assert_true(arena_bytes(a) >= before + 100000);
	arena_free(child);
	assert_true(arena_bytes(a) < before + 100000);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(deferred_calls_run_last_first, reset),
		cmocka_unit_test_setup(deferred_calls_run_before_the_children_are_freed,
				       reset),
		cmocka_unit_test_setup(a_child_that_was_freed_is_not_freed_again, reset),
		cmocka_unit_test_setup(a_deferred_call_may_use_the_arena_and_defer,
				       reset),
		cmocka_unit_test(memory_is_zeroed_and_aligned_at_any_size),
		cmocka_unit_test(allocations_do_not_overlap),
		cmocka_unit_test(copies_are_followed_by_a_nul),
		cmocka_unit_test(bytes_count_the_children_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
