/*
 * A change under way, in a plan: copies of what it alters, written as rows and made
 * into a new head when it ends well; nothing is altered in place, so a plan that
 * fails leaves nothing. Private to the store.
 */
#ifndef STORE_CHANGE_H
#define STORE_CHANGE_H

#include "store/op.h"

/* A mailbox under change. */
struct box {
	struct change *c;
	struct box *next;
	uint32_t number;
	struct mailbox *mailbox; /* a reference; NULL: not open */
	struct view *base;	 /* a reference; NULL: not loaded, rows are read */
	struct mailbox_header h;
	struct keywords *keywords; /* a reference */
	bool is_dirty;		   /* messages changed: new version */
	bool is_header_dirty;	   /* the row alone: no new version */
	bool is_gone;
	bool is_absent; /* there is no such mailbox */
	struct numset vanished;
	/* chunks that changed, ascending; chunk NULL: empty now */
	struct changed_chunk *changed;
	size_t n_changed, cap_changed;
	struct chunk_edit *edit; /* the one that is open */
	struct own *owns;	 /* users' own \Seen that changes (seen.h) */
};

struct body_delta {
	struct body_id body;
	int32_t by;
};

struct change {
	struct txn *t;
	struct store_op *op;
	struct account *a;
	struct account_header h;
	uint64_t modseq;    /* of this change; 0 until change_modseq() */
	bool is_dirty;	    /* the account's header */
	bool needs_no_info; /* boxes need not be whole: no message changes */
	struct tree *names; /* a reference: the head's, or the edited one */
	bool names_changed;
	struct attr_set *attrs; /* as names */
	bool attrs_changed;
	bool is_new; /* the account has no rows yet */
	struct staged staged;
	struct box *part_of; /* what is added there does not show yet (stage.h) */
	struct box *boxes;
	struct body_delta *bodies;
	size_t n_bodies, cap_bodies;
};

/* In a plan: loads the account's head if it is not there. ERR_NOENT: no such account. */
enum err change_begin(struct change *c, struct txn *t, struct store_op *op);
/* Writes the rows and makes the new head. */
enum err change_finish(struct change *c);
void change_done(struct change *c);
/* Gives the change its modseq. ERR_LIMIT. */
enum err change_modseq(struct change *c);
/* A number never used before. ERR_LIMIT. */
enum err change_number(struct change *c, uint32_t *ret);

/* Replaces the attributes that are kept in memory; takes over the reference. */
void change_attrs(struct change *c, struct attr_set *now);
struct attr_edit;
/* Sets one, or removes it; `ret_did`: it was not so before. Errors as attrs_set(). */
enum err change_attr_set(struct change *c, const struct attr_edit *e, bool *ret_did);
/* The list of rights of mailbox `from` becomes that of `to`, too (RFC 4314 section 4). */
enum err change_acl_inherit(struct change *c, uint32_t from, uint32_t to);
/* Those of a deleted mailbox go, the others of it are swept. */
enum err change_attrs_drop(struct change *c, uint32_t mailbox);
/* RENAME of INBOX: metadata stay and go along (RFC 5464 section 4.1). */
enum err change_attrs_copy(struct change *c, uint32_t from, uint32_t to);

/* The mailbox of that number; owned by the change. ERR_NOENT. */
enum err change_box(struct change *c, uint32_t number, struct box **ret);
/* A UIDVALIDITY above all that the account ever had. ERR_LIMIT. */
enum err change_uidvalidity(struct change *c, uint32_t *ret);
/* A new, empty one with a new UIDVALIDITY; `number` from change_number. */
enum err change_box_new(struct change *c, uint32_t number, struct box **ret);
/* The mailbox of an existing name (canonical). ERR_NOENT. */
enum err change_box_named(struct change *c, struct span path, struct box **ret);

/* The chunk of that index, opened for editing; all calls for one chunk in a row are
 * cheapest. */
enum err box_edit(struct box *b, uint32_t index, struct chunk_edit **ret);
/* Sees to it that the slot's constant part is loaded. */
enum err box_edit_info(struct box *b, struct chunk_edit *e, uint32_t slot,
		       const struct view_info **ret);
/* Closes the open chunk and writes its rows. */
enum err box_seal(struct box *b);
/* All messages as before the change; one reference. */
enum err box_view(struct box *b, struct view **ret);
/* The number of a keyword; with `make` it is added to the table. ERR_NOENT, ERR_LIMIT. */
enum err box_keyword(struct box *b, struct span name, bool make, uint32_t *ret);

