/* ENVELOPE, BODY, BODYSTRUCTURE and ranges (RFC 9051 section 7.5.2, RFC 2046). */
#include <stdio.h>

#include "helper.h"

#include "imapcheck.h"

#define LEAF(size, lines)                                                                \
	"(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" " size          \
	" " lines ")"

static void assert_envelope(const char *message, const char *want)
{
	struct scanned r = scan(span_str(message));

	assert_span(r.s.envelope, want);
	assert_true(imapcheck_envelope(r.s.envelope));
	buf_done(&r.blob);
}

static void assert_body(const char *message, const char *want)
{
	struct scanned r = scan(span_str(message));

	assert_span(r.s.body, want);
	assert_true(imapcheck_body(r.s.body, false));
	assert_true(imapcheck_body(r.s.structure, true));
	buf_done(&r.blob);
}

static void assert_structure(const char *message, const char *want)
{
	struct scanned r = scan(span_str(message));

	assert_span(r.s.structure, want);
	assert_true(imapcheck_body(r.s.structure, true));
	buf_done(&r.blob);
}

static void the_example_of_rfc_3501_section_8(void **state)
{
	/* the message that the example session appends and fetches */
	const char *m =
	    "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
	    "From: Terry Gray <gray@cac.washington.edu>\r\n"
	    "Subject: IMAP4rev1 WG mtg summary and minutes\r\n"
	    "To: imap@cac.washington.edu\r\n"
	    "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
	    "Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\nx\r\n";

	assert_envelope(m, "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" "
			   "\"IMAP4rev1 WG mtg summary and minutes\" "
			   "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
			   "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
			   "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
			   "((NIL NIL \"imap\" \"cac.washington.edu\")) "
			   "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")"
			   "(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL "
			   "\"<B27397-0100000@cac.washington.edu>\")");
	assert_body(m, LEAF("3", "1"));
}

static void absent_is_nil_and_empty_is_empty(void **state)
{
	assert_envelope("", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
	assert_envelope("Date:\r\nSubject: \r\nFrom:\r\nTo: ,\r\nCc: (x)\r\nBcc:\r\n"
			"In-Reply-To:\r\nMessage-ID:\r\n\r\n",
			"(\"\" \"\" NIL NIL NIL NIL NIL NIL \"\" \"\")");
}

static void a_byte_order_mark_is_passed_over(void **state)
{
	assert_envelope("\xef\xbb\xbf"
			"Subject: x\r\nMessage-ID: y\r\n\r\n",
			"(NIL \"x\" NIL NIL NIL NIL NIL NIL NIL \"y\")");
}

static void sender_and_reply_to_default_to_from(void **state)
{
	assert_envelope("From: a@b\r\nSender:\r\nReply-To: c@d\r\n\r\n",
			"(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) "
			"((NIL NIL \"c\" \"d\")) NIL NIL NIL NIL NIL)");
}

static void destination_fields_are_put_together_and_others_are_the_first(void **state)
{
	/* RFC 5322 section 4.5.3 */
	assert_envelope("Subject: 1\r\nSubject: 2\r\nTo: a@b\r\nTo: c@d\r\nFrom: "
			"e@f\r\nFrom: g@h\r\n\r\n",
			"(NIL \"1\" ((NIL NIL \"e\" \"f\")) ((NIL NIL \"e\" \"f\")) "
			"((NIL NIL \"e\" \"f\")) "
			"((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)");
}

static void groups_have_nil_hosts(void **state)
{
	assert_envelope(
	    "To: G: a@b;, U:;\r\n\r\n",
	    "(NIL NIL NIL NIL NIL ((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")"
	    "(NIL NIL NIL NIL)(NIL NIL \"U\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL)");
}

static void strings_are_quoted_or_literal_as_their_bytes_need(void **state)
{
	assert_envelope("Subject: a \"b\" \\c\r\n\r\n",
			"(NIL \"a \\\"b\\\" \\\\c\" NIL NIL NIL NIL NIL NIL NIL NIL)");
	assert_envelope(
	    "Subject: gr\xc3\xbc\xc3\x9f\r\n\r\n",
	    "(NIL {6}\r\ngr\xc3\xbc\xc3\x9f NIL NIL NIL NIL NIL NIL NIL NIL)");
	assert_envelope("Subject: a\rb\r\n\r\n",
			"(NIL {3}\r\na\rb NIL NIL NIL NIL NIL NIL NIL NIL)");
}

