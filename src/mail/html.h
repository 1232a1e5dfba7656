/*
 * HTML as its reader sees it: without markup, comments, scripts and styles; character
 * references decoded; white space as one space. What is set in another face within a word
 * leaves the word whole, any other element parts words. No validity is asked for: mail
 * has all sorts. For search and previews; positions are lost.
 */
#ifndef MAIL_HTML_H
#define MAIL_HTML_H

#include "base/buf.h"

struct html {
	enum {
		HTML_TEXT,
		HTML_OPEN, /* "<" */
		HTML_TAG,
		HTML_COMMENT,
		HTML_SILENT, /* the content of a script or style */
		HTML_REFERENCE,
	} state;
	char held[34]; /* a tag's beginning, a reference, the end of what is silent */
	unsigned n_held;
	unsigned silent;   /* which of them, counted from 1; 0: none */
	unsigned dashes;   /* of a comment's end */
	char quote;	   /* 0: not within a quoted value */
	unsigned n_quoted; /* its bytes so far */
	bool is_value;	   /* behind "=" */
	bool is_spaced;	   /* what was given last is a space, or nothing was */
};

void html_begin(struct html *h);
/* Appends UTF-8 to `out`; pieces of UTF-8 that are cut anywhere. */
void html_feed(struct html *h, struct span piece, struct buf *out);
void html_finish(struct html *h, struct buf *out); /* nothing is held back any more */

/* Seen by nobody: soft hyphen, joiners, marks of direction, fillers of newsletters. */
bool html_is_invisible(uint32_t character);
/* "amp", "#228", "#xe4": the character; 0: there is none of that name. */
uint32_t html_reference(struct span name);

#endif
