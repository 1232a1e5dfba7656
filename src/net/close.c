/*
 * The end of a stack. In order: the output, the layers' farewells, FIN, then the peer's
 * FIN, because closing with unread input makes the kernel send a reset that may overtake
 * our last bytes (RFC 9293 section 3.10.4 with RFC 1122 section 4.2.2.13).
 */
#include "net/stack_impl.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"

void stack_release(struct net_stack *s)
{
	if (s->state == STACK_GONE && !s->has_poll && !s->is_kicked && !s->busy)
		free(s);
}

static void on_poll_closed(uv_handle_t *h)
{
	struct net_stack *s = h->data;
	s->has_poll = false;
	stack_release(s);
}

void stack_dispose(struct net_stack *s)
{
	if (s->state == STACK_GONE)
		return;
	s->state = STACK_GONE;
	net_timer_stop(&s->timer);
	connect_abandon(s->connect);
	s->connect = NULL;
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	while (s->top->below) {
		struct net_layer *l = s->top;
		s->top = l->below;
		buf_done(&l->up);
		buf_done(&l->out);
		l->ops->free(l);
	}
	buf_done(&s->tcp.up);
	buf_done(&s->tcp.out);
	s->shaking = NULL;
	free(s->fault);
	s->fault = NULL;
	if (s->has_poll)
		uv_close((uv_handle_t *)&s->poll, on_poll_closed);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	stack_release(s);
}

static void too_late(void *arg)
{
	stack_dispose(arg);
}

void close_step(struct net_stack *s)
{
	if (s->state != STACK_CLOSING)
		return;
	if (s->tcp.out.n == 0 && !s->has_shut) {
		s->has_shut = true;
		shutdown(s->fd, SHUT_WR);
	}
	if (s->has_shut && s->has_eof)
		stack_dispose(s);
	else
		tcp_watch(s);
}

void close_begin(struct net_stack *s, uint64_t timeout_ms)
{
	s->state = STACK_CLOSING;
	free(s->fault); /* from here on it means that closing in order has failed */
	s->fault = NULL;
	buf_done(&s->tcp.up);
	net_timer_start(s->loop, &s->timer, timeout_ms, too_late, s);
	if (!s->is_blocked)
		tcp_send(s);
	close_step(s);
}

void net_close_after_flush(struct net_stack *s, uint64_t timeout_ms)
{
	if (s->state > STACK_OPEN)
		return;
	if (s->state == STACK_CONNECTING || s->fault) {
		net_abort(s);
		return;
	}
	stack_count_out(s);
	stack_encode(s);
	for (struct net_layer *l = s->top; l->below; l = l->below) {
		/* what the one above has appended by its farewell */
		if (l->out.n && l != s->shaking && !l->is_finishing)
			l->ops->encode(l, &l->out, &l->below->out);
		if (l->ops->farewell && l != s->shaking && !l->is_finishing)
			l->ops->farewell(l, &l->below->out);
	}
	if (s->fault) {
		net_abort(s);
		return;
	}
	close_begin(s, timeout_ms);
}

void net_abort(struct net_stack *s)
{
	if (s)
		stack_dispose(s);
}
