/* The search program (RFC 9051 section 6.4.4, RFC 3501, 4731, 5182). */
#include "reader.h"
#include "wire/date.h"
#include "wire/flags.h"
#include "wire/search.h"
#include "wire/sort.h"

#define ALL_EXTS 127u

static struct search_program parse(const char *text)
{
	struct cursor c = on(text);
	struct search_program p = { 0 };

	assert_true(cursor_search(&c, ALL_EXTS, &p));
	assert_true(cursor_end(&c));
	return p;
}

static const char *refused(const char *text, unsigned exts)
{
	struct cursor c = on(text);
	struct search_program p;

	if (cursor_search(&c, exts, &p) && cursor_end(&c))
		return NULL;
	assert_non_null(c.why);
	return c.why;
}

static void keys_are_joined_by_and(void **state)
{
	struct search_program p =
	    parse(" FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"\r\n");
	struct search_node *n = p.root->child;

	assert_int_equal(p.root->key, SEARCH_AND);
	assert_false(p.has_return);
	assert_null(p.charset.p);
	assert_int_equal(n->key, SEARCH_FLAG);
	assert_int_equal(n->u.flag, WIRE_FLAGGED);
	n = n->next;
	assert_int_equal(n->key, SEARCH_SINCE);
	assert_int_equal(n->u.days, wire_days(1994, 2, 1));
	n = n->next;
	assert_int_equal(n->key, SEARCH_NOT);
	assert_null(n->next);
	assert_int_equal(n->child->key, SEARCH_FROM);
	assert_span(n->child->u.text, "Smith");
	assert_int_equal(p.n_nodes, 5);
}

static void return_options_are_bits(void **state)
{
	struct search_program p = parse(" RETURN (MIN COUNT save) ALL\r\n");

	assert_true(p.has_return);
	assert_int_equal(p.returns,
			 SEARCH_RETURN_MIN | SEARCH_RETURN_COUNT | SEARCH_RETURN_SAVE);
	p = parse(" RETURN () ALL\r\n");
	assert_true(p.has_return);
	assert_int_equal(p.returns, SEARCH_RETURN_ALL);
	p = parse(" RETURN (PARTIAL 1:500 CONTEXT X-NEW 7) ALL\r\n");
	assert_int_equal(p.returns, SEARCH_RETURN_PARTIAL | SEARCH_RETURN_CONTEXT);
	assert_false(p.partial.from_end);
	assert_int_equal(p.partial.b, 500);
	assert_int_equal(p.other_returns.n, 1);
	assert_span(p.other_returns.v[0].value, "7");
}

static void assert_partial(const char *range, uint64_t count, uint64_t from, uint64_t n)
{
	struct cursor c = on(range);
	struct partial_range r;
	uint64_t got_from, got_n;

	assert_true(cursor_partial_range(&c, &r));
	partial_range_resolve(&r, count, &got_from, &got_n);
	assert_int_equal(got_n, n);
	if (n)
		assert_int_equal(got_from, from);
}

/* RFC 9394 section 3.1 */
static void partial_ranges_count_from_either_end(void **state)
{
	assert_partial("1:3", 10, 0, 3);
	assert_partial("3:1", 10, 0, 3);
	assert_partial("8:20", 10, 7, 3);
	assert_partial("11:20", 10, 0, 0);
	assert_partial("-1:-3", 10, 7, 3);
	assert_partial("-3:-1", 10, 7, 3);
	assert_partial("-8:-20", 10, 0, 3);
	assert_partial("-11:-20", 10, 0, 0);
	assert_partial("1:1", 0, 0, 0);
	assert_non_null(refused(" RETURN (PARTIAL 0:1) ALL\r\n", 0));
	assert_non_null(refused(" RETURN (PARTIAL 1:-1) ALL\r\n", 0));
	assert_non_null(refused(" RETURN (PARTIAL 1:*) ALL\r\n", 0));
	assert_non_null(refused(" RETURN (PARTIAL 1:2 ALL) ALL\r\n", 0));
	assert_non_null(refused(" RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL\r\n", 0));
}

static void assert_sort(const char *text, size_t n)
{
	struct cursor c = on(text);
	struct sort_criteria s;
	struct buf out = { 0 };

	assert_true(cursor_sort_criteria(&c, &s));
	assert_int_equal(s.n, n);
	emit_sort_criteria(&out, &s);
	assert_span(buf_span(&out), text);
	buf_done(&out);
}

static void sort_criteria_are_read(void **state)
{
	struct cursor c = on("()");
	struct sort_criteria s;

	assert_sort("(SUBJECT REVERSE DATE)", 2);
	assert_sort("(ARRIVAL CC FROM SIZE TO DISPLAYFROM REVERSE DISPLAYTO)", 7);
	assert_false(cursor_sort_criteria(&c, &s));
	c = on("(REVERSE)");
	assert_false(cursor_sort_criteria(&c, &s));
	c = on("(NAME)");
	assert_false(cursor_sort_criteria(&c, &s));
}

static void the_charset_is_kept_for_the_server(void **state)
{
	struct search_program p =
	    parse(" CHARSET UTF-8 TEXT {6+}\r\n\xd0\xbc\xd0\xb0\xd1\x82\r\n");

	assert_span(p.charset, "UTF-8");
	assert_int_equal(p.root->child->u.text.n, 6);
	p = parse(" RETURN (SAVE) CHARSET \"iso-8859-1\" (OR $ 1,3000:3021) TEXT "
		  "{1}\r\n\xff\r\n");
	assert_span(p.charset, "iso-8859-1");
	assert_int_equal(p.root->child->child->key, SEARCH_OR);
	assert_true(p.root->child->child->child->u.set.saved);
	assert_true(p.needs & SEARCH_NEED_SAVED);
}

static void every_key_survives_the_round_trip(void **state)
{
	static const char *const keys[] = {
		"ALL",
		"ANSWERED",
		"BCC x",
		"BEFORE 1-Jan-2000",
		"BODY \"a b\"",
		"CC x",
		"DELETED",
		"DRAFT",
		"EMAILID M6d99",
		"FLAGGED",
		"FROM x",
		"FUZZY SUBJECT x",
		"HEADER Message-ID <a@b>",
		"HEADER X \"\"",
		"KEYWORD $Junk",
		"LARGER 4294967296",
		"MODSEQ 620162338",
		"MODSEQ \"/flags/\\\\draft\" all 620162338",
		"NEW",
		"NOT SEEN",
		"NOT (SEEN DELETED)",
		"OLD",
		"OLDER 100",
		"ON 1-Jan-2000",
		"OR SEEN DELETED",
		"OR (SEEN 1:*) NOT $",
		"RECENT",
		"SAVEDATESUPPORTED",
		"SAVEDBEFORE 1-Jan-2000",
		"SAVEDON 1-Jan-2000",
		"SAVEDSINCE 1-Jan-2000",
		"SEEN",
		"SENTBEFORE 1-Jan-2000",
		"SENTON 1-Jan-2000",
		"SENTSINCE 1-Jan-2000",
		"SINCE 1-Jan-2000",
		"SMALLER 0",
		"SUBJECT x",
		"TEXT x",
		"THREADID T1",
		"TO x",
		"UID 1:5,9,*",
		"UID $",
		"UNANSWERED",
		"UNDELETED",
		"UNDRAFT",
		"UNFLAGGED",
		"UNKEYWORD x",
		"UNSEEN",
		"YOUNGER 1",
		"1:5,*",
		"$",
		"(ALL)",
		"((SEEN))",
		"TEXT \"nil\"",
		"TEXT {3}\r\na\r\n",
		"FROM \"\"",
	};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		struct buf b = { 0 };
		struct search_program p, again;
		const char *text = arena_printf(arena, " %s\r\n", keys[i]);

		p = parse(text);
		emit_search(&b, (struct emit_mode){ 0 }, &p);
		buf_puts(&b, "\r\n");
		assert_string_equal(buf_span(&b).p ? text_of(&b) : "", text);
		again = parse(text);
		assert_true(search_equal(p.root, again.root));
	}
}

