/*
 * The client's side of AUTHENTICATE (RFC 9051 section 6.2.2): which mechanism, its
 * messages, and what it has to know of the connection. Each client has one, used again at
 * each login; SCRAM's keys are kept, so that a change of user costs no PBKDF2.
 */
#ifndef CLIENT_SASL_H
#define CLIENT_SASL_H

#include "auth/mech.h"

struct client;

struct sasl {
	const struct mech *mech; /* of this connection; NULL: not chosen yet */
	struct arena *arena;	 /* of this exchange */
	void *state;
	struct mech_env env;
	struct buf end_point;
	uint8_t exporter[32];
	bool offers_plus; /* the server, the -PLUS form of `mech`, before the login */
	bool is_complete; /* nothing is missing but the server's tagged OK */
	struct scram_memory memory;
};

/*
 * Chooses by what the server offers before a login, once for a connection: the one that
 * was configured; else PLAIN, which takes one round trip and no more than TLS can
 * protect; else the best SCRAM. False: the server has none that we can do.
 */
bool sasl_choose(struct client *c);
/* Begins anew: the first message, for `authzid`; lies in the exchange's arena.
 * ERR_INVAL: the mechanism cannot say that name, or has nothing to bind to. */
enum err sasl_first(struct client *c, struct span authzid, struct span *ret_message);
/* The answer to a challenge as it stands behind "+ ", in base64 without CRLF. False: the
 * challenge is wrong, or none was to come: cancel. */
bool sasl_answer(struct client *c, struct span authzid, struct span challenge,
		 struct buf *out);
/* The exchange is over. Wipes it; the choice and SCRAM's keys stay. */
void sasl_end(struct sasl *s);
/* The connection is gone: the choice too. */
void sasl_forget(struct sasl *s);

#endif
