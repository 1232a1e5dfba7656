/* Attributes as operations: reading by key or prefix, setting several at once (attrs.h).
 */
#include <stdlib.h>

#include "store/attrs_inside.h"
#include "store/change.h"

/* ---- reading ---- */

struct read_op {
	struct store_op o;
	struct arena *arena; /* queries */
	struct attr_query *queries;
	size_t n;
	/* results, afresh in each run */
	struct arena *found_in;
	struct attr *found;
	size_t cap;
	struct attrs attrs;
	size_t query;
	enum err rc;
};

static struct span dup(struct arena *a, struct span s)
{
	return s.p ? arena_dup(a, s) : s;
}

static struct attr_key dup_key(struct arena *a, const struct attr_key *k)
{
	return (struct attr_key){ k->mailbox, k->kind, dup(a, k->user), dup(a, k->name) };
}

static bool read_row(void *arg, struct span key, struct span value)
{
	struct read_op *x = arg;
	struct attr a = { .query = x->query };
	if (!attr_row_key_read(key, &a.key) ||
	    !attr_row_read(value, &a.modseq, &a.value)) {
		x->rc = ERR_CORRUPT;
		return false;
	}
	if (x->attrs.n == x->cap) {
		x->cap = x->cap ? x->cap * 2 : 8;
		x->found = xrealloc(x->found, x->cap * sizeof *x->found);
	}
	a.key = dup_key(x->found_in, &a.key);
	a.value = arena_dup(x->found_in, a.value);
	x->found[x->attrs.n++] = a;
	return true;
}

static struct span key_behind(struct arena *a, struct span prefix)
{
	struct span k = arena_dup(a, prefix);
	char *p = (char *)k.p;
	while (k.n > 1 && p[k.n - 1] == (char)0xff)
		k.n--;
	p[k.n - 1]++;
	return k;
}

static enum err read_one(struct change *c, struct read_op *x, const struct attr_query *q)
{
	struct arena *a = txn_arena(c->t);
	struct span lo = attr_row_key(a, &q->key), value;
	if (q->is_exact) {
		enum err rc = txn_get(c->t, lo, &value);
		if (rc == ERR_OK)
			read_row(x, lo, value);
		return rc == ERR_OK || rc == ERR_NOENT ? x->rc : rc;
	}
	if (q->any_user)
		lo.n = 6; /* kind byte, mailbox, kind */
	enum err rc = txn_scan(c->t, lo, key_behind(a, lo), read_row, x);
	return rc == ERR_OK ? x->rc : rc;
}

static enum err read_plan(struct store_op *o, struct change *c)
{
	struct read_op *x = (struct read_op *)(void *)o;
	enum err rc = ERR_OK;
	arena_free(x->found_in);
	x->found_in = arena_new(NULL);
	x->attrs.n = 0;
	x->rc = ERR_OK;
	for (x->query = 0; x->query < x->n && rc == ERR_OK; x->query++)
		rc = read_one(c, x, &x->queries[x->query]);
	x->attrs.at = x->found;
	return rc;
}

static void read_free(struct store_op *o)
{
	struct read_op *x = (struct read_op *)(void *)o;
	arena_free(x->arena);
	arena_free(x->found_in);
	free(x->found);
}

static bool key_fits(const struct attr_key *k, bool is_prefix)
{
	return k->user.n <= STORE_ATTR_USER_BYTES && k->name.n <= STORE_ATTR_NAME_BYTES &&
	       (k->name.n > 0 || is_prefix) && k->kind > 0 && k->kind < 256;
}

struct op *attrs_read(struct account *a, const struct attr_query *queries, size_t n,
		      struct op_to to)
{
	struct read_op *x = op_new(sizeof *x, a->store, a, to);
	x->o.plan = read_plan;
	x->o.free_more = read_free;
	x->arena = arena_new(NULL);
	x->queries = arena_array(x->arena, n, sizeof *queries);
	x->n = n;
	for (size_t i = 0; i < n; i++) {
		if (!key_fits(&queries[i].key, !queries[i].is_exact))
			return op_fail(&x->o, ERR_INVAL);
		x->queries[i] = queries[i];
		x->queries[i].key = dup_key(x->arena, &queries[i].key);
	}
	return op_start(&x->o);
}

const struct attrs *op_attrs(struct op *op)
{
	return &((struct read_op *)(void *)STORE_OP(op))->attrs;
}

