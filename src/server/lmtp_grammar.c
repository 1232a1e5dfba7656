/* Paths, parameters and dots of LMTP. */
#include "server/lmtp_grammar.h"

#include "wire/cursor.h"

/* RFC 5321 section 4.5.3.1.3 asks for 256; a user's name alone may have 255. */
enum { ADDRESS_MAX = 512 };

/* ---- paths ---- */

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_utf8_byte(char c)
{
	return (unsigned char)c >= 0x80;
}

/* Dot-string, with dots anywhere: addresses with two in a row, or one before the "@",
 * were given out by large providers and have mail. */
static bool is_local_char(char c)
{
	return is_alnum(c) || is_utf8_byte(c) ||
	       (c && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool is_domain_char(char c)
{
	return is_alnum(c) || is_utf8_byte(c) || c == '-' || c == '.' || c == '_';
}

static size_t run_of(struct span s, bool (*is)(char))
{
	size_t n = 0;

	while (n < s.n && is(s.p[n]))
		n++;
	return n;
}

/* Quoted-string (RFC 5321 section 4.1.2): its length, 0 when it is none. */
static size_t quoted(struct arena *a, struct span s, struct span *ret_local)
{
	char *to = arena_alloc(a, s.n);
	size_t n = 0, i = 1;

	for (; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] == '\\')
			i++;
		if (i == s.n || (!is_utf8_byte(s.p[i]) && s.p[i] < ' ') || s.p[i] == 127)
			return 0;
		to[n++] = s.p[i];
	}
	if (i >= s.n)
		return 0;
	*ret_local = span_of(to, n);
	return i + 1;
}

static size_t local_part(struct arena *a, struct span s, struct span *ret_local)
{
	size_t n;

	if (s.n && s.p[0] == '"')
		return quoted(a, s, ret_local);
	n = run_of(s, is_local_char);
	*ret_local = span_sub(s, 0, n);
	return n;
}

static bool is_literal_char(char c)
{
	return is_alnum(c) || c == '.' || c == ':' || c == '-';
}

static size_t domain(struct span s)
{
	size_t n;

	if (!s.n || s.p[0] != '[')
		return run_of(s, is_domain_char);
	n = 1 + run_of(span_sub(s, 1, s.n), is_literal_char);
	return n > 1 && n < s.n && s.p[n] == ']' ? n + 1 : 0;
}

/* "@a,@b:" before the mailbox. */
static size_t source_route(struct span s)
{
	size_t at = 0;

	while (at < s.n && s.p[at] == '@') {
		size_t n = domain(span_sub(s, at + 1, s.n));

		at += 1 + n;
		if (!n || at >= s.n)
			return 0;
		if (s.p[at++] == ':')
			return at;
	}
	return 0;
}

bool lmtp_path(struct arena *a, struct span *rest, struct lmtp_address *ret)
{
	struct lmtp_address x = { 0 };
	struct span s = *rest;
	size_t n;

	if (!span_starts(s, SPAN("<")))
		return false;
	s = span_sub(s, 1, s.n);
	if (s.n && s.p[0] == '@') {
		n = source_route(s);
		if (!n)
			return false;
		s = span_sub(s, n, s.n);
	} else if (s.n && s.p[0] == '>') {
		*rest = span_sub(s, 1, s.n);
		*ret = x;
		return true;
	}
	x.text = s;
	n = local_part(a, s, &x.local);
	s = span_sub(s, n, s.n);
	if (n && s.n && s.p[0] == '@') {
		size_t more = domain(span_sub(s, 1, s.n));

		if (!more)
			return false;
		x.domain = span_sub(s, 1, more);
		s = span_sub(s, 1 + more, s.n);
		n += 1 + more;
	}
	if (!n || n > ADDRESS_MAX || !s.n || s.p[0] != '>')
		return false;
	x.text.n = n;
	for (size_t i = 0; i < n && !x.has_utf8; i++)
		x.has_utf8 = is_utf8_byte(x.text.p[i]);
	if (x.has_utf8 && !wire_is_utf8(x.text))
		return false;
	*rest = span_sub(s, 1, s.n);
	*ret = x;
	return true;
}

/* ---- parameters and names ---- */

static bool is_key_char(char c)
{
	return is_alnum(c) || c == '-';
}

/* Any but "=", space and controls (RFC 5321), and UTF-8 (RFC 6531). */
static bool is_value_char(char c)
{
	return is_utf8_byte(c) || (c > ' ' && c != '=' && c != 127);
}

int lmtp_param(struct span *rest, struct span *ret_key, struct span *ret_value)
{
	struct span s = *rest;
	size_t spaces = 0, n;

	while (spaces < s.n && s.p[spaces] == ' ')
		spaces++;
	if (spaces == s.n)
		return 0;
	s = span_sub(s, spaces, s.n);
	n = run_of(s, is_key_char);
	if (!spaces || !n || s.p[0] == '-')
		return -1;
	*ret_key = span_sub(s, 0, n);
	*ret_value = SPAN_NONE;
	s = span_sub(s, n, s.n);
	if (s.n && s.p[0] == '=') {
		n = run_of(span_sub(s, 1, s.n), is_value_char);
		if (!n)
			return -1;
		*ret_value = span_sub(s, 1, n);
		s = span_sub(s, 1 + n, s.n);
	}
	*rest = s;
	return 1;
}

bool lmtp_is_host(struct span s)
{
	size_t n = domain(s);

	return n && n == s.n && n <= 255 && wire_is_utf8(s);
}

void lmtp_split(struct span local, struct span *ret_base, struct span *ret_detail)
{
	ptrdiff_t plus = span_find(local, '+');

	*ret_base = local;
	*ret_detail = SPAN_NONE;
	if (plus <= 0)
		return;
	*ret_base = span_sub(local, 0, (size_t)plus);
	*ret_detail = span_sub(local, (size_t)plus + 1, local.n);
}

/* ---- dots ---- */

/* One byte that is not in the middle of a run of text. */
static void dots_byte(struct lmtp_dots *d, char c, struct buf *out)
{
	switch (d->at) {
	case LMTP_LINE:
		if (c == '.') {
			d->at = LMTP_DOT;
			return;
		}
		break;
	case LMTP_CR:
		if (c == '\n') {
			buf_putc(out, c);
			d->at = LMTP_LINE;
			return;
		}
		break;
	case LMTP_DOT:
		if (c == '\r') {
			d->at = LMTP_DOT_CR;
			return;
		}
		break;
	case LMTP_DOT_CR:
		if (c == '\n') {
			d->at = LMTP_END;
			return;
		}
		buf_putc(out, '\r'); /* a line that begins with a dot and a bare CR */
		break;
	default: break;
	}
	buf_putc(out, c);
	d->at = c == '\r' ? LMTP_CR : LMTP_TEXT;
}

size_t lmtp_dots(struct lmtp_dots *d, struct span in, struct buf *out)
{
	size_t at = 0;

	while (at < in.n && d->at != LMTP_END) {
		struct span rest = span_sub(in, at, in.n);
		ptrdiff_t cr;

		if (d->at != LMTP_TEXT) {
			dots_byte(d, in.p[at++], out);
			continue;
		}
		cr = span_find(rest, '\r');
		if (cr > 0)
			rest.n = (size_t)cr;
		if (cr == 0) {
			dots_byte(d, '\r', out);
			at++;
		} else {
			buf_put(out, rest);
			at += rest.n;
		}
	}
	return at;
}
