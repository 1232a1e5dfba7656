/* CREATE, DELETE, RENAME, SUBSCRIBE and STATUS as operations (RFC 9051 section 6.3). */
#include <stdlib.h>

#include "store/seen.h"

struct names_op {
	struct store_op o;
	unsigned special_use;
	bool on;
	uint32_t number; /* of the new mailbox, for the parts after the first */
};

static struct names_op *names_new(struct account *a, struct op_to to)
{
	struct names_op *x = op_new(sizeof *x, a->store, a, to);
	op_seed(&x->o);
	return x;
}

static enum err create_plan(struct store_op *o, struct change *c)
{
	struct names_op *x = (struct names_op *)(void *)o;
	uint32_t number;
	enum err rc = names_create(c, o->path, x->special_use, &number);
	if (rc == ERR_OK)
		op_make_id(o, number, o->mailbox_id);
	return rc;
}

struct op *mailbox_create(struct account *a, struct span path, unsigned special_use,
			  struct op_to to)
{
	struct names_op *x = names_new(a, to);
	x->special_use = special_use & 0xffff;
	x->o.plan = create_plan;
	x->o.e.needs_room = true;
	enum err rc = op_path(path, true, &x->o.path);
	return rc == ERR_OK ? op_start(&x->o) : op_fail(&x->o, rc);
}

static enum err delete_plan(struct store_op *o, struct change *c)
{
	struct box *b;
	uint32_t number;
	if (span_eq(o->path, SPAN("INBOX")))
		return ERR_DENIED;
	enum err rc = names_remove(c, o->path, &number);
	if (rc == ERR_OK)
		rc = change_box(c, number, &b);
	return rc == ERR_OK ? box_delete(b) : rc;
}

struct op *mailbox_delete(struct account *a, struct span path, struct op_to to)
{
	struct names_op *x = names_new(a, to);
	x->o.plan = delete_plan;
	if (op_path(path, false, &x->o.path) != ERR_OK)
		return op_fail(&x->o, ERR_NOENT);
	return op_start(&x->o);
}

static enum err rename_target(struct store_op *o, struct change *c, struct box **ret)
{
	struct names_op *x = (struct names_op *)(void *)o;
	enum err rc = ERR_OK;
	if (o->from == 0)
		rc = names_create(c, o->path2, 0, &x->number);
	return rc == ERR_OK ? change_box(c, x->number, ret) : rc;
}

/*
 * Its messages move to a new mailbox, very many in several commits as with MOVE; INBOX
 * and what lies below it stay.
 */
static enum err rename_inbox(struct store_op *o, struct change *c)
{
	struct box *from, *to;
	struct view *v;
	enum err rc = rename_target(o, c, &to);
	if (rc == ERR_OK)
		rc = change_box_named(c, o->path, &from);
	if (rc == ERR_OK && o->from == 0)
		rc = change_attrs_copy(c, from->number, to->number);
	if (rc == ERR_OK)
		rc = box_view(from, &v);
	if (rc != ERR_OK)
		return rc;
	struct numset part = { 0 }, source = { 0 }, target = { 0 };
	struct copying t = { .to = to };
	uid_part(o, v, NULL, &part);
	rc = copy_messages(&t, from, v, &part, true, &source, &target);
	numset_done(&part);
	numset_done(&source);
	numset_done(&target);
	view_unref(v);
	return rc;
}

static enum err rename_plan(struct store_op *o, struct change *c)
{
	if (span_eq(o->path, SPAN("INBOX")))
		return rename_inbox(o, c);
	return names_move(c, o->path, o->path2);
}

struct op *mailbox_rename(struct account *a, struct span from, struct span to_path,
			  struct op_to to)
{
	struct names_op *x = names_new(a, to);
	x->o.plan = rename_plan;
	if (op_path(from, false, &x->o.path) != ERR_OK)
		return op_fail(&x->o, ERR_NOENT);
	enum err rc = op_path(to_path, true, &x->o.path2);
	return rc == ERR_OK ? op_start(&x->o) : op_fail(&x->o, rc);
}

static enum err subscribe_plan(struct store_op *o, struct change *c)
{
	return names_subscribe(c, o->path, ((struct names_op *)(void *)o)->on);
}

struct op *mailbox_subscribe(struct account *a, struct span path, bool on,
			     struct op_to to)
{
	struct names_op *x = names_new(a, to);
	x->o.plan = subscribe_plan;
	x->on = on;
	enum err rc = op_path(path, true, &x->o.path);
	return rc == ERR_OK ? op_start(&x->o) : op_fail(&x->o, rc);
}

/* ---- STATUS ---- */

struct count {
	uint32_t from, n;
	enum err rc;
};

static bool count_row(void *arg, struct span key, struct span value)
{
	struct count *count = arg;
	uint32_t index;
	struct chunk *c;
	count->rc = key_index(key, &index) ? chunk_read(index, value, &c) : ERR_CORRUPT;
	if (count->rc != ERR_OK)
		return false;
	uint32_t before = index == chunk_of(count->from) ? chunk_slot(count->from) : 0;
	count->n += c->n - mask_rank(c->mask, before);
	chunk_unref(c);
	return true;
}

