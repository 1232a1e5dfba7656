/* SASL mechanisms, both roles (RFC 4422, RFC 4616, RFC 4959). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/mech.h"

static const struct mech_env none;

static enum mech_rc plain(struct span in, struct mech_step *ret)
{
	return mech_plain.server_step(&mech_plain, NULL, NULL, &none, &in, ret);
}

static void mechanisms_are_found_in_any_case(void **state)
{
	assert_ptr_equal(mech_find(SPAN("plain")), &mech_plain);
	assert_null(mech_find(SPAN("PLAI")));
	assert_ptr_equal(mech_at(7), &mech_plain);
	assert_ptr_equal(mech_at(8), &mech_login);
	assert_null(mech_at(9));
	assert_true(mech_plain.flags & MECH_PLAINTEXT);
}

static void plain_without_initial_response_asks_with_an_empty_challenge(void **state)
{
	struct mech_step s = { 0 };
	assert_int_equal(mech_plain.server_step(&mech_plain, NULL, NULL, &none, NULL, &s),
			 MECH_CHALLENGE);
	assert_int_equal(s.out.n, 0);
}

static void plain_message_has_three_parts(void **state)
{
	struct mech_step s = { 0 };
	assert_int_equal(plain(SPAN("Ursel\0Kurt\0xipj3plmq"), &s), MECH_PASSWORD);
	assert_true(span_eq(s.request.authzid, SPAN("Ursel")));
	assert_true(span_eq(s.request.authcid, SPAN("Kurt")));
	assert_true(span_eq(s.request.password, SPAN("xipj3plmq")));
	assert_int_equal(plain(SPAN("\0tim\0tanstaaftanstaaf"), &s), MECH_PASSWORD);
	assert_int_equal(s.request.authzid.n, 0);
}

static void malformed_plain_messages_fail(void **state)
{
	static const struct span bad[] = {
		SPAN_INIT(""),	    SPAN_INIT("\0"),	   SPAN_INIT("\0\0"),
		SPAN_INIT("\0a\0"), SPAN_INIT("\0\0b"),	   SPAN_INIT("a\0b"),
		SPAN_INIT("abc"),   SPAN_INIT("\0a\0b\0"), SPAN_INIT("z\0a\0b\0c"),
	};
	struct mech_step s = { 0 };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(plain(bad[i], &s), MECH_FAILED);
}

static void client_says_what_the_server_reads(void **state)
{
	struct arena *a = arena_new(NULL);
	struct mech_credential c = { SPAN("bob"), SPAN("root"), SPAN("pass word") };
	void *mine = arena_alloc(a, mech_plain.client_size);
	struct mech_step said = { 0 }, heard = { 0 };
	assert_int_equal(
	    mech_plain.client_step(&mech_plain, mine, a, &none, &c, NULL, &said),
	    MECH_DONE);
	assert_true(span_eq(said.out, SPAN("bob\0root\0pass word")));
	assert_int_equal(plain(said.out, &heard), MECH_PASSWORD);
	assert_true(span_eq(heard.request.password, c.password));
	/* PLAIN has one message: a server that asks again is broken */
	assert_int_equal(
	    mech_plain.client_step(&mech_plain, mine, a, &none, &c, &SPAN_NONE, &said),
	    MECH_FAILED);
	arena_free(a);
}

static void client_refuses_credentials_that_cannot_be_said(void **state)
{
	struct arena *a = arena_new(NULL);
	struct mech_credential bad[] = {
		{ SPAN("a\0b"), SPAN("root"), SPAN("x") },
		{ SPAN_NONE, SPAN_NONE, SPAN("x") },
		{ SPAN_NONE, SPAN("root"), SPAN_NONE },
		{ SPAN_NONE, SPAN("root"), SPAN("x\0y") },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct mech_step said = { 0 };
		void *mine = arena_alloc(a, mech_plain.client_size);
		assert_int_equal(mech_plain.client_step(&mech_plain, mine, a, &none,
							&bad[i], NULL, &said),
				 MECH_FAILED);
	}
	arena_free(a);
}

