/*
 * SASL mechanisms, both roles, from a peer that says anything: a byte that chooses the
 * mechanism and the role, then messages, each with its length before it.
 */
#include "auth/mech.h"

static struct span next(struct span *rest)
{
	size_t n = rest->n ? (unsigned char)rest->p[0] : 0;
	struct span s = span_sub(*rest, 1, n);

	*rest = span_sub(*rest, 1 + s.n, rest->n);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct scram_keys keys = { .hash = SCRAM_SHA1,
						.iterations = 4096,
						.n_salt = 4 };
	const struct mech_credential who = { SPAN("bob"), SPAN("root"), SPAN("secret") };
	struct span rest = span_of(data, size);
	const struct mech *m;
	bool is_client;

	if (size < 2)
		return 0;
	m = mech_at(data[0] % 9);
	is_client = data[0] & 0x80;
	rest = span_sub(rest, 1, rest.n);
	struct arena *a = arena_new(NULL);
	struct mech_env env = { .tls_exporter = SPAN("channel"),
				.offers_plus = data[0] & 8,
				.nonce = SPAN("nonce") };
	void *state = arena_alloc(a, is_client ? m->client_size : m->server_size);
	enum mech_rc rc = MECH_CHALLENGE;
	struct mech_step step = { 0 };

	if (is_client)
		rc = m->client_step(m, state, a, &env, &who, NULL, &step);
	while (rest.n && (rc == MECH_CHALLENGE || rc == MECH_DONE)) {
		struct span in = next(&rest);

		/* PBKDF2 takes the rounds that the peer names: not here */
		if (is_client && memmem(in.p, in.n, ",i=", 3))
			break;
		rc = is_client ? m->client_step(m, state, a, &env, &who, &in, &step)
			       : m->server_step(m, state, a, &env, &in, &step);
		if (rc == MECH_KEYS) {
			env.keys = &keys;
			rc = m->server_step(m, state, a, &env, &in, &step);
		}
	}
	arena_free(a);
	return 0;
}
