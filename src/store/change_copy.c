/*
 * EXPUNGE, COPY and MOVE (RFC 9051 sections 6.4.3, 6.4.7 and 6.4.8): bodies are shared.
 * EXPUNGE and MOVE of very many messages are several commits (op.h); each message is moved
 * as a whole or not at all (RFC 6851 section 3.3). So is COPY, but that is all or nothing:
 * nothing shows before the last (stage.h).
 */
#include <stdlib.h>

#include "store/across.h"
#include "store/seen.h"
#include "store/stage.h"

struct copy_op {
	struct store_op o;
	struct numset uids;
	bool has_uids, move;
	uint64_t without; /* bits of the flags word */
	struct mailbox *reader; /* who copies it; a reference, NULL: the owner */
	struct span user;	/* whose \Seen it is there; malloc'd, none: the mailbox's */
	struct numset seen;	/* those that he has seen */
};

static void copy_free(struct store_op *o)
{
	struct copy_op *x = (struct copy_op *)(void *)o;
	numset_done(&x->uids);
	numset_done(&x->seen);
	mailbox_unref(x->reader);
	free((void *)(uintptr_t)x->user.p);
}

static struct copy_op *copy_new(struct mailbox *m, const struct numset *uids,
				struct op_to to)
{
	struct copy_op *x = op_new(sizeof *x, m->account->store, m->account, to);
	x->o.mailbox = mailbox_ref(mailbox_itself(m));
	x->reader = m->of ? mailbox_ref(m) : NULL;
	x->o.free_more = copy_free;
	x->has_uids = uids != NULL;
	if (uids)
		numset_copy(&x->uids, uids);
	return x;
}

/* ---- EXPUNGE ---- */

static enum err expunge_plan(struct store_op *o, struct change *c)
{
	struct copy_op *x = (struct copy_op *)(void *)o;
	struct box *b;
	enum err rc = change_box(c, o->mailbox->number, &b);
	if (rc != ERR_OK)
		return rc;
	struct numset part = { 0 };
	uid_part(o, b->base, x->has_uids ? &x->uids : NULL, &part);
	struct uid_walk walk = uid_walk(b->base, &part);
	const struct chunk *chunk;
	uint64_t slots[4];
	while (rc == ERR_OK && uid_walk_next(&walk, &chunk, slots)) {
		if (chunk->deleted == 0)
			continue;
		struct chunk_edit *e;
		rc = box_edit(b, chunk->index, &e);
		for (uint32_t s = mask_next(slots, 0); s < CHUNK_UIDS && rc == ERR_OK;
		     s = mask_next(slots, s + 1)) {
			if (!(e->at[s].flags & FLAG_DELETED))
				continue;
			rc = box_remove(b, e, s);
			numset_add(&o->source, chunk->index * CHUNK_UIDS + s);
		}
	}
	numset_done(&part);
	return rc;
}

struct op *messages_expunge(struct mailbox *m, const struct numset *uids, struct op_to to)
{
	struct copy_op *x = copy_new(m, uids, to);
	x->o.plan = expunge_plan;
	return op_start(&x->o);
}

/* ---- COPY and MOVE ---- */

static enum err keyword_to(struct copying *t, uint32_t k, uint32_t *ret)
{
	if (t->is_same) {
		*ret = k;
		return ERR_OK;
	}
	if (k >= t->keywords->n)
		return ERR_CORRUPT;
	if (!t->number[k]) {
		enum err rc = box_keyword(t->to, t->keywords->at[k], true, &t->number[k]);
		if (rc != ERR_OK)
			return rc;
		t->number[k]++;
	}
	*ret = t->number[k] - 1;
	return ERR_OK;
}

/* Adds keyword k of the source to the message. */
static enum err add_keyword(struct copying *t, uint32_t k, struct new_message *m,
			    uint32_t *overflow)
{
	uint32_t to;
	enum err rc = keyword_to(t, k, &to);
	if (rc != ERR_OK)
		return rc;
	if (to < STORE_KEYWORDS_FLAGS)
		m->flags |= (uint64_t)1 << (8 + to);
	else
		overflow[m->n_overflow++] = to;
	return ERR_OK;
}

