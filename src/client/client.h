/*
 * The IMAP client: one connection at a time to one server, with one
 * administrator's credential (RFC 4616, authzid), acting for one user after another.
 * Where the server has UNAUTHENTICATE (RFC 8437) the connection changes its user;
 * where it has not, the client reconnects: its owner need not know.
 *
 *	client_become(c, SPAN("alice"), &ready, me);
 *	...ready():  cmd = client_cmd_new(c, &calls, me);
 *		     buf_puts(client_cmd_text(cmd), "SELECT ");
 *		     emit_mailbox(client_cmd_text(cmd), client_mode(c), SPAN("INBOX"));
 *		     client_cmd_send(cmd);
 *		     ...more commands, and already client_become(c, SPAN("bob"), ...);
 *
 * Asynchronous on a net loop: callbacks come from the loop, never from inside a
 * call, and may call anything here, also client_free(). Commands are pipelined:
 * what is sent within one callback leaves in one write; outside callbacks
 * client_flush() does it.
 *
 * An error is a `struct client_result`, its rc one of
 *	ERR_OK		tagged OK
 *	ERR_DENIED	tagged NO; ERR_INVAL tagged BAD: the code and text say more;
 *			of client_become: we refused the certificate, or plain text;
 *			INVAL: the mechanism cannot say that name or password
 *	ERR_AUTH	the server refused the login (client_become)
 *	ERR_UNKNOWN	the connection ended before the answer: it may have happened
 *	ERR_CLOSED	the connection ended before any byte of the command was sent
 *	ERR_IO		no connection could be made
 *	ERR_UNSUPPORTED	the server lacks STARTTLS or the mechanism
 *	ERR_CORRUPT	the server broke the protocol
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "net/loop.h"
#include "net/tls.h"
#include "wire/emit.h"
#include "wire/response.h"

struct client_data;

enum client_tls {
	CLIENT_TLS_IMPLICIT, /* imaps: TLS from the first byte (RFC 8314) */
	CLIENT_TLS_START,    /* STARTTLS before anything else, or no connection */
	CLIENT_TLS_NONE,     /* plain text, to loopback addresses only */
};

struct client_config {
	struct loop *loop;
	const char *host;
	uint16_t port;
	/* Instead of host and port: gives a connected stream socket, or -1. */
	int (*dial)(void *arg);
	void *dial_arg;
	enum client_tls tls_mode;
	struct net_tls *tls; /* clients that share it resume each other's TLS sessions */
	struct span authcid, password; /* of the administrator */
	/* "SCRAM-SHA-256-PLUS", "EXTERNAL" (the certificate of `tls`; authcid and
	 * password may be empty); NULL: PLAIN, or the best SCRAM where the server has no
	 * PLAIN. */
	const char *mechanism;
	uint64_t connect_ms; /* to the end of the handshake */
	uint64_t silence_ms; /* the longest wait for a byte while an answer is due */
	/* How long a server that greeted once is tried again when it is lost; 0: not. */
	uint64_t retry_ms;
	bool compress;	   /* COMPRESS=DEFLATE behind each login, where it is offered */
	bool never_switch; /* reconnect for each user, even where UNAUTHENTICATE is */
	uint64_t literal_max; /* a longer one of the server ends the connection; 0: any */
	/* Untagged data that no command took, as after NOTIFY (RFC 5465); may be NULL. */
	void (*unsolicited)(void *arg, const struct client_data *d);
	void *unsolicited_arg;
};

struct client;
struct client_cmd;

struct client_result {
	enum err rc;
	enum code code;	       /* response code of a tagged reply */
	struct span code_name; /* as spelled */
	struct span code_args;
	struct span text; /* the server's words, or ours; valid during the callback */
};

/* An untagged response. The cursor stands behind the name; copy it to read. */
struct client_data {
	const struct response *r;
	struct cursor at; /* its arena lives until the callback returns */
	struct span frame;
};

/* All but `done` may be NULL. */
struct client_calls {
	/*
	 * Untagged data and status responses, offered to the commands under way, oldest
	 * first, until one returns true. What nobody takes is dropped.
	 */
	bool (*untagged)(void *arg, const struct client_data *d);
	/*
	 * A literal of a response that is too large to be kept (CLIENT_LITERAL_MAX),
	 * offered likewise with `piece` empty and `left` its size. Who returns true gets
	 * it in pieces; `left` is what is still to come. When the response is complete
	 * it goes to `untagged` with an empty string in the literal's place.
	 */
	bool (*literal)(void *arg, const struct response *r, struct span piece,
			uint64_t left);
	/* Once, whatever happens; the command is freed behind it. */
	void (*done)(void *arg, const struct client_result *result);
};

