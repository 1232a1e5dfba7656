/*
 * STORE: flags of many messages in one change with one modseq (RFC 9051 section 6.4.6,
 * RFC 7162 section 3.1.3), of very many in several (op.h). A message that already is as asked for keeps its modseq, with
 * UNCHANGEDSINCE too (RFC 7162 section 3.1.11).
 */
#include <stdlib.h>

#include "store/flags.h"
#include "store/seen.h"

struct flag_op {
	struct store_op o;
	struct numset uids;
	enum flag_change how;
	struct flags flags;
	uint64_t unchangedsince;
	struct view *known; /* a reference, or NULL */
	struct mailbox *reader; /* whose \Seen it is; a reference, NULL: the mailbox's */
};

/* ---- flags as asked for ---- */

void flags_copy(struct flags *to, const struct flag_names *from)
{
	*to = (struct flags){ .system = from->system & FLAGS_SYSTEM,
			      .kept = flag_names_kept(from->locked) };
	to->n = from->n_keyword;
	to->keyword = xcalloc(to->n, sizeof *to->keyword);
	for (size_t i = 0; i < to->n; i++) {
		struct span k = from->keyword[i];
		char *p = xmalloc(k.n);
		if (k.n > 0)
			memcpy(p, k.p, k.n);
		to->keyword[i] = span_of(p, k.n);
	}
}

void flags_done(struct flags *f)
{
	for (size_t i = 0; i < f->n; i++)
		free((char *)f->keyword[i].p);
	free(f->keyword);
	*f = (struct flags){ 0 };
}

enum err flags_resolve(const struct flags *f, struct box *b, bool make, struct arena *a,
		       struct flag_bits *ret)
{
	struct flag_bits bits = { .word = f->system };
	bits.overflow = arena_array(a, f->n, sizeof *bits.overflow);
	for (size_t i = 0; i < f->n; i++) {
		uint32_t k;
		enum err rc = box_keyword(b, f->keyword[i], make, &k);
		if (rc == ERR_NOENT)
			continue;
		if (rc != ERR_OK)
			return rc;
		if (k < STORE_KEYWORDS_FLAGS)
			bits.word |= (uint64_t)1 << (8 + k);
		else
			bits.overflow[bits.n_overflow++] = k;
	}
	*ret = bits;
	return ERR_OK;
}

/* ---- the change ---- */

struct work {
	struct flag_op *x;
	struct box *b;
	struct arena *arena;
	bool is_resolved;
	struct flag_bits bits;
	const struct seen_chunk *own; /* of x->reader, in the chunk in hand */
};

/* As the one sees it who changes it. */
static uint64_t flags_now(const struct work *w, const struct chunk_edit *e, uint32_t slot)
{
	uint64_t flags = e->at[slot].flags;
	return w->x->reader ? seen_flags(w->own, slot, flags) : flags;
}

static uint64_t modseq_now(const struct work *w, const struct chunk_edit *e, uint32_t slot)
{
	uint64_t own = w->own ? w->own->at[slot] : 0;
	return own > e->at[slot].modseq ? own : e->at[slot].modseq;
}

/* Keywords join the table when the first message is to get them, not before. */
static enum err resolve(struct work *w)
{
	if (w->is_resolved)
		return ERR_OK;
	w->is_resolved = true;
	return flags_resolve(&w->x->flags, w->b, w->x->how != FLAGS_REMOVE, w->arena,
			     &w->bits);
}

static bool overflow_as_asked(const struct work *w, const struct chunk_edit *e,
			      uint32_t slot)
{
	size_t has = 0;
	for (size_t i = 0; i < w->bits.n_overflow; i++)
		has += chunk_edit_has_keyword(e, slot, w->bits.overflow[i]);
	switch (w->x->how) {
	case FLAGS_ADD: return has == w->bits.n_overflow;
	case FLAGS_REMOVE: return has == 0;
	case FLAGS_SET: break;
	}
	return has == w->bits.n_overflow && chunk_edit_count_keywords(e, slot) == has;
}

static void change_overflow(const struct work *w, struct chunk_edit *e, uint32_t slot)
{
	if (w->x->how == FLAGS_SET)
		chunk_edit_clear_keywords(e, slot);
	for (size_t i = 0; i < w->bits.n_overflow; i++)
		chunk_edit_set_keyword(e, slot, w->bits.overflow[i],
				       w->x->how != FLAGS_REMOVE);
}

