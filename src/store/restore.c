/*
 * Setting one account back to what it was in another store, that of a backup.
 *
 * First the bodies that are not there any more, in commits of bounded size: kept, and
 * each with a row that says that nobody holds it, so that what a restore leaves that
 * does not come to its end is swept like anything else that nobody holds. Meanwhile the
 * account's sweep waits. Then one commit for all the rest (restore_plan.c).
 */
#include <stdlib.h>

#include "store/restore.h"

enum {
	STEP_BODIES = 512,
	STEP_BYTES = 32 << 20,
	TRIES = 5, /* bodies may go while others are being copied */
};

struct restoring {
	struct account *a;
	struct engine *from;
	struct account_id from_id;
	struct saved saved;
	bool *is_kept; /* of saved.body: the account has it */
	size_t at;
	struct waiting end;
	struct restored done;
	struct buf *why;
};

/* ---- waiting for an op ---- */

void waiting_init(struct waiting *w)
{
	*w = (struct waiting){ 0 };
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->ended, NULL);
}

void waiting_done(struct waiting *w)
{
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->ended);
}

void waiting_end(struct waiting *w, enum err rc)
{
	pthread_mutex_lock(&w->lock);
	w->rc = rc;
	w->has_ended = true;
	pthread_cond_signal(&w->ended);
	pthread_mutex_unlock(&w->lock);
}

enum err waiting_for(struct waiting *w)
{
	pthread_mutex_lock(&w->lock);
	while (!w->has_ended)
		pthread_cond_wait(&w->ended, &w->lock);
	w->has_ended = false;
	enum err rc = w->rc;
	pthread_mutex_unlock(&w->lock);
	return rc;
}

static void op_ended(struct op *op, void *owner)
{
	waiting_end(owner, op->rc);
}

void *waited_op(size_t size, struct account *a,
		enum err (*plan)(struct store_op *, struct change *), struct waiting *w)
{
	struct store *s = a->store;
	struct store_op *o = op_new(size, s, a,
				    (struct op_to){ s->workers, op_ended, w });
	op_seed(o);
	o->plan = plan;
	o->is_background = true; /* the store waits for its very end when it closes */
	o->ignores_quota = true;
	return o;
}

enum err waited_run(struct store_op *o, enum err rc, struct waiting *w)
{
	if (!store_background(o->store, 1)) {
		o->is_background = false;
		rc = ERR_CLOSED;
	}
	if (rc == ERR_OK && o->plan)
		op_start(o);
	else
		op_fail(o, rc);
	return waiting_for(w);
}

/* ---- the account ---- */

struct named {
	struct name_op op;
	struct waiting *w;
};

static void ignore(struct op *op, void *owner)
{
}

static void name_known(struct op *op)
{
	struct name_op *n = TASK_OWNER(op, struct name_op, op);
	waiting_end(TASK_OWNER(n, struct named, op)->w, op->rc);
}

/* The account of that name, made if `make`. */
static enum err find_account(struct store *s, struct span name, bool make,
			     struct account_id *ret)
{
	struct waiting w;
	struct named n = { .w = &w };
	if (name.n == 0 || name.n >= sizeof n.op.name)
		return ERR_INVAL;
	waiting_init(&w);
	memcpy(n.op.name, name.p, name.n);
	n.op.verb = make ? NAME_ADD : NAME_GET;
	n.op.op = (struct op){
		.home = s->workers, .done = ignore, .owner = &n, .free = name_known
	};
	engine_name(s->engine, &n.op);
	enum err rc = waiting_for(&w);
	waiting_done(&w);
	*ret = n.op.account;
	return rc;
}

static void hold_sweep(struct account *a, bool on)
{
	pthread_mutex_lock(&a->lock);
	a->sweep_is_held = on;
	pthread_mutex_unlock(&a->lock);
	if (!on)
		account_reap(a);
}

/* ---- bodies ---- */

static bool note_kept(void *arg, struct body_id id)
{
	struct restoring *r = arg;
	const struct saved_body *b = saved_find(&r->saved, id);
	if (b)
		r->is_kept[b - r->saved.body] = true;
	return true;
}

