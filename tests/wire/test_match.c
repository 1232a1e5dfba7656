/* LIST patterns (RFC 9051 section 6.3.9). */
#include "reader.h"
#include "wire/list.h"

static bool matches(const char *pattern, const char *name)
{
	return list_match(exact(span_str(pattern)), exact(span_str(name)), '/');
}

static bool below(const char *pattern, const char *name)
{
	return list_match_below(exact(span_str(pattern)), exact(span_str(name)), '/');
}

static void a_star_crosses_levels_and_a_percent_does_not(void **state)
{
	assert_true(matches("*", "a/b/c"));
	assert_true(matches("%", "a"));
	assert_false(matches("%", "a/b"));
	assert_true(matches("a/%", "a/b"));
	assert_false(matches("a/%", "a/b/c"));
	assert_true(matches("a/*", "a/b/c"));
	assert_true(matches("%/%", "a/b"));
	assert_true(matches("%/c", "b/c"));
	assert_false(matches("%/c", "a/b/c"));
	assert_true(matches("*/c", "a/b/c"));
}

static void wildcards_match_nothing_too(void **state)
{
	assert_true(matches("*", ""));
	assert_true(matches("%", ""));
	assert_true(matches("a*", "a"));
	assert_true(matches("a%*%", "a"));
	assert_false(matches("", "a"));
	assert_true(matches("", ""));
}

static void wildcards_stand_anywhere(void **state)
{
	assert_true(matches("*b*d", "abcd"));
	assert_false(matches("*b*d", "abdc"));
	assert_true(matches("%a%b/%c*", "xaxb/ccc/d"));
	assert_true(matches("*%c", "a/b/c"));
	assert_true(matches("%*c", "a/b/c"));
	assert_false(matches("a%c*", "a/c"));
	assert_true(matches("*a%b", "a/a/axb"));
	assert_false(matches("*a%b", "ax/b"));
}

static void inbox_matches_in_any_case(void **state)
{
	assert_true(matches("inbox", "INBOX"));
	assert_true(matches("InB%", "INBOX"));
	assert_true(matches("inbox/x", "INBOX/x"));
	assert_false(matches("inbox/X", "INBOX/x"));
	assert_false(matches("inboxes", "INBOXES"));
	assert_false(matches("a/inbox", "a/INBOX"));
	assert_false(matches("SENT", "Sent"));
}

static void parents_of_matches_are_found(void **state)
{
	assert_true(below("*", "a"));
	assert_false(below("%", "a"));
	assert_true(below("%/%", "a"));
	assert_true(below("a/b/%", "a"));
	assert_true(below("a/b/%", "a/b"));
	assert_false(below("a/b/%", "c"));
	assert_false(below("a", "a"));
	assert_false(below("a/", "a"));
	assert_true(below("inbox/%", "INBOX"));
}

static void no_pattern_takes_forever(void **state)
{
	char pattern[WIRE_PATTERN_BYTES_MAX], name[5000];

	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = "*a%a"[i % 4];
	memset(name, 'a', sizeof name);
	name[sizeof name - 1] = 'b';
	assert_false(list_match(span_of(pattern, sizeof pattern),
				span_of(name, sizeof name), '/'));
	assert_false(
	    list_match(span_of(name, sizeof name), span_of(name, sizeof name), '/'));
}

/* Slow and plainly right. */
static bool reference(const char *p, const char *n)
{
	if (!*p)
		return !*n;
	if (*p == '*' || *p == '%') {
		if (reference(p + 1, n))
			return true;
		return *n && (*p == '*' || *n != '/') && reference(p, n + 1);
	}
	return *p == *n && reference(p + 1, n + 1);
}

static void it_agrees_with_the_plain_definition(void **state)
{
	static const char p_chars[] = "ab/*%", n_chars[] = "ab/";
	char p[6] = "", n[6] = "";

	for (unsigned i = 0; i < 3125 * 243; i += 7) {
		unsigned a = i % 3125, b = i / 3125;

		for (int k = 0; k < 5; k++, a /= 5, b /= 3) {
			p[k] = p_chars[a % 5];
			n[k] = n_chars[b % 3];
		}
		assert_int_equal(list_match(span_str(p), span_str(n), '/'),
				 reference(p, n));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_star_crosses_levels_and_a_percent_does_not),
		cmocka_unit_test(wildcards_match_nothing_too),
		cmocka_unit_test(wildcards_stand_anywhere),
		cmocka_unit_test(inbox_matches_in_any_case),
		cmocka_unit_test(parents_of_matches_are_found),
		cmocka_unit_test(no_pattern_takes_forever),
		cmocka_unit_test(it_agrees_with_the_plain_definition),
	};
	return RUN(tests);
}
