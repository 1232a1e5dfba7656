/* Framing (RFC 9051 sections 2.2 and 4.3, RFC 7888). */
#include "reader.h"
#include "wire/frame.h"

static const struct frame_limits limits = { .line_bytes = 100, .total_bytes = 200 };

static enum frame_rc next(struct frame *f, const char *in, struct frame_literal *l)
{
	return frame_next(f, &limits, exact(span_str(in)), l);
}

static enum frame_rc first(enum frame_role role, const char *in, struct frame *f,
			   struct frame_literal *l)
{
	frame_init(f, role);
	return next(f, in, l);
}

static void a_line_is_a_frame(void **state)
{
	struct frame f;
	struct frame_literal l;

	assert_int_equal(first(FRAME_COMMANDS, "a NOOP\r\nb NOOP\r\n", &f, &l),
			 FRAME_DONE);
	assert_int_equal(f.scanned, 8);
	assert_int_equal(first(FRAME_COMMANDS, "\r\n", &f, &l), FRAME_DONE);
	assert_int_equal(f.scanned, 2);
}

static void a_frame_may_arrive_byte_by_byte(void **state)
{
	const char all[] = "a LOGIN {3+}\r\nbob ~{2}\r\n\r\n x\r\n";
	struct frame f;
	struct frame_literal l;
	size_t literals = 0;

	frame_init(&f, FRAME_COMMANDS);
	for (size_t n = 0; n < strlen(all); n++) {
		enum frame_rc rc = frame_next(&f, &limits, exact(span_of(all, n)), &l);

		if (rc == FRAME_LITERAL) {
			assert_int_equal(l.bytes, literals == 0 ? 3 : 2);
			assert_int_equal(l.sync, literals == 1);
			assert_int_equal(l.literal8, literals == 1);
			assert_int_equal(all[l.header_off], literals == 0 ? '{' : '~');
			assert_true(frame_accept(&f, &limits, &l));
			literals++;
		} else {
			assert_int_equal(rc, FRAME_MORE);
		}
	}
	assert_int_equal(literals, 2);
	assert_int_equal(next(&f, all, &l), FRAME_DONE);
	assert_int_equal(f.scanned, strlen(all));
}

static void every_form_of_a_literal_is_found(void **state)
{
	struct frame f;
	struct frame_literal l;

	assert_int_equal(first(FRAME_COMMANDS, "a B {0}\r\n", &f, &l), FRAME_LITERAL);
	assert_int_equal(l.bytes, 0);
	assert_true(l.sync);
	assert_int_equal(first(FRAME_COMMANDS, "a B ~{7+}\r\n", &f, &l), FRAME_LITERAL);
	assert_false(l.sync);
	assert_true(l.literal8);
	assert_int_equal(l.header_off, 4);
	assert_int_equal(first(FRAME_COMMANDS, "a {9223372036854775807}\r\n", &f, &l),
			 FRAME_LITERAL);
	assert_true(l.bytes == INT64_MAX);
	assert_int_equal(first(FRAME_COMMANDS, "a {1{2}\r\n", &f, &l), FRAME_LITERAL);
	assert_int_equal(l.bytes, 2);
}

static void what_is_no_header_is_text(void **state)
{
	static const char *const lines[] = { "a {}\r\n",    "a {+}\r\n",   "a {1}}\r\n",
					     "a {1} \r\n",  "a {1++}\r\n", "a {1+1}\r\n",
					     "a 1}\r\n",    "a {-1}\r\n",  "a {1 }\r\n",
					     "a {0x1}\r\n", "a {5}x\r\n" };
	struct frame f;
	struct frame_literal l;

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		assert_int_equal(first(FRAME_COMMANDS, lines[i], &f, &l), FRAME_DONE);
}

static void broken_lines_are_bad_and_end_where_they_end(void **state)
{
	struct frame f;
	struct frame_literal l;
	struct span nul = SPAN("a \0b\r\nc");

	assert_int_equal(first(FRAME_COMMANDS, "a NOOP\nb\r\n", &f, &l), FRAME_BAD_LINE);
	assert_int_equal(f.scanned, 7);
	assert_int_equal(first(FRAME_COMMANDS, "a \rNOOP\r\nb\r\n", &f, &l),
			 FRAME_BAD_LINE);
	assert_int_equal(f.scanned, 9);
	assert_int_equal(first(FRAME_COMMANDS, "a\r\r\n", &f, &l), FRAME_BAD_LINE);
	frame_init(&f, FRAME_COMMANDS);
	assert_int_equal(frame_next(&f, &limits, exact(nul), &l), FRAME_BAD_LINE);
	assert_int_equal(f.scanned, 6);
}

