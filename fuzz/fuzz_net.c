/*
 * The stack of layers and the TLS record cutter. The first byte says what:
 *	's'  the bytes go to a server that awaits a TLS handshake
 *	'c'  to a client that does
 *	'm'  somebody sits between a client and a server that speak TLS: the bytes say
 *what he passes on, turns round, drops or puts in 'l'  layers that frame by a length byte
 *go on and off as the bytes say, once with all bytes at once, once with each alone
 *
 * What must hold: one end reads nothing but what the other has written, in order; what
 * is read does not depend on how the bytes arrive.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz_wire.h"
#include "net/cert.h"
#include "net/stack.h"

enum { DEPTH = 3, TURNS = 6 };

struct end {
	struct net_stack *s; /* NULL: closed */
	int fd;		     /* the other end of its socket */
	bool is_done;	     /* its handshake */
	struct buf in, written;
};

static struct net_tls *tls[2]; /* server, client */

static void on_done(struct net_stack *s, void *arg)
{
	((struct end *)arg)->is_done = true;
}

static void on_readable(struct net_stack *s, void *arg)
{
	struct end *e = arg;

	while (net_read(s, &e->in) > 0)
		;
}

static void on_closed(struct net_stack *s, void *arg, const struct net_error *why)
{
	((struct end *)arg)->s = NULL;
	MUST(why->text[0]);
}

static const struct net_events events = { .on_handshake_done = on_done,
					  .on_readable = on_readable,
					  .on_closed = on_closed };
/* The owner reads by itself. */
static const struct net_events quiet = { .on_closed = on_closed };

