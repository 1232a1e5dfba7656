/* NOTIFY: what has changed in mailboxes that are not selected (RFC 5465 sections 5.1 to
 * 5.5), as LIST and STATUS responses. */
#include <stdlib.h>

#include "server/notify.h"
#include "server/selected.h"
#include "server/status_line.h"
#include "wire/list.h"

/* ---- the tree of names ---- */

struct tree_walk {
	struct cmd *cmd;
	struct notify *n;
	const struct names *old, *now;
	const struct name **by_id; /* of `old`, sorted; made when first needed */
	struct span parent;	   /* told last */
};

static bool exists(const struct name *name)
{
	return name && (name->flags & NAME_EXISTS);
}

static void tell_name(struct tree_walk *w, const struct name *name, bool is_there,
		      struct span oldname)
{
	struct list_response r = { .delimiter = '/',
				   .name = name->path,
				   .oldname = oldname };

	r.attrs = is_there ? name->special_use * LIST_ALL : LIST_NONEXISTENT;
	if (name->flags & NAME_SUBSCRIBED)
		r.attrs |= LIST_SUBSCRIBED;
	if (is_there || (name->flags & NAME_CHILDREN))
		r.attrs |= name->flags & NAME_CHILDREN ? LIST_HASCHILDREN
						       : LIST_HASNOCHILDREN;
	emit_list_response(cmd_out(w->cmd), cmd_mode(w->cmd), "LIST", &r);
}

/* Behind the level above, SPAN_NONE at the top. */
static struct span parent_of(struct span path)
{
	while (path.n && path.p[path.n - 1] != '/')
		path.n--;
	if (path.n)
		path.n--;
	return path.n ? path : SPAN_NONE;
}

static bool is_below(struct span path, struct span parent)
{
	return path.n > parent.n && path.p[parent.n] == '/' && span_starts(path, parent);
}

/* Whether this client did it: the name itself, a level above it, or below what it
 * renamed. */
static bool is_own(const struct notify *n, struct span path)
{
	struct span rest = buf_span(&n->own);

	while (rest.n) {
		bool is_tree = rest.p[0] == 't';
		size_t end = (size_t)span_find(rest, 0);
		struct span own = span_sub(rest, 1, end - 1);

		if (span_eq(own, path) || is_below(own, path) ||
		    (is_tree && is_below(path, own)))
			return true;
		rest = span_sub(rest, end + 1, rest.n);
	}
	return false;
}

static bool is_wanted(const struct tree_walk *w, const struct name *name, unsigned event)
{
	return (notify_events(w->n, name) & event) && !is_own(w->n, name->path);
}

/* Creation and deletion are news of the level above too (section 5.4). */
static void tell_parent(struct tree_walk *w, struct span path)
{
	struct span parent = parent_of(path);
	const struct name *name;

	if (!parent.p || span_eq(parent, w->parent))
		return;
	name = names_find(w->now, parent);
	w->parent = parent;
	if (name && is_wanted(w, name, NOTIFY_MAILBOX_NAME))
		tell_name(w, name, exists(name), SPAN_NONE);
}

static int by_id(const void *a, const void *b)
{
	const struct name *const *x = a, *const *y = b;

	return memcmp((*x)->mailbox_id, (*y)->mailbox_id, sizeof(*x)->mailbox_id);
}

/* The name that this mailbox had before. */
static const struct name *old_of(struct tree_walk *w, const struct name *name)
{
	const struct name **found;

	if (!w->by_id) {
		w->by_id = arena_array(w->cmd->arena, w->old->n + 1, sizeof *w->by_id);
		for (size_t i = 0; i < w->old->n; i++)
			w->by_id[i] = w->old->at[i];
		qsort(w->by_id, w->old->n, sizeof *w->by_id, by_id);
	}
	found = bsearch(&name, w->by_id, w->old->n, sizeof *w->by_id, by_id);
	return found && exists(*found) ? *found : NULL;
}

/* Whether it went along with the level above: then that alone is told (section 5.4). */
static bool went_along(struct tree_walk *w, struct span now, struct span old)
{
	struct span now_parent = parent_of(now), old_parent = parent_of(old);
	const struct name *parent, *was;

	if (!now_parent.p || !old_parent.p || span_eq(now_parent, old_parent) ||
	    now.n - now_parent.n != old.n - old_parent.n ||
	    memcmp(now.p + now_parent.n, old.p + old_parent.n, now.n - now_parent.n) != 0)
		return false;
	parent = names_find(w->now, now_parent);
	was = exists(parent) ? old_of(w, parent) : NULL;
	return was && span_eq(was->path, old_parent);
}

