/* FETCH responses: an iterator over msg-att (RFC 9051 section 7.5.2). */
#include "wire/response.h"

bool cursor_fetch_begin(struct cursor *c)
{
	cursor_char(c, '(');
	return !c->bad;
}

/* A quoted string of any bytes: servers put raw header text into envelopes. */
static void skip_quoted(struct cursor *c)
{
	cursor_char(c, '"');
	while (c->at < c->in.n && c->in.p[c->at] != '"') {
		if (c->in.p[c->at] == '\\')
			c->at++;
		c->at++;
	}
	if (c->at >= c->in.n)
		cursor_fail(c, "a closing quote was expected");
	else
		c->at++;
}

static bool is_literal_next(const struct cursor *c)
{
	return cursor_peek(c) == '{' || (cursor_peek(c) == '~' && c->at + 1 < c->in.n &&
					 c->in.p[c->at + 1] == '{');
}

/*
 * A list with all in it; only parentheses are counted, without recursion, because
 * ENVELOPE and BODYSTRUCTURE have lists side by side without a space.
 */
static struct span raw_list(struct cursor *c)
{
	size_t from = c->at, open = 0;

	do {
		int ch = cursor_peek(c);

		if (ch == '"') {
			skip_quoted(c);
		} else if (is_literal_next(c)) {
			cursor_literal_any(c, NULL);
		} else if (ch < 0x20) {
			cursor_fail(c, "a closing parenthesis was expected");
		} else {
			open += ch == '(';
			open -= ch == ')';
			c->at++;
		}
	} while (!c->bad && open > 0);
	return c->bad ? SPAN_NONE : span_sub(c->in, from, c->at - from);
}

/* "[" ... "]" of a label; header names may be strings. */
static void skip_section(struct cursor *c)
{
	unsigned open = 0;

	cursor_char(c, '[');
	while (!c->bad) {
		int ch = cursor_peek(c);

		if (ch == '"') {
			skip_quoted(c);
			continue;
		}
		if (is_literal_next(c)) {
			cursor_literal_any(c, NULL);
			continue;
		}
		if (ch < 0x20) {
			cursor_fail(c, "a closing bracket was expected");
			return;
		}
		c->at++;
		if (ch == ']' && open == 0)
			return;
		open += ch == '(';
		open -= ch == ')' && open > 0;
	}
}

static void label_read(struct cursor *c, struct fetch_att *att)
{
	size_t from = c->at;

	while (c->at < c->in.n && c->in.p[c->at] != '[' &&
	       wire_is_atom_char((unsigned char)c->in.p[c->at]))
		c->at++;
	if (c->at == from)
		cursor_fail(c, "the name of a FETCH item was expected");
	if (cursor_peek(c) == '[')
		skip_section(c);
	att->name = span_sub(c->in, from, c->at - from);
	if (cursor_try_char(c, '<')) {
		att->has_origin = true;
		att->origin = cursor_number64(c);
		if (!cursor_try_char(c, '>'))
			cursor_fail(c, "an origin like <0> was expected");
	}
}

static void value_read(struct cursor *c, struct fetch_att *att)
{
	int ch = cursor_peek(c);

	if (ch == '"') {
		att->kind = ATT_STRING;
		att->value = cursor_quoted(c);
	} else if (is_literal_next(c)) {
		att->kind = ATT_STRING;
		att->value = cursor_literal_any(c, NULL);
	} else if (ch == '(') {
		att->kind = ATT_LIST;
		att->value = raw_list(c);
	} else if (cursor_try_nil(c)) {
		att->kind = ATT_NIL;
	} else {
		att->value = cursor_atom(c);
		att->kind = span_u64(att->value, INT64_MAX, &att->number) ? ATT_NUMBER
									  : ATT_ATOM;
	}
}

bool cursor_fetch_next(struct cursor *c, struct fetch_att *ret_att)
{
	struct fetch_att att = { 0 };

	/* Behind the "(" and between items one space; some servers put one before the
	 * ")". */
	cursor_try_sp(c);
	if (cursor_peek(c) == ')') {
		cursor_char(c, ')');
		return false;
	}
	label_read(c, &att);
	cursor_sp(c);
	value_read(c, &att);
	if (c->bad)
		return false;
	*ret_att = att;
	return true;
}
