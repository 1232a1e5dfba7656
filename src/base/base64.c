/* Base64, RFC 4648 section 4. */
#include "base/base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct span s, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)s.p;
	if (s.n == 0)
		return;
	char *to = buf_room(out, (s.n + 2) / 3 * 4);
	size_t n = 0;
	for (size_t i = 0; i < s.n; i += 3) {
		size_t left = s.n - i;
		uint32_t v = (uint32_t)p[i] << 16;
		v |= left > 1 ? (uint32_t)p[i + 1] << 8 : 0;
		v |= left > 2 ? (uint32_t)p[i + 2] : 0;
		to[n++] = alphabet[v >> 18];
		to[n++] = alphabet[v >> 12 & 63];
		to[n++] = left > 1 ? alphabet[v >> 6 & 63] : '=';
		to[n++] = left > 2 ? alphabet[v & 63] : '=';
	}
	buf_added(out, n);
}

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Four characters of which the last `pad` are '='; -1 when not well formed. */
static int32_t group(const char *p, size_t pad)
{
	int32_t v = 0;
	for (size_t i = 0; i < 4; i++) {
		int d = i < 4 - pad ? digit(p[i]) : 0;
		if (d < 0)
			return -1;
		v = v << 6 | d;
	}
	/* bits behind the end must be zero (RFC 4648 section 3.5) */
	if ((pad == 1 && (v & 0xff)) || (pad == 2 && (v & 0xffff)))
		return -1;
	return v;
}

enum err base64_decode(struct span s, struct buf *out)
{
	if (s.n % 4)
		return ERR_INVAL;
	size_t before = out->n;
	for (size_t i = 0; i < s.n; i += 4) {
		size_t pad = 0;
		if (i + 4 == s.n && s.p[i + 3] == '=')
			pad = s.p[i + 2] == '=' ? 2 : 1;
		int32_t v = group(s.p + i, pad);
		if (v < 0) {
			buf_truncate(out, before);
			return ERR_INVAL;
		}
		char bytes[3] = { (char)(v >> 16), (char)(v >> 8), (char)v };
		buf_put(out, span_of(bytes, 3 - pad));
	}
	return ERR_OK;
}
