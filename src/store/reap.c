/*
 * The sweep: bodies that nothing shows any more, and the rows of deleted mailboxes, in
 * commits of bounded size. What is due is told by rows, so a crash loses none of it.
 */
#include <stdlib.h>

#include "store/change.h"

struct reap_op {
	struct store_op o;
	uint64_t views_gone; /* when it began */
};

struct reap {
	struct change *c;
	uint64_t before; /* superseded views show what was dropped from here on */
	size_t left;
	struct box box; /* the doomed mailbox, as far as bodies need one */
	enum err rc;
};

static bool drop_row(void *arg, struct span key, struct span value)
{
	struct reap *r = arg;
	uint64_t modseq;
	struct body_id body;
	if (!key_read_drop(key, &modseq, &body)) {
		r->rc = ERR_CORRUPT;
		return false;
	}
	if (modseq >= r->before || r->left == 0)
		return false;
	r->left--;
	txn_delete(r->c->t, key);
	body_drop(r->c->t, body);
	if (r->c->h.drops > 0)
		r->c->h.drops--;
	r->c->is_dirty = true;
	return true;
}

static bool first_doomed(void *arg, struct span key, struct span value)
{
	uint32_t *number = arg;
	struct reader r = reader_of(span_sub(key, 1, key.n));
	*number = (uint32_t)read_uint(&r, 4);
	return false;
}

/* One block's messages: those that the chunk had are let go, then the row goes. */
static bool doomed_block(void *arg, struct span key, struct span value)
{
	struct reap *r = arg;
	uint32_t index;
	struct block *b;
	if (r->left == 0)
		return false;
	r->rc = key_index(key, &index) ? block_read(value, &b) : ERR_CORRUPT;
	if (r->rc != ERR_OK)
		return false;
	struct key k = key_in_mailbox(KEY_CHUNK, r->box.number, index / CHUNK_BLOCKS);
	struct span row;
	struct chunk *c = NULL;
	r->rc = txn_get(r->c->t, key_span(&k), &row);
	if (r->rc == ERR_OK)
		r->rc = chunk_read(index / CHUNK_BLOCKS, row, &c);
	uint32_t block = index % CHUNK_BLOCKS;
	uint32_t live = c ? (uint32_t)(c->mask[block / 2] >> (block % 2 * 32)) : 0;
	uint32_t i = 0;
	for (uint32_t m = b->mask; m; m &= m - 1, i++)
		if (live >> __builtin_ctz(m) & 1)
			change_body(r->c, b->at[i].body, -1);
	r->left -= r->left < i ? r->left : i;
	txn_delete(r->c->t, key);
	r->c->is_dirty = true;
	block_unref(b);
	chunk_unref(c);
	return r->rc == ERR_OK;
}

static bool delete_row(void *arg, struct span key, struct span value)
{
	struct reap *r = arg;
	if (r->left == 0)
		return false;
	r->left--;
	txn_delete(r->c->t, key);
	r->c->is_dirty = true;
	return true;
}

/* Constant parts first, as they name the bodies. */
static enum err sweep_kinds(struct reap *r, uint32_t from)
{
	static const struct {
		enum key_kind kind;
		uint32_t each; /* rows of a chunk */
	} kinds[] = { { KEY_INFO, CHUNK_BLOCKS }, { KEY_CHUNK, 1 }, { KEY_KEYWORDS, 1 } };
	enum err rc = ERR_OK;
	for (unsigned i = 0; i < 3 && rc == ERR_OK && r->left > 0; i++) {
		struct key lo = key_in_mailbox(kinds[i].kind, r->box.number,
					       from * kinds[i].each);
		struct key hi = key_of_mailbox(kinds[i].kind, r->box.number);
		hi = key_after(&hi);
		rc = txn_scan(r->c->t, key_span(&lo), key_span(&hi),
			      i == 0 ? doomed_block : delete_row, r);
		if (rc == ERR_OK)
			rc = r->rc;
	}
	return rc;
}

