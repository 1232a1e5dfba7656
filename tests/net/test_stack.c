/* A stack without layers: order, ends, backpressure, and calls at the wrong time. */
#include "help.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/arena.h"

static void what_one_end_says_the_other_hears(void **state)
{
	struct loop *l = loop_make();
	struct peer a, b;
	pair_make(l, &a, &b);
	say(&a, "hello ");
	say(&a, "there");
	UNTIL(l, heard(&b, "hello there"));
	say(&b, "and back");
	UNTIL(l, heard(&a, "and back"));
	struct net_counters c = net_counters(a.s);
	assert_int_equal(c.raw_out, 11);
	assert_int_equal(c.plain_out, 11);
	assert_int_equal(c.raw_in, 8);
	assert_int_equal(c.plain_in, 8);
	peer_done(&a);
	peer_done(&b);
	net_loop_free(l);
}

static void nothing_is_sent_before_flush_and_then_in_one_piece(void **state)
{
	struct loop *l = loop_make();
	struct peer a;
	int fd = half_make(l, &a);
	char got[100];
	net_write(a.s, SPAN("one "));
	buf_puts(net_out(a.s), "two ");
	net_write(a.s, SPAN("three"));
	settle(l);
	assert_int_equal(recv(fd, got, sizeof got, 0), -1);
	assert_int_equal(net_queued(a.s), 13);
	net_flush(a.s);
	assert_int_equal(net_queued(a.s), 0);
	assert_int_equal(recv(fd, got, sizeof got, 0), 13);
	assert_int_equal(net_counters(a.s).plain_out, 13);
	close(fd);
	peer_done(&a);
	net_loop_free(l);
}

static void bytes_arrive_whole_when_sent_one_by_one(void **state)
{
	struct loop *l = loop_make();
	struct peer a;
	int fd = half_make(l, &a);
	for (const char *p = "a1 NOOP\r\n"; *p; p++) {
		size_t n = a.in.n;
		assert_int_equal(send(fd, p, 1, 0), 1);
		UNTIL(l, a.in.n == n + 1);
	}
	assert_true(heard(&a, "a1 NOOP\r\n"));
	close(fd);
	peer_done(&a);
	net_loop_free(l);
}

static void the_peers_end_comes_behind_its_bytes_and_we_can_still_answer(void **state)
{
	struct loop *l = loop_make();
	struct peer a;
	char got[10];
	int fd = half_make(l, &a);
	send(fd, "bye", 3, 0);
	shutdown(fd, SHUT_WR);
	UNTIL(l, a.has_eof);
	assert_true(heard(&a, "bye"));
	assert_int_equal(a.n_closed, 0);
	assert_int_equal(net_read(a.s, &a.in), NET_EOF);
	say(&a, "well");
	net_close_after_flush(a.s, 1000);
	a.s = NULL;
	settle(l);
	assert_int_equal(recv(fd, got, sizeof got, 0), 4);
	assert_int_equal(recv(fd, got, sizeof got, 0), 0);
	close(fd);
	peer_done(&a);
	net_loop_free(l);
}

static void what_was_unread_is_read_again_in_order(void **state)
{
	struct loop *l = loop_make();
	struct peer a;
	int fd = half_make(l, &a);
	send(fd, "abcdef", 6, 0);
	UNTIL(l, heard(&a, "abcdef"));
	assert_int_equal(net_raw_pending(a.s), 0);
	net_unread(a.s, SPAN("def"));
	net_unread(a.s, SPAN("c"));
	assert_int_equal(net_raw_pending(a.s), 4);
	buf_truncate(&a.in, 2);
	assert_int_equal(net_read(a.s, &a.in), 4);
	assert_true(heard(&a, "abcdef"));
	assert_int_equal(net_counters(a.s).plain_in, 6);
	close(fd);
	peer_done(&a);
	net_loop_free(l);
}

static size_t fill(int fd)
{
	static char block[65536];
	size_t sum = 0;
	ssize_t n;
	while ((n = send(fd, block, sizeof block, MSG_NOSIGNAL)) > 0)
		sum += (size_t)n;
	return sum;
}

static void an_owner_that_does_not_read_holds_the_peer(void **state)
{
	struct loop *l = loop_make();
	struct peer a;
	int fd = half_make(l, &a);
	a.is_lazy = true;
	size_t sent = 0;
	for (int i = 0; i < 50; i++) {
		sent += fill(fd);
		net_loop_turn(l, false);
	}
	assert_true(net_raw_pending(a.s) <= 32768);
	assert_int_equal(fill(fd), 0);
	a.is_lazy = false;
	UNTIL(l, (net_read(a.s, &a.in), a.in.n == sent));
	close(fd);
	peer_done(&a);
	net_loop_free(l);
}

