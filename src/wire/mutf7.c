/* Modified UTF-7 (RFC 3501 section 5.1.3), both ways, one spelling for each name. */
#include "wire/mutf7.h"
#include "wire/cursor.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int digit_of(char c)
{
	const char *p = c ? strchr(alphabet, c) : NULL;

	return p ? (int)(p - alphabet) : -1;
}

static bool is_direct(uint32_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

static void utf8_put(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_putc(out, (char)c);
	} else if (c < 0x800) {
		buf_putc(out, (char)(0xc0 | c >> 6));
		buf_putc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_putc(out, (char)(0xe0 | c >> 12));
		buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_putc(out, (char)(0xf0 | c >> 18));
		buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* The character at *at of valid UTF-8; moves behind it. */
static uint32_t utf8_get(struct span s, size_t *at)
{
	const unsigned char *p = (const unsigned char *)s.p + *at;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	*at += n;
	return c;
}

/* Puts UTF-16 units together. `high` is a high surrogate that waits, or 0. */
static bool unit_put(struct buf *out, uint32_t *high, uint32_t unit)
{
	if (*high) {
		if (unit < 0xdc00 || unit > 0xdfff)
			return false;
		utf8_put(out, 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00));
		*high = 0;
		return true;
	}
	if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return true;
	}
	if ((unit >= 0xdc00 && unit <= 0xdfff) || unit == 0 || is_direct(unit))
		return false;
	utf8_put(out, unit);
	return true;
}

/* The base64 between "&" and "-"; not empty. */
static bool shifted_decode(struct span s, struct buf *out)
{
	uint32_t bits = 0, high = 0;
	unsigned n_bits = 0;

	for (size_t i = 0; i < s.n; i++) {
		int d = digit_of(s.p[i]);

		if (d < 0)
			return false;
		bits = (bits << 6 | (uint32_t)d) & 0xfffff;
		n_bits += 6;
		if (n_bits < 16)
			continue;
		n_bits -= 16;
		if (!unit_put(out, &high, bits >> n_bits & 0xffff))
			return false;
	}
	/* What is left is padding: less than a digit, of zeros. */
	return n_bits < 6 && (bits & ((1u << n_bits) - 1)) == 0 && !high;
}

static bool name_decode(struct span name, struct buf *out)
{
	bool was_shifted = false;

	for (size_t i = 0; i < name.n; i++) {
		struct span rest = span_sub(name, i + 1, name.n);
		ptrdiff_t n;

		if (name.p[i] != '&') {
			if (!is_direct((unsigned char)name.p[i]))
				return false;
			buf_putc(out, name.p[i]);
			was_shifted = false;
			continue;
		}
		n = span_find(rest, '-');
		if (n < 0)
			return false;
		if (n == 0) {
			buf_putc(out, '&');
			was_shifted = false;
		} else {
			/* "&...-&...-" has a null shift in between. */
			if (was_shifted ||
			    !shifted_decode(span_sub(rest, 0, (size_t)n), out))
				return false;
			was_shifted = true;
		}
		i += (size_t)n + 1;
	}
	return true;
}

enum err mutf7_decode(struct span name, struct buf *out)
{
	size_t before = out->n;

	if (name_decode(name, out))
		return ERR_OK;
	buf_truncate(out, before);
	return ERR_INVAL;
}

struct encoder {
	struct buf *out;
	uint32_t bits;
	unsigned n_bits;
	bool is_shifted;
};

static void unit_encode(struct encoder *e, uint32_t unit)
{
	if (!e->is_shifted)
		buf_putc(e->out, '&');
	e->is_shifted = true;
	e->bits = e->bits << 16 | unit;
	e->n_bits += 16;
	while (e->n_bits >= 6) {
		e->n_bits -= 6;
		buf_putc(e->out, alphabet[e->bits >> e->n_bits & 0x3f]);
	}
	e->bits &= (1u << e->n_bits) - 1;
}

static void shift_end(struct encoder *e)
{
	if (!e->is_shifted)
		return;
	if (e->n_bits > 0)
		buf_putc(e->out, alphabet[e->bits << (6 - e->n_bits) & 0x3f]);
	buf_putc(e->out, '-');
	e->is_shifted = false;
	e->bits = e->n_bits = 0;
}

enum err mutf7_encode(struct span utf8, struct buf *out)
{
	struct encoder e = { .out = out };

	if (!wire_is_utf8(utf8) || span_find(utf8, '\0') >= 0)
		return ERR_INVAL;
	for (size_t i = 0; i < utf8.n;) {
		uint32_t c = utf8_get(utf8, &i);

		if (is_direct(c)) {
			shift_end(&e);
			buf_putc(out, (char)c);
			if (c == '&')
				buf_putc(out, '-');
		} else if (c >= 0x10000) {
			unit_encode(&e, 0xd800 + ((c - 0x10000) >> 10));
			unit_encode(&e, 0xdc00 + ((c - 0x10000) & 0x3ff));
		} else {
			unit_encode(&e, c);
		}
	}
	shift_end(&e);
	return ERR_OK;
}
