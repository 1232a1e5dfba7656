/* What a MOVE between accounts writes beside the messages, and what is made of it after a
 * crash (moving.h). */
#include "store/moving.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "store/attrs_inside.h"

struct moving_id moving_id_new(struct store *s)
{
	struct moving_id id;
	struct pen w = { id.b };
	uint64_t own;
	if (getrandom(&own, sizeof own, 0) != (ssize_t)sizeof own)
		own = clock_mono_us() ^ (uint64_t)(uintptr_t)&id;
	pen_uint(&w, engine_boot(s->engine), 8);
	pen_uint(&w, own, 8);
	return id;
}

static struct attr_key claim_key(uint32_t mailbox, const struct moving_id *id)
{
	return (struct attr_key){ .mailbox = mailbox,
				  .kind = ATTR_MOVING,
				  .name = span_of(id->b, sizeof id->b) };
}

static struct attr_key mark_key(const struct moving_id *id)
{
	return (struct attr_key){ .kind = ATTR_MOVED,
				  .name = span_of(id->b, sizeof id->b) };
}

/* ---- claims ---- */

enum err moving_claim(struct change *c, uint32_t mailbox, const struct moving_id *id,
		      struct account_id target, const struct numset *uids)
{
	uint8_t *to = arena_alloc(txn_arena(c->t), sizeof target.b + uids->n * 8);
	struct attr_edit e = { .key = claim_key(mailbox, id) };
	struct pen w = { to };
	bool did;
	pen_bytes(&w, target.b, sizeof target.b);
	for (size_t i = 0; i < uids->n; i++) {
		pen_uint(&w, uids->r[i].lo, 4);
		pen_uint(&w, uids->r[i].hi, 4);
	}
	e.value = span_of(to, (size_t)(w.p - to));
	return change_attr_set(c, &e, &did);
}

struct claim {
	struct moving_id id;
	struct account_id target;
	struct numset uids;
};

static enum err claim_read(const struct attr *a, struct claim *ret)
{
	struct reader r = reader_of(a->value);
	*ret = (struct claim){ 0 };
	if (a->key.name.n != sizeof ret->id.b)
		return ERR_CORRUPT;
	memcpy(ret->id.b, a->key.name.p, sizeof ret->id.b);
	read_bytes(&r, ret->target.b, sizeof ret->target.b);
	while (!r.bad && r.p < r.end) {
		uint32_t lo = (uint32_t)read_uint(&r, 4), hi = (uint32_t)read_uint(&r, 4);
		if (lo == 0 || lo > hi)
			r.bad = true;
		else
			numset_add_range(&ret->uids, lo, hi);
	}
	if (!r.bad)
		return ERR_OK;
	numset_done(&ret->uids);
	return ERR_CORRUPT;
}

enum err moving_unclaim(struct change *c, uint32_t mailbox, const struct moving_id *id)
{
	struct attr_edit e = { .key = claim_key(mailbox, id), .remove = true };
	bool did;
	return change_attr_set(c, &e, &did);
}

bool moving_has_claims(struct change *c, uint32_t mailbox)
{
	size_t n;
	return attrs_of(&c->attrs->attrs, mailbox, ATTR_MOVING, &n) != NULL;
}

void moving_leave_out(struct change *c, uint32_t mailbox, struct numset *uids)
{
	size_t n;
	const struct attr *a = attrs_of(&c->attrs->attrs, mailbox, ATTR_MOVING, &n);
	struct claim claim;
	for (size_t i = 0; i < n; i++) {
		if (claim_read(&a[i], &claim) != ERR_OK)
			continue;
		numset_remove_set(uids, &claim.uids);
		numset_done(&claim.uids);
	}
}

/* ---- marks ---- */

enum err moving_mark(struct change *c, const struct moving_id *id)
{
	struct attr_edit e = { .key = mark_key(id), .value = SPAN("\1") };
	bool did;
	return change_attr_set(c, &e, &did);
}

enum err moving_unmark(struct change *c, const struct moving_id *id)
{
	struct attr_edit e = { .key = mark_key(id), .remove = true };
	bool did;
	return change_attr_set(c, &e, &did);
}

struct look {
	const struct moving_id *id;
	bool is_there;
};

static enum err look_plan(void *arg, struct txn *t)
{
	struct look *l = arg;
	struct attr_key k = mark_key(l->id);
	struct span row;
	enum err rc = txn_get(t, attr_row_key(txn_arena(t), &k), &row);
	l->is_there = rc == ERR_OK;
	return rc == ERR_NOENT ? ERR_OK : rc;
}

/* ---- after a crash ---- */