static void a_held_stack_reads_nothing(void **state)
{
	struct loop *l = loop_make();
	struct peer a;
	int fd = half_make(l, &a);
	net_hold(a.s, true);
	send(fd, "x", 1, 0);
	settle(l);
	assert_int_equal(net_counters(a.s).raw_in, 0);
	net_hold(a.s, false);
	UNTIL(l, heard(&a, "x"));
	close(fd);
	peer_done(&a);
	net_loop_free(l);
}

static void a_slow_reader_costs_one_buffer_and_is_served_to_the_end(void **state)
{
	static char line[1000];
	struct loop *l = loop_make();
	struct peer a;
	char got[30000];
	size_t written = 0, read = 0, most = 0;
	int fd = half_make(l, &a);
	net_set_marks(a.s, 4000, 20000);
	memset(line, 'x', sizeof line);
	while (written < 3000000 || net_queued(a.s)) {
		int drained = a.n_drained;
		while (written < 3000000 && !net_is_full(a.s)) {
			net_write(a.s, span_of(line, sizeof line));
			written += sizeof line;
			most = net_queued(a.s) > most ? net_queued(a.s) : most;
		}
		net_flush(a.s);
		if (!net_is_full(a.s) && written < 3000000)
			continue;
		for (int i = 0; net_queued(a.s) && a.n_drained == drained && i < 100;
		     i++) {
			ssize_t n = recv(fd, got, sizeof got, 0);
			read += n > 0 ? (size_t)n : 0;
			net_loop_turn(l, false);
		}
	}
	for (ssize_t n; (n = recv(fd, got, sizeof got, 0)) > 0;)
		read += (size_t)n;
	assert_int_equal(read, written);
	assert_true(most <= 21000);
	assert_true(a.n_drained > 0);
	close(fd);
	peer_done(&a);
	net_loop_free(l);
}

static int tcp_pair(struct loop *l, struct peer *a)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof sin;
	int lis = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(lis, (struct sockaddr *)&sin, n), 0);
	listen(lis, 1);
	getsockname(lis, (struct sockaddr *)&sin, &n);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, n), 0);
	*a = (struct peer){ 0 };
	int got = accept4(lis, NULL, NULL, SOCK_NONBLOCK);
	assert_int_equal(net_open_fd(l, got, NULL, &peer_events, a, &a->s), ERR_OK);
	assert_string_equal(net_peer(a->s)->text, "127.0.0.1");
	assert_true(net_peer(a->s)->is_loopback);
	close(lis);
	return fd;
}

static void reset(int fd)
{
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
		   sizeof(struct linger));
	close(fd);
}

static void a_reset_is_told_once_and_calls_behind_it_are_harmless(void **state)
{
	struct loop *l = loop_make();
	struct peer a;
	reset(tcp_pair(l, &a));
	UNTIL(l, a.n_closed);
	assert_int_equal(a.why.sys, ECONNRESET);
	assert_int_equal(a.why.rc, ERR_CLOSED);
	settle(l);
	assert_int_equal(a.n_closed, 1);
	peer_done(&a);
	net_loop_free(l);
}

static void a_peer_that_vanishes_while_we_write_is_told_once(void **state)
{
	struct loop *l = loop_make();
	struct peer a;
	int fd = tcp_pair(l, &a);
	net_hold(a.s, true);
	reset(fd);
	usleep(1000);
	for (int i = 0; i < 10 && a.s; i++) {
		say(&a, "still there?");
		assert_true(net_read(a.s, &a.in) == 0 || net_read(a.s, &a.in) == NET_ERR);
	}
	UNTIL(l, a.n_closed);
	settle(l);
	assert_int_equal(a.n_closed, 1);
	peer_done(&a);
	net_loop_free(l);
}

static void a_blocked_writer_learns_that_the_peer_vanished(void **state)
{
	static char block[100000];
	struct loop *l = loop_make();
	struct peer a;
	int fd = tcp_pair(l, &a);
	net_hold(a.s, true);
	for (int i = 0; i < 200; i++) {
		net_write(a.s, span_of(block, sizeof block));
		net_flush(a.s);
	}
	assert_true(net_queued(a.s) > 0);
	settle(l);
	reset(fd);
	UNTIL(l, a.n_closed);
	peer_done(&a);
	net_loop_free(l);
}

static void abort_is_silent_and_immediate(void **state)
{
	struct loop *l = loop_make();
	struct peer a, b;
	pair_make(l, &a, &b);
	say(&b, "too late");
	net_abort(a.s);
	a.s = NULL;
	UNTIL(l, b.has_eof || b.n_closed);
	settle(l);
	assert_int_equal(a.n_readable + a.n_closed, 0);
	net_abort(NULL);
	peer_done(&a);
	peer_done(&b);
	net_loop_free(l);
}

