/*
 * From bytes to commands: frames, literals, lines of an exchange (RFC 9051 section
 * 2.2; RFC 7888). Bytes are pulled from the layers only when they are needed here,
 * so nothing is read past a command that may change the layers.
 */
#include "server/capability.h"
#include "server/conn_run.h"
#include "server/dispatch.h"
#include "server/language.h"
#include "server/overload.h"
#include "server/reply.h"

enum { LITERAL_MINUS_MAX = 4096 }; /* RFC 7888 section 5 */

static bool pull(struct conn *c)
{
	ptrdiff_t n;

	if (!conn_may_read(c))
		return false;
	n = net_read(c->net, &c->in);
	if (n == NET_EOF)
		conn_end(c);
	return n > 0;
}

/* Drops bytes for good: they may have held a password. */
static void drop(struct conn *c, size_t n)
{
	if (n)
		wipe(c->in.p + c->in.off, n);
	buf_take(&c->in, n);
	if (c->in.n == 0)
		buf_shrink(&c->in, 0);
}

static bool start(struct conn *c, const struct frame_literal *literal)
{
	c->cmd = dispatch(c, span_sub(buf_span(&c->in), 0, c->frame.scanned), literal);
	drop(c, c->frame.scanned);
	frame_reset(&c->frame);
	conn_step(c);
	return true;
}

/* A reply to a command that never became one: "tag BAD text". */
static bool refuse(struct conn *c, const struct frame_literal *literal, const char *kind,
		   const char *text)
{
	struct span tag = frame_tag(buf_span(&c->in));
	struct buf *out = net_out(c->net);
	unsigned limit = c->server->config.limits.bad_commands;

	buf_put(out, tag.n ? tag : SPAN("*"));
	buf_printf(out, " %s %s\r\n", kind, language_text(c->session, text));
	drop(c, c->frame.scanned);
	frame_skip_begin(&c->frame, literal);
	if (++c->bad_commands >= limit && limit)
		conn_fail(c, "Too many bad commands.");
	return true;
}

/* LITERAL- before login (RFC 7888 section 5), and what one argument may hold. */
static bool literal_fits(const struct conn *c, const struct frame_literal *literal)
{
	if (c->session->state != IN_NOT_AUTH)
		return true;
	if (!literal->sync && literal->bytes > LITERAL_MINUS_MAX)
		return false;
	return literal->bytes <= c->server->config.limits.literal_prelogin_bytes;
}

/* A stranger's command is a line and the two literals of LOGIN, whatever may be held
 * for a user. */
static struct frame_limits limits_of(const struct conn *c)
{
	const struct server_limits *l = &c->server->config.limits;
	struct frame_limits limits = { l->line_bytes, l->command_bytes };
	size_t most = l->line_bytes + 2 * l->literal_prelogin_bytes;

	if (c->session->state == IN_NOT_AUTH && limits.total_bytes > most)
		limits.total_bytes = most;
	return limits;
}

static bool on_literal(struct conn *c, const struct frame_literal *literal)
{
	struct span frame = span_sub(buf_span(&c->in), 0, c->frame.scanned);
	struct frame_limits limits = limits_of(c);

	if (dispatch_streams(c, frame, literal))
		return start(c, literal);
	if (!literal_fits(c, literal) || !frame_accept(&c->frame, &limits, literal))
		return refuse(c, literal, "BAD",
			      "[TOOBIG] The literal is too large here.");
	if (literal->sync) {
		net_write(c->net, SPAN("+ "));
		net_write(c->net,
			  span_str(language_text(c->session, "Ready for the literal.")));
		net_write(c->net, SPAN("\r\n"));
		net_flush(c->net);
	}
	return true;
}

static bool next_frame(struct conn *c, enum frame_rc *ret_rc,
		       struct frame_literal *ret_literal)
{
	struct frame_limits limits = limits_of(c);

	*ret_rc = frame_next(&c->frame, &limits, buf_span(&c->in), ret_literal);
	return *ret_rc != FRAME_MORE || pull(c);
}

