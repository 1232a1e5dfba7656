/* \Seen of users who do not own the mailbox: sets, rows, and views with it (seen.h). */
#include "store/seen.h"

#include <stdlib.h>

#include "store/attrs_inside.h"

enum { VERSION = 1, ROW_LEAST = 1 + 32 + 32, ROW_MOST = ROW_LEAST + CHUNK_UIDS * 6 };

/* ---- sets ---- */

static void chunk_drop(struct seen_chunk *c)
{
	if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
		free(c);
}

static struct seen_chunk *chunk_keep(struct seen_chunk *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

static struct seen_chunk *chunk_make(uint32_t index, const struct seen_chunk *from)
{
	struct seen_chunk *c = xcalloc(1, sizeof *c);
	if (from) {
		c->modseq = from->modseq;
		memcpy(c->seen, from->seen, sizeof c->seen);
		memcpy(c->at, from->at, sizeof c->at);
	}
	c->index = index;
	atomic_init(&c->refs, 1);
	return c;
}

struct seen *seen_ref(struct seen *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void seen_unref(struct seen *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < s->n; i++)
		chunk_drop(s->chunk[i]);
	free(s);
}

static struct seen *seen_make(size_t n)
{
	struct seen *s = xcalloc(1, sizeof *s + n * sizeof s->chunk[0]);
	atomic_init(&s->refs, 1);
	return s;
}

static void seen_put(struct seen *s, struct seen_chunk *c)
{
	s->chunk[s->n++] = chunk_keep(c);
	if (c->modseq > s->modseq)
		s->modseq = c->modseq;
}

/* The place of the first that is not below `index`. */
static size_t place_of(struct seen_chunk *const *at, size_t n, uint32_t index)
{
	size_t lo = 0, hi = n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (at[mid]->index < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct seen_chunk *seen_find(const struct seen *s, uint32_t index)
{
	size_t i = s ? place_of(s->chunk, s->n, index) : 0;
	return s && i < s->n && s->chunk[i]->index == index ? s->chunk[i] : NULL;
}

/* `s` with these in their places; both ascend. */
static struct seen *seen_with(const struct seen *s, const struct own *own)
{
	struct seen *to = seen_make(s->n + own->n);
	size_t k = 0;
	for (size_t i = 0; i < s->n; i++) {
		while (k < own->n && own->changed[k]->index < s->chunk[i]->index)
			seen_put(to, own->changed[k++]);
		if (k < own->n && own->changed[k]->index == s->chunk[i]->index)
			seen_put(to, own->changed[k++]);
		else
			seen_put(to, s->chunk[i]);
	}
	while (k < own->n)
		seen_put(to, own->changed[k++]);
	return to;
}

/* ---- rows ---- */

static struct span chunk_name(struct arena *a, uint32_t index)
{
	uint8_t *to = arena_alloc(a, 4);
	struct pen w = { to };
	pen_uint(&w, index, 4);
	return span_of(to, 4);
}

static struct span row_key(struct change *c, uint32_t mailbox, struct span user,
			   struct span name)
{
	const struct attr_key k = { mailbox, ATTR_SEEN, user, name };
	return attr_row_key(txn_arena(c->t), &k);
}

static void row_put(struct box *b, struct span user, const struct seen_chunk *s)
{
	struct arena *a = txn_arena(b->c->t);
	uint8_t *to = arena_alloc(a, ROW_MOST);
	uint64_t has[4] = { 0 };
	struct pen w = { to };
	for (uint32_t i = 0; i < CHUNK_UIDS; i++)
		if (s->at[i])
			mask_set(has, i);
	pen_uint(&w, VERSION, 1);
	for (unsigned i = 0; i < 4; i++)
		pen_uint(&w, s->seen[i], 8);
	for (unsigned i = 0; i < 4; i++)
		pen_uint(&w, has[i], 8);
	for (uint32_t i = mask_next(has, 0); i < CHUNK_UIDS; i = mask_next(has, i + 1))
		pen_uint(&w, s->at[i], 6);
	txn_put(b->c->t, row_key(b->c, b->number, user, chunk_name(a, s->index)),
		attr_row_write(a, s->modseq, span_of(to, (size_t)(w.p - to))));
}

static enum err row_read(struct span name, struct span row, struct seen_chunk **ret)
{
	struct span value;
	uint64_t modseq, has[4];
	struct reader r = reader_of(name);
	uint32_t index = (uint32_t)read_uint(&r, 4);
	bool is_ok = reader_ok(&r) && attr_row_read(row, &modseq, &value);
	if (!is_ok)
		return ERR_CORRUPT;
	struct seen_chunk *c = chunk_make(index, NULL);
	r = reader_of(value);
	uint64_t version = read_uint(&r, 1);
	for (unsigned i = 0; i < 4; i++)
		c->seen[i] = read_uint(&r, 8);
	for (unsigned i = 0; i < 4; i++)
		has[i] = read_uint(&r, 8);
	for (uint32_t i = mask_next(has, 0); i < CHUNK_UIDS; i = mask_next(has, i + 1))
		c->at[i] = read_uint(&r, 6);
	c->modseq = modseq;
	if (version != VERSION || !reader_ok(&r)) {
		chunk_drop(c);
		return ERR_CORRUPT;
	}
	*ret = c;
	return ERR_OK;
}

/* ---- loading ---- */

struct load {
	struct seen_chunk **at;
	size_t n, cap;
	enum err rc;
};

static bool load_row(void *arg, struct span key, struct span value)
{
	struct load *l = arg;
	struct attr_key k;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 8;
		l->at = xrealloc(l->at, l->cap * sizeof *l->at);
	}
	l->rc = attr_row_key_read(key, &k) ? row_read(k.name, value, &l->at[l->n])
					   : ERR_CORRUPT;
	l->n += l->rc == ERR_OK;
	return l->rc == ERR_OK;
}

static enum err scan_rows(struct change *c, uint32_t mailbox, struct span user,
			  bool (*row)(void *, struct span, struct span), void *arg)
{
	struct span lo = row_key(c, mailbox, user, SPAN_NONE);
	char *hi = arena_alloc(txn_arena(c->t), lo.n + 4);
	memcpy(hi, lo.p, lo.n);
	memset(hi + lo.n, 0xff, 4); /* no chunk has that number */
	return txn_scan(c->t, lo, span_of(hi, lo.n + 4), row, arg);
}

enum err reader_load(struct change *c, struct mailbox *reader)
{
	struct load l = { 0 };
	if (reader->seen_head)
		return ERR_OK;
	enum err rc = scan_rows(c, reader->number, reader->user, load_row, &l);
	if (rc == ERR_OK)
		rc = l.rc;
	struct seen *s = rc == ERR_OK ? seen_make(l.n) : NULL;
	for (size_t i = 0; i < l.n; i++) {
		if (s)
			seen_put(s, l.at[i]);
		chunk_drop(l.at[i]);
	}
	free(l.at);
	reader->seen_head = s;
	return rc;
}

/* ---- changes ---- */

static struct own *own_of(struct box *b, struct span user)
{
	struct own *o = b->owns;
	while (o && !span_eq(o->user, user))
		o = o->next;
	if (o)
		return o;
	o = xcalloc(1, sizeof *o);
	o->user = arena_dup(txn_arena(b->c->t), user);
	o->reader = b->mailbox ? reader_get(b->mailbox, user, false) : NULL;
	o->next = b->owns;
	b->owns = o;
	return o;
}

/* As it was before: from the handle, or from the row. */
static enum err chunk_before(struct box *b, struct own *o, uint32_t index,
			     struct seen_chunk **ret)
{
	struct arena *a = txn_arena(b->c->t);
	struct span name = chunk_name(a, index), row;
	enum err rc = o->reader ? reader_load(b->c, o->reader) : ERR_OK;
	if (rc != ERR_OK)
		return rc;
	if (o->reader) {
		*ret = chunk_make(index, seen_find(o->reader->seen_head, index));
		return ERR_OK;
	}
	rc = txn_get(b->c->t, row_key(b->c, b->number, o->user, name), &row);
	if (rc == ERR_OK)
		return row_read(name, row, ret);
	*ret = chunk_make(index, NULL);
	return rc == ERR_NOENT ? ERR_OK : rc;
}

static enum err own_edit(struct box *b, struct own *o, uint32_t index,
			 struct seen_chunk **ret)
{
	size_t i = place_of(o->changed, o->n, index);
	if (i == o->n || o->changed[i]->index != index) {
		struct seen_chunk *c;
		enum err rc = chunk_before(b, o, index, &c);
		if (rc != ERR_OK)
			return rc;
		if (o->n == o->cap) {
			o->cap = o->cap ? o->cap * 2 : 4;
			o->changed = xrealloc(o->changed, o->cap * sizeof(void *));
		}
		memmove(o->changed + i + 1, o->changed + i, (o->n - i) * sizeof(void *));
		o->changed[i] = c;
		o->n++;
	}
	*ret = o->changed[i];
	return ERR_OK;
}

enum err own_set(struct box *b, struct span user, uint32_t uid, bool on)
{
	struct seen_chunk *s;
	enum err rc = change_modseq(b->c);
	if (rc == ERR_OK)
		rc = own_edit(b, own_of(b, user), chunk_of(uid), &s);
	if (rc != ERR_OK)
		return rc;
	if (on)
		mask_set(s->seen, chunk_slot(uid));
	else
		mask_clear(s->seen, chunk_slot(uid));
	s->at[chunk_slot(uid)] = s->modseq = b->c->modseq;
	return ERR_OK;
}

enum err own_set_all(struct box *b, struct span user, const struct numset *uids)
{
	struct numset_iter it = numset_iter(uids);
	uint32_t uid;
	enum err rc = ERR_OK;
	while (rc == ERR_OK && numset_next(&it, &uid))
		rc = own_set(b, user, uid, true);
	return rc;
}

/* What is not there any more leaves; its modseq too, as nobody can be told it. */
static void leave_out_gone(const struct box *b, struct seen_chunk *s)
{
	const uint64_t *mask = NULL;
	uint32_t i = b->base ? view_chunk_from(b->base, s->index) : 0;
	if (!b->base)
		return;
	if (i < b->base->n_chunks && b->base->chunk[i]->index == s->index)
		mask = b->base->chunk[i]->mask;
	for (size_t k = 0; k < b->n_changed; k++)
		if (b->changed[k].index == s->index)
			mask = b->changed[k].chunk ? b->changed[k].chunk->mask : NULL;
	for (uint32_t slot = 0; slot < CHUNK_UIDS; slot++)
		if (!mask || !mask_has(mask, slot)) {
			mask_clear(s->seen, slot);
			s->at[slot] = 0;
		}
}

void owns_write(struct box *b)
{
	for (struct own *o = b->owns; o; o = o->next)
		for (size_t i = 0; i < o->n; i++) {
			leave_out_gone(b, o->changed[i]);
			row_put(b, o->user, o->changed[i]);
		}
}

void owns_install(struct box *b, struct store_op *o)
{
	for (struct own *own = b->owns; own; own = own->next) {
		struct mailbox *r = own->reader;
		if (!r || !r->seen_head || own->n == 0)
			continue;
		struct seen *now = seen_with(r->seen_head, own);
		seen_unref(r->seen_head);
		r->seen_head = now;
		o->news = xrealloc(o->news, (o->n_news + 1) * sizeof *o->news);
		o->news[o->n_news++] = (struct news){ mailbox_ref(r), NULL,
						      seen_ref(now) };
	}
}

void owns_free(struct box *b)
{
	while (b->owns) {
		struct own *o = b->owns;
		b->owns = o->next;
		for (size_t i = 0; i < o->n; i++)
			chunk_drop(o->changed[i]);
		free(o->changed);
		if (o->reader)
			mailbox_unref(o->reader);
		free(o);
	}
}

/* ---- STATUS ---- */

struct count {
	struct change *c;
	uint32_t mailbox, seen;
	uint64_t modseq;
	enum err rc;
};

static bool count_row(void *arg, struct span key, struct span value)
{
	struct count *x = arg;
	struct seen_chunk *s;
	struct attr_key k;
	struct span row;
	struct chunk *c;
	x->rc = attr_row_key_read(key, &k) ? row_read(k.name, value, &s) : ERR_CORRUPT;
	if (x->rc != ERR_OK)
		return false;
	struct key at = key_in_mailbox(KEY_CHUNK, x->mailbox, s->index);
	x->rc = txn_get(x->c->t, key_span(&at), &row);
	if (x->rc == ERR_OK)
		x->rc = chunk_read(s->index, row, &c);
	if (x->rc == ERR_OK) {
		for (unsigned i = 0; i < 4; i++)
			x->seen += (uint32_t)__builtin_popcountll(s->seen[i] &
								  c->mask[i]);
		chunk_unref(c);
	}
	if (x->rc == ERR_NOENT)
		x->rc = ERR_OK; /* all of it is expunged */
	if (s->modseq > x->modseq)
		x->modseq = s->modseq;
	chunk_drop(s);
	return x->rc == ERR_OK;
}

enum err own_status(struct change *c, uint32_t mailbox, struct span user,
		    uint32_t *ret_seen, uint64_t *ret_modseq)
{
	struct count x = { .c = c, .mailbox = mailbox };
	enum err rc = scan_rows(c, mailbox, user, count_row, &x);
	*ret_seen = x.seen;
	*ret_modseq = x.modseq;
	return rc == ERR_OK ? x.rc : rc;
}
