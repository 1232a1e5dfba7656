/*
 * Where a mailbox lies, and what the user may do there (RFC 2342, RFC 4314).
 *
 *	Drafts			the user's own
 *	Other Users/bob/Drafts	bob's "Drafts"
 *	Shared/team/Drafts	that of the tree "team", which is nobody's own
 *
 * Only the accounts of those who share something with the user are ever opened, so that
 * a name he may not know and one that is nobody's are the same to him, in time as well.
 */
#include "server/place.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "server/acl_share.h"
#include "server/reply.h"

enum { LEARNS_MAX = 2 }; /* a command; a database that does not answer is not asked on */

/* ---- accounts ---- */

struct place_opened {
	struct place_opened *next;
	struct span name;
	struct account *account; /* NULL: there is none, or it cannot be opened now */
	struct op *op;		 /* under way */
};

static void account_drop(void *account)
{
	account_unref(account);
}

/* That it is not there is remembered until somebody makes it: LIST need not ask again. */
static void note_registry(struct cmd *cmd, const struct place_opened *o)
{
	int unknown = REGISTRY_UNKNOWN;

	if (o->op->rc == ERR_NOENT && span_eq(o->name, SPAN(ACL_REGISTRY)))
		atomic_compare_exchange_strong(&cmd->server->registry, &unknown,
					       REGISTRY_ABSENT);
}

/* What was waited for is the one that this run of the command finds complete. */
static void take_opened(struct cmd *cmd)
{
	for (struct place_opened *o = cmd->opened; o; o = o->next) {
		if (!o->op)
			continue;
		if (o->op == cmd->op && o->op->rc == ERR_OK)
			o->account = op_account(o->op);
		if (o->op == cmd->op)
			note_registry(cmd, o);
		o->op = NULL;
		if (o->account)
			arena_defer(cmd->arena, account_drop, o->account);
	}
}

bool place_account(struct cmd *cmd, struct span name, bool create, struct account **ret)
{
	struct place_opened *o;

	take_opened(cmd);
	o = cmd->opened;
	while (o && !span_eq(o->name, name))
		o = o->next;
	if (o) {
		*ret = o->account;
		return true;
	}
	o = ARENA_NEW(cmd->arena, struct place_opened);
	o->next = cmd->opened;
	o->name = arena_dup(cmd->arena, name);
	cmd->opened = o;
	*ret = o->account = store_account_now(cmd->server->config.store, name);
	if (o->account) {
		arena_defer(cmd->arena, account_drop, o->account);
		return true;
	}
	if (create && span_eq(name, SPAN(ACL_REGISTRY)))
		atomic_store(&cmd->server->registry, REGISTRY_THERE);
	o->op = store_account_open(cmd->server->config.store, name, create, cmd_to(cmd));
	cmd->cur = cmd->start;
	cmd->verdict = cmd_wait(cmd, cmd->step, o->op);
	return false;
}

/* ---- who shares with the user ---- */

bool place_learn(struct cmd *cmd, const struct span *names, size_t n)
{
	struct auth *auth = cmd->server->config.auth;
	struct span *unknown = arena_array(cmd->arena, n, sizeof *unknown);
	struct op_to to = cmd_to(cmd);
	size_t n_unknown = 0;

	for (size_t i = 0; i < n && cmd->learned < LEARNS_MAX; i++)
		if (auth_must_learn(auth, names[i], AUTH_LEARNED_MS))
			unknown[n_unknown++] = names[i];
	if (n_unknown == 0)
		return true;
	cmd->learned++;
	cmd->cur = cmd->start;
	cmd->verdict = cmd_wait(
	    cmd, cmd->step,
	    auth_learn_start(auth, unknown, n_unknown, to.home, to.done, to.owner));
	return false;
}

struct acl_who place_who(const struct session *s, struct arena *a)
{
	const struct user *u;
	struct users *users = auth_user(s->conn->server->config.auth,
					auth_authzid(&s->who), &u);
	struct acl_who who = { .name = auth_authzid(&s->who),
			       .account = auth_account(&s->who) };

