/*
 * Summaries' pieces from digests (digest.h), for runs of messages that lie in one chunk.
 * What a digest does not know is read from the summaries as ever, and put into it for the
 * next one who asks, by an op in the background: nobody waits for it.
 */
#include <stdlib.h>

#include "store/digest.h"
#include "store/gather.h"

enum {
	RUN_LEAST = 8,	 /* messages of a chunk, for which its row is worth reading */
	NEWS_LEAST = 16, /* that a row is written anew for */
};

struct digest_run {
	struct digest_run *next;
	uint32_t chunk;
	unsigned has_row; /* bits of columns */
	unsigned n_news;
	struct digest *row[DIGEST_COLUMNS]; /* in the txn's arena; NULL: not wanted */
	struct digest_news *news[DIGEST_COLUMNS]; /* malloc'd */
};

struct digest_row {
	struct digest_row *next;
	uint32_t chunk;
	enum digest_column column;
	struct buf row;
};

/* ---- which columns ---- */

static bool has_all(enum digest_column column, const struct want *w)
{
	size_t n, k;
	const struct span *names = digest_names(column, &n);
	for (size_t i = 0; i < w->n_names; i++) {
		for (k = 0; k < n && !span_ieq(names[k], w->names[i]); k++)
			;
		if (k == n)
			return false;
	}
	return true;
}

/* Bits of the columns that have all that is wanted; 0: they do not have it. */
static unsigned columns_of(const struct want *w)
{
	const unsigned all = WANT_SUMMARY | WANT_ENVELOPE | WANT_STRUCTURE | WANT_HEADER |
			     WANT_BYTES;
	unsigned columns = 0;
	if (!w->mailbox || !(w->what & WANT_SUMMARY) || w->what & ~all)
		return 0;
	if (w->what & WANT_ENVELOPE)
		columns |= 1u << DIGEST_ENVELOPE;
	if (w->what & WANT_STRUCTURE)
		columns |= 1u << DIGEST_STRUCTURE;
	if (w->what & WANT_HEADER) {
		if (w->n_names == 0 || w->is_not)
			return 0;
		if (has_all(DIGEST_FIELDS, w))
			columns |= 1u << DIGEST_FIELDS;
		else if (has_all(DIGEST_THREAD, w))
			columns |= 1u << DIGEST_THREAD;
		else
			return 0;
	}
	return columns ? columns : 1u << DIGEST_FIELDS; /* the date */
}

/* ---- reading ---- */

static void read_rows(struct gather_op *x, struct txn *t, struct digest_run *run,
		      unsigned columns)
{
	for (unsigned c = 0; c < DIGEST_COLUMNS; c++) {
		struct key k = key_digest(x->want.mailbox, c, run->chunk);
		struct span row;
		if (!(columns >> c & 1))
			continue;
		run->row[c] = ARENA_NEW(txn_arena(t), struct digest);
		if (txn_get(t, key_span(&k), &row) == ERR_OK &&
		    digest_read(row, run->row[c]) == ERR_OK)
			run->has_row |= 1u << c;
	}
}

/* The pieces of one message from all columns; else it is left to its summary. */
static void ask_rows(struct gather_op *x, struct gather_item *it, struct digest_run *run)
{
	struct summary s = { .header_kind = SUMMARY_HEADER_NONE };
	uint32_t slot = chunk_slot(x->uids[it->at]);
	bool is_known = true, is_kept = true;
	for (unsigned c = 0; c < DIGEST_COLUMNS; c++) {
		struct span item;
		enum digest_answer a = DIGEST_UNKNOWN;
		if (!run->row[c])
			continue;
		if (run->has_row >> c & 1)
			a = digest_item(run->row[c], slot, &item);
		is_known = is_known && a != DIGEST_UNKNOWN;
		is_kept = is_kept && a == DIGEST_KEPT && digest_take(c, item, &s);
	}
	it->is_told = is_kept;
	if (is_kept)
		gather_copy(x, it, &s);
	else if (!is_known)
		it->run = run;
}

