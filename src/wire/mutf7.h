/*
 * Modified UTF-7, the mailbox names of IMAP4rev1 (RFC 3501 section 5.1.3,
 * RFC 9051 appendix A.1).
 */
#ifndef WIRE_MUTF7_H
#define WIRE_MUTF7_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Appends the UTF-8 of `name`. Strict: each string has one encoding, so printable ASCII
 * within base64, null shifts ("&AOk-&AOk-"), missing "-", wrong padding bits, lone
 * surrogates, U+0000 and bytes outside 0x20-0x7e are ERR_INVAL; `out` is then as it was.
 */
enum err mutf7_decode(struct span name, struct buf *out);
/* Appends the modified UTF-7 of `utf8`; ERR_INVAL when that is not valid UTF-8. */
enum err mutf7_encode(struct span utf8, struct buf *out);

#endif