static void abort_on_readable(struct net_stack *s, void *arg)
{
	struct buf b = { 0 };
	net_read(s, &b);
	buf_done(&b);
	net_write(s, SPAN("going"));
	net_flush(s);
	net_abort(s);
	(*(int *)arg)++;
}

static void an_owner_may_abort_inside_a_callback(void **state)
{
	static const struct net_events ev = { .on_readable = abort_on_readable };
	struct loop *l = loop_make();
	struct peer a, b;
	int n = 0;
	pair_make(l, &a, &b);
	net_set_owner(b.s, &ev, &n);
	say(&a, "x");
	UNTIL(l, n);
	UNTIL(l, a.has_eof || a.n_closed);
	assert_true(heard(&a, "going"));
	peer_done(&a);
	b.s = NULL;
	peer_done(&b);
	net_loop_free(l);
}

static void abort_when_told(struct net_stack *s, void *arg, const struct net_error *why)
{
	(*(int *)arg)++;
	net_write(s, SPAN("x"));
	net_flush(s);
	net_hold(s, true);
	net_close_after_flush(s, 10);
	net_abort(s);
}

static void an_owner_may_abort_when_told_that_it_is_closed(void **state)
{
	static const struct net_events ev = { .on_closed = abort_when_told };
	struct loop *l = loop_make();
	struct peer a;
	int n = 0;
	int fd = tcp_pair(l, &a);
	net_set_owner(a.s, &ev, &n);
	reset(fd);
	UNTIL(l, n);
	settle(l);
	assert_int_equal(n, 1);
	a.s = NULL;
	peer_done(&a);
	net_loop_free(l);
}

static void close_delivers_all_that_was_written(void **state)
{
	static char block[400000];
	struct loop *l = loop_make();
	struct peer a, b;
	pair_make(l, &a, &b);
	b.is_lazy = true;
	say(&b, "unread input, which would make the kernel reset the connection");
	settle(l);
	net_write(a.s, span_of(block, sizeof block));
	net_close_after_flush(a.s, 5000);
	a.s = NULL;
	settle(l);
	b.is_lazy = false;
	UNTIL(l, (net_read(b.s, &b.in), b.in.n == sizeof block));
	UNTIL(l, net_read(b.s, &b.in) == NET_EOF);
	assert_int_equal(b.n_closed, 0);
	assert_int_equal(a.n_closed, 0);
	peer_done(&a);
	peer_done(&b);
	net_loop_free(l);
}

static void a_peer_that_does_not_read_cannot_keep_a_closing_stack(void **state)
{
	static char block[800000];
	struct loop *l = loop_make();
	struct peer a;
	char c;
	int fd = half_make(l, &a);
	net_write(a.s, span_of(block, sizeof block));
	net_close_after_flush(a.s, 30);
	a.s = NULL;
	uint64_t end = clock_mono_ms() + 60;
	UNTIL(l, clock_mono_ms() > end);
	while (recv(fd, &c, 1, MSG_DONTWAIT) > 0 && recv(fd, block, sizeof block, 0) > 0)
		;
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	close(fd);
	peer_done(&a);
	net_loop_free(l);
}

static void a_loop_that_is_freed_takes_its_stacks_along(void **state)
{
	struct loop *l = loop_make();
	struct peer a, b;
	pair_make(l, &a, &b);
	say(&a, "x");
	net_loop_free(l);
	assert_int_equal(a.n_closed + b.n_closed, 0);
	a.s = b.s = NULL;
	peer_done(&a);
	peer_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_one_end_says_the_other_hears),
		cmocka_unit_test(nothing_is_sent_before_flush_and_then_in_one_piece),
		cmocka_unit_test(bytes_arrive_whole_when_sent_one_by_one),
		cmocka_unit_test(
		    the_peers_end_comes_behind_its_bytes_and_we_can_still_answer),
		cmocka_unit_test(what_was_unread_is_read_again_in_order),
		cmocka_unit_test(an_owner_that_does_not_read_holds_the_peer),
		cmocka_unit_test(a_held_stack_reads_nothing),
		cmocka_unit_test(a_slow_reader_costs_one_buffer_and_is_served_to_the_end),
		cmocka_unit_test(a_reset_is_told_once_and_calls_behind_it_are_harmless),
		cmocka_unit_test(a_peer_that_vanishes_while_we_write_is_told_once),
		cmocka_unit_test(a_blocked_writer_learns_that_the_peer_vanished),
		cmocka_unit_test(abort_is_silent_and_immediate),
		cmocka_unit_test(an_owner_may_abort_inside_a_callback),
		cmocka_unit_test(an_owner_may_abort_when_told_that_it_is_closed),
		cmocka_unit_test(close_delivers_all_that_was_written),
		cmocka_unit_test(a_peer_that_does_not_read_cannot_keep_a_closing_stack),
		cmocka_unit_test(a_loop_that_is_freed_takes_its_stacks_along),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
