/* Borrowed bytes: a pointer and a length, never owned, not NUL-terminated. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *p; /* may be NULL when n is 0 */
	size_t n;      /* bytes */
};

/* A span over a string literal, usable in constant expressions. */
#define SPAN_INIT(lit) { (lit), sizeof(lit) - 1 }
#define SPAN(lit) ((struct span)SPAN_INIT(lit))
#define SPAN_NONE ((struct span){ NULL, 0 })

static inline struct span span_of(const void *p, size_t n)
{
	return (struct span){ (const char *)p, n };
}

static inline struct span span_str(const char *s)
{
	return (struct span){ s, s ? strlen(s) : 0 };
}

/* The part of `s` from `off`, at most `n` bytes; clipped, never out of `s`. */
static inline struct span span_sub(struct span s, size_t off, size_t n)
{
	if (off > s.n)
		off = s.n;
	if (n > s.n - off)
		n = s.n - off;
	return (struct span){ s.p ? s.p + off : s.p, n };
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Equal without regard to ASCII case; the locale plays no part. */
bool span_ieq(struct span a, struct span b);
bool span_starts(struct span s, struct span prefix);
bool span_istarts(struct span s, struct span prefix);
bool span_ends(struct span s, struct span suffix);
/* Byte order, as memcmp; <0, 0, >0. */
int span_cmp(struct span a, struct span b);
/* ASCII case-insensitive order. */
int span_icmp(struct span a, struct span b);
/* First index of `c`, or -1. */
ptrdiff_t span_find(struct span s, char c);
/* Without leading and trailing space, tab, CR and LF. */
struct span span_trim(struct span s);
/*
 * Decimal digits only, no sign, no space, at least one, at most `max`.
 * Returns false, and leaves `ret` as it was, for anything else.
 */
bool span_u64(struct span s, uint64_t max, uint64_t *ret);
/* Constant-time comparison for secrets; lengths may leak. */
bool span_eq_secret(struct span a, struct span b);

#endif
