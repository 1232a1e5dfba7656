/* The store: opening and closing, and opening an account by its name. */
#include <stdlib.h>

#include "store/incoming.h"
#include "store/moving.h"

enum err store_open(const struct engine_config *c, struct store **ret,
		    struct buf *ret_why)
{
	struct engine *e;
	enum err rc = engine_open(c, &e, ret_why);
	if (rc != ERR_OK)
		return rc;
	struct store *s = xcalloc(1, sizeof *s);
	s->engine = e;
	s->workers = c->workers;
	s->at = c->at;
	s->at_arg = c->at_arg;
	s->flags = c->flags;
	for (unsigned r = 0; r < QUOTA_RESOURCES; r++)
		s->quota[r] = QUOTA_NONE;
	s->expunge_history = c->expunge_history ? c->expunge_history
						: STORE_VANISHED_ROWS;
	if (s->expunge_history < STORE_VANISHED_LEAST)
		s->expunge_history = STORE_VANISHED_LEAST;
	s->commit_chunks = c->commit_chunks ? c->commit_chunks : STORE_COMMIT_CHUNKS;
	s->idle_last = &s->idle_first;
	s->kept.last = &s->kept.first;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->quiet, NULL);
	if (!(s->flags & ENGINE_READ_ONLY)) {
		rc = store_mend_torn(s);
		if (rc != ERR_OK) {
			buf_printf(ret_why,
				   "messages that a power cut left torn could not be "
				   "removed: %s",
				   err_text(rc));
			store_close(s);
			return rc;
		}
		store_recover_shared(s);
	}
	*ret = s;
	return ERR_OK;
}

bool store_background(struct store *s, int by)
{
	pthread_mutex_lock(&s->lock);
	bool is_taken = by < 0 || !s->is_closing;
	if (is_taken)
		s->n_background += (unsigned)by;
	if (s->n_background == 0)
		pthread_cond_broadcast(&s->quiet);
	pthread_mutex_unlock(&s->lock);
	return is_taken;
}

void store_background_more(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->n_background++;
	pthread_mutex_unlock(&s->lock);
}

void store_wait_quiet(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->n_background > 0)
		pthread_cond_wait(&s->quiet, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	kept_evict(s, 0); /* what was claimed in them is saved yet */
	pthread_mutex_lock(&s->lock);
	s->is_closing = true;
	pthread_mutex_unlock(&s->lock);
	store_wait_quiet(s);
	engine_close(s->engine);
	store_evict(s, 0);
	if (s->n_accounts > 0)
		return; /* of ops whose loop ended before them: they still point here */
	free(s->bucket);
	free(s->named);
	pthread_cond_destroy(&s->quiet);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- opening an account ---- */

struct open_op {
	struct store_op o;
	struct name_op name;
	struct tree *names; /* as loaded; a reference */
	struct attr_set *attrs; /* the same */
};

static enum err open_plan(struct store_op *o, struct change *c)
{
	struct open_op *x = (struct open_op *)(void *)o;
	uint32_t number;
	enum err rc = c->is_new ? names_create(c, SPAN("INBOX"), 0, &number)
				: moving_recover(c);
	tree_unref(x->names);
	x->names = tree_ref(c->names);
	attr_set_unref(x->attrs);
	x->attrs = attr_set_ref(c->attrs);
	o->modseq = c->h.modseq;
	o->drops = c->h.drops;
	o->used = (struct used){ c->h.bytes, c->h.messages };
	o->doomed = c->h.doomed;
	return rc;
}

/* All that the plan saw is durable by now. */
static void open_ready(struct store_op *o)
{
	struct open_op *x = (struct open_op *)(void *)o;
	struct account *a = o->account;
	pthread_mutex_lock(&a->lock);
	bool is_first = !a->is_ready;
	if (is_first) {
		if (!a->names)
			a->names = tree_ref(x->names);
		if (!a->attrs)
			a->attrs = attr_set_ref(x->attrs);
		a->modseq = o->modseq;
		a->drops = o->drops;
		a->used = o->used;
		a->doomed = o->doomed;
		a->is_ready = true;
	}
	pthread_mutex_unlock(&a->lock);
	account_reap(a); /* what a crash or the last session left */
	if (is_first)
		moving_clean(a, &x->attrs->attrs);
}

static void open_free(struct store_op *o)
{
	struct open_op *x = (struct open_op *)(void *)o;
	tree_unref(x->names);
	attr_set_unref(x->attrs);
}

static void ignore(struct op *op, void *owner)
{
}

/* On a worker, when the name is known; here and not in its `done`, as the op that holds
 * the block may end before that returns. */
static void name_known(struct op *op)
{
	struct name_op *name = TASK_OWNER(op, struct name_op, op);
	struct open_op *x = TASK_OWNER(name, struct open_op, name);
	struct store *s = x->o.store;
	if (op->rc != ERR_OK) {
		op_fail(&x->o, op->rc);
	} else {
		struct account *a = account_get(s, name->account);
		account_name(a, span_str(name->name));
		x->o.account = a;
		x->o.e.account = a->id;
		pthread_mutex_lock(&a->lock);
		bool is_ready = a->is_ready;
		pthread_mutex_unlock(&a->lock);
		if (is_ready)
			op_finish(&x->o.e.op, ERR_OK);
		else
			op_start(&x->o);
	}
	store_background(s, -1);
}

struct op *store_account_open(struct store *s, struct span name, bool create,
			      struct op_to to)
{
	struct open_op *x = op_new(sizeof *x, s, NULL, to);
	x->o.plan = open_plan;
	x->o.before_done = open_ready;
	x->o.free_more = open_free;
	x->o.may_make = !(s->flags & ENGINE_READ_ONLY);
	op_seed(&x->o);
	bool has_nul = name.n > 0 && memchr(name.p, 0, name.n);
	if (name.n == 0 || name.n >= sizeof x->name.name || has_nul)
		return op_fail(&x->o, ERR_INVAL);
	if (!store_background(s, 1))
		return op_fail(&x->o, ERR_CLOSED);
	memcpy(x->name.name, name.p, name.n);
	x->name.verb = create ? NAME_ADD : NAME_GET;
	x->name.op = (struct op){
		.home = s->workers, .done = ignore, .owner = x, .free = name_known
	};
	engine_name(s->engine, &x->name);
	return &x->o.e.op;
}
