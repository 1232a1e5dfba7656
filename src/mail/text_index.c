/*
 * The body index as bytes, version 2 (1 had HTML as it is written):
 *
 *   0  u8 version   1  u8 kind   2  u16 (little-endian) bytes of bits behind it
 *
 * Kind 0 has bits, none when the text has no trigram at all; kind 1 says "may" to
 * everything. A trigram hashes to 18 bits, and that scaled to the bits there are.
 */
#include "mail/text_index.h"

#include <stdlib.h>

#include "base/arena.h"
#include "mail/body_text.h"
#include "mail/match.h"

#define VERSION	   2
#define HEAD_BYTES 4
#define HASH_BITS  18
#define HASHES	   (1u << HASH_BITS)
#define STEP	   16384	  /* bytes at a time: bounds what is held */
#define BITS_EACH  3		  /* of the index, for each different trigram */
#define BITS_MAX   (8192u * 8)	  /* of an index */
#define FULL	   (BITS_MAX / 2) /* different trigrams beyond which it would tell little */

enum { KIND_BITS, KIND_ALL };

struct text_index {
	uint64_t seen[HASHES / 64];
	struct body_text part;
	struct buf text, folded;
	uint64_t bytes; /* of text so far */
	bool is_any, is_in_part;
};

static uint32_t hash_of(uint32_t trigram)
{
	return trigram * 0x9e3779b1u >> (32 - HASH_BITS);
}

static uint32_t bit_of(uint32_t hash, uint32_t bits)
{
	return (uint32_t)((uint64_t)hash * bits >> HASH_BITS);
}

struct text_index *text_index_new(void)
{
	return xcalloc(1, sizeof(struct text_index));
}

void text_index_free(struct text_index *x)
{
	if (!x)
		return;
	if (x->is_in_part)
		body_text_done(&x->part);
	buf_done(&x->text);
	buf_done(&x->folded);
	xfree_secret(x, sizeof *x);
}

/* Takes the trigrams of what is folded, and keeps the last two bytes for the next. */
static void take(struct text_index *x)
{
	const unsigned char *p = (const unsigned char *)buf_span(&x->folded).p;
	uint32_t t;

	if (x->folded.n < 3)
		return;
	x->is_any = true;
	t = (uint32_t)p[0] << 8 | p[1];
	for (size_t i = 2; i < x->folded.n; i++) {
		uint32_t h;

		t = (t << 8 | p[i]) & 0xffffff;
		h = hash_of(t);
		x->seen[h / 64] |= UINT64_C(1) << (h % 64);
	}
	buf_take(&x->folded, x->folded.n - 2);
}

/* Folds the whole characters; a cut one waits in x->text. */
static void fold(struct text_index *x)
{
	size_t cut = comparator_fold(comparator_default(), buf_span(&x->text),
				     &x->folded);

	x->bytes += x->text.n - cut;
	buf_take(&x->text, x->text.n - cut);
	take(x);
}

void text_index_part_begin(struct text_index *x, enum coding coding, struct span charset,
			   bool is_html)
{
	body_text_begin(&x->part, coding, charset, is_html);
	x->is_in_part = true;
}

void text_index_part_feed(struct text_index *x, struct span raw)
{
	for (; raw.n > 0 && x->bytes <= TEXT_INDEX_TEXT_MAX;
	     raw = span_sub(raw, STEP, raw.n)) {
		body_text_feed(&x->part, span_sub(raw, 0, STEP), &x->text);
		fold(x);
	}
}

void text_index_part_end(struct text_index *x)
{
	body_text_finish(&x->part, &x->text);
	fold(x);
	if (x->text.n > 0) {
		match_fold(buf_span(&x->text), &x->folded);
		take(x);
	}
	buf_clear(&x->text);
	buf_clear(&x->folded);
	body_text_done(&x->part);
	x->is_in_part = false;
}

static void put_head(struct buf *out, unsigned kind, size_t bytes)
{
	buf_putc(out, VERSION);
	buf_putc(out, (char)kind);
	buf_putc(out, (char)(bytes & 0xff));
	buf_putc(out, (char)(bytes >> 8));
}

static size_t count(const struct text_index *x)
{
	size_t n = 0;

	for (size_t i = 0; i < HASHES / 64; i++)
		n += (size_t)__builtin_popcountll(x->seen[i]);
	return n;
}

