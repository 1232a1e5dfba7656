/* Rows of databases as users, names they are asked for, what is remembered of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "auth/known.h"
#include "auth/userdb_kind.h"

static const struct userdb_config plain = { .name = "db", .type = USERDB_SQLITE };
static const struct userdb_config trusted = { .name = "db",
					      .type = USERDB_SQLITE,
					      .has_admins = true };

struct cell {
	enum userdb_column column;
	const char *text;
};

/* The user that a row of up to two columns makes; NULL: none. */
static struct users *made(const struct userdb_config *c, struct cell a, struct cell b)
{
	struct userdb_row row = { 0 };
	struct users *u = NULL;
	struct buf why = { 0 };
	const struct cell cells[] = { a, b };
	enum err rc;

	for (int i = 0; i < 2; i++)
		if (cells[i].text) {
			row.has[cells[i].column] = true;
			buf_puts(&row.at[cells[i].column], cells[i].text);
		}
	rc = userdb_row_user(&row, c, SPAN("bob"), &u, &why);
	assert_int_equal(rc == ERR_OK, u != NULL);
	assert_int_equal(rc == ERR_OK, why.n == 0);
	userdb_row_done(&row);
	buf_done(&why);
	return u;
}

static const struct cell none = { COLUMN_PASSWORD, NULL };

static void bad(enum userdb_column column, const char *text)
{
	assert_null(made(&trusted, (struct cell){ column, text }, none));
}

static void a_row_without_anything_is_a_user_who_is_acted_for(void **state)
{
	struct users *u = made(&plain, none, none), *again = made(&plain, none, none);
	const struct user *bob = users_at(u, 0);

	assert_true(span_eq(bob->name, SPAN("bob")));
	assert_true(span_eq(bob->hash, SPAN("*")));
	assert_false(bob->is_admin || bob->is_shared || bob->is_assumed);
	assert_true(span_eq(bob->account, users_at(again, 0)->account));
	users_unref(u);
	users_unref(again);
}

static void roles_are_words(void **state)
{
	struct users *u = made(&plain, (struct cell){ COLUMN_ROLE, "admin" }, none);

	assert_false(users_at(u, 0)->is_admin);
	users_unref(u);
	u = made(&trusted, (struct cell){ COLUMN_ROLE, "admin" }, none);
	assert_true(users_at(u, 0)->is_admin);
	users_unref(u);
	u = made(&plain, (struct cell){ COLUMN_ROLE, "shared" }, none);
	assert_true(users_at(u, 0)->is_shared);
	users_unref(u);
	bad(COLUMN_ROLE, "root");
	bad(COLUMN_ROLE, "admin:x");
}

static void groups_come_in_normal_form(void **state)
{
	struct users *u = made(&plain, (struct cell){ COLUMN_GROUPS, " Staff,, ops " },
			       none);

	assert_true(span_eq(users_at(u, 0)->groups, SPAN("staff,ops")));
	users_unref(u);
	bad(COLUMN_GROUPS, "a=b");
	bad(COLUMN_GROUPS, "a:b");
	bad(COLUMN_GROUPS, "a\nb");
	bad(COLUMN_GROUPS, "$a");
}

static void an_account_may_be_a_uuid(void **state)
{
	struct users *u =
	    made(&plain,
		 (struct cell){ COLUMN_ACCOUNT, "0B5C1F2E-7A34-4D11-9C1B-6F3E8A9D0C2B" },
		 none);

	assert_true(
	    span_eq(users_at(u, 0)->account, SPAN("0b5c1f2e7a344d119c1b6f3e8a9d0c2b")));
	users_unref(u);
	bad(COLUMN_ACCOUNT, "0b5c1f2e7a344d119c1b6f3e8a9d0c2");
	bad(COLUMN_ACCOUNT, "0b5c1f2e7a344d119c1b6f3e8a9d0c2b0");
	bad(COLUMN_ACCOUNT, "0b5c1f2e7a344d119c1b6f3e8a9d0c2g");
	bad(COLUMN_ACCOUNT, "----");
}

