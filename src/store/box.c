/* A mailbox under change: its chunks, messages, flags and keywords. */
#include <stdlib.h>

#include "store/change.h"
#include "store/digest.h"

enum err mailbox_header_get(struct txn *t, uint32_t number, struct mailbox_header *ret,
			    struct keywords **ret_keywords)
{
	struct key k = key_of_mailbox(KEY_MAILBOX, number);
	struct span row;
	enum err rc = txn_get(t, key_span(&k), &row);
	return rc == ERR_OK ? mailbox_header_read(row, ret, ret_keywords) : rc;
}

/* The chunk from which on nothing shows yet. */
static uint32_t end_of(const struct box *b)
{
	const struct staged *s = &b->c->staged;
	return s->mailbox == b->number ? s->chunk : UINT32_MAX;
}

/*
 * Before anything changes in it, an open mailbox is whole: until then it has one version,
 * to which the rows of what never changes belong. It may stand there twice, when the head
 * was dropped and read anew.
 */
static enum err fill_open(struct box *b)
{
	struct mailbox *m = b->mailbox;
	pthread_mutex_lock(&b->c->a->lock);
	struct view *published = m->published ? view_ref(m->published) : NULL;
	pthread_mutex_unlock(&b->c->a->lock);
	enum err rc = view_fill(b->c->t, m->head);
	if (rc == ERR_OK && published)
		rc = view_fill(b->c->t, published);
	view_unref(published);
	return rc;
}

/* All flags of an open mailbox are loaded at once: its sessions need its views. */
static enum err load_open(struct box *b)
{
	struct mailbox *m = b->mailbox;
	if (!m->head) {
		struct view *v;
		enum err rc = mailbox_load(b->c->t, b->c->a, b->number, &b->h,
					   keywords_ref(b->keywords), end_of(b), false,
					   &v);
		if (rc != ERR_OK)
			return rc;
		account_view_made(b->c->a, v);
		pthread_mutex_lock(&b->c->a->lock);
		m->head = v;
		if (m->first_recent < b->h.first_recent)
			m->first_recent = m->saved_recent = b->h.first_recent;
		pthread_mutex_unlock(&b->c->a->lock);
	}
	b->base = view_ref(m->head);
	return b->c->needs_no_info ? ERR_OK : fill_open(b);
}

enum err change_box(struct change *c, uint32_t number, struct box **ret)
{
	for (struct box *b = c->boxes; b; b = b->next)
		if (b->number == number) {
			*ret = b;
			return b->is_gone ? ERR_NOENT : ERR_OK;
		}
	struct box *b = xcalloc(1, sizeof *b);
	b->c = c;
	b->number = number;
	b->next = c->boxes;
	c->boxes = b;
	b->mailbox = account_mailbox(c->a, number);
	if (b->mailbox && b->mailbox->head) {
		b->h = b->mailbox->head->h;
		b->keywords = keywords_ref(b->mailbox->head->keywords);
	} else {
		enum err rc = mailbox_header_get(c->t, number, &b->h, &b->keywords);
		if (rc != ERR_OK) {
			b->is_gone = true; /* nothing is written of it */
			b->is_absent = true;
			return rc;
		}
	}
	if (b->mailbox) {
		enum err rc = load_open(b);
		if (rc != ERR_OK)
			return rc;
		pthread_mutex_lock(&c->a->lock);
		if (b->h.first_recent < b->mailbox->first_recent)
			b->h.first_recent = b->mailbox->first_recent;
		pthread_mutex_unlock(&c->a->lock);
	}
	*ret = b;
	return ERR_OK;
}

enum err change_uidvalidity(struct change *c, uint32_t *ret)
{
	int64_t now = c->op->now_s;
	if (c->h.last_uidvalidity == UINT32_MAX)
		return ERR_LIMIT;
	if (now > c->h.last_uidvalidity && now < UINT32_MAX)
		c->h.last_uidvalidity = (uint32_t)now;
	else
		c->h.last_uidvalidity++;
	c->is_dirty = true;
	*ret = c->h.last_uidvalidity;
	return ERR_OK;
}

enum err change_box_new(struct change *c, uint32_t number, struct box **ret)
{
	enum err rc = change_modseq(c);
	if (rc != ERR_OK)
		return rc;
	uint32_t uidvalidity;
	rc = change_uidvalidity(c, &uidvalidity);
	if (rc != ERR_OK)
		return rc;
	struct box *b = xcalloc(1, sizeof *b);
	b->c = c;
	b->number = number;
	b->next = c->boxes;
	c->boxes = b;
	b->h = (struct mailbox_header){ .uidvalidity = uidvalidity,
					.uidnext = 1,
					.first_recent = 1,
					.modseq = c->modseq,
					.made = c->op->now_s };
	op_make_id(c->op, number, b->h.id);
	b->keywords = keywords_new();
	b->is_dirty = true;
	*ret = b;
	return ERR_OK;
}

