/* Short of memory, short of descriptors. */
#include "server/overload.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/command.h"
#include "server/conn_run.h"
#include "server/lmtp_conn.h"

enum {
	SHARE_LEAST = 4096, /* a connection may always hold so much, */
	SHARE_MOST = 65536, /* and so much at most when memory is short */
	TICK_MS = 100,
	SHORT_MS = 5000, /* short for so long: those that hold most are ended */
	TELL_MS = 10000, /* a line in the log at most so often */
	EXTRA = 64,	 /* above the limit of connections: those that hear BYE */
};

/* ---- the log ---- */

static void tell(struct server *s, const char *event)
{
	uint64_t now = clock_mono_ms(), told = atomic_load(&s->overload->told_ms);
	struct log_line l;

	if ((told && now - told < TELL_MS) ||
	    !atomic_compare_exchange_strong(&s->overload->told_ms, &told, now))
		return;
	log_begin(&l, s->config.log, LOG_WARNING, event);
	log_num(&l, "bytes_held", (int64_t)atomic_load(&s->overload->used));
	log_end(&l);
}

/* ---- descriptors ---- */

static int descriptors_for(const struct server_config *c)
{
	struct rlimit r;
	rlim_t all = 1024, reserve = c->limits.reserved_descriptors, left;
	struct log_line l;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0)
		all = r.rlim_cur > INT32_MAX ? INT32_MAX : r.rlim_cur;
	left = reserve > all / 2 ? all / 2 : all - reserve;
	if (left < c->limits.connections) {
		log_begin(&l, c->log, LOG_WARNING, "descriptors");
		log_str(&l, "reason",
			SPAN("The limit on open files allows fewer connections than "
			     "the configuration."));
		log_num(&l, "open_files", (int64_t)all);
		log_num(&l, "left_for_connections", (int64_t)left);
		log_end(&l);
	}
	return (int)left;
}

struct overload *overload_new(const struct server_config *c)
{
	struct overload *o = xcalloc(1, sizeof *o);
	unsigned n = c->limits.connections ? c->limits.connections : 1;

	o->limit = c->limits.memory_bytes ? c->limits.memory_bytes : UINT64_MAX;
	o->share = o->limit / 2 / n;
	if (o->share < SHARE_LEAST)
		o->share = SHARE_LEAST;
	if (o->share > SHARE_MOST)
		o->share = SHARE_MOST;
	o->descriptors = descriptors_for(c);
	return o;
}

