/* One account of a backup, read into memory: names, rows of mailboxes, who holds what. */
#include <stdlib.h>

#include "store/restore.h"
#include "store/stage.h"

/* Rows that come back as they are. Records of what was expunged do not: they are for
 * clients that know the mailbox, and none knows the one that comes. */
static const enum key_kind kinds[] = { KEY_CHUNK, KEY_INFO, KEY_KEYWORDS, KEY_ATTR_NOW,
				       KEY_ATTR };
enum { KINDS = sizeof kinds / sizeof kinds[0] };

struct reading {
	struct saved *s;
	struct txn *t;
	struct saved_name *to;
	enum key_kind kind;
	uint32_t mailbox;
	struct staged staged; /* parts of a change that did not come to its end */
	size_t chunk; /* of to->rows: the one that blocks are being held against */
	enum err rc;
};

static bool is_staged(const struct reading *r, struct span key)
{
	uint32_t index;
	if (r->staged.mailbox != r->mailbox || r->mailbox == 0 ||
	    r->kind == KEY_ATTR_NOW || r->kind == KEY_ATTR || !key_index(key, &index))
		return false;
	return (r->kind == KEY_INFO ? index / CHUNK_BLOCKS : index) >= r->staged.chunk;
}

static bool keep_row(void *arg, struct span key, struct span value)
{
	struct reading *r = arg;
	struct saved_name *to = r->to;
	if (is_staged(r, key))
		return true;
	if (to->n_rows == to->cap_rows) {
		to->cap_rows = to->cap_rows ? to->cap_rows * 2 : 8;
		to->rows = xrealloc(to->rows, to->cap_rows * sizeof *to->rows);
	}
	struct span tail = span_sub(key, 5, SIZE_MAX); /* kind, mailbox */
	to->rows[to->n_rows++] = (struct saved_row){ r->kind,
						     arena_dup(r->s->arena, tail),
						     arena_dup(r->s->arena, value) };
	return true;
}

/* ---- who holds which body ---- */

static void hold(struct saved *s, const struct view_info *info)
{
	if (s->n_bodies == s->cap_bodies) {
		s->cap_bodies = s->cap_bodies ? s->cap_bodies * 2 : 64;
		s->body = xrealloc(s->body, s->cap_bodies * sizeof *s->body);
	}
	s->body[s->n_bodies++] = (struct saved_body){ info->body, info->bytes, 1 };
	s->messages++;
	s->bytes += info->bytes;
}

static uint32_t index_of(const struct saved_row *row)
{
	struct reader r = reader_of(row->tail);
	return (uint32_t)read_uint(&r, 4);
}

/* The live messages of one block; chunks stand before blocks, both ascending. */
static enum err hold_block(struct reading *r, const struct saved_row *row)
{
	struct saved_name *to = r->to;
	uint32_t index = index_of(row);
	while (r->chunk < to->n_rows && to->rows[r->chunk].kind == KEY_CHUNK &&
	       index_of(&to->rows[r->chunk]) < index / CHUNK_BLOCKS)
		r->chunk++;
	const struct saved_row *at = &to->rows[r->chunk];
	if (at->kind != KEY_CHUNK || index_of(at) != index / CHUNK_BLOCKS)
		return ERR_CORRUPT;
	struct chunk *c;
	struct block *b;
	enum err rc = chunk_read(index / CHUNK_BLOCKS, at->value, &c);
	if (rc != ERR_OK)
		return rc;
	rc = block_read(row->value, &b);
	if (rc == ERR_OK) {
		uint32_t k = index % CHUNK_BLOCKS, i = 0;
		uint32_t live = (uint32_t)(c->mask[k / 2] >> (k % 2 * 32));
		for (uint32_t m = b->mask; m; m &= m - 1, i++)
			if (live >> __builtin_ctz(m) & 1)
				hold(r->s, &b->at[i]);
		block_unref(b);
	}
	chunk_unref(c);
	return rc;
}

static enum err hold_all(struct reading *r)
{
	uint64_t before = r->s->messages;
	enum err rc = ERR_OK;
	r->chunk = 0;
	for (size_t i = 0; i < r->to->n_rows && rc == ERR_OK; i++)
		if (r->to->rows[i].kind == KEY_INFO)
			rc = hold_block(r, &r->to->rows[i]);
	if (rc == ERR_OK && r->s->messages - before != r->to->h.exists)
		rc = ERR_CORRUPT;
	return rc;
}

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct body_id));
}

