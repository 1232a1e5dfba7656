/* Charsets, encoded words (RFC 2047) and extended parameters (RFC 2231). */
#include "helper.h"

#include "mail/charset.h"
#include "mail/mime.h"
#include "mail/words.h"

#define FFFD "\xef\xbf\xbd"

static void assert_words(const char *value, const char *want)
{
	struct buf out = { 0 };

	words_decode(span_str(value), &out);
	assert_buf(&out, want);
}

static void assert_charset(const char *name, struct span in, const char *want)
{
	struct buf out = { 0 };
	struct charset *c = charset_new(span_str(name));

	assert_non_null(c);
	charset_feed(c, in, &out);
	charset_finish(c, &out);
	assert_buf(&out, want);
	for (size_t i = 0; i < in.n; i++)
		charset_feed(c, span_sub(in, i, 1), &out);
	charset_finish(c, &out);
	charset_free(c);
	assert_buf(&out, want);
}

static void charsets_are_converted_however_cut(void **state)
{
	assert_charset("UTF-8", SPAN("gr\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"),
		       "gr\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_charset("iso-8859-1", SPAN("gr\xfc\xdf"), "gr\xc3\xbc\xc3\x9f");
	assert_charset("windows-1252", SPAN("\x80"), "\xe2\x82\xac");
	assert_charset("iso-2022-jp", SPAN("\x1b$B$3$s\x1b(B!"),
		       "\xe3\x81\x93\xe3\x82\x93!");
	assert_charset("shift_jis", SPAN("\x82\xb1\x82\xf1"), "\xe3\x81\x93\xe3\x82\x93");
	assert_charset("gb2312", SPAN("\xc4\xe3"), "\xe4\xbd\xa0");
	assert_charset("ks_c_5601-1987", SPAN("\xc7\xd1"), "\xed\x95\x9c");
	assert_charset("koi8-r", SPAN("\xc1"), "\xd0\xb0");
	assert_charset("utf-7", SPAN("+AOk-x"), "\xc3\xa9x");
}

static void bad_bytes_become_replacement_characters(void **state)
{
	assert_charset("utf-8",
		       SPAN("a\xff"
			    "b\xc3"),
		       "a" FFFD "b" FFFD);
	assert_charset("utf-8", SPAN("\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80"),
		       FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD);
	assert_charset("us-ascii", SPAN("\xfc"), FFFD);
	assert_charset("windows-1252",
		       SPAN("a\x81"
			    "b"),
		       "a" FFFD "b");
	assert_charset("shift_jis", SPAN("a\x82"), "a" FFFD);
}

static void names_that_iconv_would_take_otherwise_are_unknown(void **state)
{
	assert_true(charset_known(SPAN("us-ascii")));
	assert_true(charset_known(SPAN("ISO-8859-15")));
	assert_false(charset_known(SPAN("")));
	assert_false(charset_known(SPAN("x-unknown")));
	assert_false(charset_known(SPAN("utf-16//IGNORE")));
	assert_false(charset_known(SPAN("WCHAR_T")));
	assert_false(charset_known(SPAN("INTERNAL")));
	assert_false(charset_known(SPAN("../../x")));
	assert_false(charset_known(span_of("utf-8\0", 6)));
}

static void utf8_is_told_from_what_is_not(void **state)
{
	assert_true(utf8_is_valid(SPAN("")));
	assert_true(utf8_is_valid(SPAN("\xf4\x8f\xbf\xbf\xee\x80\x80")));
	assert_false(utf8_is_valid(SPAN("\xc1\xbf")));
	assert_false(utf8_is_valid(SPAN("\xe0\x9f\xbf")));
	assert_false(utf8_is_valid(SPAN("\xf0\x8f\xbf\xbf")));
	assert_false(utf8_is_valid(SPAN("abcdefgh\xe2\x82")));
}

static void examples_of_rfc_2047_section_8(void **state)
{
	assert_words("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>",
		     "Keith Moore <moore@cs.utk.edu>");
	assert_words("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=",
		     "Keld J\xc3\xb8rn Simonsen");
	assert_words("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n"
		     "    =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
		     "If you can read this you understand the example.");
	assert_words("(=?ISO-8859-1?Q?a?=)", "(a)");
	assert_words("(=?ISO-8859-1?Q?a?= b)", "(a b)");
	assert_words("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)");
	assert_words("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)");
	assert_words("(=?ISO-8859-1?Q?a_b?=)", "(a b)");
	assert_words("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)");
}

static void characters_split_across_words_are_joined(void **state)
{
	assert_words("=?utf-8?Q?=E2=82?= =?UTF-8?Q?=AC?=", "\xe2\x82\xac");
	assert_words("=?utf-8?B?4oI=?=\r\n =?utf-8?B?rA==?= x", "\xe2\x82\xac x");
	assert_words("=?utf-8?Q?=E2=82?= a =?UTF-8?Q?=AC?=", FFFD " a " FFFD);
}

static void language_suffix_is_ignored(void **state)
{
	assert_words("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore");
}

static void what_is_no_word_stays(void **state)
{
	assert_words("=?utf-8?Q?open", "=?utf-8?Q?open");
	assert_words("=?utf-8?X?a?=", "=?utf-8?X?a?=");
	assert_words("=?no-such-set?Q?a?=", "=?no-such-set?Q?a?=");
	assert_words("=?utf-8?Q?has space?=", "=?utf-8?Q?has space?=");
	assert_words("a = b ? c", "a = b ? c");
	assert_words("=?", "=?");
	assert_words("=?utf-8?Q?"
		     "?=",
		     "");
	assert_words("=?utf-8?Q?=4?=", "=4");
	assert_words("raw gr\xc3\xbc"
		     "\xfc",
		     "raw gr\xc3\xbc" FFFD);
}

static void assert_param(const char *content_type, const char *name, const char *want)
{
	struct arena *a = arena_new(NULL);
	struct mime_value v;
	struct buf out = { 0 };

	assert_true(mime_content_type(a, span_str(content_type), &v));
	if (!words_param(v.params, v.n_params, span_str(name), &out))
		buf_puts(&out, "none");
	arena_free(a);
	assert_buf(&out, want);
}

static void examples_of_rfc_2231(void **state)
{
	assert_param("message/external-body; access-type=URL; URL*0=\"ftp://\";"
		     " URL*1=\"cs.utk.edu/pub/moose/bulk-mailer/bulk-mailer.tar\"",
		     "url", "ftp://cs.utk.edu/pub/moose/bulk-mailer/bulk-mailer.tar");
	assert_param("application/x-stuff; "
		     "title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
		     "title", "This is ***fun***");
	assert_param(
	    "application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20;"
	    " title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
	    "title", "This is even more ***fun*** isn't it!");
}

static void extended_parameters_win_over_plain_ones(void **state)
{
	assert_param("a/b; name=\"plain\"; name*=utf-8''%C3%BC", "name", "\xc3\xbc");
	assert_param("a/b; name*=iso-8859-1''%FC", "NAME", "\xc3\xbc");
	assert_param("a/b; name=\"plain\"", "name", "plain");
	assert_param("a/b; names=x", "name", "none");
	assert_param("a/b; name*1=x", "name", "none");
	assert_param("a/b; name*=no-such''%FC", "name", FFFD);
	assert_param("a/b; name*=%", "name", "%");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(charsets_are_converted_however_cut),
		cmocka_unit_test(bad_bytes_become_replacement_characters),
		cmocka_unit_test(names_that_iconv_would_take_otherwise_are_unknown),
		cmocka_unit_test(utf8_is_told_from_what_is_not),
		cmocka_unit_test(examples_of_rfc_2047_section_8),
		cmocka_unit_test(characters_split_across_words_are_joined),
		cmocka_unit_test(language_suffix_is_ignored),
		cmocka_unit_test(what_is_no_word_stays),
		cmocka_unit_test(examples_of_rfc_2231),
		cmocka_unit_test(extended_parameters_win_over_plain_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
