/*
 * Listeners, on a port or on a Unix socket. One loop accepts and hands the sockets
 * round to all loops in turn, so that two connections use two loops (SO_REUSEPORT would
 * leave it to a hash).
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <sys/types.h>

#include "net/addr.h"
#include "net/error.h"
#include "net/loop.h"

struct net_listener;

/*
 * A new connection, on the thread of `loop`. `fd` is non-blocking, close-on-exec,
 * with TCP_NODELAY, and the callee's: mostly for net_open_fd().
 */
typedef void net_accept_fn(void *arg, struct loop *loop, int fd,
			   const struct net_addr *peer);

struct net_listen {
	const char *host; /* a numeric address; NULL or "*": all, IPv6 and IPv4 */
	uint16_t port;	  /* 0: one that is free */
	struct loop *const *loops; /* who gets connections, in turn; copied */
	unsigned n_loops;	   /* at least 1 */
	net_accept_fn *accept;
	void *arg;
	const char *path; /* a Unix socket instead of host and port; copied */
	mode_t mode;	  /* of it: who may connect, 0660 */
};

/*
 * Listens, and accepts on `home`. A Unix socket that nobody listens on any more (a server
 * that was killed) is replaced; any other file in its place is ERR_EXISTS. On failure
 * `ret_error` says which address and why (ERR_DENIED, ERR_BUSY for an address in use,
 * ERR_INVAL, ERR_IO).
 */
enum err net_listener_open(struct loop *home, const struct net_listen *o,
			   struct net_listener **ret_listener,
			   struct net_error *ret_error);
/* The bound port; 0 of a Unix socket. */
uint16_t net_listener_port(const struct net_listener *l);
/* On home's thread: connections wait in the kernel, or are accepted again. */
void net_listener_stop(struct net_listener *l);
void net_listener_resume(struct net_listener *l);
/*
 * On home's thread. Closes the port, or removes the Unix socket; sockets on their way to
 * a loop are closed. `accept` may still be running on another loop while this returns,
 * but is not called afterwards on `home`; it frees itself. NULL is fine.
 */
void net_listener_close(struct net_listener *l);

#endif
