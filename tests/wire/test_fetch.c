/* FETCH and STORE arguments (RFC 9051 sections 6.4.5 and 6.4.6). */
#include "reader.h"
#include "wire/fetch.h"

#define EVERYTHING ((1u << 18) - 1)

static struct fetch_args parse(const char *text)
{
	struct cursor c = on(arena_printf(arena, "%s\r\n", text));
	struct fetch_args a = { 0 };

	assert_true(cursor_fetch_args(&c, EVERYTHING, &a));
	assert_true(cursor_end(&c));
	return a;
}

static bool is_refused(const char *text, unsigned allowed)
{
	struct cursor c = on(arena_printf(arena, "%s\r\n", text));
	struct fetch_args a;

	return !cursor_fetch_args(&c, allowed, &a) || !cursor_end(&c);
}

static const char *label(const char *text)
{
	struct fetch_args a = parse(text);
	struct buf b = { 0 };

	emit_fetch_label(&b, (struct emit_mode){ 0 }, &a.items[0]);
	return text_of(&b);
}

static const char *emitted(const char *text)
{
	struct fetch_args a = parse(text);
	struct buf b = { 0 };

	emit_fetch_args(&b, (struct emit_mode){ 0 }, &a);
	return text_of(&b);
}

static void macros_stand_for_items(void **state)
{
	assert_string_equal(emitted("ALL"), "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)");
	assert_string_equal(emitted("fast"), "(FLAGS INTERNALDATE RFC822.SIZE)");
	assert_string_equal(emitted("Full"),
			    "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)");
	assert_true(is_refused("(ALL)", EVERYTHING));
	assert_true(is_refused("ALL FLAGS", EVERYTHING));
}

static void every_item_survives_the_round_trip(void **state)
{
	static const char *const items[] = {
		"(ENVELOPE)",
		"(FLAGS)",
		"(INTERNALDATE)",
		"(RFC822.SIZE)",
		"(RFC822)",
		"(RFC822.HEADER)",
		"(RFC822.TEXT)",
		"(BODY)",
		"(BODYSTRUCTURE)",
		"(UID)",
		"(MODSEQ)",
		"(SAVEDATE)",
		"(EMAILID THREADID)",
		"(PREVIEW)",
		"(PREVIEW (LAZY) UID)",
		"(BODY[])",
		"(BODY.PEEK[])",
		"(BODY[1])",
		"(BODY[1.2.3]<0.1>)",
		"(BODY[HEADER])",
		"(BODY[TEXT])",
		"(BODY[1.MIME])",
		"(BODY[1.HEADER] BODY[1.TEXT])",
		"(BODY.PEEK[HEADER.FIELDS (Subject \"a b\")]<0.9223372036854775807>)",
		"(BODY[4.2.HEADER.FIELDS.NOT (X)])",
		"(BINARY[])",
		"(BINARY.PEEK[1.2]<5.6>)",
		"(BINARY.SIZE[2])",
		"(UID) (CHANGEDSINCE 12345 VANISHED)",
	};

	for (size_t i = 0; i < sizeof items / sizeof *items; i++)
		assert_string_equal(emitted(items[i]), items[i]);
}

static void labels_are_those_of_the_response(void **state)
{
	assert_string_equal(label("BODY.PEEK[HEADER.FIELDS (Subject)]<0.10>"),
			    "BODY[HEADER.FIELDS (Subject)]<0>");
	assert_string_equal(label("BINARY.PEEK[1]<7.8>"), "BINARY[1]<7>");
	assert_string_equal(label("binary.size[2]"), "BINARY.SIZE[2]");
	assert_string_equal(label("rfc822.text"), "RFC822.TEXT");
	assert_string_equal(label("body"), "BODY");
	assert_string_equal(label("BODY[]"), "BODY[]");
	assert_string_equal(label("BODY[header.fields ({3+}\r\nA B)]"),
			    "BODY[HEADER.FIELDS (\"A B\")]");
}

static void some_items_set_seen(void **state)
{
	assert_true(parse("BODY[]").sets_seen);
	assert_true(parse("BINARY[1]").sets_seen);
	assert_true(parse("RFC822").sets_seen);
	assert_true(parse("RFC822.TEXT").sets_seen);
	assert_false(parse("RFC822.HEADER").sets_seen);
	assert_false(
	    parse("(BODY BODYSTRUCTURE ENVELOPE BODY.PEEK[] BINARY.PEEK[1])").sets_seen);
	assert_false(parse("BINARY.SIZE[1]").sets_seen);
	assert_true(parse("(BODY.PEEK[] BODY[])").sets_seen);
}

static void doubles_are_answered_once(void **state)
{
	assert_string_equal(emitted("(FLAGS UID FLAGS BODY.PEEK[] BODY[])"),
			    "(FLAGS UID BODY[])");
	assert_string_equal(emitted("(BODY[1] BODY[2] BODY[1]<0.1>)"),
			    "(BODY[1] BODY[2] BODY[1]<0.1>)");
}

