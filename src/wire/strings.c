/* The cursor: quoted strings, literals, mailbox names (RFC 9051 sections 4.3 and 5.1). */
#include "wire/cursor.h"
#include "wire/frame.h"
#include "wire/mutf7.h"

/* Bytes of the UTF-8 character at s.p[at], 0 when there is none (RFC 3629 section 4). */
static size_t utf8_bytes(struct span s, size_t at)
{
	const unsigned char *p = (const unsigned char *)s.p + at;
	unsigned char lo = 0x80, hi = 0xbf;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (s.n - at < n)
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

bool wire_is_utf8(struct span s)
{
	for (size_t i = 0; i < s.n;) {
		size_t n = utf8_bytes(s, i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

static struct span fail(struct cursor *c, const char *why)
{
	cursor_fail(c, why);
	return SPAN_NONE;
}

/* A quoted string's bytes without the escapes. */
static struct span unescape(struct arena *a, struct span s)
{
	char *p = arena_alloc(a, s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		p[n++] = s.p[i];
	}
	return span_of(p, n);
}

struct span cursor_quoted(struct cursor *c)
{
	struct span s;
	bool has_escape = false, has_8bit = false;
	size_t i;

	if (!cursor_char(c, '"'))
		return SPAN_NONE;
	for (i = c->at; i < c->in.n && c->in.p[i] != '"'; i++) {
		char ch = c->in.p[i];

		if (ch == '\r' || ch == '\n' || ch == '\0')
			break;
		if (ch == '\\') {
			has_escape = true;
			if (++i >= c->in.n || (c->in.p[i] != '"' && c->in.p[i] != '\\'))
				return fail(c, "a backslash escapes a quote or a "
					       "backslash only");
		}
		has_8bit |= (ch & 0x80) != 0;
	}
	if (i >= c->in.n || c->in.p[i] != '"')
		return fail(c, "a closing quote was expected");
	s = span_sub(c->in, c->at, i - c->at);
	if (has_8bit && !wire_is_utf8(s))
		return fail(c, "a quoted string must be UTF-8");
	c->at = i + 1;
	return has_escape ? unescape(c->arena, s) : s;
}

bool cursor_literal_header(struct cursor *c, struct frame_literal *ret_literal)
{
	struct frame_literal l = { .header_off = c->at, .sync = true };

	l.literal8 = cursor_try_char(c, '~');
	if (!cursor_try_char(c, '{'))
		return cursor_fail(c, "a literal was expected");
	l.bytes = cursor_number64(c);
	l.sync = !cursor_try_char(c, '+');
	if (!cursor_try_char(c, '}') || !cursor_at_end(c))
		return cursor_fail(c, "a literal was expected");
	c->at += 2;
	*ret_literal = l;
	return true;
}

struct span cursor_literal_any(struct cursor *c, bool *ret_is8)
{
	struct frame_literal l = { 0 };
	struct span s;

	if (!cursor_literal_header(c, &l))
		return SPAN_NONE;
	if (l.bytes > c->in.n - c->at)
		return fail(c, "a literal ends behind the end of the command");
	s = span_sub(c->in, c->at, (size_t)l.bytes);
	if (!l.literal8 && s.n > 0 && memchr(s.p, '\0', s.n))
		return fail(c, "a literal must not hold NUL");
	c->at += s.n;
	if (ret_is8)
		*ret_is8 = l.literal8;
	return s;
}

struct span cursor_literal(struct cursor *c)
{
	if (cursor_peek(c) != '{')
		return fail(c, "a literal was expected");
	return cursor_literal_any(c, NULL);
}

struct span cursor_literal8(struct cursor *c)
{
	if (cursor_peek(c) != '~')
		return fail(c, "a literal8 was expected");
	return cursor_literal_any(c, NULL);
}

struct span cursor_string(struct cursor *c)
{
	switch (cursor_peek(c)) {
	case '"': return cursor_quoted(c);
	case '{': return cursor_literal(c);
	default: return fail(c, "a string was expected");
	}
}

bool cursor_try_nil(struct cursor *c)
{
	return cursor_try_word(c, "NIL");
}

bool cursor_nstring(struct cursor *c, struct span *ret_string)
{
	*ret_string = SPAN_NONE;
	if (cursor_try_nil(c))
		return false;
	*ret_string = cursor_string(c);
	return !c->bad;
}

/* A string, or a run of what `is_char` allows. */
static struct span run_or_string(struct cursor *c, bool (*is_char)(unsigned char),
				 const char *why)
{
	size_t from = c->at;
	int ch = cursor_peek(c);

	if (ch == '"' || ch == '{')
		return cursor_string(c);
	while (!c->bad && c->at < c->in.n && is_char((unsigned char)c->in.p[c->at]))
		c->at++;
	if (c->at == from)
		return fail(c, why);
	return span_sub(c->in, from, c->at - from);
}

struct span cursor_astring(struct cursor *c)
{
	return run_or_string(c, wire_is_astring_char, "an atom or a string was expected");
}

struct span cursor_charset(struct cursor *c)
{
	if (cursor_peek(c) == '"')
		return cursor_quoted(c);
	return run_or_string(c, wire_is_atom_char, "a charset was expected");
}

static bool has_8bit(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] & 0x80)
			return true;
	return false;
}

/* From the peer's form of a mailbox name to UTF-8. */
static struct span mailbox_decode(struct cursor *c, struct span name)
{
	struct buf out = { 0 };
	struct span s;

	if (c->bad)
		return SPAN_NONE;
	if (c->utf8 || has_8bit(name)) {
		if (!wire_is_utf8(name))
			return fail(c, "a mailbox name must be UTF-8");
		return name;
	}
	if (mutf7_decode(name, &out) != ERR_OK) {
		buf_done(&out);
		return fail(c, "a mailbox name must be in modified UTF-7");
	}
	s = span_eq(buf_span(&out), name) ? name : arena_dup(c->arena, buf_span(&out));
	buf_done(&out);
	return s;
}

struct span cursor_mailbox(struct cursor *c)
{
	struct span s = run_or_string(c, wire_is_astring_char,
				      "a mailbox name was expected");

	if (span_ieq(s, SPAN("INBOX")))
		return SPAN("INBOX");
	return mailbox_decode(c, s);
}

struct span cursor_mailbox_any(struct cursor *c)
{
	struct cursor strict = *c;
	struct span s = cursor_mailbox(&strict);

	if (!strict.bad) {
		*c = strict;
		return s;
	}
	return run_or_string(c, wire_is_astring_char, "a mailbox name was expected");
}

struct span cursor_list_mailbox(struct cursor *c)
{
	struct span s = run_or_string(c, wire_is_list_char,
				      "a mailbox pattern was expected");

	if (s.n > WIRE_PATTERN_BYTES_MAX)
		return fail(c, "a mailbox pattern is too long");
	return mailbox_decode(c, s);
}
