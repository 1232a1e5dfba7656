/*
 * LIST and LSUB: arguments, patterns, responses (RFC 9051 sections 6.3.9 and
 * 7.3.1; RFC 5258, 5819, 6154, 3501).
 */
#ifndef WIRE_LIST_H
#define WIRE_LIST_H

#include "wire/cursor.h"
#include "wire/emit.h"
#include "wire/status.h"

enum list_select {
	LIST_SELECT_SUBSCRIBED = 1,
	LIST_SELECT_REMOTE = 2,
	LIST_SELECT_RECURSIVEMATCH = 4,
	LIST_SELECT_SPECIAL_USE = 8,
};

enum list_return {
	LIST_RETURN_SUBSCRIBED = 1,
	LIST_RETURN_CHILDREN = 2,
	LIST_RETURN_STATUS = 4,
	LIST_RETURN_SPECIAL_USE = 8,
};

struct list_args {
	bool is_extended; /* options or a pattern list were given */
	unsigned select;  /* enum list_select */
	unsigned returns; /* enum list_return */
	unsigned status;  /* enum status_item, with LIST_RETURN_STATUS */
	struct wire_params other_select, other_returns; /* options not known here */
	struct span reference;				/* UTF-8 */
	struct span *patterns;				/* UTF-8, in the arena */
	size_t n_patterns;
};

/*
 * The arguments behind "LIST", from their SP on, without the CRLF. RECURSIVEMATCH without
 * a base option is bad (RFC 5258 section 3.1). `status_allowed`: enum status_item.
 * Unknown options are returned, for the caller to refuse with BAD (RFC 5258 section 3).
 */
bool cursor_list_args(struct cursor *c, unsigned status_allowed,
		      struct list_args *ret_args);
/* reference SP pattern: LSUB. */
bool cursor_lsub_args(struct cursor *c, struct list_args *ret_args);
/* From the SP on. */
void emit_list_args(struct buf *out, struct emit_mode m, const struct list_args *a);

/*
 * Whether `name` matches `pattern`: "*" any bytes, "%" any but `delimiter`. INBOX, alone
 * or as the first level, matches in any case (RFC 9051 section 6.3.9). Time is at most
 * pattern times name; a pattern over WIRE_PATTERN_BYTES_MAX matches nothing.
 */
bool list_match(struct span pattern, struct span name, char delimiter);
/*
 * Whether something below `name` could match: then a "%" pattern that does not match name
 * itself may still want it as a parent (RECURSIVEMATCH, "\NonExistent").
 */
bool list_match_below(struct span pattern, struct span name, char delimiter);

enum list_attr {
	LIST_NONEXISTENT = 1 << 0,
	LIST_NOSELECT = 1 << 1,
	LIST_NOINFERIORS = 1 << 2,
	LIST_MARKED = 1 << 3,
	LIST_UNMARKED = 1 << 4,
	LIST_HASCHILDREN = 1 << 5,
	LIST_HASNOCHILDREN = 1 << 6,
	LIST_SUBSCRIBED = 1 << 7,
	LIST_REMOTE = 1 << 8,
	LIST_ALL = 1 << 9, /* special use, RFC 6154, in the order of the registry */
	LIST_ARCHIVE = 1 << 10,
	LIST_DRAFTS = 1 << 11,
	LIST_FLAGGED = 1 << 12,
	LIST_JUNK = 1 << 13,
	LIST_SENT = 1 << 14,
	LIST_TRASH = 1 << 15,
	LIST_IMPORTANT = 1 << 16, /* RFC 8457 */
};
#define LIST_SPECIAL_USE_ATTRS (0xffu << 9)

/* "\Sent" for one bit; the bit of "\sent" (any case), 0 when unknown. */
const char *list_attr_name(unsigned bit);
unsigned list_attr_bit(struct span name);
/* "(" use-attr *(SP use-attr) ")" of CREATE (USE ...) (RFC 6154 section 6). */
unsigned cursor_special_use(struct cursor *c);

struct list_response {
	unsigned attrs;	    /* enum list_attr */
	struct span *other; /* attributes not known here, with "\" */
	size_t n_other;
	int delimiter;			/* -1: NIL */
	struct span name;		/* UTF-8 */
	bool childinfo_subscribed;	/* CHILDINFO ("SUBSCRIBED") */
	struct span oldname;		/* OLDNAME, UTF-8; p NULL: none */
	struct wire_params other_items; /* extended items not known here */
};

/* mailbox-list, behind "LIST" SP (also LSUB). */
bool cursor_list_response(struct cursor *c, struct list_response *ret_list);
/* "* LIST (...) "/" name [(...)]" CRLF; `command`: "LIST" or "LSUB". */
void emit_list_response(struct buf *out, struct emit_mode m, const char *command,
			const struct list_response *l);

#endif
