/* Views: one immutable version of a mailbox (view.h). Differences: view_diff.c. */
#include "store/view_inside.h"

#include <assert.h>
#include <stdlib.h>

#include "store/account.h"

struct view *view_new(struct account *a, uint32_t mailbox, const struct mailbox_header *h,
		      struct keywords *keywords, uint32_t n)
{
	struct view *v = xcalloc(1, sizeof *v);
	atomic_init(&v->refs, 1);
	v->account = account_ref(a);
	v->mailbox = mailbox;
	v->h = *h;
	v->keywords = keywords;
	v->chunk = xcalloc(n, sizeof *v->chunk);
	v->base = xcalloc(n, sizeof *v->base);
	return v;
}

void view_put_chunk(struct view *v, struct chunk *c)
{
	uint32_t i = v->n_chunks;
	v->base[i] = i ? v->base[i - 1] + v->chunk[i - 1]->n : 0;
	v->chunk[i] = c;
	v->n_chunks = i + 1;
}

/* ---- who keeps the chunks ---- */

enum {
	HOLDER_CHUNKS = 64, /* a view of fewer has them itself */
	HOLDER_DEPTH = 32,
};

static void holder_unref(struct chunk_holder *h)
{
	while (h && atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) == 1) {
		struct chunk_holder *lender = h->lender;
		for (uint32_t i = 0; i < h->n; i++)
			chunk_unref(h->chunk[i]);
		free(h);
		h = lender;
	}
}

static struct chunk_holder *holder_new(uint32_t n)
{
	struct chunk_holder *h = xcalloc(1, sizeof *h + n * sizeof h->chunk[0]);
	atomic_init(&h->refs, 1);
	return h;
}

static void holder_put(struct chunk_holder *h, struct chunk *c)
{
	if (c)
		h->chunk[h->n++] = chunk_ref(c);
}

/* Behind the holder of the version before, if not too much hangs on that. */
static bool borrow(struct view *v, struct chunk_holder *from,
		   const struct changed_chunk *changed, size_t n_changed)
{
	if (!from || from->depth == HOLDER_DEPTH ||
	    (from->n_brought + n_changed) * 8 > v->n_chunks)
		return false;
	v->holder = holder_new((uint32_t)n_changed);
	for (size_t i = 0; i < n_changed; i++)
		holder_put(v->holder, changed[i].chunk);
	atomic_fetch_add_explicit(&from->refs, 1, memory_order_relaxed);
	v->holder->lender = from;
	v->holder->depth = from->depth + 1;
	v->holder->n_brought = from->n_brought + (uint32_t)n_changed;
	return true;
}

static void hold_all(struct view *v)
{
	if (v->n_chunks >= HOLDER_CHUNKS)
		v->holder = holder_new(v->n_chunks);
	for (uint32_t i = 0; i < v->n_chunks; i++)
		if (v->holder)
			holder_put(v->holder, v->chunk[i]);
		else
			chunk_ref(v->chunk[i]);
}

/* The chunks of `old` from `from` to before `to`, as they are: none is looked at. */
static void put_same(struct view *v, const struct view *old, uint32_t from, uint32_t to,
		     uint32_t before)
{
	if (from == to)
		return;
	memcpy(v->chunk + v->n_chunks, old->chunk + from, (to - from) * sizeof *v->chunk);
	uint32_t *base = v->base + v->n_chunks, moved = before - old->base[from];
	for (uint32_t i = 0; i < to - from; i++)
		base[i] = old->base[from + i] + moved;
	v->n_chunks += to - from;
}

struct view *view_next(const struct view *old, const struct mailbox_header *h,
		       struct keywords *keywords, const struct changed_chunk *changed,
		       size_t n_changed)
{
	struct view *v = view_new(old->account, old->mailbox, h, keywords,
				  old->n_chunks + (uint32_t)n_changed);
	uint32_t from = 0, before = 0; /* messages in what is there */
	for (size_t k = 0; k <= n_changed; k++) {
		bool is_end = k == n_changed;
		uint32_t to = is_end ? old->n_chunks
				     : view_chunk_from(old, changed[k].index);
		uint32_t n = 0; /* messages of the old ones up to there */
		if (from < to)
			n = (to < old->n_chunks ? old->base[to] : old->h.exists) -
			    old->base[from];
		put_same(v, old, from, to, before);
		before += n;
		if (is_end)
			break;
		from = to;
		if (to < old->n_chunks && old->chunk[to]->index == changed[k].index)
			from++;
		if (!changed[k].chunk)
			continue;
		v->chunk[v->n_chunks] = changed[k].chunk;
		v->base[v->n_chunks++] = before;
		before += changed[k].chunk->n;
	}
	if (!borrow(v, old->holder, changed, n_changed))
		hold_all(v);
	atomic_init(&v->is_whole, true);
	return v;
}

