/* The stack: reading and writing through the layers, and telling the owner. */
#include "net/stack_impl.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

enum {
	READ_MOST = 16384,
	HANDSHAKE_RECORDS = 64, /* a turn, so that a peer cannot keep the loop */
	LOW_WATER = 16384,
	HIGH_WATER = 65536,
	ALERT_MS = 1000, /* how long a TLS alert may take to go out */
};

static void run_kick(struct task *t)
{
	struct net_stack *s = TASK_OWNER(t, struct net_stack, kick);
	s->is_kicked = false;
	stack_settle(s, false);
	stack_release(s);
}

struct net_stack *stack_new(struct loop *l, const struct net_events *ev, void *arg)
{
	static const struct net_layer_ops tcp_ops = { .name = "tcp" };
	struct net_stack *s = xcalloc(1, sizeof *s);
	s->loop = l;
	s->ev = ev;
	s->arg = arg;
	s->fd = -1;
	s->tcp.ops = &tcp_ops;
	s->tcp.stack = s;
	s->top = &s->tcp;
	s->kick.run = run_kick;
	s->low = LOW_WATER;
	s->high = HIGH_WATER;
	s->next = l->stacks;
	if (s->next)
		s->next->link = &s->next;
	s->link = &l->stacks;
	l->stacks = s;
	return s;
}

void net_set_owner(struct net_stack *s, const struct net_events *ev, void *arg)
{
	s->ev = ev;
	s->arg = arg;
}

void stack_kick(struct net_stack *s)
{
	if (s->is_kicked || s->state == STACK_GONE)
		return;
	s->is_kicked = true;
	executor_post(net_loop_executor(s->loop), &s->kick);
}

void stack_fault(struct net_stack *s, const struct net_error *e)
{
	if (s->fault || s->state == STACK_GONE)
		return;
	s->fault = xmalloc(sizeof *s->fault);
	*s->fault = *e;
	stack_kick(s);
}

enum err net_layer_fail(struct net_layer *l, enum err rc, const char *fmt, ...)
{
	struct net_error e = { .rc = rc };
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(e.text, sizeof e.text, fmt, ap) < 0)
		e.text[0] = 0;
	va_end(ap);
	stack_fault(l->stack, &e);
	return rc;
}

/* --- layers on and off ------------------------------------------------- */

void net_layer_push(struct net_stack *s, struct net_layer *l)
{
	stack_count_out(s);
	l->stack = s;
	l->below = s->top;
	s->top = l;
	s->out_counted = 0;
}

static void move_all(struct buf *from, struct buf *to)
{
	buf_put(to, buf_span(from));
	buf_take(from, from->n);
}

/* The layer's inbound side has ended; its outbound side did when it was popped. */
static void unlink_layer(struct net_stack *s, struct net_layer *l)
{
	stack_count_out(s);
	if (s->top == l) {
		s->top = l->below;
	} else {
		struct net_layer *above = s->top;
		while (above->below != l)
			above = above->below;
		above->below = l->below;
	}
	move_all(&l->out, &l->below->out);
	s->out_counted = s->top->out.n;
	buf_done(&l->out);
	buf_done(&l->up);
	l->ops->free(l);
}

/* The first that is not finishing: what the owner sees as the top. */
static struct net_layer *lasting(const struct net_stack *s)
{
	struct net_layer *l = s->top;
	while (l->is_finishing)
		l = l->below;
	return l;
}

enum err net_layer_end_out(struct net_stack *s)
{
	struct net_layer *l = lasting(s);
	assert(l->below && l->ops->finish);
	if (l->has_ended_out)
		return ERR_OK;
	stack_count_out(s);
	stack_encode(s);
	if (s->fault)
		return s->fault->rc;
	enum err rc = l->ops->finish(l, &l->below->out);
	l->has_ended_out = true;
	s->out_counted = s->top->out.n;
	return rc;
}

enum err net_layer_pop(struct net_stack *s)
{
	struct net_layer *l = lasting(s);
	if (l->up.n)
		return ERR_INVAL;
	enum err rc = net_layer_end_out(s);
	if (rc == ERR_OK)
		l->is_finishing = true;
	return rc;
}

const char *net_layer_top(const struct net_stack *s)
{
	return lasting(s)->ops->name;
}

static void handshake_late(void *arg)
{
	struct net_stack *s = arg;
	struct net_error e;
	net_error_set(&e, ERR_CLOSED, "the TLS handshake took too long");
	stack_fault(s, &e);
}

