/* What FETCH keeps between its steps (cmd_fetch.c, fetch_body.c). */
#ifndef SERVER_FETCH_STATE_H
#define SERVER_FETCH_STATE_H

#include "mail/section.h"
#include "server/command.h"
#include "server/report.h"
#include "wire/fetch.h"

enum { FETCH_BATCH = 64, FETCH_CHUNK = 256 << 10 };

enum fetch_step {
	FETCH_PARSE,
	FETCH_SEEN,
	FETCH_NEXT,
	FETCH_ITEMS,
	FETCH_SUMMARIES,
	FETCH_CHUNK_CAME,
	FETCH_STREAM
};

/* How the bytes of an item come from the message. */
enum fetch_how {
	HOW_RAW,     /* a range as it stands */
	HOW_FIELDS,  /* a header block, filtered */
	HOW_COUNT,   /* a part, decoded to learn its size */
	HOW_DECODED, /* the same again, decoded and sent */
};

struct fetch_message {
	uint32_t uid, seq;
	struct view_msg msg;
	struct span summary; /* blob; empty when not needed or not readable */
};

struct fetch_state {
	struct fetch_args args;
	struct numset uids;
	struct numset_iter it;
	bool needs_summary;
	struct numset newly_seen;
	struct report_silent silent;
	struct flag_names seen_flag;

	struct arena *batch_arena;
	struct fetch_message batch[FETCH_BATCH];
	size_t n_batch, at; /* messages of this batch; the one in hand */

	struct buf line;	/* the response in hand, while it can be taken back */
	bool is_first;		/* no item printed yet */
	bool is_out;		/* part of it has been sent: no way back */
	size_t item;		/* in hand */
	struct summary summary; /* opened, of the message in hand */
	bool is_opened;
	unsigned failed;  /* messages that could not be read */
	const char *code; /* for the NO of the whole command */

	/* the item in hand, when it needs bytes of the message */
	enum fetch_how how;
	uint64_t start, bytes, done; /* the raw range, how much of it was read */
	struct buf collected; /* HOW_FIELDS: header; HOW_COUNT: decoded, when small */
	struct decoder decoder;
	bool has_decoder, has_nul, crlf;
	enum coding coding;
	uint64_t decoded; /* HOW_COUNT: total; HOW_DECODED: so far */
};

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
