/*
 * The selected mailbox of a session: which version its client knows.
 *
 * `view` gives the message numbers. `told` is the version whose flags the
 * client has been told; it runs ahead of `view` only while an EXPUNGE may not
 * be sent (RFC 9051 7.5.1).
 */
#ifndef SERVER_SELECTED_H
#define SERVER_SELECTED_H

#include "server/gone.h"
#include "server/place.h"
#include "wire/seqset.h"

struct selected {
	struct mailbox *mailbox;
	struct view *view, *told;
	struct gone gone; /* of `view`, not of `told` */
	bool read_only;
	struct place place; /* its own copy; rights: selected_refresh() */
	const struct attrs *attrs; /* that place.rights are of; NULL: personal */
	uint64_t auth_generation;  /* the same */
	unsigned rights_told;	   /* FLAGS was written for these */
	struct numset recent; /* UIDs that are \Recent in this session (rev1) */
	size_t keywords_told; /* FLAGS has listed so many */
	struct numset saved;  /* `$`: UIDs (RFC 5182) */
	bool is_behind; /* HIGHESTMODSEQ was told lower than MODSEQ, as an EXPUNGE waits */
	struct arena *arena;  /* child of the session's */
};

/* Selects: takes the mailbox reference; sends nothing. The former one was closed before.
 */
struct selected *selected_new(struct session *s, struct mailbox *m,
			      const struct place *place, bool read_only);
/* The same for a mailbox that is looked into and not selected; ends with `a`. */
struct selected *selected_look(struct arena *a, struct mailbox *m,
			       const struct place *place);
/*
 * Finds the rights of the user anew if lists or groups have changed. Called before each
 * command and report. False: he may not read it any more, and is told nothing of it.
 */
bool selected_refresh(struct session *s);
/* Whether it is as "[READ-WRITE]" tells: the rights of flags that others see, `i` or `e`
 * (RFC 4314 section 5.2). Only then is \Recent taken (RFC 3501 section 2.3.2). */
bool selected_is_read_write(const struct selected *sel);
/* Back to authenticated state; no expunge, nothing sent. */
void selected_end(struct session *s);

/*
 * Resolves a sequence set against the client's numbering into UIDs of
 * messages that are there. `uid`: the set holds UIDs, unknown ones are passed
 * over. Otherwise a number above EXISTS is ERR_INVAL (BAD, RFC 9051 9 seq-number).
 * "$" is selected->saved.
 */
enum err selected_resolve(struct selected *sel, const struct seqset *set, bool uid,
			  struct numset *ret_uids);
/* A message by UID with the newest flags that may be told; its number in `ret_seq`.
 * False: gone from the view. */
bool selected_message(struct selected *sel, uint32_t uid, uint32_t *ret_seq,
		      struct view_msg *ret);
/* The highest modseq of these messages, as it may be told; 0 when there are none. */
uint64_t selected_highest_modseq(struct selected *sel, const struct numset *uids);
/* The FLAGS list "(\Seen x)" of a message for this client. */
void selected_flags(struct cmd *cmd, const struct view_msg *m, struct buf *out);

#endif
