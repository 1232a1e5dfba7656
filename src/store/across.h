/* MOVE, COPY and REPLACE from one account to another: a chain of operations on the
 * workers. Private to the store. */
#ifndef STORE_ACROSS_H
#define STORE_ACROSS_H

#include "store/moving.h"

struct across;
/* From `m` to `target`. The op that the caller gets is across_op(). */
struct across *across_new(struct mailbox *m, const struct numset *uids,
			  struct account *target, struct op_to to);
struct op *across_op(struct across *x);
/* REPLACE: how the append is made, and that it is the second step. It calls across_mark()
 * in its plan. */
struct op_to across_append_to(struct across *x);
void across_append(struct across *x, struct store_op *append);
enum err across_mark(struct across *x, struct change *c);
/* COPY and MOVE: the name there, and whose \Seen it is, whose memory it takes. */
void across_copy(struct across *x, struct span path, bool move, uint64_t without,
		 struct span user);
/* The first step. On home; returns across_op(). */
struct op *across_start(struct across *x);

#endif
