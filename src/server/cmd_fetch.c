/*
 * FETCH and UID FETCH (RFC 9051 section 6.4.5, RFC 3501; BINARY of RFC 3516). Messages
 * go out one by one; at the high-water mark the command waits until the peer has
 * read, so a slow reader costs one buffer.
 */
#include "server/fetch_state.h"
#include "server/object_id.h"
#include "server/message_limit.h"
#include "server/reply.h"
#include "server/selected.h"
#include "wire/date.h"
#include "wire/search.h"

enum { MESSAGES_A_TURN = 4096 };

static void state_done(void *arg)
{
	struct fetch_state *st = arg;

	numset_done(&st->uids);
	numset_done(&st->newly_seen);
	numset_done(&st->downgraded);
	numset_done(&st->modifiers.resync.uids);
	fetch_content_done(st);
	buf_done(&st->line);
}

static void label(struct cmd *cmd, const struct fetch_item *item)
{
	struct fetch_state *st = cmd->state;

	if (!st->is_first)
		buf_putc(&st->line, ' ');
	st->is_first = false;
	emit_fetch_label(&st->line, cmd_mode(cmd), item);
	buf_putc(&st->line, ' ');
}

/* Items that the view alone answers. */
static void simple_item(struct cmd *cmd, const struct fetch_item *item)
{
	struct fetch_state *st = cmd->state;
	const struct ahead_message *m = st->message;

	label(cmd, item);
	switch (item->kind) {
	case FETCH_UID: buf_put_u64(&st->line, m->msg.uid); break;
	case FETCH_FLAGS: selected_flags(cmd, &m->msg, &st->line); break;
	case FETCH_MODSEQ: condstore_put(cmd, m->msg.modseq, &st->line); break;
	case FETCH_INTERNALDATE:
		emit_date_time(&st->line, (struct wire_time){ m->msg.info->internal_date,
							      m->msg.info->zone_min });
		break;
	case FETCH_SAVEDATE:
		emit_date_time(&st->line,
			       (struct wire_time){ m->msg.info->save_date, 0 });
		break;
	case FETCH_EMAILID: object_id_put(&st->line, 'M', m->msg.info->email_id); break;
	case FETCH_THREADID: object_id_put(&st->line, 'T', m->msg.info->thread_id); break;
	default: buf_put_u64(&st->line, m->msg.info->bytes);
	}
}

/* Empty, for the next response; all of it is wiped in the end. */
static void line_begin(struct buf *line)
{
	line->off = line->n = 0;
}

static void add_item(struct cmd *cmd, enum fetch_kind kind)
{
	struct fetch_state *st = cmd->state;

	if (!(st->args.kinds & kind))
		simple_item(cmd, &(struct fetch_item){ .kind = kind });
}

/* UID FETCH names the UID, and flags that the command has changed are told with it (RFC 7162
 * section 3.2.4: with UID and MODSEQ, for who knows of them). */
static void add_unasked(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	bool is_new = st->newly_seen.n &&
		      numset_has(&st->newly_seen, st->message->msg.uid);
	bool is_aware = session_condstore(cmd->session);

	if ((cmd->uid || (is_new && is_aware)) && !session_is_uidonly(cmd->session))
		add_item(cmd, FETCH_UID);
	if (is_new)
		add_item(cmd, FETCH_FLAGS);
	if (is_new && is_aware)
		add_item(cmd, FETCH_MODSEQ);
}

static void begin_message(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;

	st->message = ahead_message(&st->ahead);
	st->content = ahead_content(&st->ahead);
	st->summary = st->content && st->content->has_summary ? &st->content->summary
							      : NULL;
	line_begin(&st->line);
	report_fetch_begin(cmd, &st->line, st->message->seq, st->message->msg.uid);
	st->is_first = true;
	st->is_out = false;
	st->item = 0;
	add_unasked(cmd);
}

static void end_message(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;

	buf_puts(&st->line, ")\r\n");
	buf_put(cmd_out(cmd), buf_span(&st->line));
	line_begin(&st->line);
	st->ahead.at++;
	cmd->done++;
	cmd->tells_progress = true;
}

