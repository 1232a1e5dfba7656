/* Transfer encodings (RFC 2045 section 6). */
#include "helper.h"

#include "mail/coding.h"

/* Decodes whole, then byte by byte: the same must come out. */
static void assert_decodes(enum coding c, bool crlf, const char *in, const char *want)
{
	struct decoder d;
	struct buf out = { 0 };

	assert_int_equal(decoder_init(&d, c, crlf), ERR_OK);
	decoder_feed(&d, span_str(in), &out);
	decoder_finish(&d, &out);
	assert_buf(&out, want);
	for (size_t i = 0; in[i]; i++)
		decoder_feed(&d, span_of(in + i, 1), &out);
	decoder_finish(&d, &out);
	decoder_done(&d);
	assert_buf(&out, want);
}

static void names_are_known_in_any_case(void **state)
{
	assert_int_equal(coding_of(SPAN("")), CODING_7BIT);
	assert_int_equal(coding_of(SPAN("7bit")), CODING_7BIT);
	assert_int_equal(coding_of(SPAN("Base64")), CODING_BASE64);
	assert_int_equal(coding_of(SPAN("quoted-PRINTABLE")), CODING_QP);
	assert_int_equal(coding_of(SPAN("binary")), CODING_BINARY);
	assert_int_equal(coding_of(SPAN("x-uuencode")), CODING_UNKNOWN);
	assert_int_equal(coding_of(SPAN("7 bit")), CODING_UNKNOWN);
}

static void an_unknown_coding_is_refused(void **state)
{
	struct decoder d;

	assert_int_equal(decoder_init(&d, CODING_UNKNOWN, false), ERR_CODING);
}

static void base64_of_rfc_4648(void **state)
{
	assert_decodes(CODING_BASE64, false, "", "");
	assert_decodes(CODING_BASE64, false, "Zg==", "f");
	assert_decodes(CODING_BASE64, false, "Zm8=", "fo");
	assert_decodes(CODING_BASE64, false, "Zm9v", "foo");
	assert_decodes(CODING_BASE64, false, "Zm9v\r\nYmFy\r\n", "foobar");
}

static void base64_skips_what_is_not_in_its_alphabet(void **state)
{
	/* RFC 2045 section 6.8 */
	assert_decodes(CODING_BASE64, false, "Z m\t9*v!Y-m_F\x80y", "foobar");
	assert_decodes(CODING_BASE64, false, "Zm8=Zm8=", "fofo");
	assert_decodes(CODING_BASE64, false, "Zm9vYg", "foob");
	assert_decodes(CODING_BASE64, false, "Zm9vY", "foo");
	assert_decodes(CODING_BASE64, false, "====", "");
}

static void quoted_printable_of_rfc_2045(void **state)
{
	assert_decodes(
	    CODING_QP, false,
	    "Now's the time =\r\nfor all folk to come=\r\n to the aid of their "
	    "country.",
	    "Now's the time for all folk to come to the aid of their country.");
	assert_decodes(CODING_QP, false, "=3D=C3=BC\r\n", "=\xc3\xbc\r\n");
	/* rule 3: space at the end of a line was added on the way */
	assert_decodes(CODING_QP, false, "a \t\r\nb  \nc =20\r\nd  ", "a\r\nb\nc  \r\nd");
}

static void quoted_printable_keeps_what_is_no_code(void **state)
{
	assert_decodes(CODING_QP, false, "=3d =4 =ZZ =", "= =4 =ZZ ");
	assert_decodes(CODING_QP, false, "a=  \r\nb= \t\nc=\r\n", "abc");
	assert_decodes(CODING_QP, false, "a= b", "a= b");
	assert_decodes(CODING_QP, false, "a=\rb", "a=\rb");
	assert_decodes(CODING_QP, false, "a\rb\r\rc\r", "a\rb\r\rc\r");
	assert_decodes(CODING_QP, false, "=", "");
	assert_decodes(CODING_QP, false, "=4", "=4");
	assert_decodes(CODING_QP, false, "==41", "=A");
}

static void identity_changes_nothing(void **state)
{
	assert_decodes(CODING_8BIT, false, "a\nb\r\nc\r\r\n=20", "a\nb\r\nc\r\r\n=20");
	assert_decodes(CODING_BINARY, false, "\xff\x01", "\xff\x01");
}

static void text_gets_crlf_where_asked(void **state)
{
	/* RFC 9051 section 7.5.2, BINARY */
	assert_decodes(CODING_7BIT, true, "a\nb\r\n\nc\r", "a\r\nb\r\n\r\nc\r");
	assert_decodes(CODING_QP, true, "a=0Ab=0D=0Ac=\nd\n", "a\r\nb\r\ncd\r\n");
	assert_decodes(CODING_BASE64, true, "YQpiDQpj", "a\r\nb\r\nc");
}

static void held_space_is_bounded(void **state)
{
	struct decoder d;
	struct buf out = { 0 };

	assert_int_equal(decoder_init(&d, CODING_QP, false), ERR_OK);
	for (int i = 0; i < 100000; i++)
		decoder_feed(&d, SPAN("    "), &out);
	assert_true(d.held.cap < 10000);
	decoder_feed(&d, SPAN("="), &out);
	for (int i = 0; i < 100000; i++)
		decoder_feed(&d, SPAN("    "), &out);
	assert_true(d.held.cap < 10000);
	decoder_done(&d);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_known_in_any_case),
		cmocka_unit_test(an_unknown_coding_is_refused),
		cmocka_unit_test(base64_of_rfc_4648),
		cmocka_unit_test(base64_skips_what_is_not_in_its_alphabet),
		cmocka_unit_test(quoted_printable_of_rfc_2045),
		cmocka_unit_test(quoted_printable_keeps_what_is_no_code),
		cmocka_unit_test(identity_changes_nothing),
		cmocka_unit_test(text_gets_crlf_where_asked),
		cmocka_unit_test(held_space_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