/* What it says goes out with one send(2) or not at all. */
static void say(int fd, const struct server_listener *l, const char *text)
{
	bool is_lmtp = l->protocol == SERVER_LMTP;
	struct buf b = { 0 };

	if (l->tls == SERVER_TLS_IMPLICIT)
		return;
	buf_printf(&b, "%s %s; try again later.\r\n",
		   is_lmtp ? "421 4.3.2" : "* BYE [UNAVAILABLE]", text);
	(void)send(fd, b.p + b.off, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_done(&b);
}

bool overload_refuse(struct server *s, const struct server_listener *l, int fd,
		     unsigned connections)
{
	unsigned limit = s->config.limits.connections;
	bool is_imap = l->protocol == SERVER_IMAP;

	/* The kernel gives the lowest number: all below are in use. */
	if (fd >= s->overload->descriptors) {
		tell(s, "short_of_descriptors");
		say(fd, l, "This server has too many open files");
	} else if (is_imap && limit && connections >= limit + limit / 4 + EXTRA) {
		tell(s, "too_many_connections");
		say(fd, l, "This server has too many connections");
	} else {
		return false;
	}
	close(fd);
	return true;
}

/* ---- memory ---- */

bool overload_is_short(const struct overload *o)
{
	return atomic_load(&o->used) > o->limit;
}

size_t overload_output_bytes(const struct server *s)
{
	size_t most = s->config.limits.output_high_bytes;

	if (overload_is_short(s->overload) && s->overload->share < most)
		return s->overload->share;
	return most;
}

/* Of the messages that the running command takes: what lies in buffers. */
static uint64_t held_for_literal(const struct conn *c)
{
	uint64_t in_hand = 0;

	if (!c->cmd)
		return 0;
	if (c->cmd->wait == WAIT_LITERAL && c->cmd->literal.bytes > c->literal_left)
		in_hand = c->cmd->literal.bytes - c->literal_left;
	return in_hand > 2 * BODY_PIECE ? 2 * BODY_PIECE : in_hand;
}

static void tick(void *arg);

static void start_ticking(struct server_loop *home)
{
	if (!net_timer_is_running(&home->memory))
		net_timer_start(home->loop, &home->memory, TICK_MS, tick, home);
}

/* `charged`: of one connection, as it was; since when it is large. */
static void charge(struct server_loop *home, uint64_t now, uint64_t *charged,
		   uint64_t *large_since_ms)
{
	struct overload *o = home->server->overload;
	bool was_large = *charged > o->share, is_large = now > o->share;

	if (now > *charged)
		atomic_fetch_add(&o->used, now - *charged);
	else if (now < *charged)
		atomic_fetch_sub(&o->used, *charged - now);
	*charged = now;
	if (is_large == was_large)
		return;
	if (is_large) {
		*large_since_ms = clock_mono_ms();
		home->n_large++;
		start_ticking(home);
	} else {
		home->n_large--;
	}
}

void conn_charge(struct conn *c)
{
	uint64_t now = c->net ? c->in.cap + net_queued(c->net) + held_for_literal(c) : 0;

	charge(c->home, now, &c->charged, &c->large_since_ms);
}

void lmtp_charge(struct lmtp *c)
{
	uint64_t now = c->net ? c->in.cap + net_queued(c->net) + lmtp_mail_memory(c) : 0;

	charge(c->home, now, &c->charged, &c->large_since_ms);
}

bool conn_may_read(struct conn *c)
{
	struct overload *o = c->server->overload;

	conn_charge(c);
	c->is_short = overload_is_short(o) && c->in.cap + held_for_literal(c) > o->share;
	return !c->is_short;
}

bool lmtp_may_read(struct lmtp *c)
{
	struct overload *o = c->server->overload;

	lmtp_charge(c);
	c->is_short = overload_is_short(o) && c->charged > o->share;
	return !c->is_short;
}

/* Of those that have been large for a while: who has just come is not the reason. */
static bool has_long(const struct server_loop *home, uint64_t charged, uint64_t since_ms)
{
	return charged > home->server->overload->share &&
	       clock_mono_ms() - since_ms >= SHORT_MS;
}

static struct conn *largest(struct server_loop *home)
{
	struct conn *most = NULL;

	for (struct conn *c = home->conns; c; c = c->next)
		if (!c->bye_text && has_long(home, c->charged, c->large_since_ms) &&
		    (!most || c->charged > most->charged))
			most = c;
	return most;
}

/* Of those whose message still comes: what is being delivered ends by itself. */
static struct lmtp *largest_lmtp(struct server_loop *home)
{
	struct lmtp *most = NULL;

	for (struct lmtp *c = home->lmtps; c; c = c->next)
		if (!c->bye && c->state == LMTP_DATA &&
		    has_long(home, c->charged, c->large_since_ms) &&
		    (!most || c->charged > most->charged))
			most = c;
	return most;
}

static void end_one(struct server_loop *home)
{
	struct conn *c = largest(home);
	struct lmtp *l = largest_lmtp(home);

	if (l && (!c || l->charged > c->charged)) {
		l->bye = "4.3.1 The server is short of memory; try again later.";
		lmtp_pump(l);
		return;
	}
	if (!c)
		return;
	if (c->cmd && c->cmd->wait == WAIT_DRAIN)
		conn_abort(c); /* it does not read: no word would reach it */
	else
		conn_bye(c, "[UNAVAILABLE] The server is short of memory; try again "
			    "later.");
}

static void let_go_on(struct server_loop *home)
{
	struct conn *next;

	for (struct conn *c = home->conns; c; c = next) {
		next = c->next;
		if (!c->is_short)
			continue;
		c->is_short = false;
		conn_go_on(c);
		if (overload_is_short(home->server->overload))
			return;
	}
	for (struct lmtp *l = home->lmtps, *after; l; l = after) {
		after = l->next;
		if (!l->is_short)
			continue;
		l->is_short = false;
		lmtp_pump(l);
		if (overload_is_short(home->server->overload))
			return;
	}
}

static void tick(void *arg)
{
	struct server_loop *home = arg;
	uint64_t now = clock_mono_ms();

	if (!overload_is_short(home->server->overload)) {
		home->short_since_ms = 0;
		let_go_on(home);
	} else if (!home->short_since_ms) {
		home->short_since_ms = now;
		tell(home->server, "short_of_memory");
	} else if (now - home->short_since_ms >= SHORT_MS) {
		end_one(home);
	}
	if (home->n_large)
		start_ticking(home);
	else
		home->short_since_ms = 0;
}
