/*
 * MOVE, COPY and REPLACE from one account to another (RFC 6851, RFC 9051 section 6.4.7,
 * RFC 8508), in the steps of moving.h. COPY needs only the second of them: bodies are
 * copied first, and one commit makes all of it visible. MOVE goes on part by part.
 *
 * The chain runs on the workers and outlives its caller. Each step holds the store open.
 */
#include "store/across.h"
#include "store/seen.h"
#include "store/stage.h"

#include <stdlib.h>

struct taken {			      /* a message on its way */
	const struct view_info *info; /* of the view */
	struct body_put *put;
	struct body_id body;
	struct buf summary, words;
};

struct across {
	struct store *store;
	struct store_op *out;	/* the caller's op; NULL: it is finished */
	struct mailbox *source; /* references */
	struct mailbox *reader; /* who copies it, or NULL */
	struct account *target;
	struct span path; /* malloc'd */
	bool is_move;
	uint64_t without;
	struct span user;  /* whose \Seen it is there; malloc'd */
	struct numset seen; /* those that he has seen */
	struct store_op *append; /* REPLACE; NULL: it has been started */
	struct moving_id id;
	struct numset left; /* not begun */
	/* the part in hand */
	struct view *view;
	struct seen *as; /* as the reader sees them; NULL: as they are */
	struct numset part;
	struct taken *taken;
	size_t n, at;
	struct task task; /* copying */
	enum err rc;	  /* of what is given up */
};

struct step_op {
	struct store_op o;
	void (*next)(struct across *, struct step_op *);
};

static void at(const struct across *x, const char *point)
{
	if (x->store->at)
		x->store->at(x->store->at_arg, point);
}

static void step_done(struct op *op, void *owner)
{
	struct step_op *s = TASK_OWNER(op, struct step_op, o.e.op);
	s->next(owner, s);
}

static void step(struct across *x, struct account *a,
		 enum err (*plan)(struct store_op *, struct change *),
		 void (*next)(struct across *, struct step_op *), bool needs_room)
{
	struct step_op *s = op_new(sizeof *s, x->store, a,
				   (struct op_to){ x->store->workers, step_done, x });
	s->next = next;
	s->o.plan = plan;
	s->o.e.needs_room = needs_room;
	s->o.is_background = true;
	store_background_more(x->store);
	op_start(&s->o);
}

static struct across *across_of(struct store_op *o)
{
	return o->e.op.owner;
}

/* ---- the end ---- */

static void part_done(struct across *x)
{
	for (size_t i = 0; i < x->n; i++) {
		engine_body_end(x->taken[i].put);
		buf_done(&x->taken[i].summary);
		buf_done(&x->taken[i].words);
	}
	free(x->taken);
	x->taken = NULL;
	x->n = x->at = 0;
	numset_done(&x->part);
	x->part = (struct numset){ 0 };
	view_unref(x->view);
	x->view = NULL;
	seen_unref(x->as);
	x->as = NULL;
	numset_done(&x->seen);
	x->seen = (struct numset){ 0 };
}

/* The caller has his answer; what is left is nobody's wait. */
static void answer(struct across *x, enum err rc)
{
	struct store_op *out = x->out;
	x->out = NULL;
	if (out)
		op_finish(&out->e.op, rc);
}

static void ignore(struct op *op, void *owner)
{
}

static void end(struct across *x, enum err rc)
{
	struct store *s = x->store;
	if (x->append) { /* it was not started */
		x->append->e.op.done = ignore;
		op_fail(x->append, rc);
	}
	answer(x, rc);
	part_done(x);
	numset_done(&x->left);
	free((void *)(uintptr_t)x->path.p);
	free((void *)(uintptr_t)x->user.p);
	mailbox_unref(x->reader);
	mailbox_unref(x->source);
	account_unref(x->target);
	free(x);
	store_background(s, -1);
}

static void pick(struct across *x);

/* ---- 5, 4, 3 ---- */

static void unclaimed(struct across *x, struct step_op *s)
{
	if (s->o.e.op.rc == ERR_OK && x->out)
		pick(x);
	else
		end(x, s->o.e.op.rc);
}

