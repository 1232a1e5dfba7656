/*
 * The cryptography of SCRAM (RFC 5802; RFC 7677 for SHA-256; SHA-512 by
 * draft-melnikov-scram-sha-512 in the same shape): keys that a server stores, proofs
 * and signatures. Pure; nothing here waits.
 */
#ifndef AUTH_SCRAM_H
#define AUTH_SCRAM_H

#include "base/buf.h"
#include "base/err.h"

enum scram_hash { SCRAM_SHA1, SCRAM_SHA256, SCRAM_SHA512, SCRAM_HASHES };

enum {
	SCRAM_DIGEST_MAX = 64,
	SCRAM_SALT = 16, /* bytes, of those that we make */
	SCRAM_SALT_MAX = 64,
	SCRAM_ITERATIONS = 15000, /* of those that we make (RFC 7677 section 4) */
	/* What is taken from a peer or a file: RFC 5802 section 5.1 asks for 4096 at
	 * least; far more would keep a client busy for a server's pleasure. */
	SCRAM_ITERATIONS_MIN = 4096,
	SCRAM_ITERATIONS_MAX = 10000000,
};

/* What a server keeps of a password (RFC 5803): nobody can log in with it. */
struct scram_keys {
	enum scram_hash hash;
	uint32_t iterations;
	size_t n_salt; /* bytes */
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t stored[SCRAM_DIGEST_MAX]; /* StoredKey */
	uint8_t server[SCRAM_DIGEST_MAX]; /* ServerKey */
};

/* What a client derives from a password: enough to log in, so a secret. */
struct scram_secret {
	uint8_t client[SCRAM_DIGEST_MAX]; /* ClientKey */
	uint8_t server[SCRAM_DIGEST_MAX]; /* ServerKey */
};

/* A secret that a client has derived, and from what; {0}: none yet. For one password. */
struct scram_memory {
	bool is_known;
	enum scram_hash hash;
	uint32_t iterations;
	size_t n_salt;
	uint8_t salt[SCRAM_SALT_MAX];
	struct scram_secret secret;
};

size_t scram_digest(enum scram_hash hash);    /* bytes */
const char *scram_name(enum scram_hash hash); /* "SCRAM-SHA-256" */

/*
 * SASLprep (RFC 4013) of a name or password; appends. ERR_INVAL: prohibited characters,
 * not UTF-8, a NUL, or nothing left. `is_stored`: no unassigned code points.
 */
enum err scram_prepare(struct span text, bool is_stored, struct buf *out);

/* PBKDF2 and the two keys; milliseconds. ERR_IO: OpenSSL failed. `password` is prepared.
 */
enum err scram_derive(enum scram_hash hash, struct span password, struct span salt,
		      uint32_t iterations, struct scram_secret *ret);
/* The same, at once when `m` has it of that salt (at most SCRAM_SALT_MAX bytes), and kept
 * in `m`; `password` is as it was typed. ERR_INVAL as scram_prepare. `m` may be NULL. */
enum err scram_recall(struct scram_memory *m, enum scram_hash hash, struct span password,
		      struct span salt, uint32_t iterations, struct scram_secret *ret);
/* The stored form of it. */
enum err scram_keys_make(enum scram_hash hash, const struct scram_secret *s,
			 struct span salt, uint32_t iterations, struct scram_keys *ret);
/* Of a new random salt, for a password as it was typed. ERR_INVAL as scram_prepare. */
enum err scram_keys_new(enum scram_hash hash, struct span password,
			struct scram_keys *ret);

/*
 * "iterations,salt,StoredKey,ServerKey", the last three in base64: RFC 5803's fields,
 * with commas where it has "$" and ":", since ":" separates the fields of our table.
 */
void scram_keys_write(const struct scram_keys *k, struct buf *out);
enum err scram_keys_read(enum scram_hash hash, struct span text, struct scram_keys *ret);

/*
 * Keys for a name that has none: always the same for a server's `secret` and a name, and
 * no password fits them; so nobody learns who exists (RFC 5802 section 9).
 */
enum err scram_keys_false(enum scram_hash hash, struct span secret, struct span name,
			  struct scram_keys *ret);

/* Is this the ClientProof of who knows the password? Constant time. */
bool scram_proof_ok(const struct scram_keys *k, struct span auth_message,
		    struct span proof);
/* ServerSignature, scram_digest() bytes. */
enum err scram_server_signature(enum scram_hash hash, const uint8_t *server_key,
				struct span auth_message, uint8_t *ret);
/* ClientProof, scram_digest() bytes. */
enum err scram_client_proof(enum scram_hash hash, const struct scram_secret *s,
			    struct span auth_message, uint8_t *ret);

#endif
