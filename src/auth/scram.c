/* The cryptography of SCRAM (RFC 5802 section 3), on OpenSSL; SASLprep of libidn. */
#include "auth/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <stringprep.h>

#include "base/arena.h"
#include "base/base64.h"

static const char *const names[SCRAM_HASHES] = { "SCRAM-SHA-1", "SCRAM-SHA-256",
						 "SCRAM-SHA-512" };

static const EVP_MD *digest_of(enum scram_hash hash)
{
	switch (hash) {
	case SCRAM_SHA1: return EVP_sha1();
	case SCRAM_SHA256: return EVP_sha256();
	default: return EVP_sha512();
	}
}

size_t scram_digest(enum scram_hash hash)
{
	return hash == SCRAM_SHA1 ? 20 : hash == SCRAM_SHA256 ? 32 : 64;
}

const char *scram_name(enum scram_hash hash)
{
	return names[hash];
}

static bool hmac(enum scram_hash hash, const uint8_t *key, struct span text, uint8_t *ret)
{
	unsigned n = 0;

	return HMAC(digest_of(hash), key, (int)scram_digest(hash),
		    (const unsigned char *)text.p, text.n, ret, &n) &&
	       n == scram_digest(hash);
}

static bool sum(enum scram_hash hash, const uint8_t *of, uint8_t *ret)
{
	return EVP_Digest(of, scram_digest(hash), ret, NULL, digest_of(hash), NULL) == 1;
}

enum err scram_prepare(struct span text, bool is_stored, struct buf *out)
{
	char *in, *made = NULL;
	bool is_ok;

	if (text.n == 0 || memchr(text.p, 0, text.n))
		return ERR_INVAL;
	in = xcalloc(1, text.n + 1);
	memcpy(in, text.p, text.n);
	is_ok = stringprep_profile(in, &made, "SASLprep",
				   is_stored ? STRINGPREP_NO_UNASSIGNED : 0) ==
		    STRINGPREP_OK &&
		*made;
	if (is_ok)
		buf_puts(out, made);
	xfree_secret(in, text.n);
	xfree_secret(made, made ? strlen(made) : 0);
	return is_ok ? ERR_OK : ERR_INVAL;
}

enum err scram_derive(enum scram_hash hash, struct span password, struct span salt,
		      uint32_t iterations, struct scram_secret *ret)
{
	uint8_t salted[SCRAM_DIGEST_MAX];
	bool is_ok = PKCS5_PBKDF2_HMAC(password.p, (int)password.n,
				       (const unsigned char *)salt.p, (int)salt.n,
				       (int)iterations, digest_of(hash),
				       (int)scram_digest(hash), salted) == 1 &&
		     hmac(hash, salted, SPAN("Client Key"), ret->client) &&
		     hmac(hash, salted, SPAN("Server Key"), ret->server);

	wipe(salted, sizeof salted);
	return is_ok ? ERR_OK : ERR_IO;
}

static bool is_remembered(const struct scram_memory *m, enum scram_hash hash,
			  struct span salt, uint32_t iterations)
{
	return m->is_known && m->hash == hash && m->iterations == iterations &&
	       span_eq(span_of(m->salt, m->n_salt), salt);
}

enum err scram_recall(struct scram_memory *m, enum scram_hash hash, struct span password,
		      struct span salt, uint32_t iterations, struct scram_secret *ret)
{
	struct buf prepared = { 0 };
	enum err rc;

	if (m && is_remembered(m, hash, salt, iterations)) {
		*ret = m->secret;
		return ERR_OK;
	}
	rc = scram_prepare(password, false, &prepared);
	if (rc == ERR_OK)
		rc = scram_derive(hash, buf_span(&prepared), salt, iterations, ret);
	buf_done(&prepared);
	if (rc == ERR_OK && m && salt.n <= SCRAM_SALT_MAX) {
		*m = (struct scram_memory){ .is_known = true,
					    .hash = hash,
					    .iterations = iterations,
					    .n_salt = salt.n,
					    .secret = *ret };
		memcpy(m->salt, salt.p, salt.n);
	}
	return rc;
}

enum err scram_keys_make(enum scram_hash hash, const struct scram_secret *s,
			 struct span salt, uint32_t iterations, struct scram_keys *ret)
{
	*ret = (struct scram_keys){ .hash = hash,
				    .iterations = iterations,
				    .n_salt = salt.n };
	if (salt.n == 0 || salt.n > SCRAM_SALT_MAX)
		return ERR_INVAL;
	memcpy(ret->salt, salt.p, salt.n);
	memcpy(ret->server, s->server, scram_digest(hash));
	return sum(hash, s->client, ret->stored) ? ERR_OK : ERR_IO;
}

enum err scram_keys_new(enum scram_hash hash, struct span password,
			struct scram_keys *ret)
{
	uint8_t salt[SCRAM_SALT];
	struct scram_secret s;
	struct buf text = { 0 };
	enum err rc = scram_prepare(password, true, &text);

	if (rc == ERR_OK && RAND_bytes(salt, sizeof salt) != 1)
		rc = ERR_IO;
	if (rc == ERR_OK)
		rc = scram_derive(hash, buf_span(&text), span_of(salt, sizeof salt),
				  SCRAM_ITERATIONS, &s);
	if (rc == ERR_OK)
		rc = scram_keys_make(hash, &s, span_of(salt, sizeof salt),
				     SCRAM_ITERATIONS, ret);
	wipe(&s, sizeof s);
	buf_done(&text);
	return rc;
}

