/* CHECK, CLOSE, UNSELECT, EXPUNGE (RFC 9051 sections 6.4.1 to 6.4.3; RFC 3501 CHECK; RFC
 * 4315 UID EXPUNGE). */
#include "server/condstore.h"
#include "server/message_limit.h"
#include "server/reply.h"
#include "server/report.h"
#include "server/selected.h"

enum { PARSE, ANSWER };

/* What was acknowledged is durable already: nothing is left to do. */
static enum verdict run_check(struct cmd *cmd)
{
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	return reply_done(cmd);
}

static enum verdict run_unselect(struct cmd *cmd)
{
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	selected_end(cmd->session);
	return reply_done(cmd);
}

/* CLOSE expunges what was marked, silently, and never in a read-only mailbox. */
static enum verdict run_close(struct cmd *cmd)
{
	struct selected *sel = cmd->session->selected;

	/* A mailbox that is gone has nothing to expunge, and CLOSE no NO (section 6.4.1).
	 */
	if (cmd->step == ANSWER && cmd->op->rc != ERR_OK && cmd->op->rc != ERR_NOENT)
		return reply_err(cmd, cmd->op->rc);
	if (cmd->step == PARSE) {
		if (!cursor_end(&cmd->cur))
			return reply_syntax(cmd);
		if (!sel->read_only && place_may(&sel->place, RIGHT_E))
			return cmd_wait(
			    cmd, ANSWER,
			    messages_expunge(sel->mailbox, NULL, cmd_to(cmd)));
	}
	selected_end(cmd->session);
	return reply_done(cmd);
}

/* The report comes first: the code stands for all that it tells (RFC 7162 3.2.7, 3.2.9). */
static enum verdict expunged(struct cmd *cmd)
{
	if (cmd->op->rc != ERR_OK)
		return reply_err(cmd, cmd->op->rc);
	report(cmd);
	cmd->no_report = true;
	if (!(cmd->session->enabled & ENABLED_QRESYNC) || !op_source_uids(cmd->op)->n)
		return reply_done(cmd);
	return reply_done_code(cmd, condstore_highest(cmd));
}

/* The limit of UID EXPUNGE counts \Deleted messages; EXPUNGE has none (RFC 9738 3.1). */
static void limit_deleted(struct cmd *cmd, struct numset *uids)
{
	struct numset deleted = { 0 };

	view_match_flags(cmd->session->selected->told, FLAG_DELETED, FLAG_DELETED, &deleted);
	numset_intersect(uids, &deleted);
	numset_done(&deleted);
	message_limit(cmd, uids);
}

static enum verdict run_expunge(struct cmd *cmd)
{
	struct selected *sel = cmd->session->selected;
	struct numset uids = { 0 };
	struct op *op;

	if (cmd->step == ANSWER)
		return expunged(cmd);
	if (cmd->uid) {
		struct seqset set;

		cursor_sp(&cmd->cur);
		if (!cursor_sequence_set(&cmd->cur, &set) || !cursor_end(&cmd->cur))
			return reply_syntax(cmd);
		selected_resolve(sel, &set, true, &uids);
	} else if (!cursor_end(&cmd->cur)) {
		return reply_syntax(cmd);
	}
	if (sel->read_only) {
		numset_done(&uids);
		return reply_no(cmd, "READ-ONLY", "The mailbox was opened read-only.");
	}
	if (!place_may(&sel->place, RIGHT_E)) {
		numset_done(&uids);
		return reply_err(cmd, ERR_DENIED);
	}
	if (cmd->uid && cmd->server->config.limits.messages)
		limit_deleted(cmd, &uids);
	cmd->tells_progress = true;
	op = messages_expunge(sel->mailbox, cmd->uid ? &uids : NULL, cmd_to(cmd));
	numset_done(&uids);
	return cmd_wait(cmd, ANSWER, op);
}

static const struct command commands[] = {
	{ "CHECK", IN_SELECTED, 0, run_check },
	{ "CLOSE", IN_SELECTED, CMD_NO_REPORT | CMD_LEAVES, run_close },
	{ "UNSELECT", IN_SELECTED, CMD_NO_REPORT | CMD_LEAVES, run_unselect },
	{ "EXPUNGE", IN_SELECTED, CMD_UID | CMD_TELLS, run_expunge },
	{ 0 },
};
const struct extension cmd_close = {
	.name = "UNSELECT",
	.rfc = "RFC 3691",
	.about = "leave a mailbox without expunging",
	.capability = "UNSELECT",
	.states = IN_LOGGED_IN,
	.commands = commands,
};
const struct extension ext_uidplus = {
	.name = "UIDPLUS",
	.rfc = "RFC 4315",
	.about = "UID EXPUNGE, and the UIDs of what was appended or copied",
	.capability = "UIDPLUS",
	.states = IN_LOGGED_IN,
};
