/*
 * Logging in by something else than PLAIN, against a server that misbehaves (RFC 5802
 * section 9, RFC 9051 section 6.2.2). Logins that succeed: tests/tools/test_act_login.py.
 */
#include "peer.h"

#define SCRAM_ONLY                                                                       \
	{                                                                                \
		.say = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-1 "            \
		       "AUTH=SCRAM-SHA-256] hello\r\n"                                   \
	}

static void ends_as(const struct peer_step *script, const struct client_config *c,
		    const char *notes, const char *sent)
{
	struct peer p = { .script = { script } };

	peer_start(&p, c);
	peer_become(&p, "alice");
	peer_until(&p, notes);
	assert_int_equal(peer_saw(&p, sent), 1);
	peer_end(&p);
}

/* "n,a=alice,n=root,r=..." begins so in base64; without TLS there is nothing to bind to.
 */
static void the_best_scram_where_plain_is_not_offered(void **state)
{
	static const struct peer_step script[] = {
		SCRAM_ONLY,
		{ .want = "AUTHENTICATE SCRAM-SHA-256 bixhPWFsaWNlLG49",
		  .say = "$T NO [AUTHENTICATIONFAILED] no\r\n" },
		SILENT,
	};

	ends_as(script, NULL, "(alice:auth)", "AUTHENTICATE");
}

static void ok_before_the_servers_own_proof_is_not_our_server(void **state)
{
	static const struct peer_step script[] = {
		SCRAM_ONLY,
		{ .want = "AUTHENTICATE SCRAM-SHA-256 ",
		  .say = "$T OK [CAPABILITY " CAPS "] in\r\n" },
		SILENT,
	};

	ends_as(script, NULL, "(alice:corrupt)", "AUTHENTICATE");
}

/* Somebody else's nonce, no base64, a count of rounds that is none. */
static void a_wrong_challenge_is_cancelled(void **state)
{
	static const char *const challenge[] = {
		"+ cj1zb21lYm9keSxzPVFTWENSK1E2c2VrOGJmOTIsaT00MDk2\r\n",
		"+ !!!\r\n",
		"+ \r\n",
	};

	for (size_t i = 0; i < sizeof challenge / sizeof challenge[0]; i++) {
		struct peer_step script[] = {
			SCRAM_ONLY,
			{ .want = "AUTHENTICATE SCRAM-SHA-256 ", .say = challenge[i] },
			{ .want = "*", .say = "m1 NO cancelled\r\n" },
			SILENT,
		};

		ends_as(script, NULL, "(alice:auth)", "*");
	}
}

static void more_than_plain_has_is_cancelled(void **state)
{
	static const struct peer_step script[] = {
		GREETING,
		{ .want = "AUTHENTICATE PLAIN ", .say = "+ \r\n" },
		{ .want = "*", .say = "m1 NO cancelled\r\n" },
		SILENT,
	};

	ends_as(script, NULL, "(alice:auth)", "*");
}

static void what_was_asked_for_and_is_not_offered_is_not_replaced(void **state)
{
	static const struct peer_step script[] = { GREETING, SILENT };
	struct client_config c = { .tls_mode = CLIENT_TLS_NONE,
				   .mechanism = "SCRAM-SHA-256" };
	struct peer p = { .script = { script } };

	peer_start(&p, &c);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:unsupported)");
	assert_int_equal(peer_saw(&p, "AUTHENTICATE"), 0);
	peer_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_scram_where_plain_is_not_offered),
		cmocka_unit_test(ok_before_the_servers_own_proof_is_not_our_server),
		cmocka_unit_test(a_wrong_challenge_is_cancelled),
		cmocka_unit_test(more_than_plain_has_is_cancelled),
		cmocka_unit_test(what_was_asked_for_and_is_not_offered_is_not_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
