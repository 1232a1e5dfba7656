/*
 * A search program made ready for one mailbox: names resolved, texts prepared, and
 * asked of one message after another (RFC 9051 section 6.4.4).
 */
#ifndef SERVER_SEARCH_TERM_H
#define SERVER_SEARCH_TERM_H

#include "mail/match.h"
#include "mail/summary.h"
#include "mail/text_index.h"
#include "server/selected.h"
#include "wire/search.h"

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_MAYBE /* more of the message is needed */ };

struct term {
	const struct search_node *node;
	struct term *child, *next;
	struct match_needle *needle; /* of text keys */
	struct span header_name;     /* of keys that look into one field */
	struct numset numbers;	     /* of sets, as written: ranges may reach further */
	const struct numset *set;    /* those, or what "$" holds */
	bool is_fixed;		     /* search_fix_numbers(): they are UIDs */
	int keyword;		     /* its number, -1: the mailbox has none such */
	bool has_id;		     /* EMAILID, THREADID: it can be one of ours */
	uint8_t id[16];
	bool is_found;		     /* BODY, TEXT: in the message in hand */
	int sieve_term;		     /* of those: in search->sieve, or -1 */
	struct term *next_text;	     /* all BODY and TEXT terms */
	struct match_body *matcher;  /* of those, in the part in hand */
};

/* The extensions whose keys search_ask() answers (wire/search.h). */
enum {
	SEARCH_KEYS_SERVED = SEARCH_EXT_WITHIN | SEARCH_EXT_CONDSTORE | SEARCH_EXT_SAVEDATE |
			     SEARCH_EXT_OBJECTID | SEARCH_EXT_MESSAGELIMIT | SEARCH_EXT_FILTERS
};

struct search {
	struct arena *arena;
	int64_t now; /* seconds since 1970: when it was made (RFC 5032) */
	struct selected *selected;
	const struct comparator *comparator; /* of texts (server/collation.h) */
	struct term *root;
	struct term *texts;
	struct text_sieve *sieve; /* for the body index; NULL: it could tell nothing */
	bool passes_end;	  /* search_program's */
	bool has_text_key;	  /* TEXT, which looks into the whole header */
	unsigned n_texts;	  /* keys with a text */
	unsigned needs;		  /* enum search_need */
	struct span *names;	  /* of header fields that keys look into */
	size_t n_names;
};

/* What is known of the message in hand; grows from view to summary to text. */
struct subject {
	uint32_t seq;
	struct view_msg msg;
	bool has_summary, has_header, has_text;
	bool has_begun;	 /* the walk through its text: what was found so far counts */
	bool has_sieved; /* the body index was asked; `may` has what may be there */
	uint64_t may;
	bool has_fields; /* summary.header answers for all of search->names */
	struct summary summary;
	struct span header; /* the whole top header, when has_header */
};

/*
 * The program's charset is known. ERR_INVAL: a message number is above EXISTS
 * (but see p->passes_end), or a text is not in its charset. ERR_LIMIT: more than
 * SEARCH_TEXTS_MAX texts. The search lives in `a`.
 */
#define SEARCH_TEXTS_MAX 128 /* each is looked for in every message */
enum err search_compile(struct arena *a, struct selected *sel,
			const struct comparator *comparator,
			const struct search_program *p, struct search **ret);
/* For a search that is asked again later: message numbers and "$" become the UIDs that
 * they stand for now (RFC 5267 section 4.3); then, each time, keywords that are new. */
void search_fix_numbers(struct search *s);
void search_refresh(struct search *s);
enum answer search_ask(const struct search *s, const struct subject *m);

/* Whether flags alone decide: a message is found when its flags are `value` in the bits
 * of `mask`. */
bool search_is_flags(const struct search *s, uint64_t *ret_mask, uint64_t *ret_value);

/*
 * search_text.c: the bytes of a message, in order, for BODY and TEXT. `summary` is
 * that of the message. After finish each term's is_found holds.
 */
struct text_walk {
	const struct search *search;
	const struct summary *summary;
	uint32_t part; /* whose body is next or in hand */
	struct summary_part now;
	uint64_t end; /* of the last part that is searched */
	bool is_in_part, has_part;
};
/* Which bytes are next, `at` being behind those that were fed. False: no more. */
bool text_next(const struct text_walk *w, uint64_t at, uint64_t *ret_from);
void text_begin(struct text_walk *w, const struct search *s,
		const struct summary *summary);
void text_header(struct text_walk *w, struct span header); /* the whole top header */
void text_feed(struct text_walk *w, uint64_t at, struct span bytes);
void text_finish(struct text_walk *w);

#endif