static void put_bits(const struct text_index *x, size_t bytes, struct buf *out)
{
	unsigned char *to = (unsigned char *)buf_room(out, bytes);

	memset(to, 0, bytes);
	for (size_t i = 0; i < HASHES / 64; i++) {
		for (uint64_t w = x->seen[i]; w; w &= w - 1) {
			uint32_t hash = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(w);
			uint32_t bit = bit_of(hash, (uint32_t)bytes * 8);

			to[bit / 8] |= (unsigned char)(1u << bit % 8);
		}
	}
	buf_added(out, bytes);
}

void text_index_finish(struct text_index *x, struct buf *out)
{
	size_t n = x->is_any ? count(x) : 0, bytes = (n * BITS_EACH + 7) / 8;

	if (n > FULL || x->bytes > TEXT_INDEX_TEXT_MAX) {
		put_head(out, KIND_ALL, 0);
	} else {
		if (bytes >= BITS_MAX / 8)
			bytes = BITS_MAX / 8;
		put_head(out, KIND_BITS, bytes);
		put_bits(x, bytes, out);
	}
	if (x->is_any)
		memset(x->seen, 0, sizeof x->seen);
	x->is_any = false;
	x->bytes = 0;
}

bool text_index_is_text(const struct summary_part *p)
{
	return p->kind == PART_LEAF && span_eq(p->type, SPAN("TEXT")) &&
	       p->body_end > p->body_start;
}

bool text_index_is_html(const struct summary_part *p)
{
	return span_eq(p->subtype, SPAN("HTML"));
}

void text_index_message(struct text_index *x, const struct summary *s, struct span bytes,
			struct buf *out)
{
	for (uint32_t i = 0; i < s->n_parts; i++) {
		struct summary_part p;

		summary_part_get(s, i, &p);
		if (!text_index_is_text(&p) || p.body_end > bytes.n)
			continue;
		text_index_part_begin(x, p.coding, p.charset, text_index_is_html(&p));
		text_index_part_feed(x, span_sub(bytes, (size_t)p.body_start,
						 (size_t)(p.body_end - p.body_start)));
		text_index_part_end(x);
	}
	text_index_finish(x, out);
}

static size_t bits_bytes(struct span packed)
{
	return (unsigned char)packed.p[2] | (size_t)(unsigned char)packed.p[3] << 8;
}

bool text_index_is_sound(struct span packed)
{
	if (packed.n < HEAD_BYTES || packed.p[0] != VERSION)
		return false;
	if (packed.p[1] == KIND_ALL)
		return packed.n == HEAD_BYTES;
	return packed.p[1] == KIND_BITS && packed.n == HEAD_BYTES + bits_bytes(packed);
}

bool text_index_is_old(struct span packed)
{
	return packed.n >= HEAD_BYTES && packed.p[0] < VERSION;
}

/* ---- sieves ---- */

struct text_sieve {
	unsigned n_terms, n_ops, n_hashes;
	unsigned first_hash[TEXT_SIEVE_TERMS + 1];
	uint32_t *hashes; /* of all terms, one behind the other */
	struct {
		uint16_t op, n;
	} ops[TEXT_SIEVE_OPS];
	unsigned depth; /* of the stack, when the ops so far have run */
};

struct text_sieve *text_sieve_new(void)
{
	return xcalloc(1, sizeof(struct text_sieve));
}

struct text_sieve *text_sieve_copy(const struct text_sieve *s)
{
	struct text_sieve *to;

	if (!s)
		return NULL;
	to = xmalloc(sizeof *to);
	*to = *s;
	to->hashes = xmalloc(s->n_hashes * sizeof *s->hashes);
	if (s->n_hashes)
		memcpy(to->hashes, s->hashes, s->n_hashes * sizeof *s->hashes);
	return to;
}

void text_sieve_free(struct text_sieve *s)
{
	if (!s)
		return;
	xfree_secret(s->hashes, s->n_hashes * sizeof *s->hashes);
	xfree_secret(s, sizeof *s);
}

