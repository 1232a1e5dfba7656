/* The growing byte buffer. Memory that is given back was wiped before. */
#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

void buf_init(struct buf *b)
{
	*b = (struct buf){ 0 };
}

void buf_done(struct buf *b)
{
	xfree_secret(b->p, b->cap);
	*b = (struct buf){ 0 };
}

/* Not realloc(), which would leave an unwiped copy behind. */
static void grow(struct buf *b, size_t need)
{
	size_t cap = b->cap > SIZE_MAX / 2 ? need : b->cap * 2;
	if (cap < need)
		cap = need;
	if (cap < 64)
		cap = 64;
	char *p = xmalloc(cap);
	if (b->n)
		memcpy(p, b->p + b->off, b->n);
	xfree_secret(b->p, b->cap);
	b->p = p;
	b->off = 0;
	b->cap = cap;
}

char *buf_room(struct buf *b, size_t n)
{
	size_t need;
	if (__builtin_add_overflow(b->n, n, &need))
		need = SIZE_MAX;
	if (need <= b->cap && b->cap - need < b->off) {
		/* moving is worth it when it frees as much as it moves */
		if (b->off >= b->n) {
			memmove(b->p, b->p + b->off, b->n);
			b->off = 0;
		} else {
			grow(b, need);
		}
	} else if (need > b->cap || !b->p) {
		grow(b, need);
	}
	return b->p + b->off + b->n;
}

void buf_added(struct buf *b, size_t n)
{
	assert(n <= b->cap - b->off - b->n);
	b->n += n;
}

void buf_put(struct buf *b, struct span s)
{
	if (s.n == 0)
		return;
	memcpy(buf_room(b, s.n), s.p, s.n);
	b->n += s.n;
}

void buf_putc(struct buf *b, char c)
{
	*buf_room(b, 1) = c;
	b->n++;
}

void buf_puts(struct buf *b, const char *s)
{
	buf_put(b, span_str(s));
}

void buf_put_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof digits;
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_put(b, span_of(digits + at, sizeof digits - at));
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n <= 0)
		return;
	vsnprintf(buf_room(b, (size_t)n + 1), (size_t)n + 1, fmt, ap);
	b->n += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_take(struct buf *b, size_t n)
{
	assert(n <= b->n);
	b->n -= n;
	b->off = b->n ? b->off + n : 0;
}

void buf_clear(struct buf *b)
{
	if (b->p)
		wipe(b->p, b->cap);
	b->off = b->n = 0;
}

void buf_shrink(struct buf *b, size_t keep)
{
	if (b->n == 0 && b->cap > keep)
		buf_done(b);
}

void buf_truncate(struct buf *b, size_t n)
{
	assert(n <= b->n);
	if (b->n > n)
		wipe(b->p + b->off + n, b->n - n);
	b->n = n;
	if (n == 0)
		b->off = 0;
}
