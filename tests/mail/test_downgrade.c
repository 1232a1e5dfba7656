/* What clients without UTF-8 are shown (RFC 6858). */
#include "helper.h"

#include "mail/downgrade.h"
#include "mail/utf8.h"
#include "mail/words.h"

static void expect(const char *block, const char *want)
{
	struct buf out = { 0 };

	assert_true(downgrade_header(span_str(block), &out));
	assert_buf(&out, want);
}

static void expect_as_is(const char *block)
{
	struct buf out = { 0 };

	assert_false(downgrade_header(span_str(block), &out));
	assert_int_equal(out.n, 0);
}

static void ascii_and_what_is_no_utf8_stay(void **state)
{
	expect_as_is("From: a@b.example\r\nSubject: x\r\n\r\n");
	expect_as_is("Subject: \xfc"
		     "ber\r\n\r\n");
	expect("Subject: \xfc\r\nX-A: \xc3\xbc\r\nX-B: b\r\n\r\n",
	       "Subject: \xfc\r\nX-B: b\r\n\r\n");
}

static void a_subject_becomes_encoded_words(void **state)
{
	expect("Subject: Gr\xc3\xbc\xc3\x9f"
	       "e\r\n\r\n",
	       "Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n\r\n");
	/* one that mixes them says the same afterwards */
	expect("SUBJECT: =?utf-8?Q?=C3=BC?=\r\n \xc3\xa4\r\n\r\n",
	       "SUBJECT: =?utf-8?B?w7wgw6Q=?=\r\n\r\n");
}

static void long_text_is_cut_between_characters(void **state)
{
	struct buf in = { 0 }, out = { 0 }, back = { 0 };

	for (int i = 0; i < 50; i++)
		buf_puts(&in, "a\xe2\x82\xac");
	words_encode(buf_span(&in), "\r\n ", &out);
	for (struct span s = buf_span(&out); s.n;) {
		ptrdiff_t end = span_find(s, '\n');

		assert_true((end < 0 ? s.n : (size_t)end) <= 76);
		s = end < 0 ? SPAN_NONE : span_sub(s, (size_t)end + 1, s.n);
	}
	words_decode(buf_span(&out), &back);
	assert_true(span_eq(buf_span(&back), buf_span(&in)));
	buf_done(&in);
	buf_done(&out);
	buf_done(&back);
}

static void an_address_beyond_ascii_is_shown_and_cannot_be_used(void **state)
{
	/* jörg@example.org */
	expect("To: J <j\xc3\xb6rg@example.org>, bob@example.org\r\n\r\n",
	       "To: =?utf-8?B?SiA8asO2cmdAZXhhbXBsZS5vcmc+?=\r\n"
	       " <invalid@internationalized-address.invalid>,\r\n"
	       " <bob@example.org>\r\n\r\n");
	/* a name alone: the address stays */
	expect("From: J\xc3\xb6rg <joerg@example.org>\r\n\r\n",
	       "From: =?utf-8?B?SsO2cmc=?=\r\n <joerg@example.org>\r\n\r\n");
	expect("Cc: \xc3\xa4: \"a b\"@c.example, \"x, y\" <z@c.example>;\r\n\r\n",
	       "Cc: =?utf-8?B?w6Q=?=:\r\n <\"a b\"@c.example>,\r\n"
	       " \"x, y\" <z@c.example>;\r\n\r\n");
}

static void mime_parameters_beyond_ascii_are_left_out(void **state)
{
	/* section 2.2, its example */
	expect("Content-Disposition: attachment; filename=\xc3\xbc; size=\"3 \"\r\n\r\n",
	       "Content-Disposition: attachment;\r\n size=\"3 \"\r\n\r\n");
	expect("Content-Type: text/plain; name=\"\xc3\xbc\"; charset=utf-8\r\n"
	       "Content-Description: \xc3\xbc\r\n\r\n",
	       "Content-Type: text/plain;\r\n charset=utf-8\r\n\r\n");
}

static void expect_envelope(const char *wire, const char *want)
{
	struct buf out = { 0 };

	assert_true(downgrade_envelope(span_str(wire), &out));
	assert_buf(&out, want);
}

static void an_envelope_is_ascii(void **state)
{
	expect_envelope(
	    "(\"d\" {2}\r\n\xc3\xbc ((NIL NIL \"a\" \"b\")) NIL "
	    "(({2}\r\n\xc3\xa4 NIL \"c\" \"d\")) ((\"J\" NIL {2}\r\n\xc3\xb6 \"h\")) "
	    "((NIL NIL {2}\r\n\xc3\xb6 NIL)(NIL NIL NIL NIL)) NIL NIL {2}\r\n\xc3\xbc)",
	    "(\"d\" \"=?utf-8?B?w7w=?=\" ((NIL NIL \"a\" \"b\")) NIL "
	    "((\"=?utf-8?B?w6Q=?=\" NIL \"c\" \"d\")) "
	    "((\"=?utf-8?B?SiA8w7ZAaD4=?=\" NIL \"invalid\" "
	    "\"internationalized-address.invalid\")) "
	    "((NIL NIL \"=?utf-8?B?w7Y=?=\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL)");
}

static void what_is_cut_off_is_left_alone(void **state)
{
	struct buf out = { 0 };
	const char *bad[] = { "(\xc3\xbc",  "({9}\r\n\xc3\xbc)", "(\"\xc3\xbc)",
			      "{2\xc3\xbc", "(()\xc3\xbc))",	 "{2}\r\n\xc3\xbc x" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(downgrade_envelope(span_str(bad[i]), &out));
		assert_false(downgrade_structure(span_str(bad[i]), &out));
		assert_int_equal(out.n, 0);
	}
}

/* A whole message: what the summary says of it, downgraded, is ASCII and well formed. */
static void structures_lose_parameters_and_keep_their_shape(void **state)
{
	struct scanned m = scan(SPAN(
	    "Content-Type: multipart/mixed; boundary=b; x=\"\xc3\xbc\"\r\n\r\n--b\r\n"
	    "Content-Type: message/rfc822; name=\xc3\xbc\r\n"
	    "Content-Disposition: inline; filename=\xc3\xbc\r\n\r\n"
	    "Subject: \xc3\xbc\r\n\r\nhi\r\n--b--\r\n"));
	struct buf out = { 0 };

	assert_true(downgrade_structure(m.s.structure, &out));
	assert_int_equal(utf8_ascii_bytes(buf_span(&out)), out.n);
	assert_buf(&out,
		   "((\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 17 "
		   "(NIL \"=?utf-8?B?w7w=?=\" NIL NIL NIL NIL NIL NIL NIL NIL) "
		   "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 2 0 "
		   "NIL NIL NIL NIL) 2 NIL (\"INLINE\" NIL) NIL NIL) "
		   "\"MIXED\" (\"BOUNDARY\" \"b\") NIL NIL NIL)");
	buf_done(&m.blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ascii_and_what_is_no_utf8_stay),
		cmocka_unit_test(a_subject_becomes_encoded_words),
		cmocka_unit_test(long_text_is_cut_between_characters),
		cmocka_unit_test(an_address_beyond_ascii_is_shown_and_cannot_be_used),
		cmocka_unit_test(mime_parameters_beyond_ascii_are_left_out),
		cmocka_unit_test(an_envelope_is_ascii),
		cmocka_unit_test(what_is_cut_off_is_left_alone),
		cmocka_unit_test(structures_lose_parameters_and_keep_their_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
