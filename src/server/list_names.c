/* The names that LIST and LSUB walk over: the user's own and what is shared with him. */
#include "server/list_names.h"

#include <stdlib.h>

struct listed {
	struct name name;
	struct list_origin origin;
};

struct listing {
	struct cmd *cmd;
	struct listed *at;
	size_t n, cap;
};

static void names_drop(void *names)
{
	names_unref(names);
}

static void listing_done(void *arg)
{
	free(((struct listing *)arg)->at);
}

static void add(struct listing *l, struct name name, struct list_origin origin)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 64;
		l->at = xrealloc(l->at, l->cap * sizeof *l->at);
	}
	l->at[l->n++] = (struct listed){ name, origin };
}

/* Bytes with "/" lowest: what lies below comes right behind. */
static int path_order(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;

	for (size_t i = 0; i < n; i++) {
		if (a.p[i] == b.p[i])
			continue;
		if (a.p[i] == '/' || b.p[i] == '/')
			return a.p[i] == '/' ? -1 : 1;
		return (unsigned char)a.p[i] < (unsigned char)b.p[i] ? -1 : 1;
	}
	return (a.n > b.n) - (a.n < b.n);
}

static int listed_cmp(const void *a, const void *b)
{
	return path_order(((const struct listed *)a)->name.path,
			  ((const struct listed *)b)->name.path);
}

/* Whether a pattern could match `path` or a name below it, by what it begins with. */
static bool may_match(const struct span *patterns, size_t n, struct span path)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < patterns[i].n && k < path.n && patterns[i].p[k] == path.p[k])
			k++;
		if (k == path.n || k == patterns[i].n || patterns[i].p[k] == '*' ||
		    patterns[i].p[k] == '%')
			return true;
	}
	return false;
}

static struct span join(struct arena *a, struct span x, struct span y)
{
	char *p = arena_alloc(a, x.n + y.n + 1);

	memcpy(p, x.p, x.n);
	if (y.n)
		memcpy(p + x.n, y.p, y.n);
	return span_of(p, x.n + y.n);
}

/* Levels above a name, which are no mailboxes as far as he may know. */
static void add_above(struct listing *l, struct span path)
{
	for (size_t k = 0; k < path.n; k++)
		if (path.p[k] == '/')
			add(l, (struct name){ .path = span_sub(path, 0, k) },
			    (struct list_origin){ 0 });
}

/* What the user may look up in the account of `o`; false: wait. */
static bool add_owner(struct listing *l, const struct place_owner *o)
{
	struct cmd *cmd = l->cmd;
	struct span top = place_prefix(cmd->server, o->space);
	struct acl_who who = place_who(cmd->session, cmd->arena);
	struct account *account;
	const struct names *names;
	const struct attrs *attrs;

	top = join(cmd->arena, top, join(cmd->arena, o->name, SPAN("/")));
	if (!place_account(cmd, o->account, false, &account))
		return false;
	if (!account)
		return true;
	names = account_names_now(account);
	attrs = account_attrs_now(account);
	for (size_t i = 0; i < names->n; i++) {
		struct name n = *names->at[i];
		unsigned rights = 0;

		if (n.flags & NAME_EXISTS)
			rights = acl_rights(attrs, n.mailbox, &who);
		if (!(rights & RIGHT_L))
			continue;
		/* Subscriptions and special uses are the owner's own. */
		n.flags = NAME_EXISTS;
		n.special_use = 0;
		n.path = join(cmd->arena, top, n.path);
		add(l, n, (struct list_origin){ account, rights });
		add_above(l, n.path);
	}
	attrs_unref(attrs);
	names_unref(names);
	return true;
}

/* Whether it stands where others' mailboxes are. */
static bool is_others(const struct cmd *cmd, struct span path)
{
	for (int s = PLACE_OTHER; s <= PLACE_SHARED; s++) {
		struct span top = place_prefix(cmd->server, (enum place_space)s);

		top = span_sub(top, 0, top.n ? top.n - 1 : 0);
		if (top.n && span_starts(path, top) &&
		    (path.n == top.n || path.p[top.n] == '/'))
			return true;
	}
	return false;
}

/* Of the user's own names those that stand where others' mailboxes are: subscriptions. */
static void add_subscriptions(struct listing *l, const struct names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		struct name n = { .path = names->at[i]->path,
				  .flags = names->at[i]->flags & NAME_SUBSCRIBED };

		if (!n.flags || !is_others(l->cmd, n.path))
			continue;
		add_above(l, n.path);
		add(l, n, (struct list_origin){ 0 });
	}
}

/* All others. */
static void add_own(struct listing *l, const struct names *names)
{
	struct list_origin own = { l->cmd->session->account, RIGHTS_ALL };

	for (size_t i = 0; i < names->n; i++)
		if (!is_others(l->cmd, names->at[i]->path))
			add(l, *names->at[i], own);
}

static bool has_others(const struct cmd *cmd, const struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (is_others(cmd, names->at[i]->path))
			return true;
	return false;
}

/* Names that stand there more than once become one. */
static void sort_from(struct listing *l, size_t from)
{
	size_t n = from;

	if (l->n == from)
		return;
	qsort(l->at + from, l->n - from, sizeof *l->at, listed_cmp);
	for (size_t i = from; i < l->n; i++) {
		struct listed *last = n > from ? &l->at[n - 1] : NULL;

		if (!last || !span_eq(last->name.path, l->at[i].name.path)) {
			l->at[n++] = l->at[i];
			continue;
		}
		if (l->at[i].origin.account) {
			unsigned flags = last->name.flags;

			*last = l->at[i];
			last->name.flags |= flags;
		} else {
			last->name.flags |= l->at[i].name.flags;
		}
	}
	l->n = n;
}

