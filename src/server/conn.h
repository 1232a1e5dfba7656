/*
 * A connection: what outlives a user (DESIGN in doc/rooms.md). Everything
 * that belongs to the user is in conn->session, which UNAUTHENTICATE replaces
 * as a whole. A field added here is kept for the next user: it needs a reason.
 */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include "net/loop.h"
#include "net/stack.h"
#include "server/server.h"
#include "wire/frame.h"

struct session;
struct cmd;

/* One loop thread and its connections. */
struct server_loop {
	struct server *server;
	struct loop *loop;
	struct executor *home;     /* of the loop */
	struct conn *conns;        /* doubly linked */
	size_t n_conns;
	bool is_stopping;
	struct task wake;          /* reload or stop */
};

struct server {
	struct server_config config; /* deep copy */
	struct server_loop *loop;
	unsigned n_loops;
	struct shared_state *shared; /* server.c: what loops share, behind its mutex */
};

/* What ID told us (RFC 2971): for the log only. */
struct peer_id {
	char *text;         /* "name=x version=y", printable, bounded */
	unsigned epoch;     /* in which it was given (D14) */
};

struct conn {
	struct server_loop *home;
	struct server *server;
	struct conn *prev, *next;
	const struct server_listener *listener;
	struct arena *arena;
	struct net_stack *net;
	struct buf in;             /* pulled from net, not parsed */
	struct frame frame;
	struct frame_limits frame_limits;
	uint64_t number;           /* in the log */
	char peer[64];             /* address, for log and policy */
	bool peer_is_loopback;
	bool has_tls;
	struct peer_id id;
	uint64_t started_ms;
	unsigned epoch;            /* logins so far */
	unsigned bad_commands;     /* abuse counters: not a user's (D8) */
	unsigned failed_logins;
	uint64_t switch_window_ms; /* start of the current minute */
	unsigned switches;         /* in it */
	uint64_t literal_left;     /* being streamed or skipped */
	enum { READ_COMMAND, READ_SKIP_LITERAL, READ_SKIP_TEXT, READ_STREAM, READ_STREAM_TEXT } reading;
	bool is_pumping, is_closing, is_bye_due;
	bool literal_held;         /* the command takes no more now */
	const char *bye_text;      /* why, when is_bye_due */
	struct net_timer timer;    /* the one deadline */
	struct net_timer retry;    /* a delayed continuation: failed login, switch rate */
	struct task pump_task;     /* CMD_YIELD */
	bool pump_posted;
	struct cmd *cmd;           /* the running command */
	struct session *session;
};

/* Takes over an accepted socket, on its loop. */
void conn_accept(struct server_loop *home, const struct server_listener *l, int fd,
		 const char *peer, bool is_loopback);
/* Untagged BYE with a reason, then close; a running command finishes first unless `now`. */
void conn_bye(struct conn *c, const char *text, bool now);
/* Reads, dispatches, runs, flushes: called when anything has happened. */
void conn_pump(struct conn *c);
/* A streaming command takes bytes again. */
void conn_literal_go(struct conn *c);
/* Counts a failed login; returns true when the connection must end. */
bool conn_login_failed(struct conn *c);
/* Sets the deadline that fits the state (D11). */
void conn_deadline(struct conn *c);
/* May a password be sent now: TLS, or loopback on a listener that allows it. */
bool conn_may_login(const struct conn *c);
bool conn_may_starttls(const struct conn *c);

#endif
