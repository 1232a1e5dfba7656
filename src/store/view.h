/*
 * A view: one immutable version of a mailbox, shared by all sessions and
 * threads, reference counted. Chunks of 256 UIDs are shared between versions,
 * so a new version costs what it changes, and a difference costs what differs.
 *
 * Message sequence numbers are those of this view, from 1.
 */
#ifndef STORE_VIEW_H
#define STORE_VIEW_H

#include "base/numset.h"
#include "store/engine.h"

struct view;
struct view *view_ref(struct view *v);
void view_unref(struct view *v); /* any thread; NULL is fine */

enum flag { /* system flags, RFC 9051 2.3.2 */
	FLAG_SEEN = 1, FLAG_ANSWERED = 2, FLAG_FLAGGED = 4,
	FLAG_DELETED = 8, FLAG_DRAFT = 16,
};

struct view_info { /* what never changes about a message */
	uint64_t bytes;        /* RFC822.SIZE */
	int64_t internal_date; /* s since 1970, UTC */
	int64_t save_date;
	int16_t zone_min;      /* zone of the internal date, minutes east */
	struct body_id body;
	uint8_t email_id[16], thread_id[16];
};

struct view_msg {
	uint32_t uid;
	uint64_t modseq;
	uint64_t flags;        /* enum flag in the low 8 bits, keyword k at bit 8 + k */
	const struct view_info *info; /* lives as long as the view; NULL: mailbox_whole() */
};

uint32_t view_count(const struct view *v);   /* EXISTS */
uint32_t view_uidvalidity(const struct view *v);
const uint8_t *view_mailbox_id(const struct view *v); /* 8 bytes: MAILBOXID */
uint32_t view_uidnext(const struct view *v);
uint64_t view_modseq(const struct view *v);  /* HIGHESTMODSEQ, >= 1 */
uint32_t view_unseen(const struct view *v);  /* how many */
uint32_t view_deleted(const struct view *v);
uint64_t view_bytes(const struct view *v);
uint32_t view_first_unseen(const struct view *v); /* sequence number, 0 when none (rev1 UNSEEN) */

/* `seq` in 1..view_count. O(log n). */
struct view_msg view_get(const struct view *v, uint32_t seq);
uint32_t view_seq(const struct view *v, uint32_t uid);   /* 0 when not there */
uint32_t view_seq_from(const struct view *v, uint32_t uid); /* first message with UID >= uid; 0 when none */
/* Fast walk: fills up to `max` from `seq`; returns how many. */
size_t view_walk(const struct view *v, uint32_t seq, struct view_msg *to, size_t max);

/* Adds the UIDs of the messages whose flags are `value` in the bits of `mask`. */
void view_match_flags(const struct view *v, uint64_t mask, uint64_t value,
		      struct numset *uids);
/* Adds the numbers of the messages that the UIDs name; others are passed over. */
void view_numbers(const struct view *v, const struct numset *uids, struct numset *seqs);

/* Keywords known to this mailbox, in the order of their numbers. */
size_t view_keywords(const struct view *v);
struct span view_keyword(const struct view *v, size_t k); /* lives as long as the view */
/* Keyword k of a message; for k >= 56 the flags word does not tell (overflow rows). */
bool view_has_keyword(const struct view *v, uint32_t seq, size_t k);
int view_find_keyword(const struct view *v, struct span name); /* ASCII case-insensitive; -1 */

/* Adds the UIDs of messages whose modseq is above `since`, among `uids` if not NULL. */
void view_changed_since(const struct view *v, uint64_t since, const struct numset *uids,
			struct numset *to);

/*
 * What happened from `old` to `new` (same mailbox). `expunged` gets the
 * sequence numbers and UIDs *in old*, ascending; `changed` gets sequence
 * numbers *in new* of messages that are in both and whose flags, keywords or
 * modseq differ, ascending. What has a UID >= view_uidnext(old) is new and not
 * reported here. Any callback may be NULL.
 */
struct view_diff {
	void (*expunged)(void *arg, uint32_t old_seq, uint32_t uid);
	void (*changed)(void *arg, uint32_t new_seq, const struct view_msg *old,
			const struct view_msg *now, bool flags_differ);
	void *arg;
};
void view_diff(const struct view *old, const struct view *now, const struct view_diff *d);

#endif