void net_ask_certificate(struct net_stack *s)
{
	s->asks_certificate = true;
}

void net_push_tls(struct net_stack *s, struct net_tls *t, const char *host,
		  uint64_t timeout_ms)
{
	assert(s->state != STACK_CONNECTING && !net_is_tls(s));
	if (s->fault || s->state != STACK_OPEN)
		return;
	struct net_layer *l = tls_layer_new(t, host, s->asks_certificate);
	if (!l) {
		struct net_error e;
		net_error_set(&e, ERR_INVAL, "TLS cannot be set up for this connection");
		stack_fault(s, &e);
		return;
	}
	net_layer_push(s, l);
	s->shaking = l;
	net_timer_start(s->loop, &s->timer, timeout_ms, handshake_late, s);
	if (tls_layer_start(l) != ERR_OK)
		return;
	net_flush(s);
	stack_kick(s); /* its first bytes may be here already */
}

bool net_is_tls(const struct net_stack *s)
{
	for (const struct net_layer *l = s->top; l; l = l->below)
		if (strcmp(l->ops->name, "tls") == 0)
			return true;
	return false;
}

/* --- inbound ------------------------------------------------------------ */

/* Decodes one unit of `l` into `to`, pulling units from below as it needs them. */
static enum net_unit pull(struct net_stack *s, struct net_layer *l, struct buf *to)
{
	if (!l->below) {
		if (s->has_eof)
			return NET_EOS;
		if (l->up.n < tcp_limit(s))
			return NET_MORE;
		net_layer_fail(l, ERR_TOOBIG, "the peer sent a unit that is too large");
		return NET_FAIL;
	}
	for (;;) {
		enum net_unit u = l->ops->decode(l, &l->below->up, to);
		if (u == NET_MORE) {
			u = pull(s, l->below, &l->below->up);
			if (u == NET_UNIT || u == NET_END)
				continue;
			return u;
		}
		if (u == NET_END)
			unlink_layer(s, l);
		return u;
	}
}

/* The same; sends what the layers have to say to the peer by themselves. */
static enum net_unit pull_and_answer(struct net_stack *s, struct buf *to)
{
	size_t before = s->tcp.out.n;
	bool is_own = s->top != &s->tcp;
	enum net_unit u = pull(s, s->top, to);
	if (is_own && s->top != &s->tcp && s->tcp.out.n != before)
		tcp_send(s);
	return u;
}

static size_t take_up(struct net_layer *l, struct buf *in)
{
	struct span s = span_sub(buf_span(&l->up), 0, READ_MOST);
	buf_put(in, s);
	buf_take(&l->up, s.n);
	buf_shrink(&l->up, 0);
	return s.n;
}

ptrdiff_t net_read(struct net_stack *s, struct buf *in)
{
	if (s->fault || s->state > STACK_OPEN)
		return NET_ERR;
	if (s->shaking || s->state != STACK_OPEN)
		return 0;
	size_t before = in->n;
	enum net_unit u = NET_UNIT;
	while (in->n == before && (u == NET_UNIT || u == NET_END)) {
		if (s->top->up.n && !s->top->is_finishing)
			take_up(s->top, in);
		else
			u = pull_and_answer(s, in);
	}
	size_t n = in->n - before;
	s->counters.plain_in += n;
	buf_shrink(&s->tcp.up, 0);
	tcp_watch(s);
	if (n)
		return (ptrdiff_t)n;
	if (u == NET_MORE)
		return 0;
	if (u == NET_EOS)
		return NET_EOF;
	net_layer_fail(s->top, ERR_INVAL, "bytes that %s cannot decode",
		       s->top->ops->name);
	return NET_ERR;
}

void net_unread(struct net_stack *s, struct span back)
{
	struct buf *up = &s->top->up;
	struct buf all = { 0 };
	if (back.n == 0)
		return;
	buf_put(&all, back);
	buf_put(&all, buf_span(up));
	buf_done(up);
	*up = all;
	s->counters.plain_in -= back.n;
}

size_t net_raw_pending(const struct net_stack *s)
{
	size_t n = 0;
	for (const struct net_layer *l = s->top; l; l = l->below)
		n += l->up.n;
	return n;
}

void net_hold(struct net_stack *s, bool is_held)
{
	s->is_held = is_held;
	tcp_watch(s);
}

/* --- outbound ----------------------------------------------------------- */