/* Messages that no session has claimed: most often none, else the last chunks. */
static enum err count_recent(struct change *c, uint32_t number,
			     const struct mailbox_header *h, uint32_t from, uint32_t *ret)
{
	struct count count = { .from = from };
	*ret = 0;
	if (from >= h->uidnext)
		return ERR_OK;
	struct key lo = key_in_mailbox(KEY_CHUNK, number, chunk_of(from)), hi;
	hi = key_of_mailbox(KEY_CHUNK, number);
	hi = key_after(&hi);
	enum err rc = txn_scan(c->t, key_span(&lo), key_span(&hi), count_row, &count);
	*ret = count.n;
	return rc == ERR_OK ? count.rc : rc;
}

static enum err status_of(struct change *c, uint32_t number, struct mailbox_status *s)
{
	struct mailbox_header h;
	struct keywords *k;
	enum err rc = mailbox_header_get(c->t, number, &h, &k);
	*s = (struct mailbox_status){ .mailbox = number };
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	keywords_unref(k);
	uint32_t from = h.first_recent;
	struct mailbox *m = account_mailbox(c->a, number);
	if (m) {
		uint32_t claimed = mailbox_recent(m, UINT32_MAX, false);
		from = claimed > from ? claimed : from;
		mailbox_unref(m);
	}
	*s = (struct mailbox_status){ .mailbox = number,
				      .exists = true,
				      .messages = h.exists,
				      .uidnext = h.uidnext,
				      .uidvalidity = h.uidvalidity,
				      .unseen = h.unseen,
				      .deleted = h.deleted,
				      .bytes = h.bytes,
				      .highestmodseq = h.modseq };
	return count_recent(c, number, &h, from, &s->recent);
}

static enum err deleted_bytes(struct change *c, struct mailbox_status *s)
{
	struct box *b;
	struct view *v;
	struct view_msg m[64];
	enum err rc = change_box(c, s->mailbox, &b);
	if (rc == ERR_OK)
		rc = box_view(b, &v);
	if (rc != ERR_OK)
		return rc;
	for (uint32_t seq = 1, n; (n = (uint32_t)view_walk(v, seq, m, 64)) > 0; seq += n)
		for (uint32_t i = 0; i < n; i++)
			s->deleted_bytes += m[i].flags & FLAG_DELETED ? m[i].info->bytes
								      : 0;
	view_unref(v);
	return ERR_OK;
}

static enum err as_seen(struct change *c, struct span user, struct mailbox_status *s)
{
	uint32_t seen;
	uint64_t modseq;
	enum err rc = own_status(c, s->mailbox, user, &seen, &modseq);
	if (rc != ERR_OK)
		return rc;
	s->unseen = s->messages - seen;
	if (modseq > s->highestmodseq)
		s->highestmodseq = modseq;
	return ERR_OK;
}

struct status_op {
	struct store_op o;
	bool with_deleted;
	struct span user; /* malloc'd; none: the mailbox's own \Seen */
	uint32_t *numbers;
};

static enum err status_plan(struct store_op *o, struct change *c)
{
	struct status_op *x = (struct status_op *)(void *)o;
	enum err rc = ERR_OK;
	for (size_t i = 0; i < o->n_status && rc == ERR_OK; i++) {
		struct mailbox_status *s = &o->status[i];
		rc = status_of(c, x->numbers[i], s);
		if (rc == ERR_OK && x->with_deleted && s->deleted > 0)
			rc = deleted_bytes(c, s);
		if (rc == ERR_OK && s->exists && x->user.n > 0)
			rc = as_seen(c, x->user, s);
	}
	return rc;
}

static void status_free(struct store_op *o)
{
	free(((struct status_op *)(void *)o)->numbers);
	free((void *)(uintptr_t)((struct status_op *)(void *)o)->user.p);
}

struct op *mailbox_status_as(struct account *a, const uint32_t *mailboxes, size_t n,
			     struct span user, bool with_deleted, struct op_to to)
{
	struct status_op *x = op_new(sizeof *x, a->store, a, to);
	x->o.plan = status_plan;
	x->o.free_more = status_free;
	x->o.n_status = n;
	x->with_deleted = with_deleted;
	x->o.status = xcalloc(n, sizeof *x->o.status);
	x->numbers = xcalloc(n, sizeof *x->numbers);
	if (n > 0)
		memcpy(x->numbers, mailboxes, n * sizeof *mailboxes);
	if (user.n > 0) {
		char *name = xmalloc(user.n);
		memcpy(name, user.p, user.n);
		x->user = span_of(name, user.n);
	}
	return op_start(&x->o);
}

struct op *mailbox_status(struct account *a, const uint32_t *mailboxes, size_t n,
			  struct op_to to)
{
	return mailbox_status_as(a, mailboxes, n, SPAN_NONE, false, to);
}

struct op *mailbox_status_deleted(struct account *a, const uint32_t *mailboxes, size_t n,
				  struct op_to to)
{
	return mailbox_status_as(a, mailboxes, n, SPAN_NONE, true, to);
}
