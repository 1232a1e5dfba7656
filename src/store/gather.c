/*
 * What is wanted of many messages at once, on a worker: pieces of their summaries and
 * their bytes. Neither needs the account for itself: a body never changes, and what a
 * durable view shows is there. Summaries of messages that came one after another lie
 * beside each other, so they are read by walking along. One that is missing or
 * damaged is made anew from the body and put back.
 */
#include <stdlib.h>

#include "mail/header.h"
#include "store/gather.h"

enum { PIECES_BYTES = 512 }; /* about what is wanted of a summary */

/* ---- pieces of a summary ---- */

/* The spans of a summary in the order in which they are copied. */
enum { SPANS = 8 };

static void spans_of(struct gathered_message *m, struct span *to[SPANS])
{
	struct summary *s = &m->summary;
	struct span *all[SPANS] = { &s->parts,		&s->names,     &s->envelope,
				    &s->body,		&s->body_rev1, &s->structure,
				    &s->structure_rev1, &s->header };

	memcpy(to, all, sizeof all);
}

static void drop_unwanted(struct summary *s, unsigned what)
{
	/* the same bytes twice: found again when the pieces lie still */
	if (s->body_rev1.p == s->body.p)
		s->body_rev1.n = 0;
	if (s->structure_rev1.p == s->structure.p)
		s->structure_rev1.n = 0;
	if (!(what & WANT_ENVELOPE))
		s->envelope.n = 0;
	if (!(what & WANT_BODY))
		s->body.n = s->body_rev1.n = 0;
	if (!(what & WANT_STRUCTURE))
		s->structure.n = s->structure_rev1.n = 0;
	if (!(what & WANT_HEADER)) {
		s->header.n = 0;
		s->header_kind = SUMMARY_HEADER_NONE;
	}
}

static void put_all(struct buf *to, struct span *const *span, size_t n)
{
	size_t all = 0;
	char *p;

	for (size_t i = 0; i < n; i++)
		all += span[i]->n;
	p = buf_room(to, all);
	for (size_t i = 0; i < n; i++) {
		if (span[i]->n > 0)
			memcpy(p, span[i]->p, span[i]->n);
		p += span[i]->n;
	}
	buf_added(to, all);
}

static bool covers_all(const struct summary *s, const struct want *w)
{
	if (w->is_not)
		return s->header_kind == SUMMARY_HEADER_WHOLE;
	for (size_t i = 0; i < w->n_names; i++)
		if (!summary_header_covers(s, w->names[i]))
			return false;
	return true;
}

static bool has_names(const struct want *w)
{
	return (w->what & WANT_HEADER) && w->n_names > 0;
}

/* With its parts when they are wanted, or will be for want of the fields. */
static enum err open_pieces(const struct gather_op *x, struct span blob,
			    struct summary *ret)
{
	enum err rc;

	if (x->want.what & WANT_PARTS)
		return summary_open(blob, ret);
	rc = summary_open_wire(blob, ret);
	if (rc == ERR_OK && has_names(&x->want) && !covers_all(ret, &x->want))
		rc = summary_open(blob, ret);
	return rc;
}

void gather_copy(struct gather_op *x, struct gather_item *it, const struct summary *s)
{
	struct gathered_message *m = &x->got.at[it->at];
	struct buf *to = &x->got.bytes;
	struct span *span[SPANS];
	size_t before;

	m->summary = *s;
	m->has_summary = true;
	it->off = to->n;
	drop_unwanted(&m->summary, x->want.what);
	spans_of(m, span);
	put_all(to, span, SPANS - 1);
	if (!has_names(&x->want)) {
		buf_put(to, m->summary.header);
		return;
	}
	before = to->n;
	m->has_fields = covers_all(s, &x->want);
	if (m->has_fields)
		header_filter(s->header, x->want.names, x->want.n_names, x->want.is_not,
			      to);
	m->summary.header.n = to->n - before;
	m->summary.header_kind = SUMMARY_HEADER_NONE;
}

/* The result's bytes move no more: spans become pointers into them. */
static void settle_pieces(struct gather_op *x)
{
	struct span bytes = buf_span(&x->got.bytes);

	for (size_t i = 0; i < x->n; i++) {
		struct gathered_message *m = &x->got.at[x->items[i].at];
		size_t off = x->items[i].off;
		struct span *span[SPANS];

		if (m->has_bytes)
			m->bytes = span_sub(bytes, x->items[i].bytes_off, m->bytes.n);
		if (!m->has_summary)
			continue;
		spans_of(m, span);
		for (size_t k = 0; k < SPANS; k++) {
			*span[k] = span_sub(bytes, off, span[k]->n);
			off += span[k]->n;
		}
		if (m->summary.body_rev1.n == 0)
			m->summary.body_rev1 = m->summary.body;
		if (m->summary.structure_rev1.n == 0)
			m->summary.structure_rev1 = m->summary.structure;
	}
}

