/* Emitting strings and names (RFC 9051 sections 4 and 9). */
#include "reader.h"

static const struct emit_mode plain = { 0 };
static const struct emit_mode utf8 = { .utf8 = true, .literal8 = true };

static const char *astring(struct emit_mode m, struct span s)
{
	struct buf b = { 0 };

	emit_astring(&b, m, s);
	return text_of(&b);
}

static void the_shortest_form_is_chosen(void **state)
{
	assert_string_equal(astring(plain, SPAN("abc]")), "abc]");
	assert_string_equal(astring(plain, SPAN("")), "\"\"");
	assert_string_equal(astring(plain, SPAN("a b")), "\"a b\"");
	assert_string_equal(astring(plain, SPAN("a\"\\")), "\"a\\\"\\\\\"");
	assert_string_equal(astring(plain, SPAN("a\r\nb")), "{4}\r\na\r\nb");
	assert_string_equal(astring(plain, SPAN("nil")), "\"nil\"");
}

static void eight_bit_is_quoted_only_where_it_was_enabled(void **state)
{
	assert_string_equal(astring(plain, SPAN("\xc3\xbc")), "{2}\r\n\xc3\xbc");
	assert_string_equal(astring(utf8, SPAN("\xc3\xbc")), "\"\xc3\xbc\"");
	assert_string_equal(astring(utf8, SPAN("\xff")), "{1}\r\n\xff");
}

static void nul_needs_a_literal8(void **state)
{
	struct buf b = { 0 };

	emit_string(&b, utf8, SPAN("a\0b"));
	assert_true(span_eq(buf_span(&b), SPAN("~{3}\r\na\0b")));
	buf_done(&b);
}

static void nil_is_not_the_empty_string(void **state)
{
	struct buf b = { 0 };

	emit_nstring(&b, plain, SPAN_NONE);
	buf_putc(&b, ' ');
	emit_nstring(&b, plain, SPAN(""));
	assert_string_equal(text_of(&b), "NIL \"\"");
}

static void clients_choose_the_form_of_a_literal(void **state)
{
	struct emit_mode m = { .literal = EMIT_CLIENT_SYNC };
	struct buf b = { 0 };

	emit_literal_header(&b, m, 5);
	m.literal = EMIT_CLIENT_MINUS;
	emit_literal_header(&b, m, 4096);
	emit_literal_header(&b, m, 4097);
	m.literal = EMIT_CLIENT_PLUS;
	emit_literal8_header(&b, m, 4097);
	assert_string_equal(text_of(&b), "{5}\r\n{4096+}\r\n{4097}\r\n~{4097+}\r\n");
}

static void long_strings_are_literals(void **state)
{
	char big[EMIT_QUOTED_MAX + 2];

	memset(big, 'x', sizeof big);
	assert_memory_equal(astring(plain, span_of(big, EMIT_QUOTED_MAX + 1)),
			    "{1025}\r\nx", 9);
	assert_memory_equal(astring(plain, span_of(big, EMIT_QUOTED_MAX)), "xxxx", 4);
}

static void mailbox_names_follow_the_mode(void **state)
{
	struct buf b = { 0 };

	emit_mailbox(&b, plain, SPAN("Entw\xc3\xbcrfe"));
	buf_putc(&b, ' ');
	emit_mailbox(&b, utf8, SPAN("Entw\xc3\xbcrfe"));
	buf_putc(&b, ' ');
	emit_mailbox(&b, plain, SPAN("A & B"));
	buf_putc(&b, ' ');
	emit_mailbox(&b, utf8, SPAN("A&B"));
	buf_putc(&b, ' ');
	emit_mailbox(&b, plain, SPAN("50%"));
	buf_putc(&b, ' ');
	emit_list_mailbox(&b, plain, SPAN("\xc3\xbc%*"));
	assert_string_equal(text_of(&b),
			    "Entw&APw-rfe \"Entw\xc3\xbcrfe\" \"A &- B\" A&B \"50%\" "
			    "&APw-%*");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shortest_form_is_chosen),
		cmocka_unit_test(eight_bit_is_quoted_only_where_it_was_enabled),
		cmocka_unit_test(nul_needs_a_literal8),
		cmocka_unit_test(nil_is_not_the_empty_string),
		cmocka_unit_test(clients_choose_the_form_of_a_literal),
		cmocka_unit_test(long_strings_are_literals),
		cmocka_unit_test(mailbox_names_follow_the_mode),
	};
	return RUN(tests);
}
