/* The life of an operation: made on a loop, planned in the account, published, completed.
 */
#include "store/op.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "store/seen.h"
#include "store/stage.h"

static void news_done(struct store_op *o)
{
	for (size_t i = 0; i < o->n_news; i++) {
		view_unref(o->news[i].view);
		seen_unref(o->news[i].seen);
		mailbox_unref(o->news[i].mailbox);
	}
	free(o->news);
	o->news = NULL;
	o->n_news = 0;
	tree_unref(o->names);
	o->names = NULL;
	attr_set_unref(o->attrs);
	o->attrs = NULL;
	stage_free(o->part);
	o->part = NULL;
}

void op_reset(struct store_op *o)
{
	news_done(o);
	o->is_prepared = false;
	o->is_undoing = false;
	o->next = 0;
	o->uidvalidity = 0;
	numset_done(&o->modified);
	numset_done(&o->source);
	numset_done(&o->target);
}

/* The next part, after the one in hand is durable: others have had their turn. */
static void go_on(struct store_op *o)
{
	o->from = o->next;
	o->goes_on = false;
	op_reset(o);
	op_start(o);
}

static void op_free(struct op *op)
{
	struct store_op *o = STORE_OP(op);
	if (o->goes_on) {
		go_on(o);
		return;
	}
	if (o->free_more)
		o->free_more(o);
	op_reset(o);
	numset_done(&o->all_modified);
	numset_done(&o->all_source);
	numset_done(&o->all_target);
	stage_free(o->stage);
	free((char *)o->path.p);
	free((char *)o->path2.p);
	free(o->status);
	buf_done(&o->bytes);
	if (o->mailbox)
		mailbox_unref(o->mailbox);
	struct store *background = o->is_background ? o->store : NULL;
	if (o->account) {
		if (o->doomed > 0 || o->drops >= STORE_REAP_BODIES)
			account_reap(o->account);
		if (o->stage && op->rc != ERR_OK)
			stage_undo_start(o->account);
		account_unref(o->account);
	}
	free(o);
	if (background)
		store_background(background, -1);
}

static void op_done(struct op *op, void *owner)
{
	struct store_op *o = STORE_OP(op);
	if (o->always_ok)
		op->rc = ERR_OK;
	if (op->rc == ERR_OK) {
		numset_add_set(&o->all_modified, &o->modified);
		numset_add_set(&o->all_source, &o->source);
		numset_add_set(&o->all_target, &o->target);
	}
	o->goes_on = op->rc == ERR_OK && o->next > 0;
	if (o->goes_on)
		return; /* to op_free, which does */
	if (o->before_done && op->rc == ERR_OK)
		o->before_done(o);
	o->done(op, owner);
}

static enum err op_plan(struct engine_op *e, struct txn *t)
{
	struct store_op *o = (struct store_op *)(void *)e;
	if (o->is_prepared) /* its commit met another node's: what it left is not true */
		atomic_store(&o->account->drop_head, true);
	op_reset(o);
	struct change c;
	enum err rc = change_begin(&c, t, o);
	o->is_undoing = c.staged.mailbox && !o->stage &&
			!(o->store->flags & ENGINE_READ_ONLY);
	if (rc == ERR_OK)
		rc = o->is_undoing ? stage_undo(&c) : o->plan(o, &c);
	if (rc == ERR_OK)
		rc = c.part_of ? stage_finish(&c) : change_finish(&c);
	change_done(&c);
	return rc;
}

static bool op_again(struct engine_op *e)
{
	struct store_op *o = (struct store_op *)(void *)e;
	if (o->is_undoing)
		o->is_prepared = false; /* it is true, and nothing of it shows */
	else if (o->part)
		stage_written(o);
	else
		return false;
	return true;
}

/* What was taken out of the published state is let go when the lock is: that may end
 * views. */
static void publish_news(struct account *a, struct store_op *o)
{
	for (size_t i = 0; i < o->n_news; i++) {
		struct news *n = &o->news[i];
		struct mailbox *m = n->mailbox;
		if (n->seen) {
			struct seen *old = m->seen;
			m->seen = n->seen;
			n->seen = old;
			continue;
		}
		if (!n->view) {
			m->is_gone = true;
			continue;
		}
		uint32_t saved = n->view->h.first_recent;
		m->saved_recent = saved > m->saved_recent ? saved : m->saved_recent;
		m->first_recent = saved > m->first_recent ? saved : m->first_recent;
		struct view *old = m->published;
		m->published = n->view;
		n->view = old;
	}
	if (o->names) {
		struct tree *old = a->names;
		a->names = o->names;
		o->names = old;
	}
	if (o->attrs) {
		struct attr_set *old = a->attrs;
		a->attrs = o->attrs;
		o->attrs = old;
	}
	for (size_t i = 0; i < o->n_attr_edits; i++)
		attr_log_add(&a->attr_log, &o->attr_edits[i], o->modseq);
}