static void came(struct tree_walk *w, const struct name *name)
{
	const struct name *was = old_of(w, name);

	if (was && went_along(w, name->path, was->path))
		return;
	if (is_wanted(w, name, NOTIFY_MAILBOX_NAME) ||
	    (was && is_wanted(w, was, NOTIFY_MAILBOX_NAME) && !is_own(w->n, name->path)))
		tell_name(w, name, true, was ? was->path : SPAN_NONE);
	tell_parent(w, name->path);
}

static void went(struct tree_walk *w, const struct name *was, const struct name *left)
{
	struct name gone = left ? *left : (struct name){ .path = was->path };

	if (is_wanted(w, was, NOTIFY_MAILBOX_NAME))
		tell_name(w, &gone, false, SPAN_NONE);
	tell_parent(w, was->path);
}

static bool is_same_mailbox(const struct name *a, const struct name *b)
{
	return exists(a) && exists(b) &&
	       memcmp(a->mailbox_id, b->mailbox_id, sizeof a->mailbox_id) == 0;
}

static bool has_moved(struct tree_walk *w, const struct name *was)
{
	for (size_t i = 0; i < w->now->n; i++)
		if (is_same_mailbox(w->now->at[i], was))
			return true;
	return false;
}

static void tell_subscription(struct tree_walk *w, const struct name *was,
			      const struct name *name)
{
	unsigned before = was ? was->flags & NAME_SUBSCRIBED : 0;
	unsigned after = name ? name->flags & NAME_SUBSCRIBED : 0;
	struct name gone = { .path = was ? was->path : SPAN_NONE };

	if (before == after)
		return;
	if (!is_wanted(w, name ? name : was, NOTIFY_SUBSCRIPTION_CHANGE) &&
	    !(was && is_wanted(w, was, NOTIFY_SUBSCRIPTION_CHANGE)))
		return;
	tell_name(w, name ? name : &gone, exists(name), SPAN_NONE);
}

static void tell_names(struct cmd *cmd, struct notify *n, const struct names *now)
{
	struct tree_walk w = { .cmd = cmd, .n = n, .old = n->names, .now = now };

	for (size_t i = 0; i < w.old->n; i++) {
		const struct name *was = w.old->at[i], *name = names_find(now, was->path);

		if (exists(was) && !exists(name) && !has_moved(&w, was))
			went(&w, was, name);
		else if (!name)
			tell_subscription(&w, was, NULL);
	}
	for (size_t i = 0; i < now->n; i++) {
		const struct name *name = now->at[i],
				  *was = names_find(w.old, name->path);

		if (exists(name) && !is_same_mailbox(was, name))
			came(&w, name);
		else
			tell_subscription(&w, was, name);
	}
}

/* ---- STATUS ---- */

static bool is_selected(const struct cmd *cmd, uint32_t uidvalidity)
{
	const struct selected *sel = cmd->session->selected;

	return sel && sel->place.account == cmd->session->account &&
	       view_uidvalidity(sel->view) == uidvalidity;
}

/* Of those with message events: their numbers and names, in cmd->state. */
struct watched {
	uint32_t *numbers;
	const struct name **names;
	size_t n;
	const struct names *tree;
};

static void tree_drop(void *arg)
{
	names_unref(((struct watched *)arg)->tree);
}

/* The watched mailboxes of `tree`, whose reference it takes. */
static struct watched *watch(struct cmd *cmd, const struct notify *n,
			     const struct names *tree)
{
	struct watched *w = ARENA_NEW(cmd->arena, struct watched);

	w->tree = tree;
	arena_defer(cmd->arena, tree_drop, w);
	w->numbers = arena_array(cmd->arena, tree->n + 1, sizeof *w->numbers);
	w->names = arena_array(cmd->arena, tree->n + 1, sizeof *w->names);
	for (size_t i = 0; i < tree->n; i++) {
		const struct name *name = tree->at[i];

		if (!exists(name) || !(notify_events(n, name) & NOTIFY_MESSAGE_EVENTS))
			continue;
		w->names[w->n] = name;
		w->numbers[w->n++] = name->mailbox;
	}
	return w;
}

static void note_newest(struct notify *n, const struct names *tree)
{
	for (size_t i = 0; i < tree->n; i++)
		if (tree->at[i]->mailbox > n->newest)
			n->newest = tree->at[i]->mailbox;
}

