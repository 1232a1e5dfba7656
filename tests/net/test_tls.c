/* TLS on a stack: both sides ours, and OpenSSL by itself as the client. */
#include "help.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>

enum { LONG_MS = 10000 };

struct site {
	struct loop *l;
	struct cert cert;
	struct net_tls *server, *client;
};

static int make_site(void **state)
{
	struct site *s = calloc(1, sizeof *s);
	s->l = loop_make();
	cert_make(&s->cert);
	s->server = server_tls(&s->cert);
	s->client = client_tls(&s->cert);
	*state = s;
	return 0;
}

static int end_site(void **state)
{
	struct site *s = *state;
	net_loop_free(s->l);
	net_tls_unref(s->server);
	net_tls_unref(s->client);
	cert_done(&s->cert);
	free(s);
	return 0;
}

/* Two ends with the handshake done; a is the client. */
static void tls_pair(struct site *s, struct peer *a, struct peer *b)
{
	pair_make(s->l, a, b);
	net_push_tls(a->s, s->client, "localhost", LONG_MS);
	net_push_tls(b->s, s->server, NULL, LONG_MS);
	UNTIL(s->l, a->n_done && b->n_done);
}

static void drop(struct peer *a, struct peer *b)
{
	peer_done(a);
	peer_done(b);
}

static void both_sides_hear_each_other_and_know_the_facts(void **state)
{
	struct site *s = *state;
	struct peer a, b;
	struct net_tls_facts fa, fb;
	pair_make(s->l, &a, &b);
	net_push_tls(a.s, s->client, "localhost", LONG_MS);
	net_push_tls(b.s, s->server, NULL, LONG_MS);
	assert_true(net_is_tls(a.s));
	assert_false(net_tls_facts(a.s, &fa));
	say(&a, "written before the handshake was done");
	UNTIL(s->l, heard(&b, "written before the handshake was done"));
	say(&b, "hello");
	UNTIL(s->l, heard(&a, "hello"));
	assert_int_equal(a.n_done, 1);
	assert_int_equal(b.n_done, 1);

	assert_true(net_tls_facts(a.s, &fa) && net_tls_facts(b.s, &fb));
	assert_string_equal(fa.version, "TLSv1.3");
	assert_string_equal(fa.cipher, fb.cipher);
	assert_string_equal(fb.sni, "localhost");
	assert_true(fa.has_alpn && fb.has_alpn);
	assert_true(fa.has_peer_cert);
	assert_false(fb.has_peer_cert);
	drop(&a, &b);
}

static void the_exporter_gives_both_sides_the_same_key(void **state)
{
	struct site *s = *state;
	struct peer a, b;
	unsigned char ka[32] = { 0 }, kb[32] = { 1 };
	struct buf der = { 0 };
	pair_make(s->l, &a, &b);
	assert_int_equal(net_tls_exporter(a.s, "EXPORTER-Channel-Binding", ka, 32),
			 ERR_NOENT);
	drop(&a, &b);
	tls_pair(s, &a, &b);
	assert_int_equal(net_tls_exporter(a.s, "EXPORTER-Channel-Binding", ka, 32),
			 ERR_OK);
	assert_int_equal(net_tls_exporter(b.s, "EXPORTER-Channel-Binding", kb, 32),
			 ERR_OK);
	assert_memory_equal(ka, kb, 32);
	assert_int_equal(net_tls_peer_cert(a.s, &der), ERR_OK);
	assert_true(der.n > 100);
	assert_int_equal(net_tls_peer_cert(b.s, &der), ERR_NOENT);
	buf_done(&der);
	drop(&a, &b);
}

static void a_handshake_cut_at_every_byte_succeeds(void **state)
{
	struct site *s = *state;
	struct peer a, b;
	struct wire w;
	wire_make(s->l, &w, &a, &b);
	net_push_tls(a.s, s->client, "127.0.0.1", LONG_MS);
	net_push_tls(b.s, s->server, NULL, LONG_MS);
	UNTIL(s->l, (wire_relay(&w, 1), a.n_done && b.n_done));
	say(&a, "ping");
	say(&b, "pong");
	UNTIL(s->l, (wire_relay(&w, 1), heard(&b, "ping") && heard(&a, "pong")));
	wire_done(&w);
	drop(&a, &b);
}

