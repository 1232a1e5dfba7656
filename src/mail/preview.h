/*
 * A message's preview: what its text begins with, as one line of plain text (RFC 8970).
 * Quoted lines and the signature are left out, markup is stripped, space is collapsed.
 */
#ifndef MAIL_PREVIEW_H
#define MAIL_PREVIEW_H

#include "mail/summary.h"

#define PREVIEW_CHARS 200 /* RFC 8970 section 3.3 */
/* Of the part's body as it stands in the message: more is not looked at. */
#define PREVIEW_READ  65536

/*
 * The part it is made from: the first text/plain that can be decoded, else the first
 * text/html. False: there is none (encrypted, an image), the preview is empty.
 */
bool preview_part(const struct summary *s, struct summary_part *ret_part);
/*
 * Appends the preview, UTF-8, at most PREVIEW_CHARS characters. `body`: the part's body,
 * or its first PREVIEW_READ bytes.
 */
void preview_make(const struct summary_part *part, struct span body, struct buf *out);

#endif