static void sections_are_values(void **state)
{
	struct fetch_args a = parse("BODY[3.1.HEADER.FIELDS.NOT (From To)]<100.5>");
	const struct fetch_item *i = &a.items[0];

	assert_int_equal(i->kind, FETCH_SECTION);
	assert_int_equal(i->section.n_path, 2);
	assert_int_equal(i->section.path[0], 3);
	assert_int_equal(i->section.text, FETCH_TEXT_HEADER_FIELDS_NOT);
	assert_int_equal(i->section.n_names, 2);
	assert_span(i->section.names[1], "To");
	assert_true(i->has_partial);
	assert_int_equal(i->offset, 100);
	assert_int_equal(i->bytes, 5);
	a = parse("RFC822.HEADER");
	assert_int_equal(a.items[0].section.text, FETCH_TEXT_HEADER);
	assert_int_equal(a.kinds, FETCH_RFC822_HEADER);
}

static void malformed_items_are_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"()",
		"FLAGS UID",
		"(FLAGS",
		"(FLAGS UID",
		"(FLAGS  UID)",
		"FLAGS[]",
		"BODY[",
		"BODY[MIME]",
		"BODY[1.]",
		"BODY[.1]",
		"BODY[0]",
		"BODY[01]",
		"BODY[1..2]",
		"BODY[FOO]",
		"BODY[HEADER.FIELDS]",
		"BODY[HEADER.FIELDS ()]",
		"BODY[HEADER.1]",
		"BODY[]<0>",
		"BODY[]<0.0>",
		"BODY[]<.1>",
		"BODY[]<0.1",
		"BODY[]<-1.1>",
		"BODY[]<0.9223372036854775808>",
		"BODY<0.1>",
		"BINARY",
		"BINARY[TEXT]",
		"BINARY[1.TEXT]",
		"BINARY.SIZE[1]<0.1>",
		"BODYSTRUCTURE[]",
		"BODY.PEEK",
		"BODY[TEXT.MIME]",
		"BODY [1]",
		"UIDX",
		"UID ()",
		"FLAGS (X",
		"BODY[4294967296]",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_true(is_refused(bad[i], EVERYTHING));
}

static void items_of_an_extension_need_it(void **state)
{
	assert_true(is_refused("MODSEQ", FETCH_BASE));
	assert_false(is_refused("MODSEQ", FETCH_BASE | FETCH_MODSEQ));
	assert_false(is_refused("(RFC822 RFC822.TEXT BINARY[1])", FETCH_BASE));
}

static void limits_hold(void **state)
{
	struct buf b = { 0 };

	buf_puts(&b, "BODY[1");
	for (int i = 1; i < WIRE_PART_DEPTH_MAX; i++)
		buf_puts(&b, ".1");
	assert_false(is_refused(arena_printf(arena, "%.*s]", (int)b.n, buf_span(&b).p),
				EVERYTHING));
	buf_puts(&b, ".1");
	assert_true(is_refused(arena_printf(arena, "%.*s]", (int)b.n, buf_span(&b).p),
			       EVERYTHING));
	buf_clear(&b);
	for (int i = 0; i <= WIRE_FETCH_ITEMS_MAX; i++)
		buf_printf(&b, "%cBODY[%d]", i ? ' ' : '(', i + 1);
	buf_putc(&b, ')');
	assert_true(is_refused(text_of(&b), EVERYTHING));
}

static void partials_never_leave_the_text(void **state)
{
	struct fetch_args a =
	    parse("(BODY[]<2.3> BODY[1]<5.1> BODY[2]<9.9223372036854775807> BODY[3])");

	assert_span(fetch_partial(&a.items[0], SPAN("abcdef")), "cde");
	assert_span(fetch_partial(&a.items[1], SPAN("abcdef")), "f");
	assert_span(fetch_partial(&a.items[2], SPAN("abcdef")), "");
	assert_span(fetch_partial(&a.items[3], SPAN("abcdef")), "abcdef");
}

static const char *stored(const char *text)
{
	struct cursor c = on(arena_printf(arena, "%s\r\n", text));
	struct store_args a;
	struct buf b = { 0 };

	if (!cursor_store_args(&c, &a) || !cursor_end(&c))
		return "BAD";
	emit_store_args(&b, &a);
	return text_of(&b);
}

static void store_has_three_ways_and_silence(void **state)
{
	assert_string_equal(stored(" FLAGS (\\Deleted)"), " FLAGS (\\Deleted)");
	assert_string_equal(stored(" +flags.silent \\Seen $X"),
			    " +FLAGS.SILENT (\\Seen $X)");
	assert_string_equal(stored(" -FLAGS ()"), " -FLAGS ()");
	assert_string_equal(
	    stored(" (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT (\\Deleted)"),
	    " (UNCHANGEDSINCE 12121230045) +FLAGS.SILENT (\\Deleted)");
	assert_string_equal(stored(" FLAGS"), "BAD");
	assert_string_equal(stored(" FLAGS "), "BAD");
	assert_string_equal(stored(" *FLAGS ()"), "BAD");
	assert_string_equal(stored(" FLAGS.LOUD ()"), "BAD");
	assert_string_equal(stored(" FLAGS (\\Recent)"), "BAD");
	assert_string_equal(stored(" ()  FLAGS ()"), "BAD");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(macros_stand_for_items),
		cmocka_unit_test(every_item_survives_the_round_trip),
		cmocka_unit_test(labels_are_those_of_the_response),
		cmocka_unit_test(some_items_set_seen),
		cmocka_unit_test(doubles_are_answered_once),
		cmocka_unit_test(sections_are_values),
		cmocka_unit_test(malformed_items_are_bad),
		cmocka_unit_test(items_of_an_extension_need_it),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(partials_never_leave_the_text),
		cmocka_unit_test(store_has_three_ways_and_silence),
	};
	return RUN(tests);
}
