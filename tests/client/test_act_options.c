/* The command line of `mailstile act`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "tools/act_options.h"

/* `words` separated by '|'; general options are put in front. */
static bool parse(struct act_options *o, const char *words, bool is_bare)
{
	struct buf why = { 0 };
	char *argv[64] = { "act",
			   "--server=imaps://mail.example:1993",
			   "--as",
			   "root",
			   "--password-file",
			   "pw" };
	int argc = is_bare ? 1 : 6;

	*o = (struct act_options){ .arena = arena_new(NULL) };
	char *text = arena_strdup(o->arena, words);
	for (char *w = strtok(text, "|"); w; w = strtok(NULL, "|"))
		argv[argc++] = w;
	bool is_ok = act_options_parse(o, argc, argv, &why);
	assert_true(is_ok == (why.n == 0));
	buf_done(&why);
	return is_ok;
}

static void good(struct act_options *o, const char *words)
{
	assert_true(parse(o, words, false));
}

static void bad(const char *words)
{
	struct act_options o;

	assert_false(parse(&o, words, false));
	arena_free(o.arena);
}

static void jobs_take_their_arguments(void **state)
{
	struct act_options o;

	good(&o, "append|INBOX|a.eml|b-%u.eml|--flags|\\Seen,$Voice|--date|17-Jul-2024 "
		 "02:44:25 "
		 "-0700");
	assert_int_equal(o.job.kind, ACT_APPEND);
	assert_int_equal(o.job.files_n, 2);
	assert_string_equal(o.job.files[1], "b-%u.eml");
	arena_free(o.arena);
	good(&o, "flag|INBOX|UNSEEN|-\\Seen"); /* not an option */
	assert_string_equal(o.job.flags_op, "-");
	assert_string_equal(o.job.flags, "\\Seen");
	arena_free(o.arena);
	good(&o, "--json|fetch|INBOX|ALL|--to|out|--connections|4");
	assert_true(o.is_json);
	assert_int_equal(o.connections, 4);
	arena_free(o.arena);
	good(&o, "status");
	assert_int_equal(o.job.files_n, 0);
	arena_free(o.arena);
}

static void what_is_wrong_is_said(void **state)
{
	bad("");
	bad("--unknown|status");
	bad("--json=yes|status");
	bad("--users");
	bad("--connections|0|status");
	bad("--connections|x|status");
	bad("--timeout|0|status");
	bad("dance");
	bad("append|INBOX");
	bad("append|INBOX|a|--flags|a b(");
	bad("append|INBOX|a|--flags|\\Recent");
	bad("append|INBOX|a|--date|x\"y");
	bad("flag|INBOX|ALL|Seen");
	bad("flag|INBOX|ALL|+");
	bad("fetch|INBOX|ALL");
	bad("search|INBOX|ALL|--to|x");
	bad("search|INBOX|ALL|more");
	bad("status|--flags|x");
	bad("--pin|abc|status");
	bad("--plaintext|status"); /* with imaps:// */
}

static void servers_are_urls(void **state)
{
	struct act_options o;

	assert_true(parse(
	    &o, "--server|imap://[::1]:1143/|--as|a|--password-file|p|status", true));
	assert_string_equal(o.host, "::1");
	assert_int_equal(o.port, 1143);
	assert_false(o.is_implicit_tls);
	arena_free(o.arena);
	assert_true(parse(
	    &o, "--server|IMAPS://mail.example|--as|a|--password-file|p|status", true));
	assert_int_equal(o.port, 993);
	arena_free(o.arena);
	bad("--server|mail.example|status");
	bad("--server|imaps://|status");
	bad("--server|imaps://h:0|status");
	bad("--server|imaps://h:70000|status");
	bad("--server|imaps://user@h|status");
}

static void check_path(const char *user, const char *want)
{
	struct buf out = { 0 };

	act_path_component(span_str(user), &out);
	assert_true(span_eq(buf_span(&out), span_str(want)));
	buf_done(&out);
}

static void a_user_is_one_harmless_path_component(void **state)
{
	check_path("alice@example.org", "alice@example.org");
	check_path("..", "%2E.");
	check_path(".hidden", "%2Ehidden");
	check_path("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd");
	check_path("a%2Fb", "a%252Fb");
	check_path("", "%");
	check_path("\xc3\xbc\n", "%C3%BC%0A");
}

static void the_user_stands_for_percent_u(void **state)
{
	struct buf out = { 0 };

	act_expand("mail/%u/%%u-%x.eml", SPAN("bob"), &out);
	assert_true(span_eq(buf_span(&out), SPAN("mail/bob/%u-%x.eml")));
	buf_done(&out);
}

static void flags_become_a_list(void **state)
{
	struct buf out = { 0 };

	assert_true(act_flags_list("\\Seen,$Junk  Label", &out));
	assert_true(span_eq(buf_span(&out), SPAN("(\\Seen $Junk Label)")));
	buf_done(&out);
	assert_true(act_flags_list("", &out));
	assert_true(span_eq(buf_span(&out), SPAN("()")));
	buf_done(&out);
	assert_false(act_flags_list("a\r\nb", &out));
	assert_false(act_flags_list("\\", &out));
	buf_done(&out);
}

static void the_identity_tells_jobs_apart(void **state)
{
	static const char *const jobs[] = { "append|INBOX|ab|c", "append|INBOX|a|bc",
					    "flag|INBOX|ALL|+\\Seen",
					    "flag|INBOX|ALL|-\\Seen" };
	struct buf id[4] = { 0 };
	struct act_options o;

	for (int i = 0; i < 4; i++) {
		good(&o, jobs[i]);
		act_job_identity(&o.job, &id[i]);
		arena_free(o.arena);
		for (int k = 0; k < i; k++)
			assert_false(span_eq(buf_span(&id[i]), buf_span(&id[k])));
	}
	for (int i = 0; i < 4; i++)
		buf_done(&id[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_take_their_arguments),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(servers_are_urls),
		cmocka_unit_test(a_user_is_one_harmless_path_component),
		cmocka_unit_test(the_user_stands_for_percent_u),
		cmocka_unit_test(flags_become_a_list),
		cmocka_unit_test(the_identity_tells_jobs_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
