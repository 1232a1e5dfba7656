/*
 * Commands of the client: building them, sending them in order with literals that
 * wait or stream (RFC 9051 section 4.3, RFC 7888), and giving each its answer.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/arena.h"
#include "client/impl.h"

#define FILE_PIECE 16384

struct client_cmd *cmd_new(struct client *c, enum role role,
			   const struct client_calls *calls, void *arg)
{
	struct client_cmd *cmd = xcalloc(1, sizeof *cmd);

	cmd->client = c;
	cmd->role = role;
	cmd->calls = calls;
	cmd->arg = arg;
	snprintf(cmd->tag, sizeof cmd->tag, "m%u", ++c->tag_number);
	buf_printf(&cmd->text, "%s ", cmd->tag);
	return cmd;
}

static void cmd_free(struct client_cmd *cmd)
{
	for (size_t i = 0; i < cmd->marks; i++)
		if (cmd->mark[i].fd >= 0)
			close(cmd->mark[i].fd);
	free(cmd->mark);
	arena_free(cmd->arena);
	buf_done(&cmd->text);
	free(cmd);
}

struct client_cmd *client_cmd_new(struct client *c, const struct client_calls *calls,
				  void *arg)
{
	return cmd_new(c, ROLE_USER, calls, arg);
}

struct buf *client_cmd_text(struct client_cmd *cmd)
{
	return &cmd->text;
}

struct span client_cmd_tag(const struct client_cmd *cmd)
{
	return span_str(cmd->tag);
}

static struct mark *add_mark(struct client_cmd *cmd, enum mark_kind kind, size_t at)
{
	if (cmd->marks == cmd->mark_cap) {
		cmd->mark_cap = cmd->mark_cap ? cmd->mark_cap * 2 : 4;
		cmd->mark = xrealloc(cmd->mark, cmd->mark_cap * sizeof *cmd->mark);
	}
	cmd->mark[cmd->marks] = (struct mark){ .at = at, .kind = kind, .fd = -1 };
	return &cmd->mark[cmd->marks++];
}

/* Finds the literals that wait in what was printed since the last call. */
static void scan(struct client_cmd *cmd)
{
	static const struct frame_limits limits = { SIZE_MAX / 2, SIZE_MAX / 2 };
	struct frame f;
	struct frame_literal lit;
	size_t base = cmd->scanned;

	frame_init(&f, FRAME_COMMANDS);
	for (;;) {
		struct span rest = span_sub(buf_span(&cmd->text), base, cmd->text.n);
		enum frame_rc rc = frame_next(&f, &limits, rest, &lit);
		if (rc == FRAME_LITERAL && lit.sync)
			add_mark(cmd, MARK_WAIT, base + f.scanned);
		if (rc == FRAME_LITERAL && frame_accept(&f, &limits, &lit))
			continue;
		/* One line and no more: what is printed are our own words. */
		assert(rc == FRAME_MORE || (rc == FRAME_DONE && f.scanned == rest.n));
		break;
	}
	cmd->scanned = cmd->text.n;
}

void client_cmd_wait(struct client_cmd *cmd)
{
	scan(cmd);
	add_mark(cmd, MARK_WAIT, cmd->text.n);
}

static struct mark *add_literal(struct client_cmd *cmd, uint64_t bytes)
{
	struct mark *m;

	scan(cmd);
	emit_literal_header(&cmd->text, client_mode(cmd->client), bytes);
	struct span text = buf_span(&cmd->text);
	if (!span_ends(text, SPAN("+}\r\n")))
		add_mark(cmd, MARK_WAIT, cmd->text.n);
	m = add_mark(cmd, MARK_SOURCE, cmd->text.n);
	m->bytes = bytes;
	cmd->scanned = cmd->text.n;
	return m;
}

void client_cmd_file(struct client_cmd *cmd, int fd, uint64_t bytes)
{
	add_literal(cmd, bytes)->fd = fd;
}

void client_cmd_source(struct client_cmd *cmd, uint64_t bytes,
		       ptrdiff_t (*read)(void *arg, char *into, size_t n), void *arg)
{
	struct mark *m = add_literal(cmd, bytes);

	m->read = read;
	m->arg = arg;
}