static bool input_command(struct conn *c)
{
	struct frame_literal literal;
	enum frame_rc rc;

	if (!next_frame(c, &rc, &literal))
		return false;
	switch (rc) {
	case FRAME_DONE: return start(c, NULL);
	case FRAME_LITERAL: return on_literal(c, &literal);
	case FRAME_LONG:
		return refuse(c, NULL, "BAD", "[TOOBIG] The command is too long.");
	case FRAME_BAD_LINE:
		return refuse(c, NULL, "BAD",
			      "Lines end with CRLF and hold no NUL or bare CR.");
	case FRAME_LOST:
		conn_fail(c, "That literal has no size that could be kept.");
		return false;
	default: return true;
	}
}

/* What is left of a refused command. */
static bool input_skip(struct conn *c)
{
	size_t n = 0;
	enum frame_rc rc;

	if (c->in.n == 0 && !pull(c))
		return false;
	rc = frame_skip(&c->frame, buf_span(&c->in), &n);
	drop(c, n);
	if (rc == FRAME_LOST)
		conn_fail(c, "That literal has no size that could be kept.");
	return rc != FRAME_LOST;
}

/* Bytes of a literal, to the command that takes it. */
static bool input_literal(struct conn *c)
{
	size_t n;

	if (c->is_literal_held || (c->in.n == 0 && !pull(c)))
		return false;
	n = c->in.n < c->literal_left ? c->in.n : (size_t)c->literal_left;
	c->is_literal_held = !c->cmd->def->feed(c->cmd, span_sub(buf_span(&c->in), 0, n));
	drop(c, n);
	c->literal_left -= n;
	return true;
}

/* The text behind a streamed literal: the command goes on with it. */
static bool input_text(struct conn *c)
{
	struct cmd *cmd = c->cmd;
	struct frame_literal literal;
	enum frame_rc rc;

	if (c->is_literal_held || !next_frame(c, &rc, &literal))
		return false;
	if (rc == FRAME_MORE)
		return true;
	if (rc == FRAME_LOST) {
		conn_fail(c, "That literal has no size that could be kept.");
		return false;
	}
	cmd->cur = cursor_of(
	    arena_dup(cmd->arena, span_sub(buf_span(&c->in), 0, c->frame.scanned)),
	    session_is_utf8(cmd->session), cmd->arena);
	drop(c, c->frame.scanned);
	if (rc == FRAME_LONG || rc == FRAME_BAD_LINE) {
		frame_skip_begin(&c->frame, NULL);
		cursor_fail(&cmd->cur, "the text behind the literal is not well formed");
	} else {
		frame_reset(&c->frame);
	}
	cmd->has_literal = rc == FRAME_LITERAL;
	if (cmd->has_literal)
		cmd->literal = literal;
	conn_step(c);
	return true;
}

/* A line of an exchange: AUTHENTICATE's answer, IDLE's DONE. */
static bool input_line(struct conn *c)
{
	struct span in = buf_span(&c->in);
	ptrdiff_t end = span_find(in, '\n');
	struct cmd *cmd = c->cmd;

	if (end < 0 && in.n > c->server->config.limits.line_bytes) {
		conn_fail(c, "That line is too long.");
		return false;
	}
	if (end < 0)
		return pull(c);
	in.n = (size_t)end;
	if (in.n && in.p[in.n - 1] == '\r')
		in.n--;
	cmd->line = arena_dup(cmd->arena, in);
	drop(c, (size_t)end + 1);
	conn_step(c);
	return true;
}

bool conn_input(struct conn *c)
{
	if (!c->cmd)
		return frame_is_skipping(&c->frame) ? input_skip(c) : input_command(c);
	switch (c->cmd->wait) {
	case WAIT_LITERAL: return c->literal_left ? input_literal(c) : input_text(c);
	case WAIT_LINE:
	case WAIT_CHANGE: return input_line(c);
	default: return false;
	}
}
