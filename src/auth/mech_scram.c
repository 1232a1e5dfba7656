/*
 * SCRAM-SHA-1, -256 and -512, each plain and with channel binding (-PLUS), both roles
 * (RFC 5802; RFC 7677; RFC 9266 for tls-exporter):
 *
 *	C: gs2-header n=user,r=nonce
 *	S: r=nonce+,s=salt,i=iterations
 *	C: c=binding,r=nonce+,p=proof
 *	S: v=signature
 *	C: (empty; IMAP has no data in its OK)
 */
#include <openssl/rand.h>
#include <stdlib.h>

#include "auth/mech.h"
#include "base/base64.h"

enum {
	NONCE_MAX = 256,
	NONCE = 18
}; /* of a peer: characters; ours: bytes before base64 */

enum step { FIRST, FINAL, END };

struct server {
	enum step step;
	bool is_asked;				     /* MECH_KEYS was returned */
	struct span gs2, bare, authzid, name, nonce; /* in the arena, as below */
	struct span binding;			     /* what "c=" must hold */
	struct span server_first;
	struct scram_keys keys;
};

struct client {
	enum step step;
	struct span gs2, bare, nonce, binding;
	struct span auth_message;
	struct scram_secret secret;
};

/* ---- grammar (RFC 5802 section 7) ---- */

/* "x=" and what stands up to the next comma. `rest`: behind that comma, p NULL at the
 * end. */
static bool take(struct span *rest, char letter, struct span *ret)
{
	ptrdiff_t end;

	if (rest->n < 2 || rest->p[0] != letter || rest->p[1] != '=')
		return false;
	end = span_find(*rest, ',');
	*ret = end < 0 ? span_sub(*rest, 2, rest->n)
		       : span_sub(*rest, 2, (size_t)end - 2);
	*rest = end < 0 ? SPAN_NONE : span_sub(*rest, (size_t)end + 1, rest->n);
	return true;
}

/* saslname: "=2C" is a comma, "=3D" an equals sign, no other "=" may stand. */
static bool name_read(struct arena *a, struct span s, struct span *ret)
{
	char *to = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		struct span code = span_sub(s, i, 3);

		if (s.p[i] != '=') {
			to[n++] = s.p[i];
			continue;
		}
		if (!span_eq(code, SPAN("=2C")) && !span_eq(code, SPAN("=3D")))
			return false;
		to[n++] = code.p[2] == 'C' ? ',' : '=';
		i += 2;
	}
	*ret = span_of(to, n);
	return n > 0 && !memchr(to, 0, n);
}

static void name_write(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ',' || s.p[i] == '=')
			buf_puts(out, s.p[i] == ',' ? "=2C" : "=3D");
		else
			buf_putc(out, s.p[i]);
	}
}

static bool nonce_ok(struct span s)
{
	if (s.n == 0 || s.n > NONCE_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ',')
			return false;
	return true;
}

/* Appends ours. */
static bool nonce_put(const struct mech_env *env, struct buf *out)
{
	uint8_t random[NONCE];

	if (env->nonce.p) {
		buf_put(out, env->nonce);
		return true;
	}
	if (RAND_bytes(random, sizeof random) != 1)
		return false;
	base64_encode(span_of(random, sizeof random), out);
	return true;
}

static struct span keep(struct arena *a, struct buf *b)
{
	struct span s = arena_dup(a, buf_span(b));

	buf_done(b);
	return s;
}

static struct span auth_message(struct arena *a, struct span bare,
				struct span server_first, struct span without_proof)
{
	struct buf b = { 0 };

	buf_put(&b, bare);
	buf_putc(&b, ',');
	buf_put(&b, server_first);
	buf_putc(&b, ',');
	buf_put(&b, without_proof);
	return keep(a, &b);
}

static bool is_bound(const struct mech *self)
{
	return self->flags & MECH_BOUND;
}

/* ---- server ---- */

/* The channel that the client names; p NULL: not known, or not to be had. */
static struct span channel(const struct mech_env *env, struct span name)
{
	if (span_eq(name, SPAN("tls-exporter")))
		return env->tls_exporter;
	if (span_eq(name, SPAN("tls-server-end-point")))
		return env->tls_server_end_point;
	if (span_eq(name, SPAN("tls-unique")))
		return env->tls_unique;
	return SPAN_NONE;
}

