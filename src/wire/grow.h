/* Arrays in an arena that grow by doubling; wire's own. */
#ifndef WIRE_GROW_H
#define WIRE_GROW_H

#include "base/arena.h"

/* Room for one more of `size` bytes behind `n`: returns the array, perhaps moved. */
static inline void *wire_grow(struct arena *a, void *v, size_t n, size_t size)
{
	void *bigger;

	/* The capacity is not stored: it is always the next power of two, 4 at least. */
	if (v && (n < 4 || (n & (n - 1))))
		return v;
	bigger = arena_array(a, n ? n * 2 : 4, size);
	if (n)
		memcpy(bigger, v, n * size);
	return bigger;
}

/* Appends one zeroed element and evaluates to a pointer to it. */
#define WIRE_PUSH(a, v, n) ((v) = wire_grow((a), (v), (n), sizeof *(v)), &(v)[(n)++])

#endif
