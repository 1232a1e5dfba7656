/*
 * Comparators: how SEARCH, SORT and THREAD compare text (RFC 4790, RFC 5051; RFC
 * 5255 section 4). Immutable, and alive as long as the program. Each offers all three
 * operations: equality, ordering, substring (mail/match.h).
 */
#ifndef MAIL_COMPARATOR_H
#define MAIL_COMPARATOR_H

#include "base/buf.h"

struct comparator;

enum {
	COMPARATORS = 3,
	COMPARATOR_NAME_MAX = 254 /* bytes (RFC 4790 section 3.1) */
};

/* i;unicode-casemap, the default (RFC 5255 section 4.4). */
const struct comparator *comparator_default(void);
/* "i;unicode-casemap", "i;ascii-casemap" or "i;octet". */
const char *comparator_name(const struct comparator *c);
/*
 * Which comparators a client's collation-order names: an identifier, "default", or one
 * with "*" for any characters; in any case (RFC 4790 section 3.2). The most widely useful
 * first. Returns how many; 0 as well for "-", whose inverted order SEARCH cannot have.
 */
size_t comparator_find(struct span order, const struct comparator *ret[COMPARATORS]);

/*
 * Appends the form of `utf8` that is compared as octets. Returns how many bytes at the
 * end of `utf8` were left because they begin a character that is not all there.
 */
size_t comparator_fold(const struct comparator *c, struct span utf8, struct buf *out);
/* The same of text that is ASCII and nothing else, into `to`: utf8.n bytes. */
void comparator_fold_ascii(const struct comparator *c, struct span ascii, char *to);

/*
 * Appends a key: span_cmp() of two keys is the order of their texts, and texts are equal
 * when their keys are. What is not UTF-8 is ordered by its octets, behind all that is
 * (RFC 5255 section 4.6). No key is empty.
 */
void comparator_key(const struct comparator *c, struct span utf8, struct buf *out);
/* <0, 0, >0, as the keys of the texts. For many texts keep the keys. */
int comparator_compare(const struct comparator *c, struct span a, struct span b);

#endif