static void one_read_decodes_one_record(void **state)
{
	struct site *s = *state;
	struct peer a, b;
	tls_pair(s, &a, &b);
	settle(s->l); /* the tickets too */
	b.is_lazy = true;
	say(&a, "one");
	say(&a, "two");
	say(&a, "three");
	UNTIL(s->l, net_raw_pending(b.s) == 3 * 22 + 3 + 3 + 5);
	assert_int_equal(net_read(b.s, &b.in), 3);
	assert_true(heard(&b, "one"));
	assert_int_equal(net_raw_pending(b.s), 2 * 22 + 3 + 5);
	assert_int_equal(net_counters(b.s).plain_in, 3);
	assert_int_equal(net_read(b.s, &b.in), 3);
	assert_int_equal(net_read(b.s, &b.in), 5);
	assert_int_equal(net_read(b.s, &b.in), 0);
	assert_true(heard(&b, "onetwothree"));
	drop(&a, &b);
}

static void starttls_changes_over_in_the_middle_of_a_connection(void **state)
{
	struct site *s = *state;
	struct peer a, b;
	pair_make(s->l, &a, &b);
	say(&a, "a1 STARTTLS\r\n");
	UNTIL(s->l, heard(&b, "a1 STARTTLS\r\n"));
	assert_int_equal(net_raw_pending(b.s), 0);
	/* written, then pushed: the OK goes out in plain text */
	net_write(b.s, SPAN("a1 OK\r\n"));
	net_push_tls(b.s, s->server, NULL, LONG_MS);
	UNTIL(s->l, heard(&a, "a1 OK\r\n"));
	net_push_tls(a.s, s->client, "localhost", LONG_MS);
	say(&a, "a2 NOOP\r\n");
	UNTIL(s->l, heard(&b, "a1 STARTTLS\r\na2 NOOP\r\n"));
	drop(&a, &b);
}

static void bytes_injected_behind_starttls_are_seen(void **state)
{
	struct site *s = *state;
	struct peer a, b;
	pair_make(s->l, &a, &b);
	b.is_lazy = true;
	say(&a, "a1 STARTTLS\r\na2 NOOP\r\n");
	UNTIL(s->l, b.n_readable);
	assert_int_equal(net_read(b.s, &b.in), 22);
	net_unread(b.s, SPAN("a2 NOOP\r\n"));
	assert_int_equal(net_raw_pending(b.s), 9);
	/* and an owner that does not look gets no plain text into TLS */
	net_push_tls(b.s, s->server, NULL, LONG_MS);
	UNTIL(s->l, b.n_closed);
	assert_string_equal(b.why.text, "the peer does not speak TLS");
	drop(&a, &b);
}

static void a_megabyte_arrives_both_ways(void **state)
{
	struct site *s = *state;
	enum { N = 1 << 20 };
	struct peer a, b;
	char *block = malloc(N);
	for (size_t i = 0; i < N; i++)
		block[i] = (char)(i * 2654435761u >> 13);
	tls_pair(s, &a, &b);
	net_write(a.s, span_of(block, N));
	net_write(b.s, span_of(block, N));
	net_flush(a.s);
	net_flush(b.s);
	UNTIL(s->l, a.in.n == N && b.in.n == N);
	assert_true(span_eq(buf_span(&a.in), span_of(block, N)));
	assert_true(span_eq(buf_span(&b.in), span_of(block, N)));
	assert_int_equal(net_counters(a.s).plain_out, N);
	assert_int_equal(net_counters(a.s).plain_in, N);
	assert_true(net_counters(a.s).raw_in > N);
	drop(&a, &b);
	free(block);
}

static void close_says_goodbye_before_the_end(void **state)
{
	struct site *s = *state;
	struct peer a, b;
	tls_pair(s, &a, &b);
	net_write(a.s, SPAN("last words"));
	net_close_after_flush(a.s, 1000);
	a.s = NULL;
	UNTIL(s->l, b.has_eof);
	assert_true(heard(&b, "last words"));
	assert_int_equal(b.n_closed, 0);
	drop(&a, &b);
}

/* The client ends with `text` and `rc`; the server is told too, by the alert. */
static void refused(struct site *s, struct net_tls *client, const char *host,
		    const char *text)
{
	struct peer a, b;
	pair_make(s->l, &a, &b);
	net_push_tls(a.s, client, host, LONG_MS);
	net_push_tls(b.s, s->server, NULL, LONG_MS);
	UNTIL(s->l, a.n_closed && b.n_closed);
	assert_string_equal(a.why.text, text);
	assert_int_equal(a.why.rc, ERR_AUTH);
	assert_non_null(strstr(b.why.text, "alert"));
	assert_int_equal(a.n_done, 0);
	drop(&a, &b);
}

static void a_certificate_for_another_host_is_refused(void **state)
{
	struct site *s = *state;
	refused(s, s->client, "other.example",
		"TLS: the peer's certificate is refused: hostname mismatch");
	refused(s, s->client, "127.0.0.2",
		"TLS: the peer's certificate is refused: IP address mismatch");
}