static void nul_is_left_out_of_strings(void **state)
{
	struct scanned r = scan(SPAN("Subject: a\0b\xff\0\r\n\r\n\0"));

	assert_span(r.s.envelope, "(NIL {3}\r\nab\xff NIL NIL NIL NIL NIL NIL NIL NIL)");
	assert_int_equal(r.s.size, 19);
	buf_done(&r.blob);
}

static void parameters_stand_as_in_the_header(void **state)
{
	assert_structure(
	    "Content-Type: text/html; name*=''a%20b; Charset=\"X\"\r\n"
	    "Content-Transfer-Encoding: (c) Base64\r\n"
	    "Content-ID: <1@x>\r\nContent-Description: two\r\n words\r\n"
	    "Content-MD5: Q2hlY2s=\r\nContent-Language: en, de\r\n"
	    "Content-Location: http://x/\r\n y\r\n"
	    "Content-Disposition: attachment; filename=\"f\"\r\n\r\nab\r\ncd",
	    "(\"TEXT\" \"HTML\" (\"NAME*\" \"''a%20b\" \"CHARSET\" "
	    "\"X\") "
	    "\"<1@x>\" \"two words\" \"BASE64\" 6 1 \"Q2hlY2s=\" "
	    "(\"ATTACHMENT\" (\"FILENAME\" \"f\")) (\"en\" \"de\") \"http://x/y\")");
	assert_structure(
	    "Content-Type: image/gif\r\nContent-Disposition: inline\r\n"
	    "Content-Language: en\r\n\r\n",
	    "(\"IMAGE\" \"GIF\" NIL NIL NIL \"7BIT\" 0 NIL (\"INLINE\" NIL) \"en\" NIL)");
}

/* RFC 2231 sections 3, 4.1 and 6; the first three are its examples. */
static void parameters_in_sections_are_put_together(void **state)
{
	static const char *const examples[][2] = {
		{ "URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/pub/moore/bulk-mailer.tar\"",
		  "\"URL\" \"ftp://cs.utk.edu/pub/moore/bulk-mailer.tar\"" },
		{ "title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
		  "\"TITLE*\" \"us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A\"" },
		{ "title*0*=us-ascii'en'This%20is%20even%20more%20; "
		  "title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
		  "\"TITLE*\" \"us-ascii'en'This%20is%20even%20more%20"
		  "%2A%2A%2Afun%2A%2A%2A%20isn%27t%20it!\"" },
		/* in any order, others between them, ten and more */
		{ "b*1=2; a=x; B*0=1; b*10=b; b*2=3; b*3=4; b*4=5; b*5=6; b*6=7; b*7=8; "
		  "b*8=9; b*9=a",
		  "\"A\" \"x\" \"B\" \"123456789ab\"" },
		{ "a*0=x; a*1*=%20b", "\"A*\" \"''x%20b\"" },
		/* one missing, none at the beginning, one twice, no number */
		{ "a*0=x; a*2=z", "\"A\" \"x\" \"A*2\" \"z\"" },
		{ "a*1=y", "\"A*1\" \"y\"" },
		{ "a*0=x; a*0=y; a*1=z", "\"A\" \"xz\" \"A*0\" \"y\"" },
		{ "a*0x=y; a**=z", "\"A*0X\" \"y\" \"A**\" \"z\"" },
	};
	for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
		char message[300], want[300];

		snprintf(message, sizeof message, "Content-Type: x/y; %s\r\n\r\n",
			 examples[i][0]);
		snprintf(want, sizeof want, "(\"X\" \"Y\" (%s) NIL NIL \"7BIT\" 0)",
			 examples[i][1]);
		assert_body(message, want);
	}
	assert_structure("Content-Type: x/y\r\nContent-Disposition: attachment; "
			 "filename*0=a; filename*1=b\r\n\r\n",
			 "(\"X\" \"Y\" NIL NIL NIL \"7BIT\" 0 NIL (\"ATTACHMENT\" "
			 "(\"FILENAME\" \"ab\")) NIL NIL)");
}

static void plain_text_has_a_default_charset(void **state)
{
	assert_body("\r\nx", LEAF("1", "0"));
	assert_body("Content-Type: text/plain; format=flowed\r\n\r\n",
		    "(\"TEXT\" \"PLAIN\" (\"FORMAT\" \"flowed\" \"CHARSET\" "
		    "\"US-ASCII\") NIL NIL "
		    "\"7BIT\" 0 0)");
	assert_body("Content-Type: text/html\r\n\r\n",
		    "(\"TEXT\" \"HTML\" NIL NIL NIL \"7BIT\" 0 0)");
	/* RFC 2045 section 5.2 */
	assert_body("Content-Type: nonsense\r\n\r\n", LEAF("0", "0"));
}

