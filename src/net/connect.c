/*
 * Connecting: the resolver, then one address after the other. The time that is left is
 * shared among the addresses that are left, so a dead one does not use up all of it.
 */
#include "net/stack_impl.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"

struct connect {
	struct net_stack *stack; /* NULL: abandoned */
	struct loop *loop;
	uv_getaddrinfo_t resolver;
	bool is_resolving;
	bool is_closing; /* a poll handle is */
	struct addrinfo *all, *at;
	uv_poll_t poll;
	bool has_poll;
	int fd;
	uint64_t deadline_ms;
	struct net_timer timer; /* for this address */
	struct net_error error; /* of the last address */
	uint16_t port;
	char host[256];
};

static void try_next(struct connect *c);

static void release(struct connect *c)
{
	if (c->stack || c->is_resolving || c->is_closing)
		return;
	if (c->all)
		uv_freeaddrinfo(c->all);
	free(c);
}

static void on_poll_closed(uv_handle_t *h)
{
	struct connect *c = h->data;
	c->is_closing = false;
	if (c->stack)
		try_next(c);
	else
		release(c);
}

/* Stops watching the socket; it stays open. */
static void unwatch(struct connect *c)
{
	net_timer_stop(&c->timer);
	if (!c->has_poll)
		return;
	c->has_poll = false;
	c->is_closing = true;
	uv_close((uv_handle_t *)&c->poll, on_poll_closed);
}

void connect_abandon(struct connect *c)
{
	if (!c)
		return;
	c->stack = NULL;
	unwatch(c);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	if (c->is_resolving)
		uv_cancel((uv_req_t *)&c->resolver);
	release(c);
}

static void succeed(struct connect *c)
{
	struct net_stack *s = c->stack;
	int fd = c->fd;
	c->fd = -1;
	s->connect = NULL;
	connect_abandon(c); /* before the stack watches the same socket */
	int rc = tcp_open(s, fd);
	if (rc != 0) {
		struct net_error e;
		net_error_sys(&e, -rc, "cannot watch a connection");
		stack_fault(s, &e);
		return;
	}
	net_addr_peer(&s->peer, fd);
	s->busy++;
	if (s->ev->on_connected)
		s->ev->on_connected(s, s->arg);
	if (s->state == STACK_OPEN)
		net_flush(s); /* what was written before */
	s->busy--;
	stack_release(s);
}

/* This address is no good: on to the next, when libuv has let go of the handle. */
static void give_up_one(struct connect *c, int sys)
{
	net_error_sys(&c->error, sys, "cannot connect to %s port %u", c->host,
		      (unsigned)c->port);
	bool had_poll = c->has_poll;
	unwatch(c);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->at = c->at->ai_next;
	if (!had_poll)
		try_next(c);
}

static void on_poll(uv_poll_t *p, int status, int events)
{
	struct connect *c = p->data;
	int sys = 0;
	socklen_t n = sizeof sys;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &sys, &n) != 0)
		sys = errno;
	else if (sys == 0 && status < 0)
		sys = ECONNREFUSED;
	if (sys)
		give_up_one(c, sys);
	else
		succeed(c);
}

static void on_late(void *arg)
{
	give_up_one(arg, ETIMEDOUT);
}

static int start_one(struct connect *c)
{
	const struct addrinfo *ai = c->at;
	c->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return errno;
	if (connect(c->fd, ai->ai_addr, ai->ai_addrlen) != 0 && errno != EINPROGRESS)
		return errno;
	int rc = uv_poll_init(&c->loop->uv, &c->poll, c->fd);
	if (rc != 0)
		return -rc;
	c->poll.data = c;
	c->has_poll = true;
	uv_poll_start(&c->poll, UV_WRITABLE, on_poll);
	return 0;
}

static void try_next(struct connect *c)
{
	uint64_t now = clock_mono_ms();
	if (!c->at || now >= c->deadline_ms) {
		if (c->error.rc == ERR_OK)
			net_error_sys(&c->error, ETIMEDOUT,
				      "cannot connect to %s port %u", c->host,
				      (unsigned)c->port);
		stack_fault(c->stack, &c->error);
		return;
	}
	unsigned left = 0;
	for (const struct addrinfo *ai = c->at; ai; ai = ai->ai_next)
		left++;
	net_timer_start(c->loop, &c->timer, (c->deadline_ms - now) / left, on_late, c);
	int sys = start_one(c);
	if (sys)
		give_up_one(c, sys);
}

static void resolver_late(void *arg)
{
	struct connect *c = arg;
	net_error_set(&c->error, ERR_IO,
		      "cannot find the address of %s: it took too long", c->host);
	stack_fault(c->stack, &c->error);
}

static void on_resolved(uv_getaddrinfo_t *r, int status, struct addrinfo *res)
{
	struct connect *c = r->data;
	c->is_resolving = false;
	c->all = c->at = res;
	if (!c->stack) {
		release(c);
		return;
	}
	net_timer_stop(&c->timer);
	if (c->stack->fault)
		return;
	if (status != 0) {
		net_error_set(&c->error, ERR_NOENT, "cannot find the address of %s: %s",
			      c->host, uv_strerror(status));
		stack_fault(c->stack, &c->error);
		return;
	}
	try_next(c);
}

struct net_stack *net_connect(struct loop *l, const char *host, uint16_t port,
			      uint64_t timeout_ms, const struct net_events *ev, void *arg)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
					.ai_flags = AI_NUMERICSERV };
	struct net_stack *s = stack_new(l, ev, arg);
	struct connect *c = xcalloc(1, sizeof *c);
	char service[8];

	s->state = STACK_CONNECTING;
	s->connect = c;
	c->stack = s;
	c->loop = l;
	c->fd = -1;
	c->port = port;
	c->deadline_ms = clock_mono_ms() + timeout_ms;
	c->resolver.data = c;
	snprintf(service, sizeof service, "%u", (unsigned)port);
	int n = snprintf(c->host, sizeof c->host, "%s", host);
	int rc = n < (int)sizeof c->host
		     ? uv_getaddrinfo(&l->uv, &c->resolver, on_resolved, host, service,
				      &hints)
		     : UV_EINVAL;
	if (rc != 0) {
		net_error_set(&c->error, ERR_INVAL,
			      "cannot find the address of %.100s: %s", c->host,
			      uv_strerror(rc));
		stack_fault(s, &c->error);
		return s;
	}
	c->is_resolving = true;
	net_timer_start(l, &c->timer, timeout_ms, resolver_late, c);
	return s;
}