enum verdict notify_begin(struct cmd *cmd, struct notify *n, int next_step,
			  bool *ret_fits)
{
	const struct names *now = account_names_now(cmd->session->account);
	struct watched *w;

	if (n->names)
		tell_names(cmd, n, now);
	buf_clear(&n->own);
	names_unref(n->names);
	n->names = now;
	w = cmd->state = watch(cmd, n, account_names_now(cmd->session->account));
	*ret_fits = w->n <= NOTIFY_MAILBOXES_MAX;
	if (!*ret_fits || w->n == 0) {
		note_newest(n, w->tree);
		return CMD_DONE;
	}
	return cmd_wait(
	    cmd, next_step,
	    mailbox_status(cmd->session->account, w->numbers, w->n, cmd_to(cmd)));
}

static int by_number(const void *a, const void *b)
{
	const struct notify_base *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static bool has_modseqs(const struct cmd *cmd)
{
	return cmd->session->enabled & (ENABLED_CONDSTORE | ENABLED_QRESYNC);
}

/* Section 5.1 to 5.3: which items tell what is new; 0: nothing to tell. */
static unsigned news(const struct cmd *cmd, const struct notify_base *was,
		     const struct mailbox_status *s, unsigned events)
{
	bool is_other = was->uidvalidity != s->uidvalidity;
	unsigned modseq = has_modseqs(cmd) ? STATUS_HIGHESTMODSEQ : 0;
	unsigned unseen = was->unseen != s->unseen ? STATUS_UNSEEN : 0;

	if (is_other || was->uidnext != s->uidnext || was->messages != s->messages)
		return STATUS_UIDNEXT | STATUS_MESSAGES | modseq |
		       (is_other ? STATUS_UIDVALIDITY : 0) |
		       (events & NOTIFY_FLAG_CHANGE ? unseen : 0);
	if (!(events & NOTIFY_FLAG_CHANGE) || was->is_own ||
	    was->modseq == s->highestmodseq)
		return 0;
	return modseq | unseen ? modseq | unseen | STATUS_UIDVALIDITY : 0;
}

/* Section 3.1, STATUS of NOTIFY SET. */
static unsigned first_items(unsigned events)
{
	unsigned items = STATUS_MESSAGES | STATUS_UIDNEXT | STATUS_UIDVALIDITY;

	return events & NOTIFY_FLAG_CHANGE ? items | STATUS_HIGHESTMODSEQ : items;
}

static struct notify_base base_of(const struct mailbox_status *s)
{
	return (struct notify_base){ .number = s->mailbox,
				     .uidvalidity = s->uidvalidity,
				     .uidnext = s->uidnext,
				     .messages = s->messages,
				     .unseen = s->unseen,
				     .modseq = s->highestmodseq };
}

static void tell_status(struct cmd *cmd, const struct notify *n, const struct name *name,
			const struct mailbox_status *s, bool all)
{
	unsigned events = notify_events(n, name), items;
	struct notify_base key = { .number = s->mailbox };
	/* One that was made since has begun empty. */
	struct notify_base empty = { .uidvalidity = s->uidvalidity, .uidnext = 1 };
	const struct notify_base *was = NULL;

	if (is_selected(cmd, s->uidvalidity))
		return;
	if (n->n_base)
		was = bsearch(&key, n->base, n->n_base, sizeof key, by_number);
	if (!was && n->newest && s->mailbox > n->newest)
		was = &empty;
	/* Without one it was there already, and is watched only now. */
	if (!all && !was)
		return;
	items = all ? first_items(events) : news(cmd, was, s, events);
	if (items)
		status_line(cmd, name, s, items);
}

void notify_status_came(struct cmd *cmd, struct notify *n, bool all)
{
	struct watched *w = cmd->state;
	const struct mailbox_status *s;
	struct notify_base *base;
	size_t n_status, k = 0;

	if (cmd->op->rc != ERR_OK)
		return; /* the next change finds it */
	s = op_status(cmd->op, &n_status);
	base = xcalloc(n_status + 1, sizeof *base);
	for (size_t i = 0; i < n_status && i < w->n; i++) {
		if (!s[i].exists)
			continue;
		tell_status(cmd, n, w->names[i], &s[i], all);
		base[k++] = base_of(&s[i]);
	}
	qsort(base, k, sizeof *base, by_number);
	free(n->base);
	n->base = base;
	n->n_base = k;
	note_newest(n, w->tree);
}
