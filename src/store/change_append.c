/*
 * APPEND of one or more messages, all or none (RFC 9051 section 6.3.12, RFC 3502). Bodies
 * are written once, in the plan's first run; the rows that keep them in each. Messages with
 * many bytes of rows are added in parts (stage.h).
 */
#include <stdlib.h>

#include "store/across.h"
#include "store/attrs.h"
#include "store/flags.h"
#include "store/incoming.h"
#include "store/seen.h"
#include "store/stage.h"

struct item {
	struct incoming *body;
	struct flags flags;
	int64_t internal_date;
	int16_t zone_min;
};

struct append_op {
	struct store_op o;
	struct item *items;
	size_t n;
	struct span
	    *more; /* further mailboxes, each of which gets all; canonical, malloc'd */
	size_t n_more;
	uint32_t replaces; /* a UID of o.mailbox; 0: none */
	struct arena *arena;	/* of the mark; NULL: there is none */
	struct attr_edit mark;
	struct across *across; /* it is the second step of that; or NULL */
	struct span user;   /* whose \Seen it is; malloc'd, none: the mailbox's */
	struct numset seen; /* those that he has seen */
	size_t n_waiting;  /* items with a piece under way, and one for the start */
};

static enum err keep(struct change *c, const struct incoming *in)
{
	struct key k = key_body(KEY_SUMMARY, incoming_body(in));
	txn_put(c->t, key_span(&k), incoming_summary(in));
	k = key_body(KEY_WORDS, incoming_body(in));
	if (incoming_words(in).n > 0)
		txn_put(c->t, key_span(&k), incoming_words(in));
	return incoming_keep(in, c->t);
}

/* Dates and sizes are kept in 48 bits. */
static int64_t date48(int64_t s)
{
	const int64_t max = ((int64_t)1 << 47) - 1;
	return s > max ? max : s < -max ? -max : s;
}

static enum err add_item(struct append_op *x, struct change *c, struct box *b,
			 const struct item *i, bool is_first)
{
	struct store_op *o = &x->o;
	struct flag_bits bits;
	uint32_t uid;
	enum err rc = flags_resolve(&i->flags, b, true, txn_arena(c->t), &bits);
	if (rc != ERR_OK)
		return rc;
	bool is_seen = x->user.n > 0 && bits.word & FLAG_SEEN;
	if (is_seen)
		bits.word &= ~(uint64_t)FLAG_SEEN;
	struct new_message m = { .flags = bits.word,
				 .overflow = bits.overflow,
				 .n_overflow = bits.n_overflow };
	m.info = (struct view_info){ .bytes = incoming_bytes(i->body),
				     .internal_date = date48(i->internal_date),
				     .save_date = o->now_s,
				     .zone_min = i->zone_min,
				     .body = incoming_body(i->body) };
	memcpy(m.info.email_id, m.info.body.b, sizeof m.info.email_id);
	memcpy(m.info.thread_id, incoming_thread_id(i->body), sizeof m.info.thread_id);
	rc = box_add(b, &m, &uid);
	if (rc == ERR_OK && is_seen)
		numset_add(&x->seen, uid);
	if (rc == ERR_OK && is_first)
		numset_add(&o->target, uid);
	else if (rc == ERR_OK)
		change_body(c, m.info.body, 1);
	return rc;
}

/* Into one more mailbox. */
static enum err add_more(struct append_op *x, struct change *c, struct span path)
{
	struct box *b;
	enum err rc = change_box_named(c, path, &b);
	for (size_t i = 0; i < x->n && rc == ERR_OK; i++)
		rc = add_item(x, c, b, &x->items[i], false);
	return rc;
}

/* REPLACE: the message that goes. */
static enum err take_out(struct store_op *o, struct change *c, uint32_t uid)
{
	struct box *from;
	struct view *v;
	struct chunk_edit *e;
	enum err rc = change_box(c, o->mailbox->number, &from);
	if (rc == ERR_OK)
		rc = box_view(from, &v);
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_CLOSED : rc;
	struct numset left = { 0 };
	if (view_seq(v, uid))
		numset_add(&left, uid);
	moving_leave_out(c, from->number, &left);
	bool is_there = left.n > 0;
	numset_done(&left);
	view_unref(v);
	if (!is_there)
		return ERR_CLOSED;
	rc = box_edit(from, chunk_of(uid), &e);
	return rc == ERR_OK ? box_remove(from, e, chunk_slot(uid)) : rc;
}

/* Lets go of what earlier parts have kept, and writes what this one will keep: o->next is
 * the item that the next part begins with. */
static enum err finish_part(struct append_op *x)
{
	struct store_op *o = &x->o;
	size_t bytes = 0, most = (size_t)o->store->commit_chunks * STORE_CHUNK_BYTES;
	enum err rc = ERR_OK;
	for (size_t i = 0; i < o->from; i++) {
		incoming_free(x->items[i].body);
		x->items[i].body = NULL;
	}
	for (size_t i = o->from; i < x->n && rc == ERR_OK; i++) {
		const struct incoming *in = x->items[i].body;
		if (i > o->from && bytes > most) {
			o->next = (uint32_t)i;
			break;
		}
		rc = incoming_finish(x->items[i].body);
		bytes += incoming_summary(in).n + incoming_words(in).n;
	}
	return rc;
}