enum err sweep_chunks(struct change *c, uint32_t mailbox, uint32_t from, size_t *left)
{
	struct reap r = { .c = c, .left = *left, .box.number = mailbox };
	enum err rc = sweep_kinds(&r, from);
	*left = r.left;
	return rc;
}

/* The messages, then the rest, then the mark itself. */
static enum err sweep_mailbox(struct reap *r)
{
	struct change *c = r->c;
	struct key lo = { .n = 1, .b = { KEY_DOOMED } }, hi = key_kind_end(KEY_DOOMED);
	r->box.number = 0;
	enum err rc = txn_scan(c->t, key_span(&lo), key_span(&hi), first_doomed,
			       &r->box.number);
	if (rc != ERR_OK || r->box.number == 0)
		return rc;
	static const enum key_kind kinds[] = { KEY_VANISHED, KEY_ATTR, KEY_DIGEST };
	rc = sweep_kinds(r, 0);
	for (unsigned i = 0; i < 3 && rc == ERR_OK && r->left > 0; i++) {
		lo = key_of_mailbox(kinds[i], r->box.number);
		hi = key_after(&lo);
		rc = txn_scan(c->t, key_span(&lo), key_span(&hi), delete_row, r);
	}
	if (rc != ERR_OK || r->left == 0)
		return rc;
	lo = key_of_mailbox(KEY_DOOMED, r->box.number);
	txn_delete(c->t, key_span(&lo));
	c->h.doomed -= c->h.doomed > 0;
	c->is_dirty = true;
	return ERR_OK;
}

static enum err reap_plan(struct store_op *o, struct change *c)
{
	struct reap r = { .c = c, .left = STORE_REAP_STEP };
	r.before = account_oldest_superseded(c->a);
	enum err rc = ERR_OK;
	if (c->h.drops > 0) {
		struct key lo = { .n = 1, .b = { KEY_DROP } },
			   hi = key_kind_end(KEY_DROP);
		rc = txn_scan(c->t, key_span(&lo), key_span(&hi), drop_row, &r);
		if (rc == ERR_OK)
			rc = r.rc;
	}
	if (rc == ERR_OK && c->h.doomed > 0 && r.left > 0)
		rc = sweep_mailbox(&r);
	return rc;
}

static void reap_done(struct op *op, void *owner)
{
	struct reap_op *r = TASK_OWNER(op, struct reap_op, o.e.op);
	struct account *a = r->o.account;
	bool did_work = r->o.is_prepared && op->rc == ERR_OK;
	pthread_mutex_lock(&a->lock);
	a->is_reaping = false;
	/* else again and again, for a view that stays or for rows that are damaged */
	a->reap_is_blocked = !did_work && a->views_gone == r->views_gone;
	pthread_mutex_unlock(&a->lock);
	if (did_work)
		account_reap(a); /* the next step, if there is one */
}

static bool reap_may_start(struct account *a, uint64_t *ret_views_gone)
{
	struct store *s = a->store;
	pthread_mutex_lock(&a->lock);
	bool is_due = (a->drops > 0 || a->doomed > 0) && !a->is_reaping &&
		      !a->reap_is_blocked && !a->sweep_is_held && !(s->flags & ENGINE_READ_ONLY);
	if (is_due)
		a->is_reaping = true;
	*ret_views_gone = a->views_gone;
	pthread_mutex_unlock(&a->lock);
	return is_due;
}

void account_reap(struct account *a)
{
	struct store *s = a->store;
	uint64_t views_gone;
	if (!reap_may_start(a, &views_gone))
		return;
	if (!store_background(s, 1)) {
		pthread_mutex_lock(&a->lock);
		a->is_reaping = false;
		pthread_mutex_unlock(&a->lock);
		return;
	}
	struct reap_op *r = op_new(sizeof *r, s, a,
				   (struct op_to){ s->workers, reap_done, s });
	r->o.is_background = true;
	r->o.plan = reap_plan;
	r->views_gone = views_gone;
	op_start(&r->o);
}
