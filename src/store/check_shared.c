/*
 * store_check and store_repair: bodies that accounts share (shared_body.h). Who holds one
 * is said twice, in the holder's account and in the common one; the account is right.
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/check.h"
#include "store/kind.h"
#include "store/shared_body.h"

struct parts {
	struct check *c;
	struct txn *mend; /* NULL: check */
	uint64_t *mended;
	enum err rc;
};

static void say(struct parts *p, const char *sentence)
{
	check_say(p->c, "%s", sentence);
	if (p->mend)
		++*p->mended;
}

static enum err row_now(struct check *c, struct account_id a, const struct key *k,
			struct buf *row)
{
	buf_clear(row);
	return engine_row_now(c->store->engine, a, key_span(k), row);
}

static bool part_row(void *arg, struct span key, struct span value)
{
	struct parts *p = arg;
	struct body_id body;
	struct shared_part part;
	struct buf row = { 0 };
	if (!key_read_body(key, &body) || shared_part_read(value, &part) != ERR_OK) {
		if (!p->mend)
			say(p, "a row of a body that is shared is damaged");
		return true;
	}
	struct key k = shared_holder_key(part.shared, p->c->a->id, body);
	p->rc = row_now(p->c, common_account(), &k, &row);
	buf_done(&row);
	if (p->rc == ERR_NOENT) {
		say(p, "it is not among the holders of a body that it shares");
		if (p->mend)
			txn_put_common(p->mend, key_span(&k), SPAN("\1"));
		p->rc = ERR_OK;
	}
	return p->rc == ERR_OK;
}

enum err check_parts(struct check *c, struct txn *mend, uint64_t *mended)
{
	struct parts p = { .c = c, .mend = mend, .mended = mended };
	enum err rc = check_scan(c, KEY_PART, 0, part_row, &p);
	return rc == ERR_OK ? p.rc : rc;
}

/* ---- the common account ---- */

struct common {
	struct parts p;
	struct txn *t;
	struct body_id *at; /* kept, sorted */
	size_t n, cap;
	struct body_id last; /* of the holders */
	bool has_last;
};

static bool kept(void *arg, struct body_id id)
{
	struct common *x = arg;
	if (x->n == x->cap) {
		x->cap = x->cap ? x->cap * 2 : 64;
		x->at = xrealloc(x->at, x->cap * sizeof *x->at);
	}
	x->at[x->n++] = id;
	return true;
}

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct body_id));
}

/* Whether that account says so as well. One whose row is damaged may. */
static bool holds(struct common *x, struct account_id a, struct body_id body,
		  struct body_id shared)
{
	struct key k = key_body(KEY_PART, body);
	struct buf row = { 0 };
	struct shared_part part;
	enum err rc = row_now(x->p.c, a, &k, &row);
	bool is_so = rc == ERR_OK && (shared_part_read(buf_span(&row), &part) != ERR_OK ||
				      by_id(&part.shared, &shared) == 0);
	if (rc != ERR_OK && rc != ERR_NOENT)
		x->p.rc = rc;
	buf_done(&row);
	return is_so;
}

static void look_after(struct common *x, struct body_id shared)
{
	if (x->p.mend)
		shared_look_after(x->t, shared);
}

static bool holder_row(void *arg, struct span key, struct span value)
{
	struct common *x = arg;
	struct account_id a;
	struct body_id shared, body;
	if (!shared_holder_read(key, &shared, &a, &body)) {
		say(&x->p, "a holder's row is damaged");
		if (x->p.mend)
			txn_delete(x->t, key);
		return true;
	}
	bool is_kept = x->n && bsearch(&shared, x->at, x->n, sizeof shared, by_id);
	if (!is_kept && !x->p.mend && !(x->has_last && by_id(&x->last, &shared) == 0))
		say(&x->p, "a body that is held is not there");
	x->last = shared;
	x->has_last = true;
	if (!holds(x, a, body, shared) && x->p.rc == ERR_OK) {
		say(&x->p, "a holder of a body does not hold it");
		if (x->p.mend)
			txn_delete(x->t, key);
		look_after(x, shared);
	}
	return x->p.rc == ERR_OK;
}

static enum err unheld(struct common *x, struct body_id shared)
{
	bool is_held;
	enum err rc = shared_is_held(x->t, shared, &is_held);
	if (rc == ERR_OK && !is_held)
		rc = shared_is_looked_after(x->t, shared, &is_held);
	if (rc != ERR_OK || is_held)
		return rc;
	say(&x->p, "a body is kept and nobody holds it");
	look_after(x, shared);
	return ERR_OK;
}

static enum err look(struct common *x)
{
	enum err rc = txn_bodies(x->t, kept, x);
	if (x->n > 1)
		qsort(x->at, x->n, sizeof *x->at, by_id);
	struct key lo = { .n = 1, .b = { KEY_HOLDER } }, hi = key_kind_end(KEY_HOLDER);
	if (rc == ERR_OK)
		rc = txn_scan(x->t, key_span(&lo), key_span(&hi), holder_row, x);
	if (rc == ERR_OK)
		rc = x->p.rc;
	for (size_t i = 0; i < x->n && rc == ERR_OK; i++)
		rc = unheld(x, x->at[i]);
	free(x->at);
	return rc;
}

static enum err look_now(void *arg, struct txn *t)
{
	struct common *x = arg;
	x->t = t;
	return look(x);
}

static void begin(struct check *c)
{
	snprintf(c->name, sizeof c->name, "(shared)");
}

enum err check_common(struct check *c)
{
	struct common x = { .p.c = c };
	begin(c);
	return engine_read_now(c->store->engine, common_account(), look_now, &x);
}

enum err repair_common(struct check *c, struct txn *t, uint64_t *mended)
{
	struct common x = { .p = { .c = c, .mend = t, .mended = mended }, .t = t };
	begin(c);
	return look(&x);
}
