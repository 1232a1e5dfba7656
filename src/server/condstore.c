/* Mod-sequences: who is told of them, and what a client has missed (RFC 7162). */
#include "server/condstore.h"

#include "server/reply.h"

void condstore_enable(struct cmd *cmd)
{
	struct session *s = cmd->session;
	bool was_on = session_condstore(s);

	s->enabled |= CONDSTORE_IMPLIED;
	if (!was_on && s->selected)
		untagged_ok(cmd, condstore_highest(cmd),
			    "Highest modification sequence.");
}

/* Not of `told`: what has gone since `view` was not said yet (section 3.2). */
const char *condstore_highest(struct cmd *cmd)
{
	uint64_t modseq = view_modseq(cmd->session->selected->view);

	return arena_printf(cmd->arena, "HIGHESTMODSEQ %llu", (unsigned long long)modseq);
}

bool condstore_value(struct cmd *cmd, struct span value, uint64_t *ret_modseq)
{
	struct cursor c;
	uint64_t modseq;

	if (!value.p)
		return false;
	c = cursor_on(&cmd->cur, value);
	modseq = cursor_number64(&c);
	if (!cursor_rest_empty(&c))
		return false;
	*ret_modseq = modseq;
	return true;
}

void condstore_put(struct cmd *cmd, uint64_t modseq, struct buf *out)
{
	buf_putc(out, '(');
	buf_put_u64(out, modseq);
	buf_putc(out, ')');
	cmd->told_modseq = true;
}

struct op *resync_look(struct cmd *cmd, const struct resync *r)
{
	struct selected *sel = cmd->session->selected;

	if (r->since >= view_modseq(sel->view))
		return NULL;
	return mailbox_expunged(sel->mailbox, r->since, cmd_to(cmd));
}

/* Of a range the UIDs that the client's view does not have. */
static void add_absent(const struct view *v, struct numrange range, struct numset *to)
{
	uint32_t seq = view_seq_from(v, range.lo);
	uint64_t at = range.lo;
	struct view_msg m[64];
	size_t n;

	while (seq && at <= range.hi && (n = view_walk(v, seq, m, 64)) > 0) {
		for (size_t i = 0; i < n && m[i].uid <= range.hi; i++) {
			if (m[i].uid > at)
				numset_add_range(to, (uint32_t)at, m[i].uid - 1);
			at = (uint64_t)m[i].uid + 1;
		}
		if (m[n - 1].uid > range.hi)
			break;
		seq += (uint32_t)n;
	}
	if (at <= range.hi)
		numset_add_range(to, (uint32_t)at, range.hi);
}

/*
 * The history may name too much: only what was there once and is not in the client's view
 * is told. What has gone behind its view is told by the report, without EARLIER.
 */
void resync_vanished(struct cmd *cmd, const struct resync *r)
{
	const struct view *v = cmd->session->selected->view;
	struct numset gone = { 0 }, told = { 0 };

	numset_copy(&gone, op_source_uids(cmd->op));
	numset_intersect(&gone, &r->uids);
	if (r->known_upto)
		numset_remove_range(&gone, 1, r->known_upto);
	numset_remove_range(&gone, view_uidnext(v), UINT32_MAX);
	for (size_t i = 0; i < gone.n; i++)
		add_absent(v, gone.r[i], &told);
	if (told.n) {
		struct buf *out = cmd_out(cmd);

		buf_puts(out, "* VANISHED (EARLIER) ");
		numset_print(&told, out);
		buf_puts(out, "\r\n");
	}
	numset_done(&gone);
	numset_done(&told);
}
