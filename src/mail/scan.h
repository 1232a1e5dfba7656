/* Private to mail: a summary while it is made. */
#ifndef MAIL_SCAN_H
#define MAIL_SCAN_H

#include "mail/date.h"
#include "mail/summary.h"

/* Bytes within a buffer that still grows. */
struct stretch {
	uint32_t off, n;
};

static inline struct span stretch_span(struct stretch s, const struct buf *in)
{
	return span_sub(buf_span(in), s.off, s.n);
}

struct scan_part {
	enum part_kind kind;
	enum coding coding;
	uint32_t depth, parent, end;
	uint64_t header_start, body_start, body_end;
	uint64_t lines_before_header, lines_before_body; /* in the whole message */
	uint64_t header_lines, body_lines;
	struct stretch type, subtype, charset; /* in scan.names */
	/* in scan.wire, in IMAP's form; n == 0: NIL */
	struct stretch params; /* ("CHARSET" "US-ASCII") */
	struct stretch basics; /* id, description, encoding */
	struct stretch md5;
	struct stretch extras;	 /* disposition, language, location */
	struct stretch envelope; /* of the message in it */
};

struct scan {
	struct scan_part *parts;
	uint32_t n_parts, cap_parts;
	struct buf names, wire;
	uint64_t size;
	struct stretch envelope; /* of the message itself */
	bool has_date;
	struct mail_date date;
	enum summary_header header_kind;
	struct buf header;
};

struct stretch scan_name(struct scan *s, struct span name);

/*
 * Reads what `block`, the header of part `i`, says: kind, coding, names and wire forms.
 * `is_digest`: the default type is message/rfc822 (RFC 2046 section 5.1.5).
 * `may_nest`: false makes a leaf of a multipart or message. `ret_boundary`, of a
 * multipart, has room for SUMMARY_MAX_BOUNDARY bytes; returns its length.
 */
size_t structure_read(struct scan *s, uint32_t i, struct span block, bool is_digest,
		      bool may_nest, char *ret_boundary);
/* A multipart without parts becomes text/plain, its default (RFC 2045 section 5.2). */
void structure_make_text(struct scan *s, uint32_t i);
/* Which of its forms a structure is to have. */
struct structure_form {
	bool is_extended; /* BODYSTRUCTURE, not BODY */
	/*
	 * As RFC 3501 section 9 has it: message/global is unknown to it and so goes
	 * without envelope and body.
	 */
	bool is_rev1;
};

/* Appends the structure of part `i`. */
void structure_put(const struct scan *s, uint32_t i, struct structure_form form,
		   struct buf *out);
/* Whether there is a message/global, so that IMAP4rev1 needs forms of its own. */
bool structure_has_global(const struct scan *s);

/* Appends the packed summary (summary.c knows the format). */
void summary_pack(const struct scan *s, struct buf *out);

#endif