static enum err list_kept(void *arg, struct txn *t)
{
	return txn_bodies(t, note_kept, arg);
}

struct step_op {
	struct store_op o;
	struct arena *arena;
	size_t n;
	struct step {
		struct body_id id;
		struct body_put *put;
		struct span summary, words; /* p NULL: none */
	} at[STEP_BODIES];
};

static void put_cache(struct txn *t, enum key_kind kind, struct body_id id,
		      struct span row)
{
	struct key k = key_body(kind, id);
	if (row.p)
		txn_put(t, key_span(&k), row);
}

static enum err step_plan(struct store_op *o, struct change *c)
{
	struct step_op *x = (struct step_op *)(void *)o;
	uint32_t number;
	enum err rc = c->is_new ? names_create(c, SPAN("INBOX"), 0, &number) : ERR_OK;
	for (size_t i = 0; i < x->n && rc == ERR_OK; i++) {
		struct body_id id = x->at[i].id;
		struct key k = key_drop(c->h.modseq, id);
		rc = txn_body_keep(c->t, x->at[i].put);
		put_cache(c->t, KEY_SUMMARY, id, x->at[i].summary);
		put_cache(c->t, KEY_WORDS, id, x->at[i].words);
		txn_put(c->t, key_span(&k), SPAN("\1"));
		c->h.drops++;
		c->is_dirty = true;
	}
	return rc;
}

static void step_free(struct store_op *o)
{
	struct step_op *x = (struct step_op *)(void *)o;
	for (size_t i = 0; i < x->n; i++)
		engine_body_end(x->at[i].put);
	arena_free(x->arena);
}

static struct span get_cache(struct txn *t, struct arena *a, enum key_kind kind,
			     struct body_id id)
{
	struct key k = key_body(kind, id);
	struct span row;
	return txn_get(t, key_span(&k), &row) == ERR_OK ? arena_dup(a, row) : SPAN_NONE;
}

/* They are made anew where they are not there. */
static enum err read_caches(void *arg, struct txn *t)
{
	struct step_op *x = arg;
	for (size_t i = 0; i < x->n; i++) {
		struct step *s = &x->at[i];
		s->summary = get_cache(t, x->arena, KEY_SUMMARY, s->id);
		s->words = get_cache(t, x->arena, KEY_WORDS, s->id);
	}
	return ERR_OK;
}

static enum err copy_body(struct restoring *r, const struct saved_body *b,
			  struct body_put *to)
{
	struct buf piece = { 0 };
	enum err rc = ERR_OK;
	uint64_t off = 0;
	do {
		buf_clear(&piece);
		rc = engine_body_read(r->from, r->from_id, b->id, off, BODY_PIECE,
				      &piece);
		off += piece.n;
		if (rc == ERR_OK && off < b->bytes && piece.n < BODY_PIECE)
			rc = ERR_CORRUPT;
		if (rc != ERR_OK) {
			buf_printf(r->why,
				   "A message of %llu bytes cannot be read from the "
				   "backup: %s.",
				   (unsigned long long)b->bytes, err_text(rc));
			break;
		}
		rc = engine_body_write(to, buf_span(&piece));
	} while (rc == ERR_OK && off < b->bytes);
	buf_done(&piece);
	r->done.copied_bytes += off;
	return rc;
}

/* As many as one commit takes; none: all are there. */
static enum err copy_step(struct restoring *r, size_t *ret_n)
{
	struct step_op *x = waited_op(sizeof *x, r->a, step_plan, &r->end);
	uint64_t bytes = 0;
	enum err rc = ERR_OK;
	x->arena = arena_new(NULL);
	x->o.free_more = step_free;
	x->o.may_make = true;
	x->o.e.needs_room = true;
	for (; r->at < r->saved.n_bodies && x->n < STEP_BODIES && bytes < STEP_BYTES &&
	       rc == ERR_OK;
	     r->at++) {
		const struct saved_body *b = &r->saved.body[r->at];
		if (r->is_kept[r->at])
			continue;
		struct step *s = &x->at[x->n++];
		s->id = b->id;
		s->put = engine_body_again(r->a->store->engine, r->a->id, b->id);
		rc = copy_body(r, b, s->put);
		bytes += b->bytes;
	}
	if (rc == ERR_OK)
		rc = engine_read_now(r->from, r->from_id, read_caches, x);
	*ret_n = x->n;
	r->done.copied += x->n;
	if (x->n == 0)
		x->o.plan = NULL;
	return waited_run(&x->o, rc, &r->end);
}

