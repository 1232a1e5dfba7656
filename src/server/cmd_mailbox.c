/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 sections 6.3.4 to 6.3.8; RFC
 * 6154 USE). */
#include "server/list_names.h"
#include "server/mailbox_name.h"
#include "server/notify.h"
#include "server/place.h"
#include "server/object_id.h"
#include "server/reply.h"
#include "wire/list.h"

enum { PARSE, ANSWER };

/* The names that the command changes, for who need not be told of them (RFC 5465): his
 * own, as he is told of no others. */
struct kept {
	struct place place;
	struct span names[2];
};

static void keep_names(struct cmd *cmd, const struct place *place, struct span one,
		       struct span two)
{
	struct kept *k = cmd->state = ARENA_NEW(cmd->arena, struct kept);

	if (place)
		k->place = *place;
	if (k->place.space != PLACE_PERSONAL)
		return;
	k->names[0] = one;
	k->names[1] = two;
}

static void tell_no_more(struct cmd *cmd)
{
	const struct span *names = ((struct kept *)cmd->state)->names;

	for (int i = 0; i < 2; i++)
		if (names[i].n)
			notify_renamed(cmd, names[i], names[1].n > 0);
}

static enum verdict changed(struct cmd *cmd)
{
	tell_no_more(cmd);
	return reply_done(cmd);
}

/* RFC 9051 section 6.3.4: a trailing "/" declares that names are to come below. */
static struct span without_slash(struct span path)
{
	if (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	return path;
}

/*
 * CREATE x (USE (\Sent)). The bits of enum special_use are those of wire/list.h, lower.
 * `ret_unknown`: an attribute is well formed but not one of ours.
 */
static bool parse_use(struct cmd *cmd, unsigned *ret_use, bool *ret_unknown)
{
	struct wire_params params;
	const struct wire_param *use;
	struct cursor value;

	if (!cursor_sp(&cmd->cur) || !cursor_params(&cmd->cur, &params))
		return false;
	use = wire_param_find(&params, "USE");
	if (!use || params.n != 1)
		return cursor_fail(&cmd->cur,
				   "only USE is known as a parameter of CREATE");
	value = cursor_on(&cmd->cur, use->value);
	cursor_list_open(&value);
	if (cursor_peek(&value) == ')')
		return cursor_list_close(&value);
	do {
		size_t from = value.at;
		unsigned bit;

		cursor_char(&value, '\\');
		cursor_atom(&value);
		bit = list_attr_bit(span_sub(value.in, from, value.at - from)) &
		      LIST_SPECIAL_USE_ATTRS;
		*ret_use |= bit / LIST_ALL;
		*ret_unknown |= !bit;
	} while (cursor_list_more(&value));
	return !value.bad || cursor_fail(&cmd->cur, "a special use was expected");
}

static enum verdict create_answer(struct cmd *cmd)
{
	struct span id;

	if (cmd->op->rc == ERR_CONFLICT)
		return reply_no(cmd, "USEATTR", "Another mailbox has that special use.");
	if (cmd->op->rc != ERR_OK)
		return reply_err(cmd, cmd->op->rc);
	tell_no_more(cmd);
	id = object_id_mailbox(cmd->arena, op_mailbox_id(cmd->op));
	return reply_ok(cmd,
			arena_printf(cmd->arena, "MAILBOXID (%.*s)", (int)id.n, id.p),
			"CREATE completed.");
}

static enum verdict run_create(struct cmd *cmd)
{
	struct place place;
	struct span path;
	unsigned use = 0;
	bool is_unknown = false;

	if (cmd->step == ANSWER)
		return create_answer(cmd);
	cursor_sp(&cmd->cur);
	path = without_slash(mailbox_name(cmd));
	if (!cmd->cur.bad && !cursor_at_end(&cmd->cur))
		parse_use(cmd, &use, &is_unknown);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (is_unknown)
		return reply_no(cmd, "USEATTR", "That special use is not supported.");
	if (!place_find_new(cmd, path, &place))
		return cmd->verdict;
	/* his clients would put what they send there, for whoever made it */
	if (use && place.space != PLACE_PERSONAL)
		return reply_no(cmd, "NOPERM",
				"Only its owner gives a mailbox a special use.");
	keep_names(cmd, &place, place.path, SPAN_NONE);
	return cmd_wait(cmd, ANSWER,
			mailbox_create(place.account, place.path, use, cmd_to(cmd)));
}

static enum verdict delete_answer(struct cmd *cmd)
{
	const struct kept *k = cmd->state;