static void count_holders(struct saved *s)
{
	size_t n = 0;
	if (s->n_bodies > 1)
		qsort(s->body, s->n_bodies, sizeof *s->body, by_id);
	for (size_t i = 0; i < s->n_bodies; i++) {
		if (n > 0 && by_id(&s->body[n - 1], &s->body[i]) == 0)
			s->body[n - 1].holders++;
		else
			s->body[n++] = s->body[i];
	}
	s->n_bodies = n;
}

const struct saved_body *saved_find(const struct saved *s, struct body_id id)
{
	return s->n_bodies ? bsearch(&id, s->body, s->n_bodies, sizeof *s->body, by_id)
			   : NULL;
}

/* ---- all of it ---- */

static enum err read_rows(struct reading *r, uint32_t mailbox, unsigned from)
{
	enum err rc = ERR_OK;
	r->mailbox = mailbox;
	for (unsigned i = from; i < KINDS && rc == ERR_OK; i++) {
		struct key lo = key_of_mailbox(kinds[i], mailbox), hi = key_after(&lo);
		r->kind = kinds[i];
		rc = txn_scan(r->t, key_span(&lo), key_span(&hi), keep_row, r);
	}
	return rc;
}

static enum err read_name(struct reading *r, const struct name *n, struct saved_name *to)
{
	to->path = arena_dup(r->s->arena, n->path);
	to->flags = n->flags;
	to->special_use = n->special_use;
	if (!(n->flags & NAME_EXISTS))
		return ERR_OK;
	r->to = to;
	enum err rc = mailbox_header_get(r->t, n->mailbox, &to->h, &to->keywords);
	if (rc == ERR_OK)
		rc = read_rows(r, n->mailbox, 0);
	if (rc == ERR_OK)
		rc = hold_all(r);
	return rc == ERR_NOENT ? ERR_CORRUPT : rc;
}

static enum err read_account(void *arg, struct txn *t)
{
	struct saved *s = arg;
	struct reading r = { .s = s, .t = t, .to = &s->account };
	struct key k = key_account();
	struct span row;
	struct tree *names;
	enum err rc = txn_get(t, key_span(&k), &row);
	if (rc == ERR_OK)
		rc = account_header_read(row, &s->h);
	if (rc == ERR_OK)
		rc = staged_get(t, &r.staged);
	if (rc == ERR_OK)
		rc = read_rows(&r, 0, 3); /* attributes alone */
	if (rc == ERR_OK)
		rc = tree_load(t, &names);
	if (rc != ERR_OK)
		return rc;
	s->name = xcalloc(names->names.n + 1, sizeof *s->name);
	for (size_t i = 0; i < names->names.n && rc == ERR_OK; i++)
		rc = read_name(&r, names->at[i], &s->name[s->n_names++]);
	tree_unref(names);
	count_holders(s);
	return rc;
}

enum err saved_read(struct engine *e, struct account_id a, struct saved *ret)
{
	*ret = (struct saved){ .arena = arena_new(NULL) };
	enum err rc = engine_read_now(e, a, read_account, ret);
	if (rc != ERR_OK)
		saved_done(ret);
	return rc;
}

/* Tail: kind, length, user, name. */
static void rename_owner(struct saved *s, struct saved_row *row, struct span from,
			 struct span to)
{
	struct span tail = row->tail;
	bool is_attr = row->kind == KEY_ATTR || row->kind == KEY_ATTR_NOW;
	if (!is_attr || tail.n < 2 ||
	    !span_eq(span_sub(tail, 2, (uint8_t)tail.p[1]), from))
		return;
	struct span name = span_sub(tail, 2 + from.n, SIZE_MAX);
	char *p = arena_alloc(s->arena, 2 + to.n + name.n);
	p[0] = tail.p[0];
	p[1] = (char)to.n;
	memcpy(p + 2, to.p, to.n);
	if (name.n)
		memcpy(p + 2 + to.n, name.p, name.n);
	row->tail = span_of(p, 2 + to.n + name.n);
}

void saved_rename(struct saved *s, struct span from, struct span to)
{
	if (span_eq(from, to) || from.n == 0 || to.n > STORE_ATTR_USER_BYTES)
		return;
	for (size_t i = 0; i < s->n_names; i++)
		for (size_t k = 0; k < s->name[i].n_rows; k++)
			rename_owner(s, &s->name[i].rows[k], from, to);
	for (size_t k = 0; k < s->account.n_rows; k++)
		rename_owner(s, &s->account.rows[k], from, to);
}

void saved_done(struct saved *s)
{
	for (size_t i = 0; i < s->n_names; i++) {
		keywords_unref(s->name[i].keywords);
		free(s->name[i].rows);
	}
	free(s->name);
	free(s->account.rows);
	free(s->body);
	arena_free(s->arena);
	*s = (struct saved){ 0 };
}
