/*
 * The commit that sets an account back: all that it has goes, as DELETE would, and the
 * mailboxes of the backup come as new ones under new UIDVALIDITYs (RFC 9051 section
 * 2.3.1.1) and MAILBOXIDs (RFC 8474 section 4).
 */
#include <stdlib.h>

#include "store/restore.h"

/* ---- what is there goes ---- */

/* Of a mailbox whose rows cannot be read: they are swept, as far as that can be done. */
static void doom(struct change *c, uint32_t number)
{
	struct key k = key_of_mailbox(KEY_MAILBOX, number);
	txn_delete(c->t, key_span(&k));
	k = key_of_mailbox(KEY_DOOMED, number);
	txn_put(c->t, key_span(&k), SPAN("\1"));
	c->h.doomed++;
}

static enum err remove_mailbox(struct change *c, struct span path)
{
	struct box *b;
	uint32_t number;
	enum err rc = names_remove(c, path, &number);
	if (rc != ERR_OK)
		return rc;
	rc = change_box(c, number, &b);
	if (rc == ERR_OK)
		return box_delete(b);
	if (rc != ERR_NOENT && rc != ERR_CORRUPT)
		return rc;
	doom(c, number);
	return change_attrs_drop(c, number);
}

static enum err remove_names(struct change *c)
{
	size_t n = c->names->names.n;
	enum err rc = ERR_OK;
	struct name *was = arena_array(txn_arena(c->t), n + 1, sizeof *was);
	for (size_t i = 0; i < n; i++) {
		was[i] = *c->names->at[i];
		was[i].path = arena_dup(txn_arena(c->t), was[i].path);
	}
	for (size_t i = n; i-- > 0 && rc == ERR_OK;) {
		if (was[i].flags & NAME_SUBSCRIBED)
			rc = names_subscribe(c, was[i].path, false);
		if (rc == ERR_OK && was[i].flags & NAME_EXISTS)
			rc = remove_mailbox(c, was[i].path);
	}
	return rc;
}

/*
 * Attributes of the account that follow the backup. Keys of URLAUTH do not, as what was
 * revoked since would be valid again (RFC 4467 section 2.4), and what others share is
 * theirs to say.
 */
static bool is_replaced(struct span tail)
{
	uint8_t kind = tail.n > 0 ? (uint8_t)tail.p[0] : 0;
	return kind != ATTR_URL_KEY && kind != ATTR_SHARE;
}

/* Moves that were under way then are not now (moving.h): the messages are where the
 * backup has them. A mark that is there goes: what came with it has gone too, so the
 * source shall keep what it still has. */
static bool comes_back(struct span tail)
{
	uint8_t kind = tail.n > 0 ? (uint8_t)tail.p[0] : 0;
	return is_replaced(tail) && kind != ATTR_MOVING && kind != ATTR_MOVED;
}

static bool remove_attr(void *arg, struct span key, struct span value)
{
	if (is_replaced(span_sub(key, 5, SIZE_MAX)))
		txn_delete(arg, key);
	return true;
}

static enum err remove_attrs(struct change *c)
{
	static const enum key_kind kinds[] = { KEY_ATTR_NOW, KEY_ATTR };
	enum err rc = ERR_OK;
	for (unsigned i = 0; i < 2 && rc == ERR_OK; i++) {
		struct key lo = key_of_mailbox(kinds[i], 0), hi = key_after(&lo);
		rc = txn_scan(c->t, key_span(&lo), key_span(&hi), remove_attr, c->t);
	}
	return rc;
}

/* ---- bodies ---- */

struct holding {
	const struct saved *s;
	struct change *c;
	size_t at;	  /* of s->body */
	bool *is_waiting; /* a row says that nobody holds it */
};

static bool kept_body(void *arg, struct body_id id)
{
	struct holding *x = arg;
	if (x->at < x->s->n_bodies &&
	    memcmp(x->s->body[x->at].id.b, id.b, sizeof id.b) == 0)
		x->at++;
	return x->at < x->s->n_bodies;
}

static bool waiting_body(void *arg, struct span key, struct span value)
{
	struct holding *x = arg;
	struct body_id id;
	uint64_t modseq;
	const struct saved_body *b = key_read_drop(key, &modseq, &id)
					 ? saved_find(x->s, id)
					 : NULL;
	if (b) {
		txn_delete(x->c->t, key);
		x->c->h.drops -= x->c->h.drops > 0;
		x->is_waiting[b - x->s->body] = true;
	}
	return true;
}

