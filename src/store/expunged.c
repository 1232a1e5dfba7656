/* What was expunged from a mailbox since a modseq, from rows KEY_VANISHED (RFC 7162
 * sections 3.2.6 and 5.3). */
#include "store/seen.h"

struct expunged_op {
	struct store_op o;
	uint64_t since;
};

struct expunged_scan {
	struct store_op *o;
	enum err rc;
};

static void all_uids(struct numset *to)
{
	numset_done(to);
	*to = (struct numset){ 0 };
	numset_add_range(to, 1, UINT32_MAX - 1);
}

/* A row without UIDs: what went up to then is forgotten. */
static bool expunged_row(void *arg, struct span key, struct span value)
{
	struct expunged_scan *x = arg;
	struct numset row = { 0 };
	x->rc = vanished_read(value, &row);
	if (x->rc == ERR_OK && row.n == 0)
		all_uids(&x->o->source);
	else if (x->rc == ERR_OK)
		numset_add_set(&x->o->source, &row);
	numset_done(&row);
	return x->rc == ERR_OK;
}

static enum err expunged_plan(struct store_op *o, struct change *c)
{
	struct expunged_op *x = (struct expunged_op *)(void *)o;
	struct expunged_scan scan = { .o = o };
	struct key first = key_of_mailbox(KEY_VANISHED, o->mailbox->number);
	struct key lo = key_vanished(o->mailbox->number, x->since + 1);
	struct key hi = key_after(&first);
	enum err rc = txn_scan(c->t, key_span(&lo), key_span(&hi), expunged_row, &scan);
	return rc == ERR_OK ? scan.rc : rc;
}

struct op *mailbox_expunged(struct mailbox *m, uint64_t since, struct op_to to)
{
	struct expunged_op *x = op_new(sizeof *x, m->account->store, m->account, to);
	x->o.mailbox = mailbox_ref(mailbox_itself(m));
	x->o.plan = expunged_plan;
	x->since = since;
	return op_start(&x->o);
}
