/*
 * APPEND (RFC 9051 section 6.3.12; MULTIAPPEND of RFC 3502; APPENDUID of RFC
 * 4315; literal8 of RFC 3516). Messages stream to the store as they arrive.
 */
#include "base/clock.h"
#include "server/append_limit.h"
#include "server/mailbox_name.h"
#include "server/place.h"
#include "server/quota.h"
#include "server/reply.h"
#include "wire/date.h"
#include "wire/flags.h"

enum { PARSE, MESSAGE_IN, ANSWER };

/* All messages of one command are one commit and wait in memory or on disk until then. */
#define APPEND_MESSAGES_MAX 1000
/* What is left of each behind its last whole piece waits in memory. */
#define APPEND_HELD_MAX (UINT64_C(64) << 20)

/* Looks for 8-bit bytes while a header passes by. */
struct header_watch {
	bool is_on, is_over, is_line_begun;
};

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

struct append_state {
	struct cmd *cmd;
	struct place place;
	struct append_item *item;
	size_t n, cap;		   /* complete ones; room */
	uint64_t held;		   /* bytes of them in memory */
	uint64_t bytes;		   /* of all */
	bool has_partial;	   /* item[n] is being fed */
	bool has_nul, is_literal8; /* of a message, and how that one came */
	bool is_utf8;		   /* the one in hand stands in UTF8 (...) */
	struct header_watch watch; /* of the one in hand */
	bool has_8bit;		   /* in the header of one, where that is refused */
};

static void state_done(void *arg)
{
	struct append_state *st = arg;

	for (size_t i = 0; i < st->n + (st->has_partial ? 1 : 0); i++)
		incoming_free(st->item[i].body);
}

static void drained(void *arg)
{
	conn_literal_go(((struct append_state *)arg)->cmd->conn);
}

/* Of clients that have not enabled UTF-8, by configuration (RFC 9755 section 4). */
static bool refuses_8bit(const struct cmd *cmd)
{
	return cmd->server->config.refuse_8bit_headers && !session_is_utf8(cmd->session);
}

static bool feed(struct cmd *cmd, struct span bytes)
{
	struct append_state *st = cmd->state;

	st->has_8bit |= header_watch_feed(&st->watch, bytes);
	if (bytes.n && memchr(bytes.p, '\0', bytes.n)) {
		st->has_nul = true;
		st->is_literal8 = cmd->literal.literal8;
	}
	return incoming_feed(st->item[st->n].body, bytes);
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

/* [SP "(" flags ")"] [SP date-time] SP literal (RFC 9051 section 9, append-message) */
static bool parse_options(struct cmd *cmd, struct append_item *item)
{
	struct cursor *cur = &cmd->cur;
	struct frame_literal literal;
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
	if (!parse_utf8(cmd))
		return false;
	if (!cmd->has_literal)
		return cursor_fail(cur, "a message literal was expected");
	return cursor_literal_header(cur, &literal);
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

/* One more message: its options, then its bytes. */
static enum verdict message(struct cmd *cmd)
{
	struct append_state *st = cmd->state;
	struct append_item *item = next_item(st);

	if (st->n == APPEND_MESSAGES_MAX)
		return reply_no(cmd, "LIMIT",
				"These are too many messages for one APPEND.");
	if (!parse_options(cmd, item))
		return reply_syntax(cmd);
	if (cmd->literal.bytes == 0)
		return reply_no(cmd, NULL, "An empty message is not kept.");
	if (cmd->literal.bytes > append_limit(cmd->session))
		return reply_no(cmd, "TOOBIG",
				"The message is larger than this server takes.");
	st->bytes += cmd->literal.bytes;
	if (quota_is_short(st->place.account, st->bytes, st->n + 1))
		return reply_err(cmd, ERR_QUOTA);
	st->held += cmd->literal.bytes % BODY_PIECE;
	if (st->held > APPEND_HELD_MAX)
		return reply_no(cmd, "LIMIT",
				"These messages are too large for one APPEND; send fewer "
				"at a time.");
	item->body = incoming_new(st->place.account, cmd->conn->home->home, drained,
				  st);
	st->has_partial = true;
	st->watch = (struct header_watch){ .is_on = refuses_8bit(cmd) };
	return cmd_literal(cmd, MESSAGE_IN);
}

static enum verdict parse(struct cmd *cmd)
{
	struct append_state *st = ARENA_NEW(cmd->arena, struct append_state);
	struct span name;

	cmd->state = st;
	st->cmd = cmd;
	arena_defer(cmd->arena, state_done, st);
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

static enum verdict message_in(struct cmd *cmd)
{
	struct append_state *st = cmd->state;
	struct op *op;

	st->has_partial = false;
	st->n++;
	if (st->has_nul)
		return refuse_nul(cmd);
	if (st->is_utf8 && !cursor_char(&cmd->cur, ')'))
		return reply_syntax(cmd);
	if (st->has_8bit)
		return reply_no(cmd, NULL,
				"A header with 8-bit bytes is taken after ENABLE "
				"UTF8=ACCEPT only.");
	if (cmd->has_literal) {
		/* The one before is put away first, so that many hold little memory. */
		if (!incoming_end(st->item[st->n - 1].body))
			cmd->conn->is_literal_held = true;
		return message(cmd);
	}
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	op = messages_append(st->place.account, st->place.path, st->item, st->n,
			     cmd_to(cmd));
	st->n = 0; /* they are the op's now */
	return cmd_wait(cmd, ANSWER, op);
}

static enum verdict answer(struct cmd *cmd)
{
	struct buf b = { 0 };
	const char *code;

	if (cmd->op->rc != ERR_OK)
		return reply_err_target(cmd, cmd->op->rc);
	buf_printf(&b, "APPENDUID %u ", op_uidvalidity(cmd->op));
	numset_print(op_target_uids(cmd->op), &b);
	code = arena_printf(cmd->arena, "%.*s", (int)b.n, b.p + b.off);
	buf_done(&b);
	quota_warn(cmd, ((struct append_state *)cmd->state)->place.account);
	return reply_ok(cmd, code, "APPEND completed.");
}

static enum verdict run(struct cmd *cmd)
{
	switch (cmd->step) {
	case PARSE: return parse(cmd);
	case MESSAGE_IN: return message_in(cmd);
	default: return answer(cmd);
	}
}

static const struct command commands[] = {
	{ "APPEND", IN_LOGGED_IN, CMD_STREAM, run, feed },
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
