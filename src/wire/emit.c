/* Values to bytes: atoms, strings, mailbox names (RFC 9051 sections 4 and 9). */
#include "wire/emit.h"
#include "wire/cursor.h"
#include "wire/mutf7.h"

#define LITERAL_MINUS_MAX 4096 /* RFC 7888 section 5 */

void emit_atom(struct buf *out, const char *atom)
{
	buf_puts(out, atom);
}

static bool consists_of(struct span s, bool (*is_char)(unsigned char))
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_char((unsigned char)s.p[i]))
			return false;
	return s.n > 0;
}

bool emit_can_quote(struct emit_mode m, struct span s)
{
	bool has_8bit = false;

	if (s.n > EMIT_QUOTED_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\0' || s.p[i] == '\r' || s.p[i] == '\n')
			return false;
		has_8bit |= (s.p[i] & 0x80) != 0;
	}
	return !has_8bit || (m.utf8 && wire_is_utf8(s));
}

void emit_quoted(struct buf *out, struct span s)
{
	size_t done = 0;

	buf_putc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '"' && s.p[i] != '\\')
			continue;
		buf_put(out, span_sub(s, done, i - done));
		buf_putc(out, '\\');
		done = i;
	}
	buf_put(out, span_sub(s, done, s.n - done));
	buf_putc(out, '"');
}

static void header(struct buf *out, struct emit_mode m, uint64_t bytes)
{
	bool plus = m.literal == EMIT_CLIENT_PLUS ||
		    (m.literal == EMIT_CLIENT_MINUS && bytes <= LITERAL_MINUS_MAX);

	buf_putc(out, '{');
	buf_put_u64(out, bytes);
	buf_puts(out, plus ? "+}\r\n" : "}\r\n");
}

void emit_literal_header(struct buf *out, struct emit_mode m, uint64_t bytes)
{
	header(out, m, bytes);
}

void emit_literal8_header(struct buf *out, struct emit_mode m, uint64_t bytes)
{
	buf_putc(out, '~');
	header(out, m, bytes);
}

void emit_literal(struct buf *out, struct emit_mode m, struct span s)
{
	if (m.literal8 && span_find(s, '\0') >= 0)
		emit_literal8_header(out, m, s.n);
	else
		emit_literal_header(out, m, s.n);
	buf_put(out, s);
}

void emit_string(struct buf *out, struct emit_mode m, struct span s)
{
	if (emit_can_quote(m, s))
		emit_quoted(out, s);
	else
		emit_literal(out, m, s);
}

void emit_nstring(struct buf *out, struct emit_mode m, struct span s)
{
	if (s.p)
		emit_string(out, m, s);
	else
		buf_puts(out, "NIL");
}

static void atom_or_string(struct buf *out, struct emit_mode m, struct span s,
			   bool (*is_char)(unsigned char))
{
	/* NIL would be a string here, but where nstring is meant it is none. */
	if (s.n <= EMIT_QUOTED_MAX && consists_of(s, is_char) &&
	    !span_ieq(s, SPAN("NIL")))
		buf_put(out, s);
	else
		emit_string(out, m, s);
}

void emit_astring(struct buf *out, struct emit_mode m, struct span s)
{
	atom_or_string(out, m, s, wire_is_astring_char);
}

/* In the peer's form; UTF-8 that is none (a store gone bad) is shown as it is. */
static void name_put(struct buf *out, struct emit_mode m, struct span name,
		     bool (*is_char)(unsigned char))
{
	struct buf seven = { 0 };

	if (!m.utf8 && mutf7_encode(name, &seven) == ERR_OK)
		name = buf_span(&seven);
	atom_or_string(out, m, name, is_char);
	buf_done(&seven);
}

void emit_mailbox(struct buf *out, struct emit_mode m, struct span utf8_name)
{
	name_put(out, m, utf8_name, wire_is_astring_char);
}

void emit_list_mailbox(struct buf *out, struct emit_mode m, struct span utf8_pattern)
{
	name_put(out, m, utf8_pattern, wire_is_list_char);
}

void emit_charset(struct buf *out, struct span charset)
{
	if (consists_of(charset, wire_is_atom_char))
		buf_put(out, charset);
	else
		emit_quoted(out, charset);
}

void emit_params(struct buf *out, const struct wire_params *p, bool is_first)
{
	for (size_t i = 0; i < p->n; i++) {
		if (i > 0 || !is_first)
			buf_putc(out, ' ');
		buf_put(out, p->v[i].name);
		if (!p->v[i].value.p)
			continue;
		buf_putc(out, ' ');
		buf_put(out, p->v[i].value);
	}
}

void emit_number(struct buf *out, uint64_t n)
{
	buf_put_u64(out, n);
}

void emit_crlf(struct buf *out)
{
	buf_puts(out, "\r\n");
}
