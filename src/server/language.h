/*
 * The language of what people read (RFC 5255 section 3). The catalogue is po/: texts are
 * looked up by their English, so whoever says something writes it in English and is
 * done; tests/server/test_language.py tells what is not translated yet.
 */
#ifndef SERVER_LANGUAGE_H
#define SERVER_LANGUAGE_H

#include "server/session.h"

/*
 * `text` in the language of the session; itself when that is English or the catalogue
 * has it not. A format stays a format of the same conversions. Static.
 */
const char *language_text(const struct session *s, const char *text)
    __attribute__((format_arg(2)));

/* ` "TRANSLATION" ("...")` of a namespace prefix (section 3.4), or nothing. */
void language_put_translation(const struct session *s, const char *prefix,
			      struct buf *out);

/* Generated from po/ by po/compile.py. */
enum { LANGUAGES_MAX = 16 };
struct language_entry {
	const char *text;	       /* in English; sorted by its bytes */
	const char *in[LANGUAGES_MAX]; /* by the number of the language */
};
extern const char *const language_tags[];	     /* of those beside English; NULL */
extern const struct language_entry language_table[]; /* ends with { NULL } */
extern const size_t language_entries;

#endif
