/*
 * Connections: greeting, deadlines, one command at a time, and the switch at
 * its end (STARTTLS, UNAUTHENTICATE), which happens here and nowhere else.
 */
#include <stdlib.h>

#include "server/language.h"
#include "server/conn.h"

#include "base/clock.h"
#include "net/deflate.h"
#include "server/capability.h"
#include "server/conn_run.h"
#include "server/dispatch.h"
#include "server/overload.h"
#include "server/reply.h"
#include "server/progress.h"
#include "server/report.h"
#include "server/selected.h"

enum { HANDSHAKE_MS = 30000, LINGER_MS = 5000, BUSY_MS = 1000, INPUTS_A_TURN = 64 };

static void conn_pump(struct conn *c);

/* The certificate in force now (SIGHUP may have brought another). */
static void push_tls(struct conn *c)
{
	struct net_tls *tls = server_tls(c->server);

	if (c->listener->asks_certificate)
		net_ask_certificate(c->net);
	net_push_tls(c->net, tls, NULL, HANDSHAKE_MS);
	net_tls_unref(tls);
}

/* ---- the end ---- */

static void log_connection(const struct conn *c)
{
	struct log_line l;

	log_begin(&l, c->server->config.log, LOG_INFO, "connection");
	log_num(&l, "connection", (int64_t)c->number);
	log_str(&l, "listener", span_str(c->listener->name));
	log_str(&l, "peer", span_str(c->peer.text));
	log_bool(&l, "tls", c->has_tls);
	log_num(&l, "epochs", c->epoch);
	log_num(&l, "commands", (int64_t)c->ended_commands);
	log_num(&l, "bytes_in", (int64_t)c->last_counters.raw_in);
	log_num(&l, "bytes_out", (int64_t)c->last_counters.raw_out);
	log_num(&l, "ms", (int64_t)(clock_mono_ms() - c->started_ms));
	log_end(&l);
}

static void conn_free_if_idle(struct conn *c)
{
	if (!c->is_closing || c->is_pumping || c->is_posted)
		return;
	free(c->id.text);
	buf_done(&c->in);
	arena_free(c->arena);
}

void conn_end(struct conn *c)
{
	struct server_loop *home = c->home;

	if (c->is_closing)
		return;
	c->is_closing = true;
	net_timer_stop(&c->deadline);
	net_timer_stop(&c->sleep);
	progress_stop(c);
	if (c->net)
		c->last_counters = net_counters(c->net);
	if (c->cmd && c->cmd->wait == WAIT_OP && c->cmd->op)
		server_orphan(home, c->cmd->op);
	cmd_free(c->cmd);
	c->cmd = NULL;
	session_end(c->session);
	c->session = NULL;
	if (c->net)
		net_close_after_flush(c->net, LINGER_MS);
	c->net = NULL;
	conn_charge(c);
	log_connection(c);
	if (c->prev)
		c->prev->next = c->next;
	else
		home->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	home->n_conns--;
	server_conn_gone(c);
	conn_free_if_idle(c);
}

void conn_abort(struct conn *c)
{
	if (c->is_closing)
		return;
	c->last_counters = net_counters(c->net);
	net_abort(c->net);
	c->net = NULL;
	conn_end(c);
}

void conn_fail(struct conn *c, const char *bye)
{
	if (c->is_closing)
		return;
	if (c->is_greeted || !net_is_tls(c->net)) {
		net_write(c->net, SPAN("* BYE "));
		net_write(c->net, span_str(language_text(c->session, bye)));
		net_write(c->net, SPAN("\r\n"));
	}
	conn_end(c);
}

/* Whether the command in hand goes on without anything from the peer. */
static bool is_in_flight(const struct conn *c)
{
	if (!c->cmd)
		return false;
	switch (c->cmd->wait) {
	case WAIT_LINE:
	case WAIT_LITERAL:
	case WAIT_CHANGE: return false;
	default: return true;
	}
}

void conn_bye(struct conn *c, const char *text)
{
	bool only_waits = c->cmd && c->cmd->wait == WAIT_TIMER;

	if ((is_in_flight(c) && !only_waits) || c->is_pumping)
		c->bye_text = text;
	else
		conn_fail(c, text);
}

/* ---- deadlines ---- */

static void on_deadline(void *arg);

