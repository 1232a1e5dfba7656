/*
 * ACL (RFC 4314): SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS. What the rights mean
 * is in place.c and the commands; LIST RETURN (MYRIGHTS) (RFC 8440) is in cmd_list.c.
 *
 * An identifier that is nobody's name is kept as well: whether there is such a user or
 * group shows in no reply. The owner of a mailbox has all rights, always.
 */
#include "auth/scram.h"
#include "auth/users.h"
#include "server/acl_share.h"
#include "server/list_line.h"
#include "server/mailbox_name.h"
#include "server/reply.h"

enum { PARSE, SHARED, CHANGED };
enum { TRIES_MAX = 64 };

struct acl_state {
	struct place place;
	uint32_t mailbox;
	struct span given;	/* identifier as the client wrote it */
	struct span identifier; /* as it is kept */
	struct span account;	/* of the user that it names, if there is one */
	bool is_owner, is_negative, is_delete;
	struct account *share; /* where it is noted who shares (acl_share.h) */
	char how;	       /* '+', '-', 0: instead */
	unsigned rights, tries;
};

/* ---- arguments ---- */

/* SASLprep, then the normal form of user names. False: it cannot be one (section 3). */
static bool prepare(struct cmd *cmd, struct span raw, struct span *ret)
{
	bool is_negative = raw.n > 0 && raw.p[0] == '-';
	struct span bare = is_negative ? span_sub(raw, 1, SIZE_MAX) : raw;
	struct buf b = { 0 };
	struct user_name name;
	bool ok = bare.n > 0 && scram_prepare(bare, true, &b) == ERR_OK &&
		  user_name_make(buf_span(&b), &name) == ERR_OK &&
		  !(name.n == 1 && name.text[0] == '$');

	buf_done(&b);
	if (ok)
		*ret = span_str(arena_printf(cmd->arena, "%s%.*s", is_negative ? "-" : "",
					     (int)name.n, name.text));
	return ok;
}

static bool read_identifier(struct cmd *cmd, struct acl_state *st)
{
	cursor_sp(&cmd->cur);
	st->given = cursor_astring(&cmd->cur);
	return cmd->cur.bad || prepare(cmd, st->given, &st->identifier) ||
	       cursor_fail(&cmd->cur, "that name cannot be a user's or group's");
}

/* mod-rights: "+lr", "-lr", "lr" (section 3.1) */
static bool read_rights(struct cmd *cmd, struct acl_state *st)
{
	struct span text;

	cursor_sp(&cmd->cur);
	text = cursor_astring(&cmd->cur);
	if (text.n && (text.p[0] == '+' || text.p[0] == '-')) {
		st->how = text.p[0];
		text = span_sub(text, 1, SIZE_MAX);
	}
	return cmd->cur.bad || rights_read(text, &st->rights) ||
	       cursor_fail(&cmd->cur, "one of these rights is not known here");
}

static bool is_off(struct cmd *cmd)
{
	if (!cmd->server->config.no_sharing)
		return false;
	reply_bad(cmd, "That command is not known here.");
	return true;
}

/* The mailbox, which must be there. False: `return cmd->verdict`. */
static bool find(struct cmd *cmd, struct span name, unsigned need, struct place *place,
		 uint32_t *ret_mailbox)
{
	const struct names *names;
	const struct name *found;

	if (!place_find(cmd, name, need, place))
		return false;
	names = account_names_now(place->account);
	found = names_find(names, place->path);
	*ret_mailbox = found && (found->flags & NAME_EXISTS) ? found->mailbox : 0;
	names_unref(names);
	if (!*ret_mailbox)
		cmd->verdict = reply_err(cmd, ERR_NOENT);
	return *ret_mailbox != 0;
}

/* Whom the identifier names. False: `return cmd->verdict`. */
static bool look_up(struct cmd *cmd, struct acl_state *st)
{
	struct users *users;
	const struct user *u;
	struct span name;

	if (acl_kind(st->identifier, &st->is_negative, &name) != ACL_USER)
		return true;
	st->is_owner = span_eq(name, st->place.owner);
	if (!st->is_owner && !place_learn(cmd, &name, 1))
		return false;
	users = auth_user(cmd->server->config.auth, name, &u);
	if (u)
		st->account = arena_dup(cmd->arena, u->account);
	users_unref(users);
	return true;
}

/* ---- SETACL, DELETEACL ---- */

