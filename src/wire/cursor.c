/* The cursor: characters, atoms, numbers, lists (RFC 9051 section 9). */
#include "wire/cursor.h"
#include "wire/grow.h"

enum {
	C_ATOM = 1,
	C_ASTRING = 2,
	C_LIST = 4,
	C_LABEL = 8,
	C_PLAIN = C_ATOM | C_ASTRING | C_LIST,
};

/* In which classes a byte is; controls, space, parentheses, brace, quote, backslash,
 * 8-bit: none. */
static const uint8_t classes[256] = {
	['!'] = C_PLAIN,
	['#' ... '$'] = C_PLAIN,
	['%'] = C_LIST,
	['&' ... '\''] = C_PLAIN,
	['*'] = C_LIST,
	['+' ... ','] = C_PLAIN,
	['-' ... '.'] = C_PLAIN | C_LABEL,
	['/' ... '@'] = C_PLAIN,
	['A' ... 'Z'] = C_PLAIN | C_LABEL,
	['['] = C_PLAIN,
	[']'] = C_ASTRING | C_LIST,
	['^'] = C_PLAIN,
	['_'] = C_PLAIN | C_LABEL,
	['`'] = C_PLAIN,
	['a' ... 'z'] = C_PLAIN | C_LABEL,
	['|' ... '~'] = C_PLAIN,
};

static unsigned char_class(unsigned char ch)
{
	return classes[ch];
}

bool wire_is_atom_char(unsigned char ch)
{
	return char_class(ch) & C_ATOM;
}

bool wire_is_astring_char(unsigned char ch)
{
	return char_class(ch) & C_ASTRING;
}

bool wire_is_list_char(unsigned char ch)
{
	return char_class(ch) & C_LIST;
}

bool wire_is_tag(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '+' || !wire_is_astring_char((unsigned char)s.p[i]))
			return false;
	return s.n > 0;
}

struct cursor cursor_of(struct span frame, bool utf8, struct arena *a)
{
	return (struct cursor){ .in = frame, .utf8 = utf8, .arena = a };
}

struct cursor cursor_on(const struct cursor *c, struct span value)
{
	return (struct cursor){
		.in = value, .utf8 = c->utf8, .arena = c->arena, .depth = c->depth
	};
}

bool cursor_fail(struct cursor *c, const char *why)
{
	if (!c->bad)
		c->why = why;
	c->bad = true;
	return false;
}

int cursor_peek(const struct cursor *c)
{
	if (c->bad || c->at >= c->in.n)
		return -1;
	return (unsigned char)c->in.p[c->at];
}

bool cursor_try_char(struct cursor *c, char want)
{
	if (cursor_peek(c) != (unsigned char)want)
		return false;
	c->at++;
	return true;
}

bool cursor_try_sp(struct cursor *c)
{
	return cursor_try_char(c, ' ');
}

bool cursor_sp(struct cursor *c)
{
	return cursor_try_char(c, ' ') || cursor_fail(c, "a space was expected");
}

bool cursor_char(struct cursor *c, char want)
{
	if (cursor_try_char(c, want))
		return true;
	switch (want) {
	case '(': return cursor_fail(c, "an opening parenthesis was expected");
	case ')': return cursor_fail(c, "a closing parenthesis was expected");
	case '[': return cursor_fail(c, "an opening bracket was expected");
	case ']': return cursor_fail(c, "a closing bracket was expected");
	case '"': return cursor_fail(c, "a quote was expected");
	default: return cursor_fail(c, "another character was expected");
	}
}

bool cursor_at_end(const struct cursor *c)
{
	return !c->bad && c->in.n - c->at >= 2 && c->in.p[c->at] == '\r' &&
	       c->in.p[c->at + 1] == '\n';
}

bool cursor_end(struct cursor *c)
{
	if (!cursor_at_end(c))
		return cursor_fail(c, "the end of the line was expected");
	c->at += 2;
	return cursor_rest_empty(c);
}

bool cursor_rest_empty(struct cursor *c)
{
	if (!c->bad && c->at != c->in.n)
		cursor_fail(c, "nothing more was expected");
	return !c->bad;
}

/* The longest run of one class from here; not taken. */
static struct span run_of(const struct cursor *c, unsigned class)
{
	size_t n = c->at;