static void different_programs_are_not_equal(void **state)
{
	static const char *const keys[] = { "ALL",	   "SEEN",	 "UNSEEN",
					    "1:5",	   "1:4",	 "UID 1:5",
					    "FROM x",	   "FROM y",	 "TO x",
					    "LARGER 1",	   "LARGER 2",	 "ALL ALL",
					    "(ALL)",	   "HEADER a b", "HEADER a c",
					    "OR ALL SEEN", "OR ALL ALL" };
	size_t n = sizeof keys / sizeof *keys;

	for (size_t i = 0; i < n * n; i++) {
		struct search_program a =
		    parse(arena_printf(arena, " %s\r\n", keys[i / n]));
		struct search_program b =
		    parse(arena_printf(arena, " %s\r\n", keys[i % n]));

		assert_int_equal(search_equal(a.root, b.root), i / n == i % n);
	}
}

static void a_program_tells_what_it_has_to_look_at(void **state)
{
	assert_int_equal(parse(" UNSEEN LARGER 5\r\n").needs, SEARCH_NEED_VIEW);
	assert_true(parse(" NOT OR SEEN SUBJECT x\r\n").needs & SEARCH_NEED_SUMMARY);
	assert_false(parse(" FROM x\r\n").needs &
		     (SEARCH_NEED_BODY | SEARCH_NEED_HEADER));
	assert_true(parse(" (HEADER X y)\r\n").needs & SEARCH_NEED_HEADER);
	assert_true(parse(" OR SEEN (1 BODY x)\r\n").needs & SEARCH_NEED_BODY);
	assert_true(parse(" TEXT x\r\n").needs & SEARCH_NEED_BODY);
	assert_true(parse(" MODSEQ 1\r\n").needs & SEARCH_NEED_MODSEQ);
}

