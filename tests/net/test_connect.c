/* Connecting by name and address. */
#include "help.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "net/listener.h"

static void take(void *arg, struct loop *loop, int fd, const struct net_addr *peer)
{
	struct peer *p = arg;
	assert_int_equal(net_open_fd(loop, fd, peer, &peer_events, p, &p->s), ERR_OK);
}

static struct net_listener *listen_on(struct loop *l, const char *host, struct peer *b)
{
	struct net_listener *x = NULL;
	struct net_error e = { 0 };
	struct net_listen o = { host, 0, &l, 1, take, b };
	*b = (struct peer){ 0 };
	if (net_listener_open(l, &o, &x, &e) != ERR_OK)
		fail_msg("%s", e.text);
	return x;
}

static void what_was_written_before_goes_out_once_connected(void **state)
{
	struct loop *l = loop_make();
	struct peer a = { 0 }, b;
	struct net_listener *x = listen_on(l, "127.0.0.1", &b);
	a.s = net_connect(l, "127.0.0.1", net_listener_port(x), 5000, &peer_events, &a);
	say(&a, "early");
	assert_int_equal(net_read(a.s, &a.in), 0);
	UNTIL(l, heard(&b, "early"));
	assert_int_equal(a.n_connected, 1);
	assert_int_equal(net_counters(a.s).plain_out, 5);
	assert_string_equal(net_peer(a.s)->text, "127.0.0.1");
	assert_int_equal(net_peer(a.s)->port, net_listener_port(x));
	peer_done(&a);
	peer_done(&b);
	net_loop_free(l);
}

static void every_address_of_a_name_is_tried(void **state)
{
	/* localhost may be ::1 first, where nobody listens */
	struct loop *l = loop_make();
	struct peer a = { 0 }, b;
	struct net_listener *x = listen_on(l, "127.0.0.1", &b);
	a.s = net_connect(l, "localhost", net_listener_port(x), 5000, &peer_events, &a);
	UNTIL(l, a.n_connected && b.s);
	say(&b, "hi");
	UNTIL(l, heard(&a, "hi"));
	peer_done(&a);
	peer_done(&b);
	net_loop_free(l);
}

static void a_refusal_is_told_as_a_sentence(void **state)
{
	struct loop *l = loop_make();
	struct peer a = { 0 }, b;
	struct net_listener *x = listen_on(l, "127.0.0.1", &b);
	unsigned port = net_listener_port(x);
	char want[100];
	net_listener_close(x);
	a.s = net_connect(l, "127.0.0.1", (uint16_t)port, 5000, &peer_events, &a);
	UNTIL(l, a.n_closed);
	snprintf(want, sizeof want,
		 "cannot connect to 127.0.0.1 port %u: Connection refused", port);
	assert_string_equal(a.why.text, want);
	assert_int_equal(a.why.sys, ECONNREFUSED);
	assert_int_equal(a.n_connected, 0);
	peer_done(&a);
	net_loop_free(l);
}

static void a_name_that_cannot_be_is_told(void **state)
{
	struct loop *l = loop_make();
	struct peer a = { 0 };
	char long_name[400];
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = 0;
	a.s = net_connect(l, long_name, 143, 5000, &peer_events, &a);
	UNTIL(l, a.n_closed);
	assert_memory_equal(a.why.text, "cannot find the address of xxx", 30);
	peer_done(&a);
	net_loop_free(l);
}

/* A port whose queue is full: the kernel drops further SYNs, as a dead host would. */
static int full_port(uint16_t *ret_port, int *clients, int n)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	listen(fd, 0);
	getsockname(fd, (struct sockaddr *)&sin, &len);
	*ret_port = ntohs(sin.sin_port);
	for (int i = 0; i < n; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(clients[i], (struct sockaddr *)&sin, len);
	}
	return fd;
}

static void a_host_that_does_not_answer_is_given_up(void **state)
{
	struct loop *l = loop_make();
	struct peer a = { 0 };
	int clients[4];
	uint16_t port;
	int fd = full_port(&port, clients, 4);
	a.s = net_connect(l, "127.0.0.1", port, 100, &peer_events, &a);
	UNTIL(l, a.n_closed);
	assert_int_equal(a.why.sys, ETIMEDOUT);
	peer_done(&a);

	/* and may be aborted meanwhile, at any point */
	a.s = net_connect(l, "127.0.0.1", port, 5000, &peer_events, &a);
	peer_done(&a);
	a.s = net_connect(l, "127.0.0.1", port, 5000, &peer_events, &a);
	settle(l);
	net_close_after_flush(a.s, 100);
	a.s = net_connect(l, "127.0.0.1", port, 5000, &peer_events, &a);
	settle(l);
	net_loop_free(l);
	close(fd);
	for (int i = 0; i < 4; i++)
		close(clients[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_before_goes_out_once_connected),
		cmocka_unit_test(every_address_of_a_name_is_tried),
		cmocka_unit_test(a_refusal_is_told_as_a_sentence),
		cmocka_unit_test(a_name_that_cannot_be_is_told),
		cmocka_unit_test(a_host_that_does_not_answer_is_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
