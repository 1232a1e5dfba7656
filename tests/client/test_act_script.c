/* Scripts of `mailstile act run`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tools/act_script.h"

static void check_line(const char *text, const char *user, const char *want)
{
	struct arena *a = arena_new(NULL);
	struct buf why = { 0 }, out = { 0 };
	struct script s;
	struct script_piece *piece;

	assert_int_equal(script_parse(a, span_str(text), &s, &why), ERR_OK);
	size_t n = script_expand(a, &s.line[0], span_str(user), &piece);
	for (size_t i = 0; i < n; i++) {
		buf_puts(&out, piece[i].is_file ? "<" : "[");
		buf_put(&out, piece[i].text);
		buf_puts(&out, piece[i].is_file ? ">" : "]");
	}
	if (!span_eq(buf_span(&out), span_str(want)))
		fail_msg("%.*s", (int)out.n, buf_span(&out).p);
	buf_done(&out);
	buf_done(&why);
	arena_free(a);
}

static void the_user_is_quoted_where_that_is_needed(void **state)
{
	check_line("SELECT %u", "bob", "[SELECT bob]");
	check_line("SELECT %u", "b o", "[SELECT \"b o\"]");
	check_line("SELECT %u", "b\"o", "[SELECT \"b\\\"o\"]");
	check_line("SELECT \"x/%u\"", "b\"\\o", "[SELECT \"x/b\\\"\\\\o\"]");
	check_line("SELECT \"a\\\"%u\"", "b", "[SELECT \"a\\\"b\"]");
	check_line("SEARCH SUBJECT 100%%u", "b", "[SEARCH SUBJECT 100%u]");
	check_line("LIST \"\" %", "b", "[LIST \"\" %]");
}

static void files_are_pieces_of_their_own(void **state)
{
	check_line("APPEND INBOX {<mail/%u.eml}", "a/b",
		   "[APPEND INBOX ]<mail/a%2Fb.eml>");
	check_line("APPEND INBOX {<a} {<b} x", "u", "[APPEND INBOX ]<a>[ ]<b>[ x]");
	check_line("SEARCH SUBJECT \"{<no}\"", "u", "[SEARCH SUBJECT \"{<no}\"]");
}

static void blank_lines_part_groups_and_comments_do_not(void **state)
{
	struct arena *a = arena_new(NULL);
	struct buf why = { 0 };
	struct script s;

	assert_int_equal(
	    script_parse(a, SPAN("\n# x\nNOOP\r\nNOOP\n# y\nCHECK\n\n\nNOOP\n\n"), &s,
			 &why),
	    ERR_OK);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.line[2].group, 0);
	assert_int_equal(s.line[3].group, 1);
	assert_int_equal(s.line[3].number, 9);
	arena_free(a);
}

static void what_no_script_may_do_is_refused_with_its_line(void **state)
{
	static const char *const texts[] = {
		"",
		"# only\n",
		"LOGOUT",
		"unauthenticate\n",
		"LOGIN a b",
		"IDLE",
		"STARTTLS",
		"a1 NOOP",
		"APPEND INBOX {12}",
		"APPEND INBOX {<}",
		"APPEND INBOX {<x",
		"SELECT \"x",
		"SELECT \"x\\\"",
		"NOOP\x01",
		"1 NOOP",
		"SELECT {x}",
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct arena *a = arena_new(NULL);
		struct buf why = { 0 };
		struct script s;
		assert_int_equal(script_parse(a, span_str(texts[i]), &s, &why),
				 ERR_INVAL);
		assert_true(why.n > 0);
		buf_done(&why);
		arena_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_user_is_quoted_where_that_is_needed),
		cmocka_unit_test(files_are_pieces_of_their_own),
		cmocka_unit_test(blank_lines_part_groups_and_comments_do_not),
		cmocka_unit_test(what_no_script_may_do_is_refused_with_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