/* The message could not be given: its response has gone, st->ahead.at is the next one. */
static bool is_taken_back(const struct fetch_state *st)
{
	return st->line.n == 0 && !st->is_out;
}

/* Whether all items can be given; else the message is passed over. */
static bool is_possible(struct fetch_state *st)
{
	const char *why = NULL;

	if (!(st->want.what & WANT_SUMMARY))
		return true;
	if (st->summary)
		why = fetch_obstacle(st);
	if (st->summary && !why)
		return true;
	if (why)
		st->code = why;
	buf_clear(&st->line);
	st->failed++;
	st->ahead.at++;
	return false;
}

/* The rest of the items of the message in hand, from st->item on. */
static enum verdict items(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;

	for (; st->item < st->args.n_items; st->item++) {
		const struct fetch_item *item = &st->args.items[st->item];
		enum verdict v;

		/* Many items, each below a chunk, must not pile up here. */
		if (st->line.n >= FETCH_CHUNK) {
			fetch_send(cmd);
			if (cmd_must_drain(cmd))
				return cmd_drain(cmd, FETCH_ITEMS);
		}
		if (!fetch_is_content(item)) {
			simple_item(cmd, item);
			continue;
		}
		label(cmd, item);
		v = fetch_content(cmd);
		if (v != CMD_DONE || is_taken_back(st))
			return v;
	}
	end_message(cmd);
	return CMD_DONE;
}

static enum verdict all_done(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;

	if (st->failed)
		return reply_no(cmd, st->code, "Some messages could not be given.");
	return fetch_reply_done(cmd);
}

/* Prints messages until something has to be waited for. */
static enum verdict go_on(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	enum verdict v;

	for (int n = 0; n < MESSAGES_A_TURN; n++) {
		struct ahead *a = &st->ahead;

		if (!a->first || a->at == a->first->n) {
			v = ahead_next(a);
			if (v != CMD_DONE)
				return v;
			if (!a->first)
				return all_done(cmd);
		}
		if (a->first->rc != ERR_OK)
			return reply_err(cmd, a->first->rc);
		if (cmd_must_drain(cmd))
			return cmd_drain(cmd, FETCH_NEXT);
		begin_message(cmd);
		if (!is_possible(st))
			continue;
		v = items(cmd);
		if (v != CMD_DONE)
			return v;
	}
	return cmd_yield(cmd, FETCH_NEXT);
}

static enum verdict items_go_on(struct cmd *cmd)
{
	enum verdict v = items(cmd);

	return v == CMD_DONE ? go_on(cmd) : v;
}

static enum verdict chunk_came(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	enum verdict v = fetch_chunk(cmd);

	if (v != CMD_DONE)
		return v;
	if (is_taken_back(st))
		return go_on(cmd);
	st->item++;
	return items_go_on(cmd);
}

/* \Seen is set first, in one commit for all (RFC 9051 section 6.4.5). */
static enum verdict mark_seen(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	struct selected *sel = cmd->session->selected;
	struct numset_iter it = numset_iter(&st->uids);
	struct view_msg m;
	uint32_t uid, seq;

	while (numset_next(&it, &uid))
		if (selected_message(sel, uid, &seq, &m) && !(m.flags & FLAG_SEEN))
			numset_add(&st->newly_seen, uid);
	if (numset_count(&st->newly_seen) == 0)
		return go_on(cmd);
	st->seen_flag.system = FLAG_SEEN;
	return cmd_wait(cmd, FETCH_SEEN,
			messages_flag(sel->mailbox, &st->newly_seen, FLAGS_ADD,
				      &st->seen_flag, UINT64_MAX, cmd_to(cmd)));
}

/* The new flags go out with the messages; what others did is told here. */
static enum verdict seen_set(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;

	/* A full store is no reason to keep the mail from its reader. */
	if (cmd->op->rc != ERR_OK) {
		numset_copy(&st->newly_seen, &(struct numset){ 0 });
		return go_on(cmd);
	}
	st->silent = (struct report_silent){ .uids = &st->newly_seen,
					     .how = FLAGS_ADD,
					     .flags = &st->seen_flag,
					     .is_fetch = true };
	cmd->silent = &st->silent;
	cmd->may_expunge = false;
	report(cmd);
	cmd->silent = NULL;
	cmd->may_expunge = cmd->uid;
	return go_on(cmd);
}

