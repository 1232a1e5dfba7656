/*
 * The public library: commands, IDLE (RFC 2177), and what callbacks are given
 * (mailstile.h).
 */
#include "client/lib.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/arena.h"
#include "client/impl.h"

/* --- what callbacks get ------------------------------------------------------- */

static const char *text_of(struct arena *a, struct span s)
{
	return s.n ? arena_dup(a, s).p : "";
}

struct mailstile_result lib_result(struct arena *a, const struct client_result *r,
				   bool is_login)
{
	return (struct mailstile_result){ .rc = lib_rc(r->rc, is_login),
					  .code = text_of(a, r->code_name),
					  .args = text_of(a, r->code_args),
					  .text = text_of(a, r->text) };
}

struct mailstile_data lib_data(struct arena *a, const struct response *r,
			       struct span rest)
{
	struct mailstile_data d = { .has_number = r->has_number,
				    .number = r->number,
				    .code = text_of(a, r->code_name),
				    .args = text_of(a, r->code_args),
				    .text = "" };
	char *name = arena_strdup(a, text_of(a, r->name));

	for (char *c = name; *c; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	d.name = name;
	if (r->cond != COND_NONE) {
		d.text = text_of(a, r->text);
		d.bytes = "";
		return d;
	}
	if (rest.n && rest.p[0] == ' ')
		rest = span_sub(rest, 1, rest.n);
	if (span_ends(rest, SPAN("\r\n")))
		rest.n -= 2;
	d.bytes = rest.n ? rest.p : "";
	d.length = rest.n;
	return d;
}

static bool on_untagged(void *arg, const struct client_data *d)
{
	struct mailstile_command *cmd = arg;
	struct mailstile_data data;

	if (!cmd->calls->data)
		return false;
	data = lib_data(d->at.arena, d->r, span_sub(d->frame, d->at.at, d->frame.n));
	return cmd->calls->data(cmd->arg, &data);
}

static bool on_literal(void *arg, const struct response *r, struct span piece,
		       uint64_t left)
{
	struct mailstile_command *cmd = arg;
	struct client *c = cmd->m->client;
	struct mailstile_data data;

	if (!cmd->calls->literal)
		return false;
	if (piece.n)
		return cmd->calls->literal(cmd->arg, NULL, piece.p, piece.n, left);
	data = lib_data(c->frame_arena, r, client_literal_head(c));
	return cmd->calls->literal(cmd->arg, &data, NULL, 0, left);
}

/* --- the command -------------------------------------------------------------- */

static void cmd_forget(struct mailstile_command *cmd)
{
	net_timer_stop(&cmd->timer);
	*cmd->link = cmd->next;
	if (cmd->next)
		cmd->next->link = cmd->link;
	free(cmd);
}

void lib_commands_free(struct mailstile *m)
{
	while (m->commands)
		cmd_forget(m->commands);
}

void lib_commands_drop(struct mailstile *m)
{
	for (struct mailstile_command *cmd = m->commands; cmd; cmd = cmd->next)
		if (cmd->cmd && !cmd->is_sent) {
			client_cmd_cancel(cmd->cmd);
			cmd->cmd = NULL;
		}
}

static void end_command(struct mailstile_command *cmd, const struct client_result *r)
{
	struct arena *a = arena_new(NULL);
	struct mailstile_result result = lib_result(a, r, false);
	const struct mailstile_calls *calls = cmd->calls;
	void *arg = cmd->arg;

	result.rc = lib_late(result.rc, cmd->is_late);
	if (cmd->is_late && result.rc != MAILSTILE_OK)
		result.text = "the deadline passed";
	cmd_forget(cmd);
	calls->done(arg, &result);
	arena_free(a);
}

enum mailstile_rc lib_late(enum mailstile_rc rc, bool is_late)
{
	/* UNKNOWN stays: it was sent, and may have happened. */
	return is_late && rc == MAILSTILE_CLOSED ? MAILSTILE_TIMEOUT : rc;
}

static void on_done(void *arg, const struct client_result *r)
{
	end_command(arg, r);
}

static const struct client_calls calls = { .untagged = on_untagged,
					   .literal = on_literal,
					   .done = on_done };

static struct mailstile_command *new_command(struct mailstile *m)
{
	struct mailstile_command *cmd = xcalloc(1, sizeof *cmd);