/* ---- setting ---- */

struct set_op {
	struct store_op o;
	struct arena *arena;
	struct attr_edit *edits;
	size_t n;
	struct attr_limit limit;
};

struct sum {
	struct attr_limit of;
	enum err rc;
};

static bool sum_row(void *arg, struct span key, struct span value)
{
	struct sum *s = arg;
	s->of.rows++;
	s->of.bytes += key.n + value.n;
	return true;
}

/* Looked at when all is written, as what is taken away makes room. */
static enum err check_limit(struct change *c, const struct attr_limit *limit,
			    const struct attr_edit *e)
{
	struct sum s = { .rc = ERR_OK };
	struct attr_key all = e->key;
	all.name = SPAN_NONE;
	struct arena *a = txn_arena(c->t);
	struct span lo = attr_row_key(a, &all);
	enum err rc = txn_scan(c->t, lo, key_behind(a, lo), sum_row, &s);
	if (rc != ERR_OK)
		return rc;
	bool is_over = (limit->rows && s.of.rows > limit->rows) ||
		       (limit->bytes && s.of.bytes > limit->bytes);
	return is_over ? ERR_LIMIT : ERR_OK;
}

static enum err set_in_memory(struct change *c, const struct attr_edit *e)
{
	struct attr a = { .key = e->key, .value = e->value, .modseq = c->modseq };
	if (e->remove)
		a.value = SPAN_NONE;
	else if (!a.value.p)
		a.value = SPAN("");
	change_attrs(c, attr_set_with(c->attrs, &a));
	bool is_over = c->attrs->attrs.n > STORE_ATTRS_NOW ||
		       c->attrs->bytes > STORE_ATTRS_NOW_BYTES;
	return is_over && !e->remove ? ERR_LIMIT : ERR_OK;
}

static enum err set_use(struct change *c, const struct attr_edit *e, bool *ret_did)
{
	struct reader r = reader_of(e->value);
	unsigned use = (unsigned)read_uint(&r, 2);
	return reader_ok(&r) ? names_use(c, e->key.mailbox, use, ret_did) : ERR_INVAL;
}

enum err change_attr_set(struct change *c, const struct attr_edit *e, bool *ret_did)
{
	if (e->key.kind == ATTR_SPECIAL_USE)
		return set_use(c, e, ret_did);
	struct arena *a = txn_arena(c->t);
	struct span key = attr_row_key(a, &e->key), row, value = SPAN_NONE;
	uint64_t modseq;
	enum err rc = txn_get(c->t, key, &row);
	bool is_there = rc == ERR_OK;
	if (rc != ERR_OK && rc != ERR_NOENT)
		return rc;
	if (is_there && !attr_row_read(row, &modseq, &value))
		return ERR_CORRUPT;
	if (e->has_expect && (is_there != (e->expect.p != NULL) ||
			      (is_there && !span_eq(value, e->expect))))
		return ERR_CONFLICT;
	*ret_did = e->remove ? is_there : !is_there || !span_eq(value, e->value);
	if (!*ret_did)
		return ERR_OK;
	rc = change_modseq(c);
	if (rc != ERR_OK)
		return rc;
	if (e->remove)
		txn_delete(c->t, key);
	else
		txn_put(c->t, key, attr_row_write(a, c->modseq, e->value));
	return e->key.kind < ATTR_ON_DISK ? set_in_memory(c, e) : ERR_OK;
}

static enum err mailbox_exists(struct change *c, uint32_t number)
{
	struct mailbox_header h;
	struct keywords *k;
	enum err rc = mailbox_header_get(c->t, number, &h, &k);
	if (rc == ERR_OK)
		keywords_unref(k);
	return rc;
}

static enum err set_plan(struct store_op *o, struct change *c)
{
	struct set_op *x = (struct set_op *)(void *)o;
	enum err rc = ERR_OK;
	o->n_attr_edits = 0;
	for (size_t i = 0; i < x->n && rc == ERR_OK; i++) {
		const struct attr_edit *e = &x->edits[i];
		bool did = false;
		if (e->key.mailbox)
			rc = mailbox_exists(c, e->key.mailbox);
		if (rc == ERR_OK)
			rc = change_attr_set(c, e, &did);
		if (did)
			o->attr_edits[o->n_attr_edits++] = e->key;
	}
	for (size_t i = 0; i < x->n && rc == ERR_OK; i++)
		if (!x->edits[i].remove && x->edits[i].key.kind != ATTR_SPECIAL_USE &&
		    (x->limit.rows || x->limit.bytes))
			rc = check_limit(c, &x->limit, &x->edits[i]);
	return rc;
}