static void a_certificate_of_nobody_we_trust_is_refused(void **state)
{
	struct site *s = *state;
	struct cert other;
	cert_make(&other);
	struct net_tls *strict = client_tls(&other);
	refused(s, strict, "localhost",
		"TLS: the peer's certificate is refused: self-signed certificate");
	net_tls_unref(strict);
	cert_done(&other);
}

static void only_a_client_told_so_takes_any_certificate(void **state)
{
	struct site *s = *state;
	struct net_tls_client o = { .is_unverified = true };
	struct net_tls *t = NULL;
	struct net_tls_facts f;
	struct peer a, b;
	assert_int_equal(net_tls_client_new(&o, &t, NULL), ERR_OK);
	pair_make(s->l, &a, &b);
	net_push_tls(a.s, t, "other.example", LONG_MS);
	net_push_tls(b.s, s->server, NULL, LONG_MS);
	UNTIL(s->l, a.n_done && b.n_done);
	assert_true(net_tls_facts(a.s, &f));
	assert_false(f.has_peer_cert);
	drop(&a, &b);
	net_tls_unref(t);

	/* while one that verifies has to know whom it expects */
	pair_make(s->l, &a, &b);
	net_push_tls(a.s, s->client, NULL, LONG_MS);
	UNTIL(s->l, a.n_closed);
	assert_int_equal(a.why.rc, ERR_INVAL);
	drop(&a, &b);
}

static void a_silent_peer_is_given_up(void **state)
{
	struct site *s = *state;
	struct peer a, b;
	pair_make(s->l, &a, &b);
	net_push_tls(b.s, s->server, NULL, 20);
	UNTIL(s->l, b.n_closed);
	assert_string_equal(b.why.text, "the TLS handshake took too long");
	drop(&a, &b);
}

static void a_handshake_may_end_anywhere(void **state)
{
	struct site *s = *state;
	for (size_t cut = 0; cut < 2600; cut += 61) {
		for (int how = 0; how < 4; how++) {
			struct peer a, b;
			struct wire w;
			wire_make(s->l, &w, &a, &b);
			net_push_tls(a.s, s->client, "localhost", LONG_MS);
			net_push_tls(b.s, s->server, NULL, LONG_MS);
			for (int i = 0; w.carried < cut && i < 400; i++) {
				wire_relay(&w, 61);
				net_loop_turn(s->l, false);
			}
			struct peer *p = how % 2 ? &a : &b;
			if (how < 2)
				net_close_after_flush(p->s, 20);
			else
				net_abort(p->s);
			p->s = NULL;
			for (int i = 0; i < 5; i++) {
				wire_relay(&w, 5000);
				net_loop_turn(s->l, false);
			}
			assert_int_equal(p->n_closed, 0);
			wire_done(&w);
			drop(&a, &b);
		}
	}
}

static void an_old_context_outlives_a_reload(void **state)
{
	struct site *s = *state;
	struct peer a, b, c, d;
	tls_pair(s, &a, &b);
	net_tls_unref(s->server);
	s->server = server_tls(&s->cert);
	say(&a, "still");
	UNTIL(s->l, heard(&b, "still"));
	tls_pair(s, &c, &d);
	drop(&a, &b);
	drop(&c, &d);
}

static void files_that_are_wrong_are_named(void **state)
{
	struct site *s = *state;
	struct net_error e = { 0 };
	struct net_tls *t = NULL;
	struct net_tls_server o = { .cert_file = s->cert.key, .key_file = s->cert.key };
	assert_int_equal(net_tls_server_new(&o, &t, &e), ERR_INVAL);
	assert_non_null(strstr(e.text, "cannot use the certificate in /tmp"));
	o = (struct net_tls_server){ .cert_file = s->cert.cert,
				     .key_file = s->cert.cert };
	assert_int_equal(net_tls_server_new(&o, &t, &e), ERR_INVAL);
	assert_non_null(strstr(e.text, "cannot use the key in /tmp"));
	assert_null(t);
}

/* --- OpenSSL as the client ------------------------------------------------- */

struct raw {
	SSL_CTX *ctx;
	SSL *ssl;
	struct peer b;
	int fd;
};

static void raw_make(struct site *s, struct raw *r, SSL_SESSION *session)
{
	r->fd = half_make(s->l, &r->b);
	net_push_tls(r->b.s, s->server, NULL, LONG_MS);
	r->ssl = SSL_new(r->ctx);
	SSL_set_fd(r->ssl, r->fd);
	if (session)
		SSL_set_session(r->ssl, session);
}