static void end_open(struct loop *l, struct end *e, const struct net_events *ev)
{
	int fd[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
	*e = (struct end){ .fd = fd[1] };
	MUST(net_open_fd(l, fd[0], NULL, ev, e, &e->s) == ERR_OK);
}

static void end_close(struct end *e)
{
	net_abort(e->s);
	if (e->fd >= 0)
		close(e->fd);
	buf_done(&e->in);
	buf_done(&e->written);
}

static void give(struct end *e, struct span bytes)
{
	if (e->fd >= 0 && bytes.n)
		(void)!send(e->fd, bytes.p, bytes.n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* What it has sent goes behind `to`. */
static void fetch(struct end *e, struct buf *to)
{
	char bytes[20000];
	ssize_t n;

	while (e->fd >= 0 && (n = recv(e->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
		buf_put(to, span_of(bytes, (size_t)n));
}

static void turn(struct loop *l, int times)
{
	while (times-- > 0)
		net_loop_turn(l, false);
}

/* ---- bytes to one that shakes hands ---- */

static void shake_alone(struct loop *l, struct span bytes, bool is_client)
{
	struct end e;
	struct buf said = { 0 };

	end_open(l, &e, &events);
	net_push_tls(e.s, tls[is_client], is_client ? "localhost" : NULL, 3600000);
	give(&e, bytes);
	turn(l, TURNS);
	fetch(&e, &said);
	shutdown(e.fd, SHUT_WR);
	turn(l, TURNS);
	MUST(!e.is_done && e.in.n == 0);
	MUST(!e.s); /* the peer has gone in the middle of the handshake */
	buf_done(&said);
	end_close(&e);
}

/* ---- somebody between two ---- */

struct between {
	struct loop *loop;
	struct end end[2]; /* server, client */
	struct buf way[2]; /* to the server, to the client */
	struct span said[2];
	bool is_touched; /* he changed a byte */
};

static void pass(struct between *b, int to, size_t n)
{
	struct span s = span_sub(buf_span(&b->way[to]), 0, n);

	give(&b->end[to], s);
	buf_take(&b->way[to], s.n);
	turn(b->loop, 2);
	fetch(&b->end[0], &b->way[1]);
	fetch(&b->end[1], &b->way[0]);
}

static void put_in(struct between *b, int to, struct span bytes)
{
	struct buf rest = { 0 };

	buf_put(&rest, buf_span(&b->way[to]));
	buf_clear(&b->way[to]);
	buf_put(&b->way[to], bytes);
	buf_put(&b->way[to], buf_span(&rest));
	buf_done(&rest);
	b->is_touched |= bytes.n > 0;
}

static void say(struct between *b, int from, struct span bytes)
{
	struct end *e = &b->end[from];

	if (!e->s || !bytes.n || e->written.n > 100000)
		return;
	buf_put(&e->written, bytes);
	net_write(e->s, bytes);
	net_flush(e->s);
	fetch(e, &b->way[!from]);
}

static void act(struct between *b, uint8_t what, uint8_t n, struct span *more)
{
	int side = what & 1;
	struct buf *way = &b->way[side];
	struct span own = span_sub(*more, 0, n);

	switch (what >> 1 & 7) {
	case 0:
	case 1: pass(b, side, n * 8u + 1); break;
	case 2: say(b, side, SPAN("a NOOP\r\n")); break;
	case 3:
		say(b, side, own);
		*more = span_sub(*more, own.n, more->n);
		break;
	case 4: /* a byte is changed */
		if (way->n) {
			way->p[way->off + n % way->n] ^= (char)(what | 1);
			b->is_touched = true;
		}
		break;
	case 5:
		put_in(b, side, own);
		*more = span_sub(*more, own.n, more->n);
		break;
	case 6:
		b->is_touched |= n && way->n;
		buf_take(way, n < way->n ? n : way->n);
		break;
	default:
		if (b->end[side].fd >= 0)
			shutdown(b->end[side].fd, SHUT_WR);
		break;
	}
}

static void shake_hands(struct between *b)
{
	for (int i = 0; i < 20 && !(b->end[0].is_done && b->end[1].is_done); i++)
		for (int to = 0; to < 2; to++)
			pass(b, to, SIZE_MAX);
	MUST(b->end[0].is_done && b->end[1].is_done);
}

static void middle(struct loop *l, struct span bytes)
{
	struct between b = { .loop = l };

	if (bytes.n < 1)
		return;
	for (int i = 0; i < 2; i++) {
		end_open(l, &b.end[i], &events);
		net_push_tls(b.end[i].s, tls[i], i ? "localhost" : NULL, 3600000);
	}
	if (bytes.p[0] & 1)
		shake_hands(&b);
	for (bytes = span_sub(bytes, 1, bytes.n); bytes.n >= 2;) {
		uint8_t what = (uint8_t)bytes.p[0], n = (uint8_t)bytes.p[1];

		bytes = span_sub(bytes, 2, bytes.n);
		act(&b, what, n, &bytes);
	}
	for (int i = 0; i < 4; i++)
		pass(&b, i & 1, SIZE_MAX);
	for (int i = 0; i < 2; i++)
		MUST(span_starts(buf_span(&b.end[!i].written), buf_span(&b.end[i].in)));
	for (int i = 0; i < 2; i++) {
		end_close(&b.end[i]);
		buf_done(&b.way[i]);
	}
}

/* ---- layers on and off ---- */

struct framed {
	struct net_layer layer;
};

static enum net_unit decode(struct net_layer *l, struct buf *from, struct buf *to)
{
	struct span s = buf_span(from);

	l->want = 1;
	if (s.n == 0)
		return NET_MORE;
	size_t n = (unsigned char)s.p[0];
	if (n == 0 && l->is_finishing) {
		buf_take(from, 1);
		return NET_END;
	}
	if (n == 0) {
		net_layer_fail(l, ERR_INVAL, "an end that nobody asked for");
		return NET_FAIL;
	}
	l->want = n + 1;
	if (s.n < n + 1)
		return NET_MORE;
	for (size_t i = 1; i <= n; i++)
		buf_putc(to, (char)(s.p[i] ^ 1));
	buf_take(from, n + 1);
	l->want = 0;
	return NET_UNIT;
}

static enum err encode(struct net_layer *l, struct buf *from, struct buf *to)
{
	while (from->n) {
		struct span s = span_sub(buf_span(from), 0, 200);

		buf_putc(to, (char)s.n);
		for (size_t i = 0; i < s.n; i++)
			buf_putc(to, (char)(s.p[i] ^ 1));
		buf_take(from, s.n);
	}
	return ERR_OK;
}

static enum err finish(struct net_layer *l, struct buf *to)
{
	buf_putc(to, 0);
	return ERR_OK;
}

static void framed_free(struct net_layer *l)
{
	free(l);
}

static const struct net_layer_ops framed_ops = { "framed", decode, encode,
						 finish,   NULL,   framed_free };

struct follower {
	struct end end;
	struct buf log;
	size_t seen; /* of end.in */
	int depth;
};

/* '+' puts a layer on behind this byte, '-' takes one off. False: no more. */
static bool follow_one(struct follower *f)
{
	char c = f->end.in.p[f->end.in.off + f->seen++];

	buf_putc(&f->log, c);
	if ((c == '+' && f->depth < DEPTH) || (c == '-' && f->depth > 0)) {
		struct span rest = span_sub(buf_span(&f->end.in), f->seen, f->end.in.n);

		net_unread(f->end.s, rest);
		buf_truncate(&f->end.in, f->seen);
		if (c == '-') {
			if (net_layer_pop(f->end.s) != ERR_OK)
				return false; /* the unit goes on */
			f->depth--;
		} else {
			struct framed *layer = xcalloc(1, sizeof *layer);

			layer->layer.ops = &framed_ops;
			net_layer_push(f->end.s, &layer->layer);
			f->depth++;
		}
	}
	return true;
}

static bool follow(struct follower *f)
{
	for (;;) {
		while (f->seen < f->end.in.n)
			if (!follow_one(f))
				return false;
		if (!f->end.s)
			return false;
		if (net_read(f->end.s, &f->end.in) <= 0)
			return true;
	}
}

static struct buf layers_with(struct loop *l, struct span bytes, size_t piece)
{
	struct follower f = { 0 };
	bool goes_on = true;
	struct buf out = { 0 };

	end_open(l, &f.end, &quiet);
	while (bytes.n && goes_on) {
		struct span s = span_sub(bytes, 0, piece);

		give(&f.end, s);
		bytes = span_sub(bytes, s.n, bytes.n);
		turn(l, 1);
		goes_on = f.end.s && follow(&f);
		if (f.end.s)
			net_flush(f.end.s);
		fetch(&f.end, &out);
	}
	buf_printf(&f.log, "/%d", f.depth);
	buf_done(&out);
	end_close(&f.end);
	return f.log;
}

static void layers(struct loop *l, struct span bytes)
{
	bytes = span_sub(bytes, 0, 2000);
	struct buf whole = layers_with(l, bytes, SIZE_MAX);
	struct buf cut = layers_with(l, bytes, 1);

	MUST(span_eq(buf_span(&whole), buf_span(&cut)));
	buf_done(&whole);
	buf_done(&cut);
}

/* ---- */

static void contexts(void)
{
	static const char *const names[] = { "localhost" };
	char dir[] = "/tmp/mailstile-fuzz-XXXXXX", cert[64], key[64];
	struct net_tls_server s = { .cert_file = cert, .key_file = key };
	struct net_tls_client c = { .is_unverified = true };
	struct net_error e = { 0 };

	MUST(mkdtemp(dir));
	snprintf(cert, sizeof cert, "%s/c", dir);
	snprintf(key, sizeof key, "%s/k", dir);
	MUST(net_cert_write(cert, key, names, 1, 30, &e) == ERR_OK);
	MUST(net_tls_server_new(&s, &tls[0], &e) == ERR_OK);
	MUST(net_tls_client_new(&c, &tls[1], &e) == ERR_OK);
	unlink(cert);
	unlink(key);
	rmdir(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest;
	struct loop *l;

	if (size < 1)
		return 0;
	if (!tls[0])
		contexts();
	rest = span_of(data + 1, size - 1);
	MUST(net_loop_new(&l) == ERR_OK);
	switch (data[0]) {
	case 'c': shake_alone(l, rest, true); break;
	case 'm': middle(l, rest); break;
	case 'l': layers(l, rest); break;
	default: shake_alone(l, rest, false); break;
	}
	net_loop_free(l);
	return 0;
}
