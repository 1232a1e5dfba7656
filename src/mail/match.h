/*
 * Substring search under a comparator (mail/comparator.h). With i;unicode-casemap bytes
 * that are not UTF-8 count as U+FFFD: RFC 5051 would compare such a string as octets, and
 * so misses nothing that is found there; mail text with one bad byte is to be found all
 * the same.
 */
#ifndef MAIL_MATCH_H
#define MAIL_MATCH_H

#include "base/arena.h"
#include "base/buf.h"
#include "mail/coding.h"
#include "mail/comparator.h"

struct match_needle;

/* Prepares a search text (UTF-8). An empty one is found in everything. Lives in `a`. */
struct match_needle *match_needle_new(struct arena *a, const struct comparator *c,
				      struct span utf8);

/*
 * Appends the prepared form of `utf8` under i;unicode-casemap. What is found under any
 * comparator is found in these forms as well: an index of them only narrows.
 */
void match_fold(struct span utf8, struct buf *out);

/* One search through a text that comes in pieces cut anywhere. `{0}` before begin. */
struct match {
	const struct match_needle *needle;
	bool found;
	struct buf window; /* folded: the tail that may begin the needle */
	char partial[4];   /* a UTF-8 character that is cut */
	unsigned char n_partial;
};

void match_begin(struct match *m, const struct match_needle *needle);
/* True once the needle was found; later pieces may then be spared. */
bool match_feed(struct match *m, struct span utf8);
bool match_finish(struct match *m); /* the text is over */
void match_done(struct match *m);   /* releases */

/* In one UTF-8 text that is all there. */
bool match_text(const struct match_needle *needle, struct span utf8);
/* In the value of a header field as it stands there: unfolded and decoded first. */
bool match_header_value(const struct match_needle *needle, struct span value);
/*
 * In any field of that name within a header block. An empty needle asks whether the
 * field exists (RFC 9051 section 6.4.4, HEADER).
 */
bool match_header_field(const struct match_needle *needle, struct span block,
			struct span name);

/*
 * In the body of a leaf part: decoded by its transfer encoding and charset, of HTML
 * what its reader sees (body_text.h), then matched. An unknown encoding is matched
 * undecoded, an unknown charset as UTF-8.
 */
struct match_body;
struct match_body *match_body_new(const struct match_needle *needle, enum coding coding,
				  struct span charset, bool is_html);
bool match_body_feed(struct match_body *b, struct span raw); /* true once found */
bool match_body_finish(struct match_body *b);
void match_body_free(struct match_body *b); /* NULL is fine */

#endif
