/* The configuration: what init writes, what is refused, and where it says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "tools/config_keys.h"

#define LISTENER                                                                         \
	"listeners:\n  - name: imap\n    address: \"::1\"\n    port: 143\n    tls: "     \
	"starttls\n"
#define END "end-of-configuration: true\n"

static struct config *accepted(const char *text)
{
	struct buf why = { 0 };
	struct config *c = NULL;
	enum err rc = config_parse(span_str(text), "/site", &c, &why);
	if (rc != ERR_OK)
		print_message("%.*s\n", (int)why.n, buf_span(&why).p);
	assert_int_equal(rc, ERR_OK);
	assert_int_equal(why.n, 0);
	buf_done(&why);
	return c;
}

/* `place` is "LINE:COLUMN: " or its beginning; `part` stands in the sentence. */
static void refused(const char *text, const char *place, const char *part)
{
	struct buf why = { 0 };
	struct config *c = NULL;
	assert_int_equal(config_parse(span_str(text), "/site", &c, &why), ERR_INVAL);
	assert_null(c);
	buf_putc(&why, 0);
	char begin[80];
	snprintf(begin, sizeof begin, "/site/mailstile.yaml:%s", place);
	if (strncmp(buf_span(&why).p, begin, strlen(begin)) != 0 ||
	    !strstr(buf_span(&why).p, part))
		fail_msg("wanted %s...%s, got %s", begin, part, buf_span(&why).p);
	buf_done(&why);
}

static void standard_text(struct buf *out)
{
	const struct config_wish wish = { .imap = 1143, .imaps = 1993 };
	config_text(&wish, out);
	buf_putc(out, 0);
	buf_truncate(out, out->n - 1);
}

/* Everything but the listeners. */
static void assert_same(const struct config *a, const struct config *b)
{
	const struct number_key *k;
	for (size_t i = 0; (k = config_number_key(i)); i++)
		assert_memory_equal((const char *)a + k->offset,
				    (const char *)b + k->offset, k->size);
	assert_string_equal(a->tls_certificate, b->tls_certificate);
	assert_string_equal(a->tls_key, b->tls_key);
	assert_string_equal(a->tls_minimum, b->tls_minimum);
	assert_string_equal(a->store_engine, b->store_engine);
	assert_string_equal(a->store_directory, b->store_directory);
	assert_string_equal(a->users, b->users);
	assert_int_equal(a->log_level, b->log_level);
	assert_int_equal(a->n_rules, b->n_rules);
	for (size_t i = 0; i < a->n_rules; i++) {
		assert_string_equal(a->rule[i].who, b->rule[i].who);
		assert_int_equal(a->rule[i].admins, b->rule[i].admins);
		assert_int_equal(a->rule[i].n_may_become, b->rule[i].n_may_become);
		for (size_t n = 0; n < a->rule[i].n_may_become; n++)
			assert_string_equal(a->rule[i].may_become[n],
					    b->rule[i].may_become[n]);
	}
}

static void text_of_init_equals_the_defaults(void **state)
{
	struct buf text = { 0 };
	standard_text(&text);
	struct config *written = accepted(buf_span(&text).p);
	struct config *bare = accepted(LISTENER END);
	assert_same(written, bare);
	assert_int_equal(written->n_listeners, 2);
	assert_string_equal(written->listener[0].name, "imap");
	assert_string_equal(written->listener[0].address, "127.0.0.1");
	assert_int_equal(written->listener[0].port, 1143);
	assert_int_equal(written->listener[0].tls, SERVER_TLS_STARTTLS);
	assert_int_equal(written->listener[1].port, 1993);
	assert_int_equal(written->listener[1].tls, SERVER_TLS_IMPLICIT);
	for (int i = 0; i < 2; i++) {
		assert_false(written->listener[i].plaintext_loopback);
		assert_int_equal(written->listener[i].unauthenticate,
				 AUTH_GATE_ADMIN_ONLY);
	}
	assert_false(bare->listener[0].plaintext_loopback);
	assert_int_equal(bare->listener[0].unauthenticate, AUTH_GATE_ADMIN_ONLY);
	config_free(written);
	config_free(bare);
	buf_done(&text);
}

