/*
 * The body index: which three bytes stand beside each other in the text parts of a
 * message, folded by i;unicode-casemap; hashed into a few hundred bytes. What is not in
 * the index is not in the text under any comparator (mail/match.h); what is in it may be,
 * and the text decides. A few times as many bits as there are different trigrams, so a
 * text that nobody wrote passes about once in 3 to the power of its length.
 */
#ifndef MAIL_TEXT_INDEX_H
#define MAIL_TEXT_INDEX_H

#include "mail/summary.h"

/* Text of a message beyond which the index says "may" to everything. */
#define TEXT_INDEX_TEXT_MAX (8 << 20)

struct text_index;
struct text_index *text_index_new(void);
void text_index_free(struct text_index *x); /* NULL is fine */
/* The text of one part, in pieces cut anywhere, between a begin and an end. */
void text_index_part_begin(struct text_index *x, enum coding coding, struct span charset,
			   bool is_html);
void text_index_part_feed(struct text_index *x, struct span raw);
void text_index_part_end(struct text_index *x);
/* Appends the index of the parts so far; the builder is then as new. */
void text_index_finish(struct text_index *x, struct buf *out);
/* Of a whole message that is in memory. */
void text_index_message(struct text_index *x, const struct summary *s, struct span bytes,
			struct buf *out);
/* Whether a part is one of those that are searched. */
bool text_index_is_text(const struct summary_part *p);
bool text_index_is_html(const struct summary_part *p); /* and is to be seen through */
/* Whether the bytes, of a disk perhaps, are an index. */
bool text_index_is_sound(struct span packed);
/* Of HTML as it was written, before version 2: as good as none. */
bool text_index_is_old(struct span packed);

/*
 * A sieve: a search program as far as indexes can answer it. Terms are texts that bodies
 * are searched for; whatever else a program asks stands in it as "maybe". It is a value
 * of its own, so that a worker can hold it.
 */
struct text_sieve;
enum text_sieve_op {
	SIEVE_MAYBE, /* pushes what the index cannot tell */
	SIEVE_TERM,  /* pushes whether term n may be there */
	SIEVE_AND,   /* takes n, pushes one */
	SIEVE_OR,
	SIEVE_NOT, /* takes one */
};
enum text_answer { TEXT_NO, TEXT_YES, TEXT_MAYBE };
enum { TEXT_SIEVE_TERMS = 64, TEXT_SIEVE_DEPTH = 256, TEXT_SIEVE_OPS = 1024 };

struct text_sieve *text_sieve_new(void);
struct text_sieve *text_sieve_copy(const struct text_sieve *s); /* NULL gives NULL */
void text_sieve_free(struct text_sieve *s);			/* NULL is fine */
/*
 * A term's number, or -1 when an index cannot tell anything about it: shorter than a
 * trigram, or one too many.
 */
int text_sieve_term(struct text_sieve *s, struct span utf8);
/* The program, in postfix order. False: it is too large, and the sieve of no use. */
bool text_sieve_put(struct text_sieve *s, enum text_sieve_op op, unsigned n);
bool text_sieve_is_useful(const struct text_sieve *s); /* has a term */
/*
 * Asks one index; empty when there is none. Bit k of `ret_may`: term k may be there.
 */
enum text_answer text_sieve_ask(const struct text_sieve *s, struct span packed,
				uint64_t *ret_may);

#endif
