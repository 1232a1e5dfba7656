/* STORE and UID STORE (RFC 9051 section 6.4.6), UNCHANGEDSINCE (RFC 7162 section 3.1.3). */
#include "server/condstore.h"
#include "server/message_limit.h"
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
	bool is_conditional;
	uint64_t unchangedsince;
	struct numset modified;
};

static const enum flag_change flag_changes[] = {
	[STORE_SET] = FLAGS_SET,
	[STORE_ADD] = FLAGS_ADD,
	[STORE_REMOVE] = FLAGS_REMOVE,
};

static void state_done(void *arg)
{
	struct store_state *st = arg;

	numset_done(&st->uids);
	numset_done(&st->modified);
}

/* "MODIFIED 7,9": numbers, or of UID STORE UIDs; NULL when none failed. */
static const char *modified_code(struct cmd *cmd)
{
	struct store_state *st = cmd->state;
	struct numset seqs = { 0 };
	struct buf b = { 0 };
	const char *code;

	if (!st->modified.n)
		return NULL;
	if (!cmd->uid)
		view_numbers(cmd->session->selected->view, &st->modified, &seqs);
	buf_puts(&b, "MODIFIED ");
	numset_print(cmd->uid ? &st->modified : &seqs, &b);
	code = arena_printf(cmd->arena, "%.*s", (int)b.n, b.p + b.off);
	buf_done(&b);
	numset_done(&seqs);
	return code;
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
	st->silent = (struct report_silent){ .uids = &st->uids,
					     .how = st->how,
					     .flags = &st->flags,
					     .is_answered = st->is_conditional };
	if (st->is_conditional)
		numset_copy(&st->modified, op_modified(cmd->op));
	if (!st->args.silent) {
		cmd->mark = &st->uids;
	} else {
		numset_remove_set(&st->uids, &st->modified);
		cmd->silent = &st->silent;
		/* So that the client need not ask why they failed (Example 10). */
		cmd->mark = &st->modified;
	}
	return reply_done_code(cmd, modified_code(cmd));
}

/* False: the reply is set. */
static bool read_modifiers(struct cmd *cmd)
{
	struct store_state *st = cmd->state;
	const struct wire_params *p = &st->args.modifiers;

	st->unchangedsince = UINT64_MAX;
	if (p->n == 0)
		return true;
	if (p->n > 1 || !span_ieq(p->v[0].name, SPAN("UNCHANGEDSINCE"))) {
		reply_bad(cmd, "UNCHANGEDSINCE is the only STORE modifier known here, once.");
		return false;
	}
	if (!condstore_value(cmd, p->v[0].value, &st->unchangedsince)) {
		reply_bad(cmd, "UNCHANGEDSINCE wants a modification sequence.");
		return false;
	}
	st->is_conditional = true;
	return true;
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
	if (!read_modifiers(cmd))
		return CMD_DONE;
	if (sel->read_only)
		return reply_no(cmd, "READ-ONLY", "The mailbox was opened read-only.");
	if (selected_resolve(sel, &set, cmd->uid, &st->uids) != ERR_OK)
		return reply_bad(cmd, "There is no message of that number.");
	message_limit(cmd, &st->uids);
	cmd->tells_progress = true;
	if (st->is_conditional)
		condstore_enable(cmd);
	st->flags = (struct flag_names){ st->args.flags.system, st->args.flags.keywords,
					 st->args.flags.n_keywords };
	if (!place_filter_flags(&sel->place, &st->flags) ||
	    !place_may_flag(&sel->place))
		return reply_err(cmd, ERR_DENIED);
	st->how = flag_changes[st->args.how];
	return cmd_wait(cmd, ANSWER,
			messages_flag_known(sel->mailbox, &st->uids, st->how, &st->flags,
					    st->unchangedsince, sel->told, cmd_to(cmd)));
}

static const struct command commands[] = {
	{ "STORE", IN_SELECTED, CMD_UID | CMD_NUMBERS | CMD_NO_EXPUNGE, run },
	{ 0 },
};
const struct extension cmd_store = {
	.name = "STORE",
	.commands = commands,
};
