/*
 * The connection under the client: made, watched for silence, given up (RFC 9051
 * section 5.4, RFC 8314). Counts what goes over it.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/arena.h"
#include "client/impl.h"

#define LOGOUT_MS 2000

static bool is_due(const struct client *c)
{
	return c->net && (c->phase == PHASE_GREETING || c->phase == PHASE_UPGRADE ||
			  (c->first && !c->first->is_holding));
}

static void on_deadline(void *arg)
{
	struct client *c = arg;

	client_enter(c);
	connect_drop(c, ERR_CLOSED, "no answer within %ju s",
		     (uintmax_t)(c->cfg.silence_ms + 999) / 1000);
	client_leave(c);
}

void client_touch(struct client *c)
{
	if (is_due(c))
		net_timer_start(c->cfg.loop, &c->deadline, c->cfg.silence_ms, on_deadline,
				c);
	else
		net_timer_stop(&c->deadline);
}

void client_enter(struct client *c)
{
	c->depth++;
}

bool client_leave(struct client *c)
{
	if (c->depth == 1 && !c->is_dead)
		cmd_pump(c);
	if (--c->depth)
		return true;
	if (c->is_dead) {
		c->is_dead = false;
		client_free(c);
		return false;
	}
	if (!is_due(c) || !net_timer_is_running(&c->deadline))
		client_touch(c);
	return true;
}

static void tcp_up(struct client *c)
{
	if (c->cfg.tls_mode == CLIENT_TLS_IMPLICIT) {
		net_push_tls(c->net, c->cfg.tls, c->cfg.host, c->cfg.connect_ms);
		return;
	}
	if (c->cfg.tls_mode == CLIENT_TLS_NONE && !net_peer(c->net)->is_loopback) {
		connect_drop(c, ERR_DENIED,
			     "plain text is for loopback addresses only, not for %s",
			     net_peer(c->net)->text);
		return;
	}
	c->phase = PHASE_GREETING;
	client_touch(c);
}

static void on_connected(struct net_stack *s, void *arg)
{
	struct client *c = arg;

	(void)s;
	client_enter(c);
	tcp_up(c);
	client_leave(c);
}

static void on_handshake_done(struct net_stack *s, void *arg)
{
	struct client *c = arg;
	struct net_tls_facts facts;

	client_enter(c);
	if (net_tls_facts(s, &facts) && facts.is_resumed)
		c->stats.tls_resumed++;
	else
		c->stats.tls_full++;
	if (c->phase == PHASE_UPGRADE) {
		login_opened(c);
	} else {
		c->phase = PHASE_GREETING;
		client_touch(c);
	}
	client_leave(c);
}

static void on_readable(struct net_stack *s, void *arg)
{
	struct client *c = arg;

	(void)s;
	client_enter(c);
	client_touch(c);
	reader_readable(c);
	client_leave(c);
}

static void on_drained(struct net_stack *s, void *arg)
{
	struct client *c = arg;

	(void)s;
	client_enter(c);
	client_touch(c);
	client_leave(c); /* pumps */
}

static void count(struct client *c)
{
	struct net_counters n = net_counters(c->net);

	c->stats.bytes_in += n.raw_in;
	c->stats.bytes_out += n.raw_out;
}

/* Forgets all that belonged to the connection, but the commands. */
static void forget(struct client *c)
{
	c->net = NULL;
	c->phase = PHASE_OFF;
	c->epoch++;
	c->is_preset = c->is_stale = false;
	reader_reset(c);
	login_caps_forget(c);
	sasl_forget(&c->sasl);
	c->has_initial_response = c->is_compress_refused = false;
	buf_clear(&c->user);
	c->become.is_close_due = false;
	net_timer_stop(&c->deadline);
}

static void gone(struct client *c, enum err rc, struct span why)
{
	c->stats.lost += c->phase == PHASE_OPEN || c->phase == PHASE_IN;
	forget(c);
	cmd_end_all(c, why);
	if (c->become.is_active && !c->is_dead)
		login_lost(c, rc, why);
}

static void on_closed(struct net_stack *s, void *arg, const struct net_error *why)
{
	struct client *c = arg;
	struct net_error copy = *why;

	(void)s;
	client_enter(c);
	count(c);
	if (copy.rc == ERR_AUTH)
		copy.rc = ERR_DENIED; /* the certificate; ERR_AUTH is for users */
	gone(c, copy.rc == ERR_OK ? ERR_IO : copy.rc, span_str(copy.text));
	client_leave(c);
}

/* Which answer it was: the number of the response, and how it begins. */
static void name_line(const struct client *c, char *text, size_t size)
{
	size_t at = strlen(text), n = c->now.n < 60 ? c->now.n : 60;

	at += (size_t)snprintf(text + at, size - at,
			       " (response %ju: ", (uintmax_t)c->responses);
	for (size_t i = 0; i < n && c->now.p[i] != '\r' && at + 5 < size; i++)
		text[at++] = c->now.p[i] >= ' ' && c->now.p[i] <= '~' ? c->now.p[i] : '?';
	snprintf(text + at, size - at, n < c->now.n ? "...)" : ")");
}

void connect_drop(struct client *c, enum err rc, const char *fmt, ...)
{
	char text[320];
	va_list ap;

	if (!c->net)
		return;
	va_start(ap, fmt);
	vsnprintf(text, 200, fmt, ap);
	va_end(ap);
	if (rc == ERR_CORRUPT && c->now.n)
		name_line(c, text, sizeof text);
	count(c);
	net_abort(c->net);
	gone(c, rc, span_str(text));
}

void connect_logout(struct client *c)
{
	struct buf line = { 0 };
	struct net_stack *net = c->net;

	buf_printf(&line, "m%u LOGOUT\r\n", ++c->tag_number);
	net_write(net, buf_span(&line));
	buf_done(&line);
	net_flush(net);
	count(c);
	net_close_after_flush(net, LOGOUT_MS);
	forget(c);
	cmd_end_all(c, SPAN("the connection was given up"));
}

static void on_drop(void *arg)
{
	struct client *c = arg;

	client_enter(c);
	net_timer_stop(&c->retry);
	c->become.is_final = true;
	if (c->net)
		connect_drop(c, ERR_CLOSED, "the connection was cut by its owner");
	else if (c->become.is_active)
		become_fail(c, ERR_CLOSED, "it was cancelled by its owner");
	client_leave(c);
}

void client_drop(struct client *c)
{
	if (!net_timer_is_running(&c->drop)) /* asked again is not put off */
		net_timer_start(c->cfg.loop, &c->drop, 0, on_drop, c);
}

static const struct net_events events = {
	.on_connected = on_connected,
	.on_handshake_done = on_handshake_done,
	.on_readable = on_readable,
	.on_drained = on_drained,
	.on_closed = on_closed,
};

void connect_start(struct client *c)
{
	assert(!c->net && c->phase == PHASE_OFF);
	c->phase = PHASE_CONNECT;
	c->stats.connections++;
	if (!c->cfg.dial) {
		c->net = net_connect(c->cfg.loop, c->cfg.host, c->cfg.port,
				     c->cfg.connect_ms, &events, c);
		return;
	}
	int fd = c->cfg.dial(c->cfg.dial_arg);
	if (fd < 0 || net_open_fd(c->cfg.loop, fd, NULL, &events, c, &c->net) != ERR_OK) {
		gone(c, ERR_IO, SPAN("cannot connect"));
		return;
	}
	tcp_up(c);
}
