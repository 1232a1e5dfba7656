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
#include "base/arena.h"

enum mech_rc {
	MECH_CHALLENGE, /* send `out`, then step again with the answer */
	MECH_PASSWORD,	/* ask auth_login_* with `request`: that is the verdict */
	MECH_DONE,	/* client: nothing more to say; the server's reply decides */
	MECH_FAILED, /* the peer's message is not well formed: the exchange has failed */
};

struct mech_step {
	struct span out;	     /* MECH_CHALLENGE, or the client's message */
	struct auth_request request; /* MECH_PASSWORD; borrows from the input given */
};

enum mech_flags {
	MECH_PLAINTEXT = 1, /* shows the password to whoever listens: not without TLS */
};

struct mech_credential {     /* what a client has */
	struct span authzid; /* empty: none */
	struct span authcid, password;
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
	enum mech_rc (*server_step)(void *state, const struct span *in,
				    struct mech_step *ret);
	/* One step of the client, the first with `challenge` NULL: what it gives is the
	 * initial response. `ret->out` lies in `a`. */
	enum mech_rc (*client_step)(void *state, struct arena *a,
				    const struct mech_credential *c,
				    const struct span *challenge, struct mech_step *ret);
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

#endif