void gather_digests(struct gather_op *x, struct txn *t)
{
	unsigned columns = columns_of(&x->want);
	for (size_t i = 0, end; columns && i < x->n; i = end) {
		uint32_t chunk = chunk_of(x->uids[x->items[i].at]);
		for (end = i + 1; end < x->n; end++)
			if (chunk_of(x->uids[x->items[end].at]) != chunk)
				break;
		if (end - i < RUN_LEAST)
			continue;
		struct digest_run *run = xcalloc(1, sizeof *run);
		run->chunk = chunk;
		run->next = x->runs;
		x->runs = run;
		read_rows(x, t, run, columns);
		for (size_t k = i; k < end; k++)
			if (!gather_is_decided(x, &x->items[k]))
				ask_rows(x, &x->items[k], run);
	}
}

/* ---- what they did not know ---- */

void gather_digest_note(struct gather_op *x, const struct gather_item *it,
			const struct summary *s)
{
	struct digest_run *run = it->run;
	uint32_t slot = chunk_slot(x->uids[it->at]);
	for (unsigned c = 0; c < DIGEST_COLUMNS; c++) {
		if (!run->row[c])
			continue;
		if (!run->news[c])
			run->news[c] = xcalloc(1, sizeof *run->news[c]);
		digest_put(run->news[c], c, slot, s);
	}
	run->n_news++;
}

static struct digest_row *write_rows(const struct digest_run *run,
				     struct digest_row *next)
{
	for (unsigned c = 0; c < DIGEST_COLUMNS; c++) {
		struct digest_row *w;
		if (!run->news[c])
			continue;
		w = xcalloc(1, sizeof *w);
		*w =
		    (struct digest_row){ .next = next, .chunk = run->chunk, .column = c };
		digest_write(run->has_row >> c & 1 ? run->row[c] : NULL, run->news[c],
			     &w->row);
		next = w;
	}
	return next;
}

struct digest_op {
	struct store_op o;
	uint32_t mailbox;
	struct digest_row *rows;
};

static void rows_free(struct store_op *o)
{
	struct digest_op *x = (struct digest_op *)(void *)o;
	while (x->rows) {
		struct digest_row *w = x->rows;
		x->rows = w->next;
		buf_done(&w->row);
		free(w);
	}
}

static bool has_row(struct change *c, struct key k)
{
	struct span row;
	return txn_get(c->t, key_span(&k), &row) == ERR_OK;
}

/* Unless the mailbox went meanwhile, or all of the chunk. */
static enum err put_plan(struct store_op *o, struct change *c)
{
	struct digest_op *x = (struct digest_op *)(void *)o;
	if (!has_row(c, key_of_mailbox(KEY_MAILBOX, x->mailbox)))
		return ERR_OK;
	for (const struct digest_row *w = x->rows; w; w = w->next) {
		struct key k = key_digest(x->mailbox, w->column, w->chunk);
		if (has_row(c, key_in_mailbox(KEY_CHUNK, x->mailbox, w->chunk)))
			txn_put(c->t, key_span(&k), buf_span(&w->row));
	}
	return ERR_OK;
}

static void put_done(struct op *op, void *owner)
{
}

static void put(struct gather_op *x, struct digest_row *rows)
{
	struct store *s = x->o.store;
	struct digest_op *p = op_new(sizeof *p, s, x->o.account,
				     (struct op_to){ s->workers, put_done, s });
	p->o.plan = put_plan;
	p->o.free_more = rows_free;
	p->o.e.needs_room = true;
	p->mailbox = x->want.mailbox;
	p->rows = rows;
	p->o.is_background = store_background(s, 1);
	if (p->o.is_background)
		op_start(&p->o);
	else
		op_fail(&p->o, ERR_CLOSED);
}

void gather_digests_end(struct gather_op *x)
{
	struct digest_row *rows = NULL;
	bool may_write = !(x->o.store->flags & ENGINE_READ_ONLY);
	while (x->runs) {
		struct digest_run *run = x->runs;
		x->runs = run->next;
		if (may_write && run->n_news >= NEWS_LEAST)
			rows = write_rows(run, rows);
		for (unsigned c = 0; c < DIGEST_COLUMNS; c++) {
			if (run->news[c])
				buf_done(&run->news[c]->bytes);
			free(run->news[c]);
		}
		free(run);
	}
	for (size_t i = 0; i < x->n; i++)
		x->items[i].run = NULL;
	if (rows)
		put(x, rows);
}
