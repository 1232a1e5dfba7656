/* UTF-8, one character at a time (RFC 3629). */
#ifndef MAIL_UTF8_H
#define MAIL_UTF8_H

#include "base/buf.h"

#define UTF8_BAD	 (-1)
#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/*
 * Reads the character that `s` (not empty) starts with. Returns its bytes, 1..4, and
 * sets `ret_cp`; 0 when `s` ends within what may yet become one; UTF8_BAD when no
 * character starts with the first byte and those behind it.
 */
static inline int utf8_take(struct span s, uint32_t *ret_cp)
{
	const unsigned char *p = (const unsigned char *)s.p;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	int n = p[0] < 0xc2   ? UTF8_BAD
		: p[0] < 0xe0 ? 2
		: p[0] < 0xf0 ? 3
		: p[0] < 0xf5 ? 4
			      : UTF8_BAD;
	uint32_t cp;

	if (p[0] < 0x80) {
		*ret_cp = p[0];
		return 1;
	}
	if (n == UTF8_BAD)
		return UTF8_BAD;
	cp = p[0] & (0x7fu >> n);
	for (int i = 1; i < n; i++) {
		uint32_t lo, hi;

		if ((size_t)i >= s.n)
			return 0;
		if ((p[i] & 0xc0) != 0x80)
			return UTF8_BAD;
		cp = cp << 6 | (p[i] & 0x3fu);
		/* what the bytes so far can still become */
		lo = cp << (6 * (n - 1 - i));
		hi = lo | ((1u << (6 * (n - 1 - i))) - 1);
		if (hi < least[n] || lo > 0x10ffff || (lo >= 0xd800 && hi <= 0xdfff))
			return UTF8_BAD;
	}
	*ret_cp = cp;
	return n;
}

/* How many bytes at the start of `s` are ASCII. */
static inline size_t utf8_ascii_bytes(struct span s)
{
	size_t i = 0;
	uint64_t w;

	for (; s.n - i >= sizeof w; i += sizeof w) {
		memcpy(&w, s.p + i, sizeof w);
		if (w & 0x8080808080808080u)
			break;
	}
	while (i < s.n && !(s.p[i] & 0x80))
		i++;
	return i;
}

/* Appends one code point. */
void utf8_put(struct buf *out, uint32_t cp);

#endif