	if (u && span_eq(u->account, who.account))
		who.groups = arena_dup(a, u->groups);
	users_unref(users);
	return who;
}

struct span place_prefix(const struct server *s, enum place_space space)
{
	if (s->config.no_sharing)
		return SPAN_NONE;
	switch (space) {
	case PLACE_OTHER: return SPAN("Other Users/");
	case PLACE_SHARED: return SPAN("Shared/");
	default: return SPAN_NONE;
	}
}

static void attrs_drop(void *attrs)
{
	attrs_unref(attrs);
}

/* What says who shares: the user's own account, and the one of groups and everybody. */
struct shares {
	struct acl_who who;
	const struct attrs *own, *common;
};

static bool shares_find(struct cmd *cmd, struct shares *ret)
{
	struct account *registry = NULL;

	if (atomic_load(&cmd->server->registry) != REGISTRY_ABSENT &&
	    !place_account(cmd, SPAN(ACL_REGISTRY), false, &registry))
		return false;
	*ret = (struct shares){ .who = place_who(cmd->session, cmd->arena) };
	ret->own = account_attrs_now(cmd->session->account);
	arena_defer(cmd->arena, attrs_drop, (void *)(uintptr_t)ret->own);
	if (registry) {
		ret->common = account_attrs_now(registry);
		arena_defer(cmd->arena, attrs_drop, (void *)(uintptr_t)ret->common);
	}
	return true;
}

/* Owners of whom nothing is known are looked up first. */
static bool learn_owners(struct cmd *cmd, const struct shares *s, const struct attr *own,
			 size_t n_own, const struct attr *common, size_t n_common)
{
	struct span *names;
	size_t n = 0;

	if (!auth_asks(cmd->server->config.auth))
		return true;
	names = arena_array(cmd->arena, n_own + n_common, sizeof *names);
	for (size_t i = 0; i < n_own; i++)
		names[n++] = arena_dup(cmd->arena, acl_share_owner(own[i].value));
	for (size_t i = 0; i < n_common; i++)
		if (acl_share_is_for(&s->who, common[i].value))
			names[n++] = arena_dup(cmd->arena,
					       acl_share_owner(common[i].value));
	return place_learn(cmd, names, n);
}

static int owner_cmp(const void *a, const void *b)
{
	const struct place_owner *x = a, *y = b;

	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	return span_cmp(x->name, y->name);
}

/* The user whose account that is still. */
static void add_owner(struct cmd *cmd, const struct attr *share, struct place_owner *to,
		      size_t *n)
{
	const struct user *u;
	struct users *users = auth_user(cmd->server->config.auth,
					acl_share_owner(share->value), &u);

	/* A "/" in the name would be a level. */
	if (u && span_eq(u->account, share->key.name) && span_find(u->name, '/') < 0 &&
	    !span_eq(u->account, auth_account(&cmd->session->who)))
		to[(*n)++] = (struct place_owner){
			.space = u->is_shared ? PLACE_SHARED : PLACE_OTHER,
			.name = arena_dup(cmd->arena, u->name),
			.account = arena_dup(cmd->arena, u->account),
		};
	users_unref(users);
}

bool place_owners(struct cmd *cmd, struct place_owner **ret, size_t *ret_n)
{
	struct shares s;
	size_t n_own, n_common = 0, n = 0, kept = 0;
	const struct attr *own, *common = NULL;
	struct place_owner *to;

	if (!shares_find(cmd, &s))
		return false;
	own = attrs_of(s.own, 0, ATTR_SHARE, &n_own);
	if (s.common)
		common = attrs_of(s.common, 0, ATTR_SHARE, &n_common);
	if (!learn_owners(cmd, &s, own, n_own, common, n_common))
		return false;
	*ret = to = arena_array(cmd->arena, n_own + n_common, sizeof *to);
	for (size_t i = 0; i < n_own; i++)
		add_owner(cmd, &own[i], to, &n);
	for (size_t i = 0; i < n_common; i++)
		if (acl_share_is_for(&s.who, common[i].value))
			add_owner(cmd, &common[i], to, &n);
	qsort(to, n, sizeof *to, owner_cmp);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || owner_cmp(&to[kept - 1], &to[i]) != 0)
			to[kept++] = to[i];
	*ret_n = kept;
	return true;
}

