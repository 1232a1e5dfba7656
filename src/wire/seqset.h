/*
 * Sequence sets (RFC 9051 section 9, sequence-set; "$" of RFC 5182), as written
 * and resolved.
 */
#ifndef WIRE_SEQSET_H
#define WIRE_SEQSET_H

#include "base/numset.h"
#include "wire/cursor.h"

struct seqrange {
	uint32_t a, b;
}; /* either order; 0 stands for "*" */

struct seqset {
	bool saved;	    /* "$": the saved result; then there are no ranges */
	struct seqrange *r; /* in the arena, as written */
	size_t n;
};

/* Reads one; "$" alone, as RFC 5182 has it (not within a list of ranges). */
bool cursor_sequence_set(struct cursor *c, struct seqset *ret_set);
/* Without "*" and "$": uid-set of responses. */
bool cursor_uid_set(struct cursor *c, struct numset *set);
/* Whether a sequence set is next: digit, "*" or "$" followed by no atom character. */
bool cursor_is_sequence_set(const struct cursor *c);

/*
 * Adds the members to `set`; "*" is `last`: the number of messages, or for UIDs the
 * highest UID in the mailbox (RFC 9051: of an empty one UIDNEXT). With `last` 0 "*" adds
 * nothing. Whether numbers over `last` are an error is the caller's (seqset_max).
 * "$" is the caller's too: nothing is added.
 */
void seqset_resolve(const struct seqset *s, uint32_t last, struct numset *set);
/* The largest number named, "*" not counted; 0 when there is only "*" or "$". */
uint32_t seqset_max(const struct seqset *s);
bool seqset_has_star(const struct seqset *s);
bool seqset_equal(const struct seqset *a, const struct seqset *b); /* as written */

void emit_sequence_set(struct buf *out, const struct seqset *s);

#endif
