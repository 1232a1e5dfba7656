/*
 * The public library: its object, options and loop (mailstile.h). It is a thin coat
 * over client.h, which `mailstile act` uses too.
 */
#include "client/lib.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/arena.h"

#define CONNECT_MS  30000
#define SILENCE_MS  60000
#define IDLE_MS	    (9 * 60 * 1000)
#define LITERAL_MAX ((uint64_t)4 << 30)
#define REPLY_MAX   ((size_t)64 << 20)

const char *mailstile_version(void)
{
	return MAILSTILE_VERSION;
}

const char *mailstile_rc_text(enum mailstile_rc rc)
{
	static const char *const text[] = {
		[MAILSTILE_OK] = "done",
		[MAILSTILE_NO] = "the server said NO",
		[MAILSTILE_BAD] = "the server did not understand",
		[MAILSTILE_REFUSED] = "the server refused the login",
		[MAILSTILE_UNKNOWN] = "the connection ended before the answer",
		[MAILSTILE_CLOSED] = "the connection ended, nothing was sent",
		[MAILSTILE_UNREACHABLE] = "no connection could be made",
		[MAILSTILE_UNTRUSTED] = "the server cannot be trusted",
		[MAILSTILE_UNSUPPORTED] = "the server cannot do that",
		[MAILSTILE_CORRUPT] = "the server broke the protocol",
		[MAILSTILE_TIMEOUT] = "the time was up",
		[MAILSTILE_LIMIT] = "over a limit",
		[MAILSTILE_INVALID] = "not valid",
	};

	if ((unsigned)rc >= sizeof text / sizeof *text)
		return "unknown";
	return text[rc];
}

enum mailstile_rc lib_rc(enum err rc, bool is_login)
{
	switch (rc) {
	case ERR_OK: return MAILSTILE_OK;
	case ERR_DENIED: return is_login ? MAILSTILE_UNTRUSTED : MAILSTILE_NO;
	case ERR_INVAL: return is_login ? MAILSTILE_INVALID : MAILSTILE_BAD;
	case ERR_AUTH: return MAILSTILE_REFUSED;
	case ERR_UNKNOWN: return MAILSTILE_UNKNOWN;
	case ERR_CLOSED: return MAILSTILE_CLOSED;
	case ERR_UNSUPPORTED: return MAILSTILE_UNSUPPORTED;
	case ERR_CORRUPT: return MAILSTILE_CORRUPT;
	default: return MAILSTILE_UNREACHABLE;
	}
}

/* --- options ------------------------------------------------------------------ */

bool lib_options(const struct mailstile_options *o, struct mailstile_options *ret)
{
	struct mailstile_options full = { 0 };

	/* An older program's struct is a shorter one. */
	if (!o || o->size < offsetof(struct mailstile_options, connect_ms) ||
	    o->size > sizeof full)
		return false;
	memcpy(&full, o, o->size);
	full.port = full.port				 ? full.port
		    : full.tls == MAILSTILE_TLS_IMPLICIT ? 993
							 : 143;
	full.connect_ms = full.connect_ms ? full.connect_ms : CONNECT_MS;
	full.silence_ms = full.silence_ms ? full.silence_ms : SILENCE_MS;
	full.idle_ms = full.idle_ms ? full.idle_ms : IDLE_MS;
	full.literal_max = full.literal_max ? full.literal_max : LITERAL_MAX;
	full.reply_max = full.reply_max ? full.reply_max : REPLY_MAX;
	if (full.certificate && !full.key)
		full.key = full.certificate;
	*ret = full;
	return true;
}

static bool read_pin(const char *hex, unsigned char *pin)
{
	for (size_t i = 0; i < 64; i++) {
		char c = hex[i];
		int v = c >= '0' && c <= '9'   ? c - '0'
			: c >= 'a' && c <= 'f' ? c - 'a' + 10
			: c >= 'A' && c <= 'F' ? c - 'A' + 10
					       : -1;
		if (v < 0)
			return false;
		pin[i / 2] = (unsigned char)((i % 2 ? pin[i / 2] << 4 : 0) | v);
	}
	return hex[64] == 0;
}

enum err lib_tls_new(const struct mailstile_options *o, struct net_tls **ret_tls,
		     struct net_error *ret_error)
{
	struct net_tls_client c = { .ca_file = o->ca_file,
				    .cert_file = o->certificate,
				    .key_file = o->key };
	unsigned char pin[32] = { 0 };