static void a_password_is_one_field(void **state)
{
	struct users *u = made(&plain, (struct cell){ COLUMN_PASSWORD, "$6$salt$hash" },
			       none);

	assert_true(span_eq(users_at(u, 0)->hash, SPAN("$6$salt$hash")));
	users_unref(u);
	u = made(&plain, (struct cell){ COLUMN_PASSWORD, "!$6$salt$hash" }, none);
	assert_true(span_eq(users_at(u, 0)->hash, SPAN("*")));
	users_unref(u);
	bad(COLUMN_PASSWORD, "secret");
	bad(COLUMN_PASSWORD, "$6$x:groups=staff");
	bad(COLUMN_PASSWORD, "$6$x\nroot:0:admin:*");
}

static void keys_of_scram_alone_are_no_password(void **state)
{
	const struct cell keys = { COLUMN_SCRAM_SHA_256,
				   "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
				   "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
				   "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" };
	struct users *u = made(&plain, keys, none);

	assert_true(span_eq(users_at(u, 0)->hash, USER_HASH_NONE));
	assert_true(span_starts(user_field(users_at(u, 0), SPAN("scram-sha-256")),
				SPAN("4096,W22ZaJ0SNY7soEsUEjb6gQ==,")));
	users_unref(u);
	u = made(&plain, keys, (struct cell){ COLUMN_PASSWORD, "*" });
	assert_true(span_eq(users_at(u, 0)->hash, SPAN("*")));
	users_unref(u);
	bad(COLUMN_SCRAM_SHA_256, "SCRAM-SHA-256$4096:x$y:z");
	bad(COLUMN_SCRAM_SHA_1, keys.text);
}

static void names_that_mean_more_are_not_asked_for(void **state)
{
	static const struct span odd[] = {
		SPAN_INIT(""),	   SPAN_INIT("Bob"),	      SPAN_INIT("per%"),
		SPAN_INIT("a*"),   SPAN_INIT("a?"),	      SPAN_INIT("a\\"),
		SPAN_INIT("(a"),   SPAN_INIT("a)"),	      SPAN_INIT("a/b"),
		SPAN_INIT("a\0b"), SPAN_INIT("a\nb"),	      SPAN_INIT("a b"),
		SPAN_INIT("\xff"), SPAN_INIT("cafe\xcc\x81"), SPAN_INIT("#operator"),
	};

	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		assert_false(userdb_name_ok(odd[i]));
	assert_true(userdb_name_ok(SPAN("o'brien_1@example.org")));
	assert_true(userdb_name_ok(SPAN("caf\xc3\xa9")));
}

static void what_was_said_last_is_known(void **state)
{
	struct known *k = known_new(8, 7);
	struct users *u = made(&plain, none, none), *got = NULL;
	uint64_t at = 0;

	assert_false(known_get(k, SPAN("bob"), &got, &at));
	known_put(k, SPAN("bob"), u, 100);
	known_put(k, SPAN("bob"), NULL, 50); /* asked before, answered later */
	assert_true(known_get(k, SPAN("bob"), &got, &at));
	assert_ptr_equal(got, u);
	assert_int_equal(at, 100);
	users_unref(got);
	known_put(k, SPAN("bob"), NULL, 101);
	assert_true(known_get(k, SPAN("bob"), &got, NULL));
	assert_null(got);
	known_free(k);
	users_unref(u);
}

static void somebody_is_known_longer_than_nobodies(void **state)
{
	struct known *k = known_new(8, 7);
	struct users *u = made(&plain, none, none);
	char name[16];

	known_put(k, SPAN("bob"), u, 1);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "nobody%d", i);
		known_put(k, span_str(name), NULL, 10);
	}
	assert_true(known_get(k, SPAN("bob"), NULL, NULL));
	known_free(k);
	users_unref(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_without_anything_is_a_user_who_is_acted_for),
		cmocka_unit_test(roles_are_words),
		cmocka_unit_test(groups_come_in_normal_form),
		cmocka_unit_test(an_account_may_be_a_uuid),
		cmocka_unit_test(a_password_is_one_field),
		cmocka_unit_test(keys_of_scram_alone_are_no_password),
		cmocka_unit_test(names_that_mean_more_are_not_asked_for),
		cmocka_unit_test(what_was_said_last_is_known),
		cmocka_unit_test(somebody_is_known_longer_than_nobodies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
