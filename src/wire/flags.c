/* Flag lists (RFC 9051 sections 2.3.2 and 9). */
#include "wire/flags.h"
#include "wire/grow.h"

static const char names[][10] = {
	"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "\\Recent", "\\*",
};
#define N_NAMES (sizeof names / sizeof *names)

const char *wire_flag_name(unsigned bit)
{
	for (size_t i = 0; i < N_NAMES; i++)
		if (bit == 1u << i)
			return names[i];
	return "";
}

unsigned wire_flag_bit(struct span name)
{
	for (size_t i = 0; i < N_NAMES; i++)
		if (span_ieq(name, span_str(names[i])))
			return 1u << i;
	return 0;
}

static void keyword_add(struct cursor *c, struct wire_flags *f, struct span name)
{
	for (size_t i = 0; i < f->n_keywords; i++)
		if (span_ieq(f->keywords[i], name))
			return;
	if (f->n_keywords >= WIRE_FLAGS_MAX)
		cursor_fail(c, "there are too many flags");
	else
		*WIRE_PUSH(c->arena, f->keywords, f->n_keywords) = name;
}

/* "\" atom, or "\*"; with the backslash. */
static struct span backslash_flag(struct cursor *c)
{
	size_t from = c->at;

	cursor_char(c, '\\');
	if (!cursor_try_char(c, '*'))
		cursor_atom(c);
	return c->bad ? SPAN_NONE : span_sub(c->in, from, c->at - from);
}

static void flag_read(struct cursor *c, bool any, struct wire_flags *f)
{
	struct span name;
	unsigned bit;

	if (cursor_peek(c) != '\\') {
		name = cursor_keyword(c);
		if (!c->bad)
			keyword_add(c, f, name);
		return;
	}
	name = backslash_flag(c);
	bit = wire_flag_bit(name);
	if (c->bad)
		return;
	if (any && bit == 0)
		keyword_add(c, f, name);
	else if (any || (bit > 0 && bit <= WIRE_DRAFT))
		f->system |= bit;
	else if (bit == WIRE_RECENT)
		cursor_fail(c, "\\Recent cannot be changed by a client");
	else
		cursor_fail(c, "a system flag is not known");
}

static bool flag_list(struct cursor *c, bool any, struct wire_flags *ret)
{
	struct wire_flags f = { 0 };

	cursor_list_open(c);
	if (cursor_peek(c) == ')') {
		cursor_list_close(c);
	} else {
		do {
			flag_read(c, any, &f);
		} while (cursor_list_more(c));
	}
	if (!c->bad)
		*ret = f;
	return !c->bad;
}

bool cursor_flag_list(struct cursor *c, struct wire_flags *ret_flags)
{
	return flag_list(c, false, ret_flags);
}

bool cursor_flags_any(struct cursor *c, struct wire_flags *ret_flags)
{
	return flag_list(c, true, ret_flags);
}

bool cursor_store_flags(struct cursor *c, struct wire_flags *ret_flags)
{
	struct wire_flags f = { 0 };

	if (cursor_peek(c) == '(')
		return flag_list(c, false, ret_flags);
	do {
		flag_read(c, false, &f);
	} while (cursor_try_sp(c));
	if (!c->bad)
		*ret_flags = f;
	return !c->bad;
}

struct span cursor_keyword(struct cursor *c)
{
	struct span s = cursor_peek_atom(c);

	if (s.n == 0) {
		cursor_fail(c, "a flag was expected");
		return SPAN_NONE;
	}
	return cursor_atom(c);
}

void emit_flags(struct buf *out, const struct wire_flags *f)
{
	bool is_first = true;

	buf_putc(out, '(');
	for (size_t i = 0; i < N_NAMES; i++) {
		if (!(f->system & 1u << i))
			continue;
		if (!is_first)
			buf_putc(out, ' ');
		is_first = false;
		buf_puts(out, names[i]);
	}
	for (size_t i = 0; i < f->n_keywords; i++) {
		if (!is_first)
			buf_putc(out, ' ');
		is_first = false;
		buf_put(out, f->keywords[i]);
	}
	buf_putc(out, ')');
}
