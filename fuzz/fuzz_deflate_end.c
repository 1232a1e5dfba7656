/*
 * Where COMPRESS ends (RFC 4978; RFC 8437 section 4.1): behind UNAUTHENTICATE, at the
 *exact byte. The first byte says whose stream it is: 'o'  our own client's, which ends
 *its layer with the command 'r'  the bytes themselves, and the command ends where they
 *say any other  that of a client with zlib, whose level, strategy, window, memory,
 *flushes and way to end the bytes say; what is left goes out plainly behind it
 *
 * What must hold: the plain bytes come out, those behind the end untouched, however they
 * are cut and however late the command is answered; the answer is compressed and what
 * is written behind it is not. Of a stream that ends nowhere ('r', Z_PARTIAL_FLUSH, more
 * text behind the command) that the end does not depend on the cuts, and is one that zlib
 * knows.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "fuzz_wire.h"
#include "net/deflate.h"
#include "net/stack.h"

#define SWITCH "a3 UNAUTHENTICATE\r\n"

enum { INPUT_MOST = 4000, ALONE_MOST = 700, ROOM = 40000, IDLE_TURNS = 4 };

struct stream {
	struct buf raw, said, behind; /* as sent; what it says; what is plain behind it */
	bool is_exact;		      /* it has an end */
};

/* ---- the input ---- */

static unsigned take(struct span *in)
{
	unsigned c = in->n ? (unsigned char)in->p[0] : 0;

	*in = span_sub(*in, 1, in->n);
	return c;
}

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

/* The next thing a client says: bytes of the input, a command, a run, noise. */
static struct buf take_text(struct span *in, unsigned kind)
{
	struct buf text = { 0 };
	unsigned n = take(in), seed = n;

	switch (kind & 3) {
	case 0:
		buf_put(&text, span_sub(*in, 0, n));
		*in = span_sub(*in, n, in->n);
		break;
	case 1: buf_puts(&text, "a1 FETCH 1:* (FLAGS BODY[])\r\n"); break;
	case 2:
		for (unsigned i = 0; i < n * 16; i++)
			buf_putc(&text, 'x');
		break;
	default:
		for (unsigned i = 0; i < n * 8; i++)
			buf_putc(&text, (char)next_random(&seed));
		break;
	}
	return text;
}

/* ---- a client with zlib ---- */

static void put(z_stream *z, struct buf *to, struct span text, int flush)
{
	z->next_in = (Bytef *)(uintptr_t)text.p;
	z->avail_in = (uInt)text.n;
	z->next_out = (Bytef *)buf_room(to, ROOM);
	z->avail_out = ROOM;
	int rc = deflate(z, flush);
	MUST(rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR);
	MUST(z->avail_in == 0 && z->avail_out > 0);
	buf_added(to, ROOM - z->avail_out);
}

static void change(z_stream *z, struct buf *to, unsigned level, unsigned strategy)
{
	z->avail_in = 0;
	z->next_out = (Bytef *)buf_room(to, ROOM);
	z->avail_out = ROOM;
	MUST(deflateParams(z, (int)(level % 10), (int)(strategy % 5)) == Z_OK);
	buf_added(to, ROOM - z->avail_out);
}

static void speak(z_stream *z, struct stream *s, struct span *in)
{
	static const int flushes[] = { Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_BLOCK,
				       Z_PARTIAL_FLUSH };
	unsigned steps = take(in) % 8;

	while (steps-- > 0) {
		unsigned what = take(in);
		struct buf text = take_text(in, what >> 3);

		put(z, &s->raw, buf_span(&text), flushes[(what & 7) % 5]);
		buf_put(&s->said, buf_span(&text));
		buf_done(&text);
		if ((what & 7) > 5)
			change(z, &s->raw, take(in), take(in));
	}
}