static void the_line_end_before_a_delimiter_belongs_to_it(void **state)
{
	assert_body("Content-Type: multipart/mixed; "
		    "boundary=b\r\n\r\npre\r\n--b\r\n\r\n1\r\n2\r\n--b\r\n\r\n"
		    "1\r\n2\r\n\r\n--b--\r\nepilogue\r\n",
		    "(" LEAF("4", "1") LEAF("6", "2") " \"MIXED\")");
	assert_body("Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n2\n--b--\n",
		    "(" LEAF("3", "1") " \"MIXED\")");
}

static void a_message_inside_has_envelope_body_and_lines(void **state)
{
	assert_body("Content-Type: multipart/mixed; "
		    "boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
		    "Subject: in\r\n\r\none\r\ntwo\r\n--b--\r\n",
		    "((\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 23 "
		    "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) " LEAF(
			"8", "1") " 3) \"MIXED\")");
	assert_body("Content-Type: message/global\r\n\r\nSubject: in\r\n\r\nx\r\n",
		    "(\"MESSAGE\" \"GLOBAL\" NIL NIL NIL \"7BIT\" 18 "
		    "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) " LEAF("3", "1") " 3)");
	/* a kind of message that has none */
	assert_body("Content-Type: message/delivery-status\r\n\r\nx: y\r\n",
		    "(\"MESSAGE\" \"DELIVERY-STATUS\" NIL NIL NIL \"7BIT\" 6)");
}

static void rev1_knows_no_message_global(void **state)
{
	/* RFC 3501 section 9, body-type-basic */
	struct scanned r =
	    scan(SPAN("Content-Type: message/global\r\n\r\nSubject: in\r\n\r\nx\r\n"));

	assert_span(r.s.body_rev1, "(\"MESSAGE\" \"GLOBAL\" NIL NIL NIL \"7BIT\" 18)");
	assert_span(r.s.structure_rev1,
		    "(\"MESSAGE\" \"GLOBAL\" NIL NIL NIL \"7BIT\" 18 NIL NIL NIL NIL)");
	assert_true(imapcheck_body(r.s.structure, true));
	buf_done(&r.blob);
	r = scan(SPAN("Subject: x\r\n\r\n"));
	assert_true(span_eq(r.s.body, r.s.body_rev1));
	assert_true(span_eq(r.s.structure, r.s.structure_rev1));
	buf_done(&r.blob);
}

static void parts_of_a_digest_are_messages(void **state)
{
	/* RFC 2046 section 5.1.5 */
	assert_body("Content-Type: multipart/digest; "
		    "boundary=b\r\n\r\n--b\r\n\r\nSubject: in\r\n\r\nx\r\n--b--\r\n",
		    "((\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 16 "
		    "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) " LEAF(
			"1", "0") " 2) \"DIGEST\")");
}

static void a_multipart_without_parts_is_text(void **state)
{
	assert_body("Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
		    LEAF("17", "4"));
	assert_body("Content-Type: multipart/mixed; boundary=b\r\n\r\n--c\r\n",
		    LEAF("5", "1"));
	assert_body("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n",
		    LEAF("7", "1"));
	assert_body("Content-Type: multipart/mixed; boundary=b; charset=utf-8\r\n\r\nx",
		    LEAF("1", "0"));
}

static void the_outer_boundary_ends_inner_parts(void **state)
{
	assert_body("Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n"
		    "Content-Type: multipart/mixed; "
		    "boundary=i\r\n\r\n--i\r\n\r\n1\r\n--o\r\n\r\n22",
		    "((" LEAF("1", "0") " \"MIXED\")" LEAF("2", "0") " \"MIXED\")");
}

static void the_longest_boundary_that_fits_counts(void **state)
{
	assert_body("Content-Type: multipart/mixed; boundary=foo\r\n\r\n--foo\r\n"
		    "Content-Type: multipart/alternative; "
		    "boundary=foobar\r\n\r\n--foobar\r\n\r\n1\r\n--foobar--\r\n"
		    "--foo  \r\n\r\n22\r\n--foo--",
		    "((" LEAF("1", "0") " \"ALTERNATIVE\")" LEAF("2", "0") " \"MIXED\")");
	/* RFC 2046 section 5.1.1: it is enough that the boundary appears */
	assert_body("Content-Type: multipart/mixed; boundary=foo\r\n\r\n--foo and "
		    "more\r\n\r\n1\r\n--foo--x",
		    "(" LEAF("1", "0") " \"MIXED\")");
}

