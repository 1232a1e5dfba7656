/* Responses (RFC 9051 section 7). */
#include "reader.h"
#include "wire/response.h"

static struct response parse(struct cursor *c, const char *text)
{
	struct response r = { 0 };

	*c = on(arena_printf(arena, "%s\r\n", text));
	assert_true(cursor_response(c, &r));
	return r;
}

static void status_lines_have_codes_and_text(void **state)
{
	struct cursor c;
	struct response r = parse(&c, "a1 OK [READ-WRITE] SELECT completed");

	assert_int_equal(r.kind, RESPONSE_TAGGED);
	assert_span(r.tag, "a1");
	assert_int_equal(r.cond, COND_OK);
	assert_int_equal(r.code, CODE_READ_WRITE);
	assert_span(r.text, "SELECT completed");
	r = parse(&c, "* NO [X-CODE \"a]b\" 5] text [5]");
	assert_int_equal(r.kind, RESPONSE_UNTAGGED);
	assert_int_equal(r.code, CODE_OTHER);
	assert_span(r.code_name, "X-CODE");
	assert_span(r.code_args, "\"a]b\" 5");
	assert_span(r.text, "text [5]");
	r = parse(&c, "* bye");
	assert_int_equal(r.cond, COND_BYE);
	r = parse(&c, "* OK [half a code");
	assert_int_equal(r.code, CODE_NONE);
	assert_span(r.text, "[half a code");
	r = parse(&c, "+ AGJvYg==");
	assert_int_equal(r.kind, RESPONSE_CONTINUE);
	assert_span(r.text, "AGJvYg==");
	r = parse(&c, "+");
	assert_int_equal(r.text.n, 0);
}

static void data_stops_behind_its_name(void **state)
{
	struct cursor c;
	struct response r = parse(&c, "* 23 EXISTS");

	assert_true(r.has_number);
	assert_int_equal(r.number, 23);
	assert_span(r.name, "EXISTS");
	assert_true(cursor_end(&c));
	r = parse(&c, "* CAPABILITY IMAP4rev2 AUTH=PLAIN ");
	assert_span(r.name, "CAPABILITY");
	assert_true(cursor_next_word(&c, &r.text));
	assert_true(cursor_next_word(&c, &r.text));
	assert_span(r.text, "AUTH=PLAIN");
	assert_false(cursor_next_word(&c, &r.text));
	assert_true(cursor_end(&c));
}

static void what_is_no_response_is_refused(void **state)
{
	static const char *const bad[] = {
		"",  " OK x", "a1",  "a1 MAYBE x",	    "a1 BYE x", "a1 PREAUTH x",
		"*", "* ",    "* 5", "* 4294967296 EXISTS", "a+ OK x",	"*OK"
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct cursor c = on(arena_printf(arena, "%s\r\n", bad[i]));
		struct response r;

		assert_false(cursor_response(&c, &r));
	}
}

static void words_are_found_whole_and_in_any_case(void **state)
{
	struct span words = SPAN("IMAP4rev1 LITERAL+ AUTH=PLAIN UNAUTHENTICATE");

	assert_true(wire_words_have(words, "unauthenticate"));
	assert_true(wire_words_have(words, "IMAP4REV1"));
	assert_false(wire_words_have(words, "AUTH"));
	assert_false(wire_words_have(words, "LITERAL"));
	assert_false(wire_words_have(SPAN(""), "X"));
}

static void uid_codes_are_read(void **state)
{
	struct numset uids = { 0 };
	struct seqset from, to;
	uint32_t v = 0;
	uint64_t n;

	assert_true(code_appenduid(SPAN("38505 3955,3957:3958"), &v, &uids));
	assert_int_equal(v, 38505);
	assert_int_equal(numset_count(&uids), 3);
	assert_false(code_appenduid(SPAN("38505 *"), &v, &uids));
	assert_false(code_appenduid(SPAN("38505"), &v, &uids));
	numset_done(&uids);
	assert_true(
	    code_copyuid(arena, SPAN("38505 319:320,304 3956:3958"), &v, &from, &to));
	assert_int_equal(from.n, 2);
	assert_int_equal(from.r[1].a, 304);
	assert_int_equal(to.r[0].b, 3958);
	assert_false(code_copyuid(arena, SPAN("38505 1:* 3"), &v, &from, &to));
	assert_false(code_copyuid(arena, SPAN("38505 $ 3"), &v, &from, &to));
	assert_true(code_number(SPAN("12"), &n));
	assert_false(code_number(SPAN("12 "), &n));
}