/* The flag before the first comma: n, y or p=... */
static bool read_flag(const struct mech *self, const struct mech_env *env,
		      struct span flag, struct span *ret_channel)
{
	*ret_channel = SPAN_NONE;
	if (span_starts(flag, SPAN("p="))) {
		*ret_channel = channel(env, span_sub(flag, 2, flag.n));
		return is_bound(self) && ret_channel->p;
	}
	/* "y": the client would have bound, but saw no -PLUS: if we did offer it,
	 * somebody in between took it away (section 6). */
	return !is_bound(self) && (span_eq(flag, SPAN("n")) ||
				   (span_eq(flag, SPAN("y")) && !env->offers_plus));
}

static bool read_first(const struct mech *self, struct server *s, struct arena *a,
		       const struct mech_env *env, struct span in)
{
	struct span all = arena_dup(a, in), authzid, value, data, rest;
	ptrdiff_t one = span_find(all, ','), two;
	struct buf binding = { 0 };

	if (one < 0 || !read_flag(self, env, span_sub(all, 0, (size_t)one), &data))
		return false;
	rest = span_sub(all, (size_t)one + 1, all.n);
	two = span_find(rest, ',');
	if (two < 0)
		return false;
	authzid = span_sub(rest, 0, (size_t)two);
	s->gs2 = span_sub(all, 0, (size_t)(one + two) + 2);
	s->bare = rest = span_sub(rest, (size_t)two + 1, rest.n);
	if (authzid.n &&
	    (!take(&authzid, 'a', &value) || !name_read(a, value, &s->authzid)))
		return false;
	/* "m=", an extension that must be understood, does not begin with "n=" either */
	if (!take(&rest, 'n', &value) || !name_read(a, value, &s->name) || !rest.p ||
	    !take(&rest, 'r', &s->nonce) || !nonce_ok(s->nonce))
		return false;
	buf_put(&binding, s->gs2);
	buf_put(&binding, data);
	s->binding = keep(a, &binding);
	return s->name.n <= USER_NAME_MAX && s->authzid.n <= USER_NAME_MAX;
}

static enum mech_rc server_first(const struct mech *self, struct server *s,
				 struct arena *a, const struct mech_env *env,
				 struct span in, struct mech_step *ret)
{
	struct buf name = { 0 }, out = { 0 }, nonce = { 0 };

	if (!s->is_asked) {
		if (!read_first(self, s, a, env, in) ||
		    scram_prepare(s->name, false, &name) != ERR_OK) {
			buf_done(&name);
			return MECH_FAILED;
		}
		s->name = keep(a, &name);
		s->is_asked = true;
		ret->request.authcid = s->name;
		ret->hash = self->hash;
		return MECH_KEYS;
	}
	if (!env->keys)
		return MECH_FAILED;
	s->keys = *env->keys;
	buf_put(&nonce, s->nonce);
	if (!nonce_put(env, &nonce)) {
		buf_done(&nonce);
		return MECH_FAILED;
	}
	s->nonce = keep(a, &nonce);
	buf_puts(&out, "r=");
	buf_put(&out, s->nonce);
	buf_puts(&out, ",s=");
	base64_encode(span_of(s->keys.salt, s->keys.n_salt), &out);
	buf_printf(&out, ",i=%u", s->keys.iterations);
	s->server_first = ret->out = keep(a, &out);
	s->step = FINAL;
	return MECH_CHALLENGE;
}

static enum mech_rc server_final(struct server *s, struct arena *a, struct span in,
				 struct mech_step *ret)
{
	struct span rest = in, last, c, r, p, message;
	struct buf binding = { 0 }, proof = { 0 }, out = { 0 };
	uint8_t signature[SCRAM_DIGEST_MAX];
	size_t end = in.n;
	bool is_ok;