static enum err translate(struct copying *t, const struct chunk *c, uint32_t slot,
			  uint64_t flags, struct new_message *m, uint32_t *overflow)
{
	enum err rc = ERR_OK;
	m->overflow = overflow;
	if (t->has_last && t->last_from == flags && !c->overflow) {
		m->flags = t->last_to;
		return ERR_OK;
	}
	m->flags = flags & 0xff;
	for (uint64_t left = flags >> 8; left && rc == ERR_OK; left &= left - 1)
		rc = add_keyword(t, (uint32_t)__builtin_ctzll(left), m, overflow);
	for (size_t i = 0; c->overflow && !(t->without >> 8) && i < c->overflow->n &&
			   rc == ERR_OK;
	     i++)
		if (c->overflow->at[i] >> 16 == slot)
			rc = add_keyword(t, c->overflow->at[i] & 0xffff, m, overflow);
	t->has_last = m->n_overflow == 0 && !c->overflow;
	t->last_from = flags;
	t->last_to = m->flags;
	return rc;
}

/* One more row holds it. */
static enum err share_body(struct copying *t, struct view_info *info)
{
	change_body(t->to->c, info->body, 1);
	return ERR_OK;
}

static enum err copy_chunk(struct copying *t, const struct chunk *c,
			   const uint64_t slots[4], struct numset *ret_source,
			   struct numset *ret_target)
{
	struct change *change = t->to->c;
	uint32_t overflow[STORE_KEYWORDS];
	const struct seen_chunk *as = seen_find(t->as, c->index);
	for (uint32_t s = mask_next(slots, 0); s < CHUNK_UIDS;
	     s = mask_next(slots, s + 1)) {
		struct new_message m = { .info = *chunk_info(c, s) };
		/* RFC 8514 section 2: the date it came into this mailbox */
		m.info.save_date = change->op->now_s;
		uint32_t uid;
		uint64_t flags = c->at[mask_rank(c->mask, s)].flags;
		bool is_seen;
		if (t->as)
			flags = seen_flags(as, s, flags);
		flags &= ~t->without;
		is_seen = t->user.n > 0 && flags & FLAG_SEEN;
		if (is_seen)
			flags &= ~(uint64_t)FLAG_SEEN;
		enum err rc = translate(t, c, s, flags, &m, overflow);
		if (rc == ERR_OK)
			rc = t->body(t, &m.info);
		if (rc == ERR_OK)
			rc = box_add(t->to, &m, &uid);
		if (rc != ERR_OK)
			return rc;
		numset_add(ret_source, c->index * CHUNK_UIDS + s);
		numset_add(ret_target, uid);
		if (is_seen)
			numset_add(t->seen, uid);
	}
	return ERR_OK;
}

enum err copying_run(struct copying *t, const struct view *v, const struct numset *uids,
		     struct numset *ret_source, struct numset *ret_target)
{
	struct uid_walk walk = uid_walk(v, uids);
	const struct chunk *c;
	uint64_t slots[4];
	enum err rc = ERR_OK;
	while (rc == ERR_OK && uid_walk_next(&walk, &c, slots))
		rc = copy_chunk(t, c, slots, ret_source, ret_target);
	return rc;
}

enum err remove_messages(struct box *b, const struct view *v, const struct numset *uids)
{
	struct uid_walk walk = uid_walk(v, uids);
	const struct chunk *c;
	uint64_t slots[4];
	enum err rc = ERR_OK;
	while (rc == ERR_OK && uid_walk_next(&walk, &c, slots)) {
		struct chunk_edit *e;
		rc = box_edit(b, c->index, &e);
		for (uint32_t s = mask_next(slots, 0); s < CHUNK_UIDS && rc == ERR_OK;
		     s = mask_next(slots, s + 1))
			rc = box_remove(b, e, s);
	}
	return rc;
}

