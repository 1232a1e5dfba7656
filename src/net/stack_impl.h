/* Inside of a stack, for net/ alone. */
#ifndef NET_STACK_IMPL_H
#define NET_STACK_IMPL_H

#include "net/loop_impl.h"
#include "net/stack.h"

enum stack_state {
	STACK_CONNECTING,
	STACK_OPEN,
	STACK_CLOSING, /* the owner has left; output and farewells go out */
	STACK_GONE,    /* to be freed when libuv and the executor let go of it */
};

struct connect;

struct net_stack {
	struct loop *loop;
	struct net_stack *next, **link; /* in the loop's list */
	const struct net_events *ev;
	void *arg;
	enum stack_state state;
	int fd;
	uv_poll_t poll;
	bool has_poll;
	int poll_events;      /* what libuv watches for us */
	struct net_layer tcp; /* up: received; out: to be sent */
	struct net_layer *top;
	struct net_layer *shaking; /* the TLS layer whose handshake runs, or NULL */
	struct connect *connect;   /* while connecting */
	struct net_timer timer;	   /* for the handshake, then for closing */
	struct task kick;	   /* makes stack_settle() run soon */
	bool asks_certificate;
	bool is_kicked, is_held;
	bool has_eof;	 /* the peer's FIN has come */
	bool is_blocked; /* the kernel takes no more for now */
	bool is_over;	 /* the high-water mark was reached */
	bool has_shut;	 /* our FIN is out */
	unsigned busy;	 /* callbacks under way: not freed below them */
	struct net_error *fault;
	size_t low, high;
	size_t kept;	    /* memory that an empty output buffer keeps */
	size_t out_counted; /* of top->out, in plain_out already */
	struct net_counters counters;
	struct net_addr peer;
};

/* stack.c */
struct net_stack *stack_new(struct loop *l, const struct net_events *ev, void *arg);
/* The first failure counts; on_closed comes soon. */
void stack_fault(struct net_stack *s, const struct net_error *e);
void stack_kick(struct net_stack *s);
/* Goes on with the handshake, tells the owner what happened. */
void stack_settle(struct net_stack *s, bool is_readable);
/* Encodes all output down to tcp. */
void stack_encode(struct net_stack *s);
void stack_count_out(struct net_stack *s);

/* tcp.c */
/* Takes the socket in; -errno of libuv, then the socket is closed. */
int tcp_open(struct net_stack *s, int fd);
/* Sends once. */
void tcp_send(struct net_stack *s);
/* Watches for what the state asks for. */
void tcp_watch(struct net_stack *s);
/* How many received bytes may wait to be decoded. */
size_t tcp_limit(const struct net_stack *s);

/* close.c */
void close_step(struct net_stack *s); /* goes on with closing in order */
/* Orderly, but without an owner: for what a layer's failure has still to say. */
void close_begin(struct net_stack *s, uint64_t timeout_ms);
void stack_dispose(struct net_stack *s); /* closes at once */
void stack_release(struct net_stack *s); /* frees if nothing holds it */

/* connect.c */
void connect_abandon(struct connect *c); /* NULL is fine */

/* tls_layer.c */
struct net_layer *tls_layer_new(struct net_tls *t, const char *host,
				bool asks_certificate);
/* Starts the handshake; the layer is on the stack. */
enum err tls_layer_start(struct net_layer *l);
bool tls_layer_is_done(const struct net_layer *l);

#endif
