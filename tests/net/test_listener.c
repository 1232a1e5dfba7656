/* Listeners: ports, errors, and who gets a connection. */
#include "help.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "net/listener.h"

enum { LOOPS = 3 };

struct site {
	struct loop *loops[LOOPS];
	atomic_int n[LOOPS], sum, wrong_thread;
};

static void take(void *arg, struct loop *loop, int fd, const struct net_addr *peer)
{
	struct site *s = arg;
	for (int i = 0; i < LOOPS; i++)
		if (s->loops[i] == loop)
			s->n[i]++;
	if (!net_loop_is_here(loop) || !peer->is_loopback)
		s->wrong_thread++;
	s->sum++;
	close(fd);
}

static int dial(int family, uint16_t port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa = { .any.sa_family = (sa_family_t)family };
	if (family == AF_INET) {
		sa.v4.sin_port = htons(port);
		sa.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	} else {
		sa.v6.sin6_port = htons(port);
		sa.v6.sin6_addr = in6addr_loopback;
	}
	int fd = socket(family, SOCK_STREAM, 0);
	if (fd >= 0 && connect(fd, &sa.any, sizeof sa) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static struct net_listener *listen_ok(struct site *s, unsigned n_loops, const char *host)
{
	struct net_listener *x = NULL;
	struct net_error e = { 0 };
	struct net_listen o = { host, 0, s->loops, n_loops, take, s };
	if (net_listener_open(s->loops[0], &o, &x, &e) != ERR_OK)
		fail_msg("%s", e.text);
	assert_true(net_listener_port(x) > 0);
	return x;
}

static void connections_go_round_the_loops(void **state)
{
	struct site s = { 0 };
	for (int i = 0; i < LOOPS; i++)
		s.loops[i] = loop_make();
	struct net_listener *x = listen_ok(&s, LOOPS, "127.0.0.1");
	for (int i = 0; i < LOOPS; i++)
		net_loop_start(s.loops[i]);
	for (int i = 0; i < 4 * LOOPS; i++)
		close(dial(AF_INET, net_listener_port(x)));
	for (int i = 0; i < 5000 && s.sum < 4 * LOOPS; i++)
		usleep(1000);
	for (int i = 0; i < LOOPS; i++) {
		net_loop_stop(s.loops[i]);
		net_loop_join(s.loops[i]);
		assert_int_equal(s.n[i], 4);
	}
	assert_int_equal(s.wrong_thread, 0);
	net_listener_close(x);
	for (int i = 0; i < LOOPS; i++)
		net_loop_free(s.loops[i]);
}

static void a_port_in_use_is_named(void **state)
{
	struct site s = { .loops = { loop_make() } };
	struct net_listener *x = listen_ok(&s, 1, "127.0.0.1"), *y = NULL;
	struct net_listen o = { "127.0.0.1", net_listener_port(x), s.loops, 1, take, &s };
	struct net_error e = { 0 };
	char want[100];
	assert_int_equal(net_listener_open(s.loops[0], &o, &y, &e), ERR_BUSY);
	snprintf(want, sizeof want,
		 "cannot listen on 127.0.0.1 port %u: Address already in use",
		 (unsigned)o.port);
	assert_string_equal(e.text, want);
	assert_int_equal(e.sys, EADDRINUSE);
	o.host = "not-an-address";
	assert_int_equal(net_listener_open(s.loops[0], &o, &y, &e), ERR_INVAL);
	net_listener_close(x);
	net_listener_close(NULL);
	net_loop_free(s.loops[0]);
}

static void a_stopped_listener_lets_them_wait(void **state)
{
	struct site s = { .loops = { loop_make() } };
	struct net_listener *x = listen_ok(&s, 1, "127.0.0.1");
	net_listener_stop(x);
	int fd = dial(AF_INET, net_listener_port(x));
	assert_true(fd >= 0);
	settle(s.loops[0]);
	assert_int_equal(s.sum, 0);
	net_listener_resume(x);
	UNTIL(s.loops[0], s.sum == 1);
	close(fd);
	net_listener_close(x);
	net_loop_free(s.loops[0]);
}

static void any_address_takes_both_families(void **state)
{
	struct site s = { .loops = { loop_make() } };
	struct net_listener *x = listen_ok(&s, 1, "*");
	int v4 = dial(AF_INET, net_listener_port(x)),
	    v6 = dial(AF_INET6, net_listener_port(x));
	assert_true(v4 >= 0);
	int want = v6 >= 0 ? 2 : 1; /* a machine may lack IPv6 */
	UNTIL(s.loops[0], s.sum == want);
	assert_int_equal(s.wrong_thread, 0); /* ::ffff:127.0.0.1 is loopback too */
	close(v4);
	if (v6 >= 0)
		close(v6);
	net_loop_free(s.loops[0]); /* closes the listener */
}

static void a_closed_listener_refuses(void **state)
{
	struct site s = { .loops = { loop_make() } };
	struct net_listener *x = listen_ok(&s, 1, "127.0.0.1");
	uint16_t port = net_listener_port(x);
	net_listener_close(x);
	settle(s.loops[0]);
	assert_int_equal(dial(AF_INET, port), -1);
	net_loop_free(s.loops[0]);
}

/* ---- Unix sockets ---- */

struct place {
	char dir[64], path[96];
};

static struct place place_make(void)
{
	struct place p = { .dir = "/tmp/mailstile-listener-XXXXXX" };
	assert_non_null(mkdtemp(p.dir));
	snprintf(p.path, sizeof p.path, "%s/socket", p.dir);
	return p;
}

static int dial_path(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (const struct sockaddr *)(const void *)&sa, sizeof sa) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static enum err listen_path(struct site *s, const char *path, struct net_listener **ret,
			    struct net_error *why)
{
	const struct net_listen o = { .loops = s->loops,
				      .n_loops = 1,
				      .accept = take,
				      .arg = s,
				      .path = path,
				      .mode = 0620 };
	return net_listener_open(s->loops[0], &o, ret, why);
}

static void a_unix_socket_has_its_mode_and_goes_with_the_listener(void **state)
{
	struct site s = { .loops = { loop_make() } };
	struct place p = place_make();
	struct net_listener *x = NULL;
	struct stat st;
	assert_int_equal(listen_path(&s, p.path, &x, NULL), ERR_OK);
	assert_int_equal(net_listener_port(x), 0);
	assert_int_equal(stat(p.path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0620);
	int fd = dial_path(p.path);
	assert_true(fd >= 0);
	UNTIL(s.loops[0], s.sum == 1);
	assert_int_equal(s.wrong_thread, 0); /* it counts as loopback */
	close(fd);
	net_listener_close(x);
	assert_int_equal(lstat(p.path, &st), -1);
	assert_int_equal(rmdir(p.dir), 0);
	net_loop_free(s.loops[0]);
}

static void a_unix_socket_that_was_left_behind_is_replaced(void **state)
{
	struct site s = { .loops = { loop_make() } };
	struct place p = place_make();
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", p.path);
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(
	    bind(dead, (const struct sockaddr *)(const void *)&sa, sizeof sa), 0);
	close(dead);
	struct net_listener *x = NULL;
	assert_int_equal(listen_path(&s, p.path, &x, NULL), ERR_OK);
	int fd = dial_path(p.path);
	assert_true(fd >= 0);
	close(fd);
	net_listener_close(x);
	assert_int_equal(rmdir(p.dir), 0);
	net_loop_free(s.loops[0]);
}

static void what_is_in_use_or_no_socket_stays(void **state)
{
	struct site s = { .loops = { loop_make() } };
	struct place p = place_make();
	struct net_listener *x = NULL, *y = NULL;
	struct net_error why = { 0 };
	char want[200];
	assert_int_equal(listen_path(&s, p.path, &x, NULL), ERR_OK);
	assert_int_equal(listen_path(&s, p.path, &y, &why), ERR_BUSY);
	snprintf(want, sizeof want, "cannot listen on %s: Address already in use",
		 p.path);
	assert_string_equal(why.text, want);
	assert_true(unlink(p.path) == 0);
	FILE *f = fopen(p.path, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(listen_path(&s, p.path, &y, &why), ERR_EXISTS);
	net_listener_close(x); /* somebody else's file has taken its place */
	assert_int_equal(unlink(p.path), 0);
	assert_int_equal(rmdir(p.dir), 0);
	net_loop_free(s.loops[0]);
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
	struct site s = { .loops = { loop_make() } };
	struct net_listener *x = NULL;
	struct net_error why = { 0 };
	char path[200];
	memset(path, 'x', sizeof path);
	memcpy(path, "/tmp/", 5);
	path[sizeof path - 1] = 0;
	assert_int_equal(listen_path(&s, path, &x, &why), ERR_INVAL);
	path[sizeof(((struct sockaddr_un *)NULL)->sun_path)] = 0;
	assert_int_equal(listen_path(&s, path, &x, &why), ERR_INVAL);
	assert_int_equal(listen_path(&s, "", &x, &why), ERR_INVAL);
	assert_int_equal(listen_path(&s, "/nonexistent/folder/socket", &x, &why),
			 ERR_NOENT);
	net_loop_free(s.loops[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_go_round_the_loops),
		cmocka_unit_test(a_port_in_use_is_named),
		cmocka_unit_test(a_stopped_listener_lets_them_wait),
		cmocka_unit_test(any_address_takes_both_families),
		cmocka_unit_test(a_closed_listener_refuses),
		cmocka_unit_test(a_unix_socket_has_its_mode_and_goes_with_the_listener),
		cmocka_unit_test(a_unix_socket_that_was_left_behind_is_replaced),
		cmocka_unit_test(what_is_in_use_or_no_socket_stays),
		cmocka_unit_test(a_path_too_long_for_a_socket_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