static enum err change_one(struct work *w, struct chunk_edit *e, uint32_t slot)
{
	enum err rc = resolve(w);
	if (rc != ERR_OK)
		return rc;
	uint64_t old = flags_now(w, e, slot), word = w->bits.word;
	uint64_t kept = w->x->how == FLAGS_SET ? w->x->flags.kept : 0;
	uint64_t now = w->x->how == FLAGS_ADD	   ? old | word
		       : w->x->how == FLAGS_REMOVE ? old & ~word
						   : (old & kept) | word;
	bool is_same = kept >> 8 || overflow_as_asked(w, e, slot);
	if (now == old && is_same)
		return ERR_OK;
	if (w->x->reader) {
		uint32_t uid = e->index * CHUNK_UIDS + slot;
		if ((now ^ old) & FLAG_SEEN)
			rc = own_set(w->b, w->x->reader->user, uid, now & FLAG_SEEN);
		now = (now & ~(uint64_t)FLAG_SEEN) | (e->at[slot].flags & FLAG_SEEN);
		if (rc != ERR_OK || (is_same && now == e->at[slot].flags))
			return rc;
	}
	if (!is_same)
		change_overflow(w, e, slot);
	return box_set_flags(w->b, e, slot, now);
}

/* Whether the flags asked for are as the client knows them: then it is no conflict. */
static bool is_as_known(struct work *w, const struct chunk_edit *e, uint32_t slot)
{
	const struct flag_op *x = w->x;
	uint32_t seq = x->known && x->how != FLAGS_SET
			   ? view_seq(x->known, e->index * CHUNK_UIDS + slot)
			   : 0;
	if (!seq || resolve(w) != ERR_OK || w->bits.n_overflow > 0)
		return false;
	struct view_msg m = view_get(x->known, seq);
	return m.modseq <= x->unchangedsince &&
	       !((m.flags ^ flags_now(w, e, slot)) & w->bits.word);
}

static enum err flag_plan(struct store_op *o, struct change *c)
{
	struct flag_op *x = (struct flag_op *)(void *)o;
	struct work w = { .x = x, .arena = txn_arena(c->t) };
	enum err rc = change_box(c, o->mailbox->number, &w.b);
	if (rc != ERR_OK)
		return rc;
	if (x->reader)
		rc = reader_load(c, x->reader);
	struct numset part = { 0 };
	uid_part(o, w.b->base, &x->uids, &part);
	struct uid_walk walk = uid_walk(w.b->base, &part);
	const struct chunk *chunk;
	uint64_t slots[4];
	while (rc == ERR_OK && uid_walk_next(&walk, &chunk, slots)) {
		struct chunk_edit *e;
		rc = box_edit(w.b, chunk->index, &e);
		if (x->reader)
			w.own = seen_find(x->reader->seen_head, chunk->index);
		for (uint32_t s = mask_next(slots, 0); s < CHUNK_UIDS && rc == ERR_OK;
		     s = mask_next(slots, s + 1)) {
			if (modseq_now(&w, e, s) > x->unchangedsince &&
			    !is_as_known(&w, e, s))
				numset_add(&o->modified, chunk->index * CHUNK_UIDS + s);
			else
				rc = change_one(&w, e, s);
		}
	}
	numset_done(&part);
	return rc;
}

static void flag_free(struct store_op *o)
{
	struct flag_op *x = (struct flag_op *)(void *)o;
	numset_done(&x->uids);
	view_unref(x->known);
	mailbox_unref(x->reader);
	flags_done(&x->flags);
}

struct op *messages_flag(struct mailbox *m, const struct numset *uids,
			 enum flag_change how, const struct flag_names *flags,
			 uint64_t unchangedsince, struct op_to to)
{
	return messages_flag_known(m, uids, how, flags, unchangedsince, NULL, to);
}

struct op *messages_flag_known(struct mailbox *m, const struct numset *uids,
			       enum flag_change how, const struct flag_names *flags,
			       uint64_t unchangedsince, struct view *known,
			       struct op_to to)
{
	struct flag_op *x = op_new(sizeof *x, m->account->store, m->account, to);
	x->o.mailbox = mailbox_ref(mailbox_itself(m));
	x->reader = m->of ? mailbox_ref(m) : NULL;
	x->o.plan = flag_plan;
	x->o.free_more = flag_free;
	x->how = how;
	x->unchangedsince = unchangedsince;
	x->known = known ? view_ref(known) : NULL;
	numset_copy(&x->uids, uids);
	flags_copy(&x->flags, flags);
	return op_start(&x->o);
}
