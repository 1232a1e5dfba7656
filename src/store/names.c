/* The tree of names: canonical names, snapshots, loading. Edits: names_edit.c. */
#include "store/names.h"

#include <stdlib.h>

#include "mail/charset.h"
#include "store/limits.h"
#include "store/names_pool.h"

/* CTLs of ASCII and of Latin-1 (RFC 9051 section 5.1 lets a server refuse them), and the
 * line and paragraph separators that Net-Unicode bars (RFC 5198 section 2). */
static bool has_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		unsigned char d = i + 1 < s.n ? (unsigned char)s.p[i + 1] : 0;
		unsigned char e = i + 2 < s.n ? (unsigned char)s.p[i + 2] : 0;
		if (c < 0x20 || c == 0x7f || (c == 0xc2 && d < 0xa0) ||
		    (c == 0xe2 && d == 0x80 && (e == 0xa8 || e == 0xa9)))
			return true;
	}
	return false;
}

enum err name_canonical(struct span path, bool cut, struct buf *out)
{
	if (cut && path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	if (path.n == 0 || !utf8_is_valid(path) || has_control(path))
		return ERR_INVAL;
	if (path.n > STORE_NAME_BYTES)
		return ERR_LIMIT;
	size_t depth = 1;
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] != '/')
			continue;
		if (i == 0 || i + 1 == path.n || path.p[i - 1] == '/')
			return ERR_INVAL;
		depth++;
	}
	if (depth > STORE_NAME_DEPTH)
		return ERR_LIMIT;
	ptrdiff_t end = span_find(path, '/');
	size_t first = end < 0 ? path.n : (size_t)end;
	if (span_ieq(span_sub(path, 0, first), SPAN("INBOX"))) {
		buf_put(out, SPAN("INBOX"));
		path = span_sub(path, first, path.n);
	}
	buf_put(out, path);
	return ERR_OK;
}

static int rank(char c)
{
	return c == '/' ? 0 : (int)(unsigned char)c + 1;
}

int path_cmp(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n, i = 0;
	while (i < n && a.p[i] == b.p[i])
		i++;
	if (i < n)
		return rank(a.p[i]) - rank(b.p[i]);
	return a.n < b.n ? -1 : a.n > b.n;
}

bool path_is_below(struct span path, struct span top)
{
	return path.n > top.n && path.p[top.n] == '/' && span_starts(path, top);
}

/* ---- snapshots ---- */

