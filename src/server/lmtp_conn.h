/*
 * One LMTP connection and its transaction. Everything happens in lmtp_pump(): what comes
 * from the store or the spool is noted and then pumped, so nothing re-enters.
 */
#ifndef SERVER_LMTP_CONN_H
#define SERVER_LMTP_CONN_H

#include "server/lmtp.h"
#include "server/lmtp_grammar.h"
#include "server/lmtp_spool.h"

enum {
	LMTP_LINE_BYTES =
	    4096, /* with its CRLF; RFC 5321 4.5.3.1.4 asks for 512 and more */
};

struct lmtp_rcpt {
	struct lmtp_rcpt *next;
	struct arena *arena; /* it lives here; of the transaction's */
	struct lmtp *conn;
	struct span address;		 /* as written */
	struct span user;		 /* its name in the table */
	struct span folder;		 /* behind the "+"; empty: INBOX */
	/* Under which names he may be known, the first that is somebody's counts. */
	struct {
		struct span user, folder;
	} as[4];
	unsigned n_as, tried;
	char mail[USER_ACCOUNT_LEN + 1]; /* the account's name in the store */
	struct account *account;	 /* a reference */

	/* the delivery */
	/* An earlier one of the same account, which takes this one along: its result is
	 * this one's. */
	struct lmtp_rcpt *same;
	struct span path; /* the mailbox */
	bool is_twice;	  /* an earlier one leads to the same mailbox */
	struct incoming *in;
	struct op *op; /* the append */
	enum { RCPT_WAITS, RCPT_FEEDS, RCPT_COMMITS, RCPT_DONE } state;
	bool is_unknown; /* deleted since */
	enum err rc;
};

/* From MAIL to the last reply behind the message, or RSET. */
struct lmtp_mail {
	struct arena *arena;
	uint64_t started_ms;
	struct span sender;
	bool has_utf8; /* SMTPUTF8 */
	struct lmtp_rcpt *first, **last;
	unsigned n;

	/* the message */
	struct lmtp_dots dots;
	struct buf text; /* dots taken off; a piece at a time */
	uint64_t bytes;
	int64_t arrived_s;
	bool is_too_big;
	struct lmtp_spool *spool; /* for several recipients */
	/* For several accounts, which share its bytes (store.h). */
	enum { SHARE_ASK, SHARE_NOT, SHARE_FEEDS, SHARE_KEEPS, SHARE_READY } share;
	struct shared *shared;
	struct op *share_op;

	/* the deliveries */
	struct lmtp_rcpt *feeds;  /* this one is being fed */
	uint64_t fed;		  /* so far */
	struct lmtp_rcpt *answer; /* the next to be answered */
	uint64_t in_flight;	  /* bytes of appends under way */
	unsigned delivered, deferred, refused;
};

struct lmtp {
	struct server_loop *home;
	struct server *server;
	struct lmtp *prev, *next;
	const struct server_listener *listener;
	struct net_stack *net;
	struct buf in;
	uint64_t number; /* in the log */
	struct net_addr peer;
	uint64_t started_ms;
	char host[256];	 /* our name */
	char hello[256]; /* the peer's, from LHLO; empty before */
	enum { LMTP_COMMANDS, LMTP_DATA, LMTP_DELIVERS } state;
	struct lmtp_mail *mail; /* NULL: no transaction */
	uint64_t mails;		/* so far */
	unsigned bad_commands;
	struct op *op;	  /* opens a recipient's account */
	bool is_skipping; /* a line that is too long */
	bool is_held;	  /* who takes the message takes no more now */
	bool is_short;	  /* of memory: nothing more of the message is read */
	uint64_t charged; /* as in struct conn */
	uint64_t large_since_ms;
	bool is_pumping, is_closing, is_posted;
	const char *bye; /* why it ends, when nothing is under way */
	struct net_timer deadline;
	struct task again; /* others first */
};

/* Runs what there is to run. */
void lmtp_pump(struct lmtp *c);
/* Appends a reply; the line end is added. */
void lmtp_say(struct lmtp *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same for what the client should not have sent; counted. */
void lmtp_bad(struct lmtp *c, const char *text);
/* Ends the connection behind its output. */
void lmtp_end(struct lmtp *c);

/* overload.c: counts anew what it holds; also before it goes (`net` NULL, no mail). */
void lmtp_charge(struct lmtp *c);
/* Whether more of a message may be read. False: lmtp_pump() comes later. */
bool lmtp_may_read(struct lmtp *c);

/* lmtp_deliver.c: bytes of memory that the message in hand takes. */
uint64_t lmtp_mail_memory(const struct lmtp *c);

/* lmtp_command.c: one line, without its CRLF. */
void lmtp_command(struct lmtp *c, struct span line);
/* Ends the transaction, if any. */
void lmtp_mail_end(struct lmtp *c);

/* lmtp_deliver.c: DATA was accepted. */
void lmtp_data_begin(struct lmtp *c);
/* Takes what has arrived of the message; false when there is nothing to do now. */
bool lmtp_data_step(struct lmtp *c);
/* Goes on with the deliveries; false when there is nothing to do now. */
bool lmtp_deliver_step(struct lmtp *c);

/* server.c: counts it; NULL, or why it may not stay. */
const char *server_lmtp_came(struct lmtp *c);
void server_lmtp_gone(struct lmtp *c);

#endif
