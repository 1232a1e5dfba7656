/*
 * Values to bytes (RFC 9051 section 9): appends to a buffer, choosing atom, quoted
 * string or literal as the grammar and the peer allow.
 *
 * A client that has sent a synchronizing literal must wait: it runs frame_next
 * (FRAME_COMMANDS) over what it emitted and stops where a literal is `sync`.
 */
#ifndef WIRE_EMIT_H
#define WIRE_EMIT_H

#include "base/buf.h"

struct wire_params;

enum emit_literal {
	EMIT_SERVER,	   /* "{n}": no server sends another form */
	EMIT_CLIENT_SYNC,  /* "{n}", the client waits */
	EMIT_CLIENT_MINUS, /* "{n+}" up to 4096 bytes (LITERAL-, IMAP4rev2) */
	EMIT_CLIENT_PLUS,  /* "{n+}" always (LITERAL+) */
};

struct emit_mode {
	bool utf8; /* UTF-8 in quoted strings and mailbox names: the peer enabled it */
	bool literal8; /* the peer takes ~{n} */
	enum emit_literal literal;
};

#define EMIT_QUOTED_MAX 1024 /* longer strings are literals: kinder to line limits */

void emit_atom(struct buf *out, const char *atom);
/* Atom if it is one (and not NIL), else as emit_string. */
void emit_astring(struct buf *out, struct emit_mode m, struct span s);
/* Quoted if it has no NUL, CR, LF, and no 8-bit byte (unless valid UTF-8 and m.utf8);
 * else literal. */
void emit_string(struct buf *out, struct emit_mode m, struct span s);
/* NIL when s.p is NULL, even with n 0. */
void emit_nstring(struct buf *out, struct emit_mode m, struct span s);
/* `s` must be fit for quoting (emit_can_quote). */
void emit_quoted(struct buf *out, struct span s);
bool emit_can_quote(struct emit_mode m, struct span s);
/* The header, "{n}" CRLF; the bytes are the caller's. */
void emit_literal_header(struct buf *out, struct emit_mode m, uint64_t bytes);
/* literal8 header, "~{n}" CRLF; "~{n+}" as the mode says. */
void emit_literal8_header(struct buf *out, struct emit_mode m, uint64_t bytes);
/* Header and bytes; a literal8 when it holds NUL and m.literal8. */
void emit_literal(struct buf *out, struct emit_mode m, struct span s);
/* `utf8_name` as UTF-8 or modified UTF-7, as the mode says; atom, quoted or literal. */
void emit_mailbox(struct buf *out, struct emit_mode m, struct span utf8_name);
/* The same for a LIST pattern: "*" and "%" are left outside quotes when possible. */
void emit_list_mailbox(struct buf *out, struct emit_mode m, struct span utf8_pattern);
/* Atom, or quoted when it is none (`charset`: as cursor_charset gives it). */
void emit_charset(struct buf *out, struct span charset);
/* Parameters separated by SP; a leading SP too, unless `is_first`. */
void emit_params(struct buf *out, const struct wire_params *p, bool is_first);
void emit_number(struct buf *out, uint64_t n);
void emit_crlf(struct buf *out);

#endif