/* ---- names ---- */

static void personal(struct cmd *cmd, struct span name, struct place *ret)
{
	*ret = (struct place){
		.account = cmd->session->account,
		.path = name,
		.name = name,
		.space = PLACE_PERSONAL,
		.rights = RIGHTS_ALL,
		.owner = auth_authzid(&cmd->session->who),
		.owner_account = auth_account(&cmd->session->who),
	};
}

static bool is_at_or_below(struct span name, struct span prefix)
{
	struct span bare = span_sub(prefix, 0, prefix.n - 1);

	return span_starts(name, prefix) || span_eq(name, bare);
}

/* In the owner's account the first level is INBOX in any case (RFC 9051 section 5.1). */
static struct span canonical(struct arena *a, struct span path)
{
	ptrdiff_t end = span_find(path, '/');
	struct span first = end < 0 ? path : span_sub(path, 0, (size_t)end);

	if (!span_ieq(first, SPAN("INBOX")) || span_eq(first, SPAN("INBOX")))
		return path;
	path = arena_dup(a, path);
	memcpy((char *)(uintptr_t)path.p, "INBOX", 5);
	return path;
}

enum split { SPLIT_PERSONAL, SPLIT_NOTHING, SPLIT_FOUND };

/* "Other Users/bob/Drafts": `ret->owner` and `ret->path`. */
static enum split split(struct cmd *cmd, struct span name, struct place *ret)
{
	for (int space = PLACE_OTHER; space <= PLACE_SHARED; space++) {
		struct span prefix = place_prefix(cmd->server, (enum place_space)space);
		struct span rest;
		ptrdiff_t end;

		if (prefix.n == 0 || !is_at_or_below(name, prefix))
			continue;
		rest = span_sub(name, prefix.n, SIZE_MAX);
		end = span_find(rest, '/');
		*ret = (struct place){ .name = name, .space = (enum place_space)space };
		if (end <= 0 || (size_t)end + 1 == rest.n)
			return SPLIT_NOTHING;
		ret->owner = span_sub(rest, 0, (size_t)end);
		ret->path = canonical(cmd->arena,
				      span_sub(rest, (size_t)end + 1, SIZE_MAX));
		ret->user = auth_account(&cmd->session->who);
		return SPLIT_FOUND;
	}
	return SPLIT_PERSONAL;
}

/* The owner's account, if he shares anything with the user; `ret->account` NULL if not.
 */
static bool find_owner(struct cmd *cmd, struct place *ret)
{
	struct place_owner *owners;
	size_t n;

	if (!place_owners(cmd, &owners, &n))
		return false;
	for (size_t i = 0; i < n; i++)
		if (owners[i].space == ret->space && span_eq(owners[i].name, ret->owner))
			ret->owner_account = owners[i].account;
	if (ret->owner_account.n == 0)
		return true;
	return place_account(cmd, ret->owner_account, false, &ret->account);
}

/* The rights at a path of that account; 0 and no number where there is no mailbox. */
static unsigned rights_at(struct cmd *cmd, const struct place *p, struct span path,
			  uint32_t *ret_mailbox)
{
	const struct names *names = account_names_now(p->account);
	const struct name *n = names_find(names, path);
	const struct attrs *attrs;
	struct acl_who who;
	unsigned rights = 0;

	*ret_mailbox = n && (n->flags & NAME_EXISTS) ? n->mailbox : 0;
	names_unref(names);
	if (*ret_mailbox == 0)
		return 0;
	who = place_who(cmd->session, cmd->arena);
	attrs = account_attrs_now(p->account);
	rights = acl_rights(attrs, *ret_mailbox, &who);
	attrs_unref(attrs);
	return rights;
}

static const unsigned any_right = RIGHT_L | RIGHT_R | RIGHT_I | RIGHT_K | RIGHT_X |
				  RIGHT_A;

