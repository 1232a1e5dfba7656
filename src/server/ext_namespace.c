/* NAMESPACE (RFC 2342; RFC 9051 section 6.3.10): personal mailboxes only, "/" between
 * levels. */
#include "server/reply.h"

void namespace_put(struct cmd *cmd)
{
	untagged(cmd, "NAMESPACE ((\"\" \"/\")) NIL NIL");
}

static enum verdict run(struct cmd *cmd)
{
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	namespace_put(cmd);
	return reply_done(cmd);
}

static const struct command commands[] = {
	{ "NAMESPACE", IN_LOGGED_IN, 0, run },
	{ 0 },
};
const struct extension ext_namespace = {
	.name = "NAMESPACE",
	.rfc = "RFC 2342",
	.about = "where a user's mailboxes lie",
	.capability = "NAMESPACE",
	.states = IN_LOGGED_IN,
	.commands = commands,
};