static void set_free(struct store_op *o)
{
	arena_free(((struct set_op *)(void *)o)->arena);
}

struct op *attrs_set(struct account *a, const struct attr_edit *edits, size_t n,
		     const struct attr_limit *limit, struct op_to to)
{
	struct set_op *x = op_new(sizeof *x, a->store, a, to);
	x->o.plan = set_plan;
	x->o.free_more = set_free;
	x->arena = arena_new(NULL);
	x->edits = arena_array(x->arena, n, sizeof *edits);
	x->o.attr_edits = arena_array(x->arena, n, sizeof *x->o.attr_edits);
	x->n = n;
	if (limit)
		x->limit = *limit;
	for (size_t i = 0; i < n; i++) {
		const struct attr_edit *from = &edits[i];
		if (!key_fits(&from->key, false))
			return op_fail(&x->o, ERR_INVAL);
		if (from->value.n > STORE_ATTR_BYTES)
			return op_fail(&x->o, ERR_TOOBIG);
		x->edits[i] = *from;
		x->edits[i].key = dup_key(x->arena, &from->key);
		x->edits[i].value = dup(x->arena, from->value);
		x->edits[i].expect = dup(x->arena, from->expect);
		x->o.e.needs_room |= !from->remove;
	}
	return op_start(&x->o);
}

uint64_t op_modseq(struct op *op)
{
	struct store_op *o = STORE_OP(op);
	return o->is_prepared ? o->modseq : 0;
}

/* ---- with a mailbox ---- */

enum err change_attrs_drop(struct change *c, uint32_t mailbox)
{
	struct attr_set *left = attr_set_without(c->attrs, mailbox);
	if (left == c->attrs) {
		attr_set_unref(left);
		return ERR_OK;
	}
	const struct attrs *had = &c->attrs->attrs;
	for (size_t i = 0; i < had->n; i++)
		if (had->at[i].key.mailbox == mailbox)
			txn_delete(c->t, attr_row_key(txn_arena(c->t), &had->at[i].key));
	change_attrs(c, left);
	return ERR_OK;
}

struct attr_copying {
	struct change *c;
	uint32_t to;
	enum err rc;
};

static bool copy_row(void *arg, struct span key, struct span value)
{
	struct attr_copying *x = arg;
	struct attr_key k;
	if (!attr_row_key_read(key, &k)) {
		x->rc = ERR_CORRUPT;
		return false;
	}
	k.mailbox = x->to;
	if (k.kind == ATTR_METADATA)
		txn_put(x->c->t, attr_row_key(txn_arena(x->c->t), &k), value);
	return true;
}

enum err change_attrs_copy(struct change *c, uint32_t from, uint32_t to)
{
	struct attr_copying x = { .c = c, .to = to };
	struct key lo = key_of_mailbox(KEY_ATTR, from), hi = key_after(&lo);
	enum err rc = txn_scan(c->t, key_span(&lo), key_span(&hi), copy_row, &x);
	return rc == ERR_OK ? x.rc : rc;
}

enum err change_acl_inherit(struct change *c, uint32_t from, uint32_t to)
{
	const struct attrs *had = &c->attrs->attrs;
	size_t n;
	const struct attr *at = attrs_of(had, from, ATTR_ACL, &n);
	enum err rc = n ? change_modseq(c) : ERR_OK;
	struct attr_set *keep = attr_set_ref(c->attrs);
	for (size_t i = 0; i < n && rc == ERR_OK; i++) {
		struct attr_edit e = { .key = at[i].key, .value = at[i].value };
		e.key.mailbox = to;
		txn_put(c->t, attr_row_key(txn_arena(c->t), &e.key),
			attr_row_write(txn_arena(c->t), c->modseq, e.value));
		rc = set_in_memory(c, &e);
	}
	attr_set_unref(keep);
	return rc;
}

void change_attrs(struct change *c, struct attr_set *now)
{
	attr_set_unref(c->attrs);
	c->attrs = now;
	c->attrs_changed = true;
}