static enum err unclaim_plan(struct store_op *o, struct change *c)
{
	struct across *x = across_of(o);
	return moving_unclaim(c, x->source->number, &x->id);
}

static void unmarked(struct across *x, struct step_op *s)
{
	at(x, "move unmarked");
	if (s->o.e.op.rc == ERR_OK)
		step(x, x->source->account, unclaim_plan, unclaimed, false);
	else
		end(x, s->o.e.op.rc);
}

static enum err unmark_plan(struct store_op *o, struct change *c)
{
	return moving_unmark(c, &across_of(o)->id);
}

static void removed(struct across *x, struct step_op *s)
{
	enum err rc = s->o.e.op.rc;
	at(x, "move removed");
	part_done(x);
	if (rc != ERR_OK) { /* the claim stays: the next opening of the store ends it */
		end(x, rc);
		return;
	}
	if (x->left.n == 0)
		answer(x, ERR_OK);
	step(x, x->target, unmark_plan, unmarked, false);
}

static enum err remove_plan(struct store_op *o, struct change *c)
{
	struct across *x = across_of(o);
	struct box *b;
	enum err rc = change_box(c, x->source->number, &b);
	if (rc == ERR_OK)
		rc = remove_messages(b, b->base, &x->part);
	return rc == ERR_NOENT ? ERR_OK : rc; /* it was deleted, and they with it */
}

/* ---- 2 ---- */

static void given_up(struct across *x, struct step_op *s)
{
	end(x, x->rc);
}

/* The claim goes first: who tries again at once finds them. The answer is the error that
 * there was. */
static void give_up(struct across *x, enum err rc)
{
	x->rc = rc;
	if (x->is_move)
		step(x, x->source->account, unclaim_plan, given_up, false);
	else
		end(x, rc);
}

static void written(struct across *x, struct store_op *o)
{
	if (o->e.op.rc != ERR_OK) {
		give_up(x, o->e.op.rc);
		return;
	}
	at(x, "move written");
	x->out->uidvalidity = o->uidvalidity;
	numset_add_set(&x->out->all_source, &x->part);
	numset_add_set(&x->out->all_target, op_target_uids(&o->e.op));
	if (x->is_move)
		step(x, x->source->account, remove_plan, removed, false);
	else
		end(x, ERR_OK);
}

static void put_done(struct across *x, struct step_op *s)
{
	written(x, &s->o);
}

/* The next message's body, which has come. */
static enum err keep_body(struct copying *t, struct view_info *info)
{
	struct across *x = t->arg;
	struct taken *m = &x->taken[x->at++];
	struct txn *txn = t->to->c->t;
	struct key k = key_body(KEY_SUMMARY, m->body);
	if (m->summary.n > 0)
		txn_put(txn, key_span(&k), buf_span(&m->summary));
	k = key_body(KEY_WORDS, m->body);
	if (m->words.n > 0)
		txn_put(txn, key_span(&k), buf_span(&m->words));
	info->body = m->body;
	return txn_body_keep(txn, m->put);
}

/* Those from o->from that one commit has room for (stage.h); o->next is where the next
 * one begins. */
static void commit_part(struct across *x, struct store_op *o, struct numset *ret)
{
	size_t bytes = 0, most = (size_t)x->store->commit_chunks * STORE_CHUNK_BYTES;
	uint32_t first = 0, behind = 0;
	for (size_t i = o->from; i < x->n && !o->next; i++) {
		if (i > o->from && bytes > most)
			o->next = (uint32_t)i;
		bytes += x->taken[i].summary.n + x->taken[i].words.n;
	}
	numset_copy(ret, &x->part);
	if (o->next && numset_select(&x->part, o->next, &behind))
		numset_remove_range(ret, behind, UINT32_MAX);
	if (o->from && numset_select(&x->part, o->from, &first))
		numset_remove_range(ret, 0, first - 1);
	x->at = o->from;
}