static bool is_left(struct store *s, const struct attr *a)
{
	uint8_t boot[8];
	struct pen w = { boot };
	pen_uint(&w, engine_boot(s->engine), 8);
	return a->key.kind == ATTR_MOVING && a->key.name.n > sizeof boot &&
	       memcmp(a->key.name.p, boot, sizeof boot) != 0;
}

/* They have come to the target: they leave here, whatever the crash left of that. */
static enum err leave(struct change *c, uint32_t mailbox, const struct numset *uids)
{
	struct box *b;
	struct view *v;
	enum err rc = change_box(c, mailbox, &b);
	if (rc == ERR_OK)
		rc = box_view(b, &v);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	rc = remove_messages(b, v, uids);
	view_unref(v);
	return rc;
}

/*
 * Nobody but this claim's own plans wrote the mark, and they were of a former opening: it
 * is read outside of the target's plans. With no such account there is none.
 */
static enum err judge(struct change *c, uint32_t mailbox, const struct claim *claim)
{
	struct look l = { .id = &claim->id };
	enum err rc = engine_read_now(c->op->store->engine, claim->target, look_plan, &l);
	if (rc != ERR_OK)
		return rc;
	return l.is_there ? leave(c, mailbox, &claim->uids)
			  : moving_unclaim(c, mailbox, &claim->id);
}

enum err moving_recover(struct change *c)
{
	struct store *s = c->op->store;
	struct attr_set *had = attr_set_ref(c->attrs);
	enum err rc = ERR_OK;
	bool is_bound = s->flags & ENGINE_READ_ONLY;
	for (size_t i = 0; i < had->attrs.n && rc == ERR_OK && !is_bound; i++) {
		const struct attr *a = &had->attrs.at[i];
		struct claim claim;
		if (!is_left(s, a))
			continue;
		rc = claim_read(a, &claim);
		if (rc == ERR_OK) {
			rc = judge(c, a->key.mailbox, &claim);
			numset_done(&claim.uids);
		}
	}
	attr_set_unref(had);
	return rc;
}

/* ---- steps 4 and 5 ---- */

struct clean_op {
	struct store_op o;
	struct account *source; /* a reference */
	uint32_t mailbox;
	struct moving_id id;
};

static void ignore(struct op *op, void *owner)
{
}

static struct clean_op *clean_new(struct account *a, struct account *source,
				  uint32_t mailbox, const struct moving_id *id,
				  void (*done)(struct op *, void *))
{
	struct store *s = a->store;
	struct clean_op *x = op_new(sizeof *x, s, a,
				    (struct op_to){ s->workers, done, s });
	x->o.is_background = true;
	x->source = account_ref(source);
	x->mailbox = mailbox;
	x->id = *id;
	return x;
}

static void clean_free(struct store_op *o)
{
	account_unref(((struct clean_op *)(void *)o)->source);
}

static enum err unclaim_plan(struct store_op *o, struct change *c)
{
	struct clean_op *x = (struct clean_op *)(void *)o;
	return moving_unclaim(c, x->mailbox, &x->id);
}

static enum err unmark_plan(struct store_op *o, struct change *c)
{
	return moving_unmark(c, &((struct clean_op *)(void *)o)->id);
}

static void unmarked(struct op *op, void *owner)
{
	struct clean_op *x = TASK_OWNER(op, struct clean_op, o.e.op), *next;
	/* ERR_NOENT: the target is no account any more */
	if ((op->rc != ERR_OK && op->rc != ERR_NOENT) || !store_background(x->o.store, 1))
		return; /* the next opening sees to it */
	next = clean_new(x->source, x->source, x->mailbox, &x->id, ignore);
	next->o.plan = unclaim_plan;
	next->o.free_more = clean_free;
	op_start(&next->o);
}

void moving_clean(struct account *a, const struct attrs *attrs)
{
	struct store *s = a->store;
	struct claim claim;
	bool is_bound = s->flags & ENGINE_READ_ONLY;
	for (size_t i = 0; i < attrs->n && !is_bound; i++) {
		struct clean_op *x;
		struct account *target;
		if (!is_left(s, &attrs->at[i]) ||
		    claim_read(&attrs->at[i], &claim) != ERR_OK)
			continue;
		numset_done(&claim.uids);
		if (!store_background(s, 1))
			return;
		target = account_get(s, claim.target);
		x = clean_new(target, a, attrs->at[i].key.mailbox, &claim.id, unmarked);
		account_unref(target);
		x->o.plan = unmark_plan;
		x->o.free_more = clean_free;
		op_start(&x->o);
	}
}