static enum err copy_these(struct copying *t, struct box *from, const struct view *v,
			   const struct numset *uids, bool move,
			   struct numset *ret_source, struct numset *ret_target)
{
	t->keywords = from->keywords;
	t->is_same = from == t->to;
	t->body = share_body;
	enum err rc = copying_run(t, v, uids, ret_source, ret_target);
	if (rc == ERR_OK && move)
		rc = remove_messages(from, v, uids);
	return rc;
}

enum err copy_messages(struct copying *t, struct box *from, const struct view *v,
		       const struct numset *uids, bool move, struct numset *ret_source,
		       struct numset *ret_target)
{
	struct numset left = { 0 };
	enum err rc;
	if (!move || !moving_has_claims(from->c, from->number))
		return copy_these(t, from, v, uids, move, ret_source, ret_target);
	/* those on their way to another account are as good as gone */
	if (uids)
		numset_copy(&left, uids);
	else
		numset_add_range(&left, 1, UINT32_MAX);
	moving_leave_out(from->c, from->number, &left);
	rc = copy_these(t, from, v, &left, move, ret_source, ret_target);
	numset_done(&left);
	return rc;
}

static enum err copy_plan(struct store_op *o, struct change *c)
{
	struct copy_op *x = (struct copy_op *)(void *)o;
	struct box *from, *to;
	enum err rc = change_box(c, o->mailbox->number, &from);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_CLOSED : rc; /* NOENT means the target */
	rc = change_box_named(c, o->path, &to);
	if (rc != ERR_OK)
		return rc;
	o->uidvalidity = to->h.uidvalidity;
	if (x->move || o->from == 0)
		numset_copy(&x->seen, &(struct numset){ 0 });
	/* what a part puts at the end of the same mailbox is not moved again */
	if (x->move && from == to && o->from == 0)
		numset_remove_range(&x->uids, from->h.uidnext, UINT32_MAX);
	struct numset part = { 0 };
	uid_part(o, from->base, &x->uids, &part);
	if (!x->move)
		rc = stage_join(c, to, o->next > 0);
	if (rc == ERR_OK && x->reader)
		rc = reader_load(c, x->reader);
	struct copying t = { .to = to,
			     .without = x->without,
			     .as = x->reader ? x->reader->seen_head : NULL,
			     .user = x->user,
			     .seen = &x->seen };
	if (rc == ERR_OK)
		rc = copy_messages(&t, from, from->base, &part, x->move, &o->source,
				   &o->target);
	if (rc == ERR_OK && (x->move || !o->next)) /* a part must not show it (stage.h) */
		rc = own_set_all(to, x->user, &x->seen);
	numset_done(&part);
	return rc;
}

struct op *messages_copy(struct mailbox *m, const struct numset *uids,
			 struct span to_path, bool move, struct op_to to)
{
	const struct copy_target target = { .account = m->account, .path = to_path };
	return messages_copy_to(m, uids, &target, move, to);
}

static struct span user_copy(struct span user)
{
	if (user.n == 0)
		return SPAN_NONE;
	char *p = xmalloc(user.n);
	memcpy(p, user.p, user.n);
	return span_of(p, user.n);
}

struct op *messages_copy_to(struct mailbox *m, const struct numset *uids,
			    const struct copy_target *target, bool move, struct op_to to)
{
	uint64_t without = flag_names_kept(target->locked);
	if (target->account != m->account) {
		struct across *x = across_new(m, uids, target->account, to);
		struct span path = SPAN_NONE; /* no mailbox has that name */
		op_path(target->path, false, &path);
		across_copy(x, path, move, without, user_copy(target->user));
		return across_start(x);
	}
	struct copy_op *x = copy_new(m, uids, to);
	x->o.plan = copy_plan;
	x->o.e.needs_room = !move;
	x->move = move;
	x->without = without;
	x->user = user_copy(target->user);
	if (op_path(target->path, false, &x->o.path) != ERR_OK)
		return op_fail(&x->o, ERR_NOENT);
	return op_start(&x->o);
}
