/* STATUS (RFC 9051 section 6.3.11; RFC 3501; STATUS=SIZE of RFC 8438). */
#include "server/append_limit.h"
#include "server/condstore.h"
#include "server/mailbox_name.h"
#include "server/place.h"
#include "server/object_id.h"
#include "server/reply.h"
#include "server/status_line.h"
#include "wire/status.h"

enum { PARSE, ANSWER };

struct status_state {
	struct place place;
	struct name name;
	unsigned items;
};

void status_asked(struct cmd *cmd, unsigned items)
{
	if (items & STATUS_HIGHESTMODSEQ)
		condstore_enable(cmd);
}

void status_line(struct cmd *cmd, const struct name *name, const struct mailbox_status *s,
		 unsigned items)
{
	struct status_values v = {
		.items = items,
		.messages = s->messages,
		.uidnext = s->uidnext,
		.uidvalidity = s->uidvalidity,
		.unseen = s->unseen,
		.deleted = s->deleted,
		.recent = s->recent,
		.size = s->bytes,
		.deleted_storage = s->deleted_bytes,
		.highestmodseq = s->highestmodseq,
		.appendlimit = append_limit(cmd->session),
		.mailboxid = object_id_mailbox(cmd->arena, name->mailbox_id),
	};

	emit_status_response(cmd_out(cmd), cmd_mode(cmd), name->path, &v);
}

struct op *status_ask(struct cmd *cmd, struct account *a, const uint32_t *mailboxes,
		      size_t n, unsigned items)
{
	bool is_own = a == cmd->session->account;
	struct span user = is_own ? SPAN_NONE : auth_account(&cmd->session->who);

	return mailbox_status_as(a, mailboxes, n, user, items & STATUS_DELETED_STORAGE,
				 cmd_to(cmd));
}

static enum verdict answer(struct cmd *cmd)
{
	struct status_state *st = cmd->state;
	const struct mailbox_status *s;
	size_t n;

	if (cmd->op->rc != ERR_OK)
		return reply_err(cmd, cmd->op->rc);
	s = op_status(cmd->op, &n);
	if (n != 1 || !s->exists)
		return reply_err(cmd, ERR_NOENT);
	status_line(cmd, &st->name, s, st->items);
	return reply_done(cmd);
}

static enum verdict run(struct cmd *cmd)
{
	struct status_state *st;
	const struct names *names;
	const struct name *found;
	struct span path;

	if (cmd->step == ANSWER)
		return answer(cmd);
	st = cmd->state = ARENA_NEW(cmd->arena, struct status_state);
	cursor_sp(&cmd->cur);
	path = mailbox_name(cmd);
	cursor_sp(&cmd->cur);
	st->items = cursor_status_items(&cmd->cur, STATUS_SERVED);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	status_asked(cmd, st->items);
	if (!place_find(cmd, path, RIGHT_R, &st->place))
		return cmd->verdict;
	names = account_names_now(st->place.account);
	found = names_find(names, st->place.path);
	if (found)
		st->name = *found;
	st->name.path = path;
	names_unref(names);
	if (!found || !(st->name.flags & NAME_EXISTS))
		return reply_err(cmd, ERR_NOENT);
	return cmd_wait(
	    cmd, ANSWER,
	    status_ask(cmd, st->place.account, &st->name.mailbox, 1, st->items));
}

static const struct command commands[] = {
	{ "STATUS", IN_LOGGED_IN, 0, run },
	{ 0 },
};
const struct extension cmd_status = {
	.name = "STATUS=SIZE",
	.rfc = "RFC 8438",
	.about = "the size of a mailbox in STATUS",
	.capability = "STATUS=SIZE",
	.states = IN_LOGGED_IN,
	.commands = commands,
};