static void a_part_that_ends_in_its_header_is_empty(void **state)
{
	assert_body("Content-Type: multipart/mixed; "
		    "boundary=b\r\n\r\n--b\r\n--b\r\nContent-Type: text/html\r\n"
		    "--b\r\nContent-Type: message/rfc822\r\n\r\n--b--",
		    "(" LEAF("0", "0") "(\"TEXT\" \"HTML\" NIL NIL NIL \"7BIT\" 0 0)"
				       "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 0 "
				       "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) " LEAF(
					   "0", "0") " 0) \"MIXED\")");
}

static void the_sent_date_is_read(void **state)
{
	struct scanned r = scan(SPAN("Date: Fri, 21 Nov 1997 09:55:06 -0600\r\n\r\n"));

	assert_true(r.s.has_date);
	assert_int_equal(r.s.sent_utc, 880127706);
	assert_int_equal(r.s.sent_day, 10186);
	buf_done(&r.blob);
	r = scan(SPAN("Date: never\r\n\r\n"));
	assert_false(r.s.has_date);
	buf_done(&r.blob);
}

static void depth_is_bounded(void **state)
{
	struct buf m = { 0 };
	struct scanned r;
	struct summary_part p;

	for (int i = 0; i < 300; i++)
		buf_printf(
		    &m, "Content-Type: multipart/mixed; boundary=b%dx\r\n\r\n--b%dx\r\n",
		    i, i);
	r = scan(buf_span(&m));
	assert_int_equal(r.s.n_parts, SUMMARY_MAX_DEPTH + 1);
	summary_part_get(&r.s, r.s.n_parts - 1, &p);
	assert_span(p.subtype, "OCTET-STREAM");
	assert_true(imapcheck_body(r.s.structure, true));
	buf_done(&r.blob);
	buf_clear(&m);
	for (int i = 0; i < 300; i++)
		buf_puts(&m, "Content-Type: message/rfc822\r\n\r\n");
	r = scan(buf_span(&m));
	assert_int_equal(r.s.n_parts, SUMMARY_MAX_DEPTH + 1);
	assert_true(imapcheck_body(r.s.structure, true));
	buf_done(&r.blob);
	buf_done(&m);
}

static void parts_are_bounded(void **state)
{
	struct buf m = { 0 };
	struct scanned r;
	struct summary_part last;

	buf_puts(&m, "Content-Type: multipart/digest; boundary=b\r\n\r\n");
	for (int i = 0; i < 30000; i++)
		buf_puts(&m, "--b\r\nContent-Type: text/plain; a=b\r\n\r\nx\r\n");
	buf_puts(&m, "--b--\r\n");
	r = scan(buf_span(&m));
	assert_int_equal(r.s.n_parts, SUMMARY_MAX_PARTS);
	summary_part_get(&r.s, r.s.n_parts - 1, &last);
	assert_int_equal(last.body_end - last.body_start, 1);
	assert_true(imapcheck_body(r.s.body, false));
	buf_done(&r.blob);
	buf_done(&m);
}

static void strings_are_bounded(void **state)
{
	struct buf m = { 0 };
	struct scanned r;

	buf_puts(&m, "Subject: ");
	for (int i = 0; i < 300000; i++)
		buf_puts(&m, "subject ");
	buf_puts(&m, "\r\nTo: ");
	for (int i = 0; i < 100000; i++)
		buf_puts(&m, "G: a@example.org, ");
	buf_puts(&m, "\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n");
	r = scan(buf_span(&m));
	assert_true(r.blob.n < 10000);
	assert_int_equal(r.s.header_kind, SUMMARY_HEADER_NONE);
	assert_true(imapcheck_envelope(r.s.envelope));
	buf_done(&r.blob);

	buf_clear(&m);
	buf_puts(&m, "To: ");
	for (int i = 0; i < 50000; i++)
		buf_printf(&m, "G%d: a%d@example.org, ", i, i);
	buf_puts(&m, "\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n");
	for (int i = 0; i < 1000; i++) {
		buf_puts(&m, "--b\r\nContent-Type: text/plain; a=\"");
		for (int k = 0; k < 2000; k++)
			buf_putc(&m, 'a');
		buf_puts(&m, "\"\r\nContent-Disposition: x; a=b\r\n\r\n");
	}
	r = scan(buf_span(&m));
	assert_true(r.blob.n < 4 * SUMMARY_WIRE_MAX);
	assert_true(imapcheck_envelope(r.s.envelope));
	assert_true(imapcheck_body(r.s.structure, true));
	assert_true(imapcheck_body(r.s.body, false));
	buf_done(&r.blob);
	buf_done(&m);
}

