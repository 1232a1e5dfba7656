/* Who may become whom (RFC 8437 section 8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/policy.h"

static bool match(const char *pattern, const char *name)
{
	return policy_pattern_matches(span_str(pattern), span_str(name));
}

static void patterns_match_whole_names(void **state)
{
	assert_true(match("*", ""));
	assert_true(match("*", "anyone"));
	assert_true(match("bob", "bob"));
	assert_true(match("BOB", "bob"));
	assert_false(match("bob", "bobby"));
	assert_false(match("bob", "bo"));
	assert_true(match("*@example.org", "a@example.org"));
	assert_false(match("*@example.org", "a@example.org.evil"));
	assert_true(match("vm-*-?", "vm-a-b-3"));
	assert_false(match("vm-*-?", "vm-a-b-33"));
	assert_true(match("a**b", "ab"));
	assert_true(match("*aab", "aaaaaab"));
	assert_false(match("", "a"));
	assert_true(match("", ""));
}

static void question_mark_is_one_character_not_one_byte(void **state)
{
	assert_true(match("j?rg", "j\xc3\xb6rg"));
	assert_false(match("j??rg", "j\xc3\xb6rg"));
	assert_true(match("*?", "\xe2\x82\xac"));
	assert_false(match("*??", "\xe2\x82\xac"));
}

static const char *const everybody[] = { "*" };
static const char *const site[] = { "*@a.org", "postmaster" };

static const struct policy_rule rules[] = {
	{ "gateway", site, 2, false },
	{ "super*", everybody, 1, true },
	{ "frozen", NULL, 0, true },
	{ "*", everybody, 1, false },
};

static bool may(const char *who, bool who_admin, const char *whom, bool whom_admin)
{
	struct policy *p = policy_new(rules, sizeof rules / sizeof rules[0]);
	bool is_ok = policy_may_become(p, span_str(who), who_admin, span_str(whom),
				       whom_admin);
	policy_unref(p);
	return is_ok;
}

static void everybody_may_become_himself(void **state)
{
	assert_true(may("bob", false, "bob", false));
	assert_true(may("frozen", true, "frozen", true));
}

static void only_administrators_may_become_others(void **state)
{
	assert_false(may("bob", false, "ann", false));
	assert_true(may("root", true, "ann", false));
	assert_false(may("super", false, "ann", false));
}

static void first_rule_for_the_name_decides(void **state)
{
	assert_true(may("gateway", true, "x@a.org", false));
	assert_true(may("gateway", true, "postmaster", false));
	assert_false(may("gateway", true, "x@b.org", false));
	assert_false(may("frozen", true, "ann", false));
}

static void other_administrators_need_a_rule_that_says_so(void **state)
{
	assert_false(may("root", true, "root2", true));
	assert_true(may("superman", true, "root", true));
	assert_false(may("gateway", true, "boss@a.org", true));
}

static void without_rules_nobody_becomes_another(void **state)
{
	struct policy *p = policy_new(NULL, 0);
	assert_false(policy_may_become(p, SPAN("root"), true, SPAN("bob"), false));
	assert_true(policy_may_become(p, SPAN("root"), true, SPAN("root"), true));
	policy_unref(policy_ref(p));
	policy_unref(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_whole_names),
		cmocka_unit_test(question_mark_is_one_character_not_one_byte),
		cmocka_unit_test(everybody_may_become_himself),
		cmocka_unit_test(only_administrators_may_become_others),
		cmocka_unit_test(first_rule_for_the_name_decides),
		cmocka_unit_test(other_administrators_need_a_rule_that_says_so),
		cmocka_unit_test(without_rules_nobody_becomes_another),
	};
	return cmocka_run_group_tests_name("auth/policy", tests, NULL, NULL);
}
