/*
 * The search program (RFC 9051 section 6.4.4; RFC 3501; RETURN of RFC 4731 and 5182;
 * further keys of RFC 7162, 5032, 8514, 8474, 6203, 5466): a tree in the arena.
 *
 * Keys come from one table (search.c); one that belongs to an extension is known only
 * when the caller offers it.
 */
#ifndef WIRE_SEARCH_H
#define WIRE_SEARCH_H

#include "wire/cursor.h"
#include "wire/emit.h"
#include "wire/seqset.h"

enum search_key {
	SEARCH_AND,
	SEARCH_OR,
	SEARCH_NOT,
	SEARCH_FUZZY, /* child; OR has two */
	SEARCH_ALL,
	SEARCH_FLAG, /* u.flag is set: ANSWERED, DELETED, DRAFT, FLAGGED, SEEN, RECENT */
	SEARCH_UNFLAG, /* u.flag is not set: UNSEEN ..., OLD */
	SEARCH_NEW,    /* RECENT UNSEEN (RFC 3501) */
	SEARCH_KEYWORD,
	SEARCH_UNKEYWORD, /* u.text */
	SEARCH_SEQUENCE,
	SEARCH_UID, /* u.set */
	SEARCH_LARGER,
	SEARCH_SMALLER, /* u.number */
	SEARCH_BEFORE,
	SEARCH_ON,
	SEARCH_SINCE, /* u.days, of the internal date */
	SEARCH_SENTBEFORE,
	SEARCH_SENTON,
	SEARCH_SENTSINCE, /* u.days, of the Date field */
	SEARCH_BCC,
	SEARCH_CC,
	SEARCH_FROM,
	SEARCH_SUBJECT,
	SEARCH_TO,     /* u.text */
	SEARCH_HEADER, /* u.header */
	SEARCH_BODY,
	SEARCH_TEXT,   /* u.text */
	SEARCH_MODSEQ, /* u.modseq (RFC 7162) */
	SEARCH_OLDER,
	SEARCH_YOUNGER, /* u.number, seconds (RFC 5032) */
	SEARCH_UIDAFTER,
	SEARCH_UIDBEFORE, /* u.number (RFC 9738) */
	SEARCH_SAVEDBEFORE,
	SEARCH_SAVEDON,
	SEARCH_SAVEDSINCE, /* u.days (RFC 8514) */
	SEARCH_SAVEDATESUPPORTED,
	SEARCH_EMAILID,
	SEARCH_THREADID, /* u.text (RFC 8474) */
	SEARCH_FILTER,	 /* u.text: its name (RFC 5466); the keys it stands for replace it */
};

/* What a key has to look at; of a program, the bits of all its keys. */
enum search_need {
	SEARCH_NEED_VIEW = 1,	 /* numbers, flags, dates, sizes: no message */
	SEARCH_NEED_SUMMARY = 2, /* header fields that the summary has */
	SEARCH_NEED_HEADER = 4,	 /* any header field */
	SEARCH_NEED_BODY = 8,	 /* the text */
	SEARCH_NEED_SAVED = 16,	 /* "$" */
	SEARCH_NEED_MODSEQ = 32, /* MODSEQ: the reply carries the highest (RFC 7162) */
	SEARCH_NEED_NUMBERS = 64, /* message numbers: no EXPUNGE while it runs, no UIDONLY */
	SEARCH_NEED_FILTERS = 128, /* FILTER: what it names is not there yet */
};

/* Extensions whose keys and RETURN options are known. */
enum search_ext {
	SEARCH_EXT_CONDSTORE = 1,
	SEARCH_EXT_WITHIN = 2,
	SEARCH_EXT_SAVEDATE = 4,
	SEARCH_EXT_OBJECTID = 8,
	SEARCH_EXT_FUZZY = 16,
	SEARCH_EXT_MESSAGELIMIT = 32,
	SEARCH_EXT_FILTERS = 64,
};

struct search_node {
	enum search_key key;
	unsigned needs;		   /* enum search_need, children included */
	struct search_node *child; /* first */
	struct search_node *next;  /* sibling */
	union {
		unsigned flag; /* one of enum wire_flag */
		struct seqset set;
		uint64_t number;
		int32_t days;	  /* since 1970-01-01 */
		struct span text; /* in the program's charset, as given */
		struct {
			struct span name, text;
		} header;
		struct {
			uint64_t modseq;
			struct span entry;
			char type;
		} modseq; /* type 0, 'p' 's' 'a' */
	} u;
};

enum search_return {
	SEARCH_RETURN_MIN = 1,
	SEARCH_RETURN_MAX = 2,
	SEARCH_RETURN_ALL = 4,
	SEARCH_RETURN_COUNT = 8,
	SEARCH_RETURN_SAVE = 16,
	SEARCH_RETURN_PARTIAL = 32, /* RFC 9394; never with ALL */
	SEARCH_RETURN_UPDATE = 64,  /* RFC 5267 */
	SEARCH_RETURN_CONTEXT = 128,
};

/* "1:500", or from the end "-1:-100"; either order (RFC 9394 section 3.1). */
struct partial_range {
	bool from_end;
	uint32_t a, b; /* from 1 */
};

struct search_program {
	bool has_return;  /* RETURN (...) was given: the reply is ESEARCH */
	unsigned returns; /* enum search_return; "()" gives ALL (RFC 4731 section 3.1) */
	struct partial_range partial;	  /* SEARCH_RETURN_PARTIAL */
	struct wire_params other_returns; /* options not known here, for the caller */
	struct span charset; /* p NULL: none given: US-ASCII in rev1, UTF-8 in rev2 */
	struct search_node *root; /* SEARCH_AND */
	size_t n_nodes;
	unsigned needs; /* enum search_need */
	bool passes_end; /* message numbers may be above the last one (RFC 7377 section 2) */
};

/* What stands behind "SEARCH", from the SP on, without the CRLF. `exts`: enum search_ext.
 */
bool cursor_search(struct cursor *c, unsigned exts, struct search_program *ret_program);
/* "RETURN (...)" and the SP behind it, into *p; false, and no error, when it is not next.
 */
bool cursor_search_returns(struct cursor *c, struct search_program *p);
/* search-criteria of SORT and THREAD (RFC 5256): charset SP keys, into *p. */
bool cursor_search_criteria(struct cursor *c, unsigned exts, struct search_program *p);
/* Keys only, without RETURN and CHARSET: the client's SEARCH. */
bool cursor_search_keys(struct cursor *c, unsigned exts,
			struct search_program *ret_program);
/* From the SP on. */
void emit_search(struct buf *out, struct emit_mode m, const struct search_program *p);
void emit_search_keys(struct buf *out, struct emit_mode m,
		      const struct search_node *root);
void emit_search_returns(struct buf *out, const struct search_program *p);

/* A partial-range, of RETURN (PARTIAL) and of FETCH's modifier. */
bool cursor_partial_range(struct cursor *c, struct partial_range *ret_range);
void emit_partial_range(struct buf *out, const struct partial_range *r);
/* Which of `count` results: `*ret_n` of them from the index `*ret_from`, which is from 0.
 */
void partial_range_resolve(const struct partial_range *r, uint64_t count,
			   uint64_t *ret_from, uint64_t *ret_n);

/* A copy that borrows nothing; without other_returns. */
void search_program_copy(struct arena *a, const struct search_program *p,
			 struct search_program *ret_program);

bool search_equal(const struct search_node *a, const struct search_node *b);

#endif
