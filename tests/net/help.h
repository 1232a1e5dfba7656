/* For the tests of net/: a peer that keeps book of its callbacks, socket pairs,
 * certificates. */
#ifndef TEST_NET_HELP_H
#define TEST_NET_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/cert.h"
#include "net/stack.h"

struct peer {
	struct net_stack *s; /* NULL: closed */
	struct buf in;	     /* what was read */
	bool is_lazy;	     /* does not read by itself */
	bool has_eof;
	int n_connected, n_done, n_readable, n_drained, n_closed;
	struct net_error why;
};

extern const struct net_events peer_events;

/* A loop that the test turns by hand. */
struct loop *loop_make(void);
/* Turns the loop until `cond`; the test fails after ten seconds. */
#define UNTIL(l, cond)                                                                   \
	do {                                                                             \
		uint64_t until_late = clock_mono_ms() + 10000;                           \
		while (!(cond)) {                                                        \
			if (clock_mono_ms() > until_late)                                \
				fail_msg("waited too long for: %s", #cond);              \
			net_loop_turn((l), false);                                       \
			usleep(50);                                                      \
		}                                                                        \
	} while (0)
/* Turns it for a while, for what should not happen. */
void settle(struct loop *l);

/* Two ends that talk to each other, over a socket pair. */
void pair_make(struct loop *l, struct peer *a, struct peer *b);
/* One end, and the descriptor of the other, which is not blocking. */
int half_make(struct loop *l, struct peer *a);
/* Two ends with the test in between: relay() carries at most `n` bytes each way. */
struct wire {
	int a, b;
	size_t carried;
};
void wire_make(struct loop *l, struct wire *w, struct peer *a, struct peer *b);
void wire_relay(struct wire *w, size_t n);
void wire_done(struct wire *w);
void peer_done(struct peer *p);			    /* aborts if it is still there */
void say(struct peer *p, const char *text);	    /* write and flush */
bool heard(const struct peer *p, const char *text); /* exactly that was read */

/* A certificate for localhost, 127.0.0.1 and mail.example in a folder of its own. */
struct cert {
	char dir[64], cert[96], key[96];
};
void cert_make(struct cert *c);
void cert_done(struct cert *c);
struct net_tls *server_tls(const struct cert *c);
struct net_tls *client_tls(const struct cert *c); /* verifies, trusts `c` */

#endif
