/*
 * The difference of two views: what a client is told (RFC 9051 sections 5.2, 7.5.1).
 * Chunks that both share are passed over, so it costs what differs.
 */
#include "store/view_inside.h"

struct walk {
	const struct view *old, *now;
	const struct view_diff *d;
};

/* Messages of an old chunk that the new one (NULL: none) has not. */
static void expunged(const struct walk *w, uint32_t old_at, const struct chunk *now)
{
	const struct chunk *old = w->old->chunk[old_at];
	if (!w->d->expunged)
		return;
	uint32_t seq = w->old->base[old_at] + 1;
	for (uint32_t s = mask_next(old->mask, 0); s < CHUNK_UIDS;
	     s = mask_next(old->mask, s + 1), seq++)
		if (!now || !mask_has(now->mask, s))
			w->d->expunged(w->d->arg, seq, old->index * CHUNK_UIDS + s);
}

static void changed(const struct walk *w, uint32_t old_at, uint32_t now_at)
{
	const struct chunk *old = w->old->chunk[old_at], *now = w->now->chunk[now_at];
	if (!w->d->changed)
		return;
	uint32_t i = 0, seq = w->now->base[now_at];
	for (uint32_t s = mask_next(now->mask, 0); s < CHUNK_UIDS;
	     s = mask_next(now->mask, s + 1), i++) {
		seq++;
		if (!mask_has(old->mask, s))
			continue;
		uint32_t k = mask_rank(old->mask, s);
		const struct chunk_msg *a = &old->at[k], *b = &now->at[i];
		bool flags_differ = a->flags != b->flags ||
				    overflow_differs(old->overflow, now->overflow, s);
		if (!flags_differ && a->modseq == b->modseq)
			continue;
		struct view_msg was = view_msg_of(old, s, k), is = view_msg_of(now, s, i);
		w->d->changed(w->d->arg, seq, &was, &is, flags_differ);
	}
}

void view_diff(const struct view *old, const struct view *now, const struct view_diff *d)
{
	if (old == now)
		return;
	struct walk w = { .old = old, .now = now, .d = d };
	uint32_t i = 0, k = 0;
	while (i < old->n_chunks) {
		const struct chunk *c = old->chunk[i];
		if (k < now->n_chunks && now->chunk[k] == c) {
			i++; /* both share it: it is not even looked at */
			k++;
			continue;
		}
		while (k < now->n_chunks && now->chunk[k]->index < c->index)
			k++; /* a chunk that only the new view has: all new */
		const struct chunk *to = NULL;
		if (k < now->n_chunks && now->chunk[k]->index == c->index)
			to = now->chunk[k];
		if (to != c) {
			expunged(&w, i, to);
			if (to)
				changed(&w, i, k);
		}
		i++;
	}
}