	cmd->m = m;
	cmd->next = m->commands;
	cmd->link = &m->commands;
	if (cmd->next)
		cmd->next->link = &cmd->next;
	m->commands = cmd;
	return cmd;
}

struct mailstile_command *mailstile_command(struct mailstile *m)
{
	struct mailstile_command *cmd;

	if (!mailstile_is_ready(m))
		return NULL;
	cmd = new_command(m);
	cmd->cmd = client_cmd_new(m->client, &calls, cmd);
	return cmd;
}

/* Whether the line would announce a literal (RFC 9051 section 4.3). */
static bool announces(struct span text)
{
	size_t i = text.n;

	if (i == 0 || text.p[--i] != '}')
		return false;
	if (i > 0 && text.p[i - 1] == '+')
		i--;
	while (i > 0 && text.p[i - 1] >= '0' && text.p[i - 1] <= '9')
		i--;
	return i > 0 && text.p[i - 1] == '{';
}

void mailstile_put(struct mailstile_command *cmd, const char *words)
{
	struct buf *out = client_cmd_text(cmd->cmd);

	if (strpbrk(words, "\r\n"))
		cmd->is_bad = true;
	else
		buf_puts(out, words);
	cmd->is_literal_last = announces(buf_span(out));
}

void mailstile_put_string(struct mailstile_command *cmd, const void *p, size_t n)
{
	cmd->is_bad |= n && memchr(p, 0, n);
	if (!cmd->is_bad)
		emit_astring(client_cmd_text(cmd->cmd), client_mode(cmd->m->client),
			     span_of(p, n));
	cmd->is_literal_last = false;
}

void mailstile_put_mailbox(struct mailstile_command *cmd, const char *name)
{
	cmd->is_bad |= !wire_is_utf8(span_str(name));
	if (!cmd->is_bad)
		emit_mailbox(client_cmd_text(cmd->cmd), client_mode(cmd->m->client),
			     span_str(name));
	cmd->is_literal_last = false;
}

void mailstile_put_bytes(struct mailstile_command *cmd, const void *p, size_t n)
{
	struct emit_mode mode = client_mode(cmd->m->client);

	cmd->is_bad |= n && memchr(p, 0, n) && !mode.literal8;
	if (!cmd->is_bad)
		emit_literal(client_cmd_text(cmd->cmd), mode, span_of(p, n));
	cmd->is_literal_last = false;
}

void mailstile_put_fd(struct mailstile_command *cmd, int fd, uint64_t n)
{
	client_cmd_file(cmd->cmd, fd, n);
	cmd->is_literal_last = false;
}

void mailstile_put_source(struct mailstile_command *cmd, uint64_t n,
			  ptrdiff_t (*read)(void *arg, char *into, size_t room),
			  void *arg)
{
	client_cmd_source(cmd->cmd, n, read, arg);
	cmd->is_literal_last = false;
}

static void put_number(struct mailstile_command *cmd, uint64_t n)
{
	buf_put_u64(client_cmd_text(cmd->cmd), n);
	cmd->is_literal_last = false;
}

void lib_vputf(struct mailstile_command *cmd, const char *format, va_list ap)
{
	char one[2] = { 0 };
	const char *s;

	for (; *format; format++) {
		if (*format != '%') {
			one[0] = *format;
			mailstile_put(cmd, one);
			continue;
		}
		switch (*++format) {
		case 'm': mailstile_put_mailbox(cmd, va_arg(ap, const char *)); break;
		case 's':
			s = va_arg(ap, const char *);
			mailstile_put_string(cmd, s, strlen(s));
			break;
		case 'w': mailstile_put(cmd, va_arg(ap, const char *)); break;
		case 'u': put_number(cmd, va_arg(ap, uint32_t)); break;
		case 'U': put_number(cmd, va_arg(ap, uint64_t)); break;
		case '%': mailstile_put(cmd, "%"); break;
		default: cmd->is_bad = true; return;
		}
	}
}

void mailstile_putf(struct mailstile_command *cmd, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	lib_vputf(cmd, format, ap);
	va_end(ap);
}

enum mailstile_rc mailstile_send(struct mailstile_command *cmd,
				 const struct mailstile_calls *owner, void *arg)
{
	struct mailstile *m = cmd->m;
	bool is_bad = cmd->is_bad || cmd->is_literal_last || !owner || !owner->done;

	if (is_bad || !mailstile_is_ready(m)) {
		mailstile_cancel(cmd);
		return is_bad ? MAILSTILE_INVALID : MAILSTILE_CLOSED;
	}
	cmd->calls = owner;
	cmd->arg = arg;
	cmd->is_sent = true;
	client_cmd_send(cmd->cmd);
	m->is_unsent = true;
	return MAILSTILE_OK;
}

static void on_late(void *arg)
{
	struct mailstile_command *cmd = arg;

	if (cmd->m->is_dead)
		return;
	cmd->is_late = true;
	if (cmd->is_sent)
		client_drop(cmd->m->client);
}

void mailstile_deadline(struct mailstile_command *cmd, uint32_t ms)
{
	if (cmd->is_idle)
		return; /* its timer is another one */
	if (ms)
		net_timer_start(cmd->m->loop, &cmd->timer, ms, on_late, cmd);
	else
		net_timer_stop(&cmd->timer);
}

void mailstile_cancel(struct mailstile_command *cmd)
{
	if (cmd->cmd && !cmd->m->is_dead) {
		if (cmd->is_idle && cmd->is_sent)
			client_idle_end(cmd->cmd);
		client_cmd_cancel(cmd->cmd);
		cmd->m->is_unsent = true;
	}
	cmd_forget(cmd);
}

/* --- IDLE --------------------------------------------------------------------- */

static void idle_begin(struct mailstile_command *cmd);

static void idle_done(void *arg, const struct client_result *r)
{
	struct mailstile_command *cmd = arg;
	struct client_result ended = *r;

	cmd->cmd = NULL;
	/* Its half hour was over, nobody wanted it to end, and nothing stands behind it.
	 */
	if (r->rc == ERR_OK && cmd->is_late && !cmd->is_ended &&
	    mailstile_is_ready(cmd->m) && client_pending(cmd->m->client) == 0) {
		idle_begin(cmd);
		return;
	}
	net_timer_stop(&cmd->timer);
	cmd->is_late = false;
	end_command(cmd, &ended);
}

static const struct client_calls idle_calls = { .untagged = on_untagged,
						.literal = on_literal,
						.done = idle_done };

static void on_half_hour(void *arg)
{
	struct mailstile_command *cmd = arg;

	if (cmd->m->is_dead || !cmd->cmd)
		return;
	cmd->is_late = true;
	client_idle_end(cmd->cmd);
	client_flush(cmd->m->client);
}

static void idle_begin(struct mailstile_command *cmd)
{
	struct mailstile *m = cmd->m;

	cmd->is_late = false;
	cmd->cmd = client_idle_new(m->client, &idle_calls, cmd);
	client_cmd_send(cmd->cmd);
	net_timer_start(m->loop, &cmd->timer, m->idle_ms, on_half_hour, cmd);
	m->is_unsent = true;
}

struct mailstile_command *mailstile_idle(struct mailstile *m,
					 const struct mailstile_calls *owner, void *arg)
{
	struct mailstile_command *cmd;

	if (!mailstile_is_ready(m) || !owner || !owner->done ||
	    !(mailstile_has(m, "IDLE") || mailstile_has(m, "IMAP4rev2")))
		return NULL;
	cmd = new_command(m);
	cmd->calls = owner;
	cmd->arg = arg;
	cmd->is_idle = cmd->is_sent = true;
	idle_begin(cmd);
	return cmd;
}

void mailstile_idle_end(struct mailstile_command *idle)
{
	idle->is_ended = true;
	if (idle->cmd && !idle->m->is_dead)
		client_idle_end(idle->cmd);
	idle->m->is_unsent = true;
}