/* What is left of the time to log in, which runs from the greeting or from
 * UNAUTHENTICATE, whatever is sent meanwhile. */
static uint64_t login_left_ms(const struct conn *c)
{
	const struct server_limits *l = &c->server->config.limits;
	uint64_t end = c->epoch ? c->session->started_ms + l->switch_ms
				: c->started_ms + l->prelogin_ms;
	uint64_t now = clock_mono_ms();

	return end > now ? end - now : 0;
}

/* Output waits: a peer that sends but does not read must not put the end off. */
static void set_stuck_deadline(struct conn *c)
{
	uint64_t raw_out = net_counters(c->net).raw_out;

	if (c->is_stuck && raw_out == c->stuck_raw_out)
		return;
	c->is_stuck = true;
	c->stuck_raw_out = raw_out;
	net_timer_start(c->home->loop, &c->deadline,
			c->server->config.limits.slow_peer_ms, on_deadline, c);
}

static void set_deadline(struct conn *c)
{
	uint64_t ms = c->server->config.limits.idle_ms;

	if (net_queued(c->net)) {
		set_stuck_deadline(c);
		return;
	}
	c->is_stuck = false;
	if (c->session->state == IN_NOT_AUTH)
		ms = login_left_ms(c);
	net_timer_start(c->home->loop, &c->deadline, ms, on_deadline, c);
}

static void on_deadline(void *arg)
{
	struct conn *c = arg;
	if (net_queued(c->net)) {
		if (c->is_stuck && net_counters(c->net).raw_out == c->stuck_raw_out)
			conn_abort(c);
		else
			set_deadline(c);
	} else if (is_in_flight(c)) {
		net_timer_start(c->home->loop, &c->deadline, BUSY_MS, on_deadline, c);
	} else if (c->is_stuck) {
		set_deadline(c); /* what waited has been read since, behind our back */
	} else {
		conn_fail(c, "You were silent for too long; connect again.");
	}
}

static void on_slept(void *arg)
{
	conn_resume(arg);
}

void conn_sleep(struct conn *c, uint64_t ms)
{
	net_timer_start(c->home->loop, &c->sleep, ms, on_slept, c);
}

/* ---- a command ---- */

static bool has_layers_above_tls(const struct conn *c)
{
	const char *top = net_layer_top(c->net);

	return strcmp(top, "tcp") != 0 && strcmp(top, "tls") != 0;
}

/* Bytes that came where none may be: nobody can tell which layer they are for. */
static const char *obstacle(const struct conn *c, const struct switch_plan *plan)
{
	bool has_more = c->in.n || net_raw_pending(c->net);

	/* RFC 9051 section 11.1: what came behind it in plain text was injected. */
	if (plan->push_tls && has_more)
		return "Nothing may follow STARTTLS before TLS.";
	/* RFC 4978 section 3: the client waits for the result. */
	if (plan->push_deflate && has_more)
		return "Nothing may follow COMPRESS before its result.";
	/* RFC 8437 sections 3 and 4.1: the client's layers end with the command. */
	if (plan->keep == KEEP_TLS && has_layers_above_tls(c) && c->in.n)
		return "UNAUTHENTICATE ends the layer; nothing more may be in it.";
	return NULL;
}

/*
 * The one place where a connection changes what lies under a user (RFC 8437). The tagged
 * OK was written: it is the last that goes out through what is taken off, and in front of
 * what is put on.
 */
static void carry_out(struct conn *c, struct switch_plan plan)
{
	if (plan.new_session) {
		session_end(c->session);
		c->session = session_new(c);
	}
	while (plan.keep == KEEP_TLS && has_layers_above_tls(c))
		if (net_layer_pop(c->net) != ERR_OK) {
			conn_fail(c, "A layer could not be taken off.");
			return;
		}
	if (plan.push_deflate)
		net_layer_push(c->net, net_deflate_new(NET_DEFLATE_LEVEL));
	if (plan.push_tls) {
		free(c->id.text);
		c->id = (struct peer_id){ 0 };
		net_flush(c->net);
		push_tls(c);
	}
}

/* A literal was announced and the command has ended without taking it. */
static void refuse_literal(struct conn *c, const struct frame_literal *literal)
{
	frame_skip_begin(&c->frame, literal);
}

static void count_bad(struct conn *c)
{
	unsigned limit = c->server->config.limits.bad_commands;

	if (++c->bad_commands >= limit && limit)
		c->bye_text = "Too many bad commands.";
}

