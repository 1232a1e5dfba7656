/*
 * PLAIN (RFC 4616):  message = [authzid] UTF8NUL authcid UTF8NUL passwd
 * Each of the three is 1 to 255 octets of UTF-8 without NUL; we let passwords be longer,
 * as the limit on the line bounds them.
 */
#include "auth/mech.h"

static enum mech_rc server_step(const struct mech *self, void *state, struct arena *arena,
				const struct mech_env *env, const struct span *in,
				struct mech_step *ret)
{
	if (!in) {
		ret->out = SPAN_NONE;
		return MECH_CHALLENGE;
	}
	ptrdiff_t a = span_find(*in, 0);
	if (a < 0)
		return MECH_FAILED;
	struct span rest = span_sub(*in, (size_t)a + 1, in->n);
	ptrdiff_t b = span_find(rest, 0);
	if (b <= 0)
		return MECH_FAILED;
	struct auth_request r = {
		.authzid = span_sub(*in, 0, (size_t)a),
		.authcid = span_sub(rest, 0, (size_t)b),
		.password = span_sub(rest, (size_t)b + 1, rest.n),
	};
	if (r.password.n == 0 || span_find(r.password, 0) >= 0 ||
	    r.authzid.n > USER_NAME_MAX || r.authcid.n > USER_NAME_MAX)
		return MECH_FAILED;
	ret->request = r;
	return MECH_PASSWORD;
}

static bool has_nul(struct span s)
{
	return span_find(s, 0) >= 0;
}

/* The one message of the client; the challenge, if there was one, is empty. */
static enum mech_rc client_step(const struct mech *self, void *state, struct arena *a,
				const struct mech_env *env, const struct mech_credential *c,
				const struct span *challenge, struct mech_step *ret)
{
	bool *is_sent = state;
	if (*is_sent || (challenge && challenge->n) || c->authcid.n == 0 ||
	    c->password.n == 0 || has_nul(c->authzid) || has_nul(c->authcid) ||
	    has_nul(c->password))
		return MECH_FAILED;
	size_t n = c->authzid.n + c->authcid.n + c->password.n + 2;
	char *p = arena_alloc(a, n), *at = p;
	if (c->authzid.n)
		memcpy(at, c->authzid.p, c->authzid.n);
	at += c->authzid.n + 1; /* the arena's zero is the NUL */
	memcpy(at, c->authcid.p, c->authcid.n);
	at += c->authcid.n + 1;
	memcpy(at, c->password.p, c->password.n);
	ret->out = span_of(p, n);
	*is_sent = true;
	return MECH_DONE;
}

const struct mech mech_plain = {
	.name = SPAN_INIT("PLAIN"),
	.flags = MECH_PLAINTEXT,
	.client_size = sizeof(bool),
	.server_step = server_step,
	.client_step = client_step,
};
