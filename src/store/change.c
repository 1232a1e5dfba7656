/* A change under way: its beginning, and its end as rows and a new head. Boxes: box.c. */
#include "store/seen.h"
#include "store/stage.h"

#include <stdlib.h>

static enum err load_head(struct account *a, struct txn *t)
{
	struct key k = key_account();
	struct span row;
	enum err rc = txn_get(t, key_span(&k), &row);
	if (rc == ERR_OK)
		rc = account_header_read(row, &a->h);
	if (rc == ERR_OK)
		rc = staged_get(t, &a->staged);
	if (rc == ERR_OK)
		rc = tree_load(t, &a->head_names);
	if (rc == ERR_OK) {
		rc = attr_set_load(t, &a->head_attrs);
		if (rc != ERR_OK) {
			tree_unref(a->head_names);
			a->head_names = NULL;
		}
	}
	a->has_head = rc == ERR_OK;
	return rc;
}

enum err change_begin(struct change *c, struct txn *t, struct store_op *op)
{
	struct account *a = op->account;
	*c = (struct change){ .t = t, .op = op, .a = a };
	c->needs_no_info = op->needs_no_info;
	if (atomic_exchange(&a->drop_head, false))
		account_drop_head(a);
	if (!a->has_head) {
		enum err rc = load_head(a, t);
		if (rc == ERR_NOENT && op->may_make) {
			c->is_new = c->is_dirty = true;
			c->h = (struct account_header){ .modseq = 1,
							.next_number = 1,
							.made = op->now_s };
			c->names = tree_empty();
			c->attrs = attr_set_empty();
			c->attrs_changed = true;
			return ERR_OK;
		}
		if (rc != ERR_OK)
			return rc;
	}
	c->h = a->h;
	c->staged = a->staged;
	c->names = tree_ref(a->head_names);
	c->attrs = attr_set_ref(a->head_attrs);
	return ERR_OK;
}

enum err change_modseq(struct change *c)
{
	if (c->modseq)
		return ERR_OK;
	if (c->h.modseq >= MODSEQ_MAX)
		return ERR_LIMIT;
	c->modseq = ++c->h.modseq;
	c->is_dirty = true;
	return ERR_OK;
}

enum err change_number(struct change *c, uint32_t *ret)
{
	if (c->h.next_number == UINT32_MAX)
		return ERR_LIMIT;
	*ret = c->h.next_number++;
	c->is_dirty = true;
	return ERR_OK;
}

static void box_free(struct box *b)
{
	for (size_t i = 0; i < b->n_changed; i++)
		chunk_unref(b->changed[i].chunk);
	free(b->changed);
	chunk_edit_free(b->edit);
	owns_free(b);
	numset_done(&b->vanished);
	keywords_unref(b->keywords);
	view_unref(b->base);
	mailbox_unref(b->mailbox);
	free(b);
}

void change_done(struct change *c)
{
	while (c->boxes) {
		struct box *b = c->boxes;
		c->boxes = b->next;
		box_free(b);
	}
	tree_unref(c->names);
	attr_set_unref(c->attrs);
	free(c->bodies);
}

/* ---- the end ---- */

struct span vanished_write(struct txn *t, const struct numset *s)
{
	uint8_t *to = arena_alloc(txn_arena(t), 1 + s->n * 8);
	struct pen w = { to };
	pen_uint(&w, 1, 1); /* version */
	for (size_t i = 0; i < s->n; i++) {
		pen_uint(&w, s->r[i].lo, 4);
		pen_uint(&w, s->r[i].hi, 4);
	}
	return span_of(to, (size_t)(w.p - to));
}

enum err vanished_read(struct span row, struct numset *to)
{
	struct reader r = reader_of(row);
	uint64_t version = read_uint(&r, 1);
	while (!r.bad && r.p < r.end) {
		uint32_t lo = (uint32_t)read_uint(&r, 4), hi = (uint32_t)read_uint(&r, 4);
		if (lo == 0 || lo > hi)
			r.bad = true;
		if (!r.bad)
			numset_add_range(to, lo, hi);
	}
	return !r.bad && version == 1 ? ERR_OK : ERR_CORRUPT;
}

struct merge {
	struct box *b;
	struct numset all;
	uint64_t modseq; /* of the last row merged */
	uint64_t floor;	 /* up to here all is forgotten already; 0: nothing is */
	size_t left, n;
	enum err rc;
};

static bool merge_row(void *arg, struct span key, struct span value)
{
	struct merge *m = arg;
	size_t before = m->all.n;
	uint64_t modseq;
	if (m->left == 0)
		return false;
	m->rc = key_read_vanished(key, &modseq) ? vanished_read(value, &m->all)
						: ERR_CORRUPT;
	if (m->rc == ERR_OK && before == 0 && m->all.n == 0) {
		m->floor = modseq;
		return true;
	}
	m->left--;
	m->n++;
	m->modseq = modseq;
	if (m->rc == ERR_OK)
		txn_delete(m->b->c->t, key);
	return m->rc == ERR_OK;
}

/* Rows that have become too many: only that there were some is kept, as a row without
 * UIDs. */
