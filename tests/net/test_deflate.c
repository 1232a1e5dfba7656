/*
 * COMPRESS ends at an exact byte (RFC 4978; RFC 8437 section 4.1): what a client
 * compressed comes out, what it sent plainly behind UNAUTHENTICATE is not touched,
 * whatever its level, strategy, window and flush, and wherever the network cuts.
 */
#include "help.h"

#include <string.h>
#include <zlib.h>

#include "net/deflate.h"

#define SWITCH "a3 UNAUTHENTICATE\r\n"
#define PLAIN  "b1 AUTHENTICATE PLAIN AHJvb3QAc2VjcmV0\r\nb2 SELECT INBOX\r\n"

/* How a client makes its stream end. */
enum ending {
	SYNC,
	FULL,
	FINISH,
	SYNC_FINISH,
	SYNC_FULL,
	FULL_FINISH,
	BLOCK_SYNC,
	N_ENDINGS
};

struct client {
	int level, strategy, window, memory;
	enum ending ending;
	bool is_one_burst; /* all commands in one flush */
};

static void put(z_stream *z, struct buf *to, const char *text, int flush)
{
	z->next_in = (Bytef *)(uintptr_t)text;
	z->avail_in = (uInt)strlen(text);
	do {
		z->next_out = (Bytef *)buf_room(to, 70000);
		z->avail_out = 70000;
		int rc = deflate(z, flush);
		assert_true(rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR);
		buf_added(to, 70000 - z->avail_out);
	} while (z->avail_out == 0);
}

static void put_ending(z_stream *z, struct buf *to, const char *text, enum ending e)
{
	static const int steps[N_ENDINGS][2] = {
		{ Z_SYNC_FLUSH, 0 },
		{ Z_FULL_FLUSH, 0 },
		{ Z_FINISH, 0 },
		{ Z_SYNC_FLUSH, Z_FINISH },
		{ Z_SYNC_FLUSH, Z_FULL_FLUSH },
		{ Z_FULL_FLUSH, Z_FINISH },
		{ Z_BLOCK, Z_SYNC_FLUSH },
	};

	put(z, to, text, steps[e][0]);
	if (steps[e][1])
		put(z, to, "", steps[e][1]);
}

static void raw_of(const struct client *c, struct buf *to)
{
	z_stream z = { 0 };

	assert_int_equal(
	    deflateInit2(&z, c->level, Z_DEFLATED, -c->window, c->memory, c->strategy),
	    Z_OK);
	put(&z, to, "a1 NOOP\r\n", c->is_one_burst ? Z_NO_FLUSH : Z_SYNC_FLUSH);
	put(&z, to, "a2 FETCH 1 (FLAGS)\r\n",
	    c->is_one_burst ? Z_NO_FLUSH : Z_SYNC_FLUSH);
	put_ending(&z, to, SWITCH, c->ending);
	deflateEnd(&z);
	buf_puts(to, PLAIN);
}

static void push(struct peer *p, int level)
{
	struct net_layer *l = net_deflate_new(level);

	assert_non_null(l);
	net_layer_push(p->s, l);
}

static bool ends_with(const struct peer *p, const char *text)
{
	return span_ends(buf_span(&p->in), span_str(text));
}

/* Reads a unit at a time, as the server does, and takes the layer off behind SWITCH. */
static void follow(struct peer *p)
{
	while (p->s && net_read(p->s, &p->in) > 0)
		if (ends_with(p, SWITCH) && strcmp(net_layer_top(p->s), "deflate") == 0)
			assert_int_equal(net_layer_pop(p->s), ERR_OK);
}

static void send_piece(struct loop *l, int fd, struct peer *p, struct span s)
{
	uint64_t want = net_counters(p->s).raw_in + s.n;

	if (s.n == 0)
		return;
	assert_int_equal(send(fd, s.p, s.n, 0), s.n);
	/* waits in the loop: there are hundreds of thousands of pieces */
	while (net_counters(p->s).raw_in < want) {
		net_loop_turn(l, true);
		follow(p);
	}
}

static const char all[] = "a1 NOOP\r\na2 FETCH 1 (FLAGS)\r\n" SWITCH PLAIN;