static void a_long_header_is_kept_by_its_common_fields(void **state)
{
	struct buf m = { 0 };
	struct scanned r;

	buf_puts(&m, "From: a@b\r\n");
	for (int i = 0; i < 1000; i++)
		buf_puts(&m, "X-Filler: some text that nobody asks for\r\n");
	buf_puts(&m, "Subject: last\r\n\r\nbody\r\n");
	r = scan(buf_span(&m));
	assert_int_equal(r.s.header_kind, SUMMARY_HEADER_COMMON);
	assert_span(r.s.header, "From: a@b\r\nSubject: last\r\n\r\n");
	assert_true(summary_header_covers(&r.s, SPAN("to")));
	assert_false(summary_header_covers(&r.s, SPAN("X-Filler")));
	buf_done(&r.blob);
	buf_done(&m);

	r = scan(SPAN("From: a@b\r\nX: y\r\n\r\nbody"));
	assert_int_equal(r.s.header_kind, SUMMARY_HEADER_WHOLE);
	assert_span(r.s.header, "From: a@b\r\nX: y\r\n\r\n");
	assert_true(summary_header_covers(&r.s, SPAN("X-Filler")));
	buf_done(&r.blob);
}

static void a_damaged_summary_is_refused(void **state)
{
	struct scanned r =
	    scan(SPAN("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n"
		      "--b\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n\r\n--b--"));
	struct summary s;

	for (size_t n = 0; n < r.blob.n; n++)
		assert_int_equal(summary_open(span_sub(buf_span(&r.blob), 0, n), &s),
				 ERR_CORRUPT);
	for (size_t i = 0; i < (64 + 4 * 56) * 8; i++) {
		char *byte = r.blob.p + r.blob.off + i / 8;

		*byte = (char)(*byte ^ 1 << i % 8);
		if (summary_open(buf_span(&r.blob), &s) == ERR_OK) {
			/* a number changed; still nothing may be read outside */
			for (uint32_t k = 0; k < s.n_parts; k++) {
				struct summary_part p;

				summary_part_get(&s, k, &p);
				assert_true(p.body_end <= s.size &&
					    p.body_start <= p.body_end);
			}
		}
		*byte = (char)(*byte ^ 1 << i % 8);
	}
	buf_putc(&r.blob, 'x');
	assert_int_equal(summary_open(buf_span(&r.blob), &s), ERR_CORRUPT);
	buf_done(&r.blob);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_rfc_3501_section_8),
		cmocka_unit_test(absent_is_nil_and_empty_is_empty),
		cmocka_unit_test(a_byte_order_mark_is_passed_over),
		cmocka_unit_test(sender_and_reply_to_default_to_from),
		cmocka_unit_test(
		    destination_fields_are_put_together_and_others_are_the_first),
		cmocka_unit_test(groups_have_nil_hosts),
		cmocka_unit_test(strings_are_quoted_or_literal_as_their_bytes_need),
		cmocka_unit_test(nul_is_left_out_of_strings),
		cmocka_unit_test(parameters_stand_as_in_the_header),
		cmocka_unit_test(parameters_in_sections_are_put_together),
		cmocka_unit_test(plain_text_has_a_default_charset),
		cmocka_unit_test(the_line_end_before_a_delimiter_belongs_to_it),
		cmocka_unit_test(a_message_inside_has_envelope_body_and_lines),
		cmocka_unit_test(rev1_knows_no_message_global),
		cmocka_unit_test(parts_of_a_digest_are_messages),
		cmocka_unit_test(a_multipart_without_parts_is_text),
		cmocka_unit_test(the_outer_boundary_ends_inner_parts),
		cmocka_unit_test(the_longest_boundary_that_fits_counts),
		cmocka_unit_test(a_part_that_ends_in_its_header_is_empty),
		cmocka_unit_test(the_sent_date_is_read),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(parts_are_bounded),
		cmocka_unit_test(strings_are_bounded),
		cmocka_unit_test(a_long_header_is_kept_by_its_common_fields),
		cmocka_unit_test(a_damaged_summary_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
