/* What FETCH keeps between its steps (cmd_fetch.c, fetch_want.c, fetch_body.c). */
#ifndef SERVER_FETCH_STATE_H
#define SERVER_FETCH_STATE_H

#include "mail/section.h"
#include "server/ahead.h"
#include "server/command.h"
#include "server/condstore.h"
#include "server/report.h"
#include "wire/fetch.h"
#include "wire/search.h"

enum {
	FETCH_SMALL = 64 << 10, /* messages up to this are read as a whole, ahead */
	FETCH_CHUNK = 256 << 10,
};

/* Items that are answered (wire/fetch.h). */
#define FETCH_SERVED                                                                     \
	(FETCH_BASE | FETCH_MODSEQ | FETCH_SAVEDATE | FETCH_EMAILID | FETCH_THREADID | FETCH_PREVIEW)

enum fetch_step {
	FETCH_PARSE,
	FETCH_LOOKED,
	FETCH_WHOLE,
	FETCH_SEEN,
	FETCH_NEXT,
	FETCH_ITEMS,
	FETCH_CHUNK_CAME,
	FETCH_STREAM
};

/* How the bytes of an item come from the message. */
enum fetch_how {
	HOW_RAW,     /* a range as it stands */
	HOW_FIELDS,  /* a header block, filtered */
	HOW_HEADER,  /* a header block, for a client without UTF-8 */
	HOW_COUNT,   /* a part, decoded to learn its size */
	HOW_DECODED, /* the same again, decoded and sent */
	HOW_PREVIEW, /* the beginning of a part, made into its preview */
};

struct fetch_modifiers {
	bool has_since, vanished, has_partial;
	uint64_t since;
	struct partial_range partial;
	struct resync resync; /* of VANISHED */
};

struct fetch_state {
	struct fetch_args args;
	struct fetch_modifiers modifiers;
	struct numset uids;
	struct numset_iter it;
	struct want want, want_large; /* of the messages, from the store */
	struct numset newly_seen;
	struct numset downgraded; /* UIDs (RFC 6858 section 3) */
	struct report_silent silent;
	struct flag_names seen_flag;

	struct ahead ahead;
	struct view_msg walk[64]; /* what lies at walk_seq in the view */
	uint32_t walk_seq;
	size_t n_walk, at_walk;

	struct buf line; /* the response in hand, while it can be taken back */
	bool is_first;	 /* no item printed yet */
	bool is_out;	 /* part of it has been sent: no way back */
	size_t item;	 /* in hand */
	const struct ahead_message *message;	/* in hand */
	const struct gathered_message *content; /* of it; NULL when nothing is wanted */
	const struct summary *summary;		/* of it; NULL when there is none */
	bool keeps_nul; /* the operator's tools: bytes as they are, NULs too */
	unsigned failed;			/* messages that could not be read */
	const char *code;			/* for the NO of the whole command */

	/* the item in hand, when it needs bytes of the message */
	enum fetch_how how;
	uint64_t start, bytes, done; /* the raw range, how much of it was read */
	struct buf collected; /* HOW_FIELDS: header; HOW_COUNT: decoded, when small */
	struct decoder decoder;
	bool has_decoder, has_nul, crlf;
	enum coding coding;
	uint64_t decoded; /* HOW_COUNT: total; HOW_DECODED: so far */
	struct summary_part part; /* HOW_PREVIEW */
};

/* fetch_modifiers.c */
/* Reads st->args.modifiers. False: the reply is set. */
bool fetch_modifiers_read(struct cmd *cmd);
/* VANISHED: starts the look into the history of these UIDs; NULL: none is needed. */
struct op *fetch_modifiers_look(struct cmd *cmd, const struct seqset *set);
/* Leaves in st->uids those that PARTIAL and CHANGEDSINCE leave. */
void fetch_modifiers_apply(struct cmd *cmd);

/* fetch_want.c */
/* What the items need of each message: st->want, and of a large one. */
void fetch_want(struct fetch_state *st);
/* For ahead_begin(). */
enum ahead_fill fetch_fill(struct ahead *ahead, struct ahead_batch *b,
			   const struct want **want);
/* Whether the item is the message as it stands. */
bool fetch_is_whole(const struct fetch_item *item);
/* Whether it is header fields of the message itself. */
bool fetch_is_fields(const struct fetch_item *item);

/* fetch_downgrade.c */
/* Whether headers in UTF-8 are shown to this client as RFC 6858 says. */
bool fetch_downgrades(const struct cmd *cmd);
/* Print into st->line; the message is noted when it was changed. */
void fetch_put_envelope(struct cmd *cmd, struct span wire);
void fetch_put_structure(struct cmd *cmd, struct span wire);
/* `block`, or what is shown instead, which lives in `room`. */
struct span fetch_header(struct cmd *cmd, struct span block, struct buf *room);
/* OK, with the messages that were not shown as they are. */
enum verdict fetch_reply_done(struct cmd *cmd);

/* fetch_body.c */
/*
 * Prints the item in hand into st->line. CMD_DONE: printed; CMD_WAIT: bytes are on
 * their way, fetch_chunk() goes on; CMD_CLOSE: the connection cannot go on.
 */
enum verdict fetch_content(struct cmd *cmd);
enum verdict fetch_chunk(struct cmd *cmd);
/* After the peer has read: asks for the next bytes. */
enum verdict fetch_stream(struct cmd *cmd);
/* What is printed goes to the peer; from here on it cannot be taken back. */
void fetch_send(struct cmd *cmd);
/*
 * The code of the NO that one of the items gets for the message in hand, or NULL. Asked
 * before anything of it is printed.
 */
const char *fetch_obstacle(const struct fetch_state *st);
/* Whether the item needs the summary, or bytes of the message. */
bool fetch_is_content(const struct fetch_item *item);
void fetch_content_done(struct fetch_state *st);

#endif