static void numbers_over_63_bits_are_refused(void **state)
{
	struct frame f;
	struct frame_literal l;

	/* The client waits: a BAD is enough. */
	assert_int_equal(first(FRAME_COMMANDS, "a {9223372036854775808}\r\n", &f, &l),
			 FRAME_BAD_LINE);
	/* The client does not wait: nobody knows where the literal ends. */
	assert_int_equal(first(FRAME_COMMANDS, "a {99999999999999999999+}\r\n", &f, &l),
			 FRAME_LOST);
}

static void limits_hold_for_lines_and_frames(void **state)
{
	char line[128];
	struct frame f;
	struct frame_literal l;

	memset(line, 'x', sizeof line);
	memcpy(line + 98, "\r\n", 3);
	assert_int_equal(first(FRAME_COMMANDS, line, &f, &l), FRAME_DONE);
	memcpy(line + 98, "x\r\n", 4);
	assert_int_equal(first(FRAME_COMMANDS, line, &f, &l), FRAME_LONG);
	assert_int_equal(first(FRAME_COMMANDS, "a {180}\r\n", &f, &l), FRAME_LITERAL);
	assert_true(frame_accept(&f, &limits, &l));
	assert_int_equal(first(FRAME_COMMANDS, "a {9223372036854775807}\r\n", &f, &l),
			 FRAME_LITERAL);
	assert_false(frame_accept(&f, &limits, &l));
}

static void literals_do_not_count_as_lines(void **state)
{
	char in[200];
	struct frame f;
	struct frame_literal l;

	memset(in, '\n', sizeof in);
	memcpy(in, "a {150+}\r\n", 10);
	memcpy(in + 160, " x\r\n", 5);
	assert_int_equal(first(FRAME_COMMANDS, in, &f, &l), FRAME_LITERAL);
	assert_true(frame_accept(&f, &limits, &l));
	assert_int_equal(next(&f, in, &l), FRAME_DONE);
	assert_int_equal(f.scanned, 164);
}

static void text_behind_a_streamed_literal_is_a_frame(void **state)
{
	struct frame f;
	struct frame_literal l;

	assert_int_equal(first(FRAME_COMMANDS, "a APPEND x {5}\r\n", &f, &l),
			 FRAME_LITERAL);
	frame_reset(&f);
	assert_int_equal(next(&f, " {6}\r\n", &l), FRAME_LITERAL);
	frame_reset(&f);
	assert_int_equal(next(&f, "\r\n", &l), FRAME_DONE);
}

/* Feeds `in` in pieces of `step` bytes; returns how many were dropped until DONE. */
static size_t skip_all(struct frame *f, struct span in, size_t step)
{
	size_t at = 0;

	while (at < in.n) {
		size_t used = 0;
		enum frame_rc rc = frame_skip(f, exact(span_sub(in, at, step)), &used);

		at += used;
		if (rc == FRAME_DONE)
			return at;
		assert_int_equal(rc, FRAME_MORE);
	}
	return SIZE_MAX;
}

static void a_long_line_is_skipped_with_its_literals(void **state)
{
	struct span rest =
	    SPAN("more {4+}\r\n\r\nb  {3+}\r\nxyz~{1+}\r\nq end\r\nb NOOP\r\n");
	struct frame_limits tiny = { .line_bytes = 10, .total_bytes = 100 };
	struct frame_literal l;
	struct frame f;

	for (size_t step = 1; step <= rest.n; step++) {
		frame_init(&f, FRAME_COMMANDS);
		assert_int_equal(frame_next(&f, &tiny, exact(SPAN("a xxxxxxxxxx")), &l),
				 FRAME_LONG);
		frame_skip_begin(&f, NULL);
		assert_true(frame_is_skipping(&f));
		assert_int_equal(skip_all(&f, rest, step), rest.n - 8);
		assert_false(frame_is_skipping(&f));
	}
}

static void a_header_cut_by_the_limit_is_still_seen(void **state)
{
	struct span all = SPAN("abcdef {12+}\r\nb DELETE x\r\nend\r\nc NOOP\r\n");

	for (size_t cut = 1; cut < 14; cut++) {
		struct frame_limits tiny = { .line_bytes = cut, .total_bytes = 100 };
		struct frame_literal l;
		struct frame f;

		frame_init(&f, FRAME_COMMANDS);
		assert_int_equal(frame_next(&f, &tiny, exact(all), &l), FRAME_LONG);
		all = span_sub(all, f.scanned, all.n);
		frame_skip_begin(&f, NULL);
		assert_int_equal(skip_all(&f, all, 3), all.n - 8);
		all = SPAN("abcdef {12+}\r\nb DELETE x\r\nend\r\nc NOOP\r\n");
	}
}

