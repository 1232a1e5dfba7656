/*
 * APPEND (RFC 9051 section 6.3.12; MULTIAPPEND of RFC 3502; APPENDUID of RFC
 * 4315; literal8 of RFC 3516), and REPLACE (RFC 8508). Messages stream to the store as
 * they arrive. Those that are put together of parts: append_parts.c.
 */
#include "base/clock.h"
#include "server/append_limit.h"
#include "server/append_state.h"
#include "server/mailbox_name.h"
#include "server/message_limit.h"
#include "server/notify.h"
#include "server/operator.h"
#include "server/place.h"
#include "server/quota.h"
#include "server/reply.h"
#include "server/selected.h"
#include "wire/date.h"
#include "wire/flags.h"

/* All messages of one command are one commit and wait in memory or on disk until then. */
#define APPEND_MESSAGES_MAX 1000
/* What is left of each behind its last whole piece waits in memory. */
#define APPEND_HELD_MAX (UINT64_C(64) << 20)

/* True when there are some. */
static bool header_watch_feed(struct header_watch *w, struct span s)
{
	for (size_t i = 0; w->is_on && !w->is_over && i < s.n; i++) {
		if (s.p[i] & 0x80)
			return true;
		if (s.p[i] == '\n' && !w->is_line_begun)
			w->is_over = true;
		if (s.p[i] != '\r')
			w->is_line_begun = s.p[i] != '\n';
	}
	return false;
}

static void state_done(void *arg)
{
	struct append_state *st = arg;

	for (size_t i = 0; i < st->n + (st->has_partial ? 1 : 0); i++)
		incoming_free(st->item[i].body);
	buf_done(&st->url);
}

static void drained(void *arg)
{
	struct append_state *st = arg;

	st->is_slow = false; /* append_parts.c looks */
	conn_literal_go(st->cmd->conn);
}

/* Of clients that have not enabled UTF-8, by configuration (RFC 9755 section 4). */
static bool refuses_8bit(const struct cmd *cmd)
{
	return cmd->server->config.refuse_8bit_headers && !session_is_utf8(cmd->session);
}

bool append_feed(struct append_state *st, struct span bytes)
{
	st->has_8bit |= header_watch_feed(&st->watch, bytes);
	return incoming_feed(st->item[st->n].body, bytes);
}

static bool feed(struct cmd *cmd, struct span bytes)
{
	struct append_state *st = cmd->state;

	if (st->is_url) {
		buf_put(&st->url, bytes);
		return true;
	}
	if (bytes.n && memchr(bytes.p, '\0', bytes.n)) {
		st->has_nul = true;
		st->is_literal8 = cmd->literal.literal8;
	}
	return append_feed(st, bytes);
}

/* "UTF8" SP "(" literal8 ")" (RFC 6855 section 4): what RFC 9755 sends as any other. */
static bool parse_utf8(struct cmd *cmd)
{
	struct append_state *st = cmd->state;
	struct cursor *cur = &cmd->cur;

	st->is_utf8 = cursor_try_word(cur, "UTF8");
	if (!st->is_utf8)
		return true;
	if (!cursor_sp(cur) || !cursor_char(cur, '('))
		return false;
	if (cursor_peek(cur) != '~')
		return cursor_fail(cur, "a literal8 was expected");
	return true;
}

/* [SP "(" flags ")"] [SP date-time] SP, behind which a literal or CATENATE stands (RFC
 * 9051 section 9, append-message; RFC 4469) */
static bool parse_options(struct cmd *cmd, struct append_item *item)
{
	struct cursor *cur = &cmd->cur;
	struct wire_flags flags;

	item->internal_date = clock_wall_s();
	if (!cursor_sp(cur))
		return false;
	if (cursor_peek(cur) == '(') {
		if (!cursor_flag_list(cur, &flags) || !cursor_sp(cur))
			return false;
		item->flags = (struct flag_names){ flags.system, flags.keywords,
						   flags.n_keywords };
	}
	if (cursor_is_date_time(cur)) {
		struct wire_time t = cursor_date_time(cur);

		item->internal_date = t.utc;
		item->zone_min = t.zone_minutes;
		if (!cursor_sp(cur))
			return false;
	}
	return parse_utf8(cmd);
}

static bool mailbox_exists(const struct place *p)
{
	const struct names *names = account_names_now(p->account);
	const struct name *name = names_find(names, p->path);
	bool exists = name && (name->flags & NAME_EXISTS);

	names_unref(names);
	return exists;
}

static struct append_item *next_item(struct append_state *st)
{
	if (st->n == st->cap) {
		struct append_item *more;

		st->cap = st->cap ? 2 * st->cap : 2;
		more = arena_array(st->cmd->arena, st->cap, sizeof *more);
		if (st->n)
			memcpy(more, st->item, st->n * sizeof *more);
		st->item = more;
	}
	return &st->item[st->n];
}

