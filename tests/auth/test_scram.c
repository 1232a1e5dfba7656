/* SCRAM, both roles: the exchanges of RFC 5802 and RFC 7677, and what must not pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/mech.h"
#include "base/base64.h"

struct pair {
	struct arena *arena;
	const struct mech *mech;
	void *server, *client;
	struct mech_env at_server, at_client;
	struct scram_keys keys;
	struct mech_credential who;
};

static struct pair pair(enum scram_hash hash, bool bound, const char *salt,
			uint32_t iterations)
{
	struct pair p = { .arena = arena_new(NULL),
			  .mech = &mech_scram[2 * hash + bound],
			  .who = { SPAN_NONE, SPAN("user"), SPAN("pencil") } };
	struct scram_secret secret;
	struct buf raw = { 0 };

	p.server = arena_alloc(p.arena, p.mech->server_size);
	p.client = arena_alloc(p.arena, p.mech->client_size);
	assert_int_equal(base64_decode(span_str(salt), &raw), ERR_OK);
	assert_int_equal(
	    scram_derive(hash, SPAN("pencil"), buf_span(&raw), iterations, &secret),
	    ERR_OK);
	assert_int_equal(
	    scram_keys_make(hash, &secret, buf_span(&raw), iterations, &p.keys), ERR_OK);
	buf_done(&raw);
	return p;
}

/* One step of the server, keys handed in when it asks. */
static enum mech_rc serve(struct pair *p, struct span in, struct mech_step *ret)
{
	enum mech_rc rc = p->mech->server_step(p->mech, p->server, p->arena,
					       &p->at_server, &in, ret);

	if (rc != MECH_KEYS)
		return rc;
	p->at_server.keys = &p->keys;
	return p->mech->server_step(p->mech, p->server, p->arena, &p->at_server, &in,
				    ret);
}

static enum mech_rc ask(struct pair *p, const struct span *challenge,
			struct mech_step *ret)
{
	return p->mech->client_step(p->mech, p->client, p->arena, &p->at_client, &p->who,
				    challenge, ret);
}

/* The whole exchange; what the server makes of it in the end. */
static enum mech_rc talk(struct pair *p, struct mech_step *ret)
{
	struct mech_step c = { 0 }, s = { 0 };
	enum mech_rc rc;

	if (ask(p, NULL, &c) != MECH_CHALLENGE)
		return MECH_FAILED;
	for (int i = 0; i < 3; i++) {
		rc = serve(p, c.out, &s);
		if (rc != MECH_CHALLENGE)
			break;
		if (ask(p, &s.out, &c) == MECH_FAILED)
			return MECH_FAILED;
	}
	*ret = s;
	return rc;
}

static void says(struct span got, const char *wanted)
{
	assert_true(span_eq(got, span_str(wanted)));
}

static void exchange_is_that_of(enum scram_hash hash, const char *salt,
				const char *client_nonce, const char *server_nonce,
				const char *proof, const char *signature)
{
	struct pair p = pair(hash, false, salt, 4096);
	struct mech_step c = { 0 }, s = { 0 };

	p.at_client.nonce = span_str(client_nonce);
	p.at_server.nonce = span_str(server_nonce);
	assert_int_equal(ask(&p, NULL, &c), MECH_CHALLENGE);
	says(c.out, arena_printf(p.arena, "n,,n=user,r=%s", client_nonce));
	assert_int_equal(serve(&p, c.out, &s), MECH_CHALLENGE);
	says(s.out, arena_printf(p.arena, "r=%s%s,s=%s,i=4096", client_nonce,
				 server_nonce, salt));
	assert_int_equal(ask(&p, &s.out, &c), MECH_CHALLENGE);
	says(c.out, arena_printf(p.arena, "c=biws,r=%s%s,p=%s", client_nonce,
				 server_nonce, proof));
	assert_int_equal(serve(&p, c.out, &s), MECH_CHALLENGE);
	says(s.out, arena_printf(p.arena, "v=%s", signature));
	assert_int_equal(ask(&p, &s.out, &c), MECH_DONE);
	assert_int_equal(serve(&p, c.out, &s), MECH_PROVEN);
	says(s.request.authcid, "user");
	assert_int_equal(s.request.authzid.n, 0);
	arena_free(p.arena);
}

