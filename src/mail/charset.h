/*
 * Charsets to UTF-8 with iconv, streaming. Bytes that mean nothing in the
 * charset become U+FFFD, one for each. Names are those of the IANA registry
 * plus the aliases that mail has; us-ascii is read as UTF-8, its superset.
 */
#ifndef MAIL_CHARSET_H
#define MAIL_CHARSET_H

#include "base/buf.h"

struct charset;

/* Whether SEARCH CHARSET may name it; if not, NO [BADCHARSET] (RFC 9051 section 6.4.4).
 */
bool charset_known(struct span name);

/* A converter, NULL when the charset is not known. Not memory alone: charset_free() it.
 */
struct charset *charset_new(struct span name);
void charset_free(struct charset *c); /* NULL is fine */
void charset_feed(struct charset *c, struct span in, struct buf *out);
/* Ends the text: half a character becomes U+FFFD. May be fed anew afterwards. */
void charset_finish(struct charset *c, struct buf *out);

/* All at once; false, and nothing appended, when the charset is not known. */
bool charset_to_utf8(struct span name, struct span in, struct buf *out);
/* Valid UTF-8 (RFC 3629: shortest form, no surrogates, at most U+10FFFF). */
bool utf8_is_valid(struct span s);
/* Appends `s` with each byte that is not UTF-8 turned into U+FFFD. */
void utf8_repair(struct span s, struct buf *out);

#endif