/* REPLACE in one account: what goes makes room. */
static bool is_within(const struct append_state *st)
{
	return st->is_replace &&
	       place_same_account(&st->place, &st->cmd->session->selected->place);
}

bool append_refuses(struct cmd *cmd, uint64_t bytes)
{
	struct append_state *st = cmd->state;

	if (bytes > append_limit(cmd->session) - st->message_bytes) {
		reply_no(cmd, "TOOBIG", "The message is larger than this server takes.");
		return true;
	}
	st->message_bytes += bytes;
	st->bytes += bytes;
	/* what REPLACE takes away counts too: the store knows (RFC 8508 section 3.4) */
	if (!is_within(st) && quota_is_short(st->place.account, st->bytes, st->n + 1)) {
		reply_err(cmd, ERR_QUOTA);
		return true;
	}
	if (st->held + st->message_bytes % BODY_PIECE > APPEND_HELD_MAX) {
		reply_no(cmd, "LIMIT",
			 "These messages are too large for one APPEND; send fewer "
			 "at a time.");
		return true;
	}
	return false;
}

void append_begin(struct cmd *cmd)
{
	struct append_state *st = cmd->state;

	st->item[st->n].body = incoming_new(st->place.account, cmd->conn->home->home,
					    drained, st);
	st->has_partial = true;
	st->watch = (struct header_watch){ .is_on = refuses_8bit(cmd) };
}

/* One more message: its options, then its bytes. */
static enum verdict message(struct cmd *cmd)
{
	struct append_state *st = cmd->state;
	struct append_item *item = next_item(st);
	struct frame_literal literal;

	if (message_limit_refuses(cmd, st->n + 1, NULL))
		return CMD_DONE;
	if (st->n == APPEND_MESSAGES_MAX)
		return reply_no(cmd, "LIMIT",
				"These are too many messages for one APPEND.");
	if (!parse_options(cmd, item))
		return reply_syntax(cmd);
	st->message_bytes = 0;
	if (cursor_try_word(&cmd->cur, "CATENATE")) {
		append_begin(cmd);
		return append_catenate(cmd);
	}
	if (!cmd->has_literal)
		cursor_fail(&cmd->cur, "a message literal was expected");
	if (!cursor_literal_header(&cmd->cur, &literal))
		return reply_syntax(cmd);
	if (cmd->literal.bytes == 0)
		return reply_no(cmd, NULL, "An empty message is not kept.");
	if (append_refuses(cmd, cmd->literal.bytes))
		return CMD_DONE;
	append_begin(cmd);
	return cmd_literal(cmd, APPEND_MESSAGE_IN);
}

static struct append_state *state_new(struct cmd *cmd)
{
	struct append_state *st = ARENA_NEW(cmd->arena, struct append_state);

	cmd->state = st;
	st->cmd = cmd;
	st->mark = operator_mark(cmd);
	arena_defer(cmd->arena, state_done, st);
	return st;
}

/* Behind the place: the messages. */
static enum verdict parse_target(struct cmd *cmd)
{
	struct append_state *st = cmd->state;
	struct span name;

	cursor_sp(&cmd->cur);
	name = mailbox_name(cmd);
	if (cmd->cur.bad)
		return reply_syntax(cmd);
	if (!place_find(cmd, name, RIGHT_I | PLACE_TARGET, &st->place))
		return cmd->verdict;
	/* Said before the client sends its bytes. */
	if (!mailbox_exists(&st->place))
		return reply_err_target(cmd, ERR_NOENT);
	return message(cmd);
}

/*
 * A NUL would have to leave in literals that have no place for it, and re-encoding would
 * change the message: such content is not stored (RFC 3516 section 4.4, UNKNOWN-CTE).
 */
static enum verdict refuse_nul(struct cmd *cmd)
{
	struct append_state *st = cmd->state;

	if (st->is_literal8)
		return reply_no(cmd, "UNKNOWN-CTE",
				"A message with a NUL is not kept; encode it in base64.");
	return reply_bad(cmd, "A literal holds no NUL.");
}

enum verdict append_next(struct cmd *cmd)
{
	struct append_state *st = cmd->state;
	struct op *op;

