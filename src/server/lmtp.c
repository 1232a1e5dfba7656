/* LMTP connections: greeting, lines, deadlines, the end. */
#include "server/lmtp_conn.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/conn_run.h"

enum { LINGER_MS = 5000, BUSY_MS = 1000, INPUTS_A_TURN = 64 };

void lmtp_say(struct lmtp *c, const char *fmt, ...)
{
	struct buf *out = net_out(c->net);
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(out, fmt, ap);
	va_end(ap);
	buf_puts(out, "\r\n");
}

void lmtp_bad(struct lmtp *c, const char *text)
{
	unsigned limit = c->server->config.limits.bad_commands;

	lmtp_say(c, "%s", text);
	if (++c->bad_commands >= limit && limit)
		c->bye = "4.7.0 Too many bad commands.";
}

/* ---- the end ---- */

static void log_connection(const struct lmtp *c, const struct net_counters *n)
{
	struct log_line l;

	log_begin(&l, c->server->config.log, LOG_INFO, "connection");
	log_num(&l, "connection", (int64_t)c->number);
	log_str(&l, "listener", span_str(c->listener->name));
	log_str(&l, "peer", span_str(c->peer.text));
	log_num(&l, "messages", (int64_t)c->mails);
	log_num(&l, "bytes_in", (int64_t)n->raw_in);
	log_num(&l, "bytes_out", (int64_t)n->raw_out);
	log_num(&l, "ms", (int64_t)(clock_mono_ms() - c->started_ms));
	log_end(&l);
}

static void free_if_idle(struct lmtp *c)
{
	if (!c->is_closing || c->is_pumping || c->is_posted)
		return;
	buf_done(&c->in);
	free(c);
}

/* What is committed stays committed; its result is not read any more. */
static void orphan_all(struct lmtp *c)
{
	if (c->op)
		server_orphan(c->home, c->op);
	if (c->mail && c->mail->share_op)
		server_orphan(c->home, c->mail->share_op);
	for (struct lmtp_rcpt *r = c->mail ? c->mail->first : NULL; r; r = r->next)
		if (r->op)
			server_orphan(c->home, r->op);
}

static void end_with(struct lmtp *c, struct net_counters counters)
{
	c->is_closing = true;
	net_timer_stop(&c->deadline);
	orphan_all(c);
	lmtp_mail_end(c);
	if (c->net)
		net_close_after_flush(c->net, LINGER_MS);
	c->net = NULL;
	lmtp_charge(c);
	log_connection(c, &counters);
	if (c->prev)
		c->prev->next = c->next;
	else
		c->home->lmtps = c->next;
	if (c->next)
		c->next->prev = c->prev;
	server_lmtp_gone(c);
	free_if_idle(c);
}

void lmtp_end(struct lmtp *c)
{
	if (!c->is_closing)
		end_with(c, net_counters(c->net));
}

static void abort_one(struct lmtp *c)
{
	struct net_counters counters = net_counters(c->net);

	net_abort(c->net);
	c->net = NULL;
	end_with(c, counters);
}

void lmtp_abort_all(struct server_loop *home)
{
	while (home->lmtps)
		abort_one(home->lmtps);
}

void lmtp_stop_all(struct server_loop *home)
{
	struct lmtp *next;

	for (struct lmtp *c = home->lmtps; c; c = next) {
		next = c->next;
		c->bye = "4.3.2 The server is stopping.";
		lmtp_pump(c);
	}
}

/* ---- deadlines ---- */

static bool is_busy(const struct lmtp *c)
{
	return c->op || c->is_held || c->is_short || c->state == LMTP_DELIVERS;
}

static void on_deadline(void *arg);

static void set_deadline(struct lmtp *c, uint64_t ms)
{
	net_timer_start(c->home->loop, &c->deadline, ms, on_deadline, c);
}

static void on_deadline(void *arg)
{
	struct lmtp *c = arg;

	if (net_queued(c->net)) {
		abort_one(c); /* it does not read */
	} else if (is_busy(c)) {
		set_deadline(c, BUSY_MS);
	} else {
		c->bye = "4.4.2 You were silent for too long.";
		lmtp_pump(c);
	}
}

/* ---- input ---- */

