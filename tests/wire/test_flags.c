/* Flag lists (RFC 9051 sections 2.3.2 and 9). */
#include "reader.h"
#include "wire/flags.h"

static void system_flags_are_bits_and_keywords_are_names(void **state)
{
	struct cursor c = on("(\\Seen $Junk \\ANSWERED $junk Foo)\r\n");
	struct wire_flags f;
	struct buf b = { 0 };

	assert_true(cursor_flag_list(&c, &f));
	assert_true(cursor_end(&c));
	assert_int_equal(f.system, WIRE_SEEN | WIRE_ANSWERED);
	assert_int_equal(f.n_keywords, 2);
	assert_span(f.keywords[0], "$Junk");
	assert_span(f.keywords[1], "Foo");
	emit_flags(&b, &f);
	assert_string_equal(text_of(&b), "(\\Seen \\Answered $Junk Foo)");
}

static void an_empty_list_is_a_list(void **state)
{
	struct cursor c = on("()");
	struct wire_flags f;

	assert_true(cursor_flag_list(&c, &f));
	assert_int_equal(f.system, 0);
	assert_int_equal(f.n_keywords, 0);
}

static void a_client_cannot_set_every_flag(void **state)
{
	static const char *const bad[] = { "(\\Recent)",
					   "(\\*)",
					   "(\\Unknown)",
					   "(\\)",
					   "(a  b)",
					   "(a",
					   "a)",
					   "( a)",
					   "(a )",
					   "(\"a\")",
					   "(\\Seen\\Draft)",
					   "(a]b)" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct cursor c = on(bad[i]);
		struct wire_flags f;

		assert_false(cursor_flag_list(&c, &f));
	}
}

static void a_client_accepts_every_flag(void **state)
{
	struct cursor c = on("(\\Seen \\Recent \\* \\XYZ a)");
	struct wire_flags f;
	struct buf b = { 0 };

	assert_true(cursor_flags_any(&c, &f));
	assert_int_equal(f.system, WIRE_SEEN | WIRE_RECENT | WIRE_WILD);
	assert_int_equal(f.n_keywords, 2);
	emit_flags(&b, &f);
	assert_string_equal(text_of(&b), "(\\Seen \\Recent \\* \\XYZ a)");
}

static void store_takes_flags_without_parentheses(void **state)
{
	struct cursor c = on("\\Deleted $X\r\n");
	struct wire_flags f;

	assert_true(cursor_store_flags(&c, &f));
	assert_true(cursor_end(&c));
	assert_int_equal(f.system, WIRE_DELETED);
	assert_int_equal(f.n_keywords, 1);
	c = on("\r\n");
	assert_false(cursor_store_flags(&c, &f));
}

static void the_number_of_flags_is_limited(void **state)
{
	struct buf b = { 0 };
	struct wire_flags f;
	struct cursor c;

	for (int i = 0; i <= WIRE_FLAGS_MAX; i++)
		buf_printf(&b, "%ck%d", i ? ' ' : '(', i);
	buf_putc(&b, ')');
	c = cursor_of(buf_span(&b), false, arena);
	assert_false(cursor_flag_list(&c, &f));
	assert_string_equal(c.why, "there are too many flags");
	buf_done(&b);
}

static void names_and_bits_agree(void **state)
{
	for (unsigned bit = WIRE_SEEN; bit <= WIRE_WILD; bit <<= 1)
		assert_int_equal(wire_flag_bit(span_str(wire_flag_name(bit))), bit);
	assert_int_equal(wire_flag_bit(SPAN("\\deleted")), WIRE_DELETED);
	assert_int_equal(wire_flag_bit(SPAN("Seen")), 0);
	assert_string_equal(wire_flag_name(3), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(system_flags_are_bits_and_keywords_are_names),
		cmocka_unit_test(an_empty_list_is_a_list),
		cmocka_unit_test(a_client_cannot_set_every_flag),
		cmocka_unit_test(a_client_accepts_every_flag),
		cmocka_unit_test(store_takes_flags_without_parentheses),
		cmocka_unit_test(the_number_of_flags_is_limited),
		cmocka_unit_test(names_and_bits_agree),
	};
	return RUN(tests);
}