struct client_cmd *client_idle_new(struct client *c, const struct client_calls *calls,
				   void *arg)
{
	struct client_cmd *cmd = cmd_new(c, ROLE_USER, calls, arg);

	buf_puts(&cmd->text, "IDLE\r\n");
	client_cmd_wait(cmd);
	add_mark(cmd, MARK_HOLD, cmd->text.n);
	buf_puts(&cmd->text, "DONE");
	cmd->scanned = cmd->text.n;
	cmd->is_idle = true;
	return cmd;
}

void client_idle_end(struct client_cmd *cmd)
{
	cmd->is_released = true;
	cmd->is_holding = false;
}

void cmd_end_idle(struct client *c)
{
	for (struct client_cmd *cmd = c->sending; cmd; cmd = cmd->next)
		if (cmd->is_idle)
			client_idle_end(cmd);
}

void cmd_send(struct client_cmd *cmd)
{
	struct client *c = cmd->client;

	buf_puts(&cmd->text, "\r\n");
	scan(cmd);
	cmd_end_idle(c);
	cmd->is_queued = true;
	*c->last = cmd;
	c->last = &cmd->next;
	c->pending++;
	if (!c->sending)
		c->sending = cmd;
}

void client_cmd_send(struct client_cmd *cmd)
{
	assert(client_is_ready(cmd->client));
	cmd_send(cmd);
}

static void unlink_cmd(struct client *c, struct client_cmd *cmd)
{
	struct client_cmd **at = &c->first;

	while (*at != cmd)
		at = &(*at)->next;
	*at = cmd->next;
	if (c->last == &cmd->next)
		c->last = at;
	if (c->sending == cmd)
		c->sending = cmd->next;
	if (c->sink == cmd)
		c->sink = NULL;
	c->pending--;
}

void client_cmd_cancel(struct client_cmd *cmd)
{
	if (!cmd->is_queued) {
		cmd_free(cmd);
	} else if (!cmd->is_started) {
		unlink_cmd(cmd->client, cmd);
		cmd_free(cmd);
	} else {
		cmd->calls = NULL;
		if (cmd->client->sink == cmd)
			cmd->client->sink = NULL;
	}
}

size_t client_pending(const struct client *c)
{
	return c->pending;
}

static void finish(struct client *c, struct client_cmd *cmd,
		   const struct client_result *r)
{
	const struct client_calls *calls = cmd->calls;

	unlink_cmd(c, cmd);
	if (calls && !c->is_dead)
		calls->done(cmd->arg, r);
	cmd_free(cmd);
	if (!c->is_dead)
		login_command_ended(c);
}

/* A piece of a source into the output. False: the file failed, and the connection with
 * it.
 */
static bool send_file(struct client *c, struct client_cmd *cmd, const struct mark *m)
{
	uint64_t left = m->bytes - cmd->file_sent;
	size_t want = left < FILE_PIECE ? (size_t)left : FILE_PIECE;
	struct buf *out = net_out(c->net);
	ssize_t n;

	if (m->fd < 0) {
		n = m->read(m->arg, buf_room(out, want), want);
		n = n > (ssize_t)want ? -1 : n;
	} else {
		do
			n = pread(m->fd, buf_room(out, want), want,
				  (off_t)cmd->file_sent);
		while (n < 0 && errno == EINTR);
	}
	if (n <= 0) {
		connect_drop(c, ERR_IO, "a file that was being sent %s",
			     n < 0 ? "cannot be read" : "has become shorter");
		return false;
	}
	buf_added(out, (size_t)n);
	cmd->file_sent += (uint64_t)n;
	return true;
}

/* One step of `cmd`: text up to the next mark, or what the mark wants. False: it waits.
 */
static bool send_step(struct client *c, struct client_cmd *cmd)
{
	const struct mark *m = cmd->next_mark < cmd->marks ? &cmd->mark[cmd->next_mark]
							   : NULL;
	size_t upto = m ? m->at : cmd->text.n;

	cmd->is_started = true;
	if (cmd->sent < upto) {
		net_write(c->net,
			  span_sub(buf_span(&cmd->text), cmd->sent, upto - cmd->sent));
		cmd->sent = upto;
	} else if (m && m->kind == MARK_HOLD) {
		cmd->is_holding = !cmd->is_released;
		if (cmd->is_holding)
			return false;
		cmd->next_mark++;
	} else if (m && m->kind == MARK_WAIT) {
		cmd->is_waiting = !cmd->is_granted;
		if (cmd->is_waiting)
			return false;
		cmd->is_granted = false;
		cmd->next_mark++;
	} else if (m) {
		if (cmd->file_sent < m->bytes)
			return send_file(c, cmd, m);
		cmd->file_sent = 0;
		cmd->next_mark++;
	} else {
		cmd->is_sent = true;
	}
	return true;
}

