/*
 * libmailstile: an IMAP client for programs that act for many users with one
 * administrator's credential (RFC 4616, authzid). Where the server has UNAUTHENTICATE
 * (RFC 8437) one connection serves one user after another; where it has not, the same
 * calls reconnect. The owner need not know, and is told (enum mailstile_how).
 *
 * This header is the manual; doc/client.md is a tutorial, mailstile(3) an overview.
 *
 * Two levels on one object:
 *
 * BLOCKING, in ten calls: mailstile_new, mailstile_act_for, mailstile_runf (or
 * mailstile_command with the mailstile_put calls and mailstile_run), mailstile_append,
 * mailstile_fetch, mailstile_idle_wait, mailstile_reply_free, mailstile_error,
 * mailstile_free.
 *
 * ASYNCHRONOUS: mailstile_become, mailstile_send, mailstile_idle with callbacks, on the
 * caller's poll loop (mailstile_fd, mailstile_events, mailstile_timeout_ms,
 * mailstile_step) or on our own (mailstile_wait).
 *
 * THREADS. An object belongs to one thread at a time; it may be handed on. Objects
 * share nothing, but what the operating system's libraries share: libuv resolves names
 * on threads of its own. There is no global state, no signal handler is set, and
 * SIGPIPE is never raised. A pool (mailstile_pool_new) may be used by any thread at any
 * time.
 *
 * MEMORY. Strings and structs given to a call are copied, unless it says otherwise. What
 * a callback gets is valid until it returns. When memory runs out, the process ends with
 * a message (as in GLib); what a server can make us hold is bounded: a line of 16 MiB, a
 * response of 20 MiB with literals of up to 64 KiB each, larger literals in pieces;
 * a reply of the blocking level by `reply_max`. Secrets are wiped when freed.
 *
 * Mailbox names are UTF-8 with the server's own hierarchy separators. Text ends with NUL.
 * Times are milliseconds unless the name says otherwise; sizes are bytes.
 */
#ifndef MAILSTILE_H
#define MAILSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MAILSTILE_API_VERSION 1
/* The version of the library that runs, "0.1.0"; static. */
const char *mailstile_version(void);

/* --- errors ------------------------------------------------------------------- */

enum mailstile_rc {
	MAILSTILE_OK = 0,
	MAILSTILE_NO,	   /* tagged NO (RFC 9051 section 7.1.2): code and text say why */
	MAILSTILE_BAD,	   /* tagged BAD (section 7.1.3) */
	MAILSTILE_REFUSED, /* the server refused the login, or acting for that user */
	/* The connection ended before the answer: it may have happened, or not. */
	MAILSTILE_UNKNOWN,
	/* The connection ended before any byte of the command was sent: it did not. */
	MAILSTILE_CLOSED,
	MAILSTILE_UNREACHABLE, /* no connection could be made */
	MAILSTILE_UNTRUSTED,   /* the certificate does not verify; or plain text to afar */
	MAILSTILE_UNSUPPORTED, /* the server lacks STARTTLS or the mechanism */
	/* The server broke the protocol; the text names the response that did. The
	 * connection is gone. Commands under way end with UNKNOWN or CLOSED. */
	MAILSTILE_CORRUPT,
	MAILSTILE_TIMEOUT, /* a deadline passed before anything was sent, or the login */
	MAILSTILE_LIMIT,   /* a limit of ours: reply_max, a full pool */
	MAILSTILE_INVALID, /* what was asked for cannot be said; nothing was sent */
};

/* A short English phrase; static. */
const char *mailstile_rc_text(enum mailstile_rc rc);

/* How a connection came to act for a user. */
enum mailstile_how {
	MAILSTILE_SAME,	       /* it did already */
	MAILSTILE_CONNECTED,   /* the first connection */
	MAILSTILE_LOGGED_IN,   /* on a connection where nobody was */
	MAILSTILE_SWITCHED,    /* by UNAUTHENTICATE (RFC 8437) */
	MAILSTILE_RECONNECTED, /* on a new connection; mailstile_why_no_switch() */
};

/* The end of a command or of a change of user. */
struct mailstile_result {
	enum mailstile_rc rc;
	enum mailstile_how how; /* of mailstile_become(), when OK */
	const char *code;	/* response code, "OVERQUOTA" (RFC 5530); "" if none */
	const char *args;	/* what follows in its brackets; "" if nothing */
	const char *text;	/* the server's words, or ours */
};

/* --- the connection ----------------------------------------------------------- */

