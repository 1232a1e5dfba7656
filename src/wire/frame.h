/*
 * Finds one command (at a server) or one response (at a client) with its
 * literals in a growing buffer: incrementally, each byte looked at once, no
 * allocation (RFC 9051 sections 2.2 and 4.3, RFC 7888, RFC 3516).
 *
 *	switch (frame_next(&f, &limits, buf_span(&in), &lit)) {
 *	case FRAME_MORE:     read more, call again with the longer input
 *	case FRAME_DONE:     parse in[0..f.scanned); drop it; frame_reset(&f)
 *	case FRAME_LITERAL:  either frame_accept(&f, &lit), "+ go" if lit.sync, call
 *again; or parse in[0..f.scanned), drop it, take lit.bytes elsewhere, frame_reset(&f):
 *the text behind the literal is the next frame; or refuse: tagged NO/BAD,
 *frame_skip_begin(&f, &lit) case FRAME_LONG: case FRAME_BAD_LINE: tagged BAD (frame_tag),
 *drop f.scanned bytes, frame_skip_begin(&f, NULL) case FRAME_LOST:     untagged BYE,
 *close
 *	}
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include "base/span.h"

struct frame_limits {
	size_t line_bytes;  /* one line without literals, CRLF included */
	size_t total_bytes; /* a whole frame with accepted literals, CRLF included */
};

struct frame_literal {
	uint64_t bytes;	   /* at most 2^63 - 1 */
	bool sync;	   /* the client waits for "+ "; always true in responses */
	bool literal8;	   /* ~{n} (RFC 3516): may hold NUL */
	size_t header_off; /* where '{' or '~{' stands in the input */
};

enum frame_rc {
	FRAME_MORE,
	FRAME_DONE,	/* in[0..scanned) is the whole, CRLF included */
	FRAME_LITERAL,	/* in[0..scanned) ends with a literal header's CRLF */
	FRAME_LONG,	/* a limit is passed; perhaps within a line: skip the rest */
	FRAME_BAD_LINE, /* ended by bare LF, or holds NUL or bare CR: in[0..scanned) */
	FRAME_LOST, /* a literal's number is over 2^63 - 1: where it ends is not known */
};

enum frame_role { FRAME_COMMANDS, FRAME_RESPONSES };

/* Fields are frame.c's own, except `scanned`. Set up with frame_init(). */
struct frame {
	size_t scanned;	     /* bytes of the input already looked at */
	size_t line_start;   /* of the line being looked at */
	size_t header_off;   /* of a possible literal header */
	uint64_t number;     /* of it */
	uint64_t skip_bytes; /* of a literal that is thrown away */
	uint8_t role, state;
	bool is_status; /* responses: text to the end of the line, no literal */
	bool is_first_line, is_bad, is_skipping, has_cr;
	bool has_plus, has_tilde, is_too_large;
};

void frame_init(struct frame *f, enum frame_role role);

/*
 * Looks at the bytes of `in` behind f->scanned. `in` is the same input as before,
 * perhaps longer (it may have moved). A line that ends in "{n}", "{n+}",
 * "~{n}" or "~{n+}" announces a literal, whatever stands before: the bytes behind it
 * are never taken for a command. Responses have "{n}" and "~{n}" only, and
 * none in status responses and continuations, whose text is free.
 * FRAME_LITERAL, FRAME_LONG and FRAME_BAD_LINE must be followed by one of the calls
 * below.
 */
enum frame_rc frame_next(struct frame *f, const struct frame_limits *limits,
			 struct span in, struct frame_literal *ret_literal);

/*
 * The literal is to be buffered: frame_next goes on behind it. Its bytes count for
 * total_bytes: false, and nothing accepted, when they pass it (the caller refuses).
 */
bool frame_accept(struct frame *f, const struct frame_limits *limits,
		  const struct frame_literal *literal);

/*
 * The caller has dropped f->scanned bytes. What comes next is a new frame, or the
 * text behind a literal that went elsewhere.
 */
void frame_reset(struct frame *f);

/*
 * Throws the rest of a refused command away, in bounded memory. The caller has
 * dropped f->scanned bytes. `literal`: the one that was refused; NULL after
 * FRAME_LONG and FRAME_BAD_LINE. A refused synchronizing literal has no rest.
 */
void frame_skip_begin(struct frame *f, const struct frame_literal *literal);
/*
 * Looks at `in`; *ret_bytes of it are to be dropped. FRAME_DONE: the rest is gone, with
 * the non-synchronizing literals inside, and the frame is reset. FRAME_MORE: call again
 * with what comes next. FRAME_LOST: close.
 */
enum frame_rc frame_skip(struct frame *f, struct span in, size_t *ret_bytes);
bool frame_is_skipping(const struct frame *f);

/* The tag that `in` starts with, for a BAD; empty when it has none (then "* BAD"). */
struct span frame_tag(struct span in);

#endif
