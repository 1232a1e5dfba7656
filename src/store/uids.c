/* The messages of a view that a set of UIDs names, chunk by chunk. */
#include "store/change.h"

struct uid_walk uid_walk(const struct view *v, const struct numset *uids)
{
	struct uid_walk w = { .v = v, .uids = uids };
	if (uids && uids->n > 0)
		w.next = view_chunk_from(v, chunk_of(uids->r[0].lo));
	else if (uids)
		w.next = v->n_chunks;
	return w;
}

/* Bits lo..hi, both inclusive. */
static void set_bits(uint64_t mask[4], uint32_t lo, uint32_t hi)
{
	for (uint32_t word = lo / 64; word <= hi / 64; word++) {
		uint64_t bits = ~(uint64_t)0;
		if (word == lo / 64)
			bits &= ~(uint64_t)0 << (lo % 64);
		if (word == hi / 64)
			bits &= ~(uint64_t)0 >> (63 - hi % 64);
		mask[word] |= bits;
	}
}

/* The slots of a chunk that the set names; moves past ranges that end before it. */
static void wanted(struct uid_walk *w, uint32_t index, uint64_t slots[4])
{
	uint32_t lo = index * CHUNK_UIDS, hi = lo + (CHUNK_UIDS - 1);
	memset(slots, 0, 4 * sizeof slots[0]);
	const struct numset *s = w->uids;
	while (w->range < s->n && s->r[w->range].hi < lo)
		w->range++;
	for (size_t i = w->range; i < s->n && s->r[i].lo <= hi; i++) {
		uint32_t from = s->r[i].lo > lo ? s->r[i].lo : lo;
		uint32_t to = s->r[i].hi < hi ? s->r[i].hi : hi;
		set_bits(slots, from - lo, to - lo);
	}
}

bool uid_walk_next(struct uid_walk *w, const struct chunk **ret_chunk,
		   uint64_t ret_slots[4])
{
	while (w->next < w->v->n_chunks) {
		const struct chunk *c = w->v->chunk[w->next++];
		uint64_t slots[4];
		if (w->uids)
			wanted(w, c->index, slots);
		else
			memset(slots, 0xff, sizeof slots);
		uint64_t any = 0;
		for (unsigned i = 0; i < 4; i++)
			any |= ret_slots[i] = slots[i] & c->mask[i];
		if (any) {
			*ret_chunk = c;
			return true;
		}
		if (w->uids && w->range < w->uids->n)
			continue;
		if (w->uids)
			break;
	}
	return false;
}

void uid_part(struct store_op *o, const struct view *v, const struct numset *uids,
	      struct numset *ret_part)
{
	const struct chunk *c;
	uint64_t slots[4];
	uint32_t n = 0, most = o->store->commit_chunks;
	if (uids)
		numset_copy(ret_part, uids);
	else
		numset_add_range(ret_part, 1, UINT32_MAX);
	if (o->from > 1)
		numset_remove_range(ret_part, 0, o->from - 1);
	struct uid_walk walk = uid_walk(v, ret_part);
	while (n <= most && uid_walk_next(&walk, &c, slots))
		n++;
	o->next = n > most ? c->index * CHUNK_UIDS : 0;
	if (o->next)
		numset_remove_range(ret_part, o->next, UINT32_MAX);
}
