/*
 * Edits of the tree of names: rows and the next snapshot together
 * (RFC 9051 sections 6.3.4 to 6.3.8). The invariant: a node without mailbox has no
 * mailbox below it, and a subscription at or below it.
 */
#include <assert.h>
#include <stdlib.h>

#include "store/change.h"
#include "store/names_pool.h"

/* The snapshot that this change may edit. */
static struct tree *own(struct change *c)
{
	if (c->names_changed)
		return c->names;
	const struct tree *old = c->names;
	size_t n = old->names.n;
	bool is_new_pool = pool_is_wasteful(old->pool);
	struct tree *t = tree_new(n + 8 + n / 64,
				  is_new_pool ? pool_new() : pool_ref(old->pool));
	memcpy(t->at, old->at, n * sizeof *t->at);
	t->names.n = n;
	for (size_t i = 0; is_new_pool && i < n; i++) {
		t->at[i] = pool_name(t->pool, t->at[i]);
		t->at[i]->path = pool_join(t->pool, t->at[i]->path, SPAN_NONE, SPAN_NONE);
	}
	tree_unref(c->names);
	c->names = t;
	c->names_changed = true;
	return t;
}

/* A name that this change may edit, in the place of one that others may have. */
static struct name *own_name(struct change *c, size_t i)
{
	struct tree *t = own(c);
	pool_waste(t->pool, sizeof *t->at[i]);
	t->at[i] = pool_name(t->pool, t->at[i]);
	return t->at[i];
}

