/*
 * Backup and restore, on the operator's socket (operator.h):
 *
 *	XBACKUP                   a snapshot in the directory of the store (store.h)
 *	XRESTORE account dir      the user's mail as it is in the store of a backup, where
 *	                          `account` is his; "* XRESTORE mailboxes messages bodies"
 *
 * A failure is "* XFAILED sentence" before the NO. Arguments and the sentence are
 *astrings.
 */
#include "server/operator.h"
#include "server/reply.h"
#include "store/store.h"

enum { START, ENDED };

static enum verdict failed(struct cmd *cmd)
{
	struct buf why = { 0 };
	struct span said = buf_span(op_bytes(cmd->op));
	emit_astring(&why, cmd_mode(cmd),
		     said.n ? said : span_str(err_text(cmd->op->rc)));
	untagged(cmd, "XFAILED %.*s", (int)why.n, why.p + why.off);
	buf_done(&why);
	return reply_err(cmd, cmd->op->rc);
}

static enum verdict run_backup(struct cmd *cmd)
{
	if (cmd->step == ENDED)
		return cmd->op->rc == ERR_OK ? reply_done(cmd) : failed(cmd);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	return cmd_wait(cmd, ENDED,
			store_snapshot_start(cmd->server->config.store, cmd_to(cmd)));
}

static enum verdict restored(struct cmd *cmd)
{
	if (cmd->op->rc != ERR_OK)
		return failed(cmd);
	const struct restored *r = op_restored(cmd->op);
	untagged(cmd, "XRESTORE %llu %llu %llu", (unsigned long long)r->mailboxes,
		 (unsigned long long)r->messages, (unsigned long long)r->copied);
	return reply_done(cmd);
}

static enum verdict run_restore(struct cmd *cmd)
{
	if (cmd->step == ENDED)
		return restored(cmd);
	cursor_sp(&cmd->cur);
	struct span name = cursor_astring(&cmd->cur);
	cursor_sp(&cmd->cur);
	struct span dir = cursor_astring(&cmd->cur);
	if (!cursor_end(&cmd->cur) || name.n == 0 || dir.n == 0 ||
	    memchr(dir.p, 0, dir.n))
		return reply_syntax(cmd);
	const char *path = arena_printf(cmd->arena, "%.*s", (int)dir.n, dir.p);
	return cmd_wait(cmd, ENDED,
			account_restore_start(cmd->session->account,
					      auth_account(&cmd->session->who), path,
					      name, cmd_to(cmd)));
}

static const struct command commands[] = {
	{ "XBACKUP", IN_ANY, CMD_OPERATOR, run_backup },
	{ "XRESTORE", IN_AUTH, CMD_OPERATOR, run_restore },
	{ 0 },
};

const struct extension ext_backup = {
	.name = "backup",
	.about = "backup and restore by the operator's tools",
	.commands = commands,
};