static void sha1_exchange_of_rfc_5802_section_5(void **state)
{
	exchange_is_that_of(SCRAM_SHA1, "QSXCR+Q6sek8bf92", "fyko+d2lbbFgONRv9qkxdawL",
			    "3rfcNHYJY1ZVvWVs7j", "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
			    "rmF9pqV8S7suAoZWja4dJRkFsKQ=");
}

static void sha256_exchange_of_rfc_7677_section_3(void **state)
{
	exchange_is_that_of(SCRAM_SHA256,
			    "W22ZaJ0SNY7soEsUEjb6gQ==", "rOprNGfwEbeRWgbNEkqO",
			    "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
			    "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
			    "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

static void each_hash_proves_with_and_without_binding_and_for_another(void **state)
{
	for (enum scram_hash h = 0; h < SCRAM_HASHES; h++) {
		for (int bound = 0; bound < 2; bound++) {
			struct pair p = pair(h, bound, "QSXCR+Q6sek8bf92", 4096);
			struct mech_step s = { 0 };

			p.at_client.tls_exporter = SPAN("the same channel");
			p.at_server.tls_exporter = SPAN("the same channel");
			p.at_client.offers_plus = p.at_server.offers_plus = true;
			p.who.authzid = SPAN("bob=,x");
			assert_int_equal(talk(&p, &s), MECH_PROVEN);
			says(s.request.authzid, "bob=,x");
			arena_free(p.arena);
		}
	}
}

static void a_wrong_password_fails(void **state)
{
	struct pair p = pair(SCRAM_SHA256, false, "QSXCR+Q6sek8bf92", 4096);
	struct mech_step s = { 0 };

	p.who.password = SPAN("pencil ");
	assert_int_equal(talk(&p, &s), MECH_FAILED);
	arena_free(p.arena);
}

static void another_channel_fails(void **state)
{
	struct pair p = pair(SCRAM_SHA256, true, "QSXCR+Q6sek8bf92", 4096);
	struct mech_step s = { 0 };

	p.at_client.tls_exporter = SPAN("mine");
	p.at_server.tls_exporter = SPAN("that of who sits between");
	assert_int_equal(talk(&p, &s), MECH_FAILED);
	arena_free(p.arena);
}

/* RFC 5802 section 6: "y" where -PLUS was offered: somebody took the offer away. */
static void a_binding_that_was_stripped_fails(void **state)
{
	struct pair p = pair(SCRAM_SHA256, false, "QSXCR+Q6sek8bf92", 4096);
	struct mech_step s = { 0 };

	p.at_client.tls_exporter = SPAN("channel");
	p.at_server.offers_plus = true;
	assert_int_equal(talk(&p, &s), MECH_FAILED);
	arena_free(p.arena);
}

static void a_replayed_final_message_fails(void **state)
{
	struct pair p = pair(SCRAM_SHA256, false, "QSXCR+Q6sek8bf92", 4096);
	struct pair q = pair(SCRAM_SHA256, false, "QSXCR+Q6sek8bf92", 4096);
	struct mech_step c = { 0 }, s = { 0 }, first;

	ask(&p, NULL, &c);
	first = c;
	serve(&p, c.out, &s);
	ask(&p, &s.out, &c);
	assert_int_equal(serve(&q, first.out, &s), MECH_CHALLENGE);
	assert_int_equal(serve(&q, c.out, &s), MECH_FAILED);
	arena_free(p.arena);
	arena_free(q.arena);
}

static void malformed_first_messages_fail(void **state)
{
	static const struct span bad[] = {
		SPAN_INIT(""),
		SPAN_INIT("n"),
		SPAN_INIT("n,"),
		SPAN_INIT("n,,"),
		SPAN_INIT("n,,n=user"),
		SPAN_INIT("n,,n=,r=x"),
		SPAN_INIT("n,,n=user,r="),
		SPAN_INIT("n,,r=x,n=user"),
		SPAN_INIT("x,,n=user,r=x"),
		SPAN_INIT("p=tls-exporter,,n=user,r=x"),
		SPAN_INIT("p=,,n=user,r=x"),
		SPAN_INIT("n,b=x,n=user,r=x"),
		SPAN_INIT("n,a=,n=user,r=x"),
		SPAN_INIT("n,a=x=2,n=user,r=x"),
		SPAN_INIT("n,,n=us=er,r=x"),
		SPAN_INIT("n,,m=x,n=user,r=x"),
		SPAN_INIT("n,,n=user,r=a b"),
		SPAN_INIT("n,,n=us\0er,r=x"),
		SPAN_INIT("n,,n=\xff,r=x"),
		SPAN_INIT("n,,n=\x01,r=x"),
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct pair p = pair(SCRAM_SHA1, false, "QSXCR+Q6sek8bf92", 4096);
		struct mech_step s = { 0 };

		assert_int_equal(serve(&p, bad[i], &s), MECH_FAILED);
		arena_free(p.arena);
	}
}

static void malformed_final_messages_fail(void **state)
{
	static const char *const bad[] = {
		"",
		"c=biws",
		"c=biws,r=NONCE",
		"c=biws,r=NONCE,p=",
		"c=biws,r=NONCE,p=AAAA",
		"r=NONCE,c=biws,p=AAAA",
		"c=biws,r=x,p=AAAA",
		"c=eSws,r=NONCE,p=AAAA",
		",",
		"p=x",
		"c=biws,r=NONCE,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct pair p = pair(SCRAM_SHA1, false, "QSXCR+Q6sek8bf92", 4096);
		struct mech_step s = { 0 };

		p.at_server.nonce = SPAN("NCE");
		serve(&p, SPAN("n,,n=user,r=NO"), &s);
		assert_int_equal(serve(&p, span_str(bad[i]), &s), MECH_FAILED);
		arena_free(p.arena);
	}
}

/* A server that asks for few rounds, or answers with another nonce, is not served. */
static void the_client_is_careful_too(void **state)
{
	static const char *const bad[] = {
		"r=mine,s=QSXCR+Q6sek8bf92,i=4096",
		"r=other,s=QSXCR+Q6sek8bf92,i=4096",
		"r=mineX,s=QSXCR+Q6sek8bf92,i=4095",
		"r=mineX,s=,i=4096",
		"r=mineX,i=4096",
		"m=x,r=mineX,s=QSXCR+Q6sek8bf92,i=4096",
		"r=mineX,s=QSXCR+Q6sek8bf92,i=99999999999",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct pair p = pair(SCRAM_SHA1, false, "QSXCR+Q6sek8bf92", 4096);
		struct mech_step c = { 0 };
		struct span in = span_str(bad[i]);

		p.at_client.nonce = SPAN("mine");
		ask(&p, NULL, &c);
		assert_int_equal(ask(&p, &in, &c), MECH_FAILED);
		arena_free(p.arena);
	}
}

static void a_server_that_does_not_know_us_is_found_out(void **state)
{
	struct pair p = pair(SCRAM_SHA1, false, "QSXCR+Q6sek8bf92", 4096);
	struct mech_step c = { 0 }, s = { 0 };
	struct span wrong = SPAN("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");

	ask(&p, NULL, &c);
	serve(&p, c.out, &s);
	ask(&p, &s.out, &c);
	assert_int_equal(ask(&p, &wrong, &c), MECH_FAILED);
	arena_free(p.arena);
}

static void stored_keys_are_written_and_read(void **state)
{
	struct scram_keys k, again;
	struct buf text = { 0 };

	assert_int_equal(scram_keys_new(SCRAM_SHA512, SPAN("pencil"), &k), ERR_OK);
	scram_keys_write(&k, &text);
	assert_int_equal(scram_keys_read(SCRAM_SHA512, buf_span(&text), &again), ERR_OK);
	assert_memory_equal(&k, &again, sizeof k);
	assert_int_equal(scram_keys_read(SCRAM_SHA256, buf_span(&text), &again),
			 ERR_INVAL);
	assert_int_equal(
	    scram_keys_read(SCRAM_SHA512, SPAN("100,AA==,AA==,AA=="), &again), ERR_INVAL);
	assert_int_equal(scram_keys_read(SCRAM_SHA512, SPAN("15000,AA=="), &again),
			 ERR_INVAL);
	buf_done(&text);
}

static void false_salts_are_stable_and_each_names_own(void **state)
{
	struct scram_keys a, b, c, d;
	struct span secret = SPAN("secret");

	scram_keys_false(SCRAM_SHA256, secret, SPAN("nobody"), &a);
	scram_keys_false(SCRAM_SHA256, secret, SPAN("nobody"), &b);
	scram_keys_false(SCRAM_SHA256, secret, SPAN("nobodz"), &c);
	scram_keys_false(SCRAM_SHA1, secret, SPAN("nobody"), &d);
	assert_int_equal(a.n_salt, SCRAM_SALT);
	assert_int_equal(a.iterations, SCRAM_ITERATIONS);
	assert_memory_equal(a.salt, b.salt, SCRAM_SALT);
	assert_memory_not_equal(a.salt, c.salt, SCRAM_SALT);
	assert_memory_not_equal(a.salt, d.salt, SCRAM_SALT);
}

static void prepares(const char *text, const char *wanted)
{
	struct buf out = { 0 };

	assert_int_equal(scram_prepare(span_str(text), true, &out), ERR_OK);
	assert_true(span_eq(buf_span(&out), span_str(wanted)));
	buf_done(&out);
}

/* The examples of RFC 4013 section 3. */
static void names_and_passwords_are_prepared(void **state)
{
	struct buf out = { 0 };

	prepares("I\xc2\xadX", "IX");
	prepares("user", "user");
	prepares("USER", "USER");
	prepares("\xc2\xaa", "a");
	prepares("\xe2\x85\xa8", "IX");
	assert_int_equal(scram_prepare(SPAN("\x07"), true, &out), ERR_INVAL);
	assert_int_equal(scram_prepare(SPAN("\xd8\xa7"
					    "1"),
				       true, &out),
			 ERR_INVAL);
	assert_int_equal(scram_prepare(SPAN("a\0b"), true, &out), ERR_INVAL);
	assert_int_equal(scram_prepare(SPAN(""), true, &out), ERR_INVAL);
	assert_int_equal(scram_prepare(SPAN("\xc2\xad"), true, &out), ERR_INVAL);
	assert_int_equal(out.n, 0);
	buf_done(&out);
}

/* What is remembered is taken as it is, and for that salt and count alone. */
static void a_secret_is_derived_once_for_a_salt(void **state)
{
	struct scram_memory m = { 0 };
	struct scram_secret first, again;

	assert_int_equal(scram_recall(&m, SCRAM_SHA256, SPAN("pencil"), SPAN("salt"),
				      4096, &first),
			 ERR_OK);
	m.secret.client[0] ^= 1;
	assert_int_equal(scram_recall(&m, SCRAM_SHA256, SPAN("pencil"), SPAN("salt"),
				      4096, &again),
			 ERR_OK);
	assert_int_equal(again.client[0] ^ 1, first.client[0]);
	assert_int_equal(scram_recall(&m, SCRAM_SHA256, SPAN("pencil"), SPAN("salt"),
				      4097, &again),
			 ERR_OK);
	assert_memory_not_equal(again.client, first.client, 32);
	assert_int_equal(scram_recall(&m, SCRAM_SHA256, SPAN("pencil"), SPAN("salt"),
				      4096, &again),
			 ERR_OK);
	assert_memory_equal(again.client, first.client, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha1_exchange_of_rfc_5802_section_5),
		cmocka_unit_test(sha256_exchange_of_rfc_7677_section_3),
		cmocka_unit_test(
		    each_hash_proves_with_and_without_binding_and_for_another),
		cmocka_unit_test(a_wrong_password_fails),
		cmocka_unit_test(another_channel_fails),
		cmocka_unit_test(a_binding_that_was_stripped_fails),
		cmocka_unit_test(a_replayed_final_message_fails),
		cmocka_unit_test(malformed_first_messages_fail),
		cmocka_unit_test(malformed_final_messages_fail),
		cmocka_unit_test(the_client_is_careful_too),
		cmocka_unit_test(a_server_that_does_not_know_us_is_found_out),
		cmocka_unit_test(stored_keys_are_written_and_read),
		cmocka_unit_test(false_salts_are_stable_and_each_names_own),
		cmocka_unit_test(names_and_passwords_are_prepared),
		cmocka_unit_test(a_secret_is_derived_once_for_a_salt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