/* The first entry that is not before `path`. */
static size_t place(const struct tree *t, struct span path)
{
	size_t lo = 0, hi = t->names.n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (path_cmp(t->at[mid]->path, path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool find(const struct tree *t, struct span path, size_t *ret)
{
	*ret = place(t, path);
	return *ret < t->names.n && span_eq(t->at[*ret]->path, path);
}

/* The place behind the entry and all below it. */
static size_t subtree_end(const struct tree *t, size_t i)
{
	size_t end = i + 1;
	while (end < t->names.n && path_is_below(t->at[end]->path, t->at[i]->path))
		end++;
	return end;
}

static struct span above(struct span path)
{
	while (path.n > 0 && path.p[path.n - 1] != '/')
		path.n--;
	return span_sub(path, 0, path.n ? path.n - 1 : 0);
}

static struct span row_key(struct change *c, struct span path)
{
	const struct tree *t = c->names;
	struct span parent = above(path);
	size_t i;
	uint32_t node = 0;
	if (parent.n > 0 && find(t, parent, &i))
		node = t->at[i]->node;
	return key_name(txn_arena(c->t), node,
			span_sub(path, parent.n ? parent.n + 1 : 0, path.n));
}

static void write_row(struct change *c, size_t i)
{
	const struct name *n = c->names->at[i];
	struct name_record r = { .node = n->node,
				 .mailbox = n->mailbox,
				 .is_subscribed = n->flags & NAME_SUBSCRIBED,
				 .special_use = n->special_use };
	memcpy(r.id, n->mailbox_id, sizeof r.id);
	uint8_t text[NAME_RECORD_BYTES];
	txn_put(c->t, row_key(c, n->path), name_record_write(&r, text));
}

static void delete_row(struct change *c, struct span path)
{
	txn_delete(c->t, row_key(c, path));
}

static void insert(struct tree *t, size_t i, const struct name *name)
{
	if (t->names.n == t->cap) {
		t->cap += 8 + t->cap / 8;
		t->at = xrealloc(t->at, t->cap * sizeof *t->at);
		t->names.at = (const struct name *const *)t->at;
	}
	memmove(t->at + i + 1, t->at + i, (t->names.n - i) * sizeof *t->at);
	t->at[i] = pool_name(t->pool, name);
	t->names.n++;
}

static void take_out(struct tree *t, size_t i, size_t n)
{
	for (size_t k = i; k < i + n; k++)
		pool_waste(t->pool, t->at[k]->path.n + sizeof *t->at[k]);
	memmove(t->at + i, t->at + i + n, (t->names.n - i - n) * sizeof *t->at);
	t->names.n -= n;
}

/* Sets NAME_CHILDREN of all levels above `path` anew. */
static void mend_above(struct change *c, struct span path)
{
	const struct tree *t = c->names;
	for (struct span p = above(path); p.n > 0; p = above(p)) {
		size_t i;
		if (!find(t, p, &i))
			continue;
		bool has = false;
		for (size_t k = i + 1; !has && k < t->names.n; k++) {
			if (!path_is_below(t->at[k]->path, p))
				break;
			has = t->at[k]->flags & NAME_EXISTS;
		}
		if (has != !!(t->at[i]->flags & NAME_CHILDREN))
			own_name(c, i)->flags ^= NAME_CHILDREN;
	}
}

/* Removes nodes that nothing needs any more, from `path` upwards. */
static void prune(struct change *c, struct span path)
{
	for (size_t i; path.n > 0 && find(c->names, path, &i); path = above(path)) {
		struct tree *t = c->names;
		if (t->at[i]->flags & (NAME_EXISTS | NAME_SUBSCRIBED) ||
		    subtree_end(t, i) > i + 1)
			return;
		delete_row(c, path);
		take_out(t, i, 1);
	}
}

/* The node of `path`, made if it is not there; the level above is there. */
static enum err add_node(struct change *c, struct span path, size_t *ret)
{
	struct tree *t = own(c);
	if (find(t, path, ret))
		return ERR_OK;
	if (t->names.n >= STORE_NAMES)
		return ERR_LIMIT;
	uint32_t node;
	enum err rc = change_number(c, &node);
	if (rc != ERR_OK)
		return rc;
	struct name name = { .path = pool_join(t->pool, path, SPAN_NONE, SPAN_NONE),
			     .node = node };
	insert(t, *ret, &name);
	write_row(c, *ret);
	return ERR_OK;
}

static enum err add_mailbox(struct change *c, struct span path, unsigned special_use)
{
	size_t i;
	uint32_t number;
	struct box *box;
	enum err rc = add_node(c, path, &i);
	if (rc != ERR_OK || c->names->at[i]->flags & NAME_EXISTS)
		return rc;
	rc = change_number(c, &number);
	if (rc == ERR_OK)
		rc = change_box_new(c, number, &box);
	if (rc != ERR_OK)
		return rc;
	struct name *n = own_name(c, i);
	n->mailbox = number;
	n->flags |= NAME_EXISTS;
	n->special_use = special_use;
	memcpy(n->mailbox_id, box->h.id, sizeof n->mailbox_id);
	write_row(c, i);
	mend_above(c, path);
	const struct name *up = names_find(&c->names->names, above(path));
	return up && up->mailbox ? change_acl_inherit(c, up->mailbox, number) : ERR_OK;
}

/* Each level above `path`: as mailboxes, or as mere nodes. */
static enum err add_above(struct change *c, struct span path, bool as_mailbox)
{
	for (size_t k = 0; k < path.n; k++) {
		if (path.p[k] != '/')
			continue;
		size_t i;
		struct span level = span_sub(path, 0, k);
		enum err rc = as_mailbox ? add_mailbox(c, level, 0)
					 : add_node(c, level, &i);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

enum err names_create(struct change *c, struct span path, unsigned special_use,
		      uint32_t *ret_mailbox)
{
	size_t i;
	if (find(c->names, path, &i) && c->names->at[i]->flags & NAME_EXISTS)
		return ERR_EXISTS;
	for (size_t k = 0; special_use && k < c->names->names.n; k++)
		if (c->names->at[k]->special_use & special_use)
			return ERR_CONFLICT;
	enum err rc = add_above(c, path, true);
	if (rc == ERR_OK)
		rc = add_mailbox(c, path, special_use);
	if (rc != ERR_OK)
		return rc;
	const struct name *n = names_find(&c->names->names, path);
	*ret_mailbox = n->mailbox;
	return ERR_OK;
}

enum err names_use(struct change *c, uint32_t mailbox, unsigned special_use, bool *ret_did)
{
	size_t at = c->names->names.n;
	for (size_t i = 0; i < c->names->names.n; i++) {
		const struct name *n = c->names->at[i];
		if (n->mailbox == mailbox)
			at = i;
		else if (n->special_use & special_use)
			return ERR_CONFLICT;
	}
	if (at == c->names->names.n)
		return ERR_NOENT;
	*ret_did = c->names->at[at]->special_use != special_use;
	if (!*ret_did)
		return ERR_OK;
	own_name(c, at)->special_use = special_use;
	write_row(c, at);
	return ERR_OK;
}

void names_identify(struct change *c, size_t i, const uint8_t id[8])
{
	memcpy(own_name(c, i)->mailbox_id, id, 8);
	write_row(c, i);
}

enum err names_remove(struct change *c, struct span path, uint32_t *ret_mailbox)
{
	size_t i;
	if (!find(c->names, path, &i))
		return ERR_NOENT;
	if (c->names->at[i]->flags & NAME_CHILDREN)
		return ERR_BUSY;
	if (!(c->names->at[i]->flags & NAME_EXISTS))
		return ERR_NOENT;
	struct name *n = own_name(c, i);
	*ret_mailbox = n->mailbox;
	n->mailbox = 0;
	n->special_use = 0;
	n->flags &= ~(unsigned)NAME_EXISTS;
	memset(n->mailbox_id, 0, sizeof n->mailbox_id);
	write_row(c, i);
	mend_above(c, path);
	prune(c, path);
	return ERR_OK;
}

enum err names_subscribe(struct change *c, struct span path, bool on)
{
	size_t i;
	bool is_there = find(c->names, path, &i);
	bool is_on = is_there && c->names->at[i]->flags & NAME_SUBSCRIBED;
	if (is_on == on)
		return ERR_OK;
	enum err rc = on ? add_above(c, path, false) : ERR_OK;
	if (rc == ERR_OK)
		rc = add_node(c, path, &i);
	if (rc != ERR_OK)
		return rc;
	own_name(c, i)->flags ^= NAME_SUBSCRIBED;
	write_row(c, i);
	if (!on)
		prune(c, path);
	return ERR_OK;
}

/* Subscriptions stay with names, not with mailboxes (RFC 9051 section 6.3.6, last note):
 * those at and below `top` are collected and taken off. */
static enum err lift_subscriptions(struct change *c, struct span top, struct span *list,
				   size_t *n)
{
	size_t i, first = *n;
	if (!find(c->names, top, &i))
		return ERR_OK;
	for (size_t k = i, end = subtree_end(c->names, i); k < end; k++)
		if (c->names->at[k]->flags & NAME_SUBSCRIBED)
			list[(*n)++] = arena_dup(txn_arena(c->t), c->names->at[k]->path);
	for (size_t k = first; k < *n; k++) {
		enum err rc = names_subscribe(c, list[k], false);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

static enum err check_fits(const struct tree *t, size_t i, size_t end, struct span to)
{
	size_t to_depth = 1, from_n = t->at[i]->path.n;
	for (size_t k = 0; k < to.n; k++)
		to_depth += to.p[k] == '/';
	for (size_t k = i; k < end; k++) {
		struct span rest = span_sub(t->at[k]->path, from_n, SIZE_MAX);
		size_t depth = to_depth;
		for (size_t j = 0; j < rest.n; j++)
			depth += rest.p[j] == '/';
		if (depth > STORE_NAME_DEPTH || to.n + rest.n > STORE_NAME_BYTES)
			return ERR_LIMIT;
	}
	return ERR_OK;
}

/* The entries of the tree at `from` get paths below `to`; one row moves. */
static void move_subtree(struct change *c, struct span from, struct span to)
{
	struct tree *t = own(c);
	size_t i, n, at;
	bool is_there = find(t, from, &i);
	assert(is_there);
	(void)is_there;
	n = subtree_end(t, i) - i;
	delete_row(c, from);
	struct name **moved = arena_array(txn_arena(c->t), n, sizeof *moved);
	memcpy(moved, t->at + i, n * sizeof *moved);
	take_out(t, i, n);
	for (size_t k = 0; k < n; k++) {
		struct span rest = span_sub(moved[k]->path, from.n, SIZE_MAX);
		moved[k] = pool_name(t->pool, moved[k]);
		moved[k]->path = pool_join(t->pool, to, rest, SPAN_NONE);
	}
	at = place(t, to);
	/* there is room: the same number went out */
	memmove(t->at + at + n, t->at + at, (t->names.n - at) * sizeof *t->at);
	memcpy(t->at + at, moved, n * sizeof *moved);
	t->names.n += n;
	write_row(c, at);
	mend_above(c, from);
	mend_above(c, to);
}

enum err names_move(struct change *c, struct span from, struct span to)
{
	size_t i, k, n = 0;
	if (!find(c->names, from, &i) || !(c->names->at[i]->flags & NAME_EXISTS))
		return ERR_NOENT;
	if (find(c->names, to, &k) && c->names->at[k]->flags & NAME_EXISTS)
		return ERR_EXISTS;
	if (path_is_below(to, from))
		return ERR_INVAL;
	enum err rc = check_fits(c->names, i, subtree_end(c->names, i), to);
	if (rc != ERR_OK)
		return rc;
	struct span *subscribed = arena_array(txn_arena(c->t), c->names->names.n,
					      sizeof *subscribed);
	rc = lift_subscriptions(c, from, subscribed, &n);
	if (rc == ERR_OK)
		rc = lift_subscriptions(c, to, subscribed, &n);
	if (rc == ERR_OK)
		rc = add_above(c, to, true);
	if (rc != ERR_OK)
		return rc;
	move_subtree(c, from, to);
	for (k = 0; k < n && rc == ERR_OK; k++)
		rc = names_subscribe(c, subscribed[k], true);
	return rc;
}
