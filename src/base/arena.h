/*
 * Arenas: memory with the lifetime of its owner (connection, session,
 * command). Everything in an arena goes at once, deferred calls first.
 *
 * Out of memory ends the process with a message: what a peer can make us
 * allocate is bounded before (doc/limits.md), so this is the machine's end.
 * Under AddressSanitizer each allocation is its own malloc, so that an
 * overflow inside an arena is found.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include "base/span.h"

struct arena;

/*
 * A new arena. With a parent it is freed with the parent at the latest; it
 * may be freed earlier. All memory is wiped (explicit_bzero) when freed, as
 * any of it may hold a secret or a user's mail.
 */
struct arena *arena_new(struct arena *parent);
/* Runs the deferred calls, last first, frees the children, then the memory. NULL is fine. */
void arena_free(struct arena *a);

/* Zeroed, aligned to 16. `n` 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t n);
/* Zeroed array; ends the process when count*size overflows. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* A copy; the copy is followed by a NUL that `n` does not count. */
struct span arena_dup(struct arena *a, struct span s);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Calls fn(arg) when the arena is freed, in the reverse order of deferral. */
void arena_defer(struct arena *a, void (*fn)(void *), void *arg);
/* Bytes held by the arena and its children: for limits and tests. */
size_t arena_bytes(const struct arena *a);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))

/* malloc family that never returns NULL (see above). */
void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);
/* Wipes n bytes, then frees. NULL is fine. */
void xfree_secret(void *p, size_t n);
void wipe(void *p, size_t n);

#endif
