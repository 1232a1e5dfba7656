/*
 * Changing the user, against a server that misbehaves: rules C1 to C7 of doc/client.md,
 * RFC 8437 section 3.
 */
#include "peer.h"
#include <unistd.h>

static void unauthenticate_and_authenticate_leave_together(void **state)
{
	static const struct peer_step script[] = {
		GREETING,
		LOGIN_OK,
		/* Nothing is said before both are there. */
		{ .want = "UNAUTHENTICATE" },
		{ .want = "AUTHENTICATE PLAIN ",
		  .say = "$P OK out\r\n$T OK [CAPABILITY " CAPS "] in\r\n" },
		{ 0 },
	};
	struct peer p = { .script = { script } };

	peer_start(&p, NULL);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	peer_become(&p, "bob");
	peer_until(&p, "(alice:ok)(bob:ok)");
	assert_int_equal(client_stats(p.client).switches, 1);
	assert_int_equal(client_stats(p.client).connections, 1);
	assert_null(client_why_no_switch(p.client));
	peer_end(&p);
}

static void the_switch_goes_out_behind_commands_that_still_run(void **state)
{
	static const struct peer_step script[] = {
		GREETING,
		LOGIN_OK,
		{ .want = "NOOP" },
		{ .want = "UNAUTHENTICATE", .say = "$P OK done\r\n$T OK out\r\n" },
		LOGIN_OK,
		{ 0 },
	};
	struct peer p = { .script = { script } };

	peer_start(&p, NULL);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	peer_command(&p, "NOOP");
	peer_become(&p, "bob");
	peer_until(&p, "(alice:ok)[NOOP:ok](bob:ok)");
	peer_end(&p);
}

/* C6 */
static void nothing_may_be_sent_for_the_new_user_before_both_oks(void **state)
{
	static const struct peer_step script[] = { GREETING, LOGIN_OK, UNAUTH_OK,
						   SILENT };
	struct peer p = { .script = { script } };

	peer_start(&p, NULL);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	assert_true(client_is_ready(p.client));
	peer_become(&p, "bob");
	assert_false(client_is_ready(p.client));
	peer_idle(&p, 30); /* UNAUTHENTICATE has been answered, AUTHENTICATE not */
	assert_false(client_is_ready(p.client));
	assert_false(client_has(p.client, "UNAUTHENTICATE")); /* C2 */
	peer_end(&p);
}

/* C5 */
static void no_to_unauthenticate_closes_and_is_never_tried_again(void **state)
{
	static const struct peer_step first[] = {
		GREETING,
		LOGIN_OK,
		{ .want = "UNAUTHENTICATE", .say = "$T NO never\r\n" },
		SILENT,
	};
	static const struct peer_step again[] = { GREETING, LOGIN_OK, SILENT };
	struct peer p = { .script = { first, again, again } };

	peer_start(&p, NULL);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	peer_become(&p, "bob");
	peer_until(&p, "(alice:ok)(bob:corrupt)");
	peer_become(&p, "bob");
	peer_until(&p, "(alice:ok)(bob:corrupt)(bob:ok)");
	peer_become(&p, "carol");
	peer_until(&p, "(alice:ok)(bob:corrupt)(bob:ok)(carol:ok)");
	assert_int_equal(p.connections, 3);
	assert_int_equal(peer_saw(&p, "UNAUTHENTICATE"), 1);
	assert_non_null(client_why_no_switch(p.client));
	peer_end(&p);
}

/* C5 */
static void bad_to_unauthenticate_logs_out_and_reconnects(void **state)
{
	static const struct peer_step first[] = {
		GREETING,
		LOGIN_OK,
		{ .want = "UNAUTHENTICATE", .say = "$T BAD what\r\n" },
		SILENT,
	};
	static const struct peer_step again[] = { GREETING, LOGIN_OK, SILENT };
	struct peer p = { .script = { first, again, again } };

	peer_start(&p, NULL);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	peer_become(&p, "bob");
	peer_until(&p, "(alice:ok)(bob:ok)");
	peer_become(&p, "carol");
	peer_until(&p, "(alice:ok)(bob:ok)(carol:ok)");
	assert_int_equal(peer_saw(&p, "UNAUTHENTICATE"), 1);
	assert_int_equal(client_stats(p.client).reconnects, 2);
	peer_end(&p);
}

