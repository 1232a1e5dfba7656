/* NAMESPACE (RFC 2342; RFC 9051 section 6.3.10): the user's own mailboxes, other users'
 * and shared ones, "/" between levels; prefixes translated for people (RFC 5255). */
#include "server/language.h"
#include "server/place.h"
#include "server/reply.h"

static void put_space(struct cmd *cmd, enum place_space space)
{
	struct span prefix = place_prefix(cmd->server, space);
	struct buf *out = cmd_out(cmd);

	if (prefix.n == 0) {
		buf_puts(out, " NIL");
		return;
	}
	buf_puts(out, " ((");
	emit_quoted(out, prefix);
	buf_puts(out, " \"/\"");
	if (space == PLACE_OTHER)
		language_put_translation(cmd->session, "Other Users/", out);
	else
		language_put_translation(cmd->session, "Shared/", out);
	buf_puts(out, "))");
}

void namespace_put(struct cmd *cmd)
{
	struct buf *out = cmd_out(cmd);

	buf_puts(out, "* NAMESPACE ((\"\" \"/\"))");
	put_space(cmd, PLACE_OTHER);
	put_space(cmd, PLACE_SHARED);
	buf_puts(out, "\r\n");
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
