/*
 * Changes that are all or nothing and too large for one commit: COPY (RFC 9051 section
 * 6.4.7) and APPEND of many messages (RFC 3502). They add messages at the end of one
 * mailbox, part by part. A part's rows are written, with the bodies they hold counted,
 * but lie in chunks behind UIDNEXT, where nobody looks; the last part has the header,
 * which shows them all. The op keeps the account from its first part to its last
 * (engine.h, `again`), so UIDs and the modseq are what they are at the end.
 *
 * A row KEY_STAGED stands as long as there are such parts. Whatever op runs in an account
 * that has one of somebody else, after a crash or a failure, first takes them back, in
 * commits as small. Private to the store.
 */
#ifndef STORE_STAGE_H
#define STORE_STAGE_H

#include "store/change.h"

/* What the parts so far have left: the op's. */
struct stage {
	struct staged where;
	uint64_t modseq; /* of the whole change */
	struct mailbox_header h; /* of the mailbox, as it will be */
	struct keywords *keywords; /* a reference */
	uint64_t bytes, messages; /* of the account, as they will be */
	/* The chunks, references: when the mailbox is open, its view will have them. */
	struct changed_chunk *changed;
	size_t n_changed;
};

/*
 * In a plan, before it adds the first message to `to`: goes on behind the parts before.
 * `is_part`: there will be more; then nothing but `to` may change, and that by box_add()
 * alone. Does nothing for what is one commit.
 */
enum err stage_join(struct change *c, struct box *to, bool is_part);
/* Ends a plan that was a part: as change_finish(), but nothing of it shows. */
enum err stage_finish(struct change *c);
/* The part is written: what it left becomes the op's. */
void stage_written(struct store_op *o);
void stage_free(struct stage *s); /* NULL is fine */

/* In a plan: takes back some of what another op has left. */
enum err stage_undo(struct change *c);
/* An op that does nothing but this. */
void stage_undo_start(struct account *a);

/* What the row says; mailbox 0: there is none. */
enum err staged_get(struct txn *t, struct staged *ret);

#endif
