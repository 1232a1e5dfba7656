/* LMTP's paths, parameters and dots (RFC 5321 sections 4.1.2 and 4.5.2, RFC 6531). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "server/lmtp_grammar.h"

static void span_is(struct span s, const char *want)
{
	if (!span_eq(s, span_str(want)))
		fail_msg("\"%.*s\" is not \"%s\"", (int)s.n, s.p, want);
}

static void path_is(const char *path, const char *text, const char *local,
		    const char *domain, const char *rest)
{
	struct arena *a = arena_new(NULL);
	struct span s = span_str(path);
	struct lmtp_address x;

	if (!lmtp_path(a, &s, &x))
		fail_msg("refused: %s", path);
	span_is(x.text, text);
	span_is(x.local, local);
	span_is(x.domain, domain);
	span_is(s, rest);
	arena_free(a);
}

static void paths_are_taken_apart(void **state)
{
	path_is("<>", "", "", "", "");
	path_is("<> SIZE=1", "", "", "", " SIZE=1");
	path_is("<a@b.c>", "a@b.c", "a", "b.c", "");
	path_is("<a>", "a", "a", "", "");
	path_is("<@x.y:a@b>", "a@b", "a", "b", "");
	path_is("<@x,@[::1]:a@b>x", "a@b", "a", "b", "x");
	path_is("<\"a b\"@c>", "\"a b\"@c", "a b", "c", "");
	path_is("<\"a\\\"b\\\\>@\"@c>", "\"a\\\"b\\\\>@\"@c", "a\"b\\>@", "c", "");
	path_is("<\"\"@c>", "\"\"@c", "", "c", "");
	path_is("<a.b+c/d=e@[IPv6:2001:db8::1]>", "a.b+c/d=e@[IPv6:2001:db8::1]",
		"a.b+c/d=e", "[IPv6:2001:db8::1]", "");
	path_is("<j\xc3\xb6rg@\xc3\xa4.de>", "j\xc3\xb6rg@\xc3\xa4.de", "j\xc3\xb6rg",
		"\xc3\xa4.de", "");
}

static void what_is_no_path_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"",	     "a@b",	  "<",		"<a",	       "<a@b",
		"<@",	     "<@a",	  "<@a>",	"<@a:",	       "<@a:>",
		"<@:a>",     "<@a,:b>",	  "<a@>",	"<a@@b>",      "< a@b>",
		"<a b@c>",   "<a@b c>",	  "<a@b@c>",	"<\">",	       "<\"a",
		"<\"a\\",    "<\"a\\\">", "<\"a\"b@c>", "<a@[b>",      "<a@[]>",
		"<a@[b>]>",  "<a\r@b>",	  "<a\n@b>",	"<\"a\r\"@b>", "<\"a\x7f\"@b>",
		"<a\x80@b>", "<a@\xc3>",  "<a<b@c>",	"<,@c>",       "<(a)@b>",
	};
	struct arena *a = arena_new(NULL);

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct span s = span_str(bad[i]);
		struct lmtp_address x = { .text = SPAN_INIT("as it was") };

		if (lmtp_path(a, &s, &x))
			fail_msg("taken: %s", bad[i]);
		span_is(s, bad[i]);
		span_is(x.text, "as it was");
	}
	arena_free(a);
}

static void utf8_is_noticed(void **state)
{
	struct arena *a = arena_new(NULL);
	struct lmtp_address x;
	struct span s = SPAN("<a@b>");

	assert_true(lmtp_path(a, &s, &x));
	assert_false(x.has_utf8);
	s = SPAN("<a@\xc3\xa4>");
	assert_true(lmtp_path(a, &s, &x));
	assert_true(x.has_utf8);
	s = SPAN("<\"\xc3\xa4\">");
	assert_true(lmtp_path(a, &s, &x));
	assert_true(x.has_utf8);
	arena_free(a);
}

static void parameters_follow_one_another(void **state)
{
	struct span s = SPAN(" SIZE=10 BODY=8BITMIME  SMTPUTF8 "), key, value;

	assert_int_equal(lmtp_param(&s, &key, &value), 1);
	span_is(key, "SIZE");
	span_is(value, "10");
	assert_int_equal(lmtp_param(&s, &key, &value), 1);
	span_is(key, "BODY");
	span_is(value, "8BITMIME");
	assert_int_equal(lmtp_param(&s, &key, &value), 1);
	span_is(key, "SMTPUTF8");
	span_is(value, "");
	assert_int_equal(lmtp_param(&s, &key, &value), 0);
	static const char *const bad[] = { "SIZE=1", " =1",	   " SIZE=",
					   " -A=1",  " SIZE=\x01", " <" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		s = span_str(bad[i]);
		assert_int_equal(lmtp_param(&s, &key, &value), -1);
	}
	s = SPAN(" A=1=2");
	assert_int_equal(lmtp_param(&s, &key, &value), 1);
	assert_int_equal(lmtp_param(&s, &key, &value), -1);
}

static void names_are_split_at_the_first_plus(void **state)
{
	static const struct {
		const char *local, *base, *detail;
	} cases[] = {
		{ "a", "a", "" },     { "a+b", "a", "b" }, { "a+b+c", "a", "b+c" },
		{ "a+", "a", "" },    { "+a", "+a", "" },  { "+", "+", "" },
		{ "++a", "++a", "" }, { "", "", "" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct span base, detail;

		lmtp_split(span_str(cases[i].local), &base, &detail);
		span_is(base, cases[i].base);
		span_is(detail, cases[i].detail);
	}
}

/* Feeds in pieces of `step` bytes; the text, and what was not taken. */
static struct span undot(struct buf *out, struct span in, size_t step, bool *ret_end)
{
	struct lmtp_dots d = { 0 };
	size_t at = 0;

