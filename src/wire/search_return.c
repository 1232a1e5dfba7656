/*
 * RETURN of SEARCH, SORT and ESEARCH: RFC 4731, RFC 5182, RFC 5267, RFC 9394; and the
 * ranges of PARTIAL.
 */
#include "wire/grow.h"
#include "wire/search.h"

static const char return_names[][8] = { "MIN",	"MAX",	   "ALL",    "COUNT",
					"SAVE", "PARTIAL", "UPDATE", "CONTEXT" };
#define N_RETURNS (sizeof return_names / sizeof *return_names)

bool cursor_partial_range(struct cursor *c, struct partial_range *ret_range)
{
	struct partial_range r = { 0 };

	r.from_end = cursor_try_char(c, '-');
	r.a = cursor_nz_number(c);
	cursor_char(c, ':');
	if (r.from_end)
		cursor_char(c, '-');
	r.b = cursor_nz_number(c);
	if (!c->bad)
		*ret_range = r;
	return !c->bad;
}

void emit_partial_range(struct buf *out, const struct partial_range *r)
{
	const char *sign = r->from_end ? "-" : "";

	buf_printf(out, "%s%u:%s%u", sign, r->a, sign, r->b);
}

void partial_range_resolve(const struct partial_range *r, uint64_t count,
			   uint64_t *ret_from, uint64_t *ret_n)
{
	uint64_t lo = r->a < r->b ? r->a : r->b, hi = r->a < r->b ? r->b : r->a;

	*ret_from = *ret_n = 0;
	if (lo > count)
		return;
	if (hi > count)
		hi = count;
	*ret_n = hi - lo + 1;
	*ret_from = r->from_end ? count - hi : lo - 1;
}

static void return_option(struct cursor *c, struct search_program *p)
{
	struct wire_param other;

	for (size_t i = 0; i < N_RETURNS; i++) {
		if (!cursor_try_word(c, return_names[i]))
			continue;
		if (1u << i == SEARCH_RETURN_PARTIAL) {
			if (p->returns & SEARCH_RETURN_PARTIAL)
				cursor_fail(c, "PARTIAL may stand once");
			cursor_sp(c);
			cursor_partial_range(c, &p->partial);
		}
		p->returns |= 1u << i;
		return;
	}
	if (p->other_returns.n >= WIRE_PARAMS_MAX)
		cursor_fail(c, "there are too many options");
	else if (cursor_param(c, &other))
		*WIRE_PUSH(c->arena, p->other_returns.v, p->other_returns.n) = other;
}

bool cursor_search_returns(struct cursor *c, struct search_program *p)
{
	if (!cursor_try_word(c, "RETURN"))
		return false;
	p->has_return = true;
	cursor_sp(c);
	cursor_list_open(c);
	if (cursor_peek(c) == ')') {
		cursor_list_close(c);
	} else {
		do {
			return_option(c, p);
		} while (cursor_list_more(c));
	}
	if ((p->returns & SEARCH_RETURN_PARTIAL) && (p->returns & SEARCH_RETURN_ALL))
		cursor_fail(c, "ALL and PARTIAL exclude each other");
	if (p->returns == 0 && p->other_returns.n == 0)
		p->returns = SEARCH_RETURN_ALL;
	cursor_sp(c);
	return !c->bad;
}

void emit_search_returns(struct buf *out, const struct search_program *p)
{
	bool is_first = true;

	buf_puts(out, "RETURN (");
	for (size_t i = 0; i < N_RETURNS; i++) {
		if (!(p->returns & 1u << i))
			continue;
		buf_puts(out, is_first ? "" : " ");
		buf_puts(out, return_names[i]);
		if (1u << i == SEARCH_RETURN_PARTIAL) {
			buf_putc(out, ' ');
			emit_partial_range(out, &p->partial);
		}
		is_first = false;
	}
	emit_params(out, &p->other_returns, is_first);
	buf_putc(out, ')');
}