/* The last ones have no end, or it does not stand behind the command. */
static const struct ending {
	int flush[3]; /* up to a 0 */
	const char *more;
	bool is_exact;
} endings[] = {
	{ { Z_SYNC_FLUSH }, NULL, true },
	{ { Z_FULL_FLUSH }, NULL, true },
	{ { Z_FINISH }, NULL, true },
	{ { Z_SYNC_FLUSH, Z_FULL_FLUSH }, NULL, true },
	{ { Z_SYNC_FLUSH, Z_FINISH }, NULL, true },
	{ { Z_FULL_FLUSH, Z_FINISH }, NULL, true },
	{ { Z_BLOCK, Z_SYNC_FLUSH }, NULL, true },
	{ { Z_BLOCK, Z_FINISH }, NULL, true },
	{ { Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FINISH }, NULL, true },
	{ { Z_PARTIAL_FLUSH, Z_FULL_FLUSH }, NULL, true },
	{ { Z_PARTIAL_FLUSH }, NULL, false },
	{ { Z_BLOCK }, NULL, false },
	{ { Z_SYNC_FLUSH }, "a4 NOOP\r\n", false },
	{ { Z_FINISH }, "a4 NOOP\r\n", false },
};

static void end(z_stream *z, struct stream *s, struct span *in)
{
	const struct ending *e = &endings[take(in) % (sizeof endings / sizeof *endings)];
	unsigned empty = take(in) % 4;
	bool is_finished = false;

	put(z, &s->raw, SPAN(SWITCH), e->more ? Z_NO_FLUSH : e->flush[0]);
	buf_puts(&s->said, SWITCH);
	for (int i = 0; i < 3 && e->flush[i]; i++) {
		if (e->more || i > 0)
			put(z, &s->raw, span_str(e->more && i == 0 ? e->more : ""),
			    e->flush[i]);
		is_finished |= e->flush[i] == Z_FINISH;
	}
	/* as of further flushes, which zlib leaves out when nothing was said */
	while (e->is_exact && !is_finished && empty-- > 0)
		buf_put(&s->raw, SPAN("\0\0\0\xff\xff"));
	s->is_exact = e->is_exact;
}

static void say_zlib(struct stream *s, struct span *in)
{
	z_stream z = { 0 };
	unsigned level = take(in), strategy = take(in), window = take(in),
		 memory = take(in);

	MUST(deflateInit2(&z, (int)(level % 10), Z_DEFLATED, -(int)(9 + window % 7),
			  (int)(1 + memory % 9), (int)(strategy % 5)) == Z_OK);
	speak(&z, s, in);
	end(&z, s, in);
	deflateEnd(&z);
}

/* What is plain begins with a tag: no control character (RFC 9051 section 9). */
static void say_behind(struct stream *s, struct span in)
{
	buf_put(&s->behind, in);
	if (in.n && (unsigned char)in.p[0] < ' ')
		s->behind.p[s->behind.off] |= '@';
	buf_puts(&s->behind, "b1 AUTHENTICATE PLAIN AHJvb3QAc2VjcmV0\r\n");
	buf_put(&s->raw, buf_span(&s->behind));
}

/* ---- sockets ---- */

struct end {
	struct net_stack *s; /* NULL: closed */
	int fd;		     /* the other end of its socket */
};

static void on_closed(struct net_stack *s, void *arg, const struct net_error *why)
{
	((struct end *)arg)->s = NULL;
	MUST(why->text[0]);
}

/* The owner reads by itself. */
static const struct net_events quiet = { .on_closed = on_closed };

static void end_open(struct loop *l, struct end *e, unsigned level)
{
	struct net_layer *layer = net_deflate_new((int)level);
	int fd[2];

	MUST(layer);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
	*e = (struct end){ .fd = fd[1] };
	MUST(net_open_fd(l, fd[0], NULL, &quiet, e, &e->s) == ERR_OK);
	net_layer_push(e->s, layer);
}

static void end_close(struct end *e)
{
	net_abort(e->s);
	close(e->fd);
}

