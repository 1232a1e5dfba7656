/* Encoded words (RFC 2047) and extended parameters (RFC 2231) to UTF-8. */
#ifndef MAIL_WORDS_H
#define MAIL_WORDS_H

#include "base/arena.h"
#include "base/buf.h"

struct mime_param;

/*
 * Appends a header value as UTF-8: unfolded, encoded words decoded, space
 * between adjacent ones dropped (RFC 2047 section 6.2), characters that are
 * split across adjacent words of one charset and encoding put together,
 * language suffix ignored (RFC 2231 section 5). What is no well-formed word
 * stays as it is. Raw 8-bit text is taken as UTF-8 (RFC 6532).
 */
void words_decode(struct span value, struct buf *out);

/*
 * Appends `utf8`, which is UTF-8, as encoded words (RFC 2047 section 4.1, "B"), none
 * longer than 60 characters or ending within a character, with `between` between them.
 */
void words_encode(struct span utf8, const char *between, struct buf *out);

/*
 * The value of parameter `name` as UTF-8: "name", "name*" or the
 * continuations "name*0", "name*1*", ... put together (RFC 2231 sections 3 and
 * 4). Appends to `out`; false when there is no such parameter.
 */
bool words_param(const struct mime_param *params, size_t n_params, struct span name,
		 struct buf *out);

#endif
