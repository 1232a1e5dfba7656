/*
 * The sieve of a search, asked of bodies' indexes (mail/text_index.h): small rows that
 * lie beside each other in the order of arrival, so that a batch is one walk. Of a
 * message without, one is made from its text and put back: those that came before there
 * was an index, in pieces, or while a setting had it off.
 */
#include "store/gather.h"

#include "mail/text_index.h"

static void answer(struct gather_op *x, struct gather_item *it, struct span words)
{
	struct gathered_message *m = &x->got.at[it->at];

	m->has_sieved = true;
	m->sieved = text_sieve_ask(x->want.sieve, words, &m->may);
}

static void row_came(void *arg, size_t i, struct span row)
{
	struct gather_op *x = arg;
	struct gather_item *it = &x->items[i];

	it->has_no_words = !row.p || !text_index_is_sound(row);
	if (!it->has_no_words)
		answer(x, it, row);
}

static enum err rows_read(void *arg, struct txn *t)
{
	struct gather_op *x = arg;
	struct arena *a = txn_arena(t);
	struct key *key = arena_array(a, x->n, sizeof *key);
	struct span *span = arena_array(a, x->n, sizeof *span);

	for (size_t i = 0; i < x->n; i++) {
		key[i] = key_body(KEY_WORDS, x->items[i].body);
		span[i] = key_span(&key[i]);
	}
	return txn_get_many(t, span, x->n, row_came, x);
}

/* One part of a body too large to be read at once. */
static enum err add_part(struct gather_op *x, struct text_index *to, struct body_id body,
			 const struct summary_part *p)
{
	struct buf piece = { 0 };
	uint64_t off = p->body_start;
	enum err rc = ERR_OK;

	text_index_part_begin(to, p->coding, p->charset, text_index_is_html(p));
	while (rc == ERR_OK && off < p->body_end) {
		uint64_t left = p->body_end - off;

		buf_clear(&piece);
		rc = engine_body_read(x->o.store->engine, x->o.account->id, body, off,
				      left < BODY_PIECE ? (size_t)left : BODY_PIECE,
				      &piece);
		if (rc == ERR_OK && piece.n == 0)
			rc = ERR_CORRUPT;
		text_index_part_feed(to, buf_span(&piece));
		off += piece.n;
	}
	text_index_part_end(to);
	buf_done(&piece);
	return rc;
}

static enum err make_words(struct gather_op *x, struct text_index *to,
			   struct body_id body, struct buf *out)
{
	struct buf blob = { 0 };
	struct summary s;
	enum err rc = summary_make(x->o.store->engine, x->o.account->id, body, &blob);

	if (rc == ERR_OK)
		rc = summary_open(buf_span(&blob), &s);
	for (uint32_t i = 0; rc == ERR_OK && i < s.n_parts; i++) {
		struct summary_part p;

		summary_part_get(&s, i, &p);
		if (text_index_is_text(&p))
			rc = add_part(x, to, body, &p);
	}
	text_index_finish(to, out);
	if (rc != ERR_OK)
		buf_clear(out);
	buf_done(&blob);
	return rc;
}

enum err gather_sieve(struct gather_op *x, bool *ret_is_any_made)
{
	enum err rc = engine_read_now(x->o.store->engine, x->o.account->id, rows_read, x);
	struct text_index *builder = NULL;

	for (size_t i = 0; i < x->n && rc == ERR_OK; i++) {
		struct gather_item *it = &x->items[i];

		if (!it->has_no_words)
			continue;
		if (!builder)
			builder = text_index_new();
		if (make_words(x, builder, it->body, &it->words) != ERR_OK)
			continue;
		answer(x, it, buf_span(&it->words));
		*ret_is_any_made = true;
	}
	text_index_free(builder);
	return rc;
}
