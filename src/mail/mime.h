/*
 * The MIME header fields (RFC 2045 section 5, RFC 2183, RFC 3282) and the lexical
 * pieces they share with RFC 5322 (section 3.2: tokens, quoted strings, comments).
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "base/arena.h"
#include "base/buf.h"

struct mime_param {
	struct span name;  /* as written */
	struct span value; /* quotes removed; RFC 2231 forms as they stand */
};

/* A token and its parameters: Content-Type and Content-Disposition. */
struct mime_value {
	struct span type;    /* "text"; empty when the field is not well formed */
	struct span subtype; /* "plain"; Content-Type alone */
	struct mime_param *params;
	size_t n_params;
};

#define MIME_MAX_PARAMS 200 /* of one field; those behind are not read */

/*
 * The value of a Content-Type field. Parameters that make no sense are left out.
 * False when there is no type "/" subtype: the default then holds (RFC 2045
 * section 5.2).
 */
bool mime_content_type(struct arena *a, struct span value, struct mime_value *ret_value);
/* The value of a Content-Disposition field (RFC 2183). */
bool mime_disposition(struct arena *a, struct span value, struct mime_value *ret_value);
/* The first token, comments skipped: Content-Transfer-Encoding, Content-MD5. */
struct span mime_token(struct arena *a, struct span value);
/* The tags of a Content-Language field (RFC 3282); returns how many. */
size_t mime_languages(struct arena *a, struct span value, struct span **ret_tags);
/*
 * The value with parameters in sections put together: "name*0", "name*1", ... is "name";
 * where one has percent codes it is "name*", in the form charset'language'codes
 * (RFC 2231 sections 3 and 4). What is left of them without a first one stays as it is.
 */
struct mime_value mime_join_sections(struct arena *a, const struct mime_value *v);
/* A parameter by its name, ASCII case ignored; the first one; NULL when absent. */
const struct mime_param *mime_param_find(const struct mime_value *v, struct span name);

/* Lexical pieces. `in` is moved behind what was taken. */
bool lex_is_wsp(char c);   /* space, tab, and CR or LF of a fold */
bool lex_is_token(char c); /* RFC 2045 token; 8-bit allowed (RFC 6532) */
bool lex_is_atext(char c); /* RFC 5322 atext; 8-bit allowed (RFC 6532) */
/*
 * Skips space, folds and comments, which may nest (RFC 5322 section 3.2.2). The
 * text of the last comment is put into `comment` when that is not NULL.
 */
void lex_cfws(struct span *in, struct buf *comment);
/*
 * Appends a quoted string without quotes, backslashes and line ends; `in` stands
 * at its DQUOTE. One that is not closed ends with the input.
 */
void lex_quoted(struct span *in, struct buf *out);

#endif
