/* See the header. */
#include "help.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static void on_connected(struct net_stack *s, void *arg)
{
	((struct peer *)arg)->n_connected++;
}

static void on_done(struct net_stack *s, void *arg)
{
	((struct peer *)arg)->n_done++;
}

static void on_readable(struct net_stack *s, void *arg)
{
	struct peer *p = arg;
	ptrdiff_t n = 0;
	p->n_readable++;
	while (!p->is_lazy && (n = net_read(s, &p->in)) > 0)
		;
	if (n == NET_EOF)
		p->has_eof = true;
}

static void on_drained(struct net_stack *s, void *arg)
{
	((struct peer *)arg)->n_drained++;
}

static void on_closed(struct net_stack *s, void *arg, const struct net_error *why)
{
	struct peer *p = arg;
	p->n_closed++;
	p->why = *why;
	p->s = NULL;
}

const struct net_events peer_events = { on_connected, on_done, on_readable, on_drained,
					on_closed };

struct loop *loop_make(void)
{
	struct loop *l = NULL;
	assert_int_equal(net_loop_new(&l), ERR_OK);
	return l;
}

void settle(struct loop *l)
{
	for (int i = 0; i < 40; i++) {
		net_loop_turn(l, false);
		usleep(100);
	}
}

void pair_make(struct loop *l, struct peer *a, struct peer *b)
{
	int fd = half_make(l, a);
	*b = (struct peer){ 0 };
	assert_int_equal(net_open_fd(l, fd, NULL, &peer_events, b, &b->s), ERR_OK);
}

int half_make(struct loop *l, struct peer *a)
{
	int fd[2];
	*a = (struct peer){ 0 };
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	assert_int_equal(net_open_fd(l, fd[0], NULL, &peer_events, a, &a->s), ERR_OK);
	return fd[1];
}

void wire_make(struct loop *l, struct wire *w, struct peer *a, struct peer *b)
{
	w->a = half_make(l, a);
	w->b = half_make(l, b);
	w->carried = 0;
}

static void carry(struct wire *w, int from, int to, size_t n)
{
	char bytes[20000];
	ssize_t got = recv(from, bytes, n < sizeof bytes ? n : sizeof bytes, 0);
	if (got > 0) {
		w->carried += (size_t)got;
		send(to, bytes, (size_t)got, MSG_NOSIGNAL);
	} else if (got == 0) {
		shutdown(to, SHUT_WR);
	}
}

void wire_relay(struct wire *w, size_t n)
{
	carry(w, w->a, w->b, n);
	carry(w, w->b, w->a, n);
}

void wire_done(struct wire *w)
{
	close(w->a);
	close(w->b);
}

void peer_done(struct peer *p)
{
	net_abort(p->s);
	p->s = NULL;
	buf_done(&p->in);
}

void say(struct peer *p, const char *text)
{
	net_write(p->s, span_str(text));
	net_flush(p->s);
}

bool heard(const struct peer *p, const char *text)
{
	return span_eq(buf_span(&p->in), span_str(text));
}

void cert_make(struct cert *c)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "::1",
					     "mail.example" };
	struct net_error e = { 0 };
	snprintf(c->dir, sizeof c->dir, "/tmp/mailstile-test-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	snprintf(c->cert, sizeof c->cert, "%s/cert.pem", c->dir);
	snprintf(c->key, sizeof c->key, "%s/key.pem", c->dir);
	if (net_cert_write(c->cert, c->key, names, 4, 30, &e) != ERR_OK)
		fail_msg("%s", e.text);
}

void cert_done(struct cert *c)
{
	unlink(c->cert);
	unlink(c->key);
	assert_int_equal(rmdir(c->dir), 0);
}

struct net_tls *server_tls(const struct cert *c)
{
	struct net_tls_server o = { .cert_file = c->cert, .key_file = c->key };
	struct net_tls *t = NULL;
	struct net_error e = { 0 };
	if (net_tls_server_new(&o, &t, &e) != ERR_OK)
		fail_msg("%s", e.text);
	return t;
}

struct net_tls *client_tls(const struct cert *c)
{
	struct net_tls_client o = { .ca_file = c->cert };
	struct net_tls *t = NULL;
	struct net_error e = { 0 };
	if (net_tls_client_new(&o, &t, &e) != ERR_OK)
		fail_msg("%s", e.text);
	return t;
}
