/* The client's side of AUTHENTICATE: which mechanism, and its messages. */
#include "client/sasl.h"

#include <stdio.h>

#include "base/base64.h"
#include "client/impl.h"

static bool is_offered(const struct client *c, const struct mech *m)
{
	struct net_tls_facts facts;
	char word[64];

	if ((m->flags & MECH_BOUND) && !net_tls_facts(c->net, &facts))
		return false;
	snprintf(word, sizeof word, "AUTH=%.*s", (int)m->name.n, m->name.p);
	return client_has(c, word);
}

static const struct mech *choice(const struct client *c)
{
	const struct mech *m;

	if (c->cfg.mechanism) {
		m = mech_find(span_str(c->cfg.mechanism));
		return m && is_offered(c, m) ? m : NULL;
	}
	if (is_offered(c, &mech_plain))
		return &mech_plain;
	/* EXTERNAL is for those who ask for it: a certificate may have been given for
	 * the TLS alone. */
	for (size_t i = 0; (m = mech_at(i)); i++)
		if (!(m->flags & MECH_CERTIFICATE) && is_offered(c, m))
			return m;
	return NULL;
}

bool sasl_choose(struct client *c)
{
	struct sasl *s = &c->sasl;
	char plus[64];

	if (s->mech)
		return true;
	s->mech = choice(c);
	if (!s->mech)
		return false;
	snprintf(plus, sizeof plus, "AUTH=%s-PLUS", scram_name(s->mech->hash));
	s->offers_plus = (s->mech->flags & MECH_BOUND) || client_has(c, plus);
	return true;
}

/* What this connection can be bound to (RFC 5056), for the mechanisms that bind. */
static void find_channel(struct client *c)
{
	struct sasl *s = &c->sasl;

	s->env.offers_plus = s->offers_plus;
	if (net_tls_exporter(c->net, "EXPORTER-Channel-Binding", s->exporter,
			     sizeof s->exporter) == ERR_OK)
		s->env.tls_exporter = span_of(s->exporter, sizeof s->exporter);
	if (net_tls_end_point(c->net, &s->end_point) == ERR_OK)
		s->env.tls_server_end_point = buf_span(&s->end_point);
}

static enum mech_rc step(struct client *c, struct span authzid,
			 const struct span *challenge, struct mech_step *ret)
{
	struct sasl *s = &c->sasl;
	struct mech_credential who = { .authcid = c->cfg.authcid,
				       .password = c->cfg.password,
				       .memory = &s->memory };
	enum mech_rc rc;

	if (!span_eq(authzid, c->cfg.authcid))
		who.authzid = authzid;
	rc = s->mech->client_step(s->mech, s->state, s->arena, &s->env, &who, challenge,
				  ret);
	s->is_complete = rc == MECH_DONE;
	return rc;
}

enum err sasl_first(struct client *c, struct span authzid, struct span *ret_message)
{
	struct sasl *s = &c->sasl;
	struct mech_step message = { 0 };

	sasl_end(s);
	s->arena = arena_new(NULL);
	s->state = arena_alloc(s->arena, s->mech->client_size);
	if (!(s->mech->flags & (MECH_PLAINTEXT | MECH_CERTIFICATE)))
		find_channel(c);
	if (step(c, authzid, NULL, &message) == MECH_FAILED)
		return ERR_INVAL;
	*ret_message = message.out;
	return ERR_OK;
}

bool sasl_answer(struct client *c, struct span authzid, struct span challenge,
		 struct buf *out)
{
	struct sasl *s = &c->sasl;
	struct mech_step message = { 0 };
	struct buf in = { 0 };
	bool is_ok = s->arena && !s->is_complete &&
		     base64_decode(challenge, &in) == ERR_OK;

	if (is_ok) {
		struct span text = arena_dup(s->arena, buf_span(&in));

		is_ok = step(c, authzid, &text, &message) != MECH_FAILED;
	}
	if (is_ok)
		base64_encode(message.out, out);
	buf_done(&in);
	return is_ok;
}

void sasl_end(struct sasl *s)
{
	arena_free(s->arena);
	s->arena = NULL;
	s->state = NULL;
	buf_done(&s->end_point);
	s->env = (struct mech_env){ 0 };
	wipe(s->exporter, sizeof s->exporter);
	s->is_complete = false;
}

void sasl_forget(struct sasl *s)
{
	sasl_end(s);
	s->mech = NULL;
}