/* C5, RFC 8437 section 3: the server may send BYE when it cannot reset. */
static void bye_to_unauthenticate_reconnects(void **state)
{
	static const struct peer_step first[] = {
		GREETING,
		LOGIN_OK,
		{ .want = "UNAUTHENTICATE", .say = "* BYE cannot\r\n", .is_close = true },
		{ 0 },
	};
	static const struct peer_step again[] = { GREETING, LOGIN_OK, SILENT };
	struct peer p = { .script = { first, again } };
	struct client_config c = { .tls_mode = CLIENT_TLS_NONE, .retry_ms = 3000 };

	peer_start(&p, &c);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	peer_become(&p, "bob");
	peer_until(&p, "(alice:ok)(bob:ok)");
	assert_int_equal(client_stats(p.client).lost, 1);
	peer_end(&p);
}

static void silence_ends_the_connection_and_the_switch_goes_on_elsewhere(void **state)
{
	static const struct peer_step first[] = { GREETING,
						  LOGIN_OK,
						  { .want = "NOOP" },
						  { .want = "UNAUTHENTICATE" },
						  SILENT };
	static const struct peer_step again[] = { GREETING, LOGIN_OK, SILENT };
	struct peer p = { .script = { first, again } };
	struct client_config c = { .tls_mode = CLIENT_TLS_NONE,
				   .retry_ms = 3000,
				   .silence_ms = 150 };

	peer_start(&p, &c);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	peer_command(&p, "NOOP");
	peer_become(&p, "bob");
	peer_until(&p, "(alice:ok)[NOOP:unknown](bob:ok)");
	peer_end(&p);
}

/* C1 */
static void capability_is_that_of_this_login(void **state)
{
	static const struct peer_step first[] = {
		GREETING,
		LOGIN_OK,
		{ .want = "UNAUTHENTICATE", .say = "$T OK out\r\n" },
		{ .want = "AUTHENTICATE PLAIN ",
		  .say = "$T OK [CAPABILITY IMAP4rev1] in\r\n" },
		/* Before it gives the connection up, it asks. */
		{ .want = "CAPABILITY", .say = "* CAPABILITY IMAP4rev1\r\n$T OK\r\n" },
		SILENT,
	};
	static const struct peer_step again[] = {
		GREETING, LOGIN_OK, UNAUTH_OK, LOGIN_OK, SILENT,
	};
	struct peer p = { .script = { first, again } };

	peer_start(&p, NULL);
	peer_become(&p, "alice"); /* has it */
	peer_until(&p, "(alice:ok)");
	peer_become(&p, "bob"); /* has it not: the next needs a connection */
	peer_until(&p, "(alice:ok)(bob:ok)");
	assert_false(client_has(p.client, "UNAUTHENTICATE"));
	peer_become(&p, "carol"); /* has it again */
	peer_until(&p, "(alice:ok)(bob:ok)(carol:ok)");
	peer_become(&p, "dave");
	peer_until(&p, "(alice:ok)(bob:ok)(carol:ok)(dave:ok)");
	assert_int_equal(p.connections, 2);
	assert_int_equal(client_stats(p.client).switches, 2);
	assert_int_equal(client_stats(p.client).reconnects, 1);
	peer_end(&p);
}

/* C1: Cyrus 3.6 tells UNAUTHENTICATE in the command's answer only. */
static void capability_is_asked_before_a_connection_is_given_up(void **state)
{
#define SHORT_OK                                                                         \
	{                                                                                \
		.want = "AUTHENTICATE PLAIN ",                                           \
		.say = "$T OK [CAPABILITY IMAP4rev1] in\r\n"                             \
	}
#define ASKED                                                                            \
	{                                                                                \
		.want = "CAPABILITY", .say = "* CAPABILITY " CAPS "\r\n$T OK\r\n"        \
	}
	static const struct peer_step script[] = {
		GREETING, SHORT_OK,  { .want = "NOOP", .say = "$T OK\r\n" },
		ASKED,	  UNAUTH_OK, SHORT_OK,
		ASKED,	  UNAUTH_OK, SHORT_OK,
		SILENT,
	};
	struct peer p = { .script = { script } };

	peer_start(&p, NULL);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	peer_command(&p, "NOOP");
	peer_become(&p, "bob");
	peer_until(&p, "(alice:ok)[NOOP:ok](bob:ok)");
	peer_become(&p, "carol");
	peer_until(&p, "(alice:ok)[NOOP:ok](bob:ok)(carol:ok)");
	assert_int_equal(p.connections, 1);
	peer_end(&p);
}