struct tree *tree_ref(struct tree *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void tree_unref(struct tree *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	pool_unref(t->pool);
	free(t->at);
	free(t);
}

void names_unref(const struct names *n)
{
	if (n)
		tree_unref(TASK_OWNER(n, struct tree, names));
}

const struct name *names_find(const struct names *n, struct span path)
{
	size_t lo = 0, hi = n->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = path_cmp(n->at[mid]->path, path);
		if (cmp == 0)
			return n->at[mid];
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

struct tree *tree_new(size_t cap, struct pool *pool)
{
	struct tree *t = xcalloc(1, sizeof *t);
	atomic_init(&t->refs, 1);
	t->pool = pool;
	t->at = xmalloc((cap + 1) * sizeof *t->at); /* large ones are copied often */
	t->cap = cap;
	t->names.at = (const struct name *const *)t->at;
	return t;
}

struct tree *tree_empty(void)
{
	return tree_new(0, pool_new());
}

/* ---- the pool of paths ---- */

struct pool_block {
	struct pool_block *next;
	size_t used, cap;
	char text[];
};

struct pool {
	atomic_uint refs;
	struct pool_block *blocks;
	size_t used, wasted;
};

#define POOL_BLOCK ((size_t)16384)

struct pool *pool_new(void)
{
	struct pool *p = xcalloc(1, sizeof *p);
	atomic_init(&p->refs, 1);
	return p;
}

struct pool *pool_ref(struct pool *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void pool_unref(struct pool *p)
{
	if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	while (p->blocks) {
		struct pool_block *b = p->blocks;
		p->blocks = b->next;
		free(b);
	}
	free(p);
}

static char *pool_take(struct pool *p, size_t n)
{
	struct pool_block *block = p->blocks;
	if (!block || block->cap - block->used < n) {
		/* small trees are the rule: the first block is as large as what it takes
		 */
		size_t cap = p->used < POOL_BLOCK ? 512 + p->used : POOL_BLOCK;
		cap = cap < n ? n : cap;
		block = xmalloc(sizeof *block + cap);
		*block = (struct pool_block){ .next = p->blocks, .cap = cap };
		p->blocks = block;
	}
	char *to = block->text + block->used;
	block->used += n;
	p->used += n;
	return to;
}

struct span pool_join(struct pool *p, struct span a, struct span b, struct span c)
{
	size_t n = a.n + b.n + c.n;
	char *to = pool_take(p, n);
	const struct span part[3] = { a, b, c };
	for (size_t i = 0, at = 0; i < 3; at += part[i++].n)
		if (part[i].n > 0)
			memcpy(to + at, part[i].p, part[i].n);
	return span_of(to, n);
}

struct name *pool_name(struct pool *p, const struct name *from)
{
	size_t align = _Alignof(struct name);
	uintptr_t at = (uintptr_t)pool_take(p, sizeof *from + align - 1);
	struct name *to = (struct name *)((at + align - 1) / align * align);
	*to = *from;
	return to;
}

void pool_waste(struct pool *p, size_t bytes)
{
	p->wasted += bytes;
}

bool pool_is_wasteful(const struct pool *p)
{
	return p->wasted > POOL_BLOCK && p->wasted > p->used / 2;
}

/* ---- loading ---- */

struct raw {
	uint32_t parent;
	struct span name;
	struct name_record r;
};

struct load {
	struct raw *raw;
	size_t n, cap;
	struct pool *text; /* of the single levels, while loading */
	enum err rc;
};

static bool load_row(void *arg, struct span key, struct span value)
{
	struct load *l = arg;
	struct raw raw;
	l->rc = name_record_read(value, &raw.r);
	if (!key_read_name(key, &raw.parent, &raw.name) ||
	    span_find(raw.name, '/') >= 0 || raw.name.n > STORE_NAME_BYTES ||
	    l->n >= STORE_NAMES)
		l->rc = ERR_CORRUPT;
	if (l->rc != ERR_OK)
		return false;
	raw.name = pool_join(l->text, raw.name, SPAN_NONE, SPAN_NONE);
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->raw = xrealloc(l->raw, l->cap * sizeof *l->raw);
	}
	l->raw[l->n++] = raw;
	return true;
}

/* The first row of that parent; rows are in key order. */
static size_t children_from(const struct load *l, uint32_t parent)
{
	size_t lo = 0, hi = l->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (l->raw[mid].parent < parent)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void put_name(struct tree *t, const struct raw *raw, struct span above)
{
	struct name n = { .mailbox = raw->r.mailbox,
			  .special_use = raw->r.special_use,
			  .node = raw->r.node };
	n.path = pool_join(t->pool, above, above.n ? SPAN("/") : SPAN_NONE, raw->name);
	n.flags = (raw->r.is_subscribed ? NAME_SUBSCRIBED : 0u) |
		  (raw->r.mailbox ? NAME_EXISTS : 0u);
	memcpy(n.mailbox_id, raw->r.id, sizeof n.mailbox_id);
	t->at[t->names.n++] = pool_name(t->pool, &n);
}

/* Parents before children, siblings in key order; what no walk from the top reaches
 * (a loop, a lost parent) makes the count differ. */
static enum err build(const struct load *l, struct tree *t)
{
	struct level {
		size_t row, name; /* the next row; the parent's place */
		uint32_t parent;
	} stack[STORE_NAME_DEPTH + 1];
	size_t depth = 0;
	stack[0] = (struct level){ .row = children_from(l, 0) };
	for (;;) {
		struct level *at = &stack[depth];
		if (at->row == l->n || l->raw[at->row].parent != at->parent) {
			if (depth-- == 0)
				break;
			if (t->at[at->name]->flags & (NAME_EXISTS | NAME_CHILDREN) &&
			    depth > 0)
				t->at[stack[depth].name]->flags |= NAME_CHILDREN;
			continue;
		}
		const struct raw *raw = &l->raw[at->row++];
		struct span above = depth > 0 ? t->at[at->name]->path : SPAN_NONE;
		if (t->names.n == l->n || depth == STORE_NAME_DEPTH ||
		    above.n + (above.n > 0) + raw->name.n > STORE_NAME_BYTES)
			return ERR_CORRUPT;
		put_name(t, raw, above);
		depth++;
		stack[depth] = (struct level){ .row = children_from(l, raw->r.node),
					       .name = t->names.n - 1,
					       .parent = raw->r.node };
	}
	return t->names.n == l->n ? ERR_OK : ERR_CORRUPT;
}

enum err tree_load(struct txn *txn, struct tree **ret)
{
	struct load l = { .text = pool_new() };
	struct key lo = { .n = 1, .b = { KEY_NAME } }, hi = key_kind_end(KEY_NAME);
	enum err rc = txn_scan(txn, key_span(&lo), key_span(&hi), load_row, &l);
	if (rc == ERR_OK)
		rc = l.rc;
	struct tree *t = tree_new(l.n, pool_new());
	if (rc == ERR_OK)
		rc = build(&l, t);
	free(l.raw);
	pool_unref(l.text);
	if (rc == ERR_OK)
		*ret = t;
	else
		tree_unref(t);
	return rc;
}