struct new_message {
	uint64_t flags; /* numbers of the target's keywords */
	const uint32_t *overflow;
	size_t n_overflow;
	struct view_info info;
};
/* Adds a message behind all others. ERR_LIMIT: out of UIDs. */
enum err box_add(struct box *b, const struct new_message *m, uint32_t *ret_uid);
/* Takes a message out of the open chunk `e`, and its body's hold. */
enum err box_remove(struct box *b, struct chunk_edit *e, uint32_t slot);
/* Flags of one message in the open chunk: counters, modseq. */
enum err box_set_flags(struct box *b, struct chunk_edit *e, uint32_t slot,
		       uint64_t flags);
/* Deletes the mailbox: its rows are swept later. */
enum err box_delete(struct box *b);

/* ERR_QUOTA: the account would hold more than it may, and more than before (quota.c). */
enum err change_quota(struct change *c);

/* One holder of the body more or less; settled when the change ends (bodies.c). */
void change_body(struct change *c, struct body_id body, int32_t by);
enum err change_bodies_settle(struct change *c);
/* Its rows and bytes go; in a sweep or when nothing shows it. */
void body_drop(struct txn *t, struct body_id body);

/* Scans the body anew; appends its summary. On a worker. */
enum err summary_make(struct engine *e, struct account_id a, struct body_id body,
		      struct buf *out);

/* Chunk by chunk, the messages of a view that a set of UIDs names. */
struct uid_walk {
	const struct view *v;
	const struct numset *uids; /* NULL: all */
	size_t range;
	uint32_t next;
};
struct uid_walk uid_walk(const struct view *v, const struct numset *uids);
/* False at the end; `ret_slots` is never empty. */
bool uid_walk_next(struct uid_walk *w, const struct chunk **ret_chunk,
		   uint64_t ret_slots[4]);

/*
 * Of `uids` (NULL: all) those of the part in hand of the op, which begins at o->from and
 * reaches over at most the chunks of one commit; o->next says where the next one begins.
 */
void uid_part(struct store_op *o, const struct view *v, const struct numset *uids,
	      struct numset *ret_part);

/* Sweeps the rows of a mailbox's messages from a chunk on, and what they hold, until
 * `left` is used up (reap.c). */
enum err sweep_chunks(struct change *c, uint32_t mailbox, uint32_t from, size_t *left);

/* Messages on their way from a view to the end of a mailbox (change_copy.c). */
struct copying {
	const struct keywords *keywords; /* of the view */
	bool is_same;			 /* source and target are one mailbox */
	struct box *to;
	uint64_t without; /* bits of the flags word that they lose */
	/* As whom they are seen in the view (seen.h; reader's head); NULL: as they are. And
	 * whose \Seen it is there: then those with it go to `seen` instead. */
	const struct seen *as;
	struct span user;
	struct numset *seen;
	/* What holds the body there; may give it another id. */
	enum err (*body)(struct copying *, struct view_info *);
	void *arg;
	/* its own: keywords of the source in numbers of the target, as they are met */
	uint32_t number[STORE_KEYWORDS]; /* 1 + the target's; 0: not asked for yet */
	uint64_t last_from, last_to;
	bool has_last;
};
enum err copying_run(struct copying *t, const struct view *v, const struct numset *uids,
		     struct numset *ret_source, struct numset *ret_target);
enum err remove_messages(struct box *b, const struct view *v, const struct numset *uids);
/* The same within an account, pairing UIDs; with `move` they go from there. */
enum err copy_messages(struct copying *t, struct box *from, const struct view *v,
		       const struct numset *uids, bool move, struct numset *ret_source,
		       struct numset *ret_target);

/* Reads all chunks of a mailbox (load.c), those before `end`; with `whole` what never changes
 * too. Takes over `keywords`. One reference; not yet on the account's list. */
enum err mailbox_load(struct txn *t, struct account *a, uint32_t number,
		      const struct mailbox_header *h, struct keywords *keywords,
		      uint32_t end, bool whole, struct view **ret);
/* Reads what never changes of the messages of a view that is not whole. Before the plan
 * writes. */
enum err view_fill(struct txn *t, struct view *v);
/* Ranges of a vanished row, added to `to`. */
enum err vanished_read(struct span row, struct numset *to);
/* Such a row; it lives as long as the plan. */
struct span vanished_write(struct txn *t, const struct numset *s);

/* The header row. `ret_keywords`: one reference. */
enum err mailbox_header_get(struct txn *t, uint32_t number, struct mailbox_header *ret,
			    struct keywords **ret_keywords);

#endif