	buf_clear(out);
	while (at < in.n && d.at != LMTP_END) {
		struct span piece = span_sub(in, at, step);
		size_t n = lmtp_dots(&d, piece, out);

		assert_true(n == piece.n || d.at == LMTP_END);
		at += n;
	}
	*ret_end = d.at == LMTP_END;
	return span_sub(in, at, in.n);
}

static void the_end_is_crlf_dot_crlf_however_it_is_cut(void **state)
{
	static const struct {
		const char *wire, *text, *rest; /* rest NULL: no end */
	} cases[] = {
		{ ".\r\nNOOP\r\n", "", "NOOP\r\n" },
		{ "a\r\n.\r\nx", "a\r\n", "x" },
		{ "..\r\n.\r\n", ".\r\n", "" },
		{ ".a\r\n...b\r\n.\r\n", "a\r\n..b\r\n", "" },
		{ "a.\r\n.\r\n", "a.\r\n", "" },
		{ "\r\n\r\n.\r\n", "\r\n\r\n", "" },
		{ "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", "" },
		{ "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", "" },
		{ "a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", "" },
		{ "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", "" },
		{ "a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", "" },
		{ "a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n", "" },
		{ "a\r\r\n.\r\n", "a\r\r\n", "" },
		{ "a\r\n.\r\n.\r\n", "a\r\n", ".\r\n" },
		{ "a\r\n.", "a\r\n", NULL },
		{ "a\r\n.\r", "a\r\n", NULL },
		{ "a.\r\nb", "a.\r\nb", NULL },
	};
	struct buf out = { 0 };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t step = 1; step < 12; step++) {
			bool has_end;
			struct span rest = undot(&out, span_str(cases[i].wire), step,
						 &has_end);

			span_is(buf_span(&out), cases[i].text);
			assert_int_equal(has_end, cases[i].rest != NULL);
			if (has_end)
				span_is(rest, cases[i].rest);
		}
	buf_done(&out);
}

/* RFC 5321 section 4.5.2, the sender's side. */
static void dot(struct buf *out, struct span text)
{
	bool is_line = true;

	for (size_t i = 0; i < text.n; i++) {
		if (is_line && text.p[i] == '.')
			buf_putc(out, '.');
		buf_putc(out, text.p[i]);
		is_line = i > 0 && text.p[i - 1] == '\r' && text.p[i] == '\n';
	}
	buf_puts(out, ".\r\n");
}

static void any_text_that_ends_a_line_comes_through(void **state)
{
	static const char bytes[] = { '.', '\r', '\n', 'a', '\0' };
	struct buf wire = { 0 }, out = { 0 };

	srand(1);
	for (int round = 0; round < 20000; round++) {
		char text[24];
		size_t n = (size_t)(rand() % 20);
		bool has_end;

		for (size_t i = 0; i < n; i++)
			text[i] = bytes[rand() % (int)sizeof bytes];
		if (n) {
			memcpy(text + n, "\r\n", 2);
			n += 2;
		}
		buf_clear(&wire);
		dot(&wire, span_of(text, n));
		buf_puts(&wire, "rest");
		struct span rest = undot(&out, buf_span(&wire), (size_t)(1 + rand() % 9),
					 &has_end);
		assert_true(has_end);
		assert_true(span_eq(buf_span(&out), span_of(text, n)));
		span_is(rest, "rest");
	}
	buf_done(&wire);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_taken_apart),
		cmocka_unit_test(what_is_no_path_changes_nothing),
		cmocka_unit_test(utf8_is_noticed),
		cmocka_unit_test(parameters_follow_one_another),
		cmocka_unit_test(names_are_split_at_the_first_plus),
		cmocka_unit_test(the_end_is_crlf_dot_crlf_however_it_is_cut),
		cmocka_unit_test(any_text_that_ends_a_line_comes_through),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
