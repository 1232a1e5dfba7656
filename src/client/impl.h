/* What the files of the client share; see client.h for what it is. */
#ifndef CLIENT_IMPL_H
#define CLIENT_IMPL_H

#include "client/client.h"
#include "client/sasl.h"
#include "net/stack.h"
#include "wire/frame.h"

enum phase {
	PHASE_OFF,     /* no connection */
	PHASE_CONNECT, /* TCP, then TLS if implicit */
	PHASE_GREETING,
	PHASE_UPGRADE, /* STARTTLS sent, or shaking hands */
	PHASE_OPEN,    /* not authenticated; capabilities may have to be asked */
	PHASE_IN,      /* logged in, for c->user */
};

/* A place in a command's text where the sender stops. */
enum mark_kind {
	MARK_WAIT,   /* "+" must come first */
	MARK_HOLD,   /* IDLE: until its owner, or what stands behind it, wants on */
	MARK_SOURCE, /* bytes of a file, or of a function */
};

struct mark {
	size_t at;
	enum mark_kind kind;
	int fd; /* -1: `read` gives them */
	ptrdiff_t (*read)(void *arg, char *into, size_t n);
	void *arg;
	uint64_t bytes;
};

/* What a command is to the client itself. */
enum role {
	ROLE_USER,
	ROLE_CAPABILITY,
	ROLE_STARTTLS,
	ROLE_AUTHENTICATE,
	ROLE_UNAUTHENTICATE,
	ROLE_COMPRESS
};

struct client_cmd {
	struct client_cmd *next;
	struct client *client;
	struct arena *arena;
	const struct client_calls *calls;
	void *arg;
	enum role role;
	char tag[16];
	struct buf text;
	struct mark *mark;
	size_t marks, mark_cap;
	size_t scanned; /* text looked through for literals */
	/* Sending. */
	size_t sent, next_mark;
	uint64_t file_sent;
	bool is_queued, is_started, is_sent, is_granted, is_waiting;
	bool is_idle, is_holding, is_released; /* IDLE */
	/* The answer, when it came before all was sent. */
	bool is_answered;
	struct client_result result;
};

struct become {
	bool is_active,
	    is_close_due; /* close_due: when the commands under way have ended */
	struct buf user;
	void (*done)(void *arg, const struct client_result *result);
	void *arg;
	uint64_t give_up_ms; /* clock_mono_ms; 0: not set yet */
	uint64_t pause_ms;
	bool is_final; /* the next loss of the connection ends it */
};

struct client {
	struct client_config cfg;
	struct arena *arena;
	struct net_stack *net;
	enum phase phase;
	unsigned depth; /* callbacks of the net room under way */
	bool is_dead;	/* freed inside a callback */
	uint32_t epoch; /* of the connection: a callback may have changed it */
	bool is_preset; /* logged in by the greeting (PREAUTH) */
	bool is_stale;	/* client_forget(): the same user, too, needs a login */
	/* Reading. */
	struct buf in;
	struct frame frame;
	struct buf skeleton; /* a response whose literals went elsewhere */
	uint64_t literal_left;
	uint64_t responses;	  /* on this connection */
	struct span literal_head; /* of the response whose literal begins */
	struct span now;	  /* what is being read, for errors */
	struct client_cmd *sink;
	struct arena *frame_arena;
	/* Commands, oldest first; `sending` is the first that is not sent whole. */
	struct client_cmd *first, **last, *sending;
	size_t pending;
	uint32_t tag_number;
	/* What is known of the server. */
	struct buf caps;
	bool has_caps, was_told;   /* was_told: by a CAPABILITY within AUTHENTICATE */
	bool has_initial_response; /* SASL-IR, as told before the login on this TLS */
	/* Some servers' login code leaves out what the command CAPABILITY tells
	 * (Cyrus 3.6: UNAUTHENTICATE). */
	bool is_asked, is_asking; /* of this login */
	bool is_code_enough;	  /* the command told no more, once */
	bool is_compress_refused; /* on this connection */
	struct buf user;
	const char *why_no_switch;
	bool was_connected;
	struct become become;
	struct sasl sasl;
	struct net_timer deadline, retry, drop, more;
	struct client_stats stats; /* of the connections that have ended, and counts */
};

/* connect.c */
void connect_start(struct client *c);
/*
 * The connection is of no use any more. Ends all commands with ERR_UNKNOWN or ERR_CLOSED;
 * an active become then goes on with another connection, or fails.
 */
void connect_drop(struct client *c, enum err rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Says LOGOUT and closes; of the commands under way only our own may be left. */
void connect_logout(struct client *c);
void client_enter(struct client *c);
/* Sends what was queued; frees the client if that was asked for. False: it is gone. */
bool client_leave(struct client *c);
void client_touch(struct client *c);

/* command.c */
struct client_cmd *cmd_new(struct client *c, enum role role,
			   const struct client_calls *calls, void *arg);
void cmd_send(struct client_cmd *cmd);
/* IDLE commands end: something is to be sent behind them. */
void cmd_end_idle(struct client *c);
/* "+" must come before what is printed next. */
void client_cmd_wait(struct client_cmd *cmd);
void cmd_pump(struct client *c);
void cmd_continue(struct client *c, struct span text);
/* A tagged reply. */
void cmd_answer(struct client *c, const struct response *r);
/* Ends all commands of a connection that is gone. */
void cmd_end_all(struct client *c, struct span why);

/* reader.c */
void reader_readable(struct client *c);
void reader_reset(struct client *c);

/* login.c */
void login_caps_set(struct client *c, struct span words);
void login_caps_forget(struct client *c);
/* The greeting, or the TLS of STARTTLS, is there: phase OPEN. */
void login_opened(struct client *c);
void login_greeting(struct client *c, const struct response *r);
/* The connection has gone while become was active. */
void login_lost(struct client *c, enum err rc, struct span why);
/* A command has ended: a close that was due may be done. */
void login_command_ended(struct client *c);
void login_starttls(struct client *c);
/* The mechanism is asked for more. */
void login_challenge(struct client *c, struct span text);
/* UNAUTHENTICATE has been written as a whole. */
void login_left(struct client *c);
void become_end(struct client *c, const struct client_result *result);
void become_fail(struct client *c, enum err rc, const char *text);

#endif