static void forget_merged(struct merge *m)
{
	struct key floor = key_vanished(m->b->number, m->floor);
	if (m->floor) {
		txn_delete(m->b->c->t, key_span(&floor));
		m->b->h.vanished_rows--;
	}
	numset_done(&m->all);
	m->all = (struct numset){ 0 };
}

/*
 * The older half of the rows become one, at the newest modseq among them: QRESYNC may
 * name more UIDs than needed, never less (RFC 7162 section 3.2.5.1).
 */
static enum err vanished_merge(struct box *b)
{
	size_t most = b->c->op->store->expunge_history;
	struct merge m = { .b = b, .left = most / 2 };
	struct key lo = key_of_mailbox(KEY_VANISHED, b->number), hi = key_after(&lo);
	enum err rc = txn_scan(b->c->t, key_span(&lo), key_span(&hi), merge_row, &m);
	if (rc == ERR_OK)
		rc = m.rc;
	if (rc == ERR_OK && m.n > 0) {
		if (m.all.n > most * STORE_VANISHED_WIDE)
			forget_merged(&m);
		struct key k = key_vanished(b->number, m.modseq);
		txn_put(b->c->t, key_span(&k), vanished_write(b->c->t, &m.all));
		b->h.vanished_rows -= (uint32_t)m.n - 1;
	}
	numset_done(&m.all);
	return rc;
}

static enum err write_vanished(struct box *b)
{
	if (b->vanished.n == 0)
		return ERR_OK;
	if (b->h.vanished_rows >= b->c->op->store->expunge_history) {
		enum err rc = vanished_merge(b);
		if (rc != ERR_OK)
			return rc;
	}
	struct key k = key_vanished(b->number, b->c->modseq);
	txn_put(b->c->t, key_span(&k), vanished_write(b->c->t, &b->vanished));
	b->h.vanished_rows++;
	return ERR_OK;
}

static enum err write_box(struct box *b)
{
	struct change *c = b->c;
	struct key k = key_of_mailbox(KEY_MAILBOX, b->number);
	if (b->is_absent)
		return ERR_OK;
	enum err rc = box_seal(b);
	if (rc == ERR_OK && b->is_dirty)
		rc = change_modseq(c);
	if (rc != ERR_OK)
		return rc;
	if (b->is_gone) {
		struct key doomed = key_of_mailbox(KEY_DOOMED, b->number);
		txn_put(c->t, key_span(&doomed), span_of("\1", 1));
		txn_delete(c->t, key_span(&k));
		c->h.doomed++;
		return ERR_OK;
	}
	owns_write(b);
	if (b->is_dirty) {
		b->h.modseq = c->modseq;
		rc = write_vanished(b);
	}
	if (rc == ERR_OK && (b->is_dirty || b->is_header_dirty))
		txn_put(c->t, key_span(&k),
			mailbox_header_write(&b->h, b->keywords, txn_arena(c->t)));
	return rc;
}

/* The base's chunks with the changed ones in their places. */

static void set_head(struct box *b, struct store_op *o)
{
	struct mailbox *m = b->mailbox;
	struct view *v = NULL;
	if (!b->is_gone)
		v = view_next(b->base, &b->h, keywords_ref(b->keywords), b->changed,
			      b->n_changed);
	if (v)
		account_view_made(m->account, v);
	pthread_mutex_lock(&m->account->lock);
	struct view *old = m->head;
	if (old && !old->superseded_at)
		old->superseded_at = b->c->modseq;
	m->head = v;
	pthread_mutex_unlock(&m->account->lock);
	view_unref(old);
	o->news = xrealloc(o->news, (o->n_news + 1) * sizeof *o->news);
	o->news[o->n_news++] = (struct news){ mailbox_ref(m), v ? view_ref(v) : NULL };
}

static void install(struct change *c)
{
	struct store_op *o = c->op;
	struct account *a = c->a;
	for (struct box *b = c->boxes; b; b = b->next) {
		if (b->mailbox && b->is_dirty)
			set_head(b, o);
		owns_install(b, o);
	}
	a->h = c->h;
	a->staged = c->staged;
	a->has_head = true;
	if (c->names_changed) {
		tree_unref(a->head_names);
		a->head_names = tree_ref(c->names);
		o->names = tree_ref(c->names);
	}
	if (c->attrs_changed) {
		attr_set_unref(a->head_attrs);
		a->head_attrs = attr_set_ref(c->attrs);
		o->attrs = attr_set_ref(c->attrs);
	}
	o->modseq = c->h.modseq;
	o->drops = c->h.drops;
	o->used = (struct used){ c->h.bytes, c->h.messages };
	o->doomed = c->h.doomed;
	o->is_prepared = true;
}

enum err change_finish(struct change *c)
{
	enum err rc = ERR_OK;
	if (c->names_changed || c->attrs_changed)
		rc = change_modseq(c); /* watchers of the names hear of it */
	if (rc == ERR_OK)
		rc = change_quota(c);
	for (struct box *b = c->boxes; b && rc == ERR_OK; b = b->next)
		rc = write_box(b);
	if (rc == ERR_OK)
		rc = change_bodies_settle(c);
	if (rc != ERR_OK || !c->is_dirty)
		return rc;
	struct key k = key_account();
	uint8_t row[ACCOUNT_HEADER_BYTES];
	txn_put(c->t, key_span(&k), account_header_write(&c->h, row));
	install(c);
	return ERR_OK;
}
