/*
 * What a client is shown that takes no UTF-8 (RFC 6858, simplified downgrading; RFC 6855
 * section 8): header fields in UTF-8 (RFC 6532) become encoded words, addresses that
 * ASCII cannot write get a name that shows them and an address that is none, and what
 * cannot be shown is left out. Bytes that are not UTF-8 are no such field, only old mail
 * that was never right: they stay as they are.
 */
#ifndef MAIL_DOWNGRADE_H
#define MAIL_DOWNGRADE_H

#include "base/buf.h"

/* Appends the surrogate of a header block; false, and nothing, when it needs none. */
bool downgrade_header(struct span block, struct buf *out);
/*
 * The same of ENVELOPE and of BODY or BODYSTRUCTURE as a summary has them in wire form.
 * One that is damaged needs none.
 */
bool downgrade_envelope(struct span wire, struct buf *out);
bool downgrade_structure(struct span wire, struct buf *out);

/* The address of one that cannot be shown (RFC 6858 section 2.1). */
#define DOWNGRADED_MAILBOX "invalid"
#define DOWNGRADED_HOST	   "internationalized-address.invalid"

#endif
