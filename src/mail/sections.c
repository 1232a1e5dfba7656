/*
 * Parameter values in sections, "name*0", "name*1*", ... (RFC 2231 sections 3 and 4.1),
 * put together for BODYSTRUCTURE (RFC 2231 section 6, RFC 9051 section 7.5.2).
 */
#include <stdlib.h>

#include "mail/mime.h"

struct place {
	struct span base; /* "name" of "name*3*" */
	uint64_t number;
	bool is_coded;
	size_t param; /* which it is */
};

/* False: it is no section. */
static bool place_of(struct span name, struct place *ret)
{
	ptrdiff_t star = span_find(name, '*');
	struct span number;

	if (star <= 0)
		return false;
	ret->base = span_sub(name, 0, (size_t)star);
	number = span_sub(name, (size_t)star + 1, name.n);
	ret->is_coded = span_ends(number, SPAN("*"));
	if (ret->is_coded)
		number.n--;
	return span_u64(number, MIME_MAX_PARAMS, &ret->number);
}

static int by_place(const void *x, const void *y)
{
	const struct place *a = x, *b = y;
	int order = span_icmp(a->base, b->base);

	if (order == 0)
		order = (a->number > b->number) - (a->number < b->number);
	return order ? order : (a->param > b->param) - (a->param < b->param);
}

/* attribute-char of RFC 2231 section 7; what lies beyond ASCII stands as it came. */
static bool is_plain(char c)
{
	return (c & 0x80) || (lex_is_token(c) && c != '*' && c != '\'' && c != '%');
}

static void put_coded(struct span value, struct buf *out)
{
	for (size_t i = 0; i < value.n; i++) {
		if (is_plain(value.p[i]))
			buf_putc(out, value.p[i]);
		else
			buf_printf(out, "%%%02X", (unsigned char)value.p[i]);
	}
}

/* The value of n sections. When one has percent codes all get them, as the one value is
 * to have one form. */
static struct mime_param join(struct arena *a, const struct mime_param *params,
			      const struct place *at, size_t n)
{
	struct mime_param to;
	struct buf text = { 0 };
	bool is_coded = false;

	for (size_t i = 0; i < n; i++)
		is_coded = is_coded || at[i].is_coded;
	if (is_coded && !at[0].is_coded)
		buf_puts(&text, "''"); /* charset and language: not given */
	for (size_t i = 0; i < n; i++) {
		if (is_coded && !at[i].is_coded)
			put_coded(params[at[i].param].value, &text);
		else
			buf_put(&text, params[at[i].param].value);
	}
	to.value = arena_dup(a, buf_span(&text));
	buf_clear(&text);
	buf_put(&text, at[0].base);
	if (is_coded)
		buf_putc(&text, '*');
	to.name = arena_dup(a, buf_span(&text));
	buf_done(&text);
	return to;
}

/* From a base's first place on: how many stand for 0, 1, 2, ...; these come to the front,
 * as of two with one number the first counts. `ret_all`: places of that base. */
static size_t take_run(struct place *at, size_t n, size_t *ret_all)
{
	size_t taken = 0, i = 0;

	for (; i < n && span_icmp(at[i].base, at[0].base) == 0; i++)
		if (at[i].number == taken) {
			struct place p = at[i];

			at[i] = at[taken];
			at[taken++] = p;
		}
	*ret_all = i;
	return taken;
}

struct mime_value mime_join_sections(struct arena *a, const struct mime_value *v)
{
	struct mime_value to = *v;
	struct place *at = arena_alloc(a, (v->n_params + 1) * sizeof *at);
	size_t n = 0, all;

	for (size_t i = 0; i < v->n_params; i++) {
		at[n].param = i;
		n += place_of(v->params[i].name, &at[n]);
	}
	if (n == 0)
		return to;
	qsort(at, n, sizeof *at, by_place);
	to.params = arena_alloc(a, v->n_params * sizeof *to.params);
	memcpy(to.params, v->params, v->n_params * sizeof *to.params);
	for (size_t i = 0; i < n; i += all) {
		size_t taken = take_run(&at[i], n - i, &all);

		if (taken)
			to.params[at[i].param] = join(a, v->params, &at[i], taken);
		for (size_t k = 1; k < taken; k++)
			to.params[at[i + k].param].name = SPAN_NONE; /* it is gone */
	}
	to.n_params = 0;
	for (size_t i = 0; i < v->n_params; i++)
		if (to.params[i].name.n)
			to.params[to.n_params++] = to.params[i];
	return to;
}