enum mailstile_tls {
	MAILSTILE_TLS_IMPLICIT, /* imaps, port 993 (RFC 8314) */
	/* STARTTLS before anything else, or no connection (RFC 9051 section 6.2.1) */
	MAILSTILE_TLS_START,
	/* plain text: loopback addresses and Unix sockets only */
	MAILSTILE_TLS_NONE,
};

/*
 * Begin with MAILSTILE_OPTIONS, which sets `size`; what is 0 or NULL has the
 * default that is written beside it.
 */
struct mailstile_options {
	size_t size;
	const char *host; /* to connect to, to verify, and for SNI; needed with TLS */
	uint16_t port;	  /* 993, or 143 */
	enum mailstile_tls tls;
	/* Instead of a connection to `host`: gives a connected stream socket, which is ours
	 * from then on, or -1. Called at each (re)connect, from the loop. */
	int (*dial)(void *arg);
	void *dial_arg;
	const char *ca_file;	 /* PEM; the system's authorities */
	const char *pin_sha256;	 /* 64 hexadecimal digits: this certificate, whatever its name */
	const char *certificate; /* PEM: of the client, for TLS and EXTERNAL (RFC 4422) */
	const char *key;	 /* PEM; the file of `certificate` */
	const char *login;	 /* the administrator; with EXTERNAL not needed */
	const char *password;
	/* "PLAIN", "LOGIN", "SCRAM-SHA-256-PLUS", "EXTERNAL" ...; PLAIN, or the best SCRAM
	 * where the server has no PLAIN (RFC 5802, RFC 7677). The login is
	 * always within TLS, or within this machine. */
	const char *mechanism;
	uint32_t connect_ms; /* from the address to the end of the TLS handshake; 30 s */
	/* The longest wait for a byte while an answer is due; 60 s. Not in IDLE. */
	uint32_t silence_ms;
	/* How long a server that greeted once is tried again when it is lost; 0: not. */
	uint32_t retry_ms;
	uint32_t deadline_ms; /* of each blocking call, as a whole; 0: none */
	/* IDLE is begun anew after this time, for the server (30 min, RFC 2177) and for
	 * what stands between; 9 min. */
	uint32_t idle_ms;
	bool no_compress;     /* COMPRESS=DEFLATE (RFC 4978) is not wanted if offered */
	bool never_switch;    /* reconnect for each user, even with UNAUTHENTICATE */
	uint64_t literal_max; /* of the server; longer ends the connection; 4 GiB */
	size_t reply_max;     /* what a blocking call keeps; 64 MiB */
};

#define MAILSTILE_OPTIONS                                                                \
	{                                                                                \
		.size = sizeof(struct mailstile_options)                                 \
	}

struct mailstile;

/*
 * A client. No connection is made yet. NULL: `ret_why`, if given, gets the reason,
 * at most `size` bytes with the NUL: a file that cannot be read, an option that is none.
 */
struct mailstile *mailstile_new(const struct mailstile_options *o, char *ret_why,
				size_t size);
/*
 * LOGOUT (RFC 9051 section 6.1.3) when nothing is under way, else the connection is cut.
 * No callback comes any more. May be called from a callback. NULL is fine.
 */
void mailstile_free(struct mailstile *m);

/* Logged in; commands may be sent. */
bool mailstile_is_ready(const struct mailstile *m);
/* Whether the server said so after this login (rule C1), e.g. "UIDPLUS". */
bool mailstile_has(const struct mailstile *m, const char *capability);
/* Whom the connection acts for: "" for the administrator; NULL: nobody. */
const char *mailstile_user(const struct mailstile *m);
/* Why UNAUTHENTICATE is not used, in English; NULL: it is, or that is not known yet. */
const char *mailstile_why_no_switch(const struct mailstile *m);
/* Commands without an answer yet. */
size_t mailstile_pending(const struct mailstile *m);

struct mailstile_stats {
	uint64_t bytes_in, bytes_out; /* on the socket, TLS and all */
	uint64_t connections, logins, refused;
	uint64_t switches;   /* by UNAUTHENTICATE */
	uint64_t reconnects; /* made to change the user */
	uint64_t lost;	     /* connections that ended by themselves */
	uint64_t resumed;    /* TLS handshakes that resumed a session (RFC 8446) */
};
/* `size`: sizeof *ret_stats; so much is written. */
void mailstile_stats(const struct mailstile *m, struct mailstile_stats *ret_stats,
		     size_t size);

/* --- the loop ----------------------------------------------------------------- */

/*
 * The caller's loop: poll mailstile_fd() for mailstile_events(), for at most
 * mailstile_timeout_ms() (-1: for ever), then call mailstile_step(), which never waits and
 * calls the callbacks. Ask for the timeout anew before each poll: a call may have changed
 * it. The descriptor stays the same for the object's life and belongs to it; it may be
 * put into another epoll.
 */
