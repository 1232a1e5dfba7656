/*
 * Who the connection acts for: greeting, CAPABILITY, STARTTLS, AUTHENTICATE with an
 * authorization identity (RFC 4422), UNAUTHENTICATE (RFC 8437). The rules C1 to C8 of
 * doc/client.md stand beside the lines that keep them.
 */
#include <assert.h>
#include <string.h>
#include "base/arena.h"
#include "base/base64.h"
#include "base/clock.h"
#include "client/impl.h"
#include "net/deflate.h"

#define PAUSE_FIRST_MS 250
#define PAUSE_MAX_MS   4000

static void become_step(struct client *c);

void login_caps_set(struct client *c, struct span words)
{
	buf_clear(&c->caps);
	buf_put(&c->caps, words);
	c->has_caps = true;
	if (c->phase != PHASE_IN)
		c->has_initial_response = client_has(c, "SASL-IR");
}

void login_caps_forget(struct client *c)
{
	buf_clear(&c->caps);
	c->has_caps = false;
	c->was_told = false;
	c->is_asked = c->is_asking = false;
}

void become_end(struct client *c, const struct client_result *result)
{
	assert(c->become.is_active);
	c->become.is_active = false;
	c->become.is_close_due = false;
	if (!c->is_dead)
		c->become.done(c->become.arg, result);
}

void become_fail(struct client *c, enum err rc, const char *text)
{
	struct client_result r = { .rc = rc, .text = span_str(text) };

	become_end(c, &r);
}

static void on_retry(void *arg)
{
	struct client *c = arg;

	client_enter(c);
	if (c->become.is_active)
		become_step(c);
	client_leave(c);
}

void login_lost(struct client *c, enum err rc, struct span why)
{
	struct become *b = &c->become;
	uint64_t now = clock_mono_ms();
	/* Bytes that make no sense, or a refusal, will not become better. */
	bool is_final = b->is_final || rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED ||
			rc == ERR_DENIED;

	if (b->give_up_ms == 0)
		b->give_up_ms = now + c->cfg.retry_ms;
	if (is_final || !c->was_connected || c->cfg.retry_ms == 0 ||
	    now >= b->give_up_ms) {
		struct client_result r = { .rc = is_final ? rc : ERR_IO, .text = why };
		become_end(c, &r);
		return;
	}
	/* The first time at once: most likely an idle connection was ended. */
	net_timer_start(c->cfg.loop, &c->retry, b->pause_ms, on_retry, c);
	b->pause_ms = b->pause_ms ? b->pause_ms * 2 : PAUSE_FIRST_MS;
	if (b->pause_ms > PAUSE_MAX_MS)
		b->pause_ms = PAUSE_MAX_MS;
}

static bool is_lost(const struct client_result *r)
{
	return r->rc == ERR_UNKNOWN || r->rc == ERR_CLOSED;
}

static void capability_done(void *arg, const struct client_result *r)
{
	struct client *c = arg;

	if (is_lost(r))
		return; /* login_lost() has it */
	if (r->rc == ERR_OK && r->code == CODE_CAPABILITY)
		login_caps_set(c, r->code_args);
	c->is_asking = false;
	c->is_asked = true;
	if (c->phase == PHASE_IN && !client_has(c, "UNAUTHENTICATE"))
		c->is_code_enough = true;
	if (r->rc != ERR_OK || !c->has_caps)
		connect_drop(c, ERR_CORRUPT, "the server does not tell its capabilities");
	else if (c->become.is_active)
		become_step(c);
}

static const struct client_calls capability_calls = { .done = capability_done };

static void ask_caps(struct client *c)
{
	struct client_cmd *cmd = cmd_new(c, ROLE_CAPABILITY, &capability_calls, c);

	c->is_asking = true;
	buf_puts(&cmd->text, "CAPABILITY");
	cmd_send(cmd);
}

