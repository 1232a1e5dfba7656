/*
 * CATENATE (RFC 4469): a message put together of literals and of what IMAP URLs name
 * (RFC 5092, with PARTIAL of RFC 5550). URLs are relative to the user's server; those of
 * another server are none of ours: BADURL.
 */
#include "server/append_state.h"
#include "server/mailbox_name.h"
#include "server/reply.h"
#include "server/selected.h"

enum { SLOW_MS = 2 };

static enum verdict parts(struct cmd *cmd);

/* url-resp-text has no "]" and no line end (section 5). */
static enum verdict bad_url(struct cmd *cmd)
{
	struct append_state *st = cmd->state;
	struct span url = span_sub(st->url_text, 0, 1024);
	struct buf b = { 0 };
	const char *code;

	buf_puts(&b, "BADURL ");
	for (size_t i = 0; i < url.n; i++) {
		unsigned char c = (unsigned char)url.p[i];

		if (c <= ' ' || c == ']' || c >= 0x7f)
			buf_printf(&b, "%%%02X", c);
		else
			buf_putc(&b, (char)c);
	}
	code = arena_printf(cmd->arena, "%.*s", (int)b.n, b.p + b.off);
	buf_done(&b);
	return reply_no(cmd, code, "That URL names no message that could be taken.");
}

/* The part is in; what stands behind it. */
static enum verdict part_done(struct cmd *cmd)
{
	struct append_state *st = cmd->state;

	if (cursor_try_sp(&cmd->cur))
		return parts(cmd);
	if (!cursor_char(&cmd->cur, ')'))
		return reply_syntax(cmd);
	if (st->message_bytes == 0)
		return reply_no(cmd, NULL, "An empty message is not kept.");
	return append_next(cmd);
}

/* ---- URLs ---- */

static enum verdict take_bytes(struct cmd *cmd, struct span bytes);

static enum verdict read_more(struct cmd *cmd)
{
	struct append_state *st = cmd->state;
	struct span now;
	struct op *op;

	if (st->from_at == st->from.bytes)
		return part_done(cmd);
	op = url_source_read(cmd, &st->from, st->from_at, &now);
	return op ? cmd_wait(cmd, APPEND_URL_READ, op) : take_bytes(cmd, now);
}

/* As FETCH would give them: a NUL, which came by LMTP, as 0x80 (RFC 9051 section 9). */
static enum verdict take_bytes(struct cmd *cmd, struct span bytes)
{
	struct append_state *st = cmd->state;
	struct span copy = arena_dup(cmd->arena, bytes);
	char *nul = (char *)copy.p;

	if (bytes.n == 0)
		return reply_err(cmd, ERR_CORRUPT);
	while ((nul = memchr(nul, '\0', (size_t)(copy.p + copy.n - nul))))
		*nul = (char)0x80;
	st->from_at += bytes.n;
	st->is_slow = true;
	if (append_feed(st, copy))
		st->is_slow = false;
	return st->is_slow ? cmd_sleep(cmd, APPEND_URL_FED, SLOW_MS) : read_more(cmd);
}

static enum verdict came(struct cmd *cmd)
{
	if (cmd->op->rc != ERR_OK)
		return reply_err(cmd, cmd->op->rc);
	return take_bytes(cmd, buf_span(op_bytes(cmd->op)));
}

static enum verdict found(struct cmd *cmd)
{
	struct append_state *st = cmd->state;

	if (st->from.rc == ERR_IO || st->from.rc == ERR_CLOSED)
		return reply_err(cmd, st->from.rc);
	if (st->from.rc != ERR_OK)
		return bad_url(cmd);
	if (append_refuses(cmd, st->from.bytes))
		return CMD_DONE;
	st->from_at = 0;
	return read_more(cmd);
}

static enum verdict look(struct cmd *cmd)
{
	struct op *op = url_source_find(cmd, &((struct append_state *)cmd->state)->from);

	return op ? cmd_wait(cmd, APPEND_URL_FIND, op) : found(cmd);
}

/* The mailbox that a relative URL is about (RFC 3986 section 5.2, RFC 5092 section 7.2).
 */
static struct span base_name(struct cmd *cmd, const struct wire_url *url)
{
	const struct selected *sel = cmd->session->selected;
	struct span base = sel ? sel->place.name : SPAN_NONE;