static void a_bad_line_takes_its_literal_along(void **state)
{
	struct frame f;
	struct frame_literal l;

	/* Otherwise the literal would be run as a command. */
	assert_int_equal(first(FRAME_COMMANDS, "a \rx {12+}\r\n", &f, &l),
			 FRAME_BAD_LINE);
	frame_skip_begin(&f, NULL);
	assert_int_equal(skip_all(&f, SPAN("b DELETE x\r\n\r\nc NOOP\r\n"), 5), 14);
	/* A client that waits for "+" sends nothing more. */
	assert_int_equal(first(FRAME_COMMANDS, "a \rx {12}\r\n", &f, &l), FRAME_BAD_LINE);
	frame_skip_begin(&f, NULL);
	assert_false(frame_is_skipping(&f));
	assert_int_equal(next(&f, "c NOOP\r\n", &l), FRAME_DONE);
}

static void a_refused_literal_is_skipped(void **state)
{
	struct frame f;
	struct frame_literal l;

	assert_int_equal(first(FRAME_COMMANDS, "a x {500+}\r\n", &f, &l), FRAME_LITERAL);
	assert_false(frame_accept(&f, &limits, &l));
	l.bytes = 5;
	frame_skip_begin(&f, &l);
	assert_int_equal(skip_all(&f, SPAN("12345 {2}\r\nb NOOP\r\n"), 2), 11);
	assert_int_equal(first(FRAME_COMMANDS, "a x {500}\r\n", &f, &l), FRAME_LITERAL);
	frame_skip_begin(&f, &l);
	assert_false(frame_is_skipping(&f));
}

static void responses_have_literals_but_not_in_their_text(void **state)
{
	struct frame f;
	struct frame_literal l;

	assert_int_equal(first(FRAME_RESPONSES, "* 1 FETCH (BODY[] {5}\r\n", &f, &l),
			 FRAME_LITERAL);
	assert_int_equal(first(FRAME_RESPONSES, "* LIST () \"/\" {3}\r\n", &f, &l),
			 FRAME_LITERAL);
	assert_int_equal(first(FRAME_RESPONSES, "* 1 FETCH (BODY[] {5+}\r\n", &f, &l),
			 FRAME_DONE);
	assert_int_equal(first(FRAME_RESPONSES, "* OK wait {5}\r\n", &f, &l), FRAME_DONE);
	assert_int_equal(first(FRAME_RESPONSES, "a1 NO {5}\r\n", &f, &l), FRAME_DONE);
	assert_int_equal(first(FRAME_RESPONSES, "+ {5}\r\n", &f, &l), FRAME_DONE);
	assert_int_equal(first(FRAME_RESPONSES, "* bye {5}\r\n", &f, &l), FRAME_DONE);
}

static void the_tag_of_a_broken_line_is_found(void **state)
{
	assert_span(frame_tag(SPAN("a1 \x80")), "a1");
	assert_span(frame_tag(SPAN("a]1\n")), "a]1");
	assert_span(frame_tag(SPAN("+ x")), "");
	assert_span(frame_tag(SPAN("a+b x")), "");
	assert_span(frame_tag(SPAN("(a x")), "");
	assert_span(frame_tag(SPAN(" a x")), "");
	assert_span(frame_tag(SPAN("")), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_a_frame),
		cmocka_unit_test(a_frame_may_arrive_byte_by_byte),
		cmocka_unit_test(every_form_of_a_literal_is_found),
		cmocka_unit_test(what_is_no_header_is_text),
		cmocka_unit_test(broken_lines_are_bad_and_end_where_they_end),
		cmocka_unit_test(numbers_over_63_bits_are_refused),
		cmocka_unit_test(limits_hold_for_lines_and_frames),
		cmocka_unit_test(literals_do_not_count_as_lines),
		cmocka_unit_test(text_behind_a_streamed_literal_is_a_frame),
		cmocka_unit_test(a_long_line_is_skipped_with_its_literals),
		cmocka_unit_test(a_header_cut_by_the_limit_is_still_seen),
		cmocka_unit_test(a_bad_line_takes_its_literal_along),
		cmocka_unit_test(a_refused_literal_is_skipped),
		cmocka_unit_test(responses_have_literals_but_not_in_their_text),
		cmocka_unit_test(the_tag_of_a_broken_line_is_found),
	};
	return RUN(tests);
}
