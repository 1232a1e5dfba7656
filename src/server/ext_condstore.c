/*
 * CONDSTORE and QRESYNC (RFC 7162): their parameters of SELECT and EXAMINE. The rest lies
 * where FETCH, STORE, SEARCH, STATUS and EXPUNGE are; condstore.h has what they share.
 */
#include "server/condstore.h"
#include "server/reply.h"
#include "server/report.h"

/* ---- SELECT (CONDSTORE) ---- */

static bool read_condstore(struct cmd *cmd, struct span value, void **ret_state)
{
	if (value.p) {
		reply_bad(cmd, "CONDSTORE takes no value.");
		return false;
	}
	return true;
}

/* The lines of SELECT say HIGHESTMODSEQ to a session that is aware already. */
static enum verdict selected_condstore(struct cmd *cmd, void *state)
{
	condstore_enable(cmd);
	return CMD_DONE;
}

/* ---- SELECT (QRESYNC (...)) ---- */

struct qresync {
	uint32_t uidvalidity;
	struct resync resync;
	bool has_known, has_looked, is_told;
	struct numset seqs, uids; /* sequence match data */
	struct numset changed;
	struct numset_iter it;
};

static void qresync_done(void *arg)
{
	struct qresync *q = arg;

	numset_done(&q->resync.uids);
	numset_done(&q->seqs);
	numset_done(&q->uids);
	numset_done(&q->changed);
}

/* A set without "*" and "$"; `ascending`: as section 3.2.5.2 wants it. */
static bool read_set(struct cursor *c, bool ascending, struct numset *to)
{
	struct seqset set;
	uint32_t last = 0;

	if (!cursor_sequence_set(c, &set))
		return false;
	if (set.saved || seqset_has_star(&set))
		return cursor_fail(c, "a set without * and $ was expected");
	for (size_t i = 0; ascending && i < set.n; i++) {
		if (set.r[i].a <= last || set.r[i].b < set.r[i].a)
			return cursor_fail(c, "an ascending set was expected");
		last = set.r[i].b;
	}
	seqset_resolve(&set, 0, to);
	return true;
}

static void read_match_data(struct cursor *c, struct qresync *q)
{
	cursor_list_open(c);
	read_set(c, true, &q->seqs);
	cursor_sp(c);
	read_set(c, true, &q->uids);
	cursor_list_close(c);
	if (numset_count(&q->seqs) != numset_count(&q->uids))
		cursor_fail(c, "as many numbers as UIDs were expected");
}

static bool refuse(struct cmd *cmd, const char *text)
{
	reply_bad(cmd, text);
	return false;
}

static bool read_qresync(struct cmd *cmd, struct span value, void **ret_state)
{
	struct qresync *q = ARENA_NEW(cmd->arena, struct qresync);
	struct cursor c = cursor_on(&cmd->cur, value);
	bool has_match = false;

	arena_defer(cmd->arena, qresync_done, q);
	if (!(cmd->session->enabled & ENABLED_QRESYNC))
		return refuse(cmd, "ENABLE QRESYNC comes first.");
	if (!value.p)
		return refuse(cmd,
			      "QRESYNC wants UIDVALIDITY and a modification sequence.");
	cursor_list_open(&c);
	q->uidvalidity = cursor_nz_number(&c);
	cursor_sp(&c);
	q->resync.since = cursor_number64(&c);
	if (cursor_try_sp(&c) && cursor_peek(&c) != '(') {
		q->has_known = read_set(&c, false, &q->resync.uids);
		if (cursor_try_sp(&c))
			has_match = true;
	} else if (cursor_peek(&c) == '(') {
		has_match = true;
	}
	if (has_match)
		read_match_data(&c, q);
	cursor_list_close(&c);
	if (!cursor_rest_empty(&c))
		return refuse(cmd, "The value of QRESYNC is not well formed.");
	if (has_match && session_is_uidonly(cmd->session)) {
		reply_bad_code(cmd, "UIDREQUIRED",
			       "No message numbers may be sent after ENABLE UIDONLY.");
		return false;
	}
	*ret_state = q;
	return true;
}

