/*
 * The store's own records, as a damaged disk may give them. The first byte says which.
 * What is read must be what is written again: reader and writer are one format.
 */
#include "fuzz_wire.h"
#include "store/body_row.h"
#include "store/chunk.h"
#include "store/digest.h"
#include "store/header.h"
#include "store/record.h"

static bool same(struct span a, struct span b)
{
	return span_eq(a, b);
}

static void chunk(struct span row)
{
	uint8_t again[CHUNK_ROW_MAX];
	struct chunk *c;

	if (chunk_read(3, row, &c) != ERR_OK)
		return;
	MUST(c->n == mask_count(c->mask) && c->unseen <= c->n && c->deleted <= c->n);
	MUST(mask_select(c->mask, c->n - 1) < CHUNK_UIDS);
	MUST(same(row, chunk_write(c, again)));
	/* what an edit makes of it is the same again */
	struct chunk_edit *e = chunk_edit_new(c->index, c);
	struct chunk *sealed = chunk_edit_seal(e);
	MUST(same(row, chunk_write(sealed, again)));
	chunk_edit_remove(e, mask_next(c->mask, 0));
	chunk_unref(sealed);
	chunk_unref(chunk_edit_seal(e));
	chunk_edit_free(e);
	chunk_unref(c);
}

static void block(struct span row)
{
	uint8_t first[BLOCK_ROW_MAX], second[BLOCK_ROW_MAX];
	struct block *b, *again;

	if (block_read(row, &b) != ERR_OK)
		return;
	/* ids that are the body's may have been spelled out: it is the shortest form once
	 * written */
	struct span short_row = block_write(b, first);
	MUST(short_row.n <= row.n && block_read(short_row, &again) == ERR_OK);
	MUST(same(short_row, block_write(again, second)));
	MUST(b->mask == again->mask);
	MUST(memcmp(b->at, again->at,
		    (size_t)__builtin_popcount(b->mask) * sizeof b->at[0]) == 0);
	block_unref(b);
	block_unref(again);
}

static void overflow(struct span row, struct arena *a)
{
	struct overflow *o;

	if (overflow_read(row, &o) != ERR_OK)
		return;
	MUST(same(row, overflow_write(o, a)));
	for (size_t i = 0; i < o->n; i++)
		MUST(overflow_has(o, o->at[i] >> 16, o->at[i] & 0xffff));
	MUST(!overflow_differs(o, o, o->at[0] >> 16));
	overflow_unref(o);
}

static void digest(struct span row)
{
	static const struct digest_news none;
	struct buf again = { 0 };
	struct digest d;

	if (digest_read(row, &d) != ERR_OK)
		return;
	digest_write(&d, &none, &again);
	MUST(same(row, buf_span(&again)));
	for (uint32_t s = 0; s < CHUNK_UIDS; s++) {
		struct summary to = { 0 };
		struct span item;

		MUST((digest_item(&d, s, &item) == DIGEST_UNKNOWN) == !mask_has(d.mask, s));
		if (digest_item(&d, s, &item) != DIGEST_KEPT)
			continue;
		for (unsigned c = 0; c < DIGEST_COLUMNS; c++)
			digest_take(c, item, &to);
	}
	buf_done(&again);
}

static void mailbox(struct span row, struct arena *a)
{
	struct mailbox_header h;
	struct keywords *k;

	if (mailbox_header_read(row, &h, &k) != ERR_OK)
		return;
	MUST(same(row, mailbox_header_write(&h, k, a)));
	for (size_t i = 0; i < k->n; i++)
		MUST(keywords_find(k, k->at[i]) >= 0 && k->at[i].n > 0);
	struct keywords *more = keywords_with(k, SPAN("one-more"));
	MUST(more->n == k->n + 1);
	keywords_unref(more);
	keywords_unref(k);
}