static void starttls_done(void *arg, const struct client_result *r)
{
	struct client *c = arg;

	if (is_lost(r))
		return;
	if (r->rc != ERR_OK) {
		connect_drop(c, ERR_UNSUPPORTED, "the server refused STARTTLS");
		return;
	}
	/* Bytes behind the OK were injected in plain text (RFC 9051 section 6.2.1). */
	if (c->in.n || net_raw_pending(c->net)) {
		connect_drop(c, ERR_CORRUPT, "plain text follows STARTTLS");
		return;
	}
	c->phase = PHASE_UPGRADE;
	login_caps_forget(c);
	c->has_initial_response = false;
	net_push_tls(c->net, c->cfg.tls, c->cfg.host, c->cfg.connect_ms);
}

static const struct client_calls starttls_calls = { .done = starttls_done };

void login_starttls(struct client *c)
{
	struct client_cmd *cmd = cmd_new(c, ROLE_STARTTLS, &starttls_calls, c);

	buf_puts(&cmd->text, "STARTTLS");
	cmd_send(cmd);
}

void login_greeting(struct client *c, const struct response *r)
{
	bool is_plain = c->cfg.tls_mode == CLIENT_TLS_START;

	if (r->cond == COND_PREAUTH && is_plain) {
		/* Nobody can say STARTTLS any more (RFC 9051 section 7.1.4). */
		connect_drop(c, ERR_CORRUPT, "the server greets with PREAUTH before TLS");
	} else if (r->cond == COND_PREAUTH) {
		c->phase = PHASE_IN;
		c->is_preset = true; /* C7: not whom we want to be */
		if (c->become.is_active)
			become_step(c);
	} else if (r->cond == COND_OK && is_plain) {
		c->phase = PHASE_OPEN;
		login_starttls(c);
	} else if (r->cond == COND_OK) {
		login_opened(c);
	} else {
		connect_drop(c, ERR_CORRUPT, "the server's greeting is none");
	}
}

void login_opened(struct client *c)
{
	c->phase = PHASE_OPEN;
	c->was_connected = true; /* there is a server: worth waiting for, if it goes */
	if (c->become.is_active)
		become_step(c);
}

static void auth_done(void *arg, const struct client_result *r)
{
	struct client *c = arg;

	if (is_lost(r))
		return;
	if (c->phase != PHASE_OPEN) {
		connect_drop(c, ERR_CORRUPT,
			     "the server answered AUTHENTICATE too early");
		return;
	}
	if (r->rc != ERR_OK) {
		/* C6: nothing of the new user has been sent. After a BAD it is not known
		 * what the server makes of the connection (C5). */
		struct client_result refused = *r;
		c->stats.login_failures++;
		refused.rc = ERR_AUTH;
		if (r->rc == ERR_INVAL)
			connect_logout(c);
		become_end(c, &refused);
		return;
	}
	if (!c->sasl.is_complete) {
		/* Who has not proved that he knows SCRAM's keys is not our server. */
		connect_drop(c, ERR_CORRUPT,
			     "the server ended the login before its own proof");
		return;
	}
	sasl_end(&c->sasl);
	c->phase = PHASE_IN;
	c->is_preset = c->is_stale = false;
	c->stats.logins++;
	buf_clear(&c->user);
	buf_put(&c->user, buf_span(&c->become.user));
	/* C1: what holds for this login, from its code, or told on the way, or asked. */
	if (r->code == CODE_CAPABILITY)
		login_caps_set(c, r->code_args);
	else if (!c->was_told)
		login_caps_forget(c);
	c->is_asked = c->is_asking = false;
	become_step(c);
}

static const struct client_calls auth_calls = { .done = auth_done };

/* The mechanism's first message; false: it has none, and become has ended. */
static bool first_message(struct client *c, struct span *ret_message)
{
	/* After PREAUTH nobody has said what is offered. */
	if (!sasl_choose(c))
		c->sasl.mech = c->cfg.mechanism ? mech_find(span_str(c->cfg.mechanism))
						: &mech_plain;
	if (c->sasl.mech &&
	    sasl_first(c, buf_span(&c->become.user), ret_message) == ERR_OK)
		return true;
	become_fail(c, ERR_INVAL, "that name or password is not one for this mechanism");
	return false;
}