	if (c->bad)
		return SPAN_NONE;
	while (n < c->in.n && (char_class((unsigned char)c->in.p[n]) & class))
		n++;
	return span_sub(c->in, c->at, n - c->at);
}

static struct span take(struct cursor *c, struct span s, const char *why)
{
	if (c->bad || s.n == 0) {
		cursor_fail(c, why);
		return SPAN_NONE;
	}
	c->at += s.n;
	return s;
}

struct span cursor_peek_atom(const struct cursor *c)
{
	return run_of(c, C_ATOM);
}

struct span cursor_atom(struct cursor *c)
{
	return take(c, run_of(c, C_ATOM), "an atom was expected");
}

bool cursor_try_word(struct cursor *c, const char *word)
{
	struct span want = span_str(word);
	struct span here;
	int next;

	if (c->bad)
		return false;
	here = span_sub(c->in, c->at, want.n);
	if (!span_ieq(here, want))
		return false;
	next = c->at + want.n < c->in.n ? (unsigned char)c->in.p[c->at + want.n] : -1;
	if (next >= 0 && next != '[' && wire_is_atom_char((unsigned char)next))
		return false;
	c->at += want.n;
	return true;
}

bool cursor_word(struct cursor *c, const char *word)
{
	return cursor_try_word(c, word) || cursor_fail(c, "another word was expected");
}

struct span cursor_tag(struct cursor *c)
{
	struct span s = run_of(c, C_ASTRING);

	if (!wire_is_tag(s))
		s.n = 0;
	return take(c, s, "a tag was expected");
}

/* "-1:-100" is a range counted from the end (RFC 9394 section 3.1). */
static bool is_from_the_end(struct span s)
{
	return s.n > 1 && s.p[0] == '-' && s.p[1] >= '0' && s.p[1] <= '9';
}

struct span cursor_label(struct cursor *c)
{
	struct span s = run_of(c, C_ATOM);
	size_t n = 0;

	/* RFC 4466 would take "-1" for a name; behind a name it would be its value. */
	if (is_from_the_end(s))
		s.n = 0;
	while (n < s.n) {
		unsigned char ch = (unsigned char)s.p[n];
		bool is_inner = (ch >= '0' && ch <= '9') || ch == ':';

		if (!(char_class(ch) & C_LABEL) && !(n > 0 && is_inner))
			break;
		n++;
	}
	return take(c, span_sub(s, 0, n), "a name was expected");
}

static uint64_t number(struct cursor *c, uint64_t max, const char *why)
{
	uint64_t v = 0;
	size_t n = c->at;

	if (c->bad)
		return 0;
	while (n < c->in.n && c->in.p[n] >= '0' && c->in.p[n] <= '9')
		n++;
	if (!span_u64(span_sub(c->in, c->at, n - c->at), max, &v)) {
		cursor_fail(c, why);
		return 0;
	}
	c->at = n;
	return v;
}

static uint64_t nz_number(struct cursor *c, uint64_t max, const char *why)
{
	int first = cursor_peek(c);

	if (first < '1' || first > '9') {
		cursor_fail(c, why);
		return 0;
	}
	return number(c, max, why);
}

uint32_t cursor_number(struct cursor *c)
{
	return (uint32_t)number(c, UINT32_MAX, "a number below 2^32 was expected");
}

uint32_t cursor_nz_number(struct cursor *c)
{
	return (uint32_t)nz_number(c, UINT32_MAX,
				   "a number from 1 to 2^32 - 1 was expected");
}

uint64_t cursor_number64(struct cursor *c)
{
	return number(c, INT64_MAX, "a number below 2^63 was expected");
}

uint64_t cursor_nz_number64(struct cursor *c)
{
	return nz_number(c, INT64_MAX, "a number from 1 to 2^63 - 1 was expected");
}

bool cursor_try_list_open(struct cursor *c)
{
	if (cursor_peek(c) != '(')
		return false;
	if (c->depth >= WIRE_NESTING_MAX)
		return cursor_fail(c, "there are too many levels of parentheses");
	c->depth++;
	c->at++;
	return true;
}

bool cursor_list_open(struct cursor *c)
{
	return cursor_try_list_open(c) ||
	       cursor_fail(c, "an opening parenthesis was expected");
}