int mailstile_fd(const struct mailstile *m);
short mailstile_events(const struct mailstile *m); /* of poll(2) */
int mailstile_timeout_ms(const struct mailstile *m);
void mailstile_step(struct mailstile *m);
/* Our own loop: one turn, which waits `ms` at most; -1: until something happens. */
void mailstile_wait(struct mailstile *m, int ms);

/* --- users -------------------------------------------------------------------- */

/*
 * Acts for `user` from now on; "" for the administrator. Connects, logs in, or changes
 * the user, as is needed: UNAUTHENTICATE and AUTHENTICATE leave in one write, behind
 * commands that still run and belong to the old user (RFC 8437 section 3; rules C1 to C8
 * of doc/client.md). No command may be sent before `done` said OK. After an error nobody
 * is logged in. INVALID at once: another change is under way.
 */
enum mailstile_rc mailstile_become(struct mailstile *m, const char *user,
				   void (*done)(void *arg,
						const struct mailstile_result *r),
				   void *arg);
/*
 * What the login left on the connection (mailbox, ENABLE, NOTIFY, language) is not wanted
 * any more: the next change of user logs in anew even if it is the same user.
 */
void mailstile_forget(struct mailstile *m);
/* Cuts the connection. What is under way ends, in the next step, with UNKNOWN or CLOSED. */
void mailstile_cut(struct mailstile *m);

/* --- commands ----------------------------------------------------------------- */

/*
 * Untagged data (RFC 9051 section 7), or a status response ("OK", "NO", "BAD": name).
 * `bytes`: what follows the name and its space, without the last CRLF, as the server
 * sent it: literals stand in it as "{5}" CRLF and five bytes; read it with
 * mailstile_token_next().
 */
struct mailstile_data {
	const char *name; /* "FETCH", in capitals */
	bool has_number;  /* "* 3 FETCH" */
	uint32_t number;
	const char *bytes;
	size_t length;
	const char *code; /* of a status response; "" if none */
	const char *args;
	const char *text; /* "" for data */
};

/* All but `done` may be NULL. The struct stays the caller's and must outlive the command. */
struct mailstile_calls {
	/*
	 * Untagged data, offered to the commands under way, oldest first, until one returns
	 * true; then to mailstile_on_event().
	 */
	bool (*data)(void *arg, const struct mailstile_data *d);
	/*
	 * A literal above 64 KiB, offered likewise: `d` is what came before it, `n` 0 and
	 * `left` its size. Who returns true gets it in pieces, with `d` NULL; `left` is what is
	 * still to come. The whole response goes to `data`, with an empty string for it.
	 */
	bool (*literal)(void *arg, const struct mailstile_data *d, const char *piece,
			size_t n, uint64_t left);
	/* Once, whatever happens. The command is freed behind it. */
	void (*done)(void *arg, const struct mailstile_result *r);
};

struct mailstile_command;

/* A command that is being put together; NULL when the client is not ready. Send it, or
 * give it to mailstile_cancel(). Its literals are sent as the server takes them:
 * LITERAL+, LITERAL- (RFC 7888), or after "+". */
struct mailstile_command *mailstile_command(struct mailstile *m);
/*
 * Words as they are: "SELECT ", " (\\Seen)"; no CR, LF or NUL. A mistake in this call or in
 * those below is kept and told by mailstile_send() or mailstile_run(): INVALID.
 */
void mailstile_put(struct mailstile_command *cmd, const char *words);
/* A string of any bytes but NUL: as an atom, quoted, or as a literal (RFC 9051, astring). */
void mailstile_put_string(struct mailstile_command *cmd, const void *p, size_t n);
/* A mailbox name in UTF-8; in modified UTF-7 on the wire (RFC 9051 appendix A.1). */
void mailstile_put_mailbox(struct mailstile_command *cmd, const char *name);
/* A literal of `n` bytes, copied. A NUL needs a server with BINARY (RFC 3516). */
void mailstile_put_bytes(struct mailstile_command *cmd, const void *p, size_t n);
/* A literal of `n` bytes of a file from offset 0, read (pread) as they are sent.
 * `fd` is the command's from now on and closed with it, also if that is never sent. */
void mailstile_put_fd(struct mailstile_command *cmd, int fd, uint64_t n);
/* A literal of `n` bytes from a function: it writes 1 to `room` bytes into `into` and
 * says how many. Less than 1 cuts the connection, as the rest was promised. */
void mailstile_put_source(struct mailstile_command *cmd, uint64_t n,
			  ptrdiff_t (*read)(void *arg, char *into, size_t room),
			  void *arg);
