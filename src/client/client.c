/* The client's life and what it can be asked (client/client.h). */
#include <stdlib.h>
#include "base/arena.h"
#include "client/impl.h"

struct client *client_new(const struct client_config *config)
{
	struct arena *a = arena_new(NULL);
	struct client *c = ARENA_NEW(a, struct client);

	c->arena = a;
	c->cfg = *config;
	c->cfg.host = config->host ? arena_strdup(a, config->host) : NULL;
	c->cfg.authcid = arena_dup(a, config->authcid);
	c->cfg.password = arena_dup(a, config->password);
	c->cfg.mechanism = config->mechanism ? arena_strdup(a, config->mechanism) : NULL;
	c->cfg.tls = config->tls ? net_tls_ref(config->tls) : NULL;
	c->last = &c->first;
	frame_init(&c->frame, FRAME_RESPONSES);
	return c;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	if (c->depth) {
		c->is_dead = true;
		return;
	}
	c->is_dead = true; /* no callback comes any more */
	net_timer_stop(&c->deadline);
	net_timer_stop(&c->retry);
	net_timer_stop(&c->drop);
	net_timer_stop(&c->more);
	if (c->net && !c->first && (c->phase == PHASE_IN || c->phase == PHASE_OPEN)) {
		connect_logout(c);
	} else {
		net_abort(c->net);
		cmd_end_all(c, SPAN_NONE);
	}
	buf_done(&c->in);
	buf_done(&c->skeleton);
	buf_done(&c->caps);
	buf_done(&c->user);
	buf_done(&c->become.user);
	sasl_forget(&c->sasl);
	arena_free(c->frame_arena);
	net_tls_unref(c->cfg.tls);
	arena_free(c->arena);
}

bool client_is_ready(const struct client *c)
{
	return c->net && c->phase == PHASE_IN && c->has_caps && !c->become.is_active;
}

void client_forget(struct client *c)
{
	c->is_stale = true;
}

bool client_has(const struct client *c, const char *capability)
{
	return c->has_caps && wire_words_have(buf_span(&c->caps), capability);
}

struct emit_mode client_mode(const struct client *c)
{
	struct emit_mode m = { .literal = EMIT_CLIENT_SYNC };

	m.literal8 = client_has(c, "BINARY") || client_has(c, "IMAP4rev2");
	if (client_has(c, "LITERAL+"))
		m.literal = EMIT_CLIENT_PLUS;
	else if (client_has(c, "LITERAL-") || client_has(c, "IMAP4rev2"))
		m.literal = EMIT_CLIENT_MINUS;
	return m;
}

struct span client_literal_head(const struct client *c)
{
	return c->literal_head;
}

void client_flush(struct client *c)
{
	if (c->depth)
		return;
	client_enter(c);
	client_leave(c);
}

struct client_stats client_stats(const struct client *c)
{
	struct client_stats s = c->stats;

	if (c->net) {
		struct net_counters n = net_counters(c->net);
		s.bytes_in += n.raw_in;
		s.bytes_out += n.raw_out;
	}
	return s;
}

const char *client_why_no_switch(const struct client *c)
{
	if (c->cfg.never_switch)
		return "it was switched off";
	if (c->why_no_switch)
		return c->why_no_switch;
	return c->stats.reconnects || (c->has_caps && !client_has(c, "UNAUTHENTICATE"))
		   ? "the server does not offer it"
		   : NULL;
}
