/*
 * SASL mechanisms (RFC 4422), stepwise, both roles, never blocking. Each is a
 * const table; a mechanism added later is its file and its line in mech.c.
 *
 * Steps see and give raw bytes; base64, the "+" lines and "*" (cancel) are the
 * caller's (RFC 9051 section 6.2.2).
 */
#ifndef AUTH_MECH_H
#define AUTH_MECH_H

#include "auth/login.h"
#include "auth/scram.h"
#include "base/arena.h"

enum mech_rc {
	MECH_CHALLENGE, /* send `out`, then step again with the answer */
	MECH_PASSWORD,	/* ask auth_login_* with `request`: that is the verdict */
	MECH_KEYS,	/* step again with the same input and keys of request.authcid */
	MECH_PROVEN,	/* request.authcid has proved itself: ask auth_proven() */
	MECH_DONE,	/* client: nothing more to say; the server's reply decides */
	MECH_FAILED, /* the peer's message is not well formed or wrong: it has failed */
};

struct mech_step {
	struct span out; /* MECH_CHALLENGE, or the client's message; lies in the arena */
	/* MECH_PASSWORD, MECH_KEYS, MECH_PROVEN; borrows from the input or the arena */
	struct auth_request request;
	enum scram_hash hash; /* MECH_KEYS */
};

/* What a step may have to know of the connection; {0} will do for PLAIN. */
struct mech_env {
	/* channel bindings (RFC 5929, RFC 9266); p NULL: not to be had */
	struct span tls_exporter, tls_server_end_point, tls_unique;
	bool offers_plus;	       /* the server offers a -PLUS form as well */
	const struct scram_keys *keys; /* after MECH_KEYS */
	struct span nonce;	       /* tests: instead of a random one */
};

enum mech_flags {
	MECH_PLAINTEXT = 1, /* shows the password to whoever listens: not without TLS */
	MECH_BOUND = 2,	    /* binds to the TLS channel: only with TLS */
	MECH_CERTIFICATE = 4, /* the TLS client certificate is the credential */
};

struct mech_credential {     /* what a client has */
	struct span authzid; /* empty: none */
	struct span authcid, password;
	struct scram_memory *memory; /* of this password; NULL: none is kept */
};

struct mech {
	struct span name; /* "PLAIN" */
	unsigned flags;
	size_t server_size,
	    client_size; /* bytes of state; zeroed by the caller, in an arena */
	/*
	 * One step of the server. `in` NULL at the first step when the client sent
	 * no initial response; an empty one is not NULL.
	 */
	enum mech_rc (*server_step)(const struct mech *self, void *state, struct arena *a,
				    const struct mech_env *env, const struct span *in,
				    struct mech_step *ret);
	/* One step of the client, the first with `challenge` NULL: what it gives is the
	 * initial response. `ret->out` lies in `a`. */
	enum mech_rc (*client_step)(const struct mech *self, void *state, struct arena *a,
				    const struct mech_env *env,
				    const struct mech_credential *c,
				    const struct span *challenge, struct mech_step *ret);
	enum scram_hash hash; /* SCRAM */
};

/* By name, any case; NULL. */
const struct mech *mech_find(struct span name);
/* The i-th, from 0, best first; NULL behind the last. For CAPABILITY. */
const struct mech *mech_at(size_t i);

/*
 * An initial response as IMAP writes it (RFC 4959 section 3): "=" is an empty one, else
 * base64. Appends the bytes; ERR_INVAL leaves `out` as it was.
 */
enum err mech_initial(struct span arg, struct buf *out);

extern const struct mech mech_plain; /* RFC 4616 */
extern const struct mech mech_login; /* draft-murchison-sasl-login-00 */
extern const struct mech mech_external; /* RFC 4422 appendix A */
/* RFC 5802, RFC 7677; weakest first, the -PLUS form of each behind it. */
extern const struct mech mech_scram[2 * SCRAM_HASHES];

#endif
