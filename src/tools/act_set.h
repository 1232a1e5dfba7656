/*
 * A set of names, each with a small value: the users of a run and what the
 * journal knows of them. Owns its memory; `{0}` is the empty set.
 */
#ifndef TOOLS_ACT_SET_H
#define TOOLS_ACT_SET_H

#include "base/span.h"

struct act_name {
	char *name; /* NUL-terminated copy; names never hold NUL */
	size_t n;
	uint8_t state; /* the owner's */
	uint32_t a, b; /* the owner's */
};

struct act_set {
	struct act_name *v; /* in the order of arrival */
	size_t n, cap;
	uint32_t *slot; /* index into v, plus one; open addressing */
	size_t slots;	/* a power of two, or 0 */
};

void act_set_done(struct act_set *s);
/* The entry of that name, or NULL. Valid until the next act_set_add. */
struct act_name *act_set_find(const struct act_set *s, struct span name);
/* The entry of that name, made when it is not there (`ret_new`, may be NULL). */
struct act_name *act_set_add(struct act_set *s, struct span name, bool *ret_new);

#endif