static enum err hold_bodies(const struct saved *s, struct change *c)
{
	struct holding x = { .s = s, .c = c };
	struct key lo = { .n = 1, .b = { KEY_DROP } }, hi = key_kind_end(KEY_DROP);
	x.is_waiting = arena_alloc(txn_arena(c->t), s->n_bodies + 1);
	memset(x.is_waiting, 0, s->n_bodies + 1);
	enum err rc = s->n_bodies ? txn_bodies(c->t, kept_body, &x) : ERR_OK;
	if (rc == ERR_OK && x.at < s->n_bodies)
		rc = ERR_CONFLICT;
	if (rc == ERR_OK)
		rc = txn_scan(c->t, key_span(&lo), key_span(&hi), waiting_body, &x);
	/* bodies.c takes a body without a row of holders to have one */
	for (size_t i = 0; i < s->n_bodies && rc == ERR_OK; i++)
		change_body(c, s->body[i].id,
			    (int32_t)s->body[i].holders - x.is_waiting[i]);
	return rc;
}

/* ---- what was saved comes ---- */

static void put_row(struct change *c, uint32_t mailbox, const struct saved_row *row)
{
	struct key head = key_of_mailbox(row->kind, mailbox);
	char *key = arena_alloc(txn_arena(c->t), head.n + row->tail.n);
	memcpy(key, head.b, head.n);
	if (row->tail.n)
		memcpy(key + head.n, row->tail.p, row->tail.n);
	txn_put(c->t, span_of(key, head.n + row->tail.n), row->value);
}

static bool is_attr(const struct saved_row *row)
{
	return row->kind == KEY_ATTR || row->kind == KEY_ATTR_NOW;
}

static enum err add_mailbox(struct change *c, const struct saved_name *n)
{
	struct box *b;
	uint32_t number;
	enum err rc = names_create(c, n->path, n->special_use, &number);
	if (rc == ERR_OK)
		rc = change_box(c, number, &b);
	if (rc != ERR_OK)
		return rc;
	struct mailbox_header h = n->h;
	memcpy(h.id, b->h.id, sizeof h.id);
	h.uidvalidity = b->h.uidvalidity;
	h.modseq = b->h.modseq;
	h.vanished_rows = 0;
	b->h = h;
	keywords_unref(b->keywords);
	b->keywords = keywords_ref(n->keywords);
	for (size_t i = 0; i < n->n_rows; i++)
		if (!is_attr(&n->rows[i]) || comes_back(n->rows[i].tail))
			put_row(c, number, &n->rows[i]);
	c->h.messages += h.exists;
	c->h.bytes += h.bytes;
	return ERR_OK;
}

static enum err add_names(const struct saved *s, struct change *c)
{
	enum err rc = ERR_OK;
	for (size_t i = 0; i < s->n_names && rc == ERR_OK; i++)
		if (s->name[i].flags & NAME_EXISTS)
			rc = add_mailbox(c, &s->name[i]);
	for (size_t i = 0; i < s->n_names && rc == ERR_OK; i++)
		if (s->name[i].flags & NAME_SUBSCRIBED)
			rc = names_subscribe(c, s->name[i].path, true);
	return rc;
}

enum err saved_set_back(const struct saved *s, struct change *c)
{
	/* above both, so that no number that a client may know comes again */
	if (c->h.modseq < s->h.modseq)
		c->h.modseq = s->h.modseq;
	if (c->h.last_uidvalidity < s->h.last_uidvalidity)
		c->h.last_uidvalidity = s->h.last_uidvalidity;
	c->is_dirty = true;
	enum err rc = change_modseq(c);
	if (rc == ERR_OK)
		rc = hold_bodies(s, c);
	if (rc == ERR_OK)
		rc = remove_names(c);
	if (rc == ERR_OK)
		rc = remove_attrs(c);
	if (rc != ERR_OK)
		return rc;
	c->h.messages = c->h.bytes = 0;
	rc = add_names(s, c);
	for (size_t i = 0; i < s->account.n_rows; i++)
		if (comes_back(s->account.rows[i].tail))
			put_row(c, 0, &s->account.rows[i]);
	struct attr_set *attrs;
	if (rc == ERR_OK)
		rc = attr_set_load(c->t, &attrs);
	if (rc == ERR_OK)
		change_attrs(c, attrs);
	return rc;
}
