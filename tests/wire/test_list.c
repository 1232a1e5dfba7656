/* LIST and LSUB (RFC 9051 sections 6.3.9 and 7.3.1, RFC 5258, 5819, 6154). */
#include "reader.h"
#include "wire/list.h"

static const struct emit_mode plain = { 0 };

static bool parse(const char *text, struct list_args *a)
{
	struct cursor c = on(arena_printf(arena, "%s\r\n", text));

	return cursor_list_args(&c, STATUS_BASE, a) && cursor_end(&c);
}

static void the_old_form_is_not_extended(void **state)
{
	struct list_args a;

	assert_true(parse(" \"\" %", &a));
	assert_false(a.is_extended);
	assert_int_equal(a.reference.n, 0);
	assert_int_equal(a.n_patterns, 1);
	assert_span(a.patterns[0], "%");
	assert_true(parse(" ~/Mail/ \"\"", &a));
	assert_span(a.reference, "~/Mail/");
	assert_int_equal(a.patterns[0].n, 0);
}

static void options_are_bits(void **state)
{
	struct list_args a;

	assert_true(
	    parse(" (SUBSCRIBED RECURSIVEMATCH remote) \"\" (a b*) RETURN (CHILDREN "
		  "STATUS (MESSAGES UNSEEN) SPECIAL-USE)",
		  &a));
	assert_true(a.is_extended);
	assert_int_equal(a.select, LIST_SELECT_SUBSCRIBED | LIST_SELECT_RECURSIVEMATCH |
				       LIST_SELECT_REMOTE);
	assert_int_equal(a.returns, LIST_RETURN_CHILDREN | LIST_RETURN_STATUS |
					LIST_RETURN_SPECIAL_USE);
	assert_int_equal(a.status, STATUS_MESSAGES | STATUS_UNSEEN);
	assert_int_equal(a.n_patterns, 2);
	assert_true(parse(" () \"\" * RETURN ()", &a));
	assert_true(a.is_extended);
}

static void unknown_options_are_left_to_the_caller(void **state)
{
	struct list_args a;

	assert_true(parse(
	    " (X-FOO (a (b)) SUBSCRIBED) \"\" * RETURN (MYRIGHTS METADATA (\"/x\"))",
	    &a));
	assert_int_equal(a.other_select.n, 1);
	assert_span(a.other_select.v[0].value, "(a (b))");
	assert_int_equal(a.other_returns.n, 2);
	assert_span(a.other_returns.v[0].name, "MYRIGHTS");
}

static void malformed_arguments_are_bad(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		" \"\"",
		" \"\" ",
		" \"\"  *",
		" \"\" * ",
		" \"\" * RETURN",
		" \"\" * RETURN CHILDREN",
		" \"\" * FOO (X)",
		" \"\" ()",
		" (RECURSIVEMATCH) \"\" *",
		" (REMOTE RECURSIVEMATCH) \"\" *",
		" (SUBSCRIBED)\"\" *",
		" \"\" (* *",
		" \"\" * RETURN (STATUS)",
		" \"\" * RETURN (STATUS ())",
		" \"\" * RETURN (STATUS (FOO))",
		" \"\" * RETURN (STATUS (HIGHESTMODSEQ))",
		" % *",
		" \"\" a&b",
	};
	struct list_args a;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(parse(bad[i], &a));
}

static void arguments_survive_the_round_trip(void **state)
{
	static const char *const good[] = {
		" \"\" *",
		" a/ \"b c%\"",
		" (SUBSCRIBED RECURSIVEMATCH) \"\" (* &APw-%) RETURN (SUBSCRIBED "
		"CHILDREN STATUS "
		"(MESSAGES SIZE))",
		" (SPECIAL-USE) \"\" (*) RETURN (SPECIAL-USE)",
	};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct list_args a;
		struct buf b = { 0 };

		assert_true(parse(good[i], &a));
		emit_list_args(&b, plain, &a);
		assert_string_equal(text_of(&b), good[i]);
	}
}

static void lsub_has_no_options(void **state)
{
	struct list_args a;
	struct cursor c = on(" \"#news.\" \"comp.%\"\r\n");

	assert_true(cursor_lsub_args(&c, &a));
	assert_true(cursor_end(&c));
	assert_span(a.patterns[0], "comp.%");
	c = on(" (SUBSCRIBED) \"\" *\r\n");
	assert_false(cursor_lsub_args(&c, &a));
}

static void responses_survive_the_round_trip(void **state)
{
	static const char *const good[] = {
		"() NIL inbox.x",
		"(\\Noselect) \"/\" foo",
		"(\\HasChildren \\Subscribed \\Sent) \"\\\\\" \"a b\"",
		"(\\NonExistent) \".\" x (\"CHILDINFO\" (\"SUBSCRIBED\"))",
		"(\\X-NEW) \"/\" Entw&APw-rfe (\"OLDNAME\" (&APw-))",
		"() \"/\" x (vendor.x-y (a \"b\"))",
	};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct cursor c = on(arena_printf(arena, "%s\r\n", good[i]));
		struct list_response l;
		struct buf b = { 0 };

		assert_true(cursor_list_response(&c, &l));
		assert_true(cursor_end(&c));
		emit_list_response(&b, plain, "LIST", &l);
		assert_string_equal(text_of(&b),
				    arena_printf(arena, "* LIST %s\r\n", good[i]));
	}
}

static void responses_are_read_as_other_servers_send_them(void **state)
{
	struct cursor c =
	    on("(\\HasNoChildren) \"/\" \"R & D\" (CHILDINFO (\"SUBSCRIBED\"))\r\n");
	struct list_response l;

	assert_true(cursor_list_response(&c, &l));
	assert_span(l.name, "R & D");
	assert_true(l.childinfo_subscribed);
	assert_int_equal(l.delimiter, '/');
	c = on("(Noselect) \"/\" x\r\n");
	assert_false(cursor_list_response(&c, &l));
	c = on("() \"//\" x\r\n");
	assert_false(cursor_list_response(&c, &l));
}

static void special_uses_are_attributes(void **state)
{
	struct cursor c = on("(\\Sent \\drafts)");

	assert_int_equal(cursor_special_use(&c), LIST_SENT | LIST_DRAFTS);
	c = on("()");
	assert_int_equal(cursor_special_use(&c), 0);
	assert_false(c.bad);
	c = on("(\\Noselect)");
	cursor_special_use(&c);
	assert_true(c.bad);
	for (unsigned bit = 1; bit <= LIST_IMPORTANT; bit <<= 1)
		assert_int_equal(list_attr_bit(span_str(list_attr_name(bit))), bit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_old_form_is_not_extended),
		cmocka_unit_test(options_are_bits),
		cmocka_unit_test(unknown_options_are_left_to_the_caller),
		cmocka_unit_test(malformed_arguments_are_bad),
		cmocka_unit_test(arguments_survive_the_round_trip),
		cmocka_unit_test(lsub_has_no_options),
		cmocka_unit_test(responses_survive_the_round_trip),
		cmocka_unit_test(responses_are_read_as_other_servers_send_them),
		cmocka_unit_test(special_uses_are_attributes),
	};
	return RUN(tests);
}