/*
 * By a format: %m a mailbox (const char *), %s a string (const char *), %u a number
 * (uint32_t), %U a number (uint64_t), %w words (const char *), %% a percent sign; the rest
 * as mailstile_put().
 */
void mailstile_putf(struct mailstile_command *cmd, const char *format, ...);

/* Sends; the command is the library's. Unless OK is returned it is freed and no callback
 * comes. What is sent within one callback, or one step, leaves in one write. */
enum mailstile_rc mailstile_send(struct mailstile_command *cmd,
				 const struct mailstile_calls *calls, void *arg);
/* The connection is cut when the answer is not there by then (what was sent cannot be
 * unsent); 0: no limit. Before or after mailstile_send(). */
void mailstile_deadline(struct mailstile_command *cmd, uint32_t ms);
/*
 * Nobody is interested any more: no callback comes, `calls` and `arg` may go, a put_source
 * too if not a byte was sent. A command that was not sent yet never will be.
 */
void mailstile_cancel(struct mailstile_command *cmd);

/*
 * IDLE (RFC 2177): `calls->data` gets what changes, until mailstile_idle_end() or until
 * another command or user follows; then `done`. Begun anew every idle_ms, unseen. NULL:
 * not ready, or the server has no IDLE (IMAP4rev2 has it).
 */
struct mailstile_command *mailstile_idle(struct mailstile *m,
					 const struct mailstile_calls *calls, void *arg);
void mailstile_idle_end(struct mailstile_command *idle);
/*
 * What no command took: after NOTIFY SET (RFC 5465) the STATUS, LIST and FETCH of what
 * changes, and news of the selected mailbox (RFC 9051 section 5.2). NULL: dropped, as at
 * first.
 */
void mailstile_on_event(struct mailstile *m,
			void (*event)(void *arg, const struct mailstile_data *d),
			void *arg);

/* --- reading ------------------------------------------------------------------ */

enum mailstile_token_kind {
	MAILSTILE_END,	  /* nothing more, or what follows is no IMAP */
	MAILSTILE_ATOM,	  /* a word, number, flag, or "BODY[TEXT]<0>" */
	MAILSTILE_STRING, /* quoted or literal: its bytes */
	MAILSTILE_NIL,
	MAILSTILE_OPEN, /* "(" */
	MAILSTILE_CLOSE,
};

struct mailstile_token {
	enum mailstile_token_kind kind;
	/* Of an ATOM or a STRING, in the input; a quoted string's escapes stand in it
	 * (has_escapes: "\" before each '"' and "\"). */
	const char *p;
	size_t n;
	bool has_escapes;
};

/*
 * The next token of bytes[*at .. n); *at moves behind it. Flat, so that no nesting costs
 * anything: count OPEN and CLOSE. Returns its kind. After MAILSTILE_END *at is `n`, or
 * where the bytes stop making sense.
 */
enum mailstile_token_kind mailstile_token_next(const char *bytes, size_t n, size_t *at,
					       struct mailstile_token *ret_token);
/* Copies the value of a STRING without its escapes to `into`, which has room for token->n
 * bytes; returns how many. Fine for an ATOM too. */
size_t mailstile_token_copy(const struct mailstile_token *token, char *into);

/* --- the blocking level ------------------------------------------------------- */

/*
 * Each waits for its end, or for deadline_ms, and returns how it ended; mailstile_error()
 * says more. Callbacks of commands that are under way by the other level come
 * meanwhile. Not to be called from callbacks: INVALID.
 */

/* mailstile_become() and its end. `ret_how` may be NULL. */
enum mailstile_rc mailstile_act_for(struct mailstile *m, const char *user,
				    enum mailstile_how *ret_how);

/* The answer to a command. */
struct mailstile_reply {
	enum mailstile_rc rc;
	const char *code, *args, *text; /* as in mailstile_result */
	size_t lines;
	const struct mailstile_data *line; /* the untagged data, in order */
	/* Literals above 64 KiB, whole, in place; all within reply_max. */
};

/*
 * Runs a command (it is freed) and keeps its untagged data. `*ret_reply`, if not NULL, is
 * set whatever happens, and belongs to the caller: mailstile_reply_free(). LIMIT: more
 * than reply_max came; the connection is cut.
 */
enum mailstile_rc mailstile_run(struct mailstile_command *cmd,
				struct mailstile_reply **ret_reply);
/* mailstile_command(), mailstile_putf(), mailstile_run(). CLOSED: nobody is logged in. */
enum mailstile_rc mailstile_runf(struct mailstile *m, struct mailstile_reply **ret_reply,
				 const char *format, ...);
