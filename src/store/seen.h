/*
 * \Seen of users who do not own the mailbox (RFC 4314 section 4): the flag in the message
 * is the owner's, each other user has his own, with a modseq of its own for each message
 * that he changed. A message's modseq as he sees it is the higher of the two, and so is
 * the mailbox's.
 *
 * A row for each user, mailbox and 256 UIDs that he has touched: the attribute ATTR_SEEN,
 * its name the chunk's number. What is expunged leaves it when it is next written, and
 * counts for nothing until then. Private to the store.
 *
 * A handle on a mailbox as a user sees it (mailbox_open_as) is a struct mailbox that has
 * `of`, the mailbox itself; its views are that one's with his \Seen laid over.
 */
#ifndef STORE_SEEN_H
#define STORE_SEEN_H

#include "store/change.h"

struct seen_chunk {
	atomic_uint refs;
	uint32_t index;
	uint64_t modseq; /* the highest */
	uint64_t seen[4];
	uint64_t at[CHUNK_UIDS]; /* modseq; 0: never changed */
};

/* What a user has in a mailbox; immutable. */
struct seen {
	atomic_uint refs;
	uint64_t modseq;
	size_t n;
	struct seen_chunk *chunk[]; /* ascending, references */
};
void seen_unref(struct seen *s); /* NULL is fine */
struct seen *seen_ref(struct seen *s);
/* Of that chunk; NULL: nothing. */
const struct seen_chunk *seen_find(const struct seen *s, uint32_t index);
/* The flags as the user sees them. */
static inline uint64_t seen_flags(const struct seen_chunk *c, uint32_t slot,
				  uint64_t flags)
{
	bool has = c && mask_has(c->seen, slot);
	return has ? flags | FLAG_SEEN : flags & ~(uint64_t)FLAG_SEEN;
}
/* `base` as the user sees it; `like` (NULL is fine): one of his views, of `like_seen`,
 * whose chunks are taken where they are the same. One reference. */
struct view *seen_view(struct view *base, const struct seen *s, const struct view *like,
		       const struct seen *like_seen);

/* ---- in plans ---- */

/* A user's changes in a box. */
struct own {
	struct own *next;
	struct span user;
	struct mailbox *reader; /* his handle, a reference; NULL: none is open */
	struct seen_chunk **changed;
	size_t n, cap;
};
/* Loads what he has, if it is not there: reader->seen_head. */
enum err reader_load(struct change *c, struct mailbox *reader);
/* Sets or takes away his \Seen of one message; at a new modseq. */
enum err own_set(struct box *b, struct span user, uint32_t uid, bool on);
/* The same, set, of many. */
enum err own_set_all(struct box *b, struct span user, const struct numset *uids);
/* Writes the rows; gives the changes to the handles, as news of the op. */
void owns_write(struct box *b);
void owns_install(struct box *b, struct store_op *o);
void owns_free(struct box *b);
/* STATUS: how many he has seen of those that are there, and his highest modseq. */
enum err own_status(struct change *c, uint32_t mailbox, struct span user,
		    uint32_t *ret_seen, uint64_t *ret_modseq);

/* ---- handles ---- */

/* The user's handle on an open mailbox, made if `make`; a reference. */
struct mailbox *reader_get(struct mailbox *of, struct span user, bool make);
void reader_unref(struct mailbox *reader);
struct view *reader_view_now(struct mailbox *reader);
static inline struct mailbox *mailbox_itself(struct mailbox *m)
{
	return m->of ? m->of : m;
}

#endif