static struct listed *find(struct listing *l, size_t from, struct span path)
{
	struct listed key = { .name.path = path };

	return bsearch(&key, l->at + from, l->n - from, sizeof key, listed_cmp);
}

/* NAME_CHILDREN of each level above a mailbox. */
static void mark_parents(struct listing *l, size_t from)
{
	for (size_t i = from; i < l->n; i++) {
		struct span path = l->at[i].name.path;

		if (!(l->at[i].name.flags & NAME_EXISTS))
			continue;
		for (size_t k = 0; k < path.n; k++)
			if (path.p[k] == '/')
				find(l, from, span_sub(path, 0, k))->name.flags |=
				    NAME_CHILDREN;
	}
}

/* Whether any pattern could match a name of others. */
static bool asks_others(const struct cmd *cmd, const struct span *patterns, size_t n)
{
	for (int s = PLACE_OTHER; s <= PLACE_SHARED; s++) {
		struct span top = place_prefix(cmd->server, (enum place_space)s);

		if (top.n && may_match(patterns, n, span_sub(top, 0, top.n - 1)))
			return true;
	}
	return false;
}

/* Those who share something that a pattern could match. False: wait. */
static bool find_owners(struct cmd *cmd, const struct span *patterns, size_t n_patterns,
			struct place_owner **ret, size_t *ret_n)
{
	struct place_owner *at;
	size_t n, kept = 0;

	if (!place_owners(cmd, &at, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct span top = join(cmd->arena, place_prefix(cmd->server, at[i].space),
				       at[i].name);

		if (may_match(patterns, n_patterns, top))
			at[kept++] = at[i];
	}
	*ret = at;
	*ret_n = kept;
	return true;
}

static void give(struct listing *l, struct list_names *ret)
{
	const struct name **at = arena_array(l->cmd->arena, l->n, sizeof *at);
	struct list_origin *origin = arena_array(l->cmd->arena, l->n, sizeof *origin);

	for (size_t i = 0; i < l->n; i++) {
		at[i] = &l->at[i].name; /* they stay where they are now */
		origin[i] = l->at[i].origin;
	}
	*ret = (struct list_names){ l->n, at, origin };
}

bool list_names(struct cmd *cmd, const struct span *patterns, size_t n_patterns,
		struct list_names *ret)
{
	struct listing *l = ARENA_NEW(cmd->arena, struct listing);
	const struct names *own = account_names_now(cmd->session->account);
	struct place_owner *owners = NULL;
	size_t from, n = 0;

	arena_defer(cmd->arena, names_drop, (void *)(uintptr_t)own);
	l->cmd = cmd;
	arena_defer(cmd->arena, listing_done, l);
	*ret = (struct list_names){ own->n, own->at, NULL };
	if (asks_others(cmd, patterns, n_patterns) &&
	    !find_owners(cmd, patterns, n_patterns, &owners, &n))
		return false;
	if (n == 0 && !has_others(cmd, own))
		return true;
	/* the own ones are sorted: they stay in front as they are */
	add_own(l, own);
	from = l->n;
	add_subscriptions(l, own);
	for (size_t i = 0; i < n; i++)
		if (!add_owner(l, &owners[i]))
			return false;
	sort_from(l, from);
	mark_parents(l, from);
	give(l, ret);
	return true;
}

/* ---- one name ---- */

bool list_shows_below(struct cmd *cmd, const struct place *p)
{
	struct acl_who who = place_who(cmd->session, cmd->arena);
	const struct names *names = account_names_now(p->account);
	const struct attrs *attrs = account_attrs_now(p->account);
	bool shows = false;

	for (size_t i = 0; i < names->n && !shows; i++) {
		const struct name *n = names->at[i];

		if (n->path.n <= p->path.n || n->path.p[p->path.n] != '/' ||
		    !span_starts(n->path, p->path) || !(n->flags & NAME_EXISTS))
			continue;
		shows = p->space == PLACE_PERSONAL ||
			acl_rights(attrs, n->mailbox, &who) & RIGHT_L;
	}
	attrs_unref(attrs);
	names_unref(names);
	return shows;
}

bool list_name_at(struct cmd *cmd, const struct place *p, struct name *ret)
{
	const struct names *names = account_names_now(p->account);
	const struct name *found = names_find(names, p->path);

	if (found)
		*ret = *found;
	names_unref(names);
	if (!found)
		return false;
	ret->path = p->name;
	if (p->space == PLACE_PERSONAL)
		return true;
	names = account_names_now(cmd->session->account);
	found = names_find(names, p->name);
	ret->special_use = 0;
	ret->flags = NAME_EXISTS | (found ? found->flags & NAME_SUBSCRIBED : 0);
	names_unref(names);
	if (list_shows_below(cmd, p))
		ret->flags |= NAME_CHILDREN;
	return true;
}

struct list_origin list_origin(const struct cmd *cmd, const struct list_names *l,
			       size_t i)
{
	if (l->origin)
		return l->origin[i];
	return (struct list_origin){ cmd->session->account, RIGHTS_ALL };
}