	*ret_tls = NULL;
	if (o->tls == MAILSTILE_TLS_NONE)
		return ERR_OK;
	if (o->pin_sha256 && !read_pin(o->pin_sha256, pin))
		return net_error_set(ret_error, ERR_INVAL,
				     "pin_sha256 is not 64 hexadecimal digits");
	if (o->pin_sha256)
		c.pin_sha256 = pin;
	return net_tls_client_new(&c, ret_tls, ret_error);
}

static const char *complaint(const struct mailstile_options *o)
{
	if (!o->host && (!o->dial || o->tls != MAILSTILE_TLS_NONE))
		return "there is no host";
	if ((unsigned)o->tls > MAILSTILE_TLS_NONE)
		return "`tls` is none of its values";
	return NULL;
}

static void unsolicited(void *arg, const struct client_data *d)
{
	struct mailstile *m = arg;
	struct mailstile_data data;

	if (!m->event || m->is_dead)
		return;
	data = lib_data(d->at.arena, d->r, span_sub(d->frame, d->at.at, d->frame.n));
	m->event(m->event_arg, &data);
}

static struct client *new_client(struct mailstile *m, const struct mailstile_options *o)
{
	static const enum client_tls mode[] = {
		[MAILSTILE_TLS_IMPLICIT] = CLIENT_TLS_IMPLICIT,
		[MAILSTILE_TLS_START] = CLIENT_TLS_START,
		[MAILSTILE_TLS_NONE] = CLIENT_TLS_NONE,
	};
	struct client_config c = {
		.loop = m->loop,
		.host = o->host ? o->host : "localhost",
		.port = o->port,
		.dial = o->dial,
		.dial_arg = o->dial_arg,
		.tls_mode = mode[o->tls],
		.tls = m->tls,
		.authcid = o->login ? span_str(o->login) : SPAN(""),
		.password = o->password ? span_str(o->password) : SPAN(""),
		.mechanism = o->mechanism,
		.connect_ms = o->connect_ms,
		.silence_ms = o->silence_ms,
		.retry_ms = o->retry_ms,
		.compress = !o->no_compress,
		.never_switch = o->never_switch,
		.literal_max = o->literal_max,
		.unsolicited = unsolicited,
		.unsolicited_arg = m,
	};

	return client_new(&c);
}

struct mailstile *lib_new(const struct mailstile_options *o, struct net_tls *tls,
			  char *ret_why, size_t size)
{
	struct mailstile *m = xcalloc(1, sizeof *m);
	struct mailstile_options full;
	struct net_error e = { .text = "the options are not of this library" };
	const char *why = lib_options(o, &full) ? complaint(&full) : e.text;

	if (!why && tls)
		m->tls = net_tls_ref(tls);
	else if (!why && lib_tls_new(&full, &m->tls, &e) != ERR_OK)
		why = e.text;
	if (!why && net_loop_new(&m->loop) != ERR_OK)
		why = "no event loop could be made";
	if (why) {
		if (ret_why && size)
			snprintf(ret_why, size, "%s", why);
		net_tls_unref(m->tls);
		free(m);
		return NULL;
	}
	m->deadline_ms = full.deadline_ms;
	m->idle_ms = full.idle_ms;
	m->reply_max = full.reply_max;
	m->client = new_client(m, &full);
	return m;
}

struct mailstile *mailstile_new(const struct mailstile_options *o, char *ret_why,
				size_t size)
{
	return lib_new(o, NULL, ret_why, size);
}

/* --- the loop ----------------------------------------------------------------- */

static void end(struct mailstile *m)
{
	lib_commands_free(m);
	net_timer_stop(&m->wake);
	/* A LOGOUT goes out with the first write; who does not read it is not waited for.
	 */
	net_loop_turn(m->loop, false);
	net_loop_free(m->loop);
	net_tls_unref(m->tls);
	buf_done(&m->user);
	buf_done(&m->error);
	free(m);
}

void mailstile_free(struct mailstile *m)
{
	if (!m || m->is_dead)
		return;
	m->is_dead = true;
	lib_commands_drop(m);
	client_free(m->client); /* no callback comes any more */
	if (!m->depth)
		end(m);
}

