/* Private to the store: messages while they are gathered. */
#ifndef STORE_GATHER_H
#define STORE_GATHER_H

#include "store/change.h"

struct digest_run;

struct gather_item {
	struct body_id body;
	size_t at;	   /* in the result */
	size_t off;	   /* of its pieces in the result's bytes */
	bool is_missing;   /* in the rows */
	bool is_told;	   /* by digests: its summary is not read */
	struct digest_run *run; /* that is to be told what its summary says; or NULL */
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
	uint32_t *uids;		 /* in the order of the result; NULL: not given */
	struct digest_run *runs; /* while the rows are read */
	size_t *asked; /* items of a read that asks for some of them */
};

/* Copies what is wanted of a summary that was opened on bytes that will go. */
void gather_copy(struct gather_op *x, struct gather_item *it, const struct summary *s);
/* What the sieve has decided is not read. */
bool gather_is_decided(const struct gather_op *x, const struct gather_item *it);

/* gather_digest.c: gives what digests know. Then each summary that is read for it->run is
 * noted; and at the end, while the txn lives, it->run is over. */
void gather_digests(struct gather_op *x, struct txn *t);
void gather_digest_note(struct gather_op *x, const struct gather_item *it,
			const struct summary *s);
void gather_digests_end(struct gather_op *x);

/* gather_sieve.c: asks the sieve of all; indexes that are not there are made. True when
 * one was. */
enum err gather_sieve(struct gather_op *x, bool *ret_is_any_made);

#endif
