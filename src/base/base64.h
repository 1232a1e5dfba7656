/*
 * Base64 (RFC 4648 section 4) with padding and without line breaks, as SASL
 * exchanges use it (RFC 9051 section 9, base64). MIME bodies have a decoder of
 * their own, which forgives.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the encoding of `s`; nothing when `s` is empty. */
void base64_encode(struct span s, struct buf *out);

/*
 * Appends what `s` encodes. Strict: the alphabet, right padding, zero bits
 * behind the end, nothing else. Returns ERR_OK or ERR_INVAL, then with `out`
 * as it was.
 */
enum err base64_decode(struct span s, struct buf *out);

#endif