/* Within `literal` with an empty piece: what stands between the response's name and it.
 */
struct span client_literal_head(const struct client *c);

#define CLIENT_LITERAL_MAX ((size_t)64 * 1024)

/* Copies what it is given, but `tls`, which it references, and `loop`. */
struct client *client_new(const struct client_config *config);
/*
 * Ends it: LOGOUT when nothing is under way, else the connection is cut. No callback
 * comes any more. NULL is fine.
 */
void client_free(struct client *c);

/*
 * Acts for `user` from now on; empty: for the administrator. Connects, logs in, or
 * changes the user, as is needed. Commands may still be under way: UNAUTHENTICATE and
 * AUTHENTICATE go out behind them in the same write (RFC 8437 section 3), and they
 * belong to the old user. No command may be sent before `done` has said ERR_OK (rule C6
 * of doc/client.md). After an error nobody is logged in.
 */
void client_become(struct client *c, struct span user,
		   void (*done)(void *arg, const struct client_result *result),
		   void *arg);
bool client_is_ready(const struct client *c); /* logged in; commands may be sent */
/*
 * What the login left on the connection is not wanted any more: the next client_become()
 * logs in anew, also for the same user, by UNAUTHENTICATE or on a new connection.
 */
void client_forget(struct client *c);
/*
 * Cuts the connection, from the loop and without another try: what is under way ends,
 * client_become() with ERR_CLOSED.
 */
void client_drop(struct client *c);

/* Whether the server said so after this login (rule C1), e.g. "UIDPLUS". */
bool client_has(const struct client *c, const char *capability);
/* How to print literals and names for this server now. */
struct emit_mode client_mode(const struct client *c);

/* A command; the client must be ready. `calls` stays the caller's and must outlive it. */
struct client_cmd *client_cmd_new(struct client *c, const struct client_calls *calls,
				  void *arg);
/* What is printed here follows the tag; well-formed lines and literals, no final CRLF. */
struct buf *client_cmd_text(struct client_cmd *cmd);
/*
 * A literal of `bytes` bytes read from `fd` (offset 0, pread) as they are sent. The fd is
 * the command's and closed with it. A file that has become shorter ends the connection.
 */
void client_cmd_file(struct client_cmd *cmd, int fd, uint64_t bytes);
/* Likewise, but `read` writes 1 to `n` bytes into `into` when the peer takes them, and
 * says how many; less than 1 ends the connection. */
void client_cmd_source(struct client_cmd *cmd, uint64_t bytes,
		       ptrdiff_t (*read)(void *arg, char *into, size_t n), void *arg);
/*
 * IDLE (RFC 2177), to be sent like any command. It ends with client_idle_end(), or by
 * itself when another command or client_become() follows. The silence of the server is
 * not limited meanwhile.
 */
struct client_cmd *client_idle_new(struct client *c, const struct client_calls *calls,
				   void *arg);
void client_idle_end(struct client_cmd *cmd);
/* Queues the command; it is the client's from here on. */
void client_cmd_send(struct client_cmd *cmd);
struct span client_cmd_tag(const struct client_cmd *cmd);
/* Nobody is interested any more: no callback comes. What was sent cannot be unsent. */
void client_cmd_cancel(struct client_cmd *cmd);
/* Sends what is queued; needed outside callbacks only. */
void client_flush(struct client *c);
/* Commands without an answer yet. */
size_t client_pending(const struct client *c);

struct client_stats {
	uint64_t bytes_in, bytes_out; /* on the socket, TLS and all */
	uint64_t connections;
	uint64_t tls_full, tls_resumed; /* handshakes */
	uint64_t logins, login_failures;
	uint64_t switches;   /* by UNAUTHENTICATE */
	uint64_t compressed; /* logins that went on to COMPRESS */
	uint64_t reconnects; /* made to change the user */
	uint64_t lost;	     /* connections that ended by themselves */
};
struct client_stats client_stats(const struct client *c);
/* Why UNAUTHENTICATE is not used: "not offered", "answered with BAD", ...; NULL: it is.
 */
const char *client_why_no_switch(const struct client *c);

#endif