/* ---- rows ---- */

static int by_body(const void *a, const void *b)
{
	const struct gather_item *x = a, *y = b;

	return memcmp(x->body.b, y->body.b, sizeof x->body.b);
}

static void take_row(struct gather_op *x, struct gather_item *it, struct span row)
{
	struct summary s;

	it->is_missing = open_pieces(x, row, &s) != ERR_OK;
	if (it->is_missing)
		return;
	gather_copy(x, it, &s);
	if (it->run)
		gather_digest_note(x, it, &s);
}

static void row_came(void *arg, size_t i, struct span row)
{
	struct gather_op *x = arg;
	struct gather_item *it = &x->items[x->asked[i]];

	it->is_missing = !row.p;
	if (row.p)
		take_row(x, it, row);
}

bool gather_is_decided(const struct gather_op *x, const struct gather_item *it)
{
	const struct gathered_message *m = &x->got.at[it->at];

	return m->has_sieved && m->sieved != TEXT_MAYBE;
}

static enum err rows_read(void *arg, struct txn *t)
{
	struct gather_op *x = arg;
	struct arena *a = txn_arena(t);
	struct key *key = arena_array(a, x->n, sizeof *key);
	struct span *span = arena_array(a, x->n, sizeof *span);
	size_t n = 0;
	enum err rc;

	if (x->uids)
		gather_digests(x, t);
	x->asked = arena_array(a, x->n, sizeof *x->asked);
	for (size_t i = 0; i < x->n; i++) {
		if (x->items[i].is_told || gather_is_decided(x, &x->items[i]))
			continue;
		x->asked[n] = i;
		key[n] = key_body(KEY_SUMMARY, x->items[i].body);
		span[n] = key_span(&key[n]);
		n++;
	}
	rc = n ? txn_get_many(t, span, n, row_came, x) : ERR_OK;
	gather_digests_end(x);
	return rc;
}

/* ---- summaries that are not there ---- */

enum err summary_make(struct engine *e, struct account_id a, struct body_id body,
		      struct buf *out)
{
	struct summary_scanner *s = summary_scanner_new();
	struct buf piece = { 0 };
	enum err rc;
	uint64_t off = 0;

	do {
		buf_clear(&piece);
		rc = engine_body_read(e, a, body, off, BODY_PIECE, &piece);
		summary_scanner_feed(s, buf_span(&piece));
		off += piece.n;
	} while (rc == ERR_OK && piece.n == BODY_PIECE);
	if (rc == ERR_OK)
		summary_scanner_finish(s, out);
	summary_scanner_free(s);
	buf_done(&piece);
	return rc;
}

/* True when one was made. */
static bool make_missing(struct gather_op *x)
{
	struct engine *e = x->o.store->engine;
	bool is_any = false;

	for (size_t i = 0; i < x->n; i++) {
		struct gather_item *it = &x->items[i];
		struct summary s;

		if (!it->is_missing ||
		    summary_make(e, x->o.account->id, it->body, &it->made) != ERR_OK)
			continue;
		if (open_pieces(x, buf_span(&it->made), &s) == ERR_OK)
			gather_copy(x, it, &s);
		is_any = true;
	}
	return is_any;
}

static void put_back(struct change *c, enum key_kind kind, struct body_id body,
		     const struct buf *row)
{
	struct key k = key_body(kind, body);

	if (row->n > 0)
		txn_put(c->t, key_span(&k), buf_span(row));
}

/* What was made is put back, unless the body went meanwhile. */
static enum err put_back_plan(struct store_op *o, struct change *c)
{
	struct gather_op *x = (struct gather_op *)(void *)o;

	for (size_t i = 0; i < x->n; i++) {
		const struct gather_item *it = &x->items[i];
		struct buf byte = { 0 };

		if (it->made.n + it->words.n > 0 &&
		    engine_body_read(o->store->engine, o->account->id, it->body, 0, 1,
				     &byte) == ERR_OK) {
			put_back(c, KEY_SUMMARY, it->body, &it->made);
			put_back(c, KEY_WORDS, it->body, &it->words);
		}
		buf_done(&byte);
	}
	return ERR_OK;
}

/* ---- the op ---- */

