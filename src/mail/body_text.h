/*
 * The text of a leaf part as UTF-8, however it is encoded: decoded by its transfer
 * encoding, then by its charset; of HTML what its reader sees. An unknown encoding is passed on undecoded, an unknown
 * charset is taken as UTF-8. What search looks into, and what its index is made of.
 */
#ifndef MAIL_BODY_TEXT_H
#define MAIL_BODY_TEXT_H

#include "mail/charset.h"
#include "mail/coding.h"
#include "mail/html.h"

struct body_text {
	struct decoder decoder;
	struct charset *charset;
	struct buf decoded;
	bool is_html;
	struct html html;
	struct buf markup; /* UTF-8, of HTML */
};

void body_text_begin(struct body_text *t, enum coding coding, struct span charset,
		     bool is_html);
/* Appends UTF-8 to `out`; pieces may be cut anywhere. */
void body_text_feed(struct body_text *t, struct span raw, struct buf *out);
void body_text_finish(struct body_text *t, struct buf *out);
void body_text_done(struct body_text *t); /* releases */

#endif
