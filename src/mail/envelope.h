/* Private to mail: ENVELOPE in wire form (RFC 9051 section 7.5.2). */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include "base/buf.h"

/* An envelope without any field. */
#define ENVELOPE_EMPTY "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"

/*
 * Appends the envelope of a header block. When it would be more than `max` bytes
 * long, strings are cut and of each address list the first few are given.
 */
void envelope_put(struct span block, size_t max, struct buf *out);

#endif
