/* Charsets to UTF-8 (RFC 2978 names; iconv). */
#include "mail/charset.h"

#include <errno.h>
#include <iconv.h>

#include "base/arena.h"
#include "mail/utf8.h"

#define PENDING_MAX 32 /* bytes of a cut character; iconv's longest is under 8 */

struct charset {
	bool is_utf8;
	iconv_t cd;
	char pending[PENDING_MAX];
	size_t n_pending;
};

/*
 * Names that mail has and iconv has not, or where the set that is really
 * meant is a superset of the one named: gb2312 is sent for GBK text, and so on.
 */
static const struct {
	struct span name, iconv;
} aliases[] = {
	{ SPAN_INIT("ks_c_5601-1987"), SPAN_INIT("CP949") },
	{ SPAN_INIT("ks_c_5601"), SPAN_INIT("CP949") },
	{ SPAN_INIT("euc-kr"), SPAN_INIT("CP949") },
	{ SPAN_INIT("korean"), SPAN_INIT("CP949") },
	{ SPAN_INIT("gb2312"), SPAN_INIT("GB18030") },
	{ SPAN_INIT("gb_2312-80"), SPAN_INIT("GB18030") },
	{ SPAN_INIT("x-gbk"), SPAN_INIT("GB18030") },
	{ SPAN_INIT("chinese"), SPAN_INIT("GB18030") },
	{ SPAN_INIT("shift_jis"), SPAN_INIT("CP932") },
	{ SPAN_INIT("shift-jis"), SPAN_INIT("CP932") },
	{ SPAN_INIT("x-sjis"), SPAN_INIT("CP932") },
	{ SPAN_INIT("sjis"), SPAN_INIT("CP932") },
	{ SPAN_INIT("iso-2022-jp"), SPAN_INIT("ISO-2022-JP-3") },
	{ SPAN_INIT("x-euc-jp"), SPAN_INIT("EUC-JP") },
	{ SPAN_INIT("x-big5"), SPAN_INIT("BIG5") },
	{ SPAN_INIT("iso-8859-8-i"), SPAN_INIT("ISO-8859-8") },
	{ SPAN_INIT("iso-8859-8-e"), SPAN_INIT("ISO-8859-8") },
	{ SPAN_INIT("x-mac-roman"), SPAN_INIT("MACINTOSH") },
	{ SPAN_INIT("macroman"), SPAN_INIT("MACINTOSH") },
	{ SPAN_INIT("x-mac-cyrillic"), SPAN_INIT("MAC-CYRILLIC") },
	{ SPAN_INIT("unicode-1-1-utf-7"), SPAN_INIT("UTF-7") },
	{ SPAN_INIT("utf-16"), SPAN_INIT("UTF-16") },
	{ SPAN_INIT("windows-874"), SPAN_INIT("CP874") },
	{ SPAN_INIT("cp-850"), SPAN_INIT("CP850") },
	{ SPAN_INIT("x-cp1250"), SPAN_INIT("CP1250") },
	{ SPAN_INIT("x-cp1251"), SPAN_INIT("CP1251") },
	{ SPAN_INIT("x-cp1252"), SPAN_INIT("CP1252") },
	{ SPAN_INIT("cp-1252"), SPAN_INIT("CP1252") },
};

static const struct span utf8_names[] = {
	SPAN_INIT("utf-8"),
	SPAN_INIT("utf8"),
	SPAN_INIT("us-ascii"),
	SPAN_INIT("ascii"),
	SPAN_INIT("csutf8"),
	SPAN_INIT("ansi_x3.4-1968"),
	SPAN_INIT("iso646-us"),
	SPAN_INIT("unicode-1-1-utf-8"),
	SPAN_INIT("unicode-2-0-utf-8"),
	SPAN_INIT("cp65001"),
	SPAN_INIT("us"),
	SPAN_INIT("csascii"),
};

static bool is_utf8_name(struct span name)
{
	for (size_t i = 0; i < sizeof utf8_names / sizeof *utf8_names; i++) {
		if (span_ieq(name, utf8_names[i]))
			return true;
	}
	return false;
}

/* iconv takes "" and "CHAR" for the locale and "//" for options: names only. */
static bool iconv_name(struct span name, char ret[64])
{
	static const struct span internal[] = {
		SPAN_INIT("char"),
		SPAN_INIT("wchar_t"),
		SPAN_INIT("internal"),
	};

	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
		if (span_ieq(name, aliases[i].name)) {
			memcpy(ret, aliases[i].iconv.p, aliases[i].iconv.n + 1);
			return true;
		}
	}
	for (size_t i = 0; i < sizeof internal / sizeof *internal; i++) {
		if (span_ieq(name, internal[i]))
			return false;
	}
	if (name.n == 0 || name.n > 60)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool is_alnum = (c >= '0' && c <= '9') ||
				((c | 32) >= 'a' && (c | 32) <= 'z');

		if (!is_alnum && !(c && strchr("-_.:+", c)))
			return false;
	}
	memcpy(ret, name.p, name.n);
	ret[name.n] = '\0';
	return true;
}

