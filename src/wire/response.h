/*
 * Responses: reading them at a client or proxy, and writing status lines
 * (RFC 9051 section 7).
 */
#ifndef WIRE_RESPONSE_H
#define WIRE_RESPONSE_H

#include "base/numset.h"
#include "wire/cursor.h"
#include "wire/emit.h"
#include "wire/seqset.h"
#include "wire/text.h"

enum response_kind { RESPONSE_CONTINUE, RESPONSE_TAGGED, RESPONSE_UNTAGGED };

struct response {
	enum response_kind kind;
	struct span tag; /* of a tagged one */
	enum cond cond;	 /* tagged and untagged status; COND_NONE else */
	enum code code;
	struct span code_name; /* as spelled; empty: none */
	struct span code_args; /* behind its space, raw; empty: none */
	struct span text;      /* of a status or continuation, for people; or base64 */
	struct span name;      /* of other untagged data: "EXISTS", "FETCH", "LIST" */
	bool has_number;       /* "* 3 EXISTS" */
	uint32_t number;
};

/*
 * Reads the frame's beginning: all of a status response or continuation; of
 * other data up to its name, the cursor then stands behind it (on SP or
 * CRLF) for one of the readers below or the caller's own. False: not a response.
 * Forgives a missing space before empty text ("* OK", "a1 OK"), which servers send.
 */
bool cursor_response(struct cursor *c, struct response *ret_response);

/* Words: CAPABILITY, ENABLED, FLAGS of code_args ... False at the end of them. */
bool cursor_next_word(struct cursor *c, struct span *ret_word);
/* Whether a list of words, "IMAP4rev1 IDLE AUTH=PLAIN", has this one (any case). */
bool wire_words_have(struct span words, const char *word);

/* APPENDUID: UIDVALIDITY and UIDs, which are added to `uids`. */
bool code_appenduid(struct span code_args, uint32_t *ret_uidvalidity,
		    struct numset *uids);
/*
 * COPYUID: UIDVALIDITY, source and target UIDs as written, since the sets correspond in
 * that order (RFC 9051 section 7.1); copied nowhere, ranges live in `a`.
 */
bool code_copyuid(struct arena *a, struct span code_args, uint32_t *ret_uidvalidity,
		  struct seqset *ret_from, struct seqset *ret_to);
/* A code with one number: UIDNEXT, UIDVALIDITY, UNSEEN, HIGHESTMODSEQ. */
bool code_number(struct span code_args, uint64_t *ret_number);

/* "* SEARCH 1 2 3 [(MODSEQ 7)]", behind SEARCH. Adds to `set`; *ret_modseq 0 when none.
 */
bool cursor_search_response(struct cursor *c, struct numset *set, uint64_t *ret_modseq);

struct esearch_response {
	struct span tag; /* p NULL: no correlator */
	bool uid;
	bool has_min, has_max, has_all, has_count;
	uint32_t min, max, count;
	uint64_t modseq; /* 0: none */
	struct wire_params other;
};
/* "* ESEARCH (TAG "a") UID ALL 1:3", behind ESEARCH; ALL is added to `set`. */
bool cursor_esearch_response(struct cursor *c, struct esearch_response *ret_result,
			     struct numset *set);
/* With "*" and CRLF; `all` is read when has_all. */
void emit_esearch_response(struct buf *out, struct emit_mode m,
			   const struct esearch_response *r, const struct numset *all);

/*
 * msg-att, behind "FETCH" SP:
 *	for (cursor_fetch_begin(c); cursor_fetch_next(c, &att); ) ...
 *	if (!cursor_end(c)) ...
 */
struct fetch_att {
	struct span name; /* "BODY[HEADER.FIELDS (Subject)]" as the server spells it,
			   * origin octet not included */
	bool has_origin;
	uint64_t origin; /* <n> */
	enum { ATT_NIL, ATT_STRING, ATT_NUMBER, ATT_LIST, ATT_ATOM } kind;
	struct span
	    value; /* string: its bytes; otherwise as it stands, with parentheses */
	uint64_t number;
};
bool cursor_fetch_begin(struct cursor *c);
bool cursor_fetch_next(struct cursor *c, struct fetch_att *ret_att);

/*
 * "tag OK [CODE args] text" CRLF; an empty tag is "*", `code` is what stands in the
 * brackets, NULL for none. CR, LF and NUL of the text become spaces; 8-bit too, unless
 * m.utf8.
 */
void emit_status_line(struct buf *out, struct emit_mode m, struct span tag,
		      enum cond cond, const char *code, struct span text);
/* "+ text" CRLF. */
void emit_continue(struct buf *out, struct span text);

#endif
