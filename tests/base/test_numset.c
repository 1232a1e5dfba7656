/* Number sets, against a bitmap that does the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/numset.h"

enum { WORLD = 200 };

static void agrees(const struct numset *s, const bool *model)
{
	uint64_t count = 0;
	uint32_t v, k = 0;
	for (size_t i = 0; i < s->n; i++) {
		assert_true(s->r[i].lo <= s->r[i].hi);
		if (i)
			assert_true(s->r[i].lo > s->r[i - 1].hi + 1);
	}
	struct numset_iter it = numset_iter(s);
	for (uint32_t i = 0; i < WORLD; i++) {
		assert_int_equal(numset_has(s, i), model[i]);
		if (model[i]) {
			assert_true(numset_select(s, count, &k));
			assert_int_equal(k, i);
			assert_true(numset_next(&it, &v));
			assert_int_equal(v, i);
			count++;
		}
		assert_int_equal(numset_rank(s, i), count);
	}
	assert_false(numset_next(&it, &v));
	assert_false(numset_select(s, count, &k));
	assert_int_equal(numset_count(s), count);
}

static void random_set(struct numset *s, bool *model)
{
	memset(model, 0, WORLD * sizeof *model);
	for (long n = random() % 12; n > 0; n--) {
		uint32_t lo = (uint32_t)random() % WORLD;
		uint32_t hi = lo + (uint32_t)random() % 9;
		hi = hi < WORLD ? hi : WORLD - 1;
		numset_add_range(s, random() % 2 ? lo : hi, random() % 2 ? hi : hi);
		numset_add_range(s, hi, lo);
		for (uint32_t i = lo; i <= hi; i++)
			model[i] = true;
	}
}

static void add_and_remove_equal_a_bitmap(void **state)
{
	srandom(1);
	for (int round = 0; round < 300; round++) {
		struct numset s = { 0 };
		bool model[WORLD] = { 0 };
		for (int step = 0; step < 40; step++) {
			uint32_t lo = (uint32_t)random() % WORLD;
			uint32_t hi = lo + (uint32_t)random() % 12;
			hi = hi < WORLD ? hi : WORLD - 1;
			bool add = random() % 5 < 3;
			if (add && random() % 3 == 0)
				numset_add(&s, hi = lo);
			else if (add)
				numset_add_range(&s, lo, hi);
			else
				numset_remove_range(&s, lo, hi);
			for (uint32_t i = lo; i <= hi; i++)
				model[i] = add;
		}
		agrees(&s, model);
		numset_done(&s);
	}
}

static void sums_and_intersections_equal_a_bitmap(void **state)
{
	srandom(2);
	for (int round = 0; round < 1000; round++) {
		struct numset a = { 0 }, b = { 0 }, sum = { 0 }, both = { 0 }, rest = { 0 };
		bool ma[WORLD], mb[WORLD], msum[WORLD], mboth[WORLD], mrest[WORLD];
		random_set(&a, ma);
		random_set(&b, mb);
		numset_copy(&sum, &a);
		numset_copy(&both, &a);
		numset_copy(&rest, &a);
		numset_remove_set(&rest, &b);
		assert_true(numset_equal(&sum, &a));
		numset_add_set(&sum, &b);
		numset_intersect(&both, &b);
		for (int i = 0; i < WORLD; i++) {
			msum[i] = ma[i] || mb[i];
			mboth[i] = ma[i] && mb[i];
			mrest[i] = ma[i] && !mb[i];
		}
		agrees(&sum, msum);
		agrees(&both, mboth);
		agrees(&rest, mrest);
		numset_done(&rest);
		numset_done(&a);
		numset_done(&b);
		numset_done(&sum);
		numset_done(&both);
	}
}

static void a_set_with_itself_stays_as_it_is(void **state)
{
	struct numset s = { 0 }, t = { 0 };
	numset_add_range(&s, 4, 7);
	numset_add(&s, 1);
	numset_copy(&t, &s);
	numset_add_set(&s, &s);
	numset_intersect(&s, &s);
	numset_copy(&s, &s);
	assert_true(numset_equal(&s, &t));
	numset_done(&s);
	numset_done(&t);
}

static void the_ends_of_the_range_do_not_overflow(void **state)
{
	struct numset s = { 0 };
	uint32_t v = 0;
	numset_add(&s, UINT32_MAX);
	numset_add(&s, 0);
	numset_add(&s, UINT32_MAX - 1);
	assert_int_equal(s.n, 2);
	assert_int_equal(numset_max(&s), UINT32_MAX);
	numset_add_range(&s, UINT32_MAX, 0);
	assert_int_equal(s.n, 1);
	assert_true(numset_count(&s) == (uint64_t)UINT32_MAX + 1);
	assert_true(numset_rank(&s, UINT32_MAX) == (uint64_t)UINT32_MAX + 1);
	assert_true(numset_select(&s, UINT32_MAX, &v) && v == UINT32_MAX);
	numset_remove_range(&s, 1, UINT32_MAX - 1);
	assert_int_equal(numset_count(&s), 2);
	struct numset_iter it = numset_iter(&s);
	assert_true(numset_next(&it, &v) && v == 0);
	assert_true(numset_next(&it, &v) && v == UINT32_MAX);
	assert_false(numset_next(&it, &v));
	numset_done(&s);
}

static void print_gives_an_ascending_sequence_set(void **state)
{
	struct numset s = { 0 };
	struct buf b = { 0 };
	numset_print(&s, &b);
	assert_int_equal(b.n, 0);
	numset_add_range(&s, 9, 7);
	numset_add(&s, 3);
	numset_add(&s, 1);
	numset_add(&s, 2);
	numset_add(&s, 5);
	numset_print(&s, &b);
	assert_true(span_eq(buf_span(&b), SPAN("1:3,5,7:9")));
	assert_int_equal(numset_min(&s), 1);
	buf_done(&b);
	numset_done(&s);
	assert_int_equal(numset_min(&s), 0);
	assert_int_equal(numset_max(&s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add_and_remove_equal_a_bitmap),
		cmocka_unit_test(sums_and_intersections_equal_a_bitmap),
		cmocka_unit_test(a_set_with_itself_stays_as_it_is),
		cmocka_unit_test(the_ends_of_the_range_do_not_overflow),
		cmocka_unit_test(print_gives_an_ascending_sequence_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