static void run_cut(struct loop *l, struct span raw, size_t cut)
{
	struct peer p;
	int fd = half_make(l, &p);

	p.is_lazy = true;
	push(&p, 1);
	send_piece(l, fd, &p, span_sub(raw, 0, cut));
	send_piece(l, fd, &p, span_sub(raw, cut, raw.n));
	UNTIL(l, (follow(&p), p.in.n >= sizeof all - 1));
	assert_true(heard(&p, all));
	assert_string_equal(net_layer_top(p.s), "tcp");
	assert_int_equal(net_raw_pending(p.s), 0);
	close(fd);
	peer_done(&p);
}

/* A byte at a time. */
static void run_bytes(struct loop *l, struct span raw)
{
	struct peer p;
	int fd = half_make(l, &p);

	p.is_lazy = true;
	push(&p, 1);
	for (size_t i = 0; i < raw.n; i++)
		send_piece(l, fd, &p, span_sub(raw, i, 1));
	assert_true(heard(&p, all));
	close(fd);
	peer_done(&p);
}

static void run_client(struct loop *l, const struct client *c, bool every_cut)
{
	struct buf raw = { 0 };

	raw_of(c, &raw);
	run_cut(l, buf_span(&raw), 0);
	run_bytes(l, buf_span(&raw));
	for (size_t cut = 1; every_cut && cut < raw.n; cut++)
		run_cut(l, buf_span(&raw), cut);
	buf_done(&raw);
}

static void ends_exactly_for_all_levels_strategies_and_flushes(void **state)
{
	struct loop *l = loop_make();

	for (int level = 0; level <= 9; level++)
		for (int strategy = Z_DEFAULT_STRATEGY; strategy <= Z_FIXED; strategy++)
			for (int e = 0; e < N_ENDINGS; e++)
				for (int burst = 0; burst < 2; burst++)
					run_client(l,
						   &(struct client){ level, strategy, 15,
								     8, (enum ending)e,
								     burst != 0 },
						   false);
	net_loop_free(l);
}

static void ends_exactly_wherever_it_is_cut(void **state)
{
	struct loop *l = loop_make();

	for (int level = 0; level <= 9; level += 3)
		for (int strategy = Z_DEFAULT_STRATEGY; strategy <= Z_FIXED; strategy++)
			for (int e = 0; e < N_ENDINGS; e++)
				run_client(l,
					   &(struct client){ level, strategy, 15, 8,
							     (enum ending)e, e & 1 },
					   true);
	net_loop_free(l);
}

static void ends_exactly_for_all_windows(void **state)
{
	struct loop *l = loop_make();

	for (int window = 9; window <= 15; window++)
		for (int memory = 1; memory <= 9; memory++)
			run_client(l,
				   &(struct client){ 6, Z_DEFAULT_STRATEGY, window,
						     memory, SYNC, false },
				   window == 9 || memory == 1);
	net_loop_free(l);
}

/* Python's way: compressobj(wbits=-15), compress(), flush(Z_SYNC_FLUSH) or flush(). */
static void a_marker_that_comes_later_is_swallowed(void **state)
{
	static const struct client kinds[] = {
		{ 9, Z_DEFAULT_STRATEGY, 15, 8, SYNC, false },
		{ 0, Z_DEFAULT_STRATEGY, 15, 8, SYNC, false },
		{ 6, Z_FIXED, 15, 8, SYNC_FINISH, true },
	};
	struct loop *l = loop_make();

	for (size_t k = 0; k < 3; k++) {
		struct buf raw = { 0 };
		struct peer p;
		int fd = half_make(l, &p);
		size_t i = 0;

		raw_of(&kinds[k], &raw);
		p.is_lazy = true;
		push(&p, 1);
		while (!ends_with(&p, SWITCH))
			send_piece(l, fd, &p, span_sub(buf_span(&raw), i++, 1));
		/* the owner has its command and answers; what ends the stream is late */
		assert_string_equal(net_layer_top(p.s), "tcp");
		net_write(p.s, SPAN("a3 OK\r\n"));
		net_flush(p.s);
		settle(l);
		assert_true(ends_with(&p, SWITCH));
		send_piece(l, fd, &p, span_sub(buf_span(&raw), i, raw.n));
		assert_true(heard(&p, all));
		close(fd);
		peer_done(&p);
		buf_done(&raw);
	}
	net_loop_free(l);
}

