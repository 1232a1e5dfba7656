/* Private to mail: strings as IMAP has them in responses (RFC 9051 section 4.3). */
#ifndef MAIL_IMAPSTR_H
#define MAIL_IMAPSTR_H

#include "base/buf.h"

/*
 * Appends a quoted string, or a literal when there are 8-bit bytes, CR or LF, or too many
 * bytes for a line. So it is valid for IMAP4rev1, rev2 and UTF8=ACCEPT alike, and
 * 8-bit bytes leave as they are. NUL is dropped: no string can hold it.
 */
void imapstr_put(struct buf *out, struct span s);
/* The same in upper case (ASCII). */
void imapstr_put_upper(struct buf *out, struct span s);
/* The same, or NIL when `s.p` is NULL. */
void imapstr_put_nstring(struct buf *out, struct span s);

#endif
