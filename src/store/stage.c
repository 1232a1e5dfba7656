/* Changes in parts of which nothing shows before the last (stage.h). */
#include "store/stage.h"

#include <stdlib.h>

enum { VERSION = 1, STAGED_BYTES = 9 };

static struct key staged_key(void)
{
	return (struct key){ .n = 1, .b = { KEY_STAGED } };
}

enum err staged_get(struct txn *t, struct staged *ret)
{
	struct key k = staged_key();
	struct span row;
	enum err rc = txn_get(t, key_span(&k), &row);
	*ret = (struct staged){ 0 };
	if (rc != ERR_OK)
		return rc == ERR_NOENT ? ERR_OK : rc;
	struct reader r = reader_of(row);
	uint64_t version = read_uint(&r, 1);
	struct staged s;
	s.mailbox = (uint32_t)read_uint(&r, 4);
	s.chunk = (uint32_t)read_uint(&r, 4);
	if (!reader_ok(&r) || version != VERSION || s.mailbox == 0)
		return ERR_CORRUPT;
	*ret = s;
	return ERR_OK;
}

static void staged_put(struct txn *t, const struct staged *s)
{
	struct key k = staged_key();
	uint8_t row[STAGED_BYTES];
	struct pen w = { row };
	pen_uint(&w, VERSION, 1);
	pen_uint(&w, s->mailbox, 4);
	pen_uint(&w, s->chunk, 4);
	txn_put(t, key_span(&k), span_of(row, sizeof row));
}

static void staged_end(struct change *c)
{
	struct key k = staged_key();
	txn_delete(c->t, key_span(&k));
	c->staged = (struct staged){ 0 };
	c->is_dirty = true;
}

void stage_free(struct stage *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_changed; i++)
		chunk_unref(s->changed[i].chunk);
	free(s->changed);
	keywords_unref(s->keywords);
	free(s);
}

/* ---- a part ---- */

static struct changed_chunk *chunks_copy(const struct changed_chunk *from, size_t n)
{
	struct changed_chunk *to = xcalloc(n, sizeof *to);
	for (size_t i = 0; i < n; i++)
		to[i] = (struct changed_chunk){ from[i].index, chunk_ref(from[i].chunk) };
	return to;
}

/* To a chunk of which no view has a message. */
static enum err first_part(struct box *to)
{
	uint32_t chunk = to->h.uidnext > 1 ? chunk_of(to->h.uidnext - 1) + 1 : 0;
	if (chunk > UINT32_MAX / CHUNK_UIDS)
		return ERR_LIMIT;
	if (chunk > 0)
		to->h.uidnext = chunk * CHUNK_UIDS;
	to->c->staged = (struct staged){ to->number, chunk };
	return ERR_OK;
}

static enum err go_on(struct box *to, const struct stage *s)
{
	struct change *c = to->c;
	bool has_view = s->n_changed > 0;
	if (s->where.mailbox != to->number || c->modseq != s->modseq ||
	    (to->base && !has_view))
		return ERR_CONFLICT;
	/* what sessions have claimed meanwhile */
	uint32_t first_recent = to->h.first_recent;
	to->h = s->h;
	to->h.first_recent = first_recent;
	keywords_unref(to->keywords);
	to->keywords = keywords_ref(s->keywords);
	to->changed = chunks_copy(s->changed, s->n_changed);
	to->n_changed = to->cap_changed = s->n_changed;
	to->is_dirty = true;
	c->h.bytes = s->bytes;
	c->h.messages = s->messages;
	c->staged = s->where;
	return ERR_OK;
}

enum err stage_join(struct change *c, struct box *to, bool is_part)
{
	const struct stage *before = c->op->stage;
	if (!before && !is_part)
		return ERR_OK;
	enum err rc = change_modseq(c);
	if (rc == ERR_OK)
		rc = before ? go_on(to, before) : first_part(to);
	if (rc != ERR_OK)
		return rc;
	if (is_part)
		c->part_of = to;
	else
		staged_end(c);
	return ERR_OK;
}

enum err stage_finish(struct change *c)
{
	struct box *b = c->part_of;
	enum err rc = box_seal(b);
	if (rc == ERR_OK)
		rc = change_quota(c);
	if (rc == ERR_OK)
		rc = change_bodies_settle(c);
	if (rc != ERR_OK)
		return rc;
	staged_put(c->t, &c->staged);
	struct stage *s = xcalloc(1, sizeof *s);
	*s = (struct stage){ .where = c->staged,
			     .modseq = c->modseq,
			     .h = b->h,
			     .keywords = keywords_ref(b->keywords),
			     .bytes = c->h.bytes,
			     .messages = c->h.messages };
	if (b->base) {
		s->changed = chunks_copy(b->changed, b->n_changed);
		s->n_changed = b->n_changed;
	}
	c->op->part = s;
	return ERR_OK;
}

void stage_written(struct store_op *o)
{
	stage_free(o->stage);
	o->stage = o->part;
	o->part = NULL;
	o->account->staged = o->stage->where;
	numset_add_set(&o->all_source, &o->source);
	numset_add_set(&o->all_target, &o->target);
	o->from = o->next;
}

/* ---- taking back ---- */

enum err stage_undo(struct change *c)
{
	size_t left = STORE_REAP_STEP;
	enum err rc = sweep_chunks(c, c->staged.mailbox, c->staged.chunk, &left);
	if (rc == ERR_OK && left > 0)
		staged_end(c);
	return rc;
}

static enum err no_plan(struct store_op *o, struct change *c)
{
	return ERR_OK;
}

static void ignore(struct op *op, void *owner)
{
}

void stage_undo_start(struct account *a)
{
	struct store *s = a->store;
	if (!store_background(s, 1))
		return; /* whoever opens the store next */
	struct store_op *o = op_new(sizeof *o, s, a, (struct op_to){ s->workers, ignore, s });
	o->is_background = true;
	o->plan = no_plan;
	op_start(o);
}
