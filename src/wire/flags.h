/*
 * Flags (RFC 9051 section 2.3.2): system flags as bits, keywords by name.
 * The low five bits are those of store/view.h.
 */
#ifndef WIRE_FLAGS_H
#define WIRE_FLAGS_H

#include "wire/cursor.h"
#include "wire/emit.h"

enum wire_flag {
	WIRE_SEEN = 1,
	WIRE_ANSWERED = 2,
	WIRE_FLAGGED = 4,
	WIRE_DELETED = 8,
	WIRE_DRAFT = 16,
	WIRE_RECENT = 32, /* only in responses (obsolete-flag-recent) */
	WIRE_WILD = 64,	  /* "\*", only in PERMANENTFLAGS */
};

struct wire_flags {
	unsigned system;       /* enum wire_flag */
	struct span *keywords; /* as spelled, no doubles (any case), in the arena */
	size_t n_keywords;     /* also flag-extensions, with their "\" */
};

/*
 * flag-list, "(" ... ")", of a command: "\Recent" and "\*" are bad (no client may set
 * them); an unknown "\Word" is bad too: it could not be kept.
 */
bool cursor_flag_list(struct cursor *c, struct wire_flags *ret_flags);
/* flag-list, or flags without parentheses to the end of the command (store-att-flags). */
bool cursor_store_flags(struct cursor *c, struct wire_flags *ret_flags);
/* Flags of a response: \Recent, \* and unknown ones are fine (RFC 9051: MUST accept). */
bool cursor_flags_any(struct cursor *c, struct wire_flags *ret_flags);
/* flag-keyword: an atom. */
struct span cursor_keyword(struct cursor *c);

/* "(\Seen $Junk)". */
void emit_flags(struct buf *out, const struct wire_flags *f);
/* "\Seen" for one bit of enum wire_flag. */
const char *wire_flag_name(unsigned bit);
/* The bit of "\Seen" (any case); 0 when it is none. */
unsigned wire_flag_bit(struct span name);

#endif
