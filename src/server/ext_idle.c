/* IDLE (RFC 2177; RFC 9051 section 6.3.13): changes are told as they come, until DONE. */
#include "server/language.h"
#include "server/reply.h"
#include "server/report.h"

enum { PARSE, IDLING };

static enum verdict wait(struct cmd *cmd)
{
	cmd->step = IDLING;
	cmd->wait = WAIT_CHANGE;
	return CMD_WAIT;
}

static enum verdict run(struct cmd *cmd)
{
	if (cmd->step == PARSE) {
		if (!cursor_end(&cmd->cur))
			return reply_syntax(cmd);
		continuation(cmd, span_str(language_text(
					  cmd->session, "Idling; send DONE to end.")));
		report(cmd);
		return wait(cmd);
	}
	if (!cmd->line.p) {
		/* A client that does not read is told later, and then all at once. */
		if (cmd_must_drain(cmd))
			return cmd_drain(cmd, IDLING);
		report(cmd);
		return wait(cmd);
	}
	if (span_ieq(cmd->line, SPAN("DONE")))
		return reply_done(cmd);
	/* Also UNAUTHENTICATE: it is no command here, and nobody is logged out (D5). */
	return reply_bad(cmd, "DONE was expected; IDLE has ended.");
}

static const struct command commands[] = {
	{ "IDLE", IN_LOGGED_IN, 0, run },
	{ 0 },
};
const struct extension ext_idle = {
	.name = "IDLE",
	.rfc = "RFC 2177",
	.about = "changes told as they come",
	.capability = "IDLE",
	.states = IN_LOGGED_IN,
	.commands = commands,
};