static enum err put_plan(struct store_op *o, struct change *c)
{
	struct across *x = across_of(o);
	struct numset part = { 0 };
	struct copying t = { .keywords = x->view->keywords,
			     .without = x->without,
			     .as = x->as,
			     .user = x->user,
			     .seen = &x->seen,
			     .body = keep_body,
			     .arg = x };
	enum err rc = change_box_named(c, x->path, &t.to);
	if (rc != ERR_OK)
		return rc;
	o->uidvalidity = t.to->h.uidvalidity;
	commit_part(x, o, &part);
	if (o->from == 0)
		numset_copy(&x->seen, &(struct numset){ 0 });
	rc = stage_join(c, t.to, o->next > 0);
	if (rc == ERR_OK)
		rc = copying_run(&t, x->view, &part, &o->source, &o->target);
	if (rc == ERR_OK && !o->next)
		rc = own_set_all(t.to, x->user, &x->seen);
	if (rc == ERR_OK && x->is_move && !o->next)
		rc = moving_mark(c, &x->id);
	numset_done(&part);
	return rc;
}

/* ---- bodies ---- */

struct rows {
	const struct across *x;
	struct taken *m;
};

static enum err rows_plan(void *arg, struct txn *t)
{
	struct rows *r = arg;
	struct key k = key_body(KEY_SUMMARY, r->m->info->body);
	struct span row;
	enum err rc = txn_get(t, key_span(&k), &row);
	if (rc == ERR_OK)
		buf_put(&r->m->summary, row);
	if (rc != ERR_OK &&
	    rc != ERR_NOENT) /* without one it is made when it is asked for */
		return rc;
	k = key_body(KEY_WORDS, r->m->info->body);
	rc = txn_get(t, key_span(&k), &row);
	if (rc == ERR_OK)
		buf_put(&r->m->words, row);
	return rc == ERR_NOENT ? ERR_OK : rc;
}

static enum err copy_body(struct across *x, struct taken *m)
{
	struct engine *e = x->store->engine;
	struct account_id from = x->source->account->id;
	struct rows rows = { .x = x, .m = m };
	enum err rc = engine_read_now(e, from, rows_plan, &rows);
	m->put = engine_body_begin(e, x->target->id, &m->body);
	for (uint64_t off = 0; off < m->info->bytes && rc == ERR_OK; off += BODY_PIECE) {
		struct buf piece = { 0 };
		rc = engine_body_read(e, from, m->info->body, off, BODY_PIECE, &piece);
		if (rc == ERR_OK)
			rc = engine_body_write(m->put, buf_span(&piece));
		buf_done(&piece);
	}
	return rc;
}

/* On a worker, a turn at a time. */
static void copy_some(struct task *t)
{
	struct across *x = TASK_OWNER(t, struct across, task);
	uint64_t bytes = 0;
	enum err rc = ERR_OK;
	while (x->at < x->n && bytes < STORE_ACROSS_TURN && rc == ERR_OK) {
		struct taken *m = &x->taken[x->at];
		rc = copy_body(x, m);
		bytes += m->info->bytes;
		x->at++;
	}
	if (rc != ERR_OK)
		give_up(x, rc);
	else if (x->at < x->n)
		executor_post(x->store->workers, &x->task);
	else
		step(x, x->target, put_plan, put_done, true);
}

/* ---- 1 ---- */

/* Before a byte is copied: a target that cannot take them. */
static enum err may_come(struct across *x)
{
	const struct names *names = account_names_now(x->target);
	const struct name *name = names_find(names, x->path);
	enum err rc = name && (name->flags & NAME_EXISTS) ? ERR_OK : ERR_NOENT;
	uint64_t bytes = 0;
	struct quota q;
	names_unref(names);
	for (size_t i = 0; i < x->n; i++)
		bytes += x->taken[i].info->bytes;
	account_quota_now(x->target, &q);
	if (rc == ERR_OK && quota_refuses(&q, bytes, x->n))
		rc = ERR_QUOTA;
	return rc;
}

static void take(struct across *x)
{
	struct uid_walk walk = uid_walk(x->view, &x->part);
	const struct chunk *c;
	uint64_t slots[4];
	x->taken = xcalloc((size_t)numset_count(&x->part), sizeof *x->taken);
	while (uid_walk_next(&walk, &c, slots))
		for (uint32_t s = mask_next(slots, 0); s < CHUNK_UIDS;
		     s = mask_next(slots, s + 1))
			x->taken[x->n++].info = chunk_info(c, s);
}

