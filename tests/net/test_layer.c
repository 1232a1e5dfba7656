/*
 * Layers go on and off at an exact byte. The layer here frames by a length byte, with the
 * bytes turned round; a length of 0 ends it.
 */
#include "help.h"

struct framed {
	struct net_layer layer;
	char key;
};

static enum net_unit decode(struct net_layer *l, struct buf *from, struct buf *to)
{
	struct framed *f = (struct framed *)(void *)l;
	struct span s = buf_span(from);
	l->want = 1;
	if (s.n == 0)
		return NET_MORE;
	size_t n = (unsigned char)s.p[0];
	if (n == 0) {
		if (!l->is_finishing)
			return NET_FAIL;
		buf_take(from, 1);
		return NET_END;
	}
	l->want = n + 1;
	if (s.n < n + 1)
		return NET_MORE;
	for (size_t i = 1; i <= n; i++)
		buf_putc(to, (char)(s.p[i] ^ f->key));
	buf_take(from, n + 1);
	l->want = 0;
	return NET_UNIT;
}

static enum err encode(struct net_layer *l, struct buf *from, struct buf *to)
{
	struct framed *f = (struct framed *)(void *)l;
	while (from->n) {
		struct span s = span_sub(buf_span(from), 0, 200);
		buf_putc(to, (char)s.n);
		for (size_t i = 0; i < s.n; i++)
			buf_putc(to, (char)(s.p[i] ^ f->key));
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

static void push(struct peer *p, char key)
{
	struct framed *f = calloc(1, sizeof *f);
	f->layer.ops = &framed_ops;
	f->key = key;
	net_layer_push(p->s, &f->layer);
}

static void pop(struct peer *p)
{
	assert_int_equal(net_layer_pop(p->s), ERR_OK);
}

/* One write that goes through plain, framed, plain, twice framed, plain. */
static void say_it_all(struct peer *a)
{
	net_write(a->s, SPAN("<1>"));
	push(a, 1);
	net_write(a->s, SPAN("<2>"));
	net_flush(a->s);
	net_write(a->s, SPAN("<3>"));
	pop(a);
	assert_string_equal(net_layer_top(a->s), "tcp");
	net_write(a->s, SPAN("<4>"));
	push(a, 2);
	push(a, 3);
	net_write(a->s, SPAN("<5>"));
	pop(a);
	assert_string_equal(net_layer_top(a->s), "framed");
	pop(a);
	net_write(a->s, SPAN("<6>"));
	net_flush(a->s);
}

/* Reads one unit at a time and changes the layers behind the words that say so. */
static void follow(struct peer *b)
{
	while (net_read(b->s, &b->in) > 0) {
		/* without a layer a unit is what has arrived: keep to the next switch */
		static const char *const stops[] = { "<1>", "<1><2><3><4>" };
		for (int i = 0; i < 2; i++) {
			size_t n = strlen(stops[i]);
			if (b->in.n > n &&
			    span_starts(buf_span(&b->in), span_str(stops[i])) &&
			    strcmp(net_layer_top(b->s), "tcp") == 0 &&
			    b->n_drained == i) {
				net_unread(b->s, span_sub(buf_span(&b->in), n, b->in.n));
				buf_truncate(&b->in, n);
			}
		}
		if (heard(b, "<1>") && b->n_drained == 0) {
			push(b, 1);
			b->n_drained = 1;
		} else if (heard(b, "<1><2><3>")) {
			pop(b);
		} else if (heard(b, "<1><2><3><4>") && b->n_drained == 1) {
			push(b, 2);
			push(b, 3);
			b->n_drained = 2;
		} else if (heard(b, "<1><2><3><4><5>")) {
			pop(b);
			pop(b);
		}
	}
}

static void run(size_t step)
{
	struct loop *l = loop_make();
	struct peer a, b;
	struct wire w;
	wire_make(l, &w, &a, &b);
	b.is_lazy = true;
	say_it_all(&a);
	UNTIL(l, (wire_relay(&w, step), follow(&b), heard(&b, "<1><2><3><4><5><6>")));
	assert_string_equal(net_layer_top(b.s), "tcp");
	assert_int_equal(net_counters(a.s).plain_out, 18);
	assert_int_equal(net_counters(b.s).plain_in, 18);
	assert_int_equal(net_raw_pending(b.s), 0);
	/* the other direction ended where it was popped */
	net_flush(b.s);
	say(&b, "<7>");
	UNTIL(l, (wire_relay(&w, 100), net_counters(a.s).raw_in > 5));
	wire_done(&w);
	peer_done(&a);
	peer_done(&b);
	net_loop_free(l);
}

static void layers_change_at_the_byte_when_all_comes_at_once(void **state)
{
	run(10000);
}

static void layers_change_at_the_byte_at_every_cut(void **state)
{
	for (size_t step = 1; step < 50; step++)
		run(step);
}

static void a_layer_with_unread_bytes_is_not_popped(void **state)
{
	struct loop *l = loop_make();
	struct peer a, b;
	pair_make(l, &a, &b);
	push(&a, 7);
	push(&b, 7);
	say(&a, "one two");
	UNTIL(l, heard(&b, "one two"));
	net_unread(b.s, SPAN("two"));
	assert_int_equal(net_layer_pop(b.s), ERR_INVAL);
	assert_int_equal(net_read(b.s, &b.in), 3);
	assert_int_equal(net_layer_pop(b.s), ERR_OK);
	peer_done(&a);
	peer_done(&b);
	net_loop_free(l);
}

static void bytes_a_layer_cannot_decode_end_the_connection(void **state)
{
	struct loop *l = loop_make();
	struct peer a, b;
	pair_make(l, &a, &b);
	push(&b, 7);
	net_write(a.s, span_of("\0", 1));
	net_flush(a.s);
	UNTIL(l, b.n_closed);
	assert_string_equal(b.why.text, "bytes that framed cannot decode");
	peer_done(&a);
	peer_done(&b);
	net_loop_free(l);
}

static void layers_stand_on_tls_too_and_say_goodbye_below(void **state)
{
	struct loop *l = loop_make();
	struct cert cert;
	struct peer a, b;
	cert_make(&cert);
	struct net_tls *server = server_tls(&cert), *client = client_tls(&cert);
	pair_make(l, &a, &b);
	net_push_tls(a.s, client, "localhost", 10000);
	net_push_tls(b.s, server, NULL, 10000);
	UNTIL(l, a.n_done && b.n_done);
	push(&a, 7);
	push(&b, 7);
	say(&a, "framed ");
	UNTIL(l, heard(&b, "framed "));
	pop(&b);
	net_write(b.s, SPAN("plain from here"));
	net_flush(b.s);
	pop(&a);
	UNTIL(l, heard(&a, "plain from here"));
	net_write(a.s, SPAN("and the last"));
	net_close_after_flush(a.s, 1000);
	a.s = NULL;
	UNTIL(l, b.has_eof);
	assert_true(heard(&b, "framed and the last"));
	net_tls_unref(server);
	net_tls_unref(client);
	peer_done(&a);
	peer_done(&b);
	net_loop_free(l);
	cert_done(&cert);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layers_change_at_the_byte_when_all_comes_at_once),
		cmocka_unit_test(layers_change_at_the_byte_at_every_cut),
		cmocka_unit_test(a_layer_with_unread_bytes_is_not_popped),
		cmocka_unit_test(bytes_a_layer_cannot_decode_end_the_connection),
		cmocka_unit_test(layers_stand_on_tls_too_and_say_goodbye_below),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
