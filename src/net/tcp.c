/* The socket at the bottom of a stack. */
#include "net/stack_impl.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"

enum { RAW_LIMIT = 24576 }; /* more than the largest TLS record (RFC 8446 section 5.2) */

size_t tcp_limit(const struct net_stack *s)
{
	size_t want = 0;
	for (const struct net_layer *l = s->top; l->below; l = l->below)
		want = l->want; /* at last that of the layer on tcp */
	return want > RAW_LIMIT ? want : RAW_LIMIT;
}

static void fail(struct net_stack *s, int sys, const char *what)
{
	struct net_error e;
	net_error_sys(&e, sys, "%s", what);
	stack_fault(s, &e);
}

static int socket_error(int fd)
{
	int sys = 0;
	socklen_t n = sizeof sys;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &n) != 0)
		return errno;
	return sys;
}

/* One recv(2). True when something came: bytes, or the end. */
static bool receive(struct net_stack *s)
{
	bool is_closing = s->state == STACK_CLOSING; /* then nobody wants the bytes */
	size_t room = LOOP_SCRATCH;
	if (!is_closing) {
		size_t limit = tcp_limit(s);
		if (s->tcp.up.n >= limit)
			return false;
		if (room > limit - s->tcp.up.n)
			room = limit - s->tcp.up.n;
	}
	ssize_t n = recv(s->fd, s->loop->scratch, room, 0);
	if (n > 0) {
		s->counters.raw_in += (uint64_t)n;
		if (!is_closing)
			buf_put(&s->tcp.up, span_of(s->loop->scratch, (size_t)n));
		wipe(s->loop->scratch,
		     (size_t)n); /* it may be a password in plain text */
	} else if (n == 0) {
		s->has_eof = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		fail(s, errno, "cannot receive from the peer");
	}
	return n >= 0;
}

void tcp_send(struct net_stack *s)
{
	struct buf *out = &s->tcp.out;
	if (out->n == 0 || s->fd < 0 || (s->fault && s->state != STACK_CLOSING))
		return;
	bool is_top = s->top == &s->tcp;
	if (is_top)
		stack_count_out(s);
	ssize_t n = send(s->fd, out->p + out->off, out->n, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		fail(s, errno, "cannot send to the peer");
		if (s->state == STACK_CLOSING)
			stack_dispose(s);
		return;
	}
	if (n > 0) {
		s->counters.raw_out += (uint64_t)n;
		buf_take(out, (size_t)n);
		buf_shrink(out, s->kept);
	}
	if (is_top)
		s->out_counted = out->n;
	s->is_blocked = out->n > 0;
}

static void writable(struct net_stack *s)
{
	tcp_send(s);
	if (s->is_over && s->state == STACK_OPEN && !s->fault &&
	    net_queued(s) <= s->low) {
		s->is_over = false;
		if (s->ev->on_drained)
			s->ev->on_drained(s, s->arg);
	}
}

static void on_poll(uv_poll_t *p, int status, int events)
{
	struct net_stack *s = p->data;
	int wanted = s->poll_events;
	s->busy++;
	if (status < 0) {
		/* POLLERR: let the calls find out, in order; libuv has stopped watching
		 */
		s->poll_events = 0;
		events = wanted;
		if (!events || !(wanted & UV_READABLE)) {
			int sys = socket_error(s->fd);
			fail(s, sys ? sys : ECONNRESET, "the connection was lost");
		}
	}
	bool is_readable = (events & UV_READABLE) && !s->fault && receive(s);
	if ((events & UV_WRITABLE) && s->state != STACK_GONE)
		writable(s);
	if (s->state == STACK_OPEN)
		stack_settle(s, is_readable);
	if (s->state == STACK_CLOSING && s->fault)
		stack_dispose(s);
	else if (s->state == STACK_CLOSING)
		close_step(s);
	else
		tcp_watch(s);
	s->busy--;
	stack_release(s);
}

void tcp_watch(struct net_stack *s)
{
	int events = 0;
	if (!s->has_poll || s->state == STACK_GONE)
		return;
	if (s->state == STACK_CLOSING) {
		events |= s->has_eof ? 0 : UV_READABLE;
		events |= s->tcp.out.n ? UV_WRITABLE : 0;
	} else if (!s->fault) {
		if (!s->has_eof && (!s->is_held || s->shaking) &&
		    s->tcp.up.n < tcp_limit(s))
			events |= UV_READABLE;
		events |= s->is_blocked ? UV_WRITABLE : 0;
	}
	if (events == s->poll_events)
		return;
	s->poll_events = events;
	if (events)
		uv_poll_start(&s->poll, events, on_poll);
	else
		uv_poll_stop(&s->poll);
}

int tcp_open(struct net_stack *s, int fd)
{
	int rc = uv_poll_init(&s->loop->uv, &s->poll, fd);
	if (rc != 0) {
		close(fd);
		return rc;
	}
	/* fails for what is not TCP, where there is nothing to set */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){ 600 }, sizeof(int));
	s->poll.data = s;
	s->has_poll = true;
	s->fd = fd;
	s->state = STACK_OPEN;
	tcp_watch(s);
	return 0;
}

enum err net_open_fd(struct loop *l, int fd, const struct net_addr *peer,
		     const struct net_events *ev, void *arg, struct net_stack **ret_stack)
{
	struct net_stack *s = stack_new(l, ev, arg);
	if (tcp_open(s, fd) != 0) {
		stack_dispose(s);
		return ERR_LIMIT;
	}
	if (peer)
		s->peer = *peer;
	else
		net_addr_peer(&s->peer, fd);
	*ret_stack = s;
	return ERR_OK;
}