static void put_auth(struct client *c, struct span message)
{
	struct client_cmd *cmd = cmd_new(c, ROLE_AUTHENTICATE, &auth_calls, c);

	c->was_told = false;
	buf_puts(&cmd->text, "AUTHENTICATE ");
	buf_put(&cmd->text, c->sasl.mech->name);
	if (c->has_initial_response) { /* RFC 4959: "=" is an empty one */
		buf_puts(&cmd->text, message.n ? " " : " =");
	} else {
		buf_puts(&cmd->text, "\r\n");
		client_cmd_wait(cmd);
	}
	base64_encode(message, &cmd->text);
	cmd_send(cmd);
}

static void send_auth(struct client *c)
{
	struct span message;

	if (first_message(c, &message))
		put_auth(c, message);
}

void login_challenge(struct client *c, struct span text)
{
	struct buf line = { 0 };

	/* Else it asks for more than there is: cancel (RFC 9051 section 6.2.2). */
	if (!sasl_answer(c, buf_span(&c->become.user), text, &line)) {
		buf_clear(&line);
		buf_putc(&line, '*');
	}
	buf_puts(&line, "\r\n");
	net_write(c->net, buf_span(&line));
	buf_done(&line);
}

/* --- compression (RFC 4978) ------------------------------------------------ */

static bool is_compressed(const struct client *c)
{
	return strcmp(net_layer_top(c->net), "deflate") == 0;
}

static void compress_done(void *arg, const struct client_result *r)
{
	struct client *c = arg;

	if (is_lost(r))
		return;
	if (r->rc == ERR_OK) {
		/* What has come behind the OK is compressed already. */
		net_unread(c->net, buf_span(&c->in));
		buf_clear(&c->in);
		net_layer_push(c->net, net_deflate_new(NET_DEFLATE_LEVEL));
		c->stats.compressed++;
	} else {
		c->is_compress_refused = true;
	}
	if (c->become.is_active)
		become_step(c);
}

static const struct client_calls compress_calls = { .done = compress_done };

static bool wants_compress(const struct client *c)
{
	return c->cfg.compress && !c->is_compress_refused && !is_compressed(c) &&
	       client_has(c, "COMPRESS=DEFLATE");
}

/* Nothing may follow it before its result (section 3): ready comes behind it. */
static void send_compress(struct client *c)
{
	struct client_cmd *cmd = cmd_new(c, ROLE_COMPRESS, &compress_calls, c);

	buf_puts(&cmd->text, "COMPRESS DEFLATE");
	cmd_send(cmd);
}

/* C3: our side ends with the command; what follows is plain. */
void login_left(struct client *c)
{
	/* It fails when the connection has: on_closed tells. */
	if (is_compressed(c))
		(void)net_layer_end_out(c->net);
}

/* C3: the server's side ends with its OK. False: it did not, and the connection is gone.
 */
static bool end_compression(struct client *c)
{
	if (!is_compressed(c))
		return true;
	if (c->in.n == 0 && net_layer_pop(c->net) == ERR_OK)
		return true;
	connect_drop(c, ERR_CORRUPT, "the server compresses behind its last answer");
	return false;
}

/* --- another user ---------------------------------------------------------- */

static void unauth_done(void *arg, const struct client_result *r)
{
	struct client *c = arg;

	if (is_lost(r))
		return;
	if (r->rc == ERR_DENIED) {
		/* C5: no server may say so (RFC 8437 section 3). Who it thinks we are
		 * now, nobody knows. */
		c->why_no_switch = "it was answered with NO, against RFC 8437";
		connect_drop(c, ERR_CORRUPT,
			     "the server answered UNAUTHENTICATE with NO");
		return;
	}
	if (r->rc != ERR_OK) {
		c->why_no_switch = "it was answered with BAD";
		c->stats.reconnects++;
		connect_logout(c);
		connect_start(c);
		return;
	}
	if (!end_compression(c))
		return;
	/* C2: all of the old login is forgotten; TLS stays. */
	c->stats.switches++;
	c->phase = PHASE_OPEN;
	c->is_preset = false;
	buf_clear(&c->user);
	login_caps_forget(c);
	if (r->code == CODE_CAPABILITY)
		login_caps_set(c, r->code_args);
}