void mailstile_reply_free(struct mailstile_reply *reply); /* NULL is fine */
/* The first untagged line of that name from `from` on; NULL: none. */
const struct mailstile_data *mailstile_reply_find(const struct mailstile_reply *reply,
						  const char *name, size_t from);

/*
 * APPEND (RFC 9051 section 6.3.12) of a file: `n` bytes of `fd` from offset 0, which stays
 * the caller's. `flags`: "\\Seen $Important", or NULL; `when`: the internal date,
 * seconds since 1970 in UTC, or -1 for now. `ret_uid`, if given, is the new UID where the
 * server has UIDPLUS (RFC 4315), else 0.
 */
enum mailstile_rc mailstile_append(struct mailstile *m, const char *mailbox,
				   const char *flags, int64_t when, int fd, uint64_t n,
				   uint32_t *ret_uid);
/*
 * UID FETCH of BODY.PEEK[section] (section 6.4.5), streamed: `write` gets the bytes as they
 * come and returns false to give up, which cuts the connection. `section`: "" for the
 * whole message, "HEADER", "1.2". NO: there is no such message.
 */
enum mailstile_rc mailstile_fetch(struct mailstile *m, uint32_t uid, const char *section,
				  bool (*write)(void *arg, const char *p, size_t n),
				  void *arg);
/*
 * IDLE for at most `ms`, until `event` returns true. OK: it did; TIMEOUT: it did not, the
 * connection is fine.
 */
enum mailstile_rc mailstile_idle_wait(struct mailstile *m, uint32_t ms,
				      bool (*event)(void *arg,
						    const struct mailstile_data *d),
				      void *arg);
/* What the last blocking call ended with: text for people, never NULL; valid until the
 * next call. */
const char *mailstile_error(const struct mailstile *m);

/* --- the pool ----------------------------------------------------------------- */

/*
 * Connections that are kept for the next user. One is found by server, TLS options and
 * credential, not by user (rule C8): where the server has UNAUTHENTICATE it serves them
 * all. All calls may be made by any thread at any time; a client that was taken belongs to
 * its taker until it is given back.
 */
struct mailstile_pool_options {
	size_t size;		/* MAILSTILE_POOL_OPTIONS sets it */
	unsigned connections;	/* at most, in use and idle together; 8 */
	uint32_t wait_ms;	/* take waits for one at most so long; 30 s */
	uint32_t idle_ms;	/* one that nobody wanted so long is closed; 5 min */
	uint32_t age_ms;	/* one older than this is closed when given back; 1 h */
	uint32_t check_ms;	/* unused for longer, it is asked NOOP first; 30 s */
	unsigned users;		/* logins of one connection at most; 0: any number */
	/* The same user again finds what his last login left: mailbox, ENABLE, NOTIFY. Else
	 * each taker gets a fresh login; what was left by another user never shows. */
	bool keep_login;
};

#define MAILSTILE_POOL_OPTIONS                                                           \
	{                                                                                \
		.size = sizeof(struct mailstile_pool_options)                            \
	}

struct mailstile_pool;

/* `o` NULL: the defaults. NULL: not a struct of this library. */
struct mailstile_pool *mailstile_pool_new(const struct mailstile_pool_options *o);
/* Closes what is idle; what is out when it is given back, and then the pool is gone. No
 * call but mailstile_pool_give() may follow. NULL is fine. */
void mailstile_pool_free(struct mailstile_pool *pool);
/*
 * A client that acts for `user`: an idle one, a new one, or one that is given back within
 * wait_ms. A connection that turned out dead is replaced once. OK, and *ret_client is the
 * caller's until he gives it back; else as mailstile_act_for() says, or LIMIT: all are
 * in use; `ret_why`, if given, gets the reason.
 */
enum mailstile_rc mailstile_pool_take(struct mailstile_pool *pool,
				      const struct mailstile_options *o, const char *user,
				      struct mailstile **ret_client,
				      enum mailstile_how *ret_how, char *ret_why,
				      size_t size);
/* Gives it back. It is kept unless commands are under way or not sent, it is not logged in,
 * or over an age or number. Not from its callbacks. */
void mailstile_pool_give(struct mailstile_pool *pool, struct mailstile *m);

struct mailstile_pool_stats {
	unsigned in_use, idle;
	uint64_t taken, made; /* takes that succeeded; connections that were made new */
	uint64_t dropped;     /* not kept, or closed while idle */
};
void mailstile_pool_stats(struct mailstile_pool *pool,
			  struct mailstile_pool_stats *ret_stats, size_t size);

#ifdef __cplusplus
}
#endif
#endif
