/*
 * How a message lies in an mbox or a Maildir file, where lines end with LF, so that its
 * bytes come back as they were:
 *
 * plain	each line ends with CRLF, which is written as LF
 * raw		some do not: the bytes are written as they are
 *
 * In an mbox also: `open`, the last line has no end, and one was added; `own`, the
 * message itself has header lines that programs put into an mbox (Status, ...), so that
 * what stands before them has to end somewhere.
 */
#ifndef TOOLS_MAIL_FORM_H
#define TOOLS_MAIL_FORM_H

#include "base/buf.h"
#include "base/err.h"

/* Header fields that belong to an mbox, not to a message: those that Dovecot and c-client
 * write and hide, and our own. */
enum mbox_field {
	MBOX_NONE,
	MBOX_STATUS,
	MBOX_X_STATUS,
	MBOX_X_KEYWORDS,
	MBOX_X_UID,
	MBOX_X_IMAP,
	MBOX_X_IMAPBASE,
	MBOX_CONTENT_LENGTH,
	MBOX_X_MAILSTILE,
};
/* Of a header line; `ret_value` is what stands behind the colon, trimmed. */
enum mbox_field mbox_field(struct span line, struct span *ret_value);

/* Looks at a message in pieces, from its beginning. `{0}` at first. */
struct mail_form {
	bool is_raw, is_open, has_own;
	uint64_t lines; /* that end with LF */
	/* its own */
	bool is_behind_header, is_begun;
	char last, before_last;
	char start[24]; /* of the line in hand */
	size_t n_start;
};
void mail_form_look(struct mail_form *f, struct span piece);
void mail_form_end(struct mail_form *f);

/* Writes a message in pieces. `{ .is_raw = ..., .quotes = ... }` at first. */
struct mail_writer {
	bool is_raw;
	bool quotes; /* ">" before /^>*From / (mboxrd) */
	/* its own */
	bool has_cr, is_within; /* within: not at the start of a line */
	size_t n_from;		/* so much of "From " is held back */
};
void mail_write(struct mail_writer *w, struct span piece, struct buf *out);
void mail_write_end(struct mail_writer *w, struct buf *out);

/* The other way: LF to CRLF where no CR stands before it. Bytes it will have. */
struct mail_reader {
	bool is_raw;
	bool has_cr; /* its own */
};
void mail_read(struct mail_reader *r, struct span piece, struct buf *out);

#endif
