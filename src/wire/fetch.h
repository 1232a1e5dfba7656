/*
 * FETCH and STORE arguments (RFC 9051 sections 6.4.5 and 6.4.6; RFC 3501 for RFC822.x;
 * RFC 4466 modifiers; RFC 3516 BINARY; RFC 7162, 8514, 8474, 8970 items), from the item
 * list on.
 */
#ifndef WIRE_FETCH_H
#define WIRE_FETCH_H

#include "wire/cursor.h"
#include "wire/emit.h"
#include "wire/flags.h"

enum fetch_kind { /* bits, for fetch_args.kinds */
		  FETCH_FLAGS = 1 << 0,
		  FETCH_UID = 1 << 1,
		  FETCH_INTERNALDATE = 1 << 2,
		  FETCH_RFC822_SIZE = 1 << 3,
		  FETCH_ENVELOPE = 1 << 4,
		  FETCH_BODY = 1 << 5, /* structure without extension data */
		  FETCH_BODYSTRUCTURE = 1 << 6,
		  FETCH_SECTION = 1 << 7, /* BODY[...], BODY.PEEK[...] */
		  FETCH_BINARY = 1 << 8,
		  FETCH_BINARY_SIZE = 1 << 9,
		  FETCH_RFC822 = 1 << 10, /* BODY[] under its old name: sets \Seen */
		  FETCH_RFC822_HEADER = 1 << 11, /* BODY.PEEK[HEADER] */
		  FETCH_RFC822_TEXT = 1 << 12,	 /* BODY[TEXT]: sets \Seen */
		  FETCH_MODSEQ = 1 << 13,	 /* RFC 7162 */
		  FETCH_SAVEDATE = 1 << 14,	 /* RFC 8514 */
		  FETCH_EMAILID = 1 << 15,	 /* RFC 8474 */
		  FETCH_THREADID = 1 << 16,
		  FETCH_PREVIEW = 1 << 17, /* RFC 8970 */
};
/* Items of RFC 3501 and RFC 9051, for `allowed`. */
#define FETCH_BASE ((1u << 13) - 1)

enum fetch_text {		    /* the order of mail/section.h */
		  FETCH_TEXT_WHOLE, /* BODY[] or BODY[1.2] */
		  FETCH_TEXT_HEADER,
		  FETCH_TEXT_HEADER_FIELDS,
		  FETCH_TEXT_HEADER_FIELDS_NOT,
		  FETCH_TEXT_TEXT,
		  FETCH_TEXT_MIME,
};

struct fetch_section {
	uint32_t *path; /* part numbers from 1, in the arena */
	size_t n_path;
	enum fetch_text text;
	struct span *names; /* of HEADER.FIELDS, as given */
	size_t n_names;
};

struct fetch_item {
	enum fetch_kind kind;
	bool peek; /* does not set \Seen */
	bool lazy; /* PREVIEW (LAZY) */
	struct fetch_section
	    section; /* SECTION, BINARY, BINARY_SIZE; of RFC822.x what they mean */
	bool has_partial;
	uint64_t offset; /* of <offset.bytes> */
	uint64_t bytes;	 /* >= 1 */
};

struct fetch_args {
	unsigned kinds;		  /* all bits of enum fetch_kind in `items` */
	bool sets_seen;		  /* one of the items sets \Seen */
	struct fetch_item *items; /* ALL, FAST and FULL resolved; doubles dropped */
	size_t n_items;
	struct wire_params
	    modifiers; /* CHANGEDSINCE, VANISHED, PARTIAL ...: the caller's */
};

/* Items and modifiers, behind "FETCH" SP sequence-set SP, without the CRLF. */
bool cursor_fetch_args(struct cursor *c, unsigned allowed, struct fetch_args *ret_args);
/* "(" item *(SP item) ")" alone: of NOTIFY and UPDATE (RFC 5465). */
bool cursor_fetch_items(struct cursor *c, unsigned allowed, struct fetch_args *ret_args);
void emit_fetch_args(struct buf *out, struct emit_mode m, const struct fetch_args *a);

/* section, "[" ... "]"; `binary`: section-binary. */
bool cursor_section(struct cursor *c, bool binary, struct fetch_section *ret_section);
/* "[1.2.HEADER.FIELDS (Subject)]" */
void emit_section(struct buf *out, struct emit_mode m, const struct fetch_section *s);
/*
 * The name of an item as responses have it: "BODY[HEADER.FIELDS (Subject)]<0>",
 * "BINARY.SIZE[2]", "RFC822.TEXT", "FLAGS" (RFC 9051 section 7.5.2).
 */
void emit_fetch_label(struct buf *out, struct emit_mode m, const struct fetch_item *item);
/* The part of `text` that <offset.bytes> wants; all of it without a partial. */
struct span fetch_partial(const struct fetch_item *item, struct span text);

enum store_how { STORE_SET, STORE_ADD, STORE_REMOVE };

struct store_args {
	struct wire_params modifiers; /* UNCHANGEDSINCE (RFC 7162): the caller's */
	enum store_how how;
	bool silent;
	struct wire_flags flags;
};

/* Behind "STORE" SP sequence-set, from the SP on, without the CRLF. */
bool cursor_store_args(struct cursor *c, struct store_args *ret_args);
/* From the SP on. */
void emit_store_args(struct buf *out, const struct store_args *a);

#endif