bool lib_turn(struct mailstile *m, bool wait)
{
	m->depth++;
	if (m->is_unsent) {
		m->is_unsent = false;
		client_flush(m->client);
	}
	if (!m->is_dead)
		net_loop_turn(m->loop, wait);
	if (--m->depth || !m->is_dead)
		return true;
	end(m);
	return false;
}

int mailstile_fd(const struct mailstile *m)
{
	return net_loop_fd(m->loop);
}

short mailstile_events(const struct mailstile *m)
{
	(void)m;
	return POLLIN; /* of an epoll: it knows itself what each socket waits for */
}

int mailstile_timeout_ms(const struct mailstile *m)
{
	return m->is_unsent ? 0 : net_loop_timeout_ms(m->loop);
}

void mailstile_step(struct mailstile *m)
{
	if (!m->depth)
		lib_turn(m, false);
}

static void on_wake(void *arg)
{
	struct mailstile *m = arg;

	m->is_awake = true;
}

void mailstile_wait(struct mailstile *m, int ms)
{
	if (m->depth)
		return;
	if (ms > 0)
		net_timer_start(m->loop, &m->wake, (uint64_t)ms, on_wake, m);
	if (lib_turn(m, ms != 0))
		net_timer_stop(&m->wake);
}

/* --- facts -------------------------------------------------------------------- */

bool mailstile_is_ready(const struct mailstile *m)
{
	return !m->is_dead && client_is_ready(m->client);
}

bool mailstile_has(const struct mailstile *m, const char *capability)
{
	return client_has(m->client, capability);
}

const char *mailstile_user(const struct mailstile *m)
{
	return client_is_ready(m->client) && m->user.n ? buf_span(&m->user).p : NULL;
}

const char *mailstile_why_no_switch(const struct mailstile *m)
{
	return client_why_no_switch(m->client);
}

size_t mailstile_pending(const struct mailstile *m)
{
	return client_pending(m->client);
}

void mailstile_stats(const struct mailstile *m, struct mailstile_stats *ret_stats,
		     size_t size)
{
	struct client_stats c = client_stats(m->client);
	struct mailstile_stats s = { .bytes_in = c.bytes_in,
				     .bytes_out = c.bytes_out,
				     .connections = c.connections,
				     .logins = c.logins,
				     .refused = c.login_failures,
				     .switches = c.switches,
				     .reconnects = c.reconnects,
				     .lost = c.lost,
				     .resumed = c.tls_resumed };

	if (size > sizeof s) {
		memset((char *)ret_stats + sizeof s, 0, size - sizeof s);
		size = sizeof s;
	}
	memcpy(ret_stats, &s, size);
}

/* --- users -------------------------------------------------------------------- */

static enum mailstile_how how(struct mailstile *m)
{
	struct client_stats now = client_stats(m->client), *was = &m->become.before;

	if (now.connections > was->connections)
		return was->connections ? MAILSTILE_RECONNECTED : MAILSTILE_CONNECTED;
	if (now.switches > was->switches)
		return MAILSTILE_SWITCHED;
	return now.logins > was->logins ? MAILSTILE_LOGGED_IN : MAILSTILE_SAME;
}

static void became(void *arg, const struct client_result *r)
{
	struct mailstile *m = arg;
	struct arena *a = arena_new(NULL);
	struct mailstile_result result = lib_result(a, r, true);

	m->become.is_active = false;
	if (r->rc == ERR_OK)
		result.how = how(m);
	else
		buf_clear(&m->user);
	m->become.done(m->become.arg, &result);
	arena_free(a);
}

enum mailstile_rc
mailstile_become(struct mailstile *m, const char *user,
		 void (*done)(void *arg, const struct mailstile_result *r), void *arg)
{
	if (m->is_dead || m->become.is_active || !user || !done)
		return MAILSTILE_INVALID;
	m->become.is_active = true;
	m->become.done = done;
	m->become.arg = arg;
	m->become.before = client_stats(m->client);
	buf_clear(&m->user);
	buf_put(&m->user, span_of(user, strlen(user) + 1));
	client_become(m->client, span_str(user), became, m);
	m->is_unsent = true;
	return MAILSTILE_OK;
}

void mailstile_forget(struct mailstile *m)
{
	client_forget(m->client);
}

void mailstile_cut(struct mailstile *m)
{
	client_drop(m->client);
}

void mailstile_on_event(struct mailstile *m,
			void (*event)(void *arg, const struct mailstile_data *d),
			void *arg)
{
	m->event = event;
	m->event_arg = arg;
}
