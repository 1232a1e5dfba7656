/* The body index only narrows: what the matcher finds is never sieved out. */
#include "helper.h"

#include <stdio.h>
#include <stdlib.h>

#include "mail/body_text.h"
#include "mail/match.h"
#include "mail/text_index.h"

static struct text_index *builder;

/* The index of one part of that encoding. */
static struct buf index_of(const char *text, enum coding coding, const char *charset,
			   size_t cut)
{
	struct buf out = { 0 };
	struct span s = span_str(text);

	text_index_part_begin(builder, coding, span_str(charset), false);
	for (; s.n > 0; s = span_sub(s, cut, s.n))
		text_index_part_feed(builder, span_sub(s, 0, cut));
	text_index_part_end(builder);
	text_index_finish(builder, &out);
	assert_true(text_index_is_sound(buf_span(&out)));
	return out;
}

static enum text_answer ask(struct span packed, const char *needle)
{
	struct text_sieve *s = text_sieve_new();
	int k = text_sieve_term(s, span_str(needle));
	enum text_answer a;
	uint64_t may;

	if (k < 0)
		text_sieve_put(s, SIEVE_MAYBE, 0);
	else
		text_sieve_put(s, SIEVE_TERM, (unsigned)k);
	a = text_sieve_ask(s, packed, &may);
	if (k >= 0)
		assert_int_equal(may >> k & 1, a == TEXT_MAYBE);
	text_sieve_free(s);
	return a;
}

static void what_is_there_may_be_and_what_is_not_is_not(void **state)
{
	for (size_t cut = 1; cut < 9; cut++) {
		struct buf x = index_of("The minutes speak of elephants.\r\n",
					CODING_7BIT, "us-ascii", cut);

		assert_int_equal(ask(buf_span(&x), "elephant"), TEXT_MAYBE);
		assert_int_equal(ask(buf_span(&x), "ELEPHANTS."), TEXT_MAYBE);
		assert_int_equal(ask(buf_span(&x), "minutes speak"), TEXT_MAYBE);
		assert_int_equal(ask(buf_span(&x), "giraffe"), TEXT_NO);
		assert_int_equal(ask(buf_span(&x), "elephantine"), TEXT_NO);
		assert_int_equal(ask(buf_span(&x), "el"), TEXT_MAYBE);
		assert_int_equal(ask(buf_span(&x), ""), TEXT_MAYBE);
		buf_done(&x);
	}
}

static void encodings_and_charsets_are_seen_through(void **state)
{
	struct buf x = index_of("R3LDvMOfZSBhdXMgV2llbg==", CODING_BASE64, "utf-8", 5);

	assert_int_equal(ask(buf_span(&x), "gr\xc3\x9c\xc3\x9f"), TEXT_MAYBE);
	assert_int_equal(ask(buf_span(&x), "aus wien"), TEXT_MAYBE);
	assert_int_equal(ask(buf_span(&x), "R3LDvMO"), TEXT_NO);
	buf_done(&x);
	x = index_of("gr=FC=DFe aus W=\r\nien", CODING_QP, "iso-8859-1", 3);
	assert_int_equal(ask(buf_span(&x), "gr\xc3\xbc\xc3\x9f"
					   "e"),
			 TEXT_MAYBE);
	assert_int_equal(ask(buf_span(&x), "wien"), TEXT_MAYBE);
	buf_done(&x);
}

static void a_text_too_short_has_nothing(void **state)
{
	struct buf x = index_of("ab", CODING_7BIT, "us-ascii", 9);

	assert_int_equal(ask(buf_span(&x), "abc"), TEXT_NO);
	buf_done(&x);
	x = index_of("", CODING_7BIT, "us-ascii", 9);
	assert_int_equal(ask(buf_span(&x), "abc"), TEXT_NO);
	buf_done(&x);
}

static void what_is_no_index_says_maybe(void **state)
{
	assert_int_equal(ask(SPAN_NONE, "abc"), TEXT_MAYBE);
	assert_int_equal(ask(SPAN("\2"), "abc"), TEXT_MAYBE);
	assert_int_equal(ask(span_of("\2\0\4\0ab", 6), "abc"), TEXT_MAYBE);
	assert_int_equal(ask(span_of("\3\0\0\0", 4), "abc"), TEXT_MAYBE);
	assert_int_equal(ask(span_of("\2\1\0\0", 4), "abc"), TEXT_MAYBE);
}

/* Every pair of bytes beside each other: too many trigrams to tell anything by. */
static void noise_says_maybe_to_everything(void **state)
{
	struct buf text = { 0 }, out = { 0 };

	srandom(3);
	for (int i = 0; i < 400000; i++)
		buf_putc(&text, (char)(33 + random() % 64));
	text_index_part_begin(builder, CODING_7BIT, SPAN("us-ascii"), false);
	text_index_part_feed(builder, buf_span(&text));
	text_index_part_end(builder);
	text_index_finish(builder, &out);
	assert_int_equal(out.n, 4);
	assert_int_equal(ask(buf_span(&out), "abcdefgh"), TEXT_MAYBE);
	buf_done(&text);
	buf_done(&out);
}