	st->has_partial = false;
	st->held += st->message_bytes % BODY_PIECE;
	st->n++;
	if (st->has_nul && !cmd->session->who.is_operator)
		return refuse_nul(cmd);
	if (st->is_utf8 && !cursor_char(&cmd->cur, ')'))
		return reply_syntax(cmd);
	if (st->has_8bit)
		return reply_no(cmd, NULL,
				"A header with 8-bit bytes is taken after ENABLE "
				"UTF8=ACCEPT only.");
	if (!cmd->cur.bad && !cursor_at_end(&cmd->cur) && !st->is_replace) {
		/* The one before is put away first, so that many hold little memory. */
		if (!incoming_end(st->item[st->n - 1].body))
			cmd->conn->is_literal_held = true;
		return message(cmd);
	}
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	for (size_t i = 0; i < st->n; i++)
		place_filter_flags(&st->place, &st->item[i].flags);
	if (st->is_replace)
		op = messages_replace(st->source, st->uid, st->place.account,
				      st->place.path, st->item, cmd_to(cmd));
	else
		op = messages_append_marked(st->place.account, st->place.path, st->item,
					    st->n, st->mark, cmd_to(cmd));
	st->n = 0; /* they are the op's now */
	return cmd_wait(cmd, APPEND_ANSWER, op);
}

/* Of REPLACE APPENDUID goes out before the EXPUNGE (RFC 8508 section 4.3). */
static enum verdict answer(struct cmd *cmd)
{
	struct append_state *st = cmd->state;
	struct buf b = { 0 };
	const char *code;

	if (st->is_replace && cmd->op->rc == ERR_CLOSED)
		return reply_no(cmd, "NONEXISTENT", "The message is gone already.");
	if (cmd->op->rc != ERR_OK)
		return reply_err_target(cmd, cmd->op->rc);
	notify_made(cmd, op_uidvalidity(cmd->op), op_target_uids(cmd->op));
	buf_printf(&b, "APPENDUID %u ", op_uidvalidity(cmd->op));
	numset_print(op_target_uids(cmd->op), &b);
	code = arena_printf(cmd->arena, "%.*s", (int)b.n, b.p + b.off);
	buf_done(&b);
	quota_warn(cmd, st->place.account);
	if (!st->is_replace)
		return reply_ok(cmd, code, "APPEND completed.");
	untagged_ok(cmd, code, "The replacement is there.");
	return reply_done(cmd);
}

static enum verdict run_step(struct cmd *cmd)
{
	switch ((enum append_step)cmd->step) {
	case APPEND_MESSAGE_IN: return append_next(cmd);
	case APPEND_ANSWER: return answer(cmd);
	default: return append_part_step(cmd);
	}
}

static enum verdict run_append(struct cmd *cmd)
{
	if (cmd->step != APPEND_PARSE)
		return run_step(cmd);
	state_new(cmd);
	return parse_target(cmd);
}

/* Of UID REPLACE a UID that is not there is no error of the client's numbering: NO. */
static enum verdict run_replace(struct cmd *cmd)
{
	struct selected *sel = cmd->session->selected;
	struct append_state *st;
	uint32_t number;

	if (cmd->step != APPEND_PARSE)
		return run_step(cmd);
	st = state_new(cmd);
	cursor_sp(&cmd->cur);
	number = cursor_nz_number(&cmd->cur);
	if (cmd->cur.bad)
		return reply_syntax(cmd);
	if (!cmd->uid && number > view_count(sel->view))
		return reply_bad(cmd, "There is no message of that number.");
	if (sel->read_only)
		return reply_no(cmd, "READ-ONLY", "The mailbox was opened read-only.");
	if (!place_may(&sel->place, RIGHT_T | RIGHT_E))
		return reply_err(cmd, ERR_DENIED);
	st->uid = cmd->uid ? number : view_get(sel->view, number).uid;
	st->source = sel->mailbox;
	st->is_replace = true;
	return parse_target(cmd);
}

static const struct command commands[] = {
	{ "APPEND", IN_LOGGED_IN, CMD_STREAM, run_append, feed },
	{ 0 },
};
static const struct command replace_commands[] = {
	{ "REPLACE", IN_SELECTED, CMD_STREAM | CMD_STREAM_SECOND | CMD_UID | CMD_NUMBERS, run_replace,
	  feed },
	{ 0 },
};
const struct extension cmd_append = {
	.name = "MULTIAPPEND",
	.rfc = "RFC 3502",
	.about = "several messages in one atomic APPEND",
	.capability = "MULTIAPPEND",
	.states = IN_LOGGED_IN,
	.commands = commands,
};
const struct extension ext_catenate = {
	.name = "CATENATE",
	.rfc = "RFC 4469",
	.about = "messages put together of parts that are here already",
	.capability = "CATENATE",
	.states = IN_LOGGED_IN,
};
const struct extension ext_url_partial = {
	.name = "URL-PARTIAL",
	.rfc = "RFC 5550",
	.about = "byte ranges in the URLs of CATENATE and URLFETCH",
	.capability = "URL-PARTIAL",
	.states = IN_LOGGED_IN,
};
const struct extension ext_replace = {
	.name = "REPLACE",
	.rfc = "RFC 8508",
	.about = "one message in place of another, in one atomic command",
	.capability = "REPLACE",
	.states = IN_LOGGED_IN,
	.commands = replace_commands,
};