static void malformed_programs_are_bad(void **state)
{
	static const char *const bad[] = {
		"\r\n",
		" \r\n",
		" ALL \r\n",
		"  ALL\r\n",
		" ()\r\n",
		" (ALL\r\n",
		" ALL)\r\n",
		" FOO\r\n",
		" FROM\r\n",
		" FROM \r\n",
		" NOT\r\n",
		" OR ALL\r\n",
		" OR ALL \r\n",
		" SINCE x\r\n",
		" LARGER -1\r\n",
		" LARGER x\r\n",
		" UID\r\n",
		" UID x\r\n",
		" 0\r\n",
		" KEYWORD \\Seen\r\n",
		" RETURN ALL\r\n",
		" RETURN (ALL)\r\n",
		" RETURN (ALL ) ALL\r\n",
		" CHARSET\r\n",
		" CHARSET UTF-8\r\n",
		" CHARSET (x) ALL\r\n",
		" HEADER x\r\n",
		" YOUNGER 0\r\n",
		" ALLX\r\n",
		" ALL(SEEN)\r\n",
		" MODSEQ x\r\n",
		" MODSEQ \"/flags/x\" none 5\r\n",
		" ALL RETURN (MIN)\r\n",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_non_null(refused(bad[i], ALL_EXTS));
}

static void keys_of_an_extension_need_it(void **state)
{
	assert_non_null(refused(" MODSEQ 1\r\n", 0));
	assert_null(refused(" MODSEQ 1\r\n", SEARCH_EXT_CONDSTORE));
	assert_non_null(refused(" OLDER 1\r\n", SEARCH_EXT_CONDSTORE));
	assert_non_null(refused(" FUZZY ALL\r\n", 0));
}

static const char *nested(const char *open, size_t n, const char *close)
{
	struct buf b = { 0 };

	buf_putc(&b, ' ');
	for (size_t i = 0; i < n; i++)
		buf_puts(&b, open);
	buf_puts(&b, "ALL");
	for (size_t i = 0; i < n; i++)
		buf_puts(&b, close);
	buf_puts(&b, "\r\n");
	return text_of(&b);
}

static void depth_and_size_are_limited(void **state)
{
	assert_null(refused(nested("(", WIRE_NESTING_MAX, ")"), 0));
	assert_non_null(refused(nested("(", WIRE_NESTING_MAX + 1, ")"), 0));
	assert_null(refused(nested("NOT ", WIRE_NESTING_MAX, ""), 0));
	assert_non_null(refused(nested("NOT ", WIRE_NESTING_MAX + 1, ""), 0));
	assert_non_null(refused(nested("OR ALL ", WIRE_NESTING_MAX + 1, ""), 0));
	assert_non_null(refused(nested("NOT (", WIRE_NESTING_MAX / 2 + 1, ")"), 0));
	assert_null(refused(nested("ALL ", WIRE_SEARCH_NODES_MAX - 2, ""), 0));
	assert_string_equal(refused(nested("ALL ", WIRE_SEARCH_NODES_MAX - 1, ""), 0),
			    "a search has too many keys");
}

static void keys_alone_can_be_read(void **state)
{
	struct cursor c = on("UNSEEN 1:*\r\n");
	struct search_program p;

	assert_true(cursor_search_keys(&c, 0, &p));
	assert_true(cursor_end(&c));
	assert_int_equal(p.root->child->next->key, SEARCH_SEQUENCE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_joined_by_and),
		cmocka_unit_test(return_options_are_bits),
		cmocka_unit_test(partial_ranges_count_from_either_end),
		cmocka_unit_test(sort_criteria_are_read),
		cmocka_unit_test(the_charset_is_kept_for_the_server),
		cmocka_unit_test(every_key_survives_the_round_trip),
		cmocka_unit_test(different_programs_are_not_equal),
		cmocka_unit_test(a_program_tells_what_it_has_to_look_at),
		cmocka_unit_test(malformed_programs_are_bad),
		cmocka_unit_test(keys_of_an_extension_need_it),
		cmocka_unit_test(depth_and_size_are_limited),
		cmocka_unit_test(keys_alone_can_be_read),
	};
	return RUN(tests);
}
