/* Strings of responses (RFC 9051 sections 4.3 and 9, RFC 3501 section 9). */
#include "mail/imapstr.h"

#define QUOTED_MAX 1000 /* longer ones go as literals: lines stay short */

static bool is_quotable(struct span s)
{
	if (s.n > QUOTED_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if ((s.p[i] & 0x80) || s.p[i] == '\r' || s.p[i] == '\n')
			return false;
	}
	return true;
}

static char upper(char c)
{
	return (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
}

static void put(struct buf *out, struct span s, bool is_upper, bool has_escapes)
{
	char *to = buf_room(out, 2 * s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\0')
			continue;
		if (has_escapes && (s.p[i] == '"' || s.p[i] == '\\'))
			to[n++] = '\\';
		to[n++] = is_upper ? upper(s.p[i]) : s.p[i];
	}
	buf_added(out, n);
}

static void put_string(struct buf *out, struct span s, bool is_upper)
{
	size_t n = s.n;

	if (is_quotable(s)) {
		buf_putc(out, '"');
		put(out, s, is_upper, true);
		buf_putc(out, '"');
		return;
	}
	for (size_t i = 0; i < s.n; i++)
		n -= s.p[i] == '\0';
	buf_printf(out, "{%zu}\r\n", n);
	put(out, s, is_upper, false);
}

void imapstr_put(struct buf *out, struct span s)
{
	put_string(out, s, false);
}

void imapstr_put_upper(struct buf *out, struct span s)
{
	put_string(out, s, true);
}

void imapstr_put_nstring(struct buf *out, struct span s)
{
	if (s.p)
		imapstr_put(out, s);
	else
		buf_puts(out, "NIL");
}
