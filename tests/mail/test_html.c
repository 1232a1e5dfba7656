/* HTML as its reader sees it; pieces may be cut anywhere. */
#include "helper.h"

#include "mail/html.h"

static struct buf seen(const char *html, size_t cut)
{
	struct buf out = { 0 };
	struct span s = span_str(html);
	struct html h;

	html_begin(&h);
	for (; s.n; s = span_sub(s, cut, s.n))
		html_feed(&h, span_sub(s, 0, cut), &out);
	html_finish(&h, &out);
	buf_putc(&out, 0);
	return out;
}

static void reads(const char *html, const char *want)
{
	for (size_t cut = 1; cut <= strlen(html) + 1; cut++) {
		struct buf b = seen(html, cut);

		assert_string_equal(buf_span(&b).p, want);
		buf_done(&b);
	}
}

static void markup_is_not_seen(void **state)
{
	reads("<p>Dear <b>Al</b>ice,</p><p>hello", "Dear Alice, hello");
	reads("a<br>b<BR/>c<td class=\"x>y\">d", "a b c d");
	reads("a<a title='x > y'>b</a>c", "abc");
	reads("it<p title=don't>s</p>here", "it s here");
	reads("one\r\n\t two<wbr>three", "one twothree");
	reads("<?xml version=\"1.0\"?><!DOCTYPE html>x", "x");
	reads("", "");
}

static void scripts_styles_and_comments_are_not_seen(void **state)
{
	reads("a<script>if (a<b) x = '</p>';</script >b", "a b");
	reads("<STYLE>p > a { }</Style><title>T</title>b", "b");
	reads("a<!-- <p>x</p> -- > -->b<!-->c<!---->d", "abcd");
	reads("a<style></styl</style>b", "a b");
	reads("a<script>never closed", "a ");
	reads("a<!-- never closed", "a");
}

static void references_are_characters(void **state)
{
	reads("Gr&uuml;&#223;e &#x41;&amp;B&nbsp;&nbsp;C", "Gr\xc3\xbc\xc3\x9f"
							   "e A&B C");
	reads("soft&shy;hyphen zero&#8203;width", "softhyphen zerowidth");
	reads("AT&T &unknown; &#xd800; &#1114112; &amp", "AT&T &unknown; &#xd800; "
							 "&#1114112; &amp");
	reads("&thetasym;&zwnj;&AElig;", "\xcf\x91\xc3\x86");
	reads("&averyverylongnamethatisnoreferenceatallbutgoeson;",
	      "&averyverylongnamethatisnoreferenceatallbutgoeson;");
}

static void what_is_no_markup_stays(void **state)
{
	reads("1 < 2 <3 <- <", "1 < 2 <3 <- <");
	reads("a <", "a <");
}

/* A quote that is never closed hides no more than some of what follows. */
static void a_quote_without_end_does_not_hide_everything(void **state)
{
	struct buf html = { 0 };

	buf_puts(&html, "<p title=\"open>");
	for (int i = 0; i < 20000; i++)
		buf_putc(&html, 'x');
	buf_puts(&html, ">needle");
	buf_putc(&html, 0);
	struct buf b = seen(buf_span(&html).p, 1000);
	assert_non_null(strstr(buf_span(&b).p, "needle"));
	buf_done(&b);
	buf_done(&html);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(markup_is_not_seen),
		cmocka_unit_test(scripts_styles_and_comments_are_not_seen),
		cmocka_unit_test(references_are_characters),
		cmocka_unit_test(what_is_no_markup_stays),
		cmocka_unit_test(a_quote_without_end_does_not_hide_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