static void finish(struct conn *c, enum verdict verdict)
{
	struct cmd *cmd = c->cmd;
	struct switch_plan plan = cmd->plan;
	const char *why = verdict == CMD_SWITCH ? obstacle(c, &plan) : NULL;

	progress_stop(c);
	if (!cmd->no_report)
		report(cmd);
	if (why)
		c->bye_text = why;
	else if (!cmd->is_own)
		net_write(c->net, buf_span(&cmd->tagged));
	c->session->commands += !cmd->is_own;
	if (cmd->tagged_kind == TAGGED_BAD && !cmd->is_own)
		count_bad(c);
	if (cmd->has_literal)
		refuse_literal(c, &cmd->literal);
	c->cmd = cmd->under;
	cmd_free(cmd);
	if (verdict == CMD_CLOSE)
		conn_end(c);
	else if (c->bye_text)
		conn_fail(c, c->bye_text);
	else if (verdict == CMD_SWITCH)
		carry_out(c, plan);
}

static void post_again(struct conn *c)
{
	if (c->is_posted)
		return;
	c->is_posted = true;
	executor_post(c->home->home, &c->again);
}

static void start_wait(struct conn *c)
{
	struct cmd *cmd = c->cmd;

	/* What was in flight when BYE was asked for is over. */
	if (c->bye_text && !is_in_flight(c)) {
		conn_fail(c, c->bye_text);
		return;
	}
	switch (cmd->wait) {
	case WAIT_LITERAL:
		c->literal_left = cmd->literal.bytes;
		if (cmd->literal.sync)
			continuation(cmd, span_str(language_text(
					  cmd->session, "Ready for the literal.")));
		break;
	case WAIT_DRAIN:
		/* Sent meanwhile: on_drained will not come. */
		if (!cmd_must_drain(cmd))
			post_again(c);
		break;
	default: break;
	}
}

/* SELECT leaves unread what flags do not need (store.h, mailbox_whole). */
static enum verdict run(struct cmd *cmd)
{
	const struct selected *sel = cmd->session->selected;

	if (!(cmd->def->flags & CMD_MESSAGES) || cmd->step != 0 || !sel ||
	    mailbox_is_whole_now(sel->mailbox))
		return cmd->def->run(cmd);
	if (cmd->has_asked)
		return reply_err(cmd, cmd->op->rc == ERR_OK ? ERR_CORRUPT : cmd->op->rc);
	cmd->has_asked = true;
	return cmd_wait(cmd, 0, mailbox_whole(sel->mailbox, cmd_to(cmd)));
}

void conn_step(struct conn *c)
{
	enum verdict verdict = run(c->cmd);

	switch (verdict) {
	case CMD_WAIT:
		progress_start(c);
		start_wait(c);
		break;
	case CMD_YIELD:
		progress_start(c);
		c->cmd->wait = WAIT_TURN;
		post_again(c);
		break;
	default: finish(c, verdict);
	}
}

/* ---- what happens ---- */

/* What an extension has to say that nobody asked for (RFC 5465). False: nothing. */
static bool background(struct conn *c)
{
	struct session *s = c->session;
	struct cmd *idle = c->cmd, *own = NULL;

	if (!s->is_notified || (idle && idle->wait != WAIT_CHANGE))
		return false;
	for (size_t i = 0; server_extensions[i] && !own; i++)
		if (server_extensions[i]->background)
			own = server_extensions[i]->background(s, idle);
	if (!own)
		return false;
	own->is_own = true;
	own->under = idle;
	c->cmd = own;
	conn_step(c);
	return true;
}

/*
 * Runs what there is to run. Reading stops while a command runs or the peer does
 * not read; all replies of a turn leave in one write.
 */
static void conn_pump(struct conn *c)
{
	int turns = 0;

	if (c->is_pumping || c->is_closing)
		return;
	c->is_pumping = true;
	while (!c->is_closing) {
		if (turns++ == INPUTS_A_TURN) {
			post_again(c);
			break;
		}
		if (net_is_full(c->net)) {
			net_flush(c->net);
			if (net_is_full(c->net))
				break;
		}
		if (!background(c) && (c->is_closing || !conn_input(c)))
			break;
	}
	if (!c->is_closing) {
		net_flush(c->net);
		if (!c->cmd)
			net_keep(c->net, 0);
		conn_charge(c);
		set_deadline(c);
	}
	c->is_pumping = false;
	conn_free_if_idle(c);
}

