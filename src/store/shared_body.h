/*
 * Bodies whose bytes several accounts share: a message for many recipients. The bytes are
 *a body of the *common account*, which has no name and no mailbox. A recipient's own body
 *is a row of his account: some bytes of his own (what is put before the message), then
 *all of the shared one. Nobody else's row names it, so nothing of one is shown to
 *another.
 *
 * Rows of an account:
 *	'b' body(16) -> version, bytes of it in all(8), shared body(16), bytes of its own
 * Rows of the common account:
 *	'o' shared(16) account(16) body(16) -> that body of that account holds it
 *	'y' shared(16) -> a delivery goes on: there may be more holders
 *	'u' shared(16) account(16) body(16) -> that one has let it go: does anybody hold
 *it?
 *
 * A holder's row is written and removed in the commit that writes and removes his own
 * ('b'), whoever runs in the common account meanwhile. That is safe, as nobody begins to
 * hold what has no 'y' row: once it has neither 'y' nor 'o' it never will again, and
 * an op of the common account drops it. A crash leaves 'u' rows, and 'y' rows of
 * deliveries that are no more: shared_recover().
 *
 * The collector and the checks of segments know nothing of this: a record names the
 * account that its body is of, and that is the common one. Private to the store.
 */
#ifndef STORE_SHARED_BODY_H
#define STORE_SHARED_BODY_H

#include "store/keys.h"

#define SHARED_HEAD_MAX 65536 /* bytes of its own of a body that shares the rest */

struct shared_part {
	uint64_t bytes; /* in all */
	struct body_id shared;
	struct span head;
};

struct account_id common_account(void);

/* Of a row 'b'. ERR_CORRUPT. */
enum err shared_part_read(struct span row, struct shared_part *ret);
/* In a plan: `body` is `head` and then the shared body, which has `bytes`. The shared one
 * has a 'y' row. */
void shared_part_keep(struct txn *t, struct body_id body, struct span head,
		      struct body_id shared, uint64_t bytes);
/* In a plan: lets go of the body if it is such a one; false: it is not. */
bool shared_part_drop(struct txn *t, struct body_id body);

/* As engine_body_read, of a body that is such a part. ERR_NOENT: it is not. */
enum err shared_part_get(struct engine *e, struct account_id a, struct body_id id,
			 uint64_t off, size_t len, struct buf *out);

/* The holder's row of that part. */
struct key shared_holder_key(struct body_id shared, struct account_id a,
			     struct body_id body);
bool shared_holder_read(struct span key, struct body_id *ret_shared,
			struct account_id *ret_account, struct body_id *ret_body);

/* In a plan of the common account: the guard, before the first holder. */
void shared_guard(struct txn *t, struct body_id shared);
/* The delivery is over: drops it if nobody holds it. */
enum err shared_unguard(struct txn *t, struct body_id shared);
/* Looks after some 'u' rows; `ret_more`: there are more. */
enum err shared_sweep(struct txn *t, bool *ret_more);
/* When the store is opened: deliveries of before are over. */
enum err shared_recover(struct txn *t);
/* Whoever runs next looks whether anybody holds it. */
void shared_look_after(struct txn *t, struct body_id shared);
/* Whether somebody will. */
enum err shared_is_looked_after(struct txn *t, struct body_id shared, bool *ret);
/* Whether anything of the common account says that it holds it: 'o' or 'y'. */
enum err shared_is_held(struct txn *t, struct body_id shared, bool *ret);

#endif
