/* JSON output (RFC 8259). UTF-8 is checked after RFC 3629 section 4. */
#include "base/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

void json_init(struct json *j, struct buf *out)
{
	*j = (struct json){ .out = out };
}

/*
 * Length of the UTF-8 sequence at `p`, of `n` bytes; 0 when it is none.
 * The second byte's bounds keep out overlong forms and surrogates.
 */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t len;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (n < len || p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return len;
}

static void put_escape(struct buf *out, unsigned char c)
{
	static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	for (size_t i = 0; i + 1 < sizeof names; i += 2) {
		if (names[i] == (char)c) {
			buf_putc(out, '\\');
			buf_putc(out, names[i + 1]);
			return;
		}
	}
	buf_printf(out, "\\u%04x", c);
}

static void put_string(struct buf *out, struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	buf_putc(out, '"');
	for (size_t i = 0; i < s.n;) {
		size_t len = utf8_sequence(p + i, s.n - i);
		if (len == 0) {
			buf_puts(out, "\xef\xbf\xbd");
			i++;
		} else if (p[i] < 0x20 || p[i] == '"' || p[i] == '\\' || p[i] == 0x7f) {
			put_escape(out, p[i]);
			i++;
		} else {
			buf_put(out, span_of(p + i, len));
			i += len;
		}
	}
	buf_putc(out, '"');
}

static void put_key(struct json *j, const char *key)
{
	uint64_t bit = (uint64_t)1 << j->depth;
	if (j->comma & bit)
		buf_putc(j->out, ',');
	j->comma |= bit;
	if (key) {
		put_string(j->out, span_str(key));
		buf_putc(j->out, ':');
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	put_key(j, key);
	buf_putc(j->out, bracket);
	assert(j->depth < 63);
	j->depth++;
	j->comma &= ~((uint64_t)1 << j->depth);
}

void json_close(struct json *j, char bracket)
{
	assert(j->depth > 0);
	j->depth--;
	buf_putc(j->out, bracket);
}

void json_str(struct json *j, const char *key, struct span v)
{
	put_key(j, key);
	put_string(j->out, v);
}

void json_num(struct json *j, const char *key, int64_t v)
{
	put_key(j, key);
	if (v < 0)
		buf_putc(j->out, '-');
	buf_put_u64(j->out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void json_real(struct json *j, const char *key, double v, int decimals)
{
	if (!isfinite(v)) {
		json_null(j, key);
		return;
	}
	put_key(j, key);
	size_t from = j->out->n;
	buf_printf(j->out, "%.*f", decimals, v);
	/* the locale may have its own idea of the decimal point */
	char *p = j->out->p + j->out->off;
	for (size_t i = from; i < j->out->n; i++)
		if (p[i] != '-' && (p[i] < '0' || p[i] > '9'))
			p[i] = '.';
}

void json_bool(struct json *j, const char *key, bool v)
{
	put_key(j, key);
	buf_puts(j->out, v ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	put_key(j, key);
	buf_puts(j->out, "null");
}
