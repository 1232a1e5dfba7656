/*
 * After a power cut: messages whose bodies did not reach the device. Their appends were
 * never acknowledged, so they go before anybody sees them (doc/store.md).
 */
#include <stdlib.h>

#include "store/change.h"
#include "store/shared_body.h"

struct torn_op {
	struct store_op o;
	struct body_id *bodies; /* sorted */
	bool *is_found;
	size_t n;
};

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct body_id));
}

static const struct body_id *torn_find(const struct torn_op *x, struct body_id id)
{
	return bsearch(&id, x->bodies, x->n, sizeof id, by_id);
}

static enum err clean_chunk(struct torn_op *x, struct box *b, const struct chunk *c)
{
	enum err rc = ERR_OK;
	for (uint32_t s = mask_next(c->mask, 0); s < CHUNK_UIDS && rc == ERR_OK;
	     s = mask_next(c->mask, s + 1)) {
		const struct body_id *found = torn_find(x, chunk_info(c, s)->body);
		struct chunk_edit *e;
		if (!found)
			continue;
		x->is_found[found - x->bodies] = true;
		rc = box_edit(b, c->index, &e);
		if (rc == ERR_OK)
			rc = box_remove(b, e, s);
	}
	return rc;
}

static enum err clean_mailbox(struct torn_op *x, struct change *c, uint32_t number)
{
	struct box *b;
	struct view *v;
	enum err rc = change_box(c, number, &b);
	if (rc == ERR_OK)
		rc = box_view(b, &v);
	if (rc == ERR_NOENT || rc == ERR_CORRUPT)
		return ERR_OK; /* nothing that could be removed: store_check tells */
	if (rc != ERR_OK)
		return rc;
	for (uint32_t i = 0; i < v->n_chunks && rc == ERR_OK; i++)
		rc = clean_chunk(x, b, v->chunk[i]);
	view_unref(v);
	return rc;
}

static enum err torn_plan(struct store_op *o, struct change *c)
{
	struct torn_op *x = (struct torn_op *)(void *)o;
	enum err rc = ERR_OK;
	memset(x->is_found, 0, x->n * sizeof *x->is_found);
	for (size_t i = 0; i < c->names->names.n && rc == ERR_OK; i++)
		if (c->names->at[i]->flags & NAME_EXISTS)
			rc = clean_mailbox(x, c, c->names->at[i]->mailbox);
	/* one that no message holds: unless a sweep is to drop it, nothing else will */
	for (size_t i = 0; i < x->n && rc == ERR_OK; i++)
		if (!x->is_found[i] && c->h.drops == 0 && c->h.doomed == 0)
			body_drop(c->t, x->bodies[i]);
	return rc;
}

static void torn_free(struct store_op *o)
{
	struct torn_op *x = (struct torn_op *)(void *)o;
	free(x->bodies);
	free(x->is_found);
}

static void torn_done(struct op *op, void *owner)
{
	if (op->rc != ERR_OK && op->rc != ERR_NOENT)
		*(_Atomic enum err *)owner = op->rc;
}

void store_torn_remove(struct store *s, struct account_id id,
		       const struct body_id *bodies, size_t n, _Atomic enum err *rc)
{
	struct account *a = account_get(s, id);
	struct torn_op *x = op_new(sizeof *x, s, a,
				   (struct op_to){ s->workers, torn_done, rc });
	x->o.is_background = true;
	x->o.plan = torn_plan;
	x->o.free_more = torn_free;
	x->n = n;
	x->bodies = xcalloc(n, sizeof *x->bodies);
	x->is_found = xcalloc(n, sizeof *x->is_found);
	memcpy(x->bodies, bodies, n * sizeof *bodies);
	qsort(x->bodies, n, sizeof *x->bodies, by_id);
	account_unref(a);
	store_background(s, 1);
	op_start(&x->o);
}

/* ---- all of a store ---- */

struct torn_list {
	struct torn {
		struct account_id account;
		struct body_id body;
	} * at;
	size_t n, cap;
};

static bool torn_add(void *arg, struct account_id a, struct body_id id)
{
	struct torn_list *l = arg;
	struct account_id common = common_account();
	/* nobody holds it yet, as he would have waited; store_recover_shared() */
	if (memcmp(a.b, common.b, sizeof a.b) == 0)
		return true;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->at = xrealloc(l->at, l->cap * sizeof *l->at);
	}
	l->at[l->n++] = (struct torn){ a, id };
	return true;
}

static int by_account(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct torn));
}

static bool same_account(const struct torn *a, const struct torn *b)
{
	return memcmp(&a->account, &b->account, sizeof a->account) == 0;
}

enum err store_mend_torn(struct store *s)
{
	struct torn_list l = { 0 };
	_Atomic enum err failed = ERR_OK;
	enum err rc = engine_torn(s->engine, torn_add, &l);
	if (l.n > 1)
		qsort(l.at, l.n, sizeof *l.at, by_account);
	for (size_t i = 0; rc == ERR_OK && i < l.n;) {
		size_t n = 1;
		while (i + n < l.n && same_account(&l.at[i], &l.at[i + n]))
			n++;
		struct body_id *bodies = xcalloc(n, sizeof *bodies);
		for (size_t k = 0; k < n; k++)
			bodies[k] = l.at[i + k].body;
		store_torn_remove(s, l.at[i].account, bodies, n, &failed);
		free(bodies);
		i += n;
	}
	store_wait_quiet(s);
	free(l.at);
	return rc == ERR_OK ? atomic_load(&failed) : rc;
}