void conn_resume(struct conn *c)
{
	c->is_pumping = true;
	conn_step(c);
	c->is_pumping = false;
	if (c->is_closing)
		conn_free_if_idle(c);
	else
		conn_pump(c);
}

static void run_again(struct task *t)
{
	struct conn *c = TASK_OWNER(t, struct conn, again);

	c->is_posted = false;
	if (c->is_closing)
		conn_free_if_idle(c);
	else if (c->cmd && (c->cmd->wait == WAIT_TURN || c->cmd->wait == WAIT_DRAIN))
		conn_resume(c);
	else
		conn_pump(c);
}

void conn_changed(struct conn *c)
{
	if (c->is_pumping)
		return;
	if (c->cmd && c->cmd->wait == WAIT_CHANGE) {
		c->cmd->line = SPAN_NONE;
		conn_resume(c);
	} else if (!c->cmd && c->session->is_notified) {
		conn_pump(c);
	}
}

void conn_go_on(struct conn *c)
{
	conn_pump(c);
}

void conn_literal_go(struct conn *c)
{
	c->is_literal_held = false;
	conn_pump(c);
}

static void on_readable(struct net_stack *net, void *arg)
{
	conn_pump(arg);
}

static void on_drained(struct net_stack *net, void *arg)
{
	struct conn *c = arg;

	if (c->cmd && c->cmd->wait == WAIT_DRAIN)
		conn_resume(c);
	else
		conn_pump(c);
}

static void on_closed(struct net_stack *net, void *arg, const struct net_error *why)
{
	struct conn *c = arg;

	c->last_counters = net_counters(net);
	c->net = NULL;
	conn_end(c);
}

static void greet(struct conn *c)
{
	c->is_greeted = true;
	if (c->bye_text) {
		conn_fail(c, c->bye_text);
		return;
	}
	if (c->listener->preauth) {
		c->cmd = dispatch_own(c, &command_preauth);
		conn_resume(c);
		return;
	}
	net_write(c->net, SPAN("* OK ["));
	capability_put(c, IN_NOT_AUTH, net_out(c->net));
	net_write(c->net, SPAN("] Mailstile is ready.\r\n"));
	conn_pump(c);
}

static void on_handshake_done(struct net_stack *net, void *arg)
{
	struct conn *c = arg;

	c->has_tls = true;
	if (c->is_greeted) /* STARTTLS: no second greeting (RFC 9051 section 6.2.1) */
		conn_pump(c);
	else
		greet(c);
}

static const struct net_events events = {
	.on_readable = on_readable,
	.on_drained = on_drained,
	.on_closed = on_closed,
	.on_handshake_done = on_handshake_done,
};

void conn_accept(struct server_loop *home, const struct server_listener *l, int fd,
		 const struct net_addr *peer)
{
	const struct server_limits *limits = &home->server->config.limits;
	struct arena *a = arena_new(NULL);
	struct conn *c = ARENA_NEW(a, struct conn);

	*c = (struct conn){ .home = home,
			    .server = home->server,
			    .listener = l,
			    .arena = a,
			    .peer = *peer,
			    .started_ms = clock_mono_ms(),
			    .again = { .run = run_again } };
	frame_init(&c->frame, FRAME_COMMANDS);
	if (net_open_fd(home->loop, fd, peer, &events, c, &c->net) != ERR_OK) {
		arena_free(a);
		return;
	}
	net_set_marks(c->net, limits->output_high_bytes / 4, limits->output_high_bytes);
	c->next = home->conns;
	if (c->next)
		c->next->prev = c;
	home->conns = c;
	home->n_conns++;
	c->session = session_new(c);
	set_deadline(c);
	c->bye_text = server_conn_came(c);
	if (l->tls == SERVER_TLS_IMPLICIT)
		push_tls(c);
	else
		greet(c);
}

bool conn_may_login(const struct conn *c)
{
	return c->has_tls || (c->listener->plaintext_loopback && c->peer.is_loopback);
}

bool conn_may_starttls(const struct conn *c)
{
	return !c->has_tls && c->listener->tls == SERVER_TLS_STARTTLS &&
	       c->server->config.tls;
}