/* Bytes of a block that goes on behind the switch: nobody could say whose they are. */
static void compressed_bytes_behind_the_switch_break_the_connection(void **state)
{
	struct loop *l = loop_make();
	z_stream z = { 0 };
	struct buf raw = { 0 };
	struct peer p;
	int fd = half_make(l, &p);
	size_t i = 0;

	p.is_lazy = true;
	push(&p, 1);
	deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_FIXED);
	put(&z, &raw, SWITCH "b1 NOOP\r\n", Z_SYNC_FLUSH);
	deflateEnd(&z);
	while (!ends_with(&p, SWITCH))
		send_piece(l, fd, &p, span_sub(buf_span(&raw), i++, 1));
	send(fd, raw.p + raw.off + i, raw.n - i, 0);
	UNTIL(l, (p.n_closed || (follow(&p), false)));
	assert_string_equal(p.why.text, "deflate: bytes behind the end of compression");
	assert_true(heard(&p, SWITCH));
	close(fd);
	peer_done(&p);
	buf_done(&raw);
	net_loop_free(l);
}

static void bytes_behind_a_finished_stream_break_the_connection(void **state)
{
	struct loop *l = loop_make();
	z_stream z = { 0 };
	struct buf raw = { 0 };
	struct peer p;
	int fd = half_make(l, &p);

	push(&p, 1);
	deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
	put(&z, &raw, "a1 NOOP\r\n", Z_FINISH);
	deflateEnd(&z);
	send(fd, raw.p + raw.off, raw.n, 0);
	UNTIL(l, heard(&p, "a1 NOOP\r\n"));
	settle(l);
	assert_int_equal(p.n_closed, 0);
	send(fd, "b", 1, 0);
	UNTIL(l, p.n_closed);
	assert_string_equal(p.why.text, "deflate: bytes behind the end of the stream");
	close(fd);
	peer_done(&p);
	buf_done(&raw);
	net_loop_free(l);
}

static void rubbish_breaks_the_connection(void **state)
{
	struct loop *l = loop_make();
	struct peer p;
	int fd = half_make(l, &p);

	push(&p, 1);
	send(fd, "a1 NOOP\r\n", 9, 0);
	UNTIL(l, p.n_closed);
	assert_true(span_starts(span_str(p.why.text), SPAN("deflate: ")));
	assert_int_equal(p.in.n, 0);
	close(fd);
	peer_done(&p);
	net_loop_free(l);
}

/* What a peer may make us hold does not depend on how well it compresses. */
static void a_bomb_is_read_in_small_pieces(void **state)
{
	struct loop *l = loop_make();
	z_stream z = { 0 };
	struct buf raw = { 0 };
	struct peer p;
	int fd = half_make(l, &p);
	static char zeros[10000000];
	size_t total = 0;

	memset(zeros, 'A', sizeof zeros - 1);
	p.is_lazy = true;
	push(&p, 1);
	deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
	put(&z, &raw, zeros, Z_SYNC_FLUSH);
	deflateEnd(&z);
	assert_true(raw.n < 24576);
	assert_int_equal(send(fd, raw.p + raw.off, raw.n, 0), raw.n);
	UNTIL(l, net_counters(p.s).raw_in == raw.n);
	while (total < sizeof zeros - 1) {
		ptrdiff_t n = net_read(p.s, &p.in);

		assert_true(n > 0 && n <= 65536);
		assert_true(net_raw_pending(p.s) <= 24576);
		total += (size_t)n;
		buf_take(&p.in, p.in.n);
	}
	assert_int_equal(net_read(p.s, &p.in), 0);
	close(fd);
	peer_done(&p);
	buf_done(&raw);
	net_loop_free(l);
}

/* --- both sides are ours ------------------------------------------------------ */

struct talk {
	struct loop *loop;
	struct peer client, server;
	struct wire w;
	bool has_answered;
};

static void serve(struct talk *t)
{
	follow(&t->server);
	if (!t->has_answered && strcmp(net_layer_top(t->server.s), "tcp") == 0) {
		t->has_answered = true;
		net_write(t->server.s, SPAN("b1 OK\r\n"));
		net_flush(t->server.s);
	}
}

