/* ENABLE (RFC 5161; RFC 9051 section 6.3.1). Ends with the session (RFC 8437
 * section 4.1). */
#include "server/reply.h"

static const struct extension *find(struct span name)
{
	for (size_t i = 0; server_extensions[i]; i++) {
		const struct extension *e = server_extensions[i];

		if (e->enable && span_ieq(span_str(e->enable), name))
			return e;
	}
	return NULL;
}

static enum verdict run(struct cmd *cmd)
{
	struct buf list = { 0 };
	unsigned on = 0;
	struct span word;

	do {
		cursor_sp(&cmd->cur);
		word = cursor_atom(&cmd->cur);
		const struct extension *e = cmd->cur.bad ? NULL : find(word);

		/* Names that are not known, or on already, are passed over (section 3.1).
		 */
		if (e && !((on | cmd->session->enabled) & e->enable_bit)) {
			on |= e->enable_bit;
			buf_putc(&list, ' ');
			buf_puts(&list, e->enable);
		}
	} while (!cmd->cur.bad && !cursor_at_end(&cmd->cur));
	if (!cursor_end(&cmd->cur)) {
		buf_done(&list);
		return reply_syntax(cmd);
	}
	cmd->session->enabled |= on;
	untagged(cmd, "ENABLED%.*s", (int)list.n, list.p ? list.p + list.off : "");
	buf_done(&list);
	return reply_done(cmd);
}

/* RFC 5161 section 3.1: only in authenticated state; RFC 9051 section 6.3.1 too. */
static const struct command commands[] = {
	{ "ENABLE", IN_AUTH, 0, run },
	{ 0 },
};
const struct extension ext_enable = {
	.name = "ENABLE",
	.rfc = "RFC 5161",
	.about = "turns on what changes the server's answers",
	.capability = "ENABLE",
	.states = IN_LOGGED_IN,
	.commands = commands,
};
