/* Sequence sets (RFC 9051 section 9, RFC 5182). */
#include "wire/seqset.h"
#include "wire/grow.h"

#include <stdlib.h>

static uint32_t seq_number(struct cursor *c)
{
	if (cursor_try_char(c, '*'))
		return 0;
	if (cursor_peek(c) < '1' || cursor_peek(c) > '9') {
		cursor_fail(c, "a sequence set was expected");
		return 0;
	}
	return cursor_nz_number(c);
}

bool cursor_is_sequence_set(const struct cursor *c)
{
	int ch = cursor_peek(c);
	int next = c->at + 1 < c->in.n ? (unsigned char)c->in.p[c->at + 1] : -1;

	if (ch == '$')
		return next < 0 || !wire_is_atom_char((unsigned char)next);
	return ch == '*' || (ch >= '0' && ch <= '9');
}

bool cursor_sequence_set(struct cursor *c, struct seqset *ret_set)
{
	struct seqset s = { 0 };

	if (cursor_try_char(c, '$')) {
		*ret_set = (struct seqset){ .saved = true };
		return true;
	}
	do {
		struct seqrange r;

		if (s.n >= WIRE_RANGES_MAX)
			return cursor_fail(c, "a sequence set has too many ranges");
		r.a = r.b = seq_number(c);
		if (cursor_try_char(c, ':'))
			r.b = seq_number(c);
		*WIRE_PUSH(c->arena, s.r, s.n) = r;
	} while (cursor_try_char(c, ','));
	if (!c->bad)
		*ret_set = s;
	return !c->bad;
}

bool cursor_uid_set(struct cursor *c, struct numset *set)
{
	size_t n = 0;

	do {
		uint32_t a, b;

		if (n++ >= WIRE_RANGES_MAX)
			return cursor_fail(c, "a set has too many ranges");
		a = b = cursor_nz_number(c);
		if (cursor_try_char(c, ':'))
			b = cursor_nz_number(c);
		if (!c->bad)
			numset_add_range(set, a, b);
	} while (cursor_try_char(c, ','));
	return !c->bad;
}

static int range_order(const void *a, const void *b)
{
	const struct numrange *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

void seqset_resolve(const struct seqset *s, uint32_t last, struct numset *set)
{
	struct numrange *r = xcalloc(s->n + 1, sizeof *r);
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		uint32_t a = s->r[i].a ? s->r[i].a : last;
		uint32_t b = s->r[i].b ? s->r[i].b : last;

		if (a == 0 || b == 0)
			continue;
		r[n++] = (struct numrange){ .lo = a < b ? a : b, .hi = a < b ? b : a };
	}
	/* Ascending, each addition is at the end; in any order the cost would be squared.
	 */
	qsort(r, n, sizeof *r, range_order);
	for (size_t i = 0; i < n; i++)
		numset_add_range(set, r[i].lo, r[i].hi);
	free(r);
}

uint32_t seqset_max(const struct seqset *s)
{
	uint32_t max = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (s->r[i].a > max)
			max = s->r[i].a;
		if (s->r[i].b > max)
			max = s->r[i].b;
	}
	return max;
}

bool seqset_has_star(const struct seqset *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->r[i].a == 0 || s->r[i].b == 0)
			return true;
	return false;
}

bool seqset_equal(const struct seqset *a, const struct seqset *b)
{
	if (a->saved != b->saved || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->r[i].a != b->r[i].a || a->r[i].b != b->r[i].b)
			return false;
	return true;
}

static void emit_seq_number(struct buf *out, uint32_t v)
{
	if (v == 0)
		buf_putc(out, '*');
	else
		buf_put_u64(out, v);
}

void emit_sequence_set(struct buf *out, const struct seqset *s)
{
	if (s->saved)
		buf_putc(out, '$');
	for (size_t i = 0; i < s->n; i++) {
		if (i > 0)
			buf_putc(out, ',');
		emit_seq_number(out, s->r[i].a);
		if (s->r[i].a == s->r[i].b)
			continue;
		buf_putc(out, ':');
		emit_seq_number(out, s->r[i].b);
	}
}