	switch (cmd->op->rc) {
	case ERR_OK: return changed(cmd);
	case ERR_BUSY:
		/* what is below may be hidden from him */
		if (!list_shows_below(cmd, &k->place))
			return reply_err(cmd, ERR_DENIED);
		return reply_no(cmd, "HASCHILDREN",
				"It has mailboxes below it; delete those first.");
	case ERR_DENIED: return reply_no(cmd, "CANNOT", "INBOX cannot be deleted.");
	default: return reply_err(cmd, cmd->op->rc);
	}
}

static enum verdict run_delete(struct cmd *cmd)
{
	struct place place;
	struct span path;

	if (cmd->step == ANSWER)
		return delete_answer(cmd);
	cursor_sp(&cmd->cur);
	path = without_slash(mailbox_name(cmd));
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!place_find(cmd, path, RIGHT_X, &place))
		return cmd->verdict;
	keep_names(cmd, &place, place.path, SPAN_NONE);
	return cmd_wait(cmd, ANSWER,
			mailbox_delete(place.account, place.path, cmd_to(cmd)));
}

static enum verdict run_rename(struct cmd *cmd)
{
	struct place old, new;
	struct span from, to;

	if (cmd->step == ANSWER)
		return cmd->op->rc ? reply_err(cmd, cmd->op->rc) : changed(cmd);
	cursor_sp(&cmd->cur);
	from = without_slash(mailbox_name(cmd));
	cursor_sp(&cmd->cur);
	to = without_slash(mailbox_name(cmd));
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!place_find(cmd, from, RIGHT_X, &old) || !place_find_new(cmd, to, &new))
		return cmd->verdict;
	if (!place_same_account(&old, &new))
		return reply_no(cmd, "CANNOT",
				"A mailbox stays with its owner; copy its messages.");
	keep_names(cmd, &old, old.path, new.path);
	return cmd_wait(cmd, ANSWER,
			mailbox_rename(old.account, old.path, new.path, cmd_to(cmd)));
}

/* A subscription is the user's own, to whatever name (RFC 9051 section 6.3.7). */
static enum verdict subscribe(struct cmd *cmd, bool on)
{
	struct span path;

	if (cmd->step == ANSWER)
		return cmd->op->rc ? reply_err(cmd, cmd->op->rc) : changed(cmd);
	cursor_sp(&cmd->cur);
	path = without_slash(mailbox_name(cmd));
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	keep_names(cmd, NULL, path, SPAN_NONE);
	return cmd_wait(cmd, ANSWER,
			mailbox_subscribe(cmd->session->account, path, on, cmd_to(cmd)));
}

static enum verdict run_subscribe(struct cmd *cmd)
{
	return subscribe(cmd, true);
}

static enum verdict run_unsubscribe(struct cmd *cmd)
{
	return subscribe(cmd, false);
}

static const struct command commands[] = {
	{ "CREATE", IN_LOGGED_IN, 0, run_create },
	{ "DELETE", IN_LOGGED_IN, 0, run_delete },
	{ "RENAME", IN_LOGGED_IN, 0, run_rename },
	{ "SUBSCRIBE", IN_LOGGED_IN, 0, run_subscribe },
	{ "UNSUBSCRIBE", IN_LOGGED_IN, 0, run_unsubscribe },
	{ 0 },
};
const struct extension cmd_mailbox = {
	.name = "CREATE-SPECIAL-USE",
	.rfc = "RFC 6154",
	.about = "mailboxes made with a special use",
	.capability = "CREATE-SPECIAL-USE",
	.states = IN_LOGGED_IN,
	.commands = commands,
};