enum err change_box_named(struct change *c, struct span path, struct box **ret)
{
	const struct name *n = names_find(&c->names->names, path);
	if (!n || !(n->flags & NAME_EXISTS))
		return ERR_NOENT;
	enum err rc = change_box(c, n->mailbox, ret);
	return rc == ERR_NOENT ? ERR_CORRUPT : rc; /* a name always has its mailbox */
}

/* ---- chunks ---- */

/* The place of the first changed chunk that is not below `index`. */
static size_t changed_from(const struct box *b, uint32_t index)
{
	size_t lo = 0, hi = b->n_changed;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (b->changed[mid].index < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void write_chunk_rows(const struct box *b, const struct chunk_edit *e,
			     const struct chunk *c)
{
	struct txn *t = b->c->t;
	struct key k = key_in_mailbox(KEY_CHUNK, b->number, e->index);
	uint8_t row[CHUNK_ROW_MAX], block_row[BLOCK_ROW_MAX];
	if (c) {
		txn_put(t, key_span(&k), chunk_write(c, row));
	} else {
		txn_delete(t, key_span(&k));
		for (unsigned i = 0; i < DIGEST_COLUMNS; i++) {
			k = key_digest(b->number, i, e->index);
			txn_delete(t, key_span(&k));
		}
	}
	for (uint32_t i = 0; i < CHUNK_BLOCKS; i++) {
		if (!(e->block_changed >> i & 1))
			continue;
		k = key_in_mailbox(KEY_INFO, b->number, e->index * CHUNK_BLOCKS + i);
		if (e->block[i])
			txn_put(t, key_span(&k), block_write(e->block[i], block_row));
		else
			txn_delete(t, key_span(&k));
	}
	if (!e->overflow_changed)
		return;
	k = key_in_mailbox(KEY_KEYWORDS, b->number, e->index);
	if (c && c->overflow)
		txn_put(t, key_span(&k), overflow_write(c->overflow, txn_arena(t)));
	else
		txn_delete(t, key_span(&k));
}

enum err box_seal(struct box *b)
{
	struct chunk_edit *e = b->edit;
	b->edit = NULL;
	if (!e || !e->is_changed) {
		chunk_edit_free(e);
		return ERR_OK;
	}
	struct chunk *c = chunk_edit_seal(e);
	write_chunk_rows(b, e, c);
	size_t i = changed_from(b, e->index);
	if (i < b->n_changed && b->changed[i].index == e->index) {
		chunk_unref(b->changed[i].chunk);
	} else {
		if (b->n_changed == b->cap_changed) {
			b->cap_changed = b->cap_changed ? b->cap_changed * 2 : 4;
			b->changed = xrealloc(b->changed,
					      b->cap_changed * sizeof *b->changed);
		}
		memmove(b->changed + i + 1, b->changed + i,
			(b->n_changed - i) * sizeof *b->changed);
		b->n_changed++;
	}
	b->changed[i] = (struct changed_chunk){ e->index, c };
	b->is_dirty = true;
	chunk_edit_free(e);
	return ERR_OK;
}

/* From the rows; NULL when there is none. One reference. */
static enum err chunk_get(struct box *b, uint32_t index, struct chunk **ret)
{
	struct key k = key_in_mailbox(KEY_CHUNK, b->number, index);
	struct span row;
	enum err rc = txn_get(b->c->t, key_span(&k), &row);
	*ret = NULL;
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	struct chunk *c;
	rc = chunk_read(index, row, &c);
	if (rc != ERR_OK)
		return rc;
	k = key_in_mailbox(KEY_KEYWORDS, b->number, index);
	rc = b->keywords->n > STORE_KEYWORDS_FLAGS ? txn_get(b->c->t, key_span(&k), &row)
						   : ERR_NOENT;
	if (rc == ERR_OK)
		rc = overflow_read(row, &c->overflow);
	if (rc != ERR_OK && rc != ERR_NOENT) {
		chunk_unref(c);
		return rc;
	}
	*ret = c;
	return ERR_OK;
}

enum err box_edit(struct box *b, uint32_t index, struct chunk_edit **ret)
{
	if (b->edit && b->edit->index == index) {
		*ret = b->edit;
		return ERR_OK;
	}
	enum err rc = box_seal(b);
	if (rc != ERR_OK)
		return rc;
	size_t i = changed_from(b, index);
	if (i < b->n_changed && b->changed[i].index == index) {
		b->edit = chunk_edit_new(index, b->changed[i].chunk);
	} else if (b->base) {
		uint32_t k = view_chunk_from(b->base, index);
		bool is_there = k < b->base->n_chunks &&
				b->base->chunk[k]->index == index;
		b->edit = chunk_edit_new(index, is_there ? b->base->chunk[k] : NULL);
	} else {
		struct chunk *c;
		rc = chunk_get(b, index, &c);
		if (rc != ERR_OK)
			return rc;
		b->edit = chunk_edit_new(index, c);
		chunk_unref(c);
	}
	*ret = b->edit;
	return ERR_OK;
}

enum err box_edit_info(struct box *b, struct chunk_edit *e, uint32_t slot,
		       const struct view_info **ret)
{
	uint32_t block = slot / BLOCK_UIDS, bit = slot % BLOCK_UIDS;
	uint32_t live = (uint32_t)(e->mask[block / 2] >> (block % 2 * 32));
	if (live && !e->block[block]) {
		struct key k = key_in_mailbox(KEY_INFO, b->number,
					      e->index * CHUNK_BLOCKS + block);
		struct span row;
		enum err rc = txn_get(b->c->t, key_span(&k), &row);
		if (rc == ERR_OK)
			rc = block_read(row, &e->block[block]);
		if (rc != ERR_OK)
			return rc == ERR_NOENT ? ERR_CORRUPT : rc;
	}
	const struct block *at = e->block[block];
	if (live && (live & ~at->mask))
		return ERR_CORRUPT;
	*ret = NULL;
	if (live >> bit & 1)
		*ret = &at->at[__builtin_popcount(at->mask & (((uint32_t)1 << bit) - 1))];
	return ERR_OK;
}

enum err box_view(struct box *b, struct view **ret)
{
	if (b->base) {
		*ret = view_ref(b->base);
		return ERR_OK;
	}
	return mailbox_load(b->c->t, b->c->a, b->number, &b->h, keywords_ref(b->keywords),
			    end_of(b), true, ret);
}

enum err box_keyword(struct box *b, struct span name, bool make, uint32_t *ret)
{
	int k = keywords_find(b->keywords, name);
	if (k >= 0) {
		*ret = (uint32_t)k;
		return ERR_OK;
	}
	if (!make)
		return ERR_NOENT;
	if (b->keywords->n >= STORE_KEYWORDS || name.n == 0 ||
	    name.n > STORE_KEYWORD_BYTES)
		return ERR_LIMIT;
	struct keywords *with = keywords_with(b->keywords, name);
	keywords_unref(b->keywords);
	b->keywords = with;
	*ret = (uint32_t)with->n - 1;
	return ERR_OK;
}

/* ---- messages ---- */

enum err box_add(struct box *b, const struct new_message *m, uint32_t *ret_uid)
{
	struct change *c = b->c;
	uint32_t uid = b->h.uidnext;
	if (uid == UINT32_MAX)
		return ERR_LIMIT;
	struct chunk_edit *e;
	const struct view_info *none;
	enum err rc = change_modseq(c);
	if (rc == ERR_OK)
		rc = box_edit(b, chunk_of(uid), &e);
	if (rc == ERR_OK)
		rc = box_edit_info(b, e, chunk_slot(uid), &none);
	if (rc != ERR_OK)
		return rc;
	if (none)
		return ERR_CORRUPT; /* a message at UIDNEXT */
	struct chunk_msg msg = { .flags = m->flags, .modseq = c->modseq };
	chunk_edit_add(e, chunk_slot(uid), msg, &m->info);
	for (size_t i = 0; i < m->n_overflow; i++)
		chunk_edit_set_keyword(e, chunk_slot(uid), m->overflow[i], true);
	b->h.uidnext++;
	b->h.exists++;
	b->h.unseen += !(m->flags & FLAG_SEEN);
	b->h.deleted += !!(m->flags & FLAG_DELETED);
	b->h.bytes += m->info.bytes;
	c->h.bytes += m->info.bytes;
	c->h.messages++;
	*ret_uid = uid;
	return ERR_OK;
}

enum err box_remove(struct box *b, struct chunk_edit *e, uint32_t slot)
{
	struct change *c = b->c;
	const struct view_info *info;
	enum err rc = change_modseq(c);
	if (rc == ERR_OK)
		rc = box_edit_info(b, e, slot, &info);
	if (rc != ERR_OK)
		return rc;
	uint64_t flags = e->at[slot].flags;
	b->h.exists--;
	b->h.unseen -= !(flags & FLAG_SEEN);
	b->h.deleted -= !!(flags & FLAG_DELETED);
	b->h.bytes -= info->bytes;
	c->h.bytes -= info->bytes;
	c->h.messages--;
	change_body(c, info->body, -1);
	numset_add(&b->vanished, e->index * CHUNK_UIDS + slot);
	chunk_edit_remove(e, slot);
	return ERR_OK;
}

enum err box_set_flags(struct box *b, struct chunk_edit *e, uint32_t slot, uint64_t flags)
{
	enum err rc = change_modseq(b->c);
	if (rc != ERR_OK)
		return rc;
	struct chunk_msg *m = &e->at[slot];
	b->h.unseen += !(flags & FLAG_SEEN);
	b->h.unseen -= !(m->flags & FLAG_SEEN);
	b->h.deleted += !!(flags & FLAG_DELETED);
	b->h.deleted -= !!(m->flags & FLAG_DELETED);
	m->flags = flags;
	m->modseq = b->c->modseq;
	e->is_changed = true;
	return ERR_OK;
}

enum err box_delete(struct box *b)
{
	enum err rc = change_modseq(b->c);
	if (rc != ERR_OK)
		return rc;
	b->c->h.messages -= b->h.exists;
	b->c->h.bytes -= b->h.bytes;
	b->is_gone = b->is_dirty = true;
	return change_attrs_drop(b->c, b->number);
}