static enum verdict begin_whole(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	struct selected *sel = cmd->session->selected;
	const struct partial_range *p = &st->modifiers.partial;

	if (st->modifiers.has_partial &&
	    message_limit_refuses(cmd, (p->a < p->b ? p->b - p->a : p->a - p->b) + 1ull, NULL))
		return CMD_DONE;
	fetch_modifiers_apply(cmd);
	message_limit(cmd, &st->uids);
	cmd->tells_progress = true;
	cmd->goal = numset_count(&st->uids);
	st->it = numset_iter(&st->uids);
	fetch_want(st);
	ahead_begin(&st->ahead, cmd->arena, cmd, FETCH_NEXT, fetch_fill, cmd, sel);
	if (st->args.sets_seen && !sel->read_only && place_may(&sel->place, RIGHT_S))
		return mark_seen(cmd);
	return go_on(cmd);
}

static enum verdict whole(struct cmd *cmd)
{
	return cmd->op->rc == ERR_OK ? begin_whole(cmd) : reply_err(cmd, cmd->op->rc);
}

/* The history has been looked into, if it was to be. */
static enum verdict begin(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	struct mailbox *m = cmd->session->selected->mailbox;

	if (!(st->args.kinds & ~(unsigned)(FETCH_UID | FETCH_FLAGS | FETCH_MODSEQ)) ||
	    mailbox_is_whole_now(m))
		return begin_whole(cmd);
	return cmd_wait(cmd, FETCH_WHOLE, mailbox_whole(m, cmd_to(cmd)));
}

static enum verdict looked(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;

	if (cmd->op->rc != ERR_OK)
		return reply_err(cmd, cmd->op->rc);
	resync_vanished(cmd, &st->modifiers.resync);
	return begin(cmd);
}

static enum verdict parse(struct cmd *cmd)
{
	struct fetch_state *st = ARENA_NEW(cmd->arena, struct fetch_state);

	st->keeps_nul = cmd->session->who.is_operator;
	struct selected *sel = cmd->session->selected;
	struct seqset set;
	struct op *look;

	cmd->state = st;
	arena_defer(cmd->arena, state_done, st);
	cursor_sp(&cmd->cur);
	cursor_sequence_set(&cmd->cur, &set);
	cursor_sp(&cmd->cur);
	if (!cursor_fetch_args(&cmd->cur, FETCH_SERVED, &st->args) ||
	    !cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (selected_resolve(sel, &set, cmd->uid, &st->uids) != ERR_OK)
		return reply_bad(cmd, "There is no message of that number.");
	if (!fetch_modifiers_read(cmd))
		return CMD_DONE;
	look = fetch_modifiers_look(cmd, &set);
	return look ? cmd_wait(cmd, FETCH_LOOKED, look) : begin(cmd);
}

static enum verdict run(struct cmd *cmd)
{
	switch ((enum fetch_step)cmd->step) {
	case FETCH_PARSE: return parse(cmd);
	case FETCH_LOOKED: return looked(cmd);
	case FETCH_WHOLE: return whole(cmd);
	case FETCH_SEEN: return seen_set(cmd);
	case FETCH_CHUNK_CAME: return chunk_came(cmd);
	case FETCH_ITEMS: return items_go_on(cmd);
	case FETCH_STREAM: return fetch_stream(cmd);
	default: return go_on(cmd);
	}
}

static const struct command commands[] = {
	{ "FETCH", IN_SELECTED, CMD_UID | CMD_NUMBERS | CMD_NO_EXPUNGE, run },
	{ 0 },
};
const struct extension cmd_fetch = {
	.name = "BINARY",
	.rfc = "RFC 3516",
	.about = "parts decoded by the server; FETCH",
	.capability = "BINARY",
	.states = IN_LOGGED_IN,
	.commands = commands,
};
