/*
 * Who holds a body: rows of messages, shared by COPY. A row tells how many when there
 * is more than one. A body that no row holds is dropped at once when no live view can
 * still show it; else a row remembers it, and a sweep drops it later, also after
 * a crash (reap.c).
 */
#include <stdlib.h>

#include "store/change.h"

void change_body(struct change *c, struct body_id body, int32_t by)
{
	if (c->n_bodies == c->cap_bodies) {
		c->cap_bodies = c->cap_bodies ? c->cap_bodies * 2 : 8;
		c->bodies = xrealloc(c->bodies, c->cap_bodies * sizeof *c->bodies);
	}
	c->bodies[c->n_bodies++] = (struct body_delta){ body, by };
}

static int by_body(const void *a, const void *b)
{
	const struct body_delta *x = a, *y = b;
	return memcmp(x->body.b, y->body.b, sizeof x->body.b);
}

/* Sorts, adds up and leaves out what comes to nothing (MOVE). */
static void net(struct change *c)
{
	if (c->n_bodies > 1)
		qsort(c->bodies, c->n_bodies, sizeof *c->bodies, by_body);
	size_t n = 0;
	for (size_t i = 0; i < c->n_bodies;) {
		struct body_delta d = c->bodies[i++];
		while (i < c->n_bodies && by_body(&d, &c->bodies[i]) == 0)
			d.by += c->bodies[i++].by;
		if (d.by != 0)
			c->bodies[n++] = d;
	}
	c->n_bodies = n;
}

/* How many hold it now, from its row: 1 without. */
static enum err holders_read(struct span row, uint32_t *ret)
{
	struct reader r = reader_of(row);
	uint64_t version = read_uint(&r, 1);
	uint32_t n = (uint32_t)read_uint(&r, 4);
	if (!reader_ok(&r) || version != 1 || n < 2)
		return ERR_CORRUPT;
	*ret = n;
	return ERR_OK;
}

struct holders_scan {
	const struct body_delta *bodies;
	uint32_t *count;
	size_t n, at;
	enum err rc;
};

static bool holders_row(void *arg, struct span key, struct span value)
{
	struct holders_scan *s = arg;
	struct body_delta k = { 0 };
	if (!key_read_body(key, &k.body)) {
		s->rc = ERR_CORRUPT;
		return false;
	}
	while (s->at < s->n && by_body(&s->bodies[s->at], &k) < 0)
		s->at++;
	if (s->at < s->n && by_body(&s->bodies[s->at], &k) == 0)
		s->rc = holders_read(value, &s->count[s->at]);
	return s->rc == ERR_OK && s->at < s->n;
}

/* The counts of all bodies of the change: few one by one, many by one walk. */
static enum err holders(struct change *c, uint32_t *count)
{
	for (size_t i = 0; i < c->n_bodies; i++)
		count[i] = 1;
	if (c->n_bodies > 64) {
		struct holders_scan s = { c->bodies, count, c->n_bodies, 0, ERR_OK };
		struct key lo = key_body(KEY_HOLDERS, c->bodies[0].body);
		struct key hi = key_body(KEY_HOLDERS, c->bodies[c->n_bodies - 1].body);
		hi = key_after(&hi);
		enum err rc = txn_scan(c->t, key_span(&lo), key_span(&hi), holders_row,
				       &s);
		return rc == ERR_OK ? s.rc : rc;
	}
	for (size_t i = 0; i < c->n_bodies; i++) {
		struct key k = key_body(KEY_HOLDERS, c->bodies[i].body);
		struct span row;
		enum err rc = txn_get(c->t, key_span(&k), &row);
		if (rc == ERR_OK)
			rc = holders_read(row, &count[i]);
		if (rc != ERR_OK && rc != ERR_NOENT)
			return rc;
	}
	return ERR_OK;
}

void body_drop(struct txn *t, struct body_id body)
{
	struct key k = key_body(KEY_SUMMARY, body);
	txn_delete(t, key_span(&k));
	k = key_body(KEY_WORDS, body);
	txn_delete(t, key_span(&k));
	txn_body_drop(t, body);
}

static void settle(struct change *c, const struct body_delta *d, uint32_t count,
		   bool is_shown)
{
	struct key k = key_body(KEY_HOLDERS, d->body);
	int64_t now = (int64_t)count + d->by;
	if (now > 1) {
		uint8_t row[5];
		struct pen w = { row };
		pen_uint(&w, 1, 1);
		pen_uint(&w, (uint64_t)now, 4);
		txn_put(c->t, key_span(&k), span_of(row, sizeof row));
		return;
	}
	if (count > 1)
		txn_delete(c->t, key_span(&k));
	if (now == 1)
		return;
	if (!is_shown) {
		body_drop(c->t, d->body);
		return;
	}
	k = key_drop(c->h.modseq, d->body);
	txn_put(c->t, key_span(&k), SPAN("\1"));
	c->h.drops++;
	c->is_dirty = true;
}

/* Whether a view may show what this change takes away: one that lives on from before,
 * or the newest one of a mailbox that changes. */
static bool is_shown(struct change *c)
{
	if (account_views_before(c->a, c->h.modseq, 0))
		return true;
	for (const struct box *b = c->boxes; b; b = b->next)
		if (b->mailbox && account_views_before(c->a, 0, b->number))
			return true;
	return false;
}

enum err change_bodies_settle(struct change *c)
{
	net(c);
	if (c->n_bodies == 0)
		return ERR_OK;
	uint32_t *count = arena_array(txn_arena(c->t), c->n_bodies, sizeof *count);
	enum err rc = holders(c, count);
	bool shown = rc == ERR_OK && is_shown(c);
	for (size_t i = 0; rc == ERR_OK && i < c->n_bodies; i++)
		settle(c, &c->bodies[i], count[i], shown);
	return rc;
}
