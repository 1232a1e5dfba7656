/* COPY and MOVE with their UID forms (RFC 9051 sections 6.4.7, 6.4.8; RFC 6851; COPYUID
 * of RFC 4315), also to what another user shares. */
#include "server/condstore.h"
#include "server/mailbox_name.h"
#include "server/message_limit.h"
#include "server/notify.h"
#include "server/place.h"
#include "server/quota.h"
#include "server/reply.h"
#include "server/report.h"
#include "server/selected.h"

enum { PARSE, ANSWER };

/* "COPYUID validity from to"; NULL when nothing was left to copy. */
static const char *copyuid(struct cmd *cmd)
{
	struct buf b = { 0 };
	const char *code;

	if (numset_count(op_target_uids(cmd->op)) == 0)
		return NULL;
	notify_made(cmd, op_uidvalidity(cmd->op), op_target_uids(cmd->op));
	buf_printf(&b, "COPYUID %u ", op_uidvalidity(cmd->op));
	numset_print(op_source_uids(cmd->op), &b);
	buf_putc(&b, ' ');
	numset_print(op_target_uids(cmd->op), &b);
	code = arena_printf(cmd->arena, "%.*s", (int)b.n, b.p + b.off);
	buf_done(&b);
	return code;
}

static enum verdict answer(struct cmd *cmd, bool move)
{
	const struct place *to = cmd->state;
	const char *code;

	if (cmd->op->rc == ERR_CLOSED &&
	    mailbox_is_gone_now(cmd->session->selected->mailbox))
		return reply_err(cmd, ERR_NOENT); /* of the source: no TRYCREATE */
	if (cmd->op->rc != ERR_OK)
		return reply_err_target(cmd, cmd->op->rc);
	code = copyuid(cmd);
	if (code && !(move && place_same_account(to, &cmd->session->selected->place)))
		quota_warn(cmd, to->account);
	if (!move)
		return reply_ok(cmd, code, code ? "Copied." : "Nothing to copy.");
	/* RFC 6851 section 4.3: COPYUID goes out before the EXPUNGE responses. */
	if (code)
		untagged_ok(cmd, code, "Moved.");
	if (!code || !(cmd->session->enabled & ENABLED_QRESYNC))
		return reply_done(cmd);
	/* As for EXPUNGE (RFC 7162 section 3.2.7). */
	report(cmd);
	cmd->no_report = true;
	return reply_done_code(cmd, condstore_highest(cmd));
}

static enum verdict run(struct cmd *cmd, bool move)
{
	struct selected *sel = cmd->session->selected;
	struct numset uids = { 0 };
	struct seqset set;
	struct place *to;
	struct span name;
	struct op *op;

	if (cmd->step == ANSWER)
		return answer(cmd, move);
	to = ARENA_NEW(cmd->arena, struct place);
	cursor_sp(&cmd->cur);
	cursor_sequence_set(&cmd->cur, &set);
	cursor_sp(&cmd->cur);
	name = mailbox_name(cmd);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!place_find(cmd, name, RIGHT_I | PLACE_TARGET, to))
		return cmd->verdict;
	if (move && sel->read_only)
		return reply_no(cmd, "READ-ONLY", "The mailbox was opened read-only.");
	if (move && !place_may(&sel->place, RIGHT_T | RIGHT_E))
		return reply_err(cmd, ERR_DENIED);
	if (selected_resolve(sel, &set, cmd->uid, &uids) != ERR_OK) {
		numset_done(&uids);
		return reply_bad(cmd, "There is no message of that number.");
	}
	if (move)
		message_limit(cmd, &uids);
	else if (message_limit_refuses(cmd, numset_count(&uids), &uids)) {
		numset_done(&uids);
		return CMD_DONE;
	}
	cmd->tells_progress = true;
	cmd->state = to;
	op = messages_copy_to(sel->mailbox, &uids,
			      &(struct copy_target){ to->account, to->path,
						     place_locked(to), to->user },
			      move, cmd_to(cmd));
	numset_done(&uids);
	return cmd_wait(cmd, ANSWER, op);
}

static enum verdict run_copy(struct cmd *cmd)
{
	return run(cmd, false);
}

static enum verdict run_move(struct cmd *cmd)
{
	return run(cmd, true);
}

static const struct command commands[] = {
	{ "COPY", IN_SELECTED, CMD_UID | CMD_NUMBERS, run_copy },
	{ "MOVE", IN_SELECTED, CMD_UID | CMD_NUMBERS | CMD_TELLS, run_move },
	{ 0 },
};
const struct extension cmd_copy = {
	.name = "MOVE",
	.rfc = "RFC 6851",
	.about = "messages moved in one atomic command",
	.capability = "MOVE",
	.states = IN_LOGGED_IN,
	.commands = commands,
};