bool cursor_list_close(struct cursor *c)
{
	if (!cursor_char(c, ')'))
		return false;
	if (c->depth > 0)
		c->depth--;
	return true;
}

bool cursor_list_more(struct cursor *c)
{
	if (cursor_try_sp(c))
		return true;
	if (cursor_peek(c) == ')')
		cursor_list_close(c);
	else
		cursor_fail(c, "a space or a closing parenthesis was expected");
	return false;
}

struct span cursor_base64(struct cursor *c)
{
	size_t n = c->at, pad = 0;
	struct span s;

	if (c->bad)
		return SPAN_NONE;
	while (n < c->in.n) {
		char ch = c->in.p[n];

		if (!(char_class((unsigned char)ch) & C_ATOM) || strchr("-_.", ch))
			break;
		if (ch == '=')
			pad++;
		else if (pad || !((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
				  (ch >= '0' && ch <= '9') || ch == '+' || ch == '/'))
			break;
		n++;
	}
	s = span_sub(c->in, c->at, n - c->at);
	/* "=" alone is the empty initial response (RFC 4959 section 3). */
	if (pad > 2 || (s.n % 4 != 0 && !(s.n == 1 && pad == 1)))
		s.n = 0;
	return take(c, s, "base64 was expected");
}

/* One value of a tagged-ext-comp that is no list. */
static void ext_simple(struct cursor *c)
{
	size_t from = c->at;
	int ch = cursor_peek(c);

	if (ch == '"') {
		cursor_quoted(c);
		return;
	}
	if (ch == '{' || ch == '~') {
		size_t at = c->at;

		if (ch == '{' || (at + 1 < c->in.n && c->in.p[at + 1] == '{')) {
			cursor_literal_any(c, NULL);
			return;
		}
	}
	/* Sequence sets have "*", flags and special uses a "\" (RFC 6154 section 6). */
	cursor_try_char(c, '\\');
	while (c->at < c->in.n &&
	       (char_class((unsigned char)c->in.p[c->at]) & (C_ASTRING | C_LIST)))
		c->at++;
	if (c->at == from)
		cursor_fail(c, "a value was expected");
}

struct span cursor_ext_value(struct cursor *c)
{
	size_t from = c->at;
	unsigned open = 0;

	/* Empty lists are taken at any depth: extensions have them where it fits them. */
	while (!c->bad) {
		if (cursor_try_list_open(c)) {
			open++;
			if (cursor_peek(c) != ')')
				continue;
		} else {
			ext_simple(c);
		}
		while (open > 0 && cursor_peek(c) == ')') {
			cursor_list_close(c);
			open--;
		}
		if (open == 0)
			break;
		cursor_sp(c);
	}
	return c->bad ? SPAN_NONE : span_sub(c->in, from, c->at - from);
}

/* Whether a value, and not the next label, stands behind the SP that is next. */
static bool is_value_next(const struct cursor *c)
{
	struct span rest;

	if (cursor_peek(c) != ' ' || c->at + 1 >= c->in.n)
		return false;
	rest = span_sub(c->in, c->at + 1, c->in.n - c->at - 1);
	return (rest.p[0] >= '0' && rest.p[0] <= '9') || strchr("(*$\"{", rest.p[0]) ||
	       is_from_the_end(rest);
}

bool cursor_param(struct cursor *c, struct wire_param *ret_param)
{
	struct wire_param p = { .name = cursor_label(c) };

	if (is_value_next(c)) {
		cursor_sp(c);
		p.value = cursor_ext_value(c);
	}
	if (!c->bad)
		*ret_param = p;
	return !c->bad;
}

bool cursor_params(struct cursor *c, struct wire_params *ret_params)
{
	struct wire_params ps = { 0 };

	cursor_list_open(c);
	do {
		struct wire_param p;

		if (ps.n >= WIRE_PARAMS_MAX)
			return cursor_fail(c, "there are too many options");
		if (cursor_param(c, &p))
			*WIRE_PUSH(c->arena, ps.v, ps.n) = p;
	} while (cursor_list_more(c));
	if (!c->bad)
		*ret_params = ps;
	return !c->bad;
}

const struct wire_param *wire_param_find(const struct wire_params *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (span_ieq(p->v[i].name, span_str(name)))
			return &p->v[i];
	return NULL;
}