static void read_bodies(struct gather_op *x)
{
	struct body_id *ids = xcalloc(x->n, sizeof *ids);
	enum err *rc = xcalloc(x->n, sizeof *rc);
	size_t *bytes = xcalloc(x->n, sizeof *bytes), at = x->got.bytes.n;

	for (size_t i = 0; i < x->n; i++)
		ids[i] = x->items[i].body;
	engine_bodies_read(x->o.store->engine, x->o.account->id, ids, x->n, &x->got.bytes,
			   rc, bytes);
	for (size_t i = 0; i < x->n; i++) {
		struct gathered_message *m = &x->got.at[x->items[i].at];

		m->bytes_rc = rc[i];
		m->has_bytes = rc[i] == ERR_OK;
		m->bytes = (struct span){ .n = bytes[i] };
		x->items[i].bytes_off = at;
		at += bytes[i];
	}
	free(ids);
	free(rc);
	free(bytes);
}

static void gather(struct task *t)
{
	struct gather_op *x = TASK_OWNER(t, struct gather_op, job);
	enum err rc = ERR_OK;
	bool is_any_made = false;

	buf_room(&x->got.bytes, x->want.bytes + x->n * PIECES_BYTES);
	if (x->want.sieve && !(x->o.store->flags & ENGINE_NO_BODY_INDEX))
		rc = gather_sieve(x, &is_any_made);
	if (rc == ERR_OK && (x->want.what & WANT_SUMMARY))
		rc = engine_read_now(x->o.store->engine, x->o.account->id, rows_read, x);
	if (rc == ERR_OK)
		is_any_made |= make_missing(x);
	if (rc == ERR_OK && (x->want.what & WANT_BYTES))
		read_bodies(x);
	settle_pieces(x);
	x->o.always_ok = rc == ERR_OK;
	if (is_any_made && !(x->o.store->flags & ENGINE_READ_ONLY))
		op_start(&x->o);
	else
		op_finish(&x->o.e.op, rc);
}

void gathered_done(struct gathered *g)
{
	buf_done(&g->bytes);
	free(g->at);
	*g = (struct gathered){ 0 };
}

static void gather_free(struct store_op *o)
{
	struct gather_op *x = (struct gather_op *)(void *)o;

	for (size_t i = 0; i < x->n; i++) {
		buf_done(&x->items[i].made);
		buf_done(&x->items[i].words);
	}
	free(x->items);
	free(x->uids);
	text_sieve_free((struct text_sieve *)x->want.sieve);
	for (size_t i = 0; i < x->want.n_names; i++)
		free((char *)x->want.names[i].p);
	free((struct span *)x->want.names);
	gathered_done(&x->got);
}

static void want_copy(struct want *to, const struct want *from)
{
	struct span *names = xcalloc(from->n_names, sizeof *names);

	*to = *from;
	to->names = names;
	to->sieve = text_sieve_copy(from->sieve);
	for (size_t i = 0; i < from->n_names; i++) {
		char *p = xmalloc(from->names[i].n);

		if (from->names[i].n > 0)
			memcpy(p, from->names[i].p, from->names[i].n);
		names[i] = span_of(p, from->names[i].n);
	}
}

struct op *messages_gather(struct account *a, const struct body_id *ids, size_t n,
			   const struct want *want, struct op_to to)
{
	struct gather_op *x = op_new(sizeof *x, a->store, a, to);
	bool is_sorted = true;

	x->o.plan = put_back_plan;
	x->o.free_more = gather_free;
	want_copy(&x->want, want);
	x->want.uids = NULL;
	x->n = x->got.n = n;
	if (want->mailbox && n > 0) {
		x->uids = xcalloc(n, sizeof *x->uids);
		memcpy(x->uids, want->uids, n * sizeof *x->uids);
	}
	x->items = xcalloc(n, sizeof *x->items);
	x->got.at = xcalloc(n, sizeof *x->got.at);
	for (size_t i = 0; i < n; i++) {
		x->items[i] = (struct gather_item){ .body = ids[i], .at = i };
		is_sorted = is_sorted &&
			    (i == 0 || by_body(&x->items[i - 1], &x->items[i]) < 0);
	}
	if (!is_sorted)
		qsort(x->items, n, sizeof *x->items, by_body);
	x->job.run = gather;
	executor_post(a->store->workers, &x->job);
	return &x->o.e.op;
}

void op_gathered(struct op *op, struct gathered *to)
{
	struct gather_op *x = (struct gather_op *)(void *)STORE_OP(op);

	*to = x->got;
	x->got = (struct gathered){ 0 };
}