static bool refuse(struct cmd *cmd, unsigned rights, unsigned need)
{
	if (rights & RIGHT_L)
		cmd->verdict = reply_err(cmd, ERR_DENIED);
	else if (need & PLACE_TARGET)
		cmd->verdict = reply_err_target(cmd, ERR_NOENT);
	else
		cmd->verdict = reply_err(cmd, ERR_NOENT);
	return false;
}

bool place_find(struct cmd *cmd, struct span name, unsigned need, struct place *ret)
{
	switch (split(cmd, name, ret)) {
	case SPLIT_PERSONAL: personal(cmd, name, ret); return true;
	case SPLIT_NOTHING: return refuse(cmd, 0, need);
	case SPLIT_FOUND: break;
	}
	if (!find_owner(cmd, ret))
		return false;
	if (ret->account)
		ret->rights = rights_at(cmd, ret, ret->path, &ret->mailbox);
	if (ret->rights & any_right && need & PLACE_ANY)
		return true;
	if (!ret->mailbox || need & PLACE_ANY || !place_may(ret, need & RIGHTS_ALL))
		return refuse(cmd, ret->rights, need);
	return true;
}

/* The rights at the nearest level above `path` that is a mailbox. */
static unsigned rights_above(struct cmd *cmd, const struct place *p)
{
	for (size_t n = p->path.n; n-- > 0;) {
		uint32_t mailbox;
		unsigned rights;

		if (p->path.p[n] != '/')
			continue;
		rights = rights_at(cmd, p, span_sub(p->path, 0, n), &mailbox);
		if (mailbox)
			return rights;
	}
	return 0;
}

bool place_find_new(struct cmd *cmd, struct span name, struct place *ret)
{
	unsigned there;

	switch (split(cmd, name, ret)) {
	case SPLIT_PERSONAL: personal(cmd, name, ret); return true;
	case SPLIT_NOTHING: cmd->verdict = reply_err(cmd, ERR_DENIED); return false;
	case SPLIT_FOUND: break;
	}
	if (!find_owner(cmd, ret))
		return false;
	there = ret->account ? rights_at(cmd, ret, ret->path, &ret->mailbox) : 0;
	ret->rights = ret->account ? rights_above(cmd, ret) : 0;
	/* One that is there and hidden may not be told from one that cannot be made. */
	if (place_may(ret, RIGHT_K) && (!ret->mailbox || there & RIGHT_L))
		return true;
	cmd->verdict = reply_err(cmd, ERR_DENIED);
	return false;
}

uint64_t place_locked(const struct place *p)
{
	uint64_t locked = 0;

	if (!place_may(p, RIGHT_S))
		locked |= FLAG_SEEN;
	if (!place_may(p, RIGHT_T))
		locked |= FLAG_DELETED;
	if (!place_may(p, RIGHT_W))
		locked |= FLAG_ANSWERED | FLAG_FLAGGED | FLAG_DRAFT;
	return locked;
}

bool place_filter_flags(const struct place *p, struct flag_names *f)
{
	bool had = f->system || f->n_keyword;

	f->locked = place_locked(p);
	f->user = p->user;
	f->system &= ~f->locked;
	if (f->locked & FLAG_ANSWERED)
		f->n_keyword = 0;
	return !had || f->system || f->n_keyword;
}

bool place_is(const struct place *p, const struct mailbox *m)
{
	return p->space == PLACE_PERSONAL || mailbox_number(m) == p->mailbox;
}

struct mailbox *place_open_now(const struct place *p)
{
	return mailbox_open_as_now(p->account, p->path, p->user);
}

struct mailbox *place_select_now(const struct place *p)
{
	return p->user.n ? place_open_now(p) : mailbox_select_now(p->account, p->path);
}

struct op *place_open(const struct place *p, struct op_to to)
{
	return mailbox_open_as(p->account, p->path, p->user, to);
}

struct op *place_select(const struct place *p, struct op_to to)
{
	return p->user.n ? place_open(p, to) : mailbox_select(p->account, p->path, to);
}