struct view *view_ref(struct view *v)
{
	atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
	return v;
}

void view_unref(struct view *v)
{
	if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
		return;
	account_view_gone(v->account, v);
	for (uint32_t i = 0; !v->holder && i < v->n_chunks; i++)
		chunk_unref(v->chunk[i]);
	holder_unref(v->holder);
	view_unref(v->under);
	keywords_unref(v->keywords);
	account_unref(v->account);
	free(v->chunk);
	free(v->base);
	free(v);
}

uint32_t view_count(const struct view *v)
{
	return v->h.exists;
}

uint32_t view_uidvalidity(const struct view *v)
{
	return v->h.uidvalidity;
}

const uint8_t *view_mailbox_id(const struct view *v)
{
	return v->h.id;
}

uint32_t view_uidnext(const struct view *v)
{
	return v->h.uidnext;
}

uint64_t view_modseq(const struct view *v)
{
	return v->h.modseq;
}

uint32_t view_unseen(const struct view *v)
{
	return v->h.unseen;
}

uint32_t view_deleted(const struct view *v)
{
	return v->h.deleted;
}

uint64_t view_bytes(const struct view *v)
{
	return v->h.bytes;
}

uint32_t view_first_unseen(const struct view *v)
{
	for (uint32_t i = 0; v->h.unseen > 0 && i < v->n_chunks; i++) {
		const struct chunk *c = v->chunk[i];
		for (uint32_t k = 0; c->unseen > 0 && k < c->n; k++)
			if (!(c->at[k].flags & FLAG_SEEN))
				return v->base[i] + k + 1;
	}
	return 0;
}

struct view_msg view_msg_of(const struct chunk *c, uint32_t slot, uint32_t in_chunk)
{
	return (struct view_msg){ .uid = c->index * CHUNK_UIDS + slot,
				  .modseq = c->at[in_chunk].modseq,
				  .flags = c->at[in_chunk].flags,
				  .info = chunk_info(c, slot) };
}