/* 1: done; else it failed. */
static int raw_shake(struct site *s, struct raw *r)
{
	int rc = 0;
	for (int i = 0; i < 2000; i++) {
		rc = SSL_connect(r->ssl);
		if (rc == 1 || SSL_get_error(r->ssl, rc) != SSL_ERROR_WANT_READ)
			break;
		net_loop_turn(s->l, false);
	}
	return rc;
}

static void raw_done(struct raw *r)
{
	peer_done(&r->b);
	SSL_free(r->ssl);
	close(r->fd);
	ERR_clear_error();
}

static void a_client_of_another_protocol_is_refused(void **state)
{
	struct site *s = *state;
	struct raw r = { .ctx = SSL_CTX_new(TLS_client_method()) };
	SSL_CTX_set_alpn_protos(r.ctx, (const unsigned char *)"\x8http/1.1", 9);
	raw_make(s, &r, NULL);
	assert_int_not_equal(raw_shake(s, &r), 1);
	/* RFC 7301 section 3.2: alert 120 */
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()),
			 SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
	UNTIL(s->l, r.b.n_closed);
	raw_done(&r);

	SSL_CTX_set_alpn_protos(r.ctx, (const unsigned char *)"\x8http/1.1\4imap", 14);
	raw_make(s, &r, NULL);
	assert_int_equal(raw_shake(s, &r), 1);
	raw_done(&r);
	SSL_CTX_free(r.ctx);
}

static void tls_1_2_is_spoken_and_1_1_is_not(void **state)
{
	struct site *s = *state;
	struct raw r = { .ctx = SSL_CTX_new(TLS_client_method()) };
	struct net_tls_facts f;
	SSL_CTX_set_security_level(r.ctx, 0);
	SSL_CTX_set_max_proto_version(r.ctx, TLS1_2_VERSION);
	raw_make(s, &r, NULL);
	assert_int_equal(raw_shake(s, &r), 1);
	UNTIL(s->l, r.b.n_done);
	assert_true(net_tls_facts(r.b.s, &f));
	assert_string_equal(f.version, "TLSv1.2");
	unsigned char key[32];
	assert_int_equal(net_tls_exporter(r.b.s, "EXPORTER-Channel-Binding", key, 32),
			 ERR_OK);
	/* RFC 9325 section 3.5: no renegotiation; the refusal is a warning, then we go on
	 */
	SSL_renegotiate(r.ssl);
	SSL_do_handshake(r.ssl);
	settle(s->l);
	raw_done(&r);

	SSL_CTX_set_min_proto_version(r.ctx, TLS1_1_VERSION);
	SSL_CTX_set_max_proto_version(r.ctx, TLS1_1_VERSION);
	raw_make(s, &r, NULL);
	assert_int_not_equal(raw_shake(s, &r), 1);
	UNTIL(s->l, r.b.n_closed);
	raw_done(&r);
	SSL_CTX_free(r.ctx);
}

static void key_updates_are_answered_and_are_no_data(void **state)
{
	struct site *s = *state;
	struct raw r = { .ctx = SSL_CTX_new(TLS_client_method()) };
	char got[10] = { 0 };
	raw_make(s, &r, NULL);
	assert_int_equal(raw_shake(s, &r), 1);
	UNTIL(s->l, r.b.n_done);
	uint64_t before = net_counters(r.b.s).raw_out;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(SSL_key_update(r.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_write(r.ssl, "abc", 3), 3);
		UNTIL(s->l, r.b.in.n == (size_t)(i + 1) * 3);
	}
	assert_true(net_counters(r.b.s).raw_out > before);
	say(&r.b, "yes");
	assert_int_equal(SSL_read(r.ssl, got, sizeof got), 3);
	assert_string_equal(got, "yes");
	raw_done(&r);
	SSL_CTX_free(r.ctx);
}

static void a_ticket_resumes_a_session(void **state)
{
	struct site *s = *state;
	struct raw r = { .ctx = SSL_CTX_new(TLS_client_method()) };
	struct net_tls_facts f;
	char got[10];
	raw_make(s, &r, NULL);
	assert_int_equal(raw_shake(s, &r), 1);
	UNTIL(s->l, r.b.n_done);
	assert_int_equal(SSL_read(r.ssl, got, sizeof got), -1); /* takes the tickets */
	SSL_SESSION *session = SSL_get1_session(r.ssl);
	SSL_set_shutdown(r.ssl, SSL_SENT_SHUTDOWN);
	raw_done(&r);
	raw_make(s, &r, session);
	assert_int_equal(raw_shake(s, &r), 1);
	UNTIL(s->l, r.b.n_done);
	assert_true(net_tls_facts(r.b.s, &f) && f.is_resumed);
	raw_done(&r);
	SSL_SESSION_free(session);
	SSL_CTX_free(r.ctx);
}

