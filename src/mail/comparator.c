/* i;unicode-casemap (RFC 5051), i;ascii-casemap and i;octet (RFC 4790 section 9). */
#include "mail/comparator.h"

#include <unicase.h>
#include <uninorm.h>

#include "mail/charset.h"
#include "mail/utf8.h"

#define DECOMPOSE_DEPTH 16 /* UnicodeData.txt needs 4 */

struct comparator {
	const char *name;
	size_t (*fold)(struct span utf8, struct buf *out);
	bool has_case;	/* of ASCII letters: it matters */
	bool takes_any; /* works on octets: nothing is invalid */
};

static void decompose(uint32_t cp, int depth, struct buf *out)
{
	ucs4_t into[UC_DECOMPOSITION_MAX_LENGTH];
	int tag;
	int n = depth > 0 ? uc_decomposition(cp, &tag, into) : -1;

	if (n < 0) {
		utf8_put(out, cp);
		return;
	}
	for (int i = 0; i < n; i++)
		decompose(into[i], depth - 1, out);
}

static void to_upper(struct span s, char *restrict to)
{
	const char *restrict from = s.p;

	for (size_t i = 0; i < s.n; i++)
		to[i] = (char)(from[i] ^ ((unsigned char)(from[i] - 'a') < 26) << 5);
}

static size_t fold_ascii(struct span s, struct buf *out)
{
	to_upper(s, buf_room(out, s.n));
	buf_added(out, s.n);
	return 0;
}

/* Title case, then the full decomposition of each (RFC 5051 section 2). */
static size_t fold_unicode(struct span s, struct buf *out)
{
	while (s.n > 0) {
		uint32_t cp;
		size_t ascii = utf8_ascii_bytes(s);
		int n;

		if (ascii > 0)
			fold_ascii(span_sub(s, 0, ascii), out);
		s = span_sub(s, ascii, s.n);
		if (s.n == 0)
			break;
		n = utf8_take(s, &cp);
		if (n == 0)
			return s.n;
		if (n == UTF8_BAD)
			buf_puts(out, UTF8_REPLACEMENT);
		else
			decompose(uc_totitle(cp), DECOMPOSE_DEPTH, out);
		s = span_sub(s, n == UTF8_BAD ? 1 : (size_t)n, s.n);
	}
	return 0;
}

static size_t fold_not(struct span s, struct buf *out)
{
	buf_put(out, s);
	return 0;
}

/* The most widely useful first. */
static const struct comparator comparators[COMPARATORS] = {
	{ "i;unicode-casemap", fold_unicode, false, false },
	{ "i;ascii-casemap", fold_ascii, false, true },
	{ "i;octet", fold_not, true, true },
};

const struct comparator *comparator_default(void)
{
	return &comparators[0];
}

const char *comparator_name(const struct comparator *c)
{
	return c->name;
}

/* One "*" after another, each as short as it can be: no way back is ever needed further
 * than to the last one. */
static bool is_like(struct span pattern, struct span name)
{
	size_t p = 0, n = 0, star = SIZE_MAX, star_n = 0;

	while (n < name.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			star_n = n;
		} else if (p < pattern.n &&
			   span_ieq(span_sub(pattern, p, 1), span_sub(name, n, 1))) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			n = ++star_n;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

size_t comparator_find(struct span order, const struct comparator *ret[COMPARATORS])
{
	size_t n = 0;

	if (order.n > 0 && order.p[0] == '+')
		order = span_sub(order, 1, order.n);
	if (order.n > COMPARATOR_NAME_MAX)
		return 0;
	if (span_ieq(order, SPAN("default")))
		order = span_str(comparator_default()->name);
	for (size_t i = 0; i < COMPARATORS; i++)
		if (is_like(order, span_str(comparators[i].name)))
			ret[n++] = &comparators[i];
	return n;
}

size_t comparator_fold(const struct comparator *c, struct span utf8, struct buf *out)
{
	return c->fold(utf8, out);
}

void comparator_fold_ascii(const struct comparator *c, struct span ascii, char *to)
{
	if (c->has_case)
		memcpy(to, ascii.p, ascii.n);
	else
		to_upper(ascii, to);
}

void comparator_key(const struct comparator *c, struct span utf8, struct buf *out)
{
	if (c->takes_any || utf8_is_valid(utf8)) {
		buf_putc(out, '\0');
		c->fold(utf8, out);
	} else {
		buf_putc(out, '\1');
		buf_put(out, utf8);
	}
}

int comparator_compare(const struct comparator *c, struct span a, struct span b)
{
	struct buf key_a = { 0 }, key_b = { 0 };
	int order;

	comparator_key(c, a, &key_a);
	comparator_key(c, b, &key_b);
	order = span_cmp(buf_span(&key_a), buf_span(&key_b));
	buf_done(&key_a);
	buf_done(&key_b);
	return order;
}
