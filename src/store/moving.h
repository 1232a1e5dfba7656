/*
 * Messages on their way to another account. An account is the unit of atomicity, so a
 *MOVE between two is three commits, and what a crash leaves of it is told by two
 *attributes:
 *
 *	1. the source claims the messages: ATTR_MOVING says which, and to which account.
 *	   Nobody else moves them from now on.
 *	2. the target gets them, and with them the mark ATTR_MOVED of the same name.
 *	3. they leave the source. Now the client is answered.
 *	4. the mark is taken away, then 5. the claim.
 *
 * A claim that a crash has left is judged when its account is opened, before anybody sees
 * it: with the mark they leave the source, without it they stay. So a message is never
 * lost, and never in both. Private to the store.
 */
#ifndef STORE_MOVING_H
#define STORE_MOVING_H

#include "store/change.h"

/* The name of both attributes: the opening of the store that it is of, then its own. */
struct moving_id {
	uint8_t b[16];
};
struct moving_id moving_id_new(struct store *s);

/* ---- in a plan of the source ---- */

enum err moving_claim(struct change *c, uint32_t mailbox, const struct moving_id *id,
		      struct account_id target, const struct numset *uids);
enum err moving_unclaim(struct change *c, uint32_t mailbox, const struct moving_id *id);
bool moving_has_claims(struct change *c, uint32_t mailbox);
/* Takes out of `uids` what is claimed. */
void moving_leave_out(struct change *c, uint32_t mailbox, struct numset *uids);
/* Judges the claims of former openings. Once, in the plan that opens the account. */
enum err moving_recover(struct change *c);
/* When what that did is durable: steps 4 and 5 of them, in the background. */
void moving_clean(struct account *a, const struct attrs *attrs);

/* ---- in a plan of the target ---- */

enum err moving_mark(struct change *c, const struct moving_id *id);
enum err moving_unmark(struct change *c, const struct moving_id *id);

#endif