static void a_client_resumes_with_the_same_host_only(void **state)
{
	struct site *s = *state;
	static const char *const hosts[] = { "localhost", "localhost", "mail.example" };
	static const bool is_resumed[] = { false, true, false };
	for (int i = 0; i < 3; i++) {
		struct net_tls_facts f;
		struct peer a, b;
		pair_make(s->l, &a, &b);
		net_push_tls(a.s, s->client, hosts[i], LONG_MS);
		net_push_tls(b.s, s->server, NULL, LONG_MS);
		UNTIL(s->l, a.n_done && b.n_done);
		settle(s->l); /* the ticket comes behind the handshake */
		assert_true(net_tls_facts(a.s, &f));
		assert_int_equal(f.is_resumed, is_resumed[i]);
		assert_true(f.has_peer_cert);
		drop(&a, &b);
	}
}

static void a_pinned_certificate_is_taken_whatever_its_name(void **state)
{
	struct site *s = *state;
	struct peer a, b;
	struct buf der = { 0 };
	unsigned char pin[32];
	tls_pair(s, &a, &b);
	assert_int_equal(net_tls_peer_cert(a.s, &der), ERR_OK);
	SHA256((const unsigned char *)der.p + der.off, der.n, pin);
	buf_done(&der);
	drop(&a, &b);

	struct net_tls_client o = { .pin_sha256 = pin };
	struct net_tls *t = NULL;
	assert_int_equal(net_tls_client_new(&o, &t, NULL), ERR_OK);
	pair_make(s->l, &a, &b);
	net_push_tls(a.s, t, "other.example", LONG_MS);
	net_push_tls(b.s, s->server, NULL, LONG_MS);
	UNTIL(s->l, a.n_done && b.n_done);
	drop(&a, &b);
	net_tls_unref(t);

	pin[31] ^= 1;
	assert_int_equal(net_tls_client_new(&o, &t, NULL), ERR_OK);
	refused(s, t, "localhost",
		"TLS: the peer's certificate is refused: certificate not trusted");
	net_tls_unref(t);
}

static void a_server_of_tls_1_3_only_refuses_1_2(void **state)
{
	struct site *s = *state;
	struct net_tls_server o = { .cert_file = s->cert.cert,
				    .key_file = s->cert.key,
				    .is_tls13_only = true };
	net_tls_unref(s->server);
	assert_int_equal(net_tls_server_new(&o, &s->server, NULL), ERR_OK);
	struct raw r = { .ctx = SSL_CTX_new(TLS_client_method()) };
	SSL_CTX_set_max_proto_version(r.ctx, TLS1_2_VERSION);
	raw_make(s, &r, NULL);
	assert_int_not_equal(raw_shake(s, &r), 1);
	UNTIL(s->l, r.b.n_closed);
	raw_done(&r);
	SSL_CTX_free(r.ctx);
}

#define SITE(f) cmocka_unit_test_setup_teardown(f, make_site, end_site)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SITE(both_sides_hear_each_other_and_know_the_facts),
		SITE(the_exporter_gives_both_sides_the_same_key),
		SITE(a_handshake_cut_at_every_byte_succeeds),
		SITE(one_read_decodes_one_record),
		SITE(starttls_changes_over_in_the_middle_of_a_connection),
		SITE(bytes_injected_behind_starttls_are_seen),
		SITE(a_megabyte_arrives_both_ways),
		SITE(close_says_goodbye_before_the_end),
		SITE(a_certificate_for_another_host_is_refused),
		SITE(a_certificate_of_nobody_we_trust_is_refused),
		SITE(only_a_client_told_so_takes_any_certificate),
		SITE(a_silent_peer_is_given_up),
		SITE(a_handshake_may_end_anywhere),
		SITE(an_old_context_outlives_a_reload),
		SITE(files_that_are_wrong_are_named),
		SITE(a_client_of_another_protocol_is_refused),
		SITE(tls_1_2_is_spoken_and_1_1_is_not),
		SITE(key_updates_are_answered_and_are_no_data),
		SITE(a_ticket_resumes_a_session),
		SITE(a_client_resumes_with_the_same_host_only),
		SITE(a_pinned_certificate_is_taken_whatever_its_name),
		SITE(a_server_of_tls_1_3_only_refuses_1_2),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
