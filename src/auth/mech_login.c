/*
 * LOGIN (draft-murchison-sasl-login-00): the name, then the password, each asked for. It has no
 * authorization identity and no RFC; old mail programs have nothing better. The name may
 * come as the initial response, as PLAIN's message does.
 */
#include "auth/mech.h"

enum step { NAME, ASKED_NAME, PASSWORD };

struct server {
	struct span name;
	enum step step;
};

static enum mech_rc ask(struct server *s, enum step step, struct span words,
			struct mech_step *ret)
{
	s->step = step;
	ret->out = words;
	return MECH_CHALLENGE;
}

static enum mech_rc server_step(const struct mech *self, void *state, struct arena *a,
				const struct mech_env *env, const struct span *in,
				struct mech_step *ret)
{
	struct server *s = state;

	/* The words are what Outlook of old compares them with. */
	if (!in)
		return s->step == NAME ? ask(s, ASKED_NAME, SPAN("Username:"), ret)
				       : MECH_FAILED;
	if (s->step != PASSWORD) {
		if (in->n == 0 || in->n > USER_NAME_MAX || span_find(*in, 0) >= 0)
			return MECH_FAILED;
		s->name = arena_dup(a, *in);
		return ask(s, PASSWORD, SPAN("Password:"), ret);
	}
	ret->request = (struct auth_request){ .authcid = s->name, .password = *in };
	return in->n == 0 || span_find(*in, 0) >= 0 ? MECH_FAILED : MECH_PASSWORD;
}

struct client {
	unsigned said;
};

static enum mech_rc client_step(const struct mech *self, void *state, struct arena *a,
				const struct mech_env *env,
				const struct mech_credential *c,
				const struct span *challenge, struct mech_step *ret)
{
	struct client *k = state;

	if (k->said == 2 || c->authzid.n || c->authcid.n == 0 || c->password.n == 0)
		return MECH_FAILED;
	ret->out = k->said++ == 0 ? c->authcid : c->password;
	return k->said == 2 ? MECH_DONE : MECH_CHALLENGE;
}

const struct mech mech_login = {
	.name = SPAN_INIT("LOGIN"),
	.flags = MECH_PLAINTEXT,
	.server_size = sizeof(struct server),
	.client_size = sizeof(struct client),
	.server_step = server_step,
	.client_step = client_step,
};
