/* Comparing, searching and reading spans. ASCII only: no locale. */
#include "base/span.h"

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool span_ieq(struct span a, struct span b)
{
	return a.n == b.n && span_icmp(a, b) == 0;
}

bool span_starts(struct span s, struct span prefix)
{
	return s.n >= prefix.n && span_eq(span_sub(s, 0, prefix.n), prefix);
}

bool span_istarts(struct span s, struct span prefix)
{
	return s.n >= prefix.n && span_ieq(span_sub(s, 0, prefix.n), prefix);
}

bool span_ends(struct span s, struct span suffix)
{
	return s.n >= suffix.n && span_eq(span_sub(s, s.n - suffix.n, suffix.n), suffix);
}

static int by_length(struct span a, struct span b)
{
	return (a.n > b.n) - (a.n < b.n);
}

int span_cmp(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? c : by_length(a, b);
}

int span_icmp(struct span a, struct span b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		int d = lower(a.p[i]) - lower(b.p[i]);
		if (d)
			return d;
	}
	return by_length(a, b);
}

ptrdiff_t span_find(struct span s, char c)
{
	const char *p = s.n ? memchr(s.p, c, s.n) : NULL;
	return p ? p - s.p : -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
	size_t from = 0;
	while (from < s.n && is_blank(s.p[from]))
		from++;
	while (s.n > from && is_blank(s.p[s.n - 1]))
		s.n--;
	return span_sub(s, from, s.n);
}

bool span_u64(struct span s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v) || v > max)
			return false;
	}
	*ret = v;
	return true;
}

bool span_eq_secret(struct span a, struct span b)
{
	volatile unsigned char differs = 0;
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		differs = (unsigned char)(differs | (a.p[i] ^ b.p[i]));
	return differs == 0;
}