	/* Extensions may stand before the proof, which is the last (section 7). */
	while (end && in.p[end - 1] != ',')
		end--;
	last = span_sub(in, end, in.n);
	is_ok = end > 0 && take(&rest, 'c', &c) && rest.p && take(&rest, 'r', &r) &&
		take(&last, 'p', &p) && base64_decode(c, &binding) == ERR_OK &&
		base64_decode(p, &proof) == ERR_OK &&
		span_eq_secret(buf_span(&binding), s->binding) && span_eq(r, s->nonce);
	message = auth_message(a, s->bare, s->server_first,
			       span_sub(in, 0, end ? end - 1 : 0));
	is_ok = is_ok && scram_proof_ok(&s->keys, message, buf_span(&proof)) &&
		scram_server_signature(s->keys.hash, s->keys.server, message,
				       signature) == ERR_OK;
	buf_done(&binding);
	buf_done(&proof);
	ret->request = (struct auth_request){ .authzid = s->authzid, .authcid = s->name };
	if (!is_ok)
		return MECH_FAILED;
	buf_puts(&out, "v=");
	base64_encode(span_of(signature, scram_digest(s->keys.hash)), &out);
	ret->out = keep(a, &out);
	s->step = END;
	return MECH_CHALLENGE;
}

static enum mech_rc server_step(const struct mech *self, void *state, struct arena *a,
				const struct mech_env *env, const struct span *in,
				struct mech_step *ret)
{
	struct server *s = state;

	if (!in) {
		ret->out = SPAN_NONE;
		return MECH_CHALLENGE;
	}
	switch (s->step) {
	case FIRST: return server_first(self, s, a, env, *in, ret);
	case FINAL: return server_final(s, a, *in, ret);
	default:
		ret->request = (struct auth_request){ .authzid = s->authzid,
						      .authcid = s->name };
		return in->n == 0 ? MECH_PROVEN : MECH_FAILED;
	}
}

/* ---- client ---- */

static enum mech_rc client_first(const struct mech *self, struct client *k,
				 struct arena *a, const struct mech_env *env,
				 const struct mech_credential *c, struct mech_step *ret)
{
	struct buf b = { 0 }, bare = { 0 }, nonce = { 0 }, name = { 0 }, binding = { 0 };
	bool is_exporter = env->tls_exporter.p;
	struct span data = is_exporter ? env->tls_exporter : env->tls_server_end_point;
	bool is_ok = scram_prepare(c->authcid, false, &name) == ERR_OK &&
		     nonce_put(env, &nonce) && (!is_bound(self) || data.p) &&
		     (!c->authzid.n || !memchr(c->authzid.p, 0, c->authzid.n));

	if (is_bound(self))
		buf_puts(&b, is_exporter ? "p=tls-exporter" : "p=tls-server-end-point");
	else
		/* "y" asks a server that binds to notice if its offer was cut out */
		buf_putc(&b, data.p && !env->offers_plus ? 'y' : 'n');
	buf_putc(&b, ',');
	if (c->authzid.n) {
		buf_puts(&b, "a=");
		name_write(c->authzid, &b);
	}
	buf_putc(&b, ',');
	buf_puts(&bare, "n=");
	name_write(buf_span(&name), &bare);
	buf_puts(&bare, ",r=");
	buf_put(&bare, buf_span(&nonce));
	k->nonce = keep(a, &nonce);
	k->gs2 = arena_dup(a, buf_span(&b));
	buf_put(&binding, k->gs2);
	if (is_bound(self))
		buf_put(&binding, data);
	k->binding = keep(a, &binding);
	buf_put(&b, buf_span(&bare));
	k->bare = keep(a, &bare);
	ret->out = keep(a, &b);
	buf_done(&name);
	k->step = FINAL;
	return is_ok ? MECH_CHALLENGE : MECH_FAILED;
}