static void text_of_init_has_every_key(void **state)
{
	struct buf text = { 0 };
	const struct number_key *k;
	standard_text(&text);
	for (size_t i = 0; (k = config_number_key(i)); i++) {
		char line[80];
		snprintf(line, sizeof line, "\n  %s: ", k->key);
		assert_non_null(strstr(buf_span(&text).p, line));
		assert_true(k->least <= k->standard && k->standard <= k->most);
		assert_true(k->size == 8 || k->most * k->scale <= UINT32_MAX);
	}
	buf_done(&text);
}

static void wishes_of_init_are_taken(void **state)
{
	const struct config_wish wish = { "::1", 2143, 2993, true };
	struct buf text = { 0 };
	config_text(&wish, &text);
	buf_putc(&text, 0);
	struct config *c = accepted(buf_span(&text).p);
	assert_string_equal(c->listener[1].address, "::1");
	assert_int_equal(c->listener[0].port, 2143);
	assert_int_equal(c->listener[1].port, 2993);
	assert_true(c->listener[0].plaintext_loopback);
	assert_false(c->listener[1].plaintext_loopback);
	config_free(c);
	buf_done(&text);
}

static void file_cut_off_anywhere_is_refused_or_equal(void **state)
{
	struct buf text = { 0 };
	standard_text(&text);
	struct config *whole = accepted(buf_span(&text).p);
	size_t taken = 0;
	for (size_t n = 0; n < text.n; n++) {
		struct buf why = { 0 };
		struct config *c = NULL;
		if (config_parse(span_sub(buf_span(&text), 0, n), "/site", &c, &why) ==
		    ERR_OK) {
			assert_same(c, whole);
			assert_int_equal(c->n_listeners, whole->n_listeners);
			taken++;
		} else {
			assert_true(why.n > 0);
		}
		config_free(c);
		buf_done(&why);
	}
	assert_int_equal(taken, 1); /* without the last line end */
	config_free(whole);
	buf_done(&text);
}

static void paths_begin_at_the_site(void **state)
{
	struct config *c = accepted(LISTENER
				    "users: /etc/users\nstore:\n  directory: here\n"
				    "tls:\n  key: /k\n  minimum-version: 1.3\n" END);
	assert_string_equal(c->users, "/etc/users");
	assert_string_equal(c->store_directory, "/site/here");
	assert_string_equal(c->tls_key, "/k");
	assert_string_equal(c->tls_certificate, "/site/tls/certificate.pem");
	assert_string_equal(c->tls_minimum, "1.3");
	config_free(c);
}

static void zero_is_not_the_default(void **state)
{
	struct config *c = accepted(LISTENER "limits:\n  sessions-per-user: 0\n"
					     "logins:\n  remember-seconds: 0\n" END);
	assert_int_equal(c->limits.sessions_per_user, 0);
	assert_int_equal(c->remember_ms, 0);
	assert_int_equal(c->limits.prelogin_ms, 60000);
	config_free(c);
}

static void databases_are_in_order(void **state)
{
	struct config *c = accepted(
	    LISTENER "databases:\n"
		     "  - {name: a, type: sqlite, file: a.db, query: SELECT 1}\n"
		     "  - {name: b, type: sqlite, file: /b.db, query: SELECT 1, admins: "
		     "true}\n" END);

	assert_int_equal(c->n_databases, 2);
	assert_string_equal(c->database[0].file, "/site/a.db");
	assert_string_equal(c->database[1].file, "/b.db");
	assert_false(c->database[0].has_admins);
	assert_true(c->database[1].has_admins);
	assert_int_equal(c->database_threads, 8);
	config_free(c);
	refused(LISTENER "databases:\n  - {name: a, type: sqlite, file: a}\n" END, "7:21",
		"The query is missing.");
	refused(LISTENER "databases:\n  - {name: a, type: sqlite, query: x}\n" END,
		"7:21", "The file of the SQLite database is missing.");
	refused(LISTENER
		"databases:\n  - {name: A, type: sqlite, file: a, query: x}\n" END,
		"7:12", "lower-case letters");
	refused(LISTENER "databases:\n"
			 "  - {name: a, type: sqlite, file: a, query: x}\n"
			 "  - {name: a, type: sqlite, file: b, query: x}\n" END,
		"8:12", "There is a database \"a\" above.");
	refused(LISTENER "databases:\n  - {name: a, type: oracle, query: x}\n" END,
		"7:", "\"oracle\" is none");
}