static void op_publish(struct engine_op *e)
{
	struct store_op *o = (struct store_op *)(void *)e;
	struct account *a = o->account;
	if (!o->is_prepared)
		return;
	pthread_mutex_lock(&a->lock);
	publish_news(a, o);
	a->drops = o->drops;
	a->used = o->used;
	a->doomed = o->doomed;
	if (o->modseq > a->modseq) {
		a->modseq = o->modseq;
		account_watches_fire(a);
	}
	a->is_ready = a->names != NULL;
	pthread_mutex_unlock(&a->lock);
	for (size_t i = 0; i < o->n_news; i++)
		kept_drop(o->news[i].mailbox);
}

static void op_abandon(struct engine_op *e)
{
	struct store_op *o = (struct store_op *)(void *)e;
	if (o->is_prepared)
		atomic_store(&o->account->drop_head, true);
}

void *op_new(size_t size, struct store *s, struct account *a, struct op_to to)
{
	struct store_op *o = xcalloc(1, size);
	o->e.op = (struct op){
		.home = to.home, .done = op_done, .owner = to.owner, .free = op_free
	};
	o->e.plan = op_plan;
	o->e.again = op_again;
	o->e.publish = op_publish;
	o->e.abandon = op_abandon;
	o->done = to.done;
	o->store = s;
	if (a) {
		o->account = account_ref(a);
		o->e.account = a->id;
	}
	o->now_s = clock_wall_s();
	return o;
}

struct op *op_start(struct store_op *o)
{
	engine_run(o->store->engine, &o->e);
	return &o->e.op;
}

struct op *op_fail(struct store_op *o, enum err rc)
{
	op_finish(&o->e.op, rc);
	return &o->e.op;
}

enum err op_path(struct span path, bool cut, struct span *ret)
{
	struct buf b = { 0 };
	enum err rc = name_canonical(path, cut, &b);
	if (rc == ERR_OK) {
		*ret = buf_span(
		    &b); /* nothing was taken: it begins where it was allocated */
		return ERR_OK;
	}
	buf_done(&b);
	return rc;
}

void op_seed(struct store_op *o)
{
	/* blocks only before the kernel's pool is filled at boot; short reads do not
	 * occur */
	if (getrandom(&o->seed, sizeof o->seed, 0) != (ssize_t)sizeof o->seed)
		o->seed = clock_mono_us() ^ (uint64_t)(uintptr_t)o;
}

void op_make_id(const struct store_op *o, uint32_t n, uint8_t ret[8])
{
	/* splitmix64 of the seed: distinct for each n */
	uint64_t x = o->seed + (uint64_t)n * 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	x ^= x >> 31;
	memcpy(ret, &x, 8);
}

/* ---- results ---- */

struct account *op_account(struct op *op)
{
	struct store_op *o = STORE_OP(op);
	struct account *a = o->account;
	return a ? account_ref(a) : NULL;
}

struct mailbox *op_mailbox(struct op *op)
{
	struct mailbox *m = STORE_OP(op)->mailbox;
	return m ? mailbox_ref(m) : NULL;
}

const uint8_t *op_mailbox_id(struct op *op)
{
	return STORE_OP(op)->mailbox_id;
}

const struct mailbox_status *op_status(struct op *op, size_t *ret_n)
{
	*ret_n = STORE_OP(op)->n_status;
	return STORE_OP(op)->status;
}

const struct numset *op_modified(struct op *op)
{
	return &STORE_OP(op)->all_modified;
}

uint32_t op_uidvalidity(struct op *op)
{
	return STORE_OP(op)->uidvalidity;
}

const struct numset *op_source_uids(struct op *op)
{
	return &STORE_OP(op)->all_source;
}

const struct numset *op_target_uids(struct op *op)
{
	return &STORE_OP(op)->all_target;
}

struct buf *op_bytes(struct op *op)
{
	return &STORE_OP(op)->bytes;
}
