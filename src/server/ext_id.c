/*
 * ID (RFC 2971): who the client says it is, for the log; nothing depends on it.
 * Kept over UNAUTHENTICATE and marked as given before (RFC 8437 section 3; D14);
 * forgotten at STARTTLS.
 */
#include <stdlib.h>

#include "server/reply.h"

enum { FIELDS_MAX = 30, TEXT_MAX = 400 }; /* RFC 2971 section 3.3: at most 30 fields */

/* Printable ASCII only: it goes to a log that people read. */
static void put_clean(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.n && b->n < TEXT_MAX; i++)
		buf_putc(b, s.p[i] >= ' ' && s.p[i] < 0x7f ? s.p[i] : '?');
}

static bool parse(struct cmd *cmd, struct buf *text)
{
	struct cursor *cur = &cmd->cur;
	struct span key, value;
	int n = 0;

	if (!cursor_sp(cur))
		return false;
	if (cursor_try_nil(cur))
		return cursor_end(cur);
	if (!cursor_char(cur, '('))
		return false;
	while (cursor_peek(cur) != ')' && !cur->bad) {
		if (n++ == FIELDS_MAX)
			return cursor_fail(cur, "at most 30 fields are taken");
		if (n > 1)
			cursor_sp(cur);
		key = cursor_string(cur);
		cursor_sp(cur);
		cursor_nstring(cur, &value);
		if (text->n)
			buf_putc(text, ' ');
		put_clean(text, key);
		buf_putc(text, '=');
		put_clean(text, value);
	}
	return cursor_char(cur, ')') && cursor_end(cur);
}

static enum verdict run(struct cmd *cmd)
{
	struct conn *c = cmd->conn;
	struct buf text = { 0 };
	/* before a login it is that login's */
	unsigned epoch = cmd->session->epoch ? cmd->session->epoch : c->epoch + 1;

	if (!parse(cmd, &text)) {
		buf_done(&text);
		return reply_syntax(cmd);
	}
	free(c->id.text);
	buf_putc(&text, '\0');
	c->id = (struct peer_id){ xstrdup(text.p + text.off), epoch };
	buf_done(&text);
	untagged(cmd, "ID (\"name\" \"Mailstile\" \"version\" \"%s\")",
		 cmd->server->config.version);
	return reply_done(cmd);
}

static const struct command commands[] = {
	{ "ID", IN_ANY, 0, run },
	{ 0 },
};
const struct extension ext_id = {
	.name = "ID",
	.rfc = "RFC 2971",
	.about = "client and server tell their names, for the log",
	.capability = "ID",
	.states = IN_ANY,
	.commands = commands,
};
