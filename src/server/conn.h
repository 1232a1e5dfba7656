/*
 * A connection: what outlives a user (DESIGN in doc/rooms.md). Everything
 * that belongs to the user is in conn->session, which UNAUTHENTICATE replaces
 * as a whole. A field added here is kept for the next user: it needs a reason.
 */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include <stdatomic.h>

#include "auth/throttle.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/stack.h"
#include "server/server.h"
#include "wire/frame.h"

struct session;
struct cmd;
struct lmtp;

/* One loop thread and its connections. */
struct server_loop {
	struct server *server;
	struct loop *loop;
	struct executor *home; /* of the loop */
	struct conn *conns;
	size_t n_conns;
	struct lmtp *lmtps;		 /* lmtp.h */
	size_t orphans;			 /* ops whose connection has gone */
	struct task reload, stop, abort; /* posted by server.c */
	_Atomic bool is_reload_posted;
	bool is_stopping, is_over;
	struct net_timer stopping;
	size_t n_large;		 /* conns that hold more than their share (overload.h) */
	uint64_t short_since_ms; /* of memory; 0: it is not */
	struct net_timer memory;
	struct net_timer recheck; /* recheck.h */
	bool is_rechecking;
};

enum registry { REGISTRY_UNKNOWN, REGISTRY_ABSENT, REGISTRY_THERE };

struct server {
	struct server_config
	    config; /* as given; strings and listeners are the caller's */
	struct server_loop *loop;
	unsigned n_loops;
	struct net_listener **listener;
	struct listener_of *accepting; /* server.c */
	struct throttle *throttle;     /* failed logins by address */
	struct slots *sessions;	       /* by account */
	struct slots *addresses;       /* connections by address */
	struct overload *overload;     /* memory and descriptors */
	struct guarded *guarded;       /* server.c: what loops share behind a mutex */
	/* place.c: whether anybody shares with groups or everybody (ACL_REGISTRY) */
	atomic_int registry;
};

/* What ID told us (RFC 2971): for the log only. */
struct peer_id {
	char *text;	/* "name=x version=y", printable, bounded */
	unsigned epoch; /* in which it was given (D14) */
};

struct conn {
	struct server_loop *home;
	struct server *server;
	struct conn *prev, *next;
	const struct server_listener *listener;
	struct arena *arena;
	struct net_stack *net;
	struct buf in; /* pulled from net, not parsed */
	struct frame frame;
	uint64_t number;      /* in the log */
	struct net_addr peer; /* for log and policy */
	bool has_tls;
	struct peer_id id;
	uint64_t started_ms;
	unsigned epoch;			   /* logins so far */
	uint64_t ended_commands;	   /* of the sessions that ended: for the log */
	struct net_counters last_counters; /* when net has gone */
	unsigned bad_commands;		   /* abuse counters: not a user's (D8) */
	unsigned failed_logins;
	uint64_t switch_window_ms; /* start of the current minute */
	unsigned switches;	   /* in it */
	uint64_t literal_left;	   /* of the literal being streamed */
	bool is_literal_held;	   /* the command takes no more now */
	uint64_t charged;	   /* bytes that wait here, as last counted (overload.h) */
	uint64_t large_since_ms;   /* they are more than its share */
	bool is_short;		   /* of memory: nothing is read for the command in hand */
	bool is_pumping, is_closing, is_posted, is_greeted, has_address_slot;
	const char *bye_text;	   /* to be said when the running command has ended */
	struct net_timer deadline; /* silence, or output that is not read */
	bool is_stuck;		   /* the deadline is for output that is not read */
	uint64_t stuck_raw_out;	   /* what had gone out when it was set */
	struct net_timer progress; /* of the running command (progress.h) */
	bool has_progress;
	struct net_timer sleep;	   /* cmd_sleep */
	struct task again; /* CMD_YIELD, or a long pipeline: other connections first */
	struct cmd *cmd;   /* the running command */
	struct session *session;
};

/* Takes over an accepted socket, on its loop. */
void conn_accept(struct server_loop *home, const struct server_listener *l, int fd,
		 const struct net_addr *peer);
/* Untagged BYE with a reason (static), then close; a command in flight ends first. */
void conn_bye(struct conn *c, const char *text);
/* Closes at once, nothing said. */
void conn_abort(struct conn *c);
/* The account of the session has changed: an IDLE command tells. */
void conn_changed(struct conn *c);
/* A streaming command takes bytes again. */
void conn_literal_go(struct conn *c);
/* May a password be sent now: TLS, or loopback on a listener that allows it. */
bool conn_may_login(const struct conn *c);
bool conn_may_starttls(const struct conn *c);

#endif
