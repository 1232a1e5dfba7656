/* Rows that say who shares with whom (acl_share.h). */
#include "server/acl_share.h"

#include "auth/users.h"
#include "server/reply.h"

enum { IDENTIFIERS_BYTES = 4096 };

static struct span account_of(struct span account)
{
	return account.n ? account : SPAN(ACL_REGISTRY);
}

bool acl_share_ready(struct cmd *cmd, struct span account, struct account **ret)
{
	if (!place_account(cmd, account_of(account), true, ret))
		return false;
	if (!*ret)
		cmd->verdict = reply_err(cmd, ERR_IO);
	return *ret != NULL;
}

/* The next line of `rest`, which moves on behind it. */
static bool next_line(struct span *rest, struct span *ret)
{
	ptrdiff_t end;

	if (rest->n == 0)
		return false;
	end = span_find(*rest, '\n');
	*ret = end < 0 ? *rest : span_sub(*rest, 0, (size_t)end);
	*rest = end < 0 ? SPAN_NONE : span_sub(*rest, (size_t)end + 1, SIZE_MAX);
	return true;
}

struct span acl_share_owner(struct span value)
{
	struct span owner = SPAN_NONE;

	next_line(&value, &owner);
	return owner;
}

static bool is_meant(const struct acl_who *who, struct span identifier)
{
	bool is_negative;
	struct span name, group;

	switch (acl_kind(identifier, &is_negative, &name)) {
	case ACL_ANYONE: return true;
	case ACL_USER: return span_eq(name, who->name);
	default: break;
	}
	for (struct span rest = who->groups; user_group_next(&rest, &group);)
		if (span_eq(group, name))
			return true;
	return false;
}

bool acl_share_is_for(const struct acl_who *who, struct span value)
{
	struct span identifier;

	next_line(&value, &identifier); /* the owner */
	while (next_line(&value, &identifier))
		if (is_meant(who, identifier))
			return true;
	return false;
}

static bool has_line(struct span value, struct span identifier)
{
	struct span line;

	next_line(&value, &line);
	while (next_line(&value, &line))
		if (span_eq(line, identifier))
			return true;
	return false;
}

/* What no list of the owner's names any more, left out: asked for when it is too long. */
static bool is_in_use(const struct attrs *at, struct span identifier)
{
	for (size_t i = 0; i < at->n; i++)
		if (at->at[i].key.kind == ATTR_ACL &&
		    span_eq(at->at[i].key.name, identifier))
			return true;
	return false;
}

static struct span with(struct cmd *cmd, const struct place *p, struct span value,
			struct span identifier, bool prune)
{
	const struct attrs *at = account_attrs_now(p->account);
	struct span line, made;
	struct buf b = { 0 };

	buf_put(&b, p->owner);
	if (!span_eq(acl_share_owner(value), p->owner))
		value = SPAN_NONE;
	next_line(&value, &line);
	while (next_line(&value, &line)) {
		if (prune && !is_in_use(at, line))
			continue;
		buf_putc(&b, '\n');
		buf_put(&b, line);
	}
	buf_putc(&b, '\n');
	buf_put(&b, identifier);
	made = arena_dup(cmd->arena, buf_span(&b));
	buf_done(&b);
	attrs_unref(at);
	return made;
}

/* Too many for a row: everybody looks, and finds what the lists of the mailboxes say. No
 * limit shows, as it would tell names that are users' from those that are not. */
static struct span for_all(struct cmd *cmd, const struct place *p)
{
	return span_str(
	    arena_printf(cmd->arena, "%.*s\nanyone", (int)p->owner.n, p->owner.p));
}

struct op *acl_share(struct cmd *cmd, struct account *to, const struct place *p,
		     struct span identifier, struct span account)
{
	struct attr_edit e = { .key = { .kind = ATTR_SHARE, .name = p->owner_account },
			       .has_expect = true };
	const struct attrs *now;
	const struct attr *at;
	bool is_there;

	now = account_attrs_now(to);
	at = attrs_find(now, &e.key);
	e.expect = at ? arena_dup(cmd->arena, at->value) : SPAN_NONE;
	attrs_unref(now);
	if (account.n) {
		is_there = span_eq(e.expect, p->owner);
		e.value = p->owner;
	} else {
		is_there = span_eq(acl_share_owner(e.expect), p->owner) &&
			   (has_line(e.expect, identifier) ||
			    has_line(e.expect, SPAN("anyone")));
		e.value = with(cmd, p, e.expect, identifier, false);
		if (e.value.n > IDENTIFIERS_BYTES)
			e.value = with(cmd, p, e.expect, identifier, true);
		if (e.value.n > IDENTIFIERS_BYTES)
			e.value = for_all(cmd, p);
	}
	return is_there ? NULL : attrs_set(to, &e, 1, NULL, cmd_to(cmd));
}