static void nothing_more_is_asked_where_the_code_was_enough(void **state)
{
	static const struct peer_step first[] = {
		GREETING,
		{ .want = "AUTHENTICATE PLAIN ",
		  .say = "$T OK [CAPABILITY IMAP4rev1] in\r\n" },
		{ .want = "CAPABILITY", .say = "* CAPABILITY IMAP4rev1\r\n$T OK\r\n" },
		SILENT,
	};
	static const struct peer_step next[] = {
		GREETING,
		{ .want = "AUTHENTICATE PLAIN ",
		  .say = "$T OK [CAPABILITY IMAP4rev1] in\r\n" },
		SILENT,
	};
	struct peer p = { .script = { first, next, next } };

	peer_start(&p, NULL);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	peer_become(&p, "bob");
	peer_until(&p, "(alice:ok)(bob:ok)");
	peer_become(&p, "carol");
	peer_until(&p, "(alice:ok)(bob:ok)(carol:ok)");
	assert_int_equal(peer_saw(&p, "CAPABILITY"), 1);
	peer_end(&p);
}

/* C1: no code in the OK, so it is asked. */
static void capability_is_asked_when_the_login_does_not_tell(void **state)
{
	static const struct peer_step script[] = {
		{ .say = "* OK hello\r\n" },
		{ .want = "CAPABILITY",
		  .say = "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n$T OK that is it\r\n" },
		{ .want = "AUTHENTICATE PLAIN\r\n", .say = "+ \r\n" },
		/* alice NUL root NUL pw; the line has no tag, so $T is still the
		   command's */
		{ .want = "YWxpY2UAcm9vdABwdw==", .say = "$T OK in\r\n" },
		{ .want = "CAPABILITY",
		  .say = "* CAPABILITY IMAP4rev1 IDLE\r\n$T OK yes\r\n" },
		SILENT,
	};
	struct peer p = { .script = { script } };

	peer_start(&p, NULL);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	assert_true(client_has(p.client, "IDLE"));
	peer_end(&p);
}

static void ok_to_unauthenticate_before_an_earlier_reply_is_a_broken_server(void **state)
{
	static const struct peer_step script[] = {
		GREETING,
		LOGIN_OK,
		{ .want = "NOOP" },
		{ .want = "UNAUTHENTICATE", .say = "$T OK out\r\n$P OK noop\r\n" },
		SILENT,
	};
	struct peer p = { .script = { script } };

	peer_start(&p, NULL);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	peer_command(&p, "NOOP");
	peer_become(&p, "bob");
	peer_until(&p, "(alice:ok)[NOOP:unknown](bob:corrupt)");
	peer_end(&p);
}

static void a_refused_user_leaves_the_connection_for_the_next(void **state)
{
	static const struct peer_step script[] = {
		GREETING,
		LOGIN_OK,
		UNAUTH_OK,
		{ .want = "AUTHENTICATE PLAIN ",
		  .say = "$T NO [AUTHORIZATIONFAILED] not he\r\n" },
		LOGIN_OK, /* no UNAUTHENTICATE: nobody is logged in */
		SILENT,
	};
	struct peer p = { .script = { script } };

	peer_start(&p, NULL);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	peer_become(&p, "bob");
	peer_until(&p, "(alice:ok)(bob:auth)");
	assert_false(client_is_ready(p.client));
	peer_become(&p, "carol");
	peer_until(&p, "(alice:ok)(bob:auth)(carol:ok)");
	assert_int_equal(p.connections, 1);
	peer_end(&p);
}

/* C7 */
static void the_identity_of_preauth_is_dropped(void **state)
{
	static const struct peer_step script[] = {
		{ .say = "* PREAUTH [CAPABILITY " CAPS " AUTH=PLAIN] you are root\r\n" },
		UNAUTH_OK,
		{ .want = "AUTHENTICATE PLAIN", .say = "+ \r\n" },
		{ .want = "", .say = "$T OK [CAPABILITY " CAPS "] in\r\n" },
		SILENT,
	};
	static const struct peer_step cannot[] = {
		{ .say = "* PREAUTH [CAPABILITY IMAP4rev1 AUTH=PLAIN] you are root\r\n" },
		{ .want = "CAPABILITY",
		  .say = "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n$T OK\r\n" },
		SILENT,
	};
	struct peer p = { .script = { script } }, q = { .script = { cannot } };

	peer_start(&p, NULL);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	peer_end(&p);
	peer_start(&q, NULL);
	peer_become(&q, "alice");
	peer_until(&q, "(alice:unsupported)");
	peer_end(&q);
}

