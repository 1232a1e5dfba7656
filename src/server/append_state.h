/* What APPEND and REPLACE keep between their steps (cmd_append.c, append_parts.c). */
#ifndef SERVER_APPEND_STATE_H
#define SERVER_APPEND_STATE_H

#include "server/command.h"
#include "server/place.h"
#include "server/url_source.h"

enum append_step {
	APPEND_PARSE,
	APPEND_MESSAGE_IN,
	APPEND_TEXT_IN,	 /* CATENATE: the literal of TEXT */
	APPEND_URL_IN,	 /* the literal of a URL */
	APPEND_URL_FIND, /* what it names */
	APPEND_URL_READ,
	APPEND_URL_FED, /* the store is behind */
	APPEND_ANSWER,
};

/* Looks for 8-bit bytes while a header passes by. */
struct header_watch {
	bool is_on, is_over, is_line_begun;
};

struct attr_edit;
struct append_state {
	struct cmd *cmd;
	struct place place;
	struct append_item *item;
	size_t n, cap;		   /* complete ones; room */
	uint64_t held;		   /* bytes of them in memory */
	uint64_t bytes;		   /* of all */
	bool has_partial;	   /* item[n] is being fed */
	bool has_nul, is_literal8; /* of a message, and how that one came */
	bool is_utf8;		   /* the one in hand stands in UTF8 (...) */
	struct header_watch watch; /* of the one in hand */
	bool has_8bit;		   /* in the header of one, where that is refused */
	const struct attr_edit *mark; /* operator.h; NULL: none */

	/* REPLACE */
	bool is_replace;
	uint32_t uid;
	struct mailbox *source; /* the selected one's */

	/* CATENATE */
	uint64_t message_bytes; /* of the message in hand so far */
	bool is_url;		/* the literal being read is a URL */
	struct buf url;
	struct span url_text; /* as given, for BADURL */
	struct url_source from;
	uint64_t from_at;
	bool is_slow;	   /* `drained` has not come yet */
	struct cursor rest; /* while a place is looked up */
};

/* Bytes of the message in hand. False: no more until st->is_slow is false again, if it was
 * set before (feeding what was read), or conn_literal_go(). */
bool append_feed(struct append_state *st, struct span bytes);
/* A message of so many bytes more is too much: the reply is set. */
bool append_refuses(struct cmd *cmd, uint64_t bytes);
/* The message in hand has begun. */
void append_begin(struct cmd *cmd);
/* It is complete: the next one, or the end. */
enum verdict append_next(struct cmd *cmd);

/* Behind "CATENATE" (RFC 4469), and the steps of it. */
enum verdict append_catenate(struct cmd *cmd);
enum verdict append_part_step(struct cmd *cmd);

#endif
