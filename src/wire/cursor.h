/*
 * Reads a complete frame like its ABNF (RFC 9051 section 9). The first error
 * sticks: from then on every reader returns nothing (0, SPAN_NONE, false) and
 * moves nowhere, so that a command checks once, at its end:
 *
 *	cursor_sp(c);
 *	struct span from = cursor_mailbox(c);
 *	cursor_sp(c);
 *	struct span to = cursor_mailbox(c);
 *	if (!cursor_end(c))
 *		return reply_syntax(cmd);      // c->why says what was expected
 *
 * Returned spans are borrowed from the frame, or copied to the arena where the
 * bytes differ (escapes, mailbox names). "try" functions leave the cursor where
 * it was when they return false, and are no error.
 */
#ifndef WIRE_CURSOR_H
#define WIRE_CURSOR_H

#include "base/arena.h"
#include "base/buf.h"
#include "wire/limits.h"

struct frame_literal;

struct cursor {
	struct span in; /* whole frame, CRLF included */
	size_t at;	/* next byte */
	bool bad;
	const char *why; /* when bad: "a mailbox name was expected"; static */
	bool utf8;	/* mailbox names are UTF-8: IMAP4rev2 or UTF8=ACCEPT is enabled */
	unsigned depth; /* open parentheses */
	struct arena *arena;
};

struct cursor cursor_of(struct span frame, bool utf8, struct arena *a);
/* Fails with `why` (static), unless it failed before. Always returns false. */
bool cursor_fail(struct cursor *c, const char *why);

/* Exactly one space, or this character. */
bool cursor_sp(struct cursor *c);
bool cursor_char(struct cursor *c, char want);
bool cursor_try_char(struct cursor *c, char want);
bool cursor_try_sp(struct cursor *c);
/* The next byte, -1 at the end or when bad. Never an error. */
int cursor_peek(const struct cursor *c);
/* CRLF and nothing behind it. True when the whole frame was well formed. */
bool cursor_end(struct cursor *c);
bool cursor_at_end(const struct cursor *c); /* CRLF is next */

/*
 * Takes `word` (any case) if it is next and no ATOM-CHAR but "[" follows it: "BODY" is
 * not taken from "BODYSTRUCTURE" or "BODY.PEEK", but is from "BODY[1]".
 */
bool cursor_try_word(struct cursor *c, const char *word);
bool cursor_word(struct cursor *c, const char *word); /* must be next */

struct span cursor_tag(struct cursor *c);
struct span cursor_atom(struct cursor *c);
/* The longest run of ATOM-CHARs, perhaps empty; never an error. */
struct span cursor_peek_atom(const struct cursor *c);
/* tagged-ext-label: an atom of letters, digits, "-", "_", ".", ":". */
struct span cursor_label(struct cursor *c);
struct span cursor_astring(struct cursor *c);
struct span cursor_string(struct cursor *c); /* quoted or literal */
/* False for NIL (and when bad): *ret_string is SPAN_NONE then. */
bool cursor_nstring(struct cursor *c, struct span *ret_string);
bool cursor_try_nil(struct cursor *c);
/*
 * Without quotes and escapes. UTF-8 is allowed for every client, since a
 * server that offers IMAP4rev2 must accept it (RFC 9051 section 4.3.1); other 8-bit
 * bytes, NUL, CR and LF are bad (RFC 6855 section 3).
 */
struct span cursor_quoted(struct cursor *c);
/* {n} or {n+}, CRLF, n bytes; NUL is bad (CHAR8). */
struct span cursor_literal(struct cursor *c);
/* ~{n} or ~{n+}, CRLF, n bytes of any kind (RFC 3516, RFC 4466). */
struct span cursor_literal8(struct cursor *c);
/* Either form; *ret_is8 may be NULL. */
struct span cursor_literal_any(struct cursor *c, bool *ret_is8);
/*
 * The header of a literal whose bytes are not in the frame (APPEND that streams): reads
 * "{n}" CRLF and its like; the cursor must then be at the end of the frame.
 */
bool cursor_literal_header(struct cursor *c, struct frame_literal *ret_literal);
/* atom / quoted (charset of SEARCH). */
struct span cursor_charset(struct cursor *c);

uint32_t cursor_number(struct cursor *c);    /* 32 bits */
uint32_t cursor_nz_number(struct cursor *c); /* 1 .. 2^32 - 1, no leading zero */
uint64_t cursor_number64(struct cursor *c);  /* up to 2^63 - 1 */
uint64_t cursor_nz_number64(struct cursor *c);

/*
 * A mailbox name as UTF-8; INBOX in any case gives "INBOX". With c->utf8 the name is
 * UTF-8. Without, it is modified UTF-7 and is decoded (RFC 9051 appendix A.1), except
 * that a name with 8-bit bytes is UTF-8 as it stands (RFC 6855 section 3).
 * Names that are not valid, or not the one canonical modified UTF-7, are
 * refused: otherwise two spellings would name one mailbox.
 */
struct span cursor_mailbox(struct cursor *c);
/*
 * The same in a response: a name that is not valid is returned as it stands, since a
 * server may hold names that others made, and one must not cost a client the rest.
 */
struct span cursor_mailbox_any(struct cursor *c);
/* list-mailbox: the same, unquoted "*" and "%" are allowed; "INBOX" is left as it is. */
struct span cursor_list_mailbox(struct cursor *c);

/* "(", counted against WIRE_NESTING_MAX; ")" */
bool cursor_list_open(struct cursor *c);
bool cursor_list_close(struct cursor *c);
bool cursor_try_list_open(struct cursor *c);
/*
 * For lists of one or more: do { item(c); } while (cursor_list_more(c));
 * Takes SP and returns true, or takes ")" and returns false; anything else is bad.
 */
bool cursor_list_more(struct cursor *c);

/* A base64 token, not decoded: "=" alone or base64 (initial-resp). */
struct span cursor_base64(struct cursor *c);

/*
 * A tagged-ext-val (RFC 4466 section 3) or option-value (RFC 5258) of any content:
 * checked, and returned as it stands. Nesting is bounded.
 */
struct span cursor_ext_value(struct cursor *c);

/* One parameter, modifier or option of a list: LABEL [SP value]. */
struct wire_param {
	struct span name;
	struct span value; /* raw tagged-ext-val; p NULL when there is none */
};
struct wire_params {
	struct wire_param *v;
	size_t n;
};
/* "(" param *(SP param) ")": select-params, fetch-modifiers, create-params ... (RFC
 * 4466). */
bool cursor_params(struct cursor *c, struct wire_params *ret_params);
/* One LABEL [SP value]; there is a value when digit, "(", "*", "$" or a quote follows. */
bool cursor_param(struct cursor *c, struct wire_param *ret_param);
/* NULL when there is none of this name (any case). */
const struct wire_param *wire_param_find(const struct wire_params *p, const char *name);
/* A cursor on a parameter's value, in the same mode; ends with cursor_rest_empty(). */
struct cursor cursor_on(const struct cursor *c, struct span value);
bool cursor_rest_empty(struct cursor *c);

/* Character classes of RFC 9051 section 9. */
bool wire_is_atom_char(unsigned char ch);
bool wire_is_astring_char(unsigned char ch);
bool wire_is_list_char(unsigned char ch);
bool wire_is_tag(struct span s);
/* RFC 3629: shortest form, no surrogates, at most U+10FFFF. */
bool wire_is_utf8(struct span s);

#endif