static void run_line(struct lmtp *c, struct span line)
{
	bool has_cr = line.n && line.p[line.n - 1] == '\r';

	line.n -= has_cr;
	/* A line ends with CRLF; bare CR and LF and NUL make it none (RFC 5321 2.3.8). */
	if (c->is_skipping) {
		c->is_skipping = false;
		lmtp_bad(c, "500 5.5.2 The line is too long.");
	} else if (!has_cr || (line.n && (memchr(line.p, '\r', line.n) ||
					  memchr(line.p, '\0', line.n)))) {
		lmtp_bad(c, "500 5.5.2 A command ends with CRLF and has no NUL or CR.");
	} else {
		lmtp_command(c, line);
	}
}

/* A line, or more of it. */
static bool command_step(struct lmtp *c)
{
	struct span in = span_sub(buf_span(&c->in), 0, LMTP_LINE_BYTES);
	ptrdiff_t lf = span_find(in, '\n');
	char line[LMTP_LINE_BYTES];
	ptrdiff_t n;

	if (lf >= 0) {
		if (lf)
			memcpy(line, in.p, (size_t)lf);
		buf_take(&c->in, (size_t)lf + 1);
		buf_shrink(&c->in, 0);
		run_line(c, span_of(line, (size_t)lf));
		return true;
	}
	if (in.n == LMTP_LINE_BYTES) {
		c->is_skipping = true;
		buf_take(&c->in, in.n);
		return true;
	}
	n = net_read(c->net, &c->in);
	if (n == NET_EOF)
		lmtp_end(c);
	return n > 0;
}

static bool step(struct lmtp *c)
{
	if (c->op)
		return false;
	if (c->state == LMTP_DELIVERS)
		return lmtp_deliver_step(c);
	if (c->bye) {
		lmtp_say(c, "421 %s", c->bye);
		lmtp_end(c);
		return false;
	}
	return c->state == LMTP_DATA ? lmtp_data_step(c) : command_step(c);
}

static void post_again(struct lmtp *c)
{
	if (c->is_posted)
		return;
	c->is_posted = true;
	executor_post(c->home->home, &c->again);
}

/* True: the peer does not read its replies, so nothing more is done for it. */
static bool is_clogged(struct lmtp *c)
{
	if (!net_is_full(c->net))
		return false;
	net_flush(c->net);
	return net_is_full(c->net);
}

void lmtp_pump(struct lmtp *c)
{
	int turns = 0;

	if (c->is_pumping || c->is_closing)
		return;
	c->is_pumping = true;
	while (!c->is_closing && !is_clogged(c) && step(c))
		if (++turns == INPUTS_A_TURN) {
			post_again(c);
			break;
		}
	if (!c->is_closing) {
		net_flush(c->net);
		lmtp_charge(c);
		set_deadline(c, c->server->config.limits.lmtp_idle_ms);
	}
	c->is_pumping = false;
	free_if_idle(c);
}

static void run_again(struct task *t)
{
	struct lmtp *c = TASK_OWNER(t, struct lmtp, again);

	c->is_posted = false;
	if (c->is_closing)
		free_if_idle(c);
	else
		lmtp_pump(c);
}

/* ---- what happens ---- */

static void on_event(struct net_stack *net, void *arg)
{
	lmtp_pump(arg);
}

static void on_closed(struct net_stack *net, void *arg, const struct net_error *why)
{
	struct lmtp *c = arg;
	struct net_counters counters = net_counters(net);

	c->net = NULL;
	if (!c->is_closing)
		end_with(c, counters);
}

static const struct net_events events = {
	.on_readable = on_event,
	.on_drained = on_event,
	.on_closed = on_closed,
};

void lmtp_accept(struct server_loop *home, const struct server_listener *l, int fd,
		 const struct net_addr *peer)
{
	struct lmtp *c = xcalloc(1, sizeof *c);

	*c = (struct lmtp){ .home = home,
			    .server = home->server,
			    .listener = l,
			    .peer = *peer,
			    .started_ms = clock_mono_ms(),
			    .again = { .run = run_again } };
	if (net_open_fd(home->loop, fd, peer, &events, c, &c->net) != ERR_OK) {
		free(c);
		return;
	}
	if (gethostname(c->host, sizeof c->host - 1) != 0 ||
	    !lmtp_is_host(span_str(c->host)))
		memcpy(c->host, "localhost", sizeof "localhost");
	c->next = home->lmtps;
	if (c->next)
		c->next->prev = c;
	home->lmtps = c;
	c->bye = server_lmtp_came(c);
	if (!c->bye)
		lmtp_say(c, "220 %s LMTP Mailstile is ready.", c->host);
	lmtp_pump(c);
}
