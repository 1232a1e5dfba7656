/*
 * After a whole store was set back: every mailbox gets a new UIDVALIDITY and MAILBOXID,
 * since clients may know UIDs that the backup does not (RFC 9051 section 2.3.1.1, RFC
 * 8474 section 4), and what was expunged is forgotten with the old one.
 */
#include <stdlib.h>

#include "store/restore.h"

static bool delete_row(void *arg, struct span key, struct span value)
{
	txn_delete(arg, key);
	return true;
}

static enum err raise_mailbox(struct change *c, size_t i)
{
	struct box *b;
	uint32_t number = c->names->at[i]->mailbox;
	enum err rc = change_box(c, number, &b);
	if (rc == ERR_NOENT || rc == ERR_CORRUPT)
		return ERR_OK; /* store_check tells of it */
	if (rc == ERR_OK)
		rc = change_uidvalidity(c, &b->h.uidvalidity);
	if (rc != ERR_OK)
		return rc;
	op_make_id(c->op, number, b->h.id);
	names_identify(c, i, b->h.id);
	struct key lo = key_of_mailbox(KEY_VANISHED, number), hi = key_after(&lo);
	b->h.vanished_rows = 0;
	b->is_dirty = true;
	return txn_scan(c->t, key_span(&lo), key_span(&hi), delete_row, c->t);
}

struct raise_op {
	struct store_op o;
	struct account_header was;
};

static enum err raise_plan(struct store_op *o, struct change *c)
{
	const struct account_header *was = &((struct raise_op *)(void *)o)->was;
	enum err rc = ERR_OK;
	if (c->h.modseq < was->modseq)
		c->h.modseq = was->modseq;
	if (c->h.last_uidvalidity < was->last_uidvalidity)
		c->h.last_uidvalidity = was->last_uidvalidity;
	for (size_t i = 0; i < c->names->names.n && rc == ERR_OK; i++)
		if (c->names->at[i]->flags & NAME_EXISTS)
			rc = raise_mailbox(c, i);
	return rc;
}

struct raising {
	struct store *s, *was;
	struct waiting end;
	struct buf *why;
	enum err rc;
};

static enum err read_header(void *arg, struct txn *t)
{
	struct key k = key_account();
	struct span row;
	enum err rc = txn_get(t, key_span(&k), &row);
	return rc == ERR_OK ? account_header_read(row, arg) : rc;
}

/* What the account had given out in the store that is being replaced; the same id. */
static struct account_header last_given(struct raising *r, struct account_id id)
{
	struct account_header h = { 0 };
	if (!r->was || engine_read_now(r->was->engine, id, read_header, &h) != ERR_OK)
		h = (struct account_header){ 0 };
	return h;
}

static bool raise_account(void *arg, struct span name, struct account_id id)
{
	struct raising *r = arg;
	struct account *a = account_get(r->s, id);
	struct raise_op *x = waited_op(sizeof *x, a, raise_plan, &r->end);
	x->was = last_given(r, id);
	r->rc = waited_run(&x->o, ERR_OK, &r->end);
	account_unref(a);
	if (r->rc == ERR_NOENT) /* named, and never opened */
		r->rc = ERR_OK;
	if (r->rc != ERR_OK)
		buf_printf(r->why, "The account %.*s cannot be changed: %s.",
			   (int)(name.n < 64 ? name.n : 64), name.p, err_text(r->rc));
	return r->rc == ERR_OK;
}

enum err store_raise(struct store *s, struct store *was, struct buf *ret_why)
{
	struct raising r = { .s = s, .was = was, .why = ret_why };
	waiting_init(&r.end);
	enum err rc = engine_list(s->engine, SPAN_NONE, SIZE_MAX, raise_account, &r);
	waiting_done(&r.end);
	if (rc != ERR_OK)
		buf_printf(ret_why, "The names of the accounts cannot be read: %s.",
			   err_text(rc));
	return rc == ERR_OK ? r.rc : rc;
}