/* The chunk that holds sequence number `seq`, 1..count. */
static uint32_t chunk_of_seq(const struct view *v, uint32_t seq)
{
	uint32_t lo = 0, hi = v->n_chunks;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (v->base[mid] < seq)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

uint32_t view_chunk_from(const struct view *v, uint32_t index)
{
	uint32_t lo = 0, hi = v->n_chunks;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (v->chunk[mid]->index < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct view_msg view_get(const struct view *v, uint32_t seq)
{
	assert(seq >= 1 && seq <= v->h.exists);
	uint32_t i = chunk_of_seq(v, seq), k = seq - 1 - v->base[i];
	return view_msg_of(v->chunk[i], mask_select(v->chunk[i]->mask, k), k);
}

uint32_t view_seq(const struct view *v, uint32_t uid)
{
	uint32_t i = view_chunk_from(v, chunk_of(uid)), slot = chunk_slot(uid);
	if (i == v->n_chunks || v->chunk[i]->index != chunk_of(uid) ||
	    !mask_has(v->chunk[i]->mask, slot))
		return 0;
	return v->base[i] + mask_rank(v->chunk[i]->mask, slot) + 1;
}

uint32_t view_seq_from(const struct view *v, uint32_t uid)
{
	uint32_t i = view_chunk_from(v, chunk_of(uid));
	if (i == v->n_chunks)
		return 0;
	uint32_t before = 0;
	if (v->chunk[i]->index == chunk_of(uid))
		before = mask_rank(v->chunk[i]->mask, chunk_slot(uid));
	uint32_t seq = v->base[i] + before + 1;
	return seq <= v->h.exists ? seq : 0;
}

size_t view_walk(const struct view *v, uint32_t seq, struct view_msg *to, size_t max)
{
	if (seq < 1 || seq > v->h.exists)
		return 0;
	uint32_t i = chunk_of_seq(v, seq), k = seq - 1 - v->base[i];
	uint32_t slot = mask_select(v->chunk[i]->mask, k);
	size_t n = 0;
	while (n < max) {
		const struct chunk *c = v->chunk[i];
		to[n++] = view_msg_of(c, slot, k);
		if (++k < c->n) {
			slot = mask_next(c->mask, slot + 1);
			continue;
		}
		if (++i == v->n_chunks)
			break;
		k = 0;
		slot = mask_next(v->chunk[i]->mask, 0);
	}
	return n;
}

/* A chunk of which all or none has the flag is told by its counter. */
static bool is_counted(const struct chunk *c, uint64_t mask, uint64_t value, bool *ret_all)
{
	uint32_t with;
	if (mask == FLAG_SEEN)
		with = c->n - c->unseen;
	else if (mask == FLAG_DELETED)
		with = c->deleted;
	else
		return false;
	*ret_all = with == (value ? c->n : 0);
	return with == 0 || with == c->n;
}

static void match_chunk(const struct chunk *c, uint64_t mask, uint64_t value,
			struct numset *uids)
{
	uint32_t first = c->index * CHUNK_UIDS, k = 0;
	bool is_all = false, is_known = is_counted(c, mask, value, &is_all);
	if (is_known && !is_all)
		return;
	for (uint32_t i = 0; i < CHUNK_UIDS / 64; i++)
		for (uint64_t left = c->mask[i]; left; left &= left - 1, k++)
			if (is_all || (c->at[k].flags & mask) == value)
				numset_add(uids, first + i * 64 +
						     (uint32_t)__builtin_ctzll(left));
}

void view_match_flags(const struct view *v, uint64_t mask, uint64_t value,
		      struct numset *uids)
{
	for (uint32_t i = 0; i < v->n_chunks; i++)
		match_chunk(v->chunk[i], mask, value, uids);
}

/* How many messages lie before `uid`; `at`, a chunk, only moves up. */
static uint32_t number_before(const struct view *v, uint64_t uid, uint32_t *at)
{
	while (*at < v->n_chunks && v->chunk[*at]->index < uid / CHUNK_UIDS)
		++*at;
	if (*at == v->n_chunks)
		return v->h.exists;
	uint32_t in_chunk = 0;
	if (v->chunk[*at]->index == uid / CHUNK_UIDS)
		in_chunk = mask_rank(v->chunk[*at]->mask, (uint32_t)(uid % CHUNK_UIDS));
	return v->base[*at] + in_chunk;
}

void view_numbers(const struct view *v, const struct numset *uids, struct numset *seqs)
{
	uint32_t at = uids->n ? view_chunk_from(v, chunk_of(uids->r[0].lo)) : 0;
	for (size_t i = 0; i < uids->n; i++) {
		uint32_t lo = number_before(v, uids->r[i].lo, &at);
		uint32_t hi = number_before(v, (uint64_t)uids->r[i].hi + 1, &at);
		if (lo < hi)
			numset_add_range(seqs, lo + 1, hi);
	}
}

void view_changed_since(const struct view *v, uint64_t since, const struct numset *uids,
			struct numset *to)
{
	for (uint32_t i = 0; i < v->n_chunks; i++) {
		const struct chunk *c = v->chunk[i];
		uint32_t slot = mask_next(c->mask, 0);
		if (c->modseq <= since)
			continue;
		for (uint32_t k = 0; k < c->n; k++, slot = mask_next(c->mask, slot + 1)) {
			uint32_t uid = c->index * CHUNK_UIDS + slot;
			if (c->at[k].modseq > since && (!uids || numset_has(uids, uid)))
				numset_add(to, uid);
		}
	}
}

size_t view_keywords(const struct view *v)
{
	return v->keywords->n;
}

struct span view_keyword(const struct view *v, size_t k)
{
	assert(k < v->keywords->n);
	return v->keywords->at[k];
}

bool view_has_keyword(const struct view *v, uint32_t seq, size_t k)
{
	if (k >= v->keywords->n)
		return false;
	uint32_t i = chunk_of_seq(v, seq), at = seq - 1 - v->base[i];
	const struct chunk *c = v->chunk[i];
	if (k < STORE_KEYWORDS_FLAGS)
		return c->at[at].flags >> (8 + k) & 1;
	return overflow_has(c->overflow, mask_select(c->mask, at), (uint32_t)k);
}

int view_find_keyword(const struct view *v, struct span name)
{
	return keywords_find(v->keywords, name);
}
