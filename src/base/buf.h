/*
 * A growing byte buffer: bytes are put at the end and taken from the front.
 * It owns its memory (malloc); set up in place with buf_init or `{0}`.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include "base/span.h"

struct buf {
	char *p;    /* allocation */
	size_t off; /* first live byte */
	size_t n;   /* live bytes, from off */
	size_t cap;
};

void buf_init(struct buf *b);
/* Wipes and frees; the buffer is empty and usable again. */
void buf_done(struct buf *b);

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){ b->p ? b->p + b->off : NULL, b->n };
}

void buf_put(struct buf *b, struct span s);
void buf_putc(struct buf *b, char c);
void buf_puts(struct buf *b, const char *s);
void buf_put_u64(struct buf *b, uint64_t v); /* decimal */
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0), nonnull(2)));

/* Room for `n` more bytes at the returned place; buf_added() makes them live. */
char *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);
/* Takes `n` (at most b->n) bytes from the front. */
void buf_take(struct buf *b, size_t n);
/* Drops the bytes but keeps the memory, wiped. */
void buf_clear(struct buf *b);
/* Gives memory back when the buffer is empty and larger than `keep`. */
void buf_shrink(struct buf *b, size_t keep);
/* Cuts the live bytes to the first `n`. */
void buf_truncate(struct buf *b, size_t n);

#endif
