/*
 * Header blocks: fields, folded lines, names (RFC 5322 sections 2.2 and 4.5).
 *
 * A line ends with CRLF or with a bare LF; a bare CR is an ordinary byte. A
 * line that starts with a space or tab belongs to the field before it. The
 * block ends with its first empty line or with its last byte. A line that is
 * neither a field nor a continuation (an mbox "From ", say) is skipped
 * together with its continuations.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/buf.h"

struct header_field {
	struct span name;  /* as written, without the space before the colon */
	struct span value; /* behind the colon; folds kept, last line end not */
	struct span whole; /* name to line end, exact bytes */
};

/* A byte order mark, which some programs leave before the first field: passed over. */
#define HEADER_BOM "\xef\xbb\xbf"

/* for (struct header_iter it = header_iter(block); header_next(&it, &f); ) */
struct header_iter {
	struct span rest;
};
struct header_iter header_iter(struct span block);
bool header_next(struct header_iter *it, struct header_field *ret_field);

/* The first field of that name (ASCII case ignored); false when there is none. */
bool header_find(struct span block, struct span name, struct header_field *ret_field);

/*
 * How many bytes of `line` are a field name, when a colon follows it (obs-optional
 * space before the colon allowed); 0 when the line is no field.
 */
size_t header_name_bytes(struct span line);

/*
 * Appends the value without its folds (RFC 5322 section 2.2.3: the line end
 * goes, the space behind it stays) and without space around it.
 */
void header_unfold(struct span value, struct buf *out);

/*
 * BODY[HEADER.FIELDS (names)] and, with `is_not`, BODY[HEADER.FIELDS.NOT (names)]
 * (RFC 9051 section 6.4.5.1): appends the fields as they are, in their order,
 * and the empty line that ends the block as it stands there, when it does.
 * Lines that are no field belong to .NOT.
 */
void header_filter(struct span block, const struct span *names, size_t n_names,
		   bool is_not, struct buf *out);

#endif
