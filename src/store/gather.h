/* Private to the store: messages while they are gathered. */
#ifndef STORE_GATHER_H
#define STORE_GATHER_H

#include "store/change.h"

struct gather_item {
	struct body_id body;
	size_t at;	   /* in the result */
	size_t off;	   /* of its pieces in the result's bytes */
	bool is_missing;   /* in the rows */
	bool has_no_words; /* no index that is sound */
	struct buf made;   /* its summary, from the body: to be put back */
	struct buf words;  /* its index, likewise */
	size_t bytes_off;  /* of its bytes */
};

struct gather_op {
	struct store_op o;
	struct task job;
	struct want want; /* its names and sieve are ours */
	struct gathered got;
	struct gather_item *items; /* by body id */
	size_t n;
	size_t *asked; /* items of a read that asks for some of them */
};

/* gather_sieve.c: asks the sieve of all; indexes that are not there are made. True when
 * one was. */
enum err gather_sieve(struct gather_op *x, bool *ret_is_any_made);

#endif