/* Sends until something waits. False: it does. */
static bool pump_step(struct client *c)
{
	struct client_cmd *cmd = c->sending;

	if (!cmd || !send_step(c, cmd))
		return false;
	if (!cmd->is_sent)
		return true;
	c->sending = cmd->next;
	if (cmd->role == ROLE_UNAUTHENTICATE)
		login_left(c);
	if (cmd->is_answered)
		finish(c, cmd, &cmd->result);
	return true;
}

void cmd_pump(struct client *c)
{
	while (c->net) {
		if (net_is_full(c->net)) {
			net_flush(c->net);
			if (net_is_full(c->net))
				return; /* on_drained comes */
		}
		if (!pump_step(c))
			break;
	}
	if (c->net)
		net_flush(c->net);
}

void cmd_continue(struct client *c, struct span text)
{
	if (c->sending && c->sending->is_waiting) {
		c->sending->is_granted = true;
		c->sending->is_waiting = false; /* now the literal is owed */
		return;
	}
	if (c->first && c->first->role == ROLE_AUTHENTICATE && c->first->is_sent) {
		login_challenge(c, text);
		return;
	}
	connect_drop(c, ERR_CORRUPT,
		     "the server asked to go on where nothing was to follow");
}

static enum err rc_of(const struct response *r)
{
	if (r->cond == COND_OK)
		return ERR_OK;
	return r->cond == COND_NO ? ERR_DENIED : ERR_INVAL;
}

static struct client_result result_of(const struct response *r)
{
	return (struct client_result){ .rc = rc_of(r),
				       .code = r->code,
				       .code_name = r->code_name,
				       .code_args = r->code_args,
				       .text = r->text };
}

void cmd_answer(struct client *c, const struct response *r)
{
	struct client_cmd *cmd = c->first;

	while (cmd && !(cmd->is_started && span_eq(span_str(cmd->tag), r->tag)))
		cmd = cmd->next;
	if (!cmd || cmd->is_answered) {
		connect_drop(c, ERR_CORRUPT,
			     "the server answered a command that was not sent");
		return;
	}
	/* Everything before it must have been answered: it is a barrier (RFC 8437 and
	 * the ambiguity rule, RFC 9051 section 5.5). */
	if (cmd->role == ROLE_UNAUTHENTICATE && cmd != c->first) {
		connect_drop(
		    c, ERR_CORRUPT,
		    "the server answered UNAUTHENTICATE before earlier commands");
		return;
	}
	struct client_result result = result_of(r);
	if (cmd->is_sent || cmd->is_waiting || cmd->is_holding) {
		/* Refused where it waited: the literal must not be sent any more. */
		finish(c, cmd, &result);
		return;
	}
	/* An early answer; the literal that was promised must still be sent. */
	cmd->is_answered = true;
	cmd->arena = arena_new(NULL);
	cmd->result = result;
	cmd->result.code_name = arena_dup(cmd->arena, result.code_name);
	cmd->result.code_args = arena_dup(cmd->arena, result.code_args);
	cmd->result.text = arena_dup(cmd->arena, result.text);
}

void cmd_end_all(struct client *c, struct span why)
{
	struct client_cmd *cmd = c->first;

	/* Out of the list first: a callback may begin new things. */
	c->first = NULL;
	c->last = &c->first;
	c->sending = NULL;
	c->sink = NULL;
	c->pending = 0;
	while (cmd) {
		struct client_cmd *next = cmd->next;
		struct client_result gone = { .rc = cmd->is_started ? ERR_UNKNOWN
								    : ERR_CLOSED,
					      .text = why };
		if (cmd->calls && !c->is_dead)
			cmd->calls->done(cmd->arg,
					 cmd->is_answered ? &cmd->result : &gone);
		cmd_free(cmd);
		cmd = next;
	}
}
