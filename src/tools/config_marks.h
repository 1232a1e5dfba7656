/*
 * Where in a YAML text each key and value stands, so that an error found later
 * can say line and column. Reads the text as YAML alone, without a schema.
 */
#ifndef TOOLS_CONFIG_MARKS_H
#define TOOLS_CONFIG_MARKS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct mark {
	const char *path;    /* "listeners[0].port": its value; "limits": a section */
	const char *text;    /* of the value; NULL when it is a list or has keys */
	size_t line, column; /* of the value; from 1 */
	size_t key_line, key_column; /* of its key; of the entry in a list */
};

struct marks {
	const struct mark *at; /* in the order of the file */
	size_t n;
};

/*
 * ERR_INVAL: not YAML, more than one document, aliases or tags, or deeper than
 * 6; `ret_why` gets "LINE:COLUMN: a sentence."
 */
enum err marks_read(struct arena *a, struct span text, struct marks *ret,
		    struct buf *ret_why);
/* printf-like path; NULL when there is none. */
const struct mark *marks_find(const struct marks *m, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
