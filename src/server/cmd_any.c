/* Commands of every state: CAPABILITY, NOOP, LOGOUT (RFC 9051 section 6.1). */
#include "server/capability.h"
#include "server/reply.h"

static enum verdict run_capability(struct cmd *cmd)
{
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	buf_puts(cmd_out(cmd), "* ");
	capability_put(cmd->conn, cmd->session->state, cmd_out(cmd));
	buf_puts(cmd_out(cmd), "\r\n");
	return reply_done(cmd);
}

static enum verdict run_noop(struct cmd *cmd)
{
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	return reply_done(cmd);
}

static enum verdict run_logout(struct cmd *cmd)
{
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	untagged_bye(cmd, "Good bye.");
	reply_done(cmd);
	return CMD_CLOSE;
}

static const struct command commands[] = {
	{ "CAPABILITY", IN_ANY, 0, run_capability },
	{ "NOOP", IN_ANY, 0, run_noop },
	{ "LOGOUT", IN_ANY, CMD_NO_REPORT, run_logout },
	{ 0 },
};
const struct extension cmd_any = {
	.name = "Base",
	.commands = commands,
};