/* What the server said: a longer nonce, a salt, how often. */
static bool read_server_first(const struct client *k, struct span in,
			      struct span *ret_nonce, struct buf *ret_salt,
			      uint64_t *ret_iterations)
{
	struct span s, i, rest = in;

	return take(&rest, 'r', ret_nonce) && rest.p && take(&rest, 's', &s) && rest.p &&
	       take(&rest, 'i', &i) && nonce_ok(*ret_nonce) &&
	       span_starts(*ret_nonce, k->nonce) && ret_nonce->n > k->nonce.n &&
	       base64_decode(s, ret_salt) == ERR_OK && ret_salt->n > 0 &&
	       ret_salt->n <= SCRAM_SALT_MAX &&
	       span_u64(i, SCRAM_ITERATIONS_MAX, ret_iterations) &&
	       *ret_iterations >= SCRAM_ITERATIONS_MIN;
}

static enum mech_rc client_final(const struct mech *self, struct client *k,
				 struct arena *a, const struct mech_credential *c,
				 struct span in, struct mech_step *ret)
{
	struct buf salt = { 0 }, out = { 0 };
	uint8_t proof[SCRAM_DIGEST_MAX];
	uint64_t iterations = 0;
	struct span nonce;
	bool is_ok = read_server_first(k, in, &nonce, &salt, &iterations) &&
		     scram_recall(c->memory, self->hash, c->password, buf_span(&salt),
				  (uint32_t)iterations, &k->secret) == ERR_OK;

	if (is_ok) {
		buf_puts(&out, "c=");
		base64_encode(k->binding, &out);
		buf_puts(&out, ",r=");
		buf_put(&out, nonce);
		k->auth_message = auth_message(a, k->bare, in, buf_span(&out));
		is_ok = scram_client_proof(self->hash, &k->secret, k->auth_message,
					   proof) == ERR_OK;
		buf_puts(&out, ",p=");
		base64_encode(span_of(proof, scram_digest(self->hash)), &out);
	}
	buf_done(&salt);
	ret->out = keep(a, &out);
	k->step = END;
	return is_ok ? MECH_CHALLENGE : MECH_FAILED;
}

/* The server proves that it knows us, or it is somebody else. */
static enum mech_rc client_end(const struct mech *self, struct client *k, struct span in,
			       struct mech_step *ret)
{
	uint8_t expected[SCRAM_DIGEST_MAX];
	struct buf signature = { 0 };
	struct span v, rest = in;
	bool is_ok = take(&rest, 'v', &v) && base64_decode(v, &signature) == ERR_OK &&
		     scram_server_signature(self->hash, k->secret.server, k->auth_message,
					    expected) == ERR_OK &&
		     span_eq_secret(buf_span(&signature),
				    span_of(expected, scram_digest(self->hash)));

	buf_done(&signature);
	ret->out = SPAN("");
	return is_ok ? MECH_DONE : MECH_FAILED;
}

static enum mech_rc client_step(const struct mech *self, void *state, struct arena *a,
				const struct mech_env *env,
				const struct mech_credential *c,
				const struct span *challenge, struct mech_step *ret)
{
	struct client *k = state;

	switch (k->step) {
	case FIRST: return client_first(self, k, a, env, c, ret);
	case FINAL:
		return challenge ? client_final(self, k, a, c, *challenge, ret)
				 : MECH_FAILED;
	default: return challenge ? client_end(self, k, *challenge, ret) : MECH_FAILED;
	}
}

#define SCRAM_MECH(text, which, what)                                                    \
	{                                                                                \
		.name = SPAN_INIT(text), .flags = what, .hash = which,                   \
		.server_size = sizeof(struct server),                                    \
		.client_size = sizeof(struct client), .server_step = server_step,        \
		.client_step = client_step                                               \
	}

const struct mech mech_scram[2 * SCRAM_HASHES] = {
	SCRAM_MECH("SCRAM-SHA-1", SCRAM_SHA1, 0),
	SCRAM_MECH("SCRAM-SHA-1-PLUS", SCRAM_SHA1, MECH_BOUND),
	SCRAM_MECH("SCRAM-SHA-256", SCRAM_SHA256, 0),
	SCRAM_MECH("SCRAM-SHA-256-PLUS", SCRAM_SHA256, MECH_BOUND),
	SCRAM_MECH("SCRAM-SHA-512", SCRAM_SHA512, 0),
	SCRAM_MECH("SCRAM-SHA-512-PLUS", SCRAM_SHA512, MECH_BOUND),
};
