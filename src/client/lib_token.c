/*
 * Tokens of a response (RFC 9051 section 9): flat, without recursion or memory, so that
 * what a hostile server nests costs nothing.
 */
#include "client/lib.h"

static enum mailstile_token_kind quoted(struct span in, size_t *at,
					struct mailstile_token *t)
{
	size_t i = *at + 1;

	for (; i < in.n && in.p[i] != '"'; i++) {
		if (in.p[i] != '\\')
			continue;
		t->has_escapes = true;
		i++;
	}
	if (i >= in.n)
		return MAILSTILE_END;
	t->p = in.p + *at + 1;
	t->n = i - *at - 1;
	*at = i + 1;
	return MAILSTILE_STRING;
}

/* "{5}" CRLF, or "~{5}". */
static enum mailstile_token_kind literal(struct span in, size_t *at,
					 struct mailstile_token *t)
{
	size_t i = *at + (in.p[*at] == '~' ? 2 : 1);
	uint64_t n = 0;

	if (i > in.n || in.p[i - 1] != '{')
		return MAILSTILE_END;
	for (; i < in.n && in.p[i] >= '0' && in.p[i] <= '9' && n < in.n; i++)
		n = n * 10 + (uint64_t)(in.p[i] - '0');
	if (in.n - i < 3 || memcmp(in.p + i, "}\r\n", 3) != 0 || n > in.n - i - 3)
		return MAILSTILE_END;
	t->p = in.p + i + 3;
	t->n = (size_t)n;
	*at = i + 3 + (size_t)n;
	return MAILSTILE_STRING;
}

/* To a space or parenthesis; "BODY[HEADER.FIELDS (A B)]<0>" is one. */
static enum mailstile_token_kind atom(struct span in, size_t *at,
				      struct mailstile_token *t)
{
	size_t i = *at;
	bool is_section = false;

	for (; i < in.n; i++) {
		char c = in.p[i];

		if (c == '\r' || c == '\n' ||
		    (!is_section && (c == ' ' || c == '(' || c == ')' || c == '"')))
			break;
		is_section = c == '[' ? true : c == ']' ? false : is_section;
	}
	if (i == *at)
		return MAILSTILE_END;
	t->p = in.p + *at;
	t->n = i - *at;
	*at = i;
	return span_ieq(span_of(t->p, t->n), SPAN("NIL")) ? MAILSTILE_NIL
							  : MAILSTILE_ATOM;
}

enum mailstile_token_kind mailstile_token_next(const char *bytes, size_t n, size_t *at,
					       struct mailstile_token *ret_token)
{
	struct span in = span_of(bytes, n);
	struct mailstile_token t = { 0 };

	while (*at < n && in.p[*at] == ' ')
		(*at)++;
	if (*at >= n)
		t.kind = MAILSTILE_END;
	else if (in.p[*at] == '(' || in.p[*at] == ')')
		t.kind = in.p[(*at)++] == '(' ? MAILSTILE_OPEN : MAILSTILE_CLOSE;
	else if (in.p[*at] == '"')
		t.kind = quoted(in, at, &t);
	else if (in.p[*at] == '{' ||
		 (in.p[*at] == '~' && *at + 1 < n && in.p[*at + 1] == '{'))
		t.kind = literal(in, at, &t);
	else
		t.kind = atom(in, at, &t);
	*ret_token = t;
	return t.kind;
}

size_t mailstile_token_copy(const struct mailstile_token *token, char *into)
{
	size_t n = 0;

	for (size_t i = 0; i < token->n; i++) {
		if (token->has_escapes && token->p[i] == '\\' && i + 1 < token->n)
			i++;
		into[n++] = token->p[i];
	}
	return n;
}
