/* Reads a whole mailbox from its rows into a view: once, when it is opened. */
#include <stdlib.h>

#include "store/change.h"

struct load {
	struct view *v;
	uint32_t cap;
	uint32_t end; /* of the chunks */
	uint32_t at;  /* the chunk that blocks and keywords are being given to */
	enum err rc;
};

static bool chunk_row(void *arg, struct span key, struct span value)
{
	struct load *l = arg;
	struct view *v = l->v;
	uint32_t index;
	struct chunk *c;
	l->rc = key_index(key, &index) ? chunk_read(index, value, &c) : ERR_CORRUPT;
	if (l->rc != ERR_OK)
		return false;
	if (v->n_chunks == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 4;
		v->chunk = xrealloc(v->chunk, l->cap * sizeof *v->chunk);
		v->base = xrealloc(v->base, l->cap * sizeof *v->base);
	}
	view_put_chunk(v, c);
	return true;
}

/* Rows come in order, so the chunks are walked along. NULL: the chunk is not there. */
static struct chunk *walk_to(struct load *l, uint32_t index)
{
	while (l->at < l->v->n_chunks && l->v->chunk[l->at]->index < index)
		l->at++;
	if (l->at == l->v->n_chunks || l->v->chunk[l->at]->index != index)
		return NULL;
	return l->v->chunk[l->at];
}

static bool block_row(void *arg, struct span key, struct span value)
{
	struct load *l = arg;
	uint32_t index;
	struct block *b;
	l->rc = key_index(key, &index) ? block_read(value, &b) : ERR_CORRUPT;
	if (l->rc != ERR_OK)
		return false;
	struct chunk *c = walk_to(l, index / CHUNK_BLOCKS);
	struct block **to = c ? &c->block[index % CHUNK_BLOCKS] : NULL;
	if (to && !*to)
		__atomic_store_n(to, b, __ATOMIC_RELEASE);
	else
		block_unref(b);
	l->rc = c ? ERR_OK : ERR_CORRUPT;
	return c != NULL;
}

static bool overflow_row(void *arg, struct span key, struct span value)
{
	struct load *l = arg;
	uint32_t index;
	struct overflow *o;
	l->rc = key_index(key, &index) ? overflow_read(value, &o) : ERR_CORRUPT;
	if (l->rc != ERR_OK)
		return false;
	struct chunk *c = walk_to(l, index);
	if (c)
		c->overflow = o;
	else
		overflow_unref(o);
	l->rc = c ? ERR_OK : ERR_CORRUPT;
	return c != NULL;
}

/* `each`: rows of this kind that a chunk has. */
static enum err scan(struct txn *t, struct load *l, enum key_kind kind, uint32_t each,
		     bool (*row)(void *, struct span, struct span))
{
	struct key lo = key_of_mailbox(kind, l->v->mailbox), hi = key_after(&lo);
	if (l->end <= UINT32_MAX / CHUNK_UIDS)
		hi = key_in_mailbox(kind, l->v->mailbox, l->end * each);
	l->at = 0;
	enum err rc = txn_scan(t, key_span(&lo), key_span(&hi), row, l);
	return rc == ERR_OK ? l->rc : rc;
}

/* What the rest of the code takes for granted: the header counts what is there. */
static enum err verify(const struct view *v)
{
	uint64_t n = 0, unseen = 0, deleted = 0;
	for (uint32_t i = 0; i < v->n_chunks; i++) {
		const struct chunk *c = v->chunk[i];
		n += c->n;
		unseen += c->unseen;
		deleted += c->deleted;
	}
	if (v->n_chunks > 0) {
		const struct chunk *last = v->chunk[v->n_chunks - 1];
		uint32_t slot = mask_select(last->mask, last->n - 1);
		if (last->index * CHUNK_UIDS + slot >= v->h.uidnext)
			return ERR_CORRUPT;
	}
	bool is_right = n == v->h.exists && unseen == v->h.unseen &&
			deleted == v->h.deleted;
	return is_right ? ERR_OK : ERR_CORRUPT;
}

static bool has_all(const struct chunk *c)
{
	for (uint32_t k = 0; k < CHUNK_BLOCKS; k++) {
		uint32_t live = (uint32_t)(c->mask[k / 2] >> (k % 2 * 32));
		if (live && (!c->block[k] || live & ~c->block[k]->mask))
			return false;
	}
	return true;
}

static enum err fill(struct txn *t, struct view *v, uint32_t end)
{
	struct load l = { .v = v, .end = end };
	enum err rc = scan(t, &l, KEY_INFO, CHUNK_BLOCKS, block_row);
	for (uint32_t i = 0; i < v->n_chunks && rc == ERR_OK; i++)
		rc = has_all(v->chunk[i]) ? ERR_OK : ERR_CORRUPT;
	if (rc == ERR_OK)
		atomic_store(&v->is_whole, true);
	return rc;
}

enum err view_fill(struct txn *t, struct view *v)
{
	uint32_t end = v->n_chunks > 0 ? v->chunk[v->n_chunks - 1]->index + 1 : 0;
	return atomic_load(&v->is_whole) ? ERR_OK : fill(t, v, end);
}

enum err mailbox_load(struct txn *t, struct account *a, uint32_t number,
		      const struct mailbox_header *h, struct keywords *keywords,
		      uint32_t end, bool whole, struct view **ret)
{
	struct load l = { .v = view_new(a, number, h, keywords, 0), .end = end };
	enum err rc = scan(t, &l, KEY_CHUNK, 1, chunk_row);
	if (rc == ERR_OK && keywords->n > STORE_KEYWORDS_FLAGS)
		rc = scan(t, &l, KEY_KEYWORDS, 1, overflow_row);
	if (rc == ERR_OK)
		rc = verify(l.v);
	if (rc == ERR_OK && whole)
		rc = fill(t, l.v, end);
	if (rc == ERR_OK)
		*ret = l.v;
	else
		view_unref(l.v);
	return rc;
}