/* The entry as it is; one of a user who was deleted since is none. */
static unsigned rights_now(const struct acl_state *st, const struct attr *at)
{
	struct acl_entry e;

	if (!at || !acl_entry_read(at, &e))
		return 0;
	if (e.account.n && !span_eq(e.account, st->account))
		return 0;
	return e.rights;
}

static unsigned rights_then(const struct acl_state *st, unsigned now)
{
	switch (st->how) {
	case '+': return now | st->rights;
	case '-': return now & ~st->rights;
	default: return st->is_delete ? 0 : st->rights;
	}
}

/* The owner's rights are no entry, and stay. */
static enum verdict for_owner(struct cmd *cmd, const struct acl_state *st)
{
	if (!st->is_negative && rights_then(st, RIGHTS_ALL) == RIGHTS_ALL)
		return reply_done(cmd);
	return reply_no(cmd, "CANNOT", "The owner of a mailbox has all rights to it.");
}

static enum verdict change(struct cmd *cmd)
{
	struct acl_state *st = cmd->state;
	struct attr_key key = { st->mailbox, ATTR_ACL, SPAN_NONE, st->identifier };
	const struct attrs *now = account_attrs_now(st->place.account);
	const struct attr *at = attrs_find(now, &key);
	struct acl_entry e = { st->identifier, st->account,
			       rights_then(st, rights_now(st, at)) };
	struct attr_edit edit = { .key = key, .has_expect = true };
	const struct attr_limit limit = { .rows = ACL_ENTRIES_MAX };

	edit.expect = at ? arena_dup(cmd->arena, at->value) : SPAN_NONE;
	edit.remove = e.rights == 0;
	edit.value = acl_entry_value(cmd->arena, &e);
	attrs_unref(now);
	return cmd_wait(cmd, CHANGED,
			attrs_set(st->place.account, &edit, 1, &limit, cmd_to(cmd)));
}

static enum verdict changed(struct cmd *cmd)
{
	struct acl_state *st = cmd->state;

	if (cmd->op->rc == ERR_CONFLICT && ++st->tries < TRIES_MAX)
		return change(cmd);
	return cmd->op->rc ? reply_err(cmd, cmd->op->rc) : reply_done(cmd);
}

/* Who is given something finds the owner by a row that is written before the rights are:
 * a crash in between leaves a row that leads to nothing. */
static enum verdict share(struct cmd *cmd)
{
	struct acl_state *st = cmd->state;
	struct op *op = acl_share(cmd, st->share, &st->place, st->identifier,
				  st->account);

	return op ? cmd_wait(cmd, SHARED, op) : change(cmd);
}

static enum verdict shared(struct cmd *cmd)
{
	struct acl_state *st = cmd->state;

	if (cmd->op->rc == ERR_CONFLICT && ++st->tries < TRIES_MAX)
		return share(cmd);
	return cmd->op->rc ? reply_err(cmd, cmd->op->rc) : change(cmd);
}

static enum verdict parse_change(struct cmd *cmd, bool is_delete)
{
	struct acl_state *st = cmd->state = ARENA_NEW(cmd->arena, struct acl_state);
	struct span name;

	st->is_delete = is_delete;
	cursor_sp(&cmd->cur);
	name = mailbox_name(cmd);
	read_identifier(cmd, st);
	if (!is_delete)
		read_rights(cmd, st);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!find(cmd, name, RIGHT_A, &st->place, &st->mailbox))
		return cmd->verdict;
	if (!look_up(cmd, st))
		return cmd->verdict;
	if (st->is_owner)
		return for_owner(cmd, st);
	if (is_delete || st->how == '-' || st->is_negative || !st->rights)
		return change(cmd);
	if (!acl_share_ready(cmd, st->account, &st->share))
		return cmd->verdict;
	return share(cmd);
}

static enum verdict run_change(struct cmd *cmd, bool is_delete)
{
	if (is_off(cmd))
		return CMD_DONE;
	switch (cmd->step) {
	case PARSE: return parse_change(cmd, is_delete);
	case SHARED: return shared(cmd);
	default: return changed(cmd);
	}
}

static enum verdict run_setacl(struct cmd *cmd)
{
	return run_change(cmd, false);
}

static enum verdict run_deleteacl(struct cmd *cmd)
{
	return run_change(cmd, true);
}

/* ---- GETACL, LISTRIGHTS, MYRIGHTS ---- */

/* `* COMMAND mailbox` */
static struct buf *begin(struct cmd *cmd, const char *response, const struct place *p)
{
	struct buf *out = cmd_out(cmd);

