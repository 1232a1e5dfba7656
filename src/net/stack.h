/*
 * One connection: a socket and the layers on it (net/layer.h).
 *
 * The owner pulls: bytes are read from the socket into a bounded buffer, and a
 * layer decodes one unit each time the owner calls net_read(). So a command that
 * changes the layers stops the reading at its own last byte.
 *
 * All calls are made on the loop's thread. Callbacks come from the loop, never
 * from inside a call to one of these functions.
 */
#ifndef NET_STACK_H
#define NET_STACK_H

#include "base/buf.h"
#include "net/addr.h"
#include "net/error.h"
#include "net/layer.h"
#include "net/loop.h"
#include "net/tls.h"

struct net_stack;

/* Any may be NULL. A callback may call anything, also net_abort(). */
struct net_events {
	/* net_connect() has succeeded. */
	void (*on_connected)(struct net_stack *s, void *arg);
	/* TLS stands (net_tls_facts()); bytes may have come already. */
	void (*on_handshake_done)(struct net_stack *s, void *arg);
	/*
	 * Something arrived, or the peer ended: net_read() until it returns 0 or NET_EOF.
	 * An owner that stops before that is not called again for what is already here:
	 * it reads on by itself when it can.
	 */
	void (*on_readable)(struct net_stack *s, void *arg);
	/* The output that was above the high-water mark has fallen to the low one. */
	void (*on_drained)(struct net_stack *s, void *arg);
	/*
	 * The connection broke: reset, write error, TLS failure, timeout, or could not be
	 * made. It is the last callback, and with its return the stack is gone. Not
	 * called when the owner closed or aborted, nor for the peer's orderly end
	 * (NET_EOF).
	 */
	void (*on_closed)(struct net_stack *s, void *arg, const struct net_error *why);
};

/*
 * A stack on a connected stream socket, which it owns from here on (closed on failure
 * too). `peer` NULL: asked of the socket. ERR_LIMIT when the loop cannot watch it.
 */
enum err net_open_fd(struct loop *l, int fd, const struct net_addr *peer,
		     const struct net_events *ev, void *arg,
		     struct net_stack **ret_stack);
/*
 * Connects: resolves `host`, tries its addresses in turn, all within `timeout_ms`. The
 * outcome is on_connected or on_closed. What is written before waits. Never fails at
 * once.
 */
struct net_stack *net_connect(struct loop *l, const char *host, uint16_t port,
			      uint64_t timeout_ms, const struct net_events *ev,
			      void *arg);
/* Other callbacks from now on; another owner. */
void net_set_owner(struct net_stack *s, const struct net_events *ev, void *arg);

/* A server's stack: the client is asked for a certificate at the next net_push_tls; it
 * need not have one, and one that does not verify counts as none. */
void net_ask_certificate(struct net_stack *s);
/*
 * Starts TLS behind what was written so far (not before on_connected), as the side the
 * context is made for. `host`: for clients, the name (or address) to verify and to send
 * as SNI. The handshake runs by itself and ends with on_handshake_done or on_closed;
 * after `timeout_ms` it has failed. What is written meanwhile waits.
 *
 * A server that upgrades (STARTTLS) looks at net_raw_pending() before: bytes behind the
 * command were injected in plain text (RFC 9051 section 6.2.1, RFC 3207 section 6).
 */
void net_push_tls(struct net_stack *s, struct net_tls *t, const char *host,
		  uint64_t timeout_ms);
bool net_is_tls(const struct net_stack *s); /* also while it is shaking hands */

enum { NET_EOF = -1, NET_ERR = -2 };
/*
 * Appends the plain bytes of one unit to `in` and returns how many. 0: nothing now,
 * on_readable will come. NET_EOF: the peer ended in order, and all was read. NET_ERR:
 * broken, on_closed will come. Without layers a unit is what has arrived, at most 16 KiB.
 */
ptrdiff_t net_read(struct net_stack *s, struct buf *in);
/*
 * Gives back bytes that were read last and are not for the owner: the next net_read()
 * begins with them, or the layer that is pushed next does.
 */
void net_unread(struct net_stack *s, struct span back);
/* Bytes that have arrived and were not read, in whatever layer; in raw size, so a hint
 * but for 0. */
size_t net_raw_pending(const struct net_stack *s);
/* Stops or resumes reading from the socket (backpressure on the peer). */
void net_hold(struct net_stack *s, bool is_held);

/* Appends to the output; it goes out with net_flush(). Silently dropped when broken. */
void net_write(struct net_stack *s, struct span plain);
/* The buffer net_write() appends to, for printing straight into it; only append. Get it
 * anew after each other call. */
struct buf *net_out(struct net_stack *s);
/* Encodes all that was written and gives it to the kernel in one write; the rest goes by
 * itself. */
void net_flush(struct net_stack *s);
/* Bytes written that the kernel has not accepted yet. */
size_t net_queued(const struct net_stack *s);
/*
 * The high-water mark is reached: write no more, flush, and if it is still full wait for
 * on_drained. Marks are 64 KiB and 16 KiB if not set.
 */
bool net_is_full(struct net_stack *s);
void net_set_marks(struct net_stack *s, size_t low, size_t high);
/*
 * How much memory an empty output buffer keeps, for who writes a lot: 0 at first. What
 * it keeps it does not wipe until it is told to keep less.
 */
void net_keep(struct net_stack *s, size_t bytes);

/*
 * Sends what was written, the farewells of the layers (close_notify) and FIN, waits for
 * the peer's FIN so that the last bytes are not lost to a reset, and frees the stack;
 * after `timeout_ms` at the latest. No callback comes any more.
 */
void net_close_after_flush(struct net_stack *s, uint64_t timeout_ms);
/* Closes now and frees the stack. No callback comes any more. NULL is fine. */
void net_abort(struct net_stack *s);

struct net_counters {
	uint64_t raw_in, raw_out;     /* on the socket */
	uint64_t plain_in, plain_out; /* by net_read() and net_write() */
};
struct net_counters net_counters(const struct net_stack *s);
const struct net_addr *net_peer(const struct net_stack *s);
struct loop *net_loop(const struct net_stack *s);

#endif