/* draft-murchison-sasl-login-00 */
static void login_asks_for_a_name_and_a_password(void **state)
{
	static const struct span in[] = { SPAN_INIT("tim"), SPAN_INIT("tanstaaf") };

	for (int has_initial = 0; has_initial < 2; has_initial++) {
		struct arena *a = arena_new(NULL);
		void *mine = arena_alloc(a, mech_login.server_size);
		struct mech_step s = { 0 };

		if (!has_initial) {
			assert_int_equal(mech_login.server_step(&mech_login, mine, a,
								&none, NULL, &s),
					 MECH_CHALLENGE);
			assert_true(span_eq(s.out, SPAN("Username:")));
		}
		assert_int_equal(
		    mech_login.server_step(&mech_login, mine, a, &none, &in[0], &s),
		    MECH_CHALLENGE);
		assert_true(span_eq(s.out, SPAN("Password:")));
		assert_int_equal(
		    mech_login.server_step(&mech_login, mine, a, &none, &in[1], &s),
		    MECH_PASSWORD);
		assert_true(span_eq(s.request.authcid, in[0]));
		assert_true(span_eq(s.request.password, in[1]));
		assert_int_equal(s.request.authzid.n, 0);
		arena_free(a);
	}
}

static void login_refuses_what_is_no_name_or_password(void **state)
{
	static const struct span bad[][2] = {
		{ SPAN_INIT(""), SPAN_INIT("x") },
		{ SPAN_INIT("a\0b"), SPAN_INIT("x") },
		{ SPAN_INIT("tim"), SPAN_INIT("") },
		{ SPAN_INIT("tim"), SPAN_INIT("x\0y") },
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct arena *a = arena_new(NULL);
		void *mine = arena_alloc(a, mech_login.server_size);
		struct mech_step s = { 0 };
		enum mech_rc rc = mech_login.server_step(&mech_login, mine, a, &none,
							 &bad[i][0], &s);

		if (rc == MECH_CHALLENGE)
			rc = mech_login.server_step(&mech_login, mine, a, &none,
						    &bad[i][1], &s);
		assert_int_equal(rc, MECH_FAILED);
		arena_free(a);
	}
}

static void login_as_a_client_says_two_things_and_no_authzid(void **state)
{
	struct arena *a = arena_new(NULL);
	struct mech_credential c = { SPAN_NONE, SPAN("tim"), SPAN("pw") };
	void *mine = arena_alloc(a, mech_login.client_size);
	struct mech_step said = { 0 };
	struct span asked = SPAN("Password:");

	assert_int_equal(
	    mech_login.client_step(&mech_login, mine, a, &none, &c, NULL, &said),
	    MECH_CHALLENGE);
	assert_true(span_eq(said.out, c.authcid));
	assert_int_equal(
	    mech_login.client_step(&mech_login, mine, a, &none, &c, &asked, &said),
	    MECH_DONE);
	assert_true(span_eq(said.out, c.password));
	assert_int_equal(
	    mech_login.client_step(&mech_login, mine, a, &none, &c, &asked, &said),
	    MECH_FAILED);
	c.authzid = SPAN("bob");
	mine = arena_alloc(a, mech_login.client_size);
	assert_int_equal(
	    mech_login.client_step(&mech_login, mine, a, &none, &c, NULL, &said),
	    MECH_FAILED);
	arena_free(a);
}

static void equals_sign_is_an_empty_initial_response(void **state)
{
	struct buf b = { 0 };
	assert_int_equal(mech_initial(SPAN("="), &b), ERR_OK);
	assert_int_equal(b.n, 0);
	assert_int_equal(mech_initial(SPAN("AGEAYg=="), &b), ERR_OK);
	assert_true(span_eq(buf_span(&b), SPAN("\0a\0b")));
	assert_int_equal(mech_initial(SPAN("AGEAYg="), &b), ERR_INVAL);
	assert_int_equal(mech_initial(SPAN(""), &b), ERR_INVAL);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mechanisms_are_found_in_any_case),
		cmocka_unit_test(
		    plain_without_initial_response_asks_with_an_empty_challenge),
		cmocka_unit_test(plain_message_has_three_parts),
		cmocka_unit_test(malformed_plain_messages_fail),
		cmocka_unit_test(client_says_what_the_server_reads),
		cmocka_unit_test(client_refuses_credentials_that_cannot_be_said),
		cmocka_unit_test(login_asks_for_a_name_and_a_password),
		cmocka_unit_test(login_refuses_what_is_no_name_or_password),
		cmocka_unit_test(login_as_a_client_says_two_things_and_no_authzid),
		cmocka_unit_test(equals_sign_is_an_empty_initial_response),
	};
	return cmocka_run_group_tests_name("auth/mech", tests, NULL, NULL);
}
