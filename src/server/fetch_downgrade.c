/*
 * Messages with headers in UTF-8 (RFC 6532) for clients that have enabled neither
 * UTF8=ACCEPT nor IMAP4rev2: ENVELOPE, BODYSTRUCTURE and header sections are shown as RFC
 * 6858 says, since such a client expects ASCII there (RFC 6855 section 8). BODY[] and
 * RFC822 give the message as it is: who copies or keeps a message must get its own bytes.
 */
#include "mail/downgrade.h"
#include "server/fetch_state.h"
#include "server/reply.h"

bool fetch_downgrades(const struct cmd *cmd)
{
	return !session_is_utf8(cmd->session);
}

static void note(struct fetch_state *st)
{
	numset_add(&st->downgraded, st->message->msg.uid);
}

static void put(struct cmd *cmd, struct span wire,
		bool (*downgrade)(struct span, struct buf *))
{
	struct fetch_state *st = cmd->state;

	if (fetch_downgrades(cmd) && downgrade(wire, &st->line))
		note(st);
	else
		buf_put(&st->line, wire);
}

void fetch_put_envelope(struct cmd *cmd, struct span wire)
{
	put(cmd, wire, downgrade_envelope);
}

void fetch_put_structure(struct cmd *cmd, struct span wire)
{
	put(cmd, wire, downgrade_structure);
}

struct span fetch_header(struct cmd *cmd, struct span block, struct buf *room)
{
	if (!fetch_downgrades(cmd) || !downgrade_header(block, room))
		return block;
	note(cmd->state);
	return buf_span(room);
}

enum verdict fetch_reply_done(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	struct buf b = { 0 };
	const char *code;

	if (numset_count(&st->downgraded) == 0)
		return reply_done(cmd);
	buf_puts(&b, "DOWNGRADED ");
	numset_print(&st->downgraded, &b);
	code = arena_printf(cmd->arena, "%.*s", (int)b.n, b.p + b.off);
	buf_done(&b);
	return reply_ok(cmd, code, "Headers in UTF-8 are shown in part.");
}
