/*
 * A message that goes to several accounts: its bytes are written once, to the common
 * account (shared_body.h), and guarded there until the last delivery is over.
 */
#include <stdlib.h>

#include "store/incoming.h"
#include "store/shared_body.h"

struct shared {
	struct store *store;
	atomic_uint refs;
	struct incoming *in; /* NULL: it is kept */
	struct body_id body;
	uint64_t bytes;
	bool is_kept;
};

struct shared *shared_new(struct store *s, struct executor *home,
			  void (*drained)(void *arg), void *arg)
{
	struct shared *sh = xcalloc(1, sizeof *sh);
	struct account *common = account_get(s, common_account());
	sh->store = s;
	atomic_init(&sh->refs, 1);
	sh->in = incoming_new(common, home, drained, arg);
	incoming_plain(sh->in);
	account_unref(common);
	return sh;
}

bool shared_feed(struct shared *sh, struct span s)
{
	return incoming_feed(sh->in, s);
}

struct shared *shared_ref(struct shared *sh)
{
	atomic_fetch_add_explicit(&sh->refs, 1, memory_order_relaxed);
	return sh;
}

struct body_id shared_body(const struct shared *sh)
{
	return sh->body;
}

uint64_t shared_bytes(const struct shared *sh)
{
	return sh->bytes;
}

/* Ops of the common account: it has no header and no mailboxes, so they are plain plans.
 */
struct shared_op {
	struct store_op o;
	struct shared *shared; /* a reference, or NULL */
	struct body_id body;
};

static void ignore(struct op *op, void *owner)
{
}

static struct shared_op *shared_op_new(struct store *s,
				       enum err (*plan)(struct engine_op *, struct txn *),
				       struct op_to to)
{
	struct shared_op *x = op_new(sizeof *x, s, NULL, to);
	x->o.e.account = common_account();
	x->o.e.plan = plan;
	x->o.e.again = NULL;
	x->o.e.publish = NULL;
	x->o.e.abandon = NULL;
	return x;
}

/* ---- the end of the deliveries ---- */

static enum err release_plan(struct engine_op *e, struct txn *t)
{
	return shared_unguard(t, ((struct shared_op *)(void *)e)->body);
}

void shared_unref(struct shared *sh)
{
	if (!sh || atomic_fetch_sub_explicit(&sh->refs, 1, memory_order_acq_rel) != 1)
		return;
	struct store *s = sh->store;
	incoming_free(sh->in);
	/* when the store is closing, shared_recover() does it */
	if (sh->is_kept && store_background(s, 1)) {
		struct shared_op *x = shared_op_new(
		    s, release_plan, (struct op_to){ s->workers, ignore, s });
		x->o.is_background = true;
		x->body = sh->body;
		op_start(&x->o);
	}
	free(sh);
}

/* ---- keeping ---- */

static enum err keep_plan(struct engine_op *e, struct txn *t)
{
	struct shared *sh = ((struct shared_op *)(void *)e)->shared;
	enum err rc = incoming_finish(sh->in);
	if (rc != ERR_OK)
		return rc;
	shared_guard(t, incoming_body(sh->in));
	return txn_body_keep(t, incoming_put(sh->in));
}

static void kept(struct store_op *o)
{
	struct shared *sh = ((struct shared_op *)(void *)o)->shared;
	if (sh->is_kept)
		return; /* and others read it by now */
	sh->body = incoming_body(sh->in);
	sh->bytes = incoming_bytes(sh->in);
	sh->is_kept = true;
}

static void keep_free(struct store_op *o)
{
	struct shared *sh = ((struct shared_op *)(void *)o)->shared;
	if (o->e.op.rc == ERR_OK) {
		kept(o); /* when nobody waited any more */
		incoming_free(sh->in);
		sh->in = NULL;
	}
	shared_unref(sh);
}

static void idle(void *arg)
{
	op_start(&((struct shared_op *)arg)->o);
}

struct op *shared_keep(struct shared *sh, struct op_to to)
{
	struct shared_op *x = shared_op_new(sh->store, keep_plan, to);
	x->o.e.needs_room = true;
	x->o.before_done = kept;
	x->o.free_more = keep_free;
	x->shared = shared_ref(sh);
	incoming_when_idle(sh->in, idle, x);
	return &x->o.e.op;
}

/* ---- when the store is opened ---- */

static enum err recover_plan(struct engine_op *e, struct txn *t)
{
	return shared_recover(t);
}

void store_recover_shared(struct store *s)
{
	struct shared_op *x = shared_op_new(s, recover_plan,
					    (struct op_to){ s->workers, ignore, s });
	x->o.is_background = true;
	store_background(s, 1);
	op_start(&x->o);
	store_wait_quiet(s);
}
