/*
 * QUOTA (RFC 9208): GETQUOTA, GETQUOTAROOT, SETQUOTA. The one quota root of a mailbox is
 * its owner's, "#user/NAME". Limits are set by administrators alone, acting for the user:
 * who proved the credential decides, as for UNAUTHENTICATE (doc/standards.md).
 */
#include "server/language.h"
#include "server/quota.h"

#include "server/mailbox_name.h"
#include "server/place.h"
#include "server/reply.h"
#include "store/quota.h"

enum { PARSE, ANSWER };

bool quota_is_short(struct account *a, uint64_t bytes, uint64_t messages)
{
	struct quota q;

	account_quota_now(a, &q);
	return quota_refuses(&q, bytes, messages);
}

void quota_warn(struct cmd *cmd, struct account *a)
{
	uint64_t percent = cmd->server->config.limits.quota_warning_percent;
	struct quota q;

	/* what another user has used is not for those who add to it */
	if (!percent || a != cmd->session->account)
		return;
	account_quota_now(a, &q);
	for (unsigned r = 0; r <= QUOTA_MESSAGE; r++) {
		if (q.limit[r] == QUOTA_NONE ||
		    q.used[r] <
			q.limit[r] / 100 * percent + q.limit[r] % 100 * percent / 100)
			continue;
		untagged(cmd, "NO [OVERQUOTA] %s",
		 language_text(cmd->session, "The quota is nearly used up."));
		return;
	}
}

static struct span root_of(struct cmd *cmd)
{
	struct span name = auth_authzid(&cmd->session->who);

	return span_str(arena_printf(cmd->arena, "#user/%.*s", (int)name.n, name.p));
}

static void put_quota(struct cmd *cmd, struct span root, struct account *a)
{
	struct buf *out = cmd_out(cmd);
	bool is_first = true;
	struct quota q;

	account_quota_now(a, &q);
	buf_puts(out, "* QUOTA ");
	emit_astring(out, cmd_mode(cmd), root);
	buf_puts(out, " (");
	for (unsigned r = 0; r < QUOTA_RESOURCES; r++) {
		if (q.limit[r] == QUOTA_NONE)
			continue;
		buf_printf(out, "%s%s %llu %llu", is_first ? "" : " ",
			   quota_name((enum quota_resource)r),
			   (unsigned long long)q.used[r], (unsigned long long)q.limit[r]);
		is_first = false;
	}
	buf_puts(out, ")\r\n");
}

/* A root is compared as it was given out; the name in it is folded like all names. */
static bool is_own_root(struct cmd *cmd, struct span root)
{
	return span_ieq(root, root_of(cmd));
}

static enum verdict no_such_root(struct cmd *cmd)
{
	return reply_no(cmd, "NONEXISTENT", "There is no such quota root.");
}

static enum verdict run_getquota(struct cmd *cmd)
{
	struct span root;

	cursor_sp(&cmd->cur);
	root = cursor_astring(&cmd->cur);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!is_own_root(cmd, root))
		return no_such_root(cmd);
	put_quota(cmd, root_of(cmd), cmd->session->account);
	return reply_done(cmd);
}

/* What another user may keep is not for those who read his mail. */
static enum verdict run_getquotaroot(struct cmd *cmd)
{
	struct place place;
	struct span path, root;
	struct buf *out;
	bool is_own;

	cursor_sp(&cmd->cur);
	path = mailbox_name(cmd);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!place_find(cmd, path, RIGHT_R, &place))
		return cmd->verdict;
	is_own = place.account == cmd->session->account;
	root = root_of(cmd);
	out = cmd_out(cmd);
	buf_puts(out, "* QUOTAROOT ");
	emit_mailbox(out, cmd_mode(cmd), path);
	if (is_own) {
		buf_putc(out, ' ');
		emit_astring(out, cmd_mode(cmd), root);
	}
	buf_puts(out, "\r\n");
	if (is_own)
		put_quota(cmd, root, place.account);
	return reply_done(cmd);
}

/* setquota-list; resources that are not listed have no limit any more (section 4.1.3). */
static void read_limits(struct cmd *cmd, uint64_t limit[QUOTA_RESOURCES],
			bool *ret_unknown)
{
	struct cursor *c = &cmd->cur;

	for (unsigned r = 0; r < QUOTA_RESOURCES; r++)
		limit[r] = QUOTA_NONE;
	cursor_list_open(c);
	if (cursor_peek(c) == ')') {
		cursor_list_close(c);
		return;
	}
	do {
		struct span name = cursor_atom(c);
		uint64_t value;
		unsigned r = 0;

		cursor_sp(c);
		value = cursor_number64(c);
		while (r < QUOTA_RESOURCES &&
		       !span_ieq(name, span_str(quota_name((enum quota_resource)r))))
			r++;
		if (r < QUOTA_RESOURCES)
			limit[r] = value;
		else
			*ret_unknown = true;
	} while (cursor_list_more(c));
}

static enum verdict run_setquota(struct cmd *cmd)
{
	uint64_t limit[QUOTA_RESOURCES];
	bool is_unknown = false;
	struct span root;

	if (cmd->step == ANSWER) {
		if (cmd->op->rc != ERR_OK)
			return reply_err(cmd, cmd->op->rc);
		put_quota(cmd, root_of(cmd), cmd->session->account);
		return reply_done(cmd);
	}
	cursor_sp(&cmd->cur);
	root = cursor_astring(&cmd->cur);
	cursor_sp(&cmd->cur);
	read_limits(cmd, limit, &is_unknown);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!is_own_root(cmd, root))
		return no_such_root(cmd);
	if (!cmd->session->who.is_admin)
		return reply_no(cmd, "NOPERM", "Only an administrator sets limits.");
	if (is_unknown)
		return reply_no(cmd, "CANNOT", "That resource cannot be limited here.");
	return cmd_wait(cmd, ANSWER,
			account_quota_set(cmd->session->account, limit, cmd_to(cmd)));
}

static void offer(const struct conn *c, unsigned state, struct buf *out)
{
	if (!(state & IN_LOGGED_IN))
		return;
	buf_puts(out, " QUOTA");
	for (unsigned r = 0; r < QUOTA_RESOURCES; r++)
		buf_printf(out, " QUOTA=RES-%s", quota_name((enum quota_resource)r));
	if (c->session->who.is_admin)
		buf_puts(out, " QUOTASET");
}

static const struct command commands[] = {
	{ "GETQUOTA", IN_LOGGED_IN, 0, run_getquota },
	{ "GETQUOTAROOT", IN_LOGGED_IN, 0, run_getquotaroot },
	{ "SETQUOTA", IN_LOGGED_IN, 0, run_setquota },
	{ 0 },
};
const struct extension ext_quota = {
	.name = "QUOTA",
	.rfc = "RFC 9208",
	.about = "how much a user may keep: STORAGE, MESSAGE, MAILBOX; QUOTASET for "
		 "administrators",
	.offer = offer,
	.commands = commands,
};