static enum err copy_bodies(struct restoring *r)
{
	size_t n = 1;
	memset(r->is_kept, 0, r->saved.n_bodies * sizeof *r->is_kept);
	r->at = 0;
	enum err rc = engine_read_now(r->a->store->engine, r->a->id, list_kept, r);
	while (rc == ERR_OK && n > 0)
		rc = copy_step(r, &n);
	return rc;
}

/* ---- the whole ---- */

struct restore_op {
	struct store_op o;
	const struct saved *saved;
};

static enum err restore_plan(struct store_op *o, struct change *c)
{
	return saved_set_back(((struct restore_op *)(void *)o)->saved, c);
}

static enum err set_back(struct restoring *r)
{
	struct restore_op *x = waited_op(sizeof *x, r->a, restore_plan, &r->end);
	x->o.may_make = true;
	x->o.e.needs_room = true;
	x->saved = &r->saved;
	return waited_run(&x->o, ERR_OK, &r->end);
}

static enum err restore_account(struct restoring *r)
{
	enum err rc = ERR_CONFLICT;
	hold_sweep(r->a, true);
	r->is_kept = xcalloc(r->saved.n_bodies + 1, sizeof *r->is_kept);
	for (int i = 0; i < TRIES && rc == ERR_CONFLICT; i++) {
		rc = copy_bodies(r);
		if (rc == ERR_OK)
			rc = set_back(r);
	}
	free(r->is_kept);
	hold_sweep(r->a, false);
	return rc;
}

/* `r` has the account and where to read from. */
static enum err restore_from(struct restoring *r, struct span to_name, struct store *from,
			     struct span from_name, struct restored *ret)
{
	enum err rc = find_account(from, from_name, false, &r->from_id);
	r->from = from->engine;
	if (rc == ERR_OK)
		rc = saved_read(r->from, r->from_id, &r->saved);
	if (rc == ERR_NOENT)
		buf_puts(r->why, "The backup has no mail of that user.");
	else if (rc != ERR_OK)
		buf_printf(r->why, "The backup's mail of that user cannot be read: %s.",
			   err_text(rc));
	if (rc != ERR_OK)
		return rc;
	saved_rename(&r->saved, from_name, to_name);
	waiting_init(&r->end);
	rc = restore_account(r);
	waiting_done(&r->end);
	if (rc != ERR_OK && r->why->n == 0)
		buf_printf(r->why,
			   "The user's mail could not be set back and is as it was: %s.",
			   err_text(rc));
	for (size_t i = 0; i < r->saved.n_names; i++)
		r->done.mailboxes += (r->saved.name[i].flags & NAME_EXISTS) != 0;
	r->done.messages = r->saved.messages;
	*ret = r->done;
	saved_done(&r->saved);
	return rc;
}

enum err account_restore(struct account *a, struct span to_name, struct store *from,
			 struct span from_name, struct restored *ret, struct buf *ret_why)
{
	struct restoring r = { .a = a, .why = ret_why };
	return restore_from(&r, to_name, from, from_name, ret);
}

enum err store_restore(struct store *to, struct span to_name, struct store *from,
		       struct span from_name, struct restored *ret, struct buf *ret_why)
{
	struct account_id id;
	enum err rc = find_account(to, to_name, true, &id);
	if (rc != ERR_OK) {
		buf_printf(ret_why, "The user's account cannot be opened: %s.",
			   err_text(rc));
		return rc;
	}
	struct account *a = account_get(to, id);
	rc = account_restore(a, to_name, from, from_name, ret, ret_why);
	account_unref(a);
	return rc;
}
