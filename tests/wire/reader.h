/* Shared by the tests of wire: a cursor on a string, and what was emitted as a string. */
#ifndef TEST_WIRE_READER_H
#define TEST_WIRE_READER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/cursor.h"
#include "wire/emit.h"

static struct arena *arena;

static __attribute__((unused)) int setup(void **state)
{
	arena = arena_new(NULL);
	return 0;
}

static __attribute__((unused)) int teardown(void **state)
{
	arena_free(arena);
	return 0;
}

/* An exact copy, so that a byte read behind it is found by AddressSanitizer. */
static __attribute__((unused)) struct span exact(struct span s)
{
	char *p = arena_alloc(arena, s.n);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return span_of(p, s.n);
}

static __attribute__((unused)) struct cursor on(const char *text)
{
	return cursor_of(exact(span_str(text)), false, arena);
}

static __attribute__((unused)) struct cursor on_utf8(const char *text)
{
	return cursor_of(exact(span_str(text)), true, arena);
}

/* What is in the buffer, as a string; the buffer is emptied. */
static __attribute__((unused)) const char *text_of(struct buf *b)
{
	const char *s = arena_dup(arena, buf_span(b)).p;

	buf_done(b);
	return s;
}

#define assert_span(s, text)                                                             \
	do {                                                                             \
		struct span s_ = (s);                                                    \
		assert_int_equal(s_.n, strlen(text));                                    \
		assert_memory_equal(s_.n ? s_.p : "", text, s_.n);                       \
	} while (0)

#define RUN(tests) cmocka_run_group_tests(tests, setup, teardown)

#endif
