/*
 * EXTERNAL (RFC 4422 appendix A): the credential is the TLS client certificate, and the
 * one message is the authzid, empty for the certificate's own user. UNAUTHENTICATE ends
 * what was bound to the certificate and leaves the certificate (RFC 8437 section 4.2).
 */
#include "auth/mech.h"

static enum mech_rc server_step(const struct mech *self, void *state, struct arena *a,
				const struct mech_env *env, const struct span *in,
				struct mech_step *ret)
{
	if (!in) {
		ret->out = SPAN_NONE;
		return MECH_CHALLENGE;
	}
	if (in->n > USER_NAME_MAX || (in->n && memchr(in->p, 0, in->n)))
		return MECH_FAILED;
	ret->request = (struct auth_request){ .authzid = *in };
	return MECH_PROVEN;
}

static enum mech_rc client_step(const struct mech *self, void *state, struct arena *a,
				const struct mech_env *env,
				const struct mech_credential *c,
				const struct span *challenge, struct mech_step *ret)
{
	bool *is_sent = state;

	if (*is_sent || (challenge && challenge->n) ||
	    (c->authzid.n && memchr(c->authzid.p, 0, c->authzid.n)))
		return MECH_FAILED;
	ret->out = c->authzid;
	*is_sent = true;
	return MECH_DONE;
}

const struct mech mech_external = {
	.name = SPAN_INIT("EXTERNAL"),
	.flags = MECH_CERTIFICATE,
	.client_size = sizeof(bool),
	.server_step = server_step,
	.client_step = client_step,
};