static void searches_are_read_in_both_forms(void **state)
{
	struct cursor c = on(" 2 5 11 (MODSEQ 917162500)\r\n");
	struct numset set = { 0 };
	struct esearch_response e;
	uint64_t modseq;
	struct buf b = { 0 };
	static const char full[] = " (TAG \"A285\") UID MIN 7 MAX 3800 ALL 7:9,3800 "
				   "COUNT 4 MODSEQ 5 X (1 2)\r\n";

	assert_true(cursor_search_response(&c, &set, &modseq));
	assert_true(cursor_end(&c));
	assert_int_equal(numset_count(&set), 3);
	assert_int_equal(modseq, 917162500);
	c = on("\r\n");
	assert_true(cursor_search_response(&c, &set, &modseq));
	assert_int_equal(modseq, 0);
	numset_done(&set);
	c = on(full);
	assert_true(cursor_esearch_response(&c, &e, &set));
	assert_true(cursor_end(&c));
	assert_span(e.tag, "A285");
	assert_true(e.uid);
	assert_int_equal(e.max, 3800);
	assert_int_equal(numset_count(&set), 4);
	emit_esearch_response(&b, (struct emit_mode){ 0 }, &e, &set);
	assert_string_equal(text_of(&b), arena_printf(arena, "* ESEARCH%s", full));
	numset_done(&set);
	c = on(" ALL 1:*\r\n");
	assert_false(cursor_esearch_response(&c, &e, &set));
	numset_done(&set);
	/* RFC 9394 section 3.1: what begins so is a value, never the next name */
	c = on(" X ALL 1 -5 4\r\n");
	assert_false(cursor_esearch_response(&c, &e, &set));
	numset_done(&set);
}

static void fetch_items_are_walked(void **state)
{
	struct cursor c = on(
	    " (UID 7 FLAGS (\\Seen) ENVELOPE (\"a)\" NIL ((NIL NIL \"x\" \"y\")"
	    "(NIL NIL {1}\r\n( \"\\\"\"))) BODY[HEADER.FIELDS (Subject \"a]b\")]<0> "
	    "{3}\r\n)\r\n BINARY[1] ~{1}\r\n  RFC822.TEXT NIL X-Y abc)\r\n");
	struct fetch_att a;

	cursor_sp(&c);
	assert_true(cursor_fetch_begin(&c));
	assert_true(cursor_fetch_next(&c, &a));
	assert_span(a.name, "UID");
	assert_int_equal(a.kind, ATT_NUMBER);
	assert_int_equal(a.number, 7);
	assert_true(cursor_fetch_next(&c, &a));
	assert_int_equal(a.kind, ATT_LIST);
	assert_span(a.value, "(\\Seen)");
	assert_true(cursor_fetch_next(&c, &a));
	assert_span(a.name, "ENVELOPE");
	assert_int_equal(a.kind, ATT_LIST);
	assert_true(cursor_fetch_next(&c, &a));
	assert_span(a.name, "BODY[HEADER.FIELDS (Subject \"a]b\")]");
	assert_true(a.has_origin);
	assert_span(a.value, ")\r\n");
	assert_true(cursor_fetch_next(&c, &a));
	assert_span(a.name, "BINARY[1]");
	assert_span(a.value, " ");
	assert_true(cursor_fetch_next(&c, &a));
	assert_int_equal(a.kind, ATT_NIL);
	assert_true(cursor_fetch_next(&c, &a));
	assert_int_equal(a.kind, ATT_ATOM);
	assert_false(cursor_fetch_next(&c, &a));
	assert_true(cursor_end(&c));
}

static void broken_fetch_responses_end_in_an_error(void **state)
{
	static const char *const bad[] = { "(UID)\r\n",		  "(UID 7\r\n",
					   "(UID 7 FLAGS\r\n",	  "(BODY[ 7)\r\n",
					   "(ENVELOPE (\"a)\r\n", "(ENVELOPE ((\r\n",
					   "(BODY[]<0 NIL)\r\n",  "(BODY[] {9}\r\na)\r\n",
					   "(ENVELOPE (\"a\\",	  "" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct cursor c = on(bad[i]);
		struct fetch_att a;

		for (cursor_fetch_begin(&c); cursor_fetch_next(&c, &a);)
			;
		assert_false(cursor_end(&c));
	}
}

static void status_lines_cannot_be_broken_by_their_text(void **state)
{
	struct emit_mode plain = { 0 }, utf8 = { .utf8 = true };
	struct buf b = { 0 };

	emit_status_line(&b, plain, SPAN("a1"), COND_NO, "TRYCREATE",
			 SPAN("a\r\nb\xc3\xbc"));
	emit_status_line(&b, utf8, SPAN_NONE, COND_BYE, NULL, SPAN("\xc3\xbc"));
	emit_continue(&b, SPAN(""));
	assert_string_equal(text_of(&b),
			    "a1 NO [TRYCREATE] a  b  \r\n* BYE \xc3\xbc\r\n+ \r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_lines_have_codes_and_text),
		cmocka_unit_test(data_stops_behind_its_name),
		cmocka_unit_test(what_is_no_response_is_refused),
		cmocka_unit_test(words_are_found_whole_and_in_any_case),
		cmocka_unit_test(uid_codes_are_read),
		cmocka_unit_test(searches_are_read_in_both_forms),
		cmocka_unit_test(fetch_items_are_walked),
		cmocka_unit_test(broken_fetch_responses_end_in_an_error),
		cmocka_unit_test(status_lines_cannot_be_broken_by_their_text),
	};
	return RUN(tests);
}
