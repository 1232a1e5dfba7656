/*
 * The IMAP server as `mailstile serve` starts it: listeners, loops, limits.
 * What the caller hands in (store, auth, workers, log) outlives the server.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <sys/types.h>

#include "auth/auth.h"
#include "auth/throttle.h"
#include "base/log.h"
#include "net/tls.h"
#include "store/store.h"

enum server_protocol { SERVER_IMAP, SERVER_LMTP };
enum server_tls { SERVER_TLS_NONE, SERVER_TLS_STARTTLS, SERVER_TLS_IMPLICIT };

struct server_listener {
	const char *name;    /* "imap", "imaps": in the log and in policy */
	const char *address; /* numeric; or as the operator wrote `path` */
	uint16_t port;	     /* 0: any; see server_listener_port */
	enum server_tls tls;
	bool plaintext_loopback; /* a peer on a loopback address may log in without TLS */
	enum auth_gate
	    unauthenticate; /* UNAUTHENTICATE: off, admin-only, on (auth/policy.h) */
	enum server_protocol protocol;
	const char *path; /* a Unix socket instead of address and port; NULL: none */
	mode_t mode;	  /* of it */
	bool asks_certificate; /* of clients, in the TLS handshake; they need not have one */
	bool preauth;	       /* who has one is greeted with PREAUTH; implicit TLS only */
	/*
	 * The tools of the operator: a Unix socket that nobody else can open. PLAIN with the
	 * authcid "#operator" and any password acts for any user; limits that bound users do
	 * not bind, and commands marked CMD_OPERATOR are there (ext_operator.c).
	 */
	bool is_operator;
};

struct server_limits {
	size_t line_bytes;    /* a command line without its literals */
	size_t command_bytes; /* a command with its literals, but for message bodies */
	size_t literal_prelogin_bytes;
	uint64_t message_bytes; /* APPEND: larger is NO [TOOBIG] */
	unsigned bad_commands;	/* in a connection; then BYE */
	unsigned failed_logins; /* in a connection; then BYE */
	unsigned connections;	/* in all; then BYE at the greeting */
	unsigned connections_per_address;
	unsigned sessions_per_user; /* 0: no limit; then NO [LIMIT] */
	unsigned
	    switches_per_minute; /* 0: no limit; then the reply to UNAUTHENTICATE waits */
	unsigned epochs;	 /* logins a connection; 0: no limit; then BYE (D18) */
	uint64_t memory_bytes;	 /* what waits to be parsed, stored or read, of all */
	unsigned reserved_descriptors; /* not for connections */
	size_t output_high_bytes; /* a producer stops here until the peer has read */
	uint64_t prelogin_ms;	  /* from the greeting to the first login */
	uint64_t switch_ms;	  /* not authenticated, after UNAUTHENTICATE (D11) */
	uint64_t idle_ms;	  /* authenticated, >= 30 min (RFC 9051 5.4) */
	uint64_t slow_peer_ms;	  /* output that makes no progress for so long ends the
				     connection */
	uint64_t metadata_entries; /* of a mailbox, everybody's and each user's own */
	uint64_t metadata_bytes;   /* of one value */
	uint64_t quota_warning_percent; /* of a quota; 0: no warning */
	unsigned quota_refuses_mail; /* LMTP over quota: 552 instead of 452 */
	uint32_t messages;    /* of one command (RFC 9738); 0: no limit */
	uint64_t progress_ms; /* between two INPROGRESS (RFC 9585) */
	unsigned lmtp_connections; /* in all; then 421 */
	unsigned recipients;	   /* of one message; then 452 */
	uint64_t lmtp_idle_ms;	   /* without a command or text of the message; then 421 */
};

struct server_filter { /* a search with a name, for all users (RFC 5466) */
	const char *name;	 /* lower case */
	const char *search;	 /* search keys in UTF-8 */
	const char *description; /* NULL: none */
};

struct server_config {
	const struct server_listener *listener;
	size_t n_listeners;
	struct server_limits limits;
	bool refuse_8bit_headers; /* of clients without UTF8=ACCEPT (RFC 9755 section 4) */
	uint64_t recheck_ms; /* who is logged in from a database is looked up again; 0:
				never */
	struct throttle_config login_delay; /* failed logins by address (auth/throttle.h) */
	unsigned loops;	     /* threads; 0: one a core */
	struct net_tls *tls; /* NULL: no TLS; a reference is taken */
	struct store *store;
	struct auth *auth;
	struct executor *workers;
	struct log *log;
	bool no_sharing;       /* no names of other users' and shared mailboxes, no ACL */
	const char *version;   /* for ID */
	const char *comment; /* METADATA "" /shared/comment; empty, NULL: none */
	const char *admin;   /* and /shared/admin, a URI */
	const struct server_filter *filters;
	size_t n_filters;
	const char *spool_dir; /* where LMTP keeps a large message for several
				* recipients meanwhile */
};

struct server;

/*
 * Binds every listener, starts the loops and accepts. On failure nothing is
 * left running and `ret_why` is a sentence ("Cannot listen on ...: address
 * already in use. ...").
 */
enum err server_start(const struct server_config *c, struct server **ret,
		      struct buf *ret_why);
/* The port that listener `i` is bound to. */
uint16_t server_listener_port(const struct server *s, size_t i);

/*
 * After SIGHUP. The certificate serves new handshakes; limits and listeners
 * stay as they are until a restart. Sessions whose authcid or authzid is no
 * longer allowed by `auth` (reloaded before) get BYE. Any thread.
 */
void server_reload(struct server *s, struct net_tls *tls);

/*
 * Stops accepting, lets every running command finish (at most `grace_ms`),
 * says BYE to every client, flushes, waits for what the store still does for
 * clients that have gone, and ends the loops. No store or auth call comes any more.
 */
void server_stop(struct server *s, uint64_t grace_ms);
/* After server_stop(), store_close() and workers_free(): nobody posts to a loop any more.
 */
void server_free(struct server *s);

/* The table of support, Markdown, from the registered extensions (README). */
void server_support(struct buf *out);

#endif