static void empty_policy_is_not_the_default(void **state)
{
	struct config *c = accepted(LISTENER "policy: []\n" END);
	assert_int_equal(c->n_rules, 0);
	config_free(c);
	c = accepted(
	    LISTENER
	    "policy:\n  - who: gate*\n    may-become: []\n"
	    "  - who: root\n    may-become: [a, \"b?\"]\n    admins: true\n" END);
	assert_int_equal(c->n_rules, 2);
	assert_int_equal(c->rule[0].n_may_become, 0);
	assert_false(c->rule[0].admins);
	assert_string_equal(c->rule[1].may_become[1], "b?");
	assert_true(c->rule[1].admins);
	config_free(c);
}

static void unknown_keys_are_refused_where_they_stand(void **state)
{
	refused(LISTENER "limit:\n  connections: 5\n" END, "6:1",
		"Unknown key \"limit\"");
	refused(LISTENER "limits:\n  conections: 5\n" END, "7:3",
		"Unknown key \"conections\"");
	refused(LISTENER "    speed: 5\n" END, "6:5", "Unknown key \"speed\"");
	refused(LISTENER "users: a\nusers: b\n" END, "6:1", "second time");
}

static void missing_keys_are_named(void **state)
{
	refused("users: users\n" END, "2:", "\"listeners\" is missing");
	refused("listeners:\n  - name: a\n    port: 1\n    tls: implicit\n" END,
		"4:", "\"address\" is missing");
	refused("", "1:1", "cut off");
	refused(LISTENER, "5:10", "cut off");
	refused(END LISTENER, "1:23", "last key");
}

static void wrong_words_and_numbers_are_refused_where_they_stand(void **state)
{
	refused(LISTENER "    unauthenticate: admin\n" END, "6:", "\"admin\" is none");
	refused(LISTENER "    unauthenticate: 1\n" END, "6:", "\"1\" is none");
	refused(LISTENER
		"policy:\n  - who: a\n    may-become: [b]\n    admins: yes\n" END,
		"9:", "\"yes\" is none");
	refused(LISTENER "limits:\n  connections: many\n" END, "7:", "many");
	refused(LISTENER "limits:\n  connections: -5\n" END, "7:16", "not -5");
	refused(LISTENER "limits:\n  connections: -18446744073709551611\n" END, "7:16",
		"not -18");
	refused(LISTENER "limits:\n  connections: 0x10\n" END, "7:16", "not 0x10");
	refused(LISTENER "limits:\n  connections: \n" END, "7:", "");
	refused(LISTENER "limits:\n  connections: 0\n" END, "7:16", "from 1 to 1000000");
	refused(LISTENER "limits:\n  idle-seconds: 1799\n" END, "7:17", "from 1800");
	refused(LISTENER "limits:\n  connections: 99999999999999999999999\n" END,
		"7:", "");
	refused(LISTENER "limits: 5\n" END, "6:", "");
	refused(LISTENER "users: [a]\n" END, "6:", "");
}

static void listeners_must_make_sense(void **state)
{
	refused("listeners: []\n" END, "1:", "");
	refused("listeners:\n  - name: I\n    address: ::1\n    port: 1\n    tls: "
		"implicit\n" END,
		"2:11", "name");
	refused("listeners:\n  - name: i\n    address: localhost\n    port: 1\n    tls: "
		"implicit\n" END,
		"3:14", "not an IPv4 or IPv6 address");
	refused("listeners:\n  - name: i\n    address: ::1\n    port: 65536\n    tls: "
		"implicit\n" END,
		"4:11", "65536");
	refused(
	    "listeners:\n  - name: i\n    address: ::1\n    port: 1\n    tls: none\n" END,
	    "5:10", "Nobody could log in");
	refused(LISTENER
		"  - name: imap\n    address: ::1\n    port: 1\n    tls: implicit\n" END,
		"6:11", "above");
	refused(LISTENER
		"  - name: b\n    address: ::1\n    port: 143\n    tls: implicit\n" END,
		"8:11", "already");
	config_free(
	    accepted("listeners:\n  - name: i\n    address: ::1\n    port: 0\n    tls: "
		     "none\n    plaintext-login: loopback\n" END));
}