static void picked(struct across *x, struct step_op *s)
{
	enum err rc = s->o.e.op.rc;
	uint32_t last = 0;
	if (rc == ERR_OK && x->append && x->part.n == 0)
		rc = ERR_CLOSED;
	if (rc != ERR_OK || x->part.n == 0) {
		end(x, rc);
		return;
	}
	at(x, "move claimed");
	last = numset_max(&x->part);
	numset_remove_range(&x->left, 0, last);
	if (x->append) {
		struct store_op *append = x->append;
		x->append = NULL;
		append->is_background = true;
		store_background_more(x->store);
		op_start(append);
		return;
	}
	take(x);
	rc = may_come(x);
	if (rc != ERR_OK) {
		give_up(x, rc);
		return;
	}
	x->task.run = copy_some;
	executor_post(x->store->workers, &x->task);
}

/* Of those that are left, what is there: of MOVE as many as one part has. */
static enum err pick_part(struct across *x, struct numset *left)
{
	struct uid_walk walk = uid_walk(x->view, left);
	const struct chunk *c;
	uint64_t slots[4];
	size_t n = 0, most = x->is_move ? STORE_ACROSS_PART : STORE_ACROSS_COPY;
	numset_done(&x->part);
	x->part = (struct numset){ 0 };
	while (uid_walk_next(&walk, &c, slots))
		for (uint32_t s = mask_next(slots, 0); s < CHUNK_UIDS;
		     s = mask_next(slots, s + 1)) {
			if (n++ == most)
				return x->is_move ? ERR_OK : ERR_LIMIT;
			numset_add(&x->part, c->index * CHUNK_UIDS + s);
		}
	return ERR_OK;
}

static enum err pick_plan(struct store_op *o, struct change *c)
{
	struct across *x = across_of(o);
	struct numset left = { 0 };
	struct box *b;
	enum err rc = change_box(c, x->source->number, &b);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_CLOSED : rc;
	view_unref(x->view);
	x->view = view_ref(b->base);
	seen_unref(x->as);
	x->as = NULL;
	rc = x->reader ? reader_load(c, x->reader) : ERR_OK;
	if (rc != ERR_OK)
		return rc;
	x->as = x->reader ? seen_ref(x->reader->seen_head) : NULL;
	numset_copy(&left, &x->left);
	if (x->is_move)
		moving_leave_out(c, b->number, &left);
	rc = pick_part(x, &left);
	numset_done(&left);
	if (rc == ERR_OK && x->is_move && x->part.n > 0)
		rc = moving_claim(c, b->number, &x->id, x->target->id, &x->part);
	return rc;
}

static void pick(struct across *x)
{
	x->id = moving_id_new(x->store);
	step(x, x->source->account, pick_plan, picked, x->is_move);
}

/* ---- the beginning ---- */

struct across *across_new(struct mailbox *m, const struct numset *uids,
			  struct account *target, struct op_to to)
{
	struct store *s = target->store;
	struct across *x = xcalloc(1, sizeof *x);
	x->store = s;
	x->out = op_new(sizeof *x->out, s, target, to);
	x->source = mailbox_ref(mailbox_itself(m));
	x->reader = m->of ? mailbox_ref(m) : NULL;
	x->target = account_ref(target);
	numset_copy(&x->left, uids);
	return x;
}

struct op *across_op(struct across *x)
{
	return &x->out->e.op;
}

void across_copy(struct across *x, struct span path, bool move, uint64_t without,
		 struct span user)
{
	x->user = user;
	x->path = path;
	x->is_move = move;
	x->without = without;
}

static void append_done(struct op *op, void *owner)
{
	written(owner, STORE_OP(op));
}

struct op_to across_append_to(struct across *x)
{
	return (struct op_to){ x->store->workers, append_done, x };
}

void across_append(struct across *x, struct store_op *append)
{
	x->append = append;
	x->is_move = true;
}

enum err across_mark(struct across *x, struct change *c)
{
	return moving_mark(c, &x->id);
}

struct op *across_start(struct across *x)
{
	struct op *out = across_op(x);
	if (store_background(x->store, 1)) {
		pick(x);
	} else {
		store_background_more(x->store);
		end(x, ERR_CLOSED);
	}
	return out;
}
