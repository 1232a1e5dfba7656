/* Previews of messages (RFC 8970). */
#include "helper.h"

#include "mail/preview.h"

static void assert_preview(const char *subtype, const char *charset, enum coding coding,
			   struct span body, const char *want)
{
	struct summary_part p = { .type = SPAN("TEXT"),
				  .subtype = span_str(subtype),
				  .charset = span_str(charset),
				  .coding = coding,
				  .body_end = body.n };
	struct buf out = { 0 };

	preview_make(&p, body, &out);
	assert_buf(&out, want);
}

static void plain(const char *text, const char *want)
{
	assert_preview("PLAIN", "utf-8", CODING_8BIT, span_str(text), want);
}

static void html(const char *text, const char *want)
{
	assert_preview("HTML", "utf-8", CODING_8BIT, span_str(text), want);
}

static void space_is_collapsed_and_the_signature_left_out(void **state)
{
	plain("", "");
	plain("Hello\r\n\r\n  Joe,\tdo you\r\nthink?\r\n-- \r\nFred\r\n",
	      "Hello Joe, do you think?");
	plain("-----\r\nA letter\r\n", "A letter");
	plain("\xc2\xa0 gr\xc3\xbc\xc3\x9f\xe2\x80\x8b"
	      "e\x01 dich\x7f",
	      "gr\xc3\xbc\xc3\x9f"
	      "e dich");
	plain("-----BEGIN PGP MESSAGE-----\r\n\r\nabc\r\n", "");
}

static void quotes_are_left_out_unless_there_is_nothing_else(void **state)
{
	plain("> you said\r\n> this\r\nI say that.\r\n", "I say that.");
	plain("> only\r\n> this\r\n", "> only > this");
}

static void codings_and_charsets_are_seen_through(void **state)
{
	assert_preview("PLAIN", "iso-8859-1", CODING_QP, SPAN("gr=FC=DF=\r\ne"),
		       "gr\xc3\xbc\xc3\x9f"
		       "e");
	assert_preview("PLAIN", "utf-8", CODING_BASE64, SPAN("SGVsbG8gd29ybGQ="),
		       "Hello world");
	assert_preview("PLAIN", "no-such-charset", CODING_8BIT,
		       SPAN("a\xff"
			    "b"),
		       "a\xef\xbf\xbd"
		       "b");
	assert_preview("PLAIN", "", CODING_UNKNOWN, SPAN("abc"), "");
}

static void markup_is_stripped(void **state)
{
	html("<html><head><title>No</title><style>p { a: b }</style></head><body>"
	     "<!-- <p>no</p> --><p>One</p><P class='x>y'>T<b>w</b>o<br>three &amp; "
	     "4 &lt;5&gt; &eacute;&#233;&#xe9;&nbsp;&bogus; a < b</p>"
	     "<script>if (a < b) alert('</p>')</script>end",
	     "One Two three & 4 <5> \xc3\xa9\xc3\xa9\xc3\xa9 &bogus; a < b end");
	html("<p>open <a href=\"", "open");
	html("<style>never ends", "");
	html("<header>yes</header>", "yes");
	html("&#0;&#xd800;&#x110000;&#99999999999;x&",
	     "&#0;&#xd800;&#x110000;&#99999999999;x&");
}

static void two_hundred_characters_are_the_most(void **state)
{
	struct buf in = { 0 }, want = { 0 };

	for (int i = 0; i < 300; i++)
		buf_puts(&in, "\xe2\x82\xac");
	for (int i = 0; i < PREVIEW_CHARS; i++)
		buf_puts(&want, "\xe2\x82\xac");
	buf_putc(&in, 0);
	buf_putc(&want, 0);
	plain(buf_span(&in).p, buf_span(&want).p);
	buf_clear(&in);
	buf_clear(&want);
	for (int i = 0; i < 300; i++)
		buf_puts(&in, "a ");
	for (int i = 0; i < PREVIEW_CHARS / 2; i++)
		buf_puts(&want, i ? " a" : "a");
	buf_putc(&in, 0);
	buf_putc(&want, 0);
	plain(buf_span(&in).p, buf_span(&want).p);
	buf_done(&in);
	buf_done(&want);
}

static void what_is_cut_in_a_character_leaves_nothing(void **state)
{
	struct summary_part p = { .subtype = SPAN("PLAIN"),
				  .charset = SPAN("utf-8"),
				  .coding = CODING_8BIT,
				  .body_end = 1000 };
	struct buf out = { 0 };

	preview_make(&p, SPAN("abc\xe2\x82"), &out);
	assert_buf(&out, "abc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(space_is_collapsed_and_the_signature_left_out),
		cmocka_unit_test(quotes_are_left_out_unless_there_is_nothing_else),
		cmocka_unit_test(codings_and_charsets_are_seen_through),
		cmocka_unit_test(markup_is_stripped),
		cmocka_unit_test(two_hundred_characters_are_the_most),
		cmocka_unit_test(what_is_cut_in_a_character_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
