/* STORE and UID STORE (RFC 9051 section 6.4.6). */
#include "server/reply.h"
#include "server/report.h"
#include "server/selected.h"
#include "wire/fetch.h"

enum { PARSE, ANSWER };

struct store_state {
	struct numset uids;
	struct store_args args;
	struct flag_names flags;
	enum flag_change how;
	struct report_silent silent;
};

static const enum flag_change flag_changes[] = {
	[STORE_SET] = FLAGS_SET,
	[STORE_ADD] = FLAGS_ADD,
	[STORE_REMOVE] = FLAGS_REMOVE,
};

static void state_done(void *arg)
{
	numset_done(&((struct store_state *)arg)->uids);
}

/*
 * Answers come from the report (report.h): every message of the command is told,
 * or with .SILENT none of them, unless another session changed it as well.
 */
static enum verdict answer(struct cmd *cmd)
{
	struct store_state *st = cmd->state;

	if (cmd->op->rc != ERR_OK)
		return reply_err(cmd, cmd->op->rc);
	st->silent = (struct report_silent){ &st->uids, st->how, &st->flags };
	if (st->args.silent)
		cmd->silent = &st->silent;
	else
		cmd->mark = &st->uids;
	return reply_done(cmd);
}

static enum verdict run(struct cmd *cmd)
{
	struct selected *sel = cmd->session->selected;
	struct store_state *st;
	struct seqset set;

	if (cmd->step == ANSWER)
		return answer(cmd);
	st = cmd->state = ARENA_NEW(cmd->arena, struct store_state);
	arena_defer(cmd->arena, state_done, st);
	cursor_sp(&cmd->cur);
	cursor_sequence_set(&cmd->cur, &set);
	if (!cursor_store_args(&cmd->cur, &st->args) || !cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (st->args.modifiers.n)
		return reply_bad(cmd, "No STORE modifier is known here.");
	if (sel->read_only)
		return reply_no(cmd, "READ-ONLY", "The mailbox was opened read-only.");
	if (selected_resolve(sel, &set, cmd->uid, &st->uids) != ERR_OK)
		return reply_bad(cmd, "There is no message of that number.");
	st->flags = (struct flag_names){ st->args.flags.system, st->args.flags.keywords,
					 st->args.flags.n_keywords };
	st->how = flag_changes[st->args.how];
	return cmd_wait(cmd, ANSWER,
			messages_flag(sel->mailbox, &st->uids, st->how, &st->flags,
				      UINT64_MAX, cmd_to(cmd)));
}

static const struct command commands[] = {
	{ "STORE", IN_SELECTED, CMD_UID | CMD_NO_EXPUNGE, run },
	{ 0 },
};
const struct extension cmd_store = {
	.name = "STORE",
	.commands = commands,
};