/* The last pair that fits: nothing has gone up to there (section 3.2.5.2). */
static uint32_t known_upto(const struct qresync *q, const struct view *v)
{
	struct numset_iter seqs = numset_iter(&q->seqs), uids = numset_iter(&q->uids);
	uint32_t seq, uid, upto = 0;

	while (numset_next(&seqs, &seq) && numset_next(&uids, &uid) &&
	       seq <= view_count(v))
		if (view_get(v, seq).uid == uid)
			upto = uid;
	return upto;
}

static void tell_changed(struct cmd *cmd, uint32_t uid)
{
	struct selected *sel = cmd->session->selected;
	struct buf *out = cmd_out(cmd);
	struct view_msg m;
	uint32_t seq;

	if (!selected_message(sel, uid, &seq, &m))
		return;
	report_fetch_begin(cmd, out, seq, uid);
	if (!session_is_uidonly(cmd->session)) {
		buf_puts(out, "UID ");
		buf_put_u64(out, uid);
		buf_putc(out, ' ');
	}
	buf_puts(out, "FLAGS ");
	selected_flags(cmd, &m, out);
	buf_puts(out, " MODSEQ ");
	condstore_put(cmd, m.modseq, out);
	buf_puts(out, ")\r\n");
}

static enum verdict tell_changes(struct cmd *cmd, struct qresync *q)
{
	uint32_t uid;

	while (!cmd_must_drain(cmd)) {
		for (int n = 0; n < 64; n++) {
			if (!numset_next(&q->it, &uid))
				return CMD_DONE;
			tell_changed(cmd, uid);
		}
	}
	return cmd_drain(cmd, cmd->step);
}

static enum verdict selected_qresync(struct cmd *cmd, void *state)
{
	struct qresync *q = state;
	const struct view *v = cmd->session->selected->view;
	struct op *op;

	if (q->is_told)
		return tell_changes(cmd, q);
	/* Of another life of the mailbox nothing can be said (section 3.2.5). */
	if (q->uidvalidity != view_uidvalidity(v))
		return CMD_DONE;
	if (!q->has_looked) {
		q->has_looked = true;
		if (!q->has_known && view_uidnext(v) > 1)
			numset_add_range(&q->resync.uids, 1, view_uidnext(v) - 1);
		q->resync.known_upto = known_upto(q, v);
		op = resync_look(cmd, &q->resync);
		if (op)
			return cmd_wait(cmd, cmd->step, op);
	} else {
		if (cmd->op->rc != ERR_OK) {
			selected_end(cmd->session);
			return reply_err(cmd, cmd->op->rc);
		}
		resync_vanished(cmd, &q->resync);
	}
	view_changed_since(v, q->resync.since, &q->resync.uids, &q->changed);
	q->it = numset_iter(&q->changed);
	q->is_told = true;
	return tell_changes(cmd, q);
}

static const struct select_param condstore_params[] = {
	{ "CONDSTORE", read_condstore, selected_condstore },
	{ 0 },
};
static const struct select_param qresync_params[] = {
	{ "QRESYNC", read_qresync, selected_qresync },
	{ 0 },
};
const struct extension ext_condstore = {
	.name = "CONDSTORE",
	.rfc = "RFC 7162",
	.about = "changes of flags found by modification sequence; conditional STORE",
	.capability = "CONDSTORE",
	.states = IN_LOGGED_IN,
	.enable = "CONDSTORE",
	.enable_bit = ENABLED_CONDSTORE,
	.select_params = condstore_params,
};
const struct extension ext_qresync = {
	.name = "QRESYNC",
	.rfc = "RFC 7162",
	.about = "a mailbox brought up to date while it is selected",
	.capability = "QRESYNC",
	.states = IN_LOGGED_IN,
	.enable = "QRESYNC",
	.enable_bit = ENABLED_QRESYNC,
	.select_params = qresync_params,
};