bool text_sieve_is_useful(const struct text_sieve *s)
{
	return s && s->n_terms > 0 && s->depth == 1;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int text_sieve_term(struct text_sieve *s, struct span utf8)
{
	struct buf folded = { 0 };
	uint32_t *h;
	size_t n, kept = 0;

	match_fold(utf8, &folded);
	n = folded.n < 3 ? 0 : folded.n - 2;
	if (n == 0 || s->n_terms == TEXT_SIEVE_TERMS) {
		buf_done(&folded);
		return -1;
	}
	s->hashes = xrealloc(s->hashes, (s->n_hashes + n) * sizeof *s->hashes);
	h = s->hashes + s->n_hashes;
	for (size_t i = 0; i < n; i++) {
		const unsigned char *p = (const unsigned char *)folded.p + i;

		h[i] = hash_of((uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]);
	}
	qsort(h, n, sizeof *h, by_number);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || h[i] != h[i - 1])
			h[kept++] = h[i];
	s->n_hashes += (unsigned)kept;
	s->first_hash[++s->n_terms] = s->n_hashes;
	buf_done(&folded);
	return (int)s->n_terms - 1;
}

bool text_sieve_put(struct text_sieve *s, enum text_sieve_op op, unsigned n)
{
	unsigned takes = op == SIEVE_AND || op == SIEVE_OR ? n : op == SIEVE_NOT;

	if (s->n_ops == TEXT_SIEVE_OPS || s->depth - takes == TEXT_SIEVE_DEPTH) {
		s->n_terms = 0;
		return false;
	}
	s->ops[s->n_ops].op = (uint16_t)op;
	s->ops[s->n_ops++].n = (uint16_t)n;
	s->depth = s->depth - takes + 1;
	return true;
}

/* Whether all trigrams of a term are there. */
static bool may_have(const struct text_sieve *s, unsigned term, struct span bits)
{
	const unsigned char *p = (const unsigned char *)bits.p;

	if (bits.n == 0)
		return false;
	for (unsigned i = s->first_hash[term]; i < s->first_hash[term + 1]; i++) {
		uint32_t bit = bit_of(s->hashes[i], (uint32_t)bits.n * 8);

		if (!(p[bit / 8] >> bit % 8 & 1))
			return false;
	}
	return true;
}

static uint64_t ask_terms(const struct text_sieve *s, struct span packed)
{
	uint64_t may = 0;

	if (!text_index_is_sound(packed) || packed.p[1] == KIND_ALL)
		return UINT64_MAX;
	for (unsigned k = 0; k < s->n_terms; k++)
		if (may_have(s, k, span_sub(packed, HEAD_BYTES, packed.n)))
			may |= UINT64_C(1) << k;
	return may;
}

/* All of AND's, or the best of OR's. */
static enum text_answer join(enum text_sieve_op op, const unsigned char *v, unsigned n)
{
	enum text_answer strong = op == SIEVE_AND ? TEXT_NO : TEXT_YES;
	enum text_answer all = op == SIEVE_AND ? TEXT_YES : TEXT_NO;

	for (unsigned i = 0; i < n; i++) {
		if (v[i] == strong)
			return strong;
		if (v[i] == TEXT_MAYBE)
			all = TEXT_MAYBE;
	}
	return all;
}

enum text_answer text_sieve_ask(const struct text_sieve *s, struct span packed,
				uint64_t *ret_may)
{
	unsigned char stack[TEXT_SIEVE_DEPTH + 1];
	uint64_t may = ask_terms(s, packed);
	unsigned depth = 0;

	*ret_may = may;
	for (unsigned i = 0; i < s->n_ops; i++) {
		unsigned n = s->ops[i].n;

		switch (s->ops[i].op) {
		case SIEVE_TERM:
			stack[depth++] = may >> n & 1 ? TEXT_MAYBE : TEXT_NO;
			break;
		case SIEVE_AND:
		case SIEVE_OR:
			depth -= n;
			stack[depth] = (unsigned char)join(
			    (enum text_sieve_op)s->ops[i].op, stack + depth, n);
			depth++;
			break;
		case SIEVE_NOT:
			if (stack[depth - 1] != TEXT_MAYBE)
				stack[depth - 1] = stack[depth - 1] == TEXT_NO ? TEXT_YES
									       : TEXT_NO;
			break;
		default: stack[depth++] = TEXT_MAYBE;
		}
	}
	return depth == 1 ? (enum text_answer)stack[0] : TEXT_MAYBE;
}