/* What it has sent goes behind `to`. */
static void fetch(struct loop *l, struct end *e, struct buf *to)
{
	char bytes[20000];
	ssize_t n;

	for (int idle = 0; idle < IDLE_TURNS; idle++) {
		net_loop_turn(l, false);
		while ((n = recv(e->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
			buf_put(to, span_of(bytes, (size_t)n));
			idle = 0;
		}
	}
}

/* ---- our own client ---- */

static void say_own(struct loop *l, struct stream *s, struct span *in)
{
	unsigned level = take(in) % 10, steps = take(in) % 8, what = 0;
	struct end e;

	end_open(l, &e, level);
	while (steps-- > 0) {
		what = take(in);
		struct buf text = take_text(in, what >> 3);

		net_write(e.s, buf_span(&text));
		buf_put(&s->said, buf_span(&text));
		buf_done(&text);
		if (what & 1)
			net_flush(e.s);
		fetch(l, &e, &s->raw);
	}
	net_write(e.s, SPAN(SWITCH));
	buf_puts(&s->said, SWITCH);
	if (what & 2)
		net_flush(e.s);
	MUST(net_layer_end_out(e.s) == ERR_OK);
	net_flush(e.s);
	fetch(l, &e, &s->raw);
	end_close(&e);
	s->is_exact = true;
}

/* ---- the server's side ---- */

/* How the stream arrives. */
struct way {
	size_t most;   /* bytes in a piece */
	unsigned seed; /* of how many; 0: always `most` */
	unsigned late; /* pieces that come before the command is answered */
};

struct owner {
	struct end end;
	const struct stream *stream;
	struct buf in;
	unsigned late;
	bool has_read, has_answered, is_broken;
};

static const char answer[] = "* 1 EXISTS\r\na3 OK\r\n", plain[] = "b1 OK\r\n";

static void answer_it(struct owner *o)
{
	o->has_answered = true;
	net_write(o->end.s, span_str(answer));
	if (net_layer_pop(o->end.s) != ERR_OK)
		o->is_broken = true;
	else
		net_write(o->end.s, span_str(plain));
	net_flush(o->end.s);
}

static void follow(struct owner *o)
{
	ptrdiff_t n;

	while (o->end.s && !o->is_broken && !(o->has_read && !o->has_answered)) {
		size_t most = o->stream->said.n;

		if ((o->has_answered || o->in.n < most) &&
		    (n = net_read(o->end.s, &o->in)) <= 0) {
			o->is_broken = n == NET_ERR;
			return;
		}
		if (o->has_read || o->in.n < most)
			continue;
		/* as the server does: what is behind the command is not its own */
		net_unread(o->end.s, span_sub(buf_span(&o->in), most, o->in.n));
		buf_truncate(&o->in, most);
		o->has_read = true;
		if (o->late == 0)
			answer_it(o);
	}
}

static void go_on(struct loop *l, struct owner *o)
{
	net_loop_turn(l, false);
	follow(o);
}

static void receive(struct loop *l, const struct stream *s, struct way w, struct owner *o,
		    struct buf *out)
{
	struct span rest = buf_span(&s->raw);
	uint64_t had = 0;

	*o = (struct owner){ .stream = s, .late = w.late };
	end_open(l, &o->end, NET_DEFLATE_LEVEL);
	while (rest.n && o->end.s && !o->is_broken) {
		struct span piece = span_sub(
		    rest, 0, w.seed ? 1 + next_random(&w.seed) % w.most : w.most);

		MUST(send(o->end.fd, piece.p, piece.n, MSG_DONTWAIT | MSG_NOSIGNAL) ==
		     (ssize_t)piece.n);
		rest = span_sub(rest, piece.n, rest.n);
		go_on(l, o);
		if (o->has_read && !o->has_answered && o->end.s && --o->late == 0)
			answer_it(o);
	}
	if (o->has_read && !o->has_answered && o->end.s)
		answer_it(o);
	for (int idle = 0; idle < IDLE_TURNS && o->end.s; idle++) {
		go_on(l, o);
		if (o->end.s && net_counters(o->end.s).raw_in != had) {
			had = net_counters(o->end.s).raw_in;
			idle = 0;
		}
	}
	if (o->end.s)
		net_flush(o->end.s);
	fetch(l, &o->end, out);
	o->is_broken |= !o->end.s;
}

/* ---- what must hold ---- */

/* The answer is a whole stream with a sync flush at its end, and nothing behind it is. */
static void must_answer(struct span out)
{
	char text[sizeof answer];
	z_stream z = { 0 };

	MUST(span_ends(out, span_str(plain)));
	out = span_sub(out, 0, out.n - strlen(plain));
	MUST(span_ends(out, SPAN("\0\0\xff\xff")));
	MUST(inflateInit2(&z, -15) == Z_OK);
	z.next_in = (Bytef *)(uintptr_t)out.p;
	z.avail_in = (uInt)out.n;
	z.next_out = (Bytef *)text;
	z.avail_out = sizeof text;
	MUST(inflate(&z, Z_SYNC_FLUSH) == Z_OK);
	MUST(z.avail_in == 0 && z.total_out == sizeof answer - 1);
	MUST(memcmp(text, answer, sizeof answer - 1) == 0);
	inflateEnd(&z);
}

/* Behind a block: the last one, or one that ends between two bytes. */
static bool is_end(int data_type)
{
	return (data_type & 128) && ((data_type & 64) || !(data_type & 7));
}

/* What was read is what zlib reads; what is plain is the end of what came, and where it
 * begins zlib is at an end. */
static void must_be_zlibs(const struct stream *s, const struct owner *o)
{
	struct span up = span_sub(buf_span(&o->in), 0, s->said.n),
		    behind = span_sub(buf_span(&o->in), up.n, o->in.n),
		    raw = buf_span(&s->raw);
	char *text = malloc(up.n + 1);
	z_stream z = { 0 };
	int rc;

	MUST(text && span_ends(raw, behind));
	MUST(inflateInit2(&z, -15) == Z_OK);
	z.next_in = (Bytef *)(uintptr_t)raw.p;
	z.avail_in = (uInt)(raw.n - behind.n);
	z.next_out = (Bytef *)text;
	z.avail_out = (uInt)up.n + (behind.n > 0);
	do
		rc = inflate(&z, Z_BLOCK);
	while (rc == Z_OK && (z.avail_in || behind.n == 0) && z.avail_out);
	MUST(z.total_out == up.n && span_eq(span_of(text, up.n), up));
	if (behind.n)
		MUST(z.avail_in == 0 &&
		     (rc == Z_STREAM_END || z.total_in == 0 || is_end(z.data_type)));
	inflateEnd(&z);
	free(text);
}

static void must_hold(const struct stream *s, const struct owner *o, struct span out)
{
	struct span in = buf_span(&o->in);

	if (s->is_exact) {
		MUST(!o->is_broken && o->has_answered);
		MUST(span_starts(in, buf_span(&s->said)));
		MUST(span_eq(span_sub(in, s->said.n, in.n), buf_span(&s->behind)));
	}
	must_be_zlibs(s, o);
	if (o->has_answered && !o->is_broken)
		must_answer(out);
}

static void owner_done(struct owner *o)
{
	end_close(&o->end);
	buf_done(&o->in);
}

static void try_way(struct loop *l, const struct stream *s, struct way w,
		    const struct owner *whole)
{
	struct owner o;
	struct buf out = { 0 };

	receive(l, s, w, &o, &out);
	must_hold(s, &o, buf_span(&out));
	MUST(o.is_broken == whole->is_broken);
	if (!o.is_broken)
		MUST(span_eq(buf_span(&o.in), buf_span(&whole->in)));
	buf_done(&out);
	owner_done(&o);
}

static void run(struct loop *l, const struct stream *s, unsigned cuts, unsigned late)
{
	struct owner whole;
	struct buf out = { 0 };

	receive(l, s, (struct way){ .most = SIZE_MAX }, &whole, &out);
	must_hold(s, &whole, buf_span(&out));
	try_way(l, s, (struct way){ 1 + cuts, cuts + 1, late % 4 }, &whole);
	try_way(l, s, (struct way){ 7, late + 1, late / 4 }, &whole);
	if (s->raw.n <= ALONE_MOST)
		try_way(l, s, (struct way){ .most = 1, .late = late % 8 }, &whole);
	buf_done(&out);
	owner_done(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size < INPUT_MOST ? size : INPUT_MOST);
	struct stream s = { 0 };
	struct loop *l;

	if (size < 4)
		return 0;
	MUST(net_loop_new(&l) == ERR_OK);
	unsigned kind = take(&in), cuts = take(&in), late = take(&in);
	switch (kind) {
	case 'o':
		say_own(l, &s, &in);
		say_behind(&s, in);
		break;
	case 'r':
		for (unsigned n = take(&in) * 8 + take(&in) % 8; n > 0; n--)
			buf_putc(&s.said, 0); /* only how many they are is known */
		buf_put(&s.raw, in);
		break;
	default:
		say_zlib(&s, &in);
		say_behind(&s, in);
		break;
	}
	run(l, &s, cuts, late);
	buf_done(&s.raw);
	buf_done(&s.said);
	buf_done(&s.behind);
	net_loop_free(l);
	return 0;
}