	buf_printf(out, "* %s ", response);
	emit_mailbox(out, cmd_mode(cmd), p->name);
	return out;
}

static void put_rights(struct buf *out, unsigned rights)
{
	buf_puts(out, rights ? " " : " \"\"");
	rights_put(rights, out);
}

void list_myrights_line(struct cmd *cmd, struct span name, unsigned rights)
{
	const struct place p = { .name = name };

	put_rights(begin(cmd, "MYRIGHTS", &p), rights);
	buf_puts(cmd_out(cmd), "\r\n");
}

static void put_entry(struct cmd *cmd, struct span identifier, unsigned rights)
{
	struct buf *out = cmd_out(cmd);

	buf_putc(out, ' ');
	emit_astring(out, cmd_mode(cmd), identifier);
	put_rights(out, rights);
}

static enum verdict run_getacl(struct cmd *cmd)
{
	const struct attrs *now;
	const struct attr *at;
	struct place place;
	struct span name;
	uint32_t mailbox;
	size_t n;

	if (is_off(cmd))
		return CMD_DONE;
	cursor_sp(&cmd->cur);
	name = mailbox_name(cmd);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!find(cmd, name, RIGHT_A, &place, &mailbox))
		return cmd->verdict;
	begin(cmd, "ACL", &place);
	put_entry(cmd, place.owner, RIGHTS_ALL);
	now = account_attrs_now(place.account);
	at = attrs_of(now, mailbox, ATTR_ACL, &n);
	for (size_t i = 0; i < n; i++) {
		struct acl_entry e;

		if (acl_entry_read(&at[i], &e))
			put_entry(cmd, e.identifier, e.rights);
	}
	attrs_unref(now);
	buf_puts(cmd_out(cmd), "\r\n");
	return reply_done(cmd);
}

/* No rights are tied: each stands alone, and so do "c" and "d" (section 2.1.1). */
static enum verdict run_listrights(struct cmd *cmd)
{
	struct acl_state st = { 0 };
	struct span name;
	struct buf *out;

	if (is_off(cmd))
		return CMD_DONE;
	cursor_sp(&cmd->cur);
	name = mailbox_name(cmd);
	read_identifier(cmd, &st);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!find(cmd, name, RIGHT_A, &st.place, &st.mailbox))
		return cmd->verdict;
	if (!look_up(cmd, &st))
		return cmd->verdict;
	out = begin(cmd, "LISTRIGHTS", &st.place);
	put_entry(cmd, st.given, st.is_owner && !st.is_negative ? RIGHTS_ALL : 0);
	if (!st.is_owner)
		buf_puts(out, " l r s w i p k x t e c d a");
	buf_puts(out, "\r\n");
	return reply_done(cmd);
}

static enum verdict run_myrights(struct cmd *cmd)
{
	struct place place;
	struct span name;
	uint32_t mailbox;

	if (is_off(cmd))
		return CMD_DONE;
	cursor_sp(&cmd->cur);
	name = mailbox_name(cmd);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!find(cmd, name, PLACE_ANY, &place, &mailbox))
		return cmd->verdict;
	list_myrights_line(cmd, place.name, place.rights);
	return reply_done(cmd);
}

/* RIGHTS= names those that RFC 2086 did not have (section 2.2). */
static void offer(const struct conn *c, unsigned state, struct buf *out)
{
	if ((state & IN_LOGGED_IN) && !c->server->config.no_sharing)
		buf_puts(out, " ACL RIGHTS=kxte LIST-MYRIGHTS");
}

static const struct command commands[] = {
	{ "SETACL", IN_LOGGED_IN, 0, run_setacl },
	{ "DELETEACL", IN_LOGGED_IN, 0, run_deleteacl },
	{ "GETACL", IN_LOGGED_IN, 0, run_getacl },
	{ "LISTRIGHTS", IN_LOGGED_IN, 0, run_listrights },
	{ "MYRIGHTS", IN_LOGGED_IN, 0, run_myrights },
	{ 0 },
};
const struct extension ext_acl = {
	.name = "ACL, RIGHTS=",
	.rfc = "RFC 4314",
	.about = "mailboxes shared with users, groups and everybody",
	.offer = offer,
	.commands = commands,
};
const struct extension ext_list_myrights = {
	.name = "LIST-MYRIGHTS",
	.rfc = "RFC 8440",
	.about = "LIST with the user's rights on each mailbox",
};