/* FLAGGED OR (NOT (BODY a)) (AND maybe BODY b) and its like. */
static void programs_are_answered_as_far_as_can_be(void **state)
{
	struct buf x = index_of("elephants", CODING_7BIT, "us-ascii", 9);
	struct text_sieve *s = text_sieve_new(), *copy;
	unsigned yes = (unsigned)text_sieve_term(s, SPAN("elephant"));
	unsigned no = (unsigned)text_sieve_term(s, SPAN("giraffe"));
	uint64_t may;

	text_sieve_put(s, SIEVE_TERM, no);
	text_sieve_put(s, SIEVE_NOT, 0);
	text_sieve_put(s, SIEVE_MAYBE, 0);
	text_sieve_put(s, SIEVE_TERM, yes);
	text_sieve_put(s, SIEVE_AND, 2);
	text_sieve_put(s, SIEVE_OR, 2);
	assert_true(text_sieve_is_useful(s));
	copy = text_sieve_copy(s);
	assert_int_equal(text_sieve_ask(copy, buf_span(&x), &may), TEXT_YES);
	assert_int_equal(may, 1u << yes);
	text_sieve_free(copy);
	text_sieve_put(s, SIEVE_NOT, 0);
	assert_int_equal(text_sieve_ask(s, buf_span(&x), &may), TEXT_NO);
	text_sieve_free(s);
	buf_done(&x);
}

static void a_program_too_large_is_refused(void **state)
{
	struct text_sieve *s = text_sieve_new();
	unsigned k = (unsigned)text_sieve_term(s, SPAN("elephant"));

	for (int i = 0; i < TEXT_SIEVE_DEPTH; i++)
		assert_true(text_sieve_put(s, SIEVE_TERM, k));
	assert_false(text_sieve_put(s, SIEVE_TERM, k));
	assert_false(text_sieve_is_useful(s));
	text_sieve_free(s);
}

/* Letters few enough that needles are often there. */
static size_t random_text(char *to, size_t most)
{
	static const char *const letters[] = {
		"a",	"B",	   "c", " ", "\xc3\xa4", "\xc3\x84", "\xe2\x82\xac",
		"\r\n", "\xc3\x9f"
	};
	size_t n = (size_t)random() % most, at = 0;

	for (size_t i = 0; i < n; i++)
		at += (size_t)sprintf(to + at, "%s", letters[random() % 9]);
	to[at] = 0;
	return at;
}

static void what_the_matcher_finds_is_never_sieved_out(void **state)
{
	char text[800], needle[80];
	size_t found = 0, sieved = 0;

	srandom(11);
	for (int round = 0; round < 20000; round++) {
		struct arena *a = arena_new(NULL);
		struct match_needle *m;
		struct buf x;
		bool is_found;

		random_text(text, 200);
		random_text(needle, 9);
		m = match_needle_new(a, comparator_default(), span_str(needle));
		is_found = match_text(m, span_str(text));
		x = index_of(text, CODING_8BIT, "utf-8", 1 + (size_t)random() % 90);
		if (is_found)
			assert_int_equal(ask(buf_span(&x), needle), TEXT_MAYBE);
		else
			sieved += ask(buf_span(&x), needle) == TEXT_NO;
		found += is_found;
		buf_done(&x);
		arena_free(a);
	}
	assert_true(found > 1000 && sieved > 1000);
}

static void of_a_message_the_text_parts_are_in_it(void **state)
{
	const char *message =
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n"
	    "--b\r\n\r\nelephants\r\n--b\r\nContent-Type: "
	    "application/x\r\n\r\ngiraffes\r\n--b--\r\nepilogue\r\n";
	struct scanned r = scan(span_str(message));
	struct buf out = { 0 };

	text_index_message(builder, &r.s, span_str(message), &out);
	assert_int_equal(ask(buf_span(&out), "elephants"), TEXT_MAYBE);
	assert_int_equal(ask(buf_span(&out), "giraffes"), TEXT_NO);
	assert_int_equal(ask(buf_span(&out), "preamble"), TEXT_NO);
	buf_done(&out);
	buf_done(&r.blob);
}

static int make(void **state)
{
	builder = text_index_new();
	return 0;
}

static int drop(void **state)
{
	text_index_free(builder);
	return 0;
}

/* Version 1 had HTML as it was written: what is seen may not be in it. */
static void an_index_of_another_version_says_maybe(void **state)
{
	struct buf x = index_of("elephants", CODING_7BIT, "us-ascii", 9);

	assert_false(text_index_is_old(buf_span(&x)));
	x.p[x.off] = 1;
	assert_true(text_index_is_old(buf_span(&x)));
	assert_false(text_index_is_sound(buf_span(&x)));
	assert_int_equal(ask(buf_span(&x), "giraffe"), TEXT_MAYBE);
	buf_done(&x);
}

static void of_html_it_has_what_is_seen(void **state)
{
	static const char html[] = "<p class=\"giraffe\">ele<b>ph</b>ants &amp;\r\n  mice</p>";
	struct buf x = { 0 };

	text_index_part_begin(builder, CODING_7BIT, SPAN("us-ascii"), true);
	text_index_part_feed(builder, span_str(html));
	text_index_part_end(builder);
	text_index_finish(builder, &x);
	assert_int_equal(ask(buf_span(&x), "elephants & mice"), TEXT_MAYBE);
	assert_int_equal(ask(buf_span(&x), "giraffe"), TEXT_NO);
	buf_done(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_there_may_be_and_what_is_not_is_not),
		cmocka_unit_test(encodings_and_charsets_are_seen_through),
		cmocka_unit_test(a_text_too_short_has_nothing),
		cmocka_unit_test(what_is_no_index_says_maybe),
		cmocka_unit_test(an_index_of_another_version_says_maybe),
		cmocka_unit_test(of_html_it_has_what_is_seen),
		cmocka_unit_test(noise_says_maybe_to_everything),
		cmocka_unit_test(programs_are_answered_as_far_as_can_be),
		cmocka_unit_test(a_program_too_large_is_refused),
		cmocka_unit_test(what_the_matcher_finds_is_never_sieved_out),
		cmocka_unit_test(of_a_message_the_text_parts_are_in_it),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