	if (!url->mailbox.p)
		return base;
	while (base.n && base.p[base.n - 1] != '/')
		base.n--;
	if (url->is_rooted || !base.n)
		return mailbox_name_normal(cmd->arena, url->mailbox);
	return span_str(arena_printf(cmd->arena, "%.*s%.*s", (int)base.n, base.p,
				     (int)url->mailbox.n, url->mailbox.p));
}

/* Called again when the account of another user's mailbox was opened first. */
static enum verdict find_place(struct cmd *cmd)
{
	struct append_state *st = cmd->state;
	struct url_source *from = &st->from;
	struct place place;
	struct span name = base_name(cmd, &from->url);
	bool is_found;

	if (!name.p)
		return bad_url(cmd);
	st->rest = cmd->cur;
	cmd->step = APPEND_URL_FIND;
	is_found = place_find(cmd, name, RIGHT_R, &place);
	cmd->cur = st->rest;
	if (!is_found)
		return cmd->verdict == CMD_WAIT ? CMD_WAIT : bad_url(cmd);
	from->account = place.account;
	from->path = place.path;
	from->number = place.mailbox;
	return look(cmd);
}

static enum verdict url(struct cmd *cmd, struct span text)
{
	struct append_state *st = cmd->state;

	st->url_text = arena_dup(cmd->arena, text);
	st->from = (struct url_source){ 0 };
	if (!wire_url_parse(cmd->arena, st->url_text, &st->from.url) ||
	    st->from.url.is_absolute || st->from.url.access)
		return bad_url(cmd);
	return find_place(cmd);
}

static enum verdict find_step(struct cmd *cmd)
{
	struct append_state *st = cmd->state;

	if (st->from.account)
		return look(cmd);
	cmd->cur = st->rest; /* place_find() set it back to the command's beginning */
	return find_place(cmd);
}

/* ---- parts ---- */

static enum verdict text(struct cmd *cmd)
{
	struct append_state *st = cmd->state;
	struct frame_literal literal;

	cursor_sp(&cmd->cur);
	if (!cmd->has_literal)
		cursor_fail(&cmd->cur, "a literal was expected");
	if (!cursor_literal_header(&cmd->cur, &literal))
		return reply_syntax(cmd);
	if (append_refuses(cmd, cmd->literal.bytes))
		return CMD_DONE;
	st->is_url = false;
	return cmd_literal(cmd, APPEND_TEXT_IN);
}

static enum verdict url_literal(struct cmd *cmd)
{
	struct append_state *st = cmd->state;
	struct frame_literal literal;

	if (!cursor_literal_header(&cmd->cur, &literal))
		return reply_syntax(cmd);
	if (cmd->literal.bytes > WIRE_URL_MAX)
		return reply_no(cmd, "TOOBIG", "That URL is too long.");
	st->is_url = true;
	buf_clear(&st->url);
	return cmd_literal(cmd, APPEND_URL_IN);
}

/* cat-part: "TEXT" SP literal / "URL" SP astring */
static enum verdict parts(struct cmd *cmd)
{
	struct cursor *c = &cmd->cur;
	struct span given;

	if (cursor_try_word(c, "TEXT"))
		return text(cmd);
	if (!cursor_try_word(c, "URL")) {
		cursor_fail(c, "TEXT or URL was expected");
		return reply_syntax(cmd);
	}
	cursor_sp(c);
	if (cmd->has_literal && cursor_peek(c) == '{')
		return url_literal(cmd);
	given = cursor_astring(c);
	return c->bad ? reply_syntax(cmd) : url(cmd, given);
}

enum verdict append_catenate(struct cmd *cmd)
{
	cursor_sp(&cmd->cur);
	if (!cursor_char(&cmd->cur, '('))
		return reply_syntax(cmd);
	return parts(cmd);
}

static enum verdict url_in(struct cmd *cmd)
{
	struct append_state *st = cmd->state;

	st->is_url = false;
	return url(cmd, buf_span(&st->url));
}

enum verdict append_part_step(struct cmd *cmd)
{
	struct append_state *st = cmd->state;

	switch ((enum append_step)cmd->step) {
	case APPEND_TEXT_IN: return part_done(cmd);
	case APPEND_URL_IN: return url_in(cmd);
	case APPEND_URL_READ: return came(cmd);
	case APPEND_URL_FED:
		return st->is_slow ? cmd_sleep(cmd, APPEND_URL_FED, SLOW_MS)
				   : read_more(cmd);
	default: return find_step(cmd);
	}
}