static void account(struct span row)
{
	uint8_t again[ACCOUNT_HEADER_BYTES];
	struct account_header h;

	if (account_header_read(row, &h) == ERR_OK)
		MUST(same(row, account_header_write(&h, again)));
}

static void name(struct span row)
{
	uint8_t again[NAME_RECORD_BYTES];
	struct name_record r;

	if (name_record_read(row, &r) == ERR_OK)
		MUST(same(row, name_record_write(&r, again)));
}

static void body(struct span row)
{
	struct buf again = { 0 };
	struct body_row r;
	struct piece *pieces;

	if (body_row_decode(row, &r) != ERR_OK)
		return;
	pieces = xcalloc(r.n + 1, sizeof *pieces);
	for (uint32_t i = 0; i < r.n; i++)
		pieces[i] = body_row_piece(&r, i);
	body_row_encode(r.bytes, pieces, r.n, &again);
	MUST(same(row, buf_span(&again)));
	for (uint32_t i = 0; i < r.n; i++) {
		body_row_move(again.p + again.off, i, 77, 88);
		MUST(body_row_decode(buf_span(&again), &r) == ERR_OK);
		MUST(body_row_piece(&r, i).segment == 77 &&
		     body_row_piece(&r, i).raw == pieces[i].raw);
	}
	buf_done(&again);
	free(pieces);
}

/* A record of a segment: what the collector does with each step of its window. */
static void segment(struct span bytes)
{
	struct record r;

	for (size_t at = 0; at + RECORD_HEAD <= bytes.n; at += RECORD_ALIGN) {
		uint8_t head[RECORD_HEAD];

		if (record_decode(bytes.p + at, &r) != ERR_OK)
			continue;
		MUST(r.stored <= BODY_PIECE && r.raw <= BODY_PIECE);
		struct span whole = span_sub(bytes, at, RECORD_HEAD + (size_t)r.stored);
		if (whole.n < RECORD_HEAD + (size_t)r.stored)
			continue;
		record_check(&r, whole);
		/* with the right CRC it is one */
		struct buf made = { 0 };
		record_encode(&r, span_sub(whole, RECORD_HEAD, SIZE_MAX), head);
		buf_put(&made, span_of(head, RECORD_HEAD));
		buf_put(&made, span_sub(whole, RECORD_HEAD, SIZE_MAX));
		MUST(record_check(&r, buf_span(&made)) == ERR_OK);
		made.p[made.off + made.n - 1] ^= 1;
		MUST(record_check(&r, buf_span(&made)) == ERR_CORRUPT);
		buf_done(&made);
	}
}

static void keys(struct span key, struct arena *a)
{
	struct body_id id;
	struct span text;
	uint64_t modseq;
	uint32_t n;

	if (!key.n)
		return;
	if (key_read_name(key, &n, &text)) {
		struct span made = key_name(a, n, text);

		MUST(same(span_sub(key, 1, key.n), span_sub(made, 1, made.n)));
	}
	if (key_read_drop(key, &modseq, &id)) {
		struct key made = key_drop(modseq, id);

		MUST(same(span_sub(key, 1, key.n), span_sub(key_span(&made), 1, made.n)));
	}
	key_index(key, &n);
	key_read_vanished(key, &modseq);
	key_read_body(key, &id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span row;
	struct arena *a;

	if (size < 1)
		return 0;
	row = span_of(data + 1, size - 1);
	a = arena_new(NULL);
	switch (data[0]) {
	case KEY_ACCOUNT: account(row); break;
	case KEY_CHUNK: chunk(row); break;
	case KEY_MAILBOX: mailbox(row, a); break;
	case KEY_INFO: block(row); break;
	case KEY_KEYWORDS: overflow(row, a); break;
	case KEY_NAME: name(row); break;
	case KEY_DIGEST: digest(row); break;
	case 'B': body(row); break;
	case 'S': segment(row); break;
	default: keys(span_of(data, size), a); break;
	}
	arena_free(a);
	return 0;
}