/* RFC 9051 sections 6.2.1 and 7.1.4, RFC 3207 section 6. */
static void plain_text_cannot_get_around_starttls(void **state)
{
	static const struct peer_step injects[] = {
		GREETING,
		{ .want = "STARTTLS", .say = "$T OK go\r\n* CAPABILITY EVIL\r\n" },
		SILENT,
	};
	static const struct peer_step preauth[] = { { .say = "* PREAUTH hello\r\n" },
						    SILENT };
	static const struct peer_step refuses[] = {
		GREETING,
		{ .want = "STARTTLS", .say = "$T NO not here\r\n" },
		SILENT,
	};
	static const struct peer_step *const scripts[] = { injects, preauth, refuses };
	static const char *const outcome[] = { "(alice:corrupt)", "(alice:corrupt)",
					       "(alice:unsupported)" };
	struct net_tls_client o = { .is_unverified = true };
	struct net_error e;
	struct client_config c = { .tls_mode = CLIENT_TLS_START };

	assert_int_equal(net_tls_client_new(&o, &c.tls, &e), ERR_OK);
	for (int i = 0; i < 3; i++) {
		struct peer p = { .script = { scripts[i] } };
		peer_start(&p, &c);
		peer_become(&p, "alice");
		peer_until(&p, outcome[i]);
		assert_int_equal(peer_saw(&p, "AUTHENTICATE"), 0);
		peer_end(&p);
	}
	net_tls_unref(c.tls);
}

static void a_server_that_is_not_there_is_an_io_error(void **state)
{
	struct peer p = { 0 };

	peer_start(&p, NULL);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:io)");
	peer_end(&p);
}

static void a_server_lost_before_the_first_login_is_tried_again(void **state)
{
	static const struct peer_step first[] = {
		GREETING, { .want = "AUTHENTICATE PLAIN ", .is_close = true }, { 0 }
	};
	static const struct peer_step again[] = { GREETING, LOGIN_OK, SILENT };
	struct peer p = { .script = { first, again } };
	struct client_config c = { .tls_mode = CLIENT_TLS_NONE, .retry_ms = 3000 };

	peer_start(&p, &c);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	assert_int_equal(p.connections, 2);
	peer_end(&p);
}

static void the_same_user_again_costs_nothing(void **state)
{
	static const struct peer_step script[] = { GREETING, LOGIN_OK, SILENT };
	struct peer p = { .script = { script } };

	peer_start(&p, NULL);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)(alice:ok)");
	assert_int_equal(client_stats(p.client).logins, 1);
	peer_end(&p);
}

static void never_switch_reconnects_for_each_user(void **state)
{
	static const struct peer_step script[] = { GREETING, LOGIN_OK, SILENT };
	struct peer p = { .script = { script, script } };
	struct client_config c = { .tls_mode = CLIENT_TLS_NONE, .never_switch = true };

	peer_start(&p, &c);
	peer_become(&p, "alice");
	peer_until(&p, "(alice:ok)");
	peer_become(&p, "bob");
	peer_until(&p, "(alice:ok)(bob:ok)");
	assert_int_equal(p.connections, 2);
	peer_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unauthenticate_and_authenticate_leave_together),
		cmocka_unit_test(the_switch_goes_out_behind_commands_that_still_run),
		cmocka_unit_test(nothing_may_be_sent_for_the_new_user_before_both_oks),
		cmocka_unit_test(no_to_unauthenticate_closes_and_is_never_tried_again),
		cmocka_unit_test(bad_to_unauthenticate_logs_out_and_reconnects),
		cmocka_unit_test(bye_to_unauthenticate_reconnects),
		cmocka_unit_test(
		    silence_ends_the_connection_and_the_switch_goes_on_elsewhere),
		cmocka_unit_test(capability_is_that_of_this_login),
		cmocka_unit_test(capability_is_asked_before_a_connection_is_given_up),
		cmocka_unit_test(nothing_more_is_asked_where_the_code_was_enough),
		cmocka_unit_test(capability_is_asked_when_the_login_does_not_tell),
		cmocka_unit_test(
		    ok_to_unauthenticate_before_an_earlier_reply_is_a_broken_server),
		cmocka_unit_test(a_refused_user_leaves_the_connection_for_the_next),
		cmocka_unit_test(the_identity_of_preauth_is_dropped),
		cmocka_unit_test(plain_text_cannot_get_around_starttls),
		cmocka_unit_test(a_server_that_is_not_there_is_an_io_error),
		cmocka_unit_test(a_server_lost_before_the_first_login_is_tried_again),
		cmocka_unit_test(the_same_user_again_costs_nothing),
		cmocka_unit_test(never_switch_reconnects_for_each_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
