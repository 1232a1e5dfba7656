/* Arenas: see the header. Chunks are bumped through; what is large stands alone. */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define ONE_MALLOC_EACH 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONE_MALLOC_EACH 1
#endif
#endif
#ifndef ONE_MALLOC_EACH
#define ONE_MALLOC_EACH 0
#endif

enum {
	ALIGN = 16,
	CHUNK_FIRST = 1024, /* bytes with its head; then doubling */
	CHUNK_LAST = 65536,
};

struct chunk {
	struct chunk *next;
	size_t cap, used;
	_Alignas(ALIGN) char bytes[];
};

struct deferred {
	struct deferred *next;
	void (*fn)(void *);
	void *arg;
};

struct arena {
	struct arena *parent, *children;
	struct arena *prev, *next; /* siblings */
	struct chunk *chunks;	   /* the first is the one with room */
	struct deferred *deferred;
	size_t next_size, bytes;
};

static _Noreturn void out_of_memory(void)
{
	static const char text[] = "mailstile: out of memory\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);
	/* no abort(): a core file would hold everybody's mail */
	_exit(n > 0 ? 71 : 70);
}

void *xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);
	if (!p)
		out_of_memory();
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);
	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	return memcpy(xmalloc(n), s, n);
}

void wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}

void xfree_secret(void *p, size_t n)
{
	if (p)
		wipe(p, n);
	free(p);
}

struct arena *arena_new(struct arena *parent)
{
	struct arena *a = xcalloc(1, sizeof *a);
	a->next_size = CHUNK_FIRST;
	a->bytes = sizeof *a;
	a->parent = parent;
	if (parent) {
		a->next = parent->children;
		if (a->next)
			a->next->prev = a;
		parent->children = a;
	}
	return a;
}

static void unlink_from_parent(struct arena *a)
{
	if (a->next)
		a->next->prev = a->prev;
	if (a->prev)
		a->prev->next = a->next;
	else if (a->parent)
		a->parent->children = a->next;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	while (a->deferred || a->children) {
		struct deferred *d = a->deferred;
		if (d) {
			a->deferred = d->next;
			d->fn(d->arg);
		} else {
			arena_free(a->children);
		}
	}
	unlink_from_parent(a);
	while (a->chunks) {
		struct chunk *c = a->chunks;
		a->chunks = c->next;
		wipe(c->bytes, c->used);
		free(c);
	}
	free(a);
}

/* A chunk that holds `n` bytes at least; becomes the first if it has room left. */
static struct chunk *chunk_new(struct arena *a, size_t n)
{
	size_t cap = n;
	bool shared = !ONE_MALLOC_EACH && n <= a->next_size / 4;
	if (shared) {
		cap = a->next_size - sizeof(struct chunk);
		if (a->next_size < CHUNK_LAST)
			a->next_size *= 2;
	}
	if (cap > SIZE_MAX - sizeof(struct chunk))
		out_of_memory();
	struct chunk *c = xcalloc(1, sizeof *c + cap);
	c->cap = cap;
	a->bytes += sizeof *c + cap;
	if (shared || !a->chunks) {
		c->next = a->chunks;
		a->chunks = c;
	} else {
		c->next = a->chunks->next;
		a->chunks->next = c;
	}
	return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
	if (n > SIZE_MAX / 2)
		out_of_memory();
	size_t room = ONE_MALLOC_EACH ? n : (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (room == 0)
		room = 1;
	struct chunk *c = a->chunks;
	size_t at = c ? (c->used + ALIGN - 1) & ~(size_t)(ALIGN - 1) : 0;
	if (ONE_MALLOC_EACH || !c || at > c->cap || room > c->cap - at) {
		c = chunk_new(a, room);
		at = 0;
	}
	c->used = at + room;
	return c->bytes + at;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t n;
	if (__builtin_mul_overflow(count, size, &n))
		out_of_memory();
	return arena_alloc(a, n);
}

struct span arena_dup(struct arena *a, struct span s)
{
	char *p = arena_alloc(a, s.n + 1);
	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct span){ p, s.n };
}

char *arena_strdup(struct arena *a, const char *s)
{
	size_t n = strlen(s) + 1;
	return memcpy(arena_alloc(a, n), s, n);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = arena_alloc(a, n < 0 ? 1 : (size_t)n + 1);
	if (n > 0)
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

void arena_defer(struct arena *a, void (*fn)(void *), void *arg)
{
	struct deferred *d = arena_alloc(a, sizeof *d);
	*d = (struct deferred){ a->deferred, fn, arg };
	a->deferred = d;
}

size_t arena_bytes(const struct arena *a)
{
	size_t n = a->bytes;
	for (const struct arena *c = a->children; c; c = c->next)
		n += arena_bytes(c);
	return n;
}