static enum err append_plan(struct store_op *o, struct change *c)
{
	struct append_op *x = (struct append_op *)(void *)o;
	struct box *b;
	bool did_mark;
	enum err rc = change_box_named(c, o->path, &b);
	if (rc == ERR_OK)
		rc = finish_part(x);
	if (rc == ERR_OK)
		rc = stage_join(c, b, o->next > 0);
	if (rc != ERR_OK)
		return rc;
	o->uidvalidity = b->h.uidvalidity;
	if (o->from == 0)
		numset_copy(&x->seen, &(struct numset){ 0 });
	if (x->replaces)
		rc = take_out(o, c, x->replaces);
	else if (x->across)
		rc = across_mark(x->across, c);
	size_t end = o->next ? o->next : x->n;
	for (size_t i = o->from; i < end && rc == ERR_OK; i++) {
		rc = keep(c, x->items[i].body);
		if (rc == ERR_OK)
			rc = add_item(x, c, b, &x->items[i], true);
	}
	if (rc == ERR_OK && !o->next) /* a part must not show it (stage.h) */
		rc = own_set_all(b, x->user, &x->seen);
	for (size_t i = 0; i < x->n_more && rc == ERR_OK; i++)
		rc = add_more(x, c, x->more[i]);
	if (x->arena && rc == ERR_OK && o->next == 0) /* of parts the last */
		rc = change_attr_set(c, &x->mark, &did_mark);
	return rc;
}

static void append_free(struct store_op *o)
{
	struct append_op *x = (struct append_op *)(void *)o;
	for (size_t i = 0; i < x->n; i++) {
		incoming_free(x->items[i].body);
		flags_done(&x->items[i].flags);
	}
	free(x->items);
	free((void *)(uintptr_t)x->user.p);
	numset_done(&x->seen);
	for (size_t i = 0; i < x->n_more; i++)
		free((void *)(uintptr_t)x->more[i].p);
	free(x->more);
	arena_free(x->arena);
}

/* On home. */
static void one_idle(void *arg)
{
	struct append_op *x = arg;
	if (--x->n_waiting == 0)
		op_start(&x->o);
}

/* All names to canonical ones. */
static enum err take_paths(struct append_op *x, const struct span *paths, size_t n)
{
	enum err rc = op_path(paths[0], false, &x->o.path);
	x->more = n > 1 ? xcalloc(n - 1, sizeof *x->more) : NULL;
	for (size_t i = 1; i < n && rc == ERR_OK; i++) {
		rc = op_path(paths[i], false, &x->more[x->n_more]);
		x->n_more += rc == ERR_OK;
	}
	return rc;
}

static struct append_op *append_new(struct account *a, const struct append_item *items,
				    size_t n, struct op_to to)
{
	struct append_op *x = op_new(sizeof *x, a->store, a, to);
	x->o.plan = append_plan;
	x->o.e.needs_room = true;
	x->o.free_more = append_free;
	x->n = n;
	x->items = xcalloc(n, sizeof *x->items);
	if (items[0].flags.user.n > 0) {
		struct span user = items[0].flags.user;
		char *p = xmalloc(user.n);
		memcpy(p, user.p, user.n);
		x->user = span_of(p, user.n);
	}
	for (size_t i = 0; i < n; i++) {
		x->items[i] = (struct item){ .body = items[i].body,
					     .internal_date = items[i].internal_date,
					     .zone_min = items[i].zone_min };
		flags_copy(&x->items[i].flags, &items[i].flags);
	}
	return x;
}

static struct op *append_start(struct append_op *x, const struct span *paths,
			       size_t n_paths)
{
	if (take_paths(x, paths, n_paths) != ERR_OK)
		return op_fail(&x->o, ERR_NOENT);
	x->n_waiting = x->n + 1;
	for (size_t i = 0; i < x->n; i++)
		incoming_when_idle(x->items[i].body, one_idle, x);
	one_idle(x);
	return &x->o.e.op;
}

struct op *messages_append_marked(struct account *a, struct span path,
				  struct append_item *items, size_t n,
				  const struct attr_edit *mark, struct op_to to)
{
	struct append_op *x = append_new(a, items, n, to);
	if (mark) {
		x->arena = arena_new(NULL);
		x->mark = *mark;
		x->mark.key.user = SPAN_NONE;
		x->mark.key.name = arena_dup(x->arena, mark->key.name);
		x->mark.value = arena_dup(x->arena, mark->value);
	}
	return append_start(x, &path, 1);
}

struct op *messages_append(struct account *a, struct span path, struct append_item *items,
			   size_t n, struct op_to to)
{
	return messages_append_marked(a, path, items, n, NULL, to);
}

struct op *messages_deliver(struct account *a, const struct span *paths, size_t n_paths,
			    struct append_item *item, struct op_to to)
{
	return append_start(append_new(a, item, 1, to), paths, n_paths);
}

static void across_idle(void *arg)
{
	across_start(arg);
}

static struct op *replace_across(struct mailbox *m, uint32_t uid, struct account *a,
				 struct span path, struct append_item *item,
				 struct op_to to)
{
	struct numset uids = { 0 };
	numset_add(&uids, uid);
	struct across *across = across_new(m, &uids, a, to);
	numset_done(&uids);
	struct append_op *x = append_new(a, item, 1, across_append_to(across));
	struct op *op = across_op(across);
	x->across = across;
	if (take_paths(x, &path, 1) != ERR_OK)
		x->o.path = SPAN_NONE; /* no mailbox has that name */
	across_append(across, &x->o);
	incoming_when_idle(x->items[0].body, across_idle, across);
	return op;
}

struct op *messages_replace(struct mailbox *m, uint32_t uid, struct account *a,
			    struct span path, struct append_item *item, struct op_to to)
{
	if (a != m->account)
		return replace_across(m, uid, a, path, item, to);
	struct append_op *x = append_new(m->account, item, 1, to);
	x->o.mailbox = mailbox_ref(mailbox_itself(m));
	x->replaces = uid;
	return append_start(x, &path, 1);
}