static const struct client_calls unauth_calls = { .done = unauth_done };

/* C4: both in one write; none of our mechanisms has a SASL layer. */
static void send_switch(struct client *c)
{
	struct client_cmd *cmd;
	struct span message;

	if (!first_message(c, &message))
		return;
	cmd = cmd_new(c, ROLE_UNAUTHENTICATE, &unauth_calls, c);
	buf_puts(&cmd->text, "UNAUTHENTICATE");
	cmd_send(cmd);
	put_auth(c, message);
}

static bool can_switch(const struct client *c)
{
	return !c->why_no_switch && client_has(c, "UNAUTHENTICATE") &&
	       (!c->cfg.never_switch || c->is_preset);
}

void login_command_ended(struct client *c)
{
	if (!c->become.is_active || !c->become.is_close_due || c->first)
		return;
	c->become.is_close_due = false;
	c->stats.reconnects++;
	connect_logout(c);
	connect_start(c);
}

/* Whether the login's code may have left something out. */
static bool must_ask(const struct client *c)
{
	return !c->is_asked && !c->is_code_enough && !c->why_no_switch &&
	       !c->cfg.never_switch && !client_has(c, "UNAUTHENTICATE");
}

static bool is_acting_for(const struct client *c, struct span user)
{
	return c->phase == PHASE_IN && !c->is_preset && !c->is_stale &&
	       span_eq(buf_span(&c->user), user);
}

static void step_in(struct client *c)
{
	if (c->is_asking)
		return; /* capability_done() goes on */
	if (!c->has_caps) {
		ask_caps(c);
	} else if (is_acting_for(c, buf_span(&c->become.user)) && wants_compress(c)) {
		send_compress(c);
	} else if (is_acting_for(c, buf_span(&c->become.user))) {
		struct client_result ok = { .rc = ERR_OK };
		become_end(c, &ok);
	} else if (can_switch(c)) {
		send_switch(c);
	} else if (must_ask(c)) {
		ask_caps(c);
	} else if (c->is_preset) {
		connect_drop(c, ERR_UNSUPPORTED,
			     "the server greets with PREAUTH and has no UNAUTHENTICATE");
	} else {
		c->become.is_close_due = true;
		login_command_ended(c);
	}
}

static void become_step(struct client *c)
{
	if (c->phase == PHASE_OFF)
		connect_start(c);
	else if (c->phase == PHASE_IN)
		step_in(c);
	else if (c->phase == PHASE_OPEN && !c->has_caps)
		ask_caps(c);
	else if (c->phase == PHASE_OPEN && !sasl_choose(c))
		connect_drop(c, ERR_UNSUPPORTED, "the server does not offer AUTH=%s",
			     c->cfg.mechanism ? c->cfg.mechanism : "PLAIN or SCRAM");
	else if (c->phase == PHASE_OPEN)
		send_auth(c);
	/* Else the connection is being made, and login_opened() goes on. */
}

void client_become(struct client *c, struct span user,
		   void (*done)(void *arg, const struct client_result *result), void *arg)
{
	struct become *b = &c->become;
	bool is_same = is_acting_for(c, user);
	bool is_sayable = !user.n || !memchr(user.p, 0, user.n);

	assert(!b->is_active);
	buf_clear(&b->user);
	buf_put(&b->user, user);
	b->done = done;
	b->arg = arg;
	b->is_active = true;
	b->is_close_due = b->is_final = false;
	b->give_up_ms = b->pause_ms = 0;
	client_enter(c);
	cmd_end_idle(c);
	/* The first two cannot end at once; the rest is left to the loop. */
	if (c->phase == PHASE_OFF && !c->cfg.dial)
		connect_start(c);
	else if (c->phase == PHASE_IN && !is_same && c->has_caps && c->net && is_sayable)
		step_in(c);
	else
		net_timer_start(c->cfg.loop, &c->retry, 0, on_retry, c);
	/* What was put in the queue leaves with the caller's return to the loop, or with
	 * its client_flush(). */
	c->depth--;
}
