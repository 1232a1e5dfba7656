/* STATUS items (RFC 9051 sections 6.3.11 and 7.3.4). */
#include "reader.h"
#include "wire/status.h"

static void items_are_bits(void **state)
{
	struct cursor c = on("(UIDNEXT messages Recent)");
	struct buf b = { 0 };

	assert_int_equal(cursor_status_items(&c, STATUS_BASE),
			 STATUS_UIDNEXT | STATUS_MESSAGES | STATUS_RECENT);
	assert_true(cursor_rest_empty(&c));
	emit_status_items(&b, STATUS_UIDNEXT | STATUS_MESSAGES | STATUS_DELETED_STORAGE);
	assert_string_equal(text_of(&b), "(MESSAGES UIDNEXT DELETED-STORAGE)");
}

static void unknown_items_are_bad(void **state)
{
	static const char *const bad[] = { "()", "(FOO)", "(HIGHESTMODSEQ)", "MESSAGES",
					   "(MESSAGES" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct cursor c = on(bad[i]);

		assert_int_equal(cursor_status_items(&c, STATUS_BASE), 0);
		assert_true(c.bad);
	}
}

static void values_survive_the_round_trip(void **state)
{
	static const char all[] =
	    "(MESSAGES 231 UIDNEXT 44292 UIDVALIDITY 1 UNSEEN 2 DELETED 3 SIZE "
	    "9223372036854775807 "
	    "RECENT 4 HIGHESTMODSEQ 5 MAILBOXID (F1) APPENDLIMIT NIL DELETED-STORAGE 6)";
	struct cursor c = on(all);
	struct status_values v;
	struct buf b = { 0 };

	assert_true(cursor_status_values(&c, &v));
	assert_int_equal(v.messages, 231);
	assert_true(v.size == INT64_MAX);
	assert_true(v.appendlimit_nil);
	emit_status_response(&b, (struct emit_mode){ 0 }, SPAN("a b"), &v);
	assert_string_equal(text_of(&b),
			    arena_printf(arena, "* STATUS \"a b\" %s\r\n", all));
}

static void unknown_values_are_passed_over(void **state)
{
	struct cursor c = on("(X-NEW (1 2) MESSAGES 3 X-OTHER 7 )");
	struct status_values v;

	assert_true(cursor_status_values(&c, &v));
	assert_int_equal(v.items, STATUS_MESSAGES);
	assert_true(cursor_rest_empty(&c));
	c = on("()");
	assert_true(cursor_status_values(&c, &v));
	assert_int_equal(v.items, 0);
	c = on("(MESSAGES)");
	assert_false(cursor_status_values(&c, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_are_bits),
		cmocka_unit_test(unknown_items_are_bad),
		cmocka_unit_test(values_survive_the_round_trip),
		cmocka_unit_test(unknown_values_are_passed_over),
	};
	return RUN(tests);
}