void scram_keys_write(const struct scram_keys *k, struct buf *out)
{
	size_t n = scram_digest(k->hash);

	buf_printf(out, "%u,", k->iterations);
	base64_encode(span_of(k->salt, k->n_salt), out);
	buf_putc(out, ',');
	base64_encode(span_of(k->stored, n), out);
	buf_putc(out, ',');
	base64_encode(span_of(k->server, n), out);
}

/* The next field, decoded; its size must be in [least, most]. */
static bool read_bytes(struct span *rest, size_t least, size_t most, uint8_t *to,
		       size_t *ret_n)
{
	struct buf b = { 0 };
	ptrdiff_t end = span_find(*rest, ',');
	struct span field = end < 0 ? *rest : span_sub(*rest, 0, (size_t)end);
	bool is_ok = base64_decode(field, &b) == ERR_OK && b.n >= least && b.n <= most;

	if (is_ok) {
		memcpy(to, buf_span(&b).p, b.n);
		*ret_n = b.n;
	}
	*rest = end < 0 ? SPAN_NONE : span_sub(*rest, (size_t)end + 1, rest->n);
	buf_done(&b);
	return is_ok;
}

enum err scram_keys_read(enum scram_hash hash, struct span text, struct scram_keys *ret)
{
	size_t digest = scram_digest(hash), n;
	struct scram_keys k = { .hash = hash };
	ptrdiff_t end = span_find(text, ',');
	uint64_t iterations;
	struct span rest;

	if (end < 0 ||
	    !span_u64(span_sub(text, 0, (size_t)end), SCRAM_ITERATIONS_MAX,
		      &iterations) ||
	    iterations < SCRAM_ITERATIONS_MIN)
		return ERR_INVAL;
	k.iterations = (uint32_t)iterations;
	rest = span_sub(text, (size_t)end + 1, text.n);
	if (!read_bytes(&rest, 1, SCRAM_SALT_MAX, k.salt, &k.n_salt) || !rest.p ||
	    !read_bytes(&rest, digest, digest, k.stored, &n) || !rest.p ||
	    !read_bytes(&rest, digest, digest, k.server, &n) || rest.p)
		return ERR_INVAL;
	*ret = k;
	return ERR_OK;
}

/* HMAC-SHA-512 under the server's secret: of "what", NUL, the name. */
static bool false_bytes(struct span secret, char what, struct span name, uint8_t *ret)
{
	struct buf text = { 0 };
	unsigned n = 0;
	bool is_ok;

	buf_putc(&text, what);
	buf_putc(&text, '\0');
	buf_put(&text, name);
	is_ok = HMAC(EVP_sha512(), secret.p, (int)secret.n,
		     (const unsigned char *)buf_span(&text).p, text.n, ret, &n) != NULL;
	buf_done(&text);
	return is_ok;
}

enum err scram_keys_false(enum scram_hash hash, struct span secret, struct span name,
			  struct scram_keys *ret)
{
	uint8_t salt[EVP_MAX_MD_SIZE];

	*ret = (struct scram_keys){ .hash = hash,
				    .iterations = SCRAM_ITERATIONS,
				    .n_salt = SCRAM_SALT };
	/* The salt of each mechanism is another one, as with users that exist. */
	if (!false_bytes(secret, (char)('1' + hash), name, salt) ||
	    RAND_bytes(ret->stored, (int)sizeof ret->stored) != 1 ||
	    RAND_bytes(ret->server, (int)sizeof ret->server) != 1)
		return ERR_IO;
	memcpy(ret->salt, salt, SCRAM_SALT);
	return ERR_OK;
}

static void exclusive_or(uint8_t *to, const uint8_t *with, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] ^= with[i];
}

bool scram_proof_ok(const struct scram_keys *k, struct span auth_message,
		    struct span proof)
{
	size_t n = scram_digest(k->hash);
	uint8_t client[SCRAM_DIGEST_MAX] = { 0 }, signature[SCRAM_DIGEST_MAX],
		stored[SCRAM_DIGEST_MAX];
	bool is_ok;

	/* ClientKey = ClientProof XOR ClientSignature; its digest is the StoredKey */
	if (proof.n == n)
		memcpy(client, proof.p, n);
	is_ok = hmac(k->hash, k->stored, auth_message, signature);
	exclusive_or(client, signature, n);
	is_ok = is_ok && sum(k->hash, client, stored) && proof.n == n &&
		span_eq_secret(span_of(stored, n), span_of(k->stored, n));
	wipe(client, sizeof client);
	return is_ok;
}

enum err scram_server_signature(enum scram_hash hash, const uint8_t *server_key,
				struct span auth_message, uint8_t *ret)
{
	return hmac(hash, server_key, auth_message, ret) ? ERR_OK : ERR_IO;
}

enum err scram_client_proof(enum scram_hash hash, const struct scram_secret *s,
			    struct span auth_message, uint8_t *ret)
{
	uint8_t stored[SCRAM_DIGEST_MAX];

	if (!sum(hash, s->client, stored) || !hmac(hash, stored, auth_message, ret))
		return ERR_IO;
	exclusive_or(ret, s->client, scram_digest(hash));
	return ERR_OK;
}