#define LMTP "  - name: lmtp\n    protocol: lmtp\n    tls: none\n"

static void lmtp_listens_on_loopback_or_a_unix_socket(void **state)
{
	struct config *c = accepted(
	    LISTENER LMTP "    address: 127.8.9.1\n    port: 24\n"
			  "  - name: l2\n    protocol: lmtp\n    tls: none\n"
			  "    address: unix:run/lmtp\n"
			  "  - name: l3\n    protocol: lmtp\n    tls: none\n"
			  "    address: unix:/run/m\n    socket-access: everybody\n" END);
	assert_int_equal(c->listener[0].protocol, SERVER_IMAP);
	assert_int_equal(c->listener[1].protocol, SERVER_LMTP);
	assert_null(c->listener[1].path);
	assert_string_equal(c->listener[2].path, "/site/run/lmtp");
	assert_int_equal(c->listener[2].mode, 0660);
	assert_string_equal(c->listener[3].path, "/run/m");
	assert_int_equal(c->listener[3].mode, 0666);
	config_free(c);
	refused(LISTENER LMTP "    address: 192.0.2.1\n    port: 24\n" END, "9:14",
		"no logins");
	refused(LISTENER LMTP "    address: \"::\"\n    port: 24\n" END, "9:14",
		"no logins");
	refused(LISTENER LMTP "    address: ::1\n    port: 25\n" END, "10:11", "port 25");
	refused(LISTENER LMTP "    address: unix:a\n    port: 24\n" END, "10:11",
		"no port");
	refused(LISTENER LMTP "    address: \"unix:\"\n" END, "9:14", "107 bytes");
	refused(LISTENER LMTP "    address: unix:a\n    unauthenticate: \"on\"\n" END,
		"10:21", "no logins");
	refused(LISTENER LMTP
		"    address: ::1\n    port: 1\n    socket-access: owner\n" END,
		"11:20", "Only a Unix socket");
	refused(LISTENER LMTP "    address: unix:a\n"
			      "  - name: b\n    protocol: lmtp\n    tls: none\n"
			      "    address: unix:a\n" END,
		"13:14", "this path already");
	refused(LISTENER "  - name: i\n    tls: implicit\n    address: unix:a\n" END,
		"8:14", "Only lmtp");
	refused(LISTENER
		"  - name: l\n    protocol: lmtp\n    tls: implicit\n    address: ::1\n"
		"    port: 24\n" END,
		"8:10", "tls must be none");
	refused(LISTENER LMTP "    address: ::1\n" END, "6:", "\"port\" is missing");
	refused("listeners:\n  - name: a\n    address: ::1\n    port: 1\n" END,
		"2:", "\"tls\" is missing");
}

static void what_is_not_plain_yaml_is_refused(void **state)
{
	refused("listeners: [\n" END, "3:", "not YAML");
	refused("a: \"b\n", "2:1", "not YAML");
	refused("\ta: b\n", "1:", "not YAML");
	refused("a: \xff\n", "1:1", "UTF-8");
	refused("a: &x b\nc: *x\n", "2:4", "aliases");
	refused("a: b\n---\nc: d\n", "2:1", "second document");
	refused("a: [[[[[[[1]]]]]]]\n", "1:", "too deep");
	refused("? [a]\n: b\n", "1:3", "word");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_of_init_equals_the_defaults),
		cmocka_unit_test(text_of_init_has_every_key),
		cmocka_unit_test(wishes_of_init_are_taken),
		cmocka_unit_test(file_cut_off_anywhere_is_refused_or_equal),
		cmocka_unit_test(paths_begin_at_the_site),
		cmocka_unit_test(zero_is_not_the_default),
		cmocka_unit_test(databases_are_in_order),
		cmocka_unit_test(empty_policy_is_not_the_default),
		cmocka_unit_test(unknown_keys_are_refused_where_they_stand),
		cmocka_unit_test(missing_keys_are_named),
		cmocka_unit_test(wrong_words_and_numbers_are_refused_where_they_stand),
		cmocka_unit_test(listeners_must_make_sense),
		cmocka_unit_test(lmtp_listens_on_loopback_or_a_unix_socket),
		cmocka_unit_test(what_is_not_plain_yaml_is_refused),
	};
	return cmocka_run_group_tests_name("tools/config", tests, NULL, NULL);
}