struct charset *charset_new(struct span name)
{
	char from[64];
	struct charset c = { .is_utf8 = is_utf8_name(name) };

	if (!c.is_utf8) {
		if (!iconv_name(name, from))
			return NULL;
		c.cd = iconv_open("UTF-8", from);
		if (c.cd == (iconv_t)-1)
			return NULL;
	}
	struct charset *ret = xmalloc(sizeof *ret);

	*ret = c;
	return ret;
}

void charset_free(struct charset *c)
{
	if (c && !c->is_utf8)
		iconv_close(c->cd);
	xfree_secret(c, sizeof *c);
}

bool charset_known(struct span name)
{
	struct charset *c = charset_new(name);

	charset_free(c);
	return c != NULL;
}

/* Appends the whole characters of `in`; returns how many bytes of a cut one are left. */
static size_t repair(struct span in, struct buf *out)
{
	while (in.n > 0) {
		uint32_t cp;
		size_t ascii = utf8_ascii_bytes(in);
		int n;

		buf_put(out, span_sub(in, 0, ascii));
		in = span_sub(in, ascii, in.n);
		if (in.n == 0)
			break;
		n = utf8_take(in, &cp);
		if (n == 0)
			return in.n;
		if (n == UTF8_BAD)
			buf_puts(out, UTF8_REPLACEMENT);
		else
			buf_put(out, span_sub(in, 0, (size_t)n));
		in = span_sub(in, n == UTF8_BAD ? 1 : (size_t)n, in.n);
	}
	return 0;
}

/* The same through iconv. */
static size_t convert(struct charset *c, struct span in, struct buf *out)
{
	char *p = (char *)(uintptr_t)in.p; /* iconv does not write there */
	size_t n = in.n;

	while (n > 0) {
		size_t room = n + n / 2 + 16;
		size_t left = room;
		char *to = buf_room(out, room);
		size_t rc = iconv(c->cd, &p, &n, &to, &left);
		int why = errno;

		buf_added(out, room - left);
		if (rc != (size_t)-1 || why == E2BIG)
			continue;
		if (why == EINVAL && n < PENDING_MAX)
			return n;
		buf_puts(out, UTF8_REPLACEMENT);
		p++;
		n--;
	}
	return 0;
}

static size_t feed_some(struct charset *c, struct span in, struct buf *out)
{
	return c->is_utf8 ? repair(in, out) : convert(c, in, out);
}

void charset_feed(struct charset *c, struct span in, struct buf *out)
{
	struct span rest = in;

	/* A character that was cut goes first, joined with the bytes that
	 * follow it, one by one, as there are but a few. */
	while (c->n_pending > 0 && rest.n > 0) {
		size_t n;

		c->pending[c->n_pending++] = rest.p[0];
		rest = span_sub(rest, 1, rest.n);
		n = feed_some(c, span_of(c->pending, c->n_pending), out);
		memmove(c->pending, c->pending + c->n_pending - n, n);
		c->n_pending = n;
	}
	if (rest.n == 0)
		return;
	c->n_pending = feed_some(c, rest, out);
	memcpy(c->pending, rest.p + rest.n - c->n_pending, c->n_pending);
}

void charset_finish(struct charset *c, struct buf *out)
{
	if (c->n_pending > 0)
		buf_puts(out, UTF8_REPLACEMENT);
	c->n_pending = 0;
	if (!c->is_utf8) {
		size_t room = 64;
		char *to = buf_room(out, 64);

		iconv(c->cd, NULL, NULL, &to, &room);
		buf_added(out, 64 - room);
	}
}

bool charset_to_utf8(struct span name, struct span in, struct buf *out)
{
	struct charset *c = charset_new(name);

	if (!c)
		return false;
	charset_feed(c, in, out);
	charset_finish(c, out);
	charset_free(c);
	return true;
}

bool utf8_is_valid(struct span s)
{
	while (s.n > 0) {
		uint32_t cp;
		size_t ascii = utf8_ascii_bytes(s);
		int n;

		s = span_sub(s, ascii, s.n);
		if (s.n == 0)
			break;
		n = utf8_take(s, &cp);
		if (n <= 0)
			return false;
		s = span_sub(s, (size_t)n, s.n);
	}
	return true;
}

void utf8_repair(struct span s, struct buf *out)
{
	size_t cut = repair(s, out);

	while (cut-- > 0)
		buf_puts(out, UTF8_REPLACEMENT);
}

void utf8_put(struct buf *out, uint32_t cp)
{
	char b[4];
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; cp >>= 6)
		b[i] = (char)(0x80 | (cp & 0x3f));
	b[0] = (char)(n == 1 ? cp : (0xf00u >> n & 0xff) | cp);
	buf_put(out, span_of(b, n));
}
