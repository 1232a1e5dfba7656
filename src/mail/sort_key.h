/*
 * Sort keys (RFC 5256, RFC 5957): one string of octets a message, in which each criterion
 * stands behind the one before it, so that span_cmp() of two keys is their order.
 */
#ifndef MAIL_SORT_KEY_H
#define MAIL_SORT_KEY_H

#include "base/arena.h"
#include "mail/comparator.h"

/* Each appends one criterion to `key`; `reverse` has it sort the other way round. */
void sort_key_number(struct buf *key, int64_t n, bool reverse);
void sort_key_text(struct buf *key, const struct comparator *c, struct span utf8,
		   bool reverse);

/* The texts that are sorted by, of a header block, appended as UTF-8. */
void sort_text_subject(struct span block, struct buf *out); /* the base subject */
/* addr-mailbox of the first address in the fields of that name; scratch from `a`. */
void sort_text_mailbox(struct arena *a, struct span block, struct span name,
		       struct buf *out);
/* Its DISPLAY value (RFC 5957 section 3): name, else mailbox@host, else mailbox. */
void sort_text_display(struct arena *a, struct span block, struct span name,
		       struct buf *out);

#endif
