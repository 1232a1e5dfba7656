/* Buffers, against a plain array that does the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/buf.h"

static void check(const struct buf *b, const char *want)
{
	assert_int_equal(b->n, strlen(want));
	assert_memory_equal(b->n ? buf_span(b).p : "", want, b->n);
}

static void puts_and_takes_keep_the_order(void **state)
{
	struct buf b = { 0 };
	buf_puts(&b, "abc");
	buf_putc(&b, 'd');
	buf_take(&b, 2);
	buf_put(&b, SPAN("ef"));
	check(&b, "cdef");
	buf_take(&b, 4);
	check(&b, "");
	buf_done(&b);
}

static void numbers_and_formats_are_appended(void **state)
{
	struct buf b = { 0 };
	buf_put_u64(&b, 0);
	buf_putc(&b, ' ');
	buf_put_u64(&b, UINT64_MAX);
	buf_printf(&b, " %s=%d", "x", -5);
	check(&b, "0 18446744073709551615 x=-5");
	buf_done(&b);
}

static void truncate_cuts_at_the_end(void **state)
{
	struct buf b = { 0 };
	buf_puts(&b, "abcdef");
	buf_take(&b, 1);
	buf_truncate(&b, 2);
	check(&b, "bc");
	buf_done(&b);
}

static void clear_wipes_what_was_there(void **state)
{
	struct buf b = { 0 };
	buf_puts(&b, "secret");
	buf_take(&b, 3);
	buf_clear(&b);
	assert_int_equal(b.n, 0);
	for (size_t i = 0; i < b.cap; i++)
		assert_int_equal(b.p[i], 0);
	buf_done(&b);
}

static void shrink_gives_back_only_empty_and_large_memory(void **state)
{
	struct buf b = { 0 };
	buf_put(&b, span_of((char[1000]){ 0 }, 1000));
	buf_shrink(&b, 10);
	assert_int_equal(b.n, 1000);
	buf_take(&b, 1000);
	buf_shrink(&b, 100000);
	assert_non_null(b.p);
	buf_shrink(&b, 10);
	assert_null(b.p);
	buf_puts(&b, "again");
	check(&b, "again");
	buf_done(&b);
}

static void random_work_equals_a_plain_array(void **state)
{
	static char model[1 << 20];
	size_t from = 0, to = 0;
	struct buf b = { 0 };
	srandom(7);
	for (int i = 0; i < 20000; i++) {
		size_t n = (size_t)random() % 60;
		if (random() % 2 && to + n < sizeof model) {
			for (size_t k = 0; k < n; k++)
				model[to + k] = (char)random();
			buf_put(&b, span_of(model + to, n));
			to += n;
		} else {
			n = n > to - from ? to - from : n;
			buf_take(&b, n);
			from += n;
		}
		assert_int_equal(b.n, to - from);
		if (b.n)
			assert_memory_equal(b.p + b.off, model + from, b.n);
	}
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_and_takes_keep_the_order),
		cmocka_unit_test(numbers_and_formats_are_appended),
		cmocka_unit_test(truncate_cuts_at_the_end),
		cmocka_unit_test(clear_wipes_what_was_there),
		cmocka_unit_test(shrink_gives_back_only_empty_and_large_memory),
		cmocka_unit_test(random_work_equals_a_plain_array),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