void stack_count_out(struct net_stack *s)
{
	s->counters.plain_out += s->top->out.n - s->out_counted;
	s->out_counted = s->top->out.n;
}

void stack_encode(struct net_stack *s)
{
	for (struct net_layer *l = s->top; l->below; l = l->below) {
		if (l->out.n == 0 || l == s->shaking)
			continue;
		if (l->has_ended_out) {
			move_all(&l->out, &l->below->out);
		} else if (l->ops->encode(l, &l->out, &l->below->out) != ERR_OK) {
			if (!s->fault)
				net_layer_fail(l, ERR_IO, "%s cannot encode",
					       l->ops->name);
			return;
		}
		buf_shrink(&l->out, s->kept);
	}
}

struct buf *net_out(struct net_stack *s)
{
	return &s->top->out;
}

void net_write(struct net_stack *s, struct span plain)
{
	if (!s->fault && s->state <= STACK_OPEN)
		buf_put(&s->top->out, plain);
}

void net_flush(struct net_stack *s)
{
	if (s->fault || s->state > STACK_OPEN)
		return;
	stack_count_out(s);
	if (s->state == STACK_OPEN) {
		stack_encode(s);
		if (!s->is_blocked)
			tcp_send(s);
		tcp_watch(s);
	}
	s->out_counted = s->top->out.n;
	if (net_queued(s) <= s->low)
		s->is_over = false;
}

size_t net_queued(const struct net_stack *s)
{
	size_t n = 0;
	for (const struct net_layer *l = s->top; l; l = l->below)
		n += l->out.n;
	return n;
}

bool net_is_full(struct net_stack *s)
{
	if (net_queued(s) < s->high)
		return false;
	s->is_over = true;
	return true;
}

void net_keep(struct net_stack *s, size_t bytes)
{
	if (bytes < s->kept)
		for (struct net_layer *l = s->top; l; l = l->below)
			buf_shrink(&l->out, bytes);
	s->kept = bytes;
}

void net_set_marks(struct net_stack *s, size_t low, size_t high)
{
	s->low = low;
	s->high = high;
}

/* --- telling the owner --------------------------------------------------- */

static void shake(struct net_stack *s)
{
	struct net_layer *l = s->shaking;
	enum net_unit u = NET_UNIT;
	int n = 0;
	while (!tls_layer_is_done(l) && u == NET_UNIT && n++ < HANDSHAKE_RECORDS)
		u = pull(s, l, &l->up);
	if (u == NET_EOS)
		net_layer_fail(l, ERR_CLOSED, "the peer closed during the TLS handshake");
	else if (u == NET_FAIL)
		net_layer_fail(l, ERR_INVAL, "the TLS handshake failed");
	bool is_done = !s->fault && tls_layer_is_done(l);
	if (is_done) {
		net_timer_stop(&s->timer);
		s->shaking = NULL;
	} else if (n >= HANDSHAKE_RECORDS) {
		stack_kick(s);
	}
	net_flush(s);
	tcp_watch(s);
	if (is_done && s->ev->on_handshake_done)
		s->ev->on_handshake_done(s, s->arg);
}

static void report_fault(struct net_stack *s)
{
	struct net_error why = *s->fault;
	if (s->ev->on_closed)
		s->ev->on_closed(s, s->arg, &why);
	if (s->state > STACK_OPEN)
		return;
	/* a layer's failure may have an alert to send; a socket's has nobody to send it
	 * to */
	if (s->state == STACK_OPEN && why.sys == 0 && s->tcp.out.n)
		close_begin(s, ALERT_MS);
	else
		stack_dispose(s);
}

void stack_settle(struct net_stack *s, bool is_readable)
{
	s->busy++;
	if (s->state == STACK_OPEN && s->shaking && !s->fault) {
		shake(s);
		is_readable = s->state == STACK_OPEN && (s->tcp.up.n || s->has_eof);
	}
	if (is_readable && s->state == STACK_OPEN && !s->fault && !s->shaking &&
	    s->ev->on_readable)
		s->ev->on_readable(s, s->arg);
	if (s->fault && s->state <= STACK_OPEN)
		report_fault(s);
	s->busy--;
}

struct net_counters net_counters(const struct net_stack *s)
{
	struct net_counters c = s->counters;
	c.plain_out += s->top->out.n - s->out_counted;
	return c;
}

const struct net_addr *net_peer(const struct net_stack *s)
{
	return &s->peer;
}

struct loop *net_loop(const struct net_stack *s)
{
	return s->loop;
}
