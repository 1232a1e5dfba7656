/* Mailboxes as users see them who do not own them: handles, and their views (seen.h). */
#include <stdlib.h>

#include "store/seen.h"

/* The account's lock is held. */
static struct mailbox *find(struct mailbox *of, struct span user)
{
	struct mailbox *r = of->readers;
	while (r && !span_eq(r->user, user))
		r = r->next;
	if (r)
		r->refs++;
	return r;
}

struct mailbox *reader_get(struct mailbox *of, struct span user, bool make)
{
	pthread_mutex_lock(&of->account->lock);
	struct mailbox *r = find(of, user);
	if (!r && make) {
		char *name = xmalloc(user.n);
		memcpy(name, user.p, user.n);
		r = xcalloc(1, sizeof *r);
		r->account = of->account;
		r->number = of->number;
		r->of = of;
		of->refs++;
		r->user = span_of(name, user.n);
		r->refs = 1;
		r->next = of->readers;
		r->prev = &of->readers;
		if (r->next)
			r->next->prev = &r->next;
		of->readers = r;
	}
	pthread_mutex_unlock(&of->account->lock);
	return r;
}

void reader_unref(struct mailbox *r)
{
	struct account *a = r->account;
	pthread_mutex_lock(&a->lock);
	bool is_last = --r->refs == 0;
	if (is_last) {
		*r->prev = r->next;
		if (r->next)
			r->next->prev = r->prev;
	}
	pthread_mutex_unlock(&a->lock);
	if (!is_last)
		return;
	view_unref(r->own);
	view_unref(r->own_base);
	seen_unref(r->own_seen);
	seen_unref(r->seen);
	seen_unref(r->seen_head);
	free((void *)(uintptr_t)r->user.p);
	mailbox_unref(r->of);
	free(r);
}

/* ---- views ---- */

/* The chunk with his \Seen: itself when nothing differs. */
static struct chunk *lay_over(struct chunk *c, const struct seen_chunk *s)
{
	if (!s && c->unseen == c->n)
		return chunk_ref(c);
	struct chunk *to = xcalloc(1, sizeof *to + c->n * sizeof to->at[0]);
	uint32_t slot = mask_next(c->mask, 0);
	atomic_init(&to->refs, 1);
	to->index = c->index;
	to->n = c->n;
	to->deleted = c->deleted;
	to->modseq = c->modseq;
	memcpy(to->mask, c->mask, sizeof to->mask);
	for (uint32_t i = 0; i < CHUNK_BLOCKS; i++)
		to->block[i] = block_ref(c->block[i]);
	to->overflow = overflow_ref(c->overflow);
	for (uint32_t i = 0; i < c->n; i++, slot = mask_next(c->mask, slot + 1)) {
		struct chunk_msg *m = &to->at[i];
		*m = c->at[i];
		m->flags = seen_flags(s, slot, m->flags);
		if (s && s->at[slot] > m->modseq)
			m->modseq = s->at[slot];
		if (m->modseq > to->modseq)
			to->modseq = m->modseq;
		to->unseen += !(m->flags & FLAG_SEEN);
	}
	return to;
}

/* The same chunk in the view before, if it was made of the same two. */
static struct chunk *same(const struct view *like, const struct chunk *base,
			  const struct seen_chunk *then, const struct seen_chunk *now)
{
	uint32_t i;
	if (!like || then != now)
		return NULL;
	i = view_chunk_from(like->under, base->index);
	if (i == like->under->n_chunks || like->under->chunk[i] != base)
		return NULL;
	return like->chunk[i]; /* one for each */
}

struct view *seen_view(struct view *base, const struct seen *s, const struct view *like,
		       const struct seen *like_seen)
{
	struct mailbox_header h = base->h;
	h.unseen = 0;
	if (s->modseq > h.modseq)
		h.modseq = s->modseq;
	struct view *v = view_new(base->account, base->mailbox, &h,
				  keywords_ref(base->keywords), base->n_chunks);
	v->under = view_ref(base);
	for (uint32_t i = 0; i < base->n_chunks; i++) {
		const struct seen_chunk *now = seen_find(s, base->chunk[i]->index);
		const struct seen_chunk *then =
		    like_seen ? seen_find(like_seen, base->chunk[i]->index) : NULL;
		struct chunk *c = same(like, base->chunk[i], then, now);
		c = c ? chunk_ref(c) : lay_over(base->chunk[i], now);
		v->h.unseen += c->unseen;
		view_put_chunk(v, c);
	}
	return v;
}

struct view *reader_view_now(struct mailbox *r)
{
	struct account *a = r->account;
	pthread_mutex_lock(&a->lock);
	struct view *base = view_ref(r->of->published), *v = NULL, *like = NULL;
	struct seen *s = seen_ref(r->seen), *like_seen = NULL;
	if (r->own && r->own_base == base && r->own_seen == s) {
		v = view_ref(r->own);
	} else if (r->own) {
		like = view_ref(r->own);
		like_seen = seen_ref(r->own_seen);
	}
	pthread_mutex_unlock(&a->lock);
	if (!v) {
		v = seen_view(base, s, like, like_seen);
		view_unref(like);
		seen_unref(like_seen);
		pthread_mutex_lock(&a->lock);
		like = r->own;
		struct view *old_base = r->own_base;
		like_seen = r->own_seen;
		r->own = view_ref(v);
		r->own_base = view_ref(base);
		r->own_seen = seen_ref(s);
		pthread_mutex_unlock(&a->lock);
		view_unref(like);
		view_unref(old_base);
		seen_unref(like_seen);
	}
	view_unref(base);
	seen_unref(s);
	return v;
}