/* Behind the OK of UNAUTHENTICATE the server's stream ends; ours ended with the command.
 */
static void listen_on(struct talk *t)
{
	struct peer *c = &t->client;

	while (net_read(c->s, &c->in) > 0)
		if (ends_with(c, "a3 OK\r\n"))
			assert_int_equal(net_layer_pop(c->s), ERR_OK);
}

static void run_talk(int level, size_t step)
{
	struct talk t = { .loop = loop_make() };
	static const char reply[] = "* 1 FETCH (FLAGS (\\Seen))\r\na3 OK\r\nb1 OK\r\n";

	wire_make(t.loop, &t.w, &t.client, &t.server);
	t.client.is_lazy = t.server.is_lazy = true;
	push(&t.client, level);
	push(&t.server, level);
	net_write(t.client.s, SPAN("a1 NOOP\r\n"));
	net_flush(t.client.s);
	net_write(t.client.s, SPAN("a2 FETCH 1 (FLAGS)\r\n" SWITCH));
	assert_int_equal(net_layer_end_out(t.client.s), ERR_OK);
	assert_string_equal(net_layer_top(t.client.s), "deflate");
	net_write(t.client.s, SPAN(PLAIN));
	net_flush(t.client.s);
	/* the server's pop() is in follow(): its OK has to be written before */
	net_write(t.server.s, SPAN("* 1 FETCH (FLAGS (\\Seen))\r\na3 OK\r\n"));
	UNTIL(t.loop,
	      (wire_relay(&t.w, step), serve(&t), listen_on(&t),
	       t.client.in.n >= sizeof reply - 1 && t.server.in.n >= sizeof all - 1));
	assert_true(heard(&t.server, all));
	assert_true(heard(&t.client, reply));
	assert_string_equal(net_layer_top(t.client.s), "tcp");
	assert_int_equal(net_counters(t.client.s).plain_out, sizeof all - 1);
	assert_int_equal(net_counters(t.client.s).plain_in, sizeof reply - 1);
	assert_int_equal(net_counters(t.server.s).plain_out, sizeof reply - 1);
	wire_done(&t.w);
	peer_done(&t.client);
	peer_done(&t.server);
	net_loop_free(t.loop);
}

static void both_directions_end_exactly_at_every_cut(void **state)
{
	for (int level = 0; level <= 9; level++) {
		run_talk(level, 100000);
		for (size_t step = 1; step < 160; step += level == 1 ? 1 : 7)
			run_talk(level, step);
	}
}

static void large_output_comes_out_whole(void **state)
{
	struct loop *l = loop_make();
	struct peer a, b;
	struct buf text = { 0 };
	unsigned seed = 1;

	pair_make(l, &a, &b);
	push(&a, NET_DEFLATE_LEVEL);
	push(&b, NET_DEFLATE_LEVEL);
	for (int i = 0; i < 300000; i++) {
		seed = seed * 1103515245u + 12345u;
		buf_putc(&text,
			 (char)(i / 50000 % 2 ? seed >> 16 : 'a' + (seed >> 16) % 8));
	}
	for (size_t at = 0; at < text.n; at += 9973) {
		net_write(a.s, span_sub(buf_span(&text), at, 9973));
		net_flush(a.s);
	}
	UNTIL(l, b.in.n >= text.n);
	assert_true(span_eq(buf_span(&b.in), buf_span(&text)));
	assert_true(net_counters(a.s).raw_out < text.n * 3 / 4);
	peer_done(&a);
	peer_done(&b);
	buf_done(&text);
	net_loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_exactly_for_all_levels_strategies_and_flushes),
		cmocka_unit_test(ends_exactly_wherever_it_is_cut),
		cmocka_unit_test(ends_exactly_for_all_windows),
		cmocka_unit_test(a_marker_that_comes_later_is_swallowed),
		cmocka_unit_test(compressed_bytes_behind_the_switch_break_the_connection),
		cmocka_unit_test(bytes_behind_a_finished_stream_break_the_connection),
		cmocka_unit_test(rubbish_breaks_the_connection),
		cmocka_unit_test(a_bomb_is_read_in_small_pieces),
		cmocka_unit_test(both_directions_end_exactly_at_every_cut),
		cmocka_unit_test(large_output_comes_out_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
