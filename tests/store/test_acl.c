/* Rights and access control lists (store/acl.h). */
#include "store/acl.h"
#include "testloop.h"

static char text[4096];

static const char *shown(unsigned rights)
{
	struct buf b = { 0 };
	rights_put(rights, &b);
	memcpy(text, b.p + b.off, b.n);
	text[b.n] = 0;
	buf_done(&b);
	return text;
}

static unsigned of(const char *letters)
{
	unsigned rights;
	assert_true(rights_read(span_str(letters), &rights));
	return rights;
}

static void letters_are_read_and_shown_with_the_obsolete_ones(void **state)
{
	assert_int_equal(of(""), 0);
	assert_int_equal(of("lrswipkxtea"), RIGHTS_ALL);
	assert_string_equal(shown(RIGHTS_ALL), "lrswipkxtecda");
	assert_string_equal(shown(of("aerl")), "lreda");
	assert_string_equal(shown(of("k")), "kc");
	assert_string_equal(shown(of("x")), "xc");
	assert_string_equal(shown(of("t")), "td");
	assert_int_equal(of("c"), RIGHT_K | RIGHT_X);
	assert_int_equal(of("d"), RIGHT_T | RIGHT_E);
	assert_string_equal(shown(of("lrswida")), "lrswiteda");
	assert_string_equal(shown(0), "");
}

static void any_other_letter_is_none(void **state)
{
	static const char *const wrong[] = {
		"q", "L", "0", " ", "lr ", "+l", "\xc3\xa9"
	};
	unsigned rights = 5;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(rights_read(span_str(wrong[i]), &rights));
	assert_false(rights_read(span_of("l\0", 2), &rights));
	assert_int_equal(rights, 5);
}

static void an_entry_is_what_was_written(void **state)
{
	struct arena *a = arena_new(NULL);
	for (unsigned rights = 0; rights <= RIGHTS_ALL; rights++) {
		struct acl_entry e = { SPAN("bob"), rights & 1 ? SPAN("0123") : SPAN_NONE,
				       rights },
				 back;
		struct attr at = { .key = { 7, ATTR_ACL, SPAN_NONE, SPAN("bob") },
				   .value = acl_entry_value(a, &e) };
		assert_true(acl_entry_read(&at, &back));
		assert_int_equal(back.rights, rights);
		assert_true(span_eq(back.account, e.account));
	}
	arena_free(a);
}

static void identifiers_say_whom_they_name(void **state)
{
	static const struct {
		const char *identifier, *name;
		enum acl_kind kind;
		bool is_negative;
	} cases[] = {
		{ "anyone", "anyone", ACL_ANYONE, false },
		{ "-anyone", "anyone", ACL_ANYONE, true },
		{ "bob", "bob", ACL_USER, false },
		{ "-bob", "bob", ACL_USER, true },
		{ "--bob", "-bob", ACL_USER, true },
		{ "$team", "team", ACL_GROUP, false },
		{ "-$team", "team", ACL_GROUP, true },
		{ "anyones", "anyones", ACL_USER, false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool is_negative;
		struct span name;
		assert_int_equal(
		    acl_kind(span_str(cases[i].identifier), &is_negative, &name),
		    cases[i].kind);
		assert_int_equal(is_negative, cases[i].is_negative);
		assert_true(span_eq(name, span_str(cases[i].name)));
	}
}

/* The rights of bob, who is in "staff" and "team", by a list "identifier=rights". */
static const char *mine(const char *const *list, size_t n)
{
	static const struct acl_who bob = { SPAN_INIT("bob"), SPAN_INIT("b0b"),
					    SPAN_INIT("staff,team") };
	struct attr at[8];
	const struct attrs all = { n, at };
	for (size_t i = 0; i < n; i++) {
		struct span entry = span_str(list[i]);
		size_t end = (size_t)span_find(entry, '=');
		at[i] = (struct attr){ .key = { 3, ATTR_ACL, SPAN_NONE,
						span_sub(entry, 0, end) },
				       .value = span_sub(entry, end + 1, SIZE_MAX) };
	}
	assert_int_equal(acl_rights(&all, 4, &bob), 0); /* of another mailbox */
	return shown(acl_rights(&all, 3, &bob));
}

#define MINE(...)                                                                        \
	mine((const char *const[]){ __VA_ARGS__ },                                       \
	     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void rights_are_all_that_is_given_less_all_that_is_taken(void **state)
{
	assert_string_equal(MINE("alice=lrswipkxtea"), "");
	assert_string_equal(MINE("anyone=lr"), "lr");
	assert_string_equal(MINE("$team=ws", "anyone=lr", "bob=i"), "lrswi");
	assert_string_equal(MINE("$teams=ws", "$tea=ws", "$TEAM=ws"), "");
	assert_string_equal(MINE("-$staff=s", "-anyone=w", "anyone=lrsw"), "lr");
	assert_string_equal(MINE("-bob=lrswipkxtea", "bob=lrswipkxtea"), "");
	assert_string_equal(MINE("-alice=lr", "anyone=lr"), "lr");
}

static void an_entry_is_for_the_account_that_it_was_made_for(void **state)
{
	assert_string_equal(MINE("bob=lr b0b"), "lr");
	assert_string_equal(MINE("bob=lr a0a"), "");
	assert_string_equal(MINE("rob=lr b0b"), "lr"); /* he had another name then */
	assert_string_equal(MINE("-bob=l a0a", "anyone=lr"), "lr");
}

static void what_is_damaged_gives_nothing(void **state)
{
	assert_string_equal(MINE("anyone=lr", "zoe=l?"), "");
	assert_string_equal(MINE("anyone=lr", "bob= b0b"), "lr");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_are_read_and_shown_with_the_obsolete_ones),
		cmocka_unit_test(any_other_letter_is_none),
		cmocka_unit_test(an_entry_is_what_was_written),
		cmocka_unit_test(identifiers_say_whom_they_name),
		cmocka_unit_test(rights_are_all_that_is_given_less_all_that_is_taken),
		cmocka_unit_test(an_entry_is_for_the_account_that_it_was_made_for),
		cmocka_unit_test(what_is_damaged_gives_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
