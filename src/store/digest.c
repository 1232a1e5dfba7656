/*
 * The row of a digest (doc/store.md): version (1), which of the 256 UIDs it knows of
 * (bitmap, 32), the length of each item (2; NOT_KEPT: none is kept), the items.
 * An item of header fields begins with the sent date: 1, seconds (8), day (4); or 0.
 */
#include "store/digest.h"

#include "mail/header.h"

enum { VERSION = 1, NOT_KEPT = 0xffff, HEAD_BYTES = 33, DATE_BYTES = 13 };

/* Few and short: what lists of messages show. Each is one that a summary always has. */
static const struct span fields[] = { SPAN_INIT("Date"), SPAN_INIT("From"),
				      SPAN_INIT("To"), SPAN_INIT("Cc"),
				      SPAN_INIT("Subject") };
static const struct span thread[] = { SPAN_INIT("Subject"), SPAN_INIT("Message-ID"),
				      SPAN_INIT("References"), SPAN_INIT("In-Reply-To") };

const struct span *digest_names(enum digest_column column, size_t *ret_n)
{
	*ret_n = 0;
	if (column == DIGEST_FIELDS) {
		*ret_n = sizeof fields / sizeof fields[0];
		return fields;
	}
	if (column == DIGEST_THREAD) {
		*ret_n = sizeof thread / sizeof thread[0];
		return thread;
	}
	return NULL;
}

static unsigned length_at(const uint8_t *lengths, uint32_t i)
{
	return (unsigned)lengths[2 * i] << 8 | lengths[2 * i + 1];
}

enum err digest_read(struct span row, struct digest *ret)
{
	struct reader r = reader_of(row);
	uint64_t version = read_uint(&r, 1);
	for (unsigned i = 0; i < 4; i++)
		ret->mask[i] = read_uint(&r, 8);
	uint32_t n = mask_count(ret->mask), off = 0;
	struct span lengths = read_span(&r, 2 * (size_t)n);
	if (r.bad || version != VERSION || n == 0)
		return ERR_CORRUPT;
	ret->lengths = (const uint8_t *)lengths.p;
	for (uint32_t i = 0; i < n; i++) {
		unsigned length = length_at(ret->lengths, i);
		ret->off[i] = off;
		if (length > DIGEST_ITEM_MAX && length != NOT_KEPT)
			return ERR_CORRUPT;
		off += length == NOT_KEPT ? 0 : length;
	}
	ret->off[n] = off;
	ret->bytes = row.p + HEAD_BYTES + 2 * (size_t)n;
	return row.n == HEAD_BYTES + 2 * (size_t)n + off ? ERR_OK : ERR_CORRUPT;
}

enum digest_answer digest_item(const struct digest *d, uint32_t slot,
			       struct span *ret_item)
{
	if (!mask_has(d->mask, slot))
		return DIGEST_UNKNOWN;
	uint32_t i = mask_rank(d->mask, slot);
	if (length_at(d->lengths, i) == NOT_KEPT)
		return DIGEST_NOT_KEPT;
	*ret_item = span_of(d->bytes + d->off[i], d->off[i + 1] - d->off[i]);
	return DIGEST_KEPT;
}

/* ---- items ---- */

static bool covers(enum digest_column column, const struct summary *s)
{
	size_t n;
	const struct span *names = digest_names(column, &n);
	for (size_t i = 0; i < n; i++)
		if (!summary_header_covers(s, names[i]))
			return false;
	return true;
}

bool digest_make(enum digest_column column, const struct summary *s, struct buf *scratch,
		 struct span *ret_item)
{
	uint8_t date[DATE_BYTES];
	struct pen w = { date };
	size_t n;
	const struct span *names = digest_names(column, &n);
	if (column == DIGEST_ENVELOPE) {
		*ret_item = s->envelope;
		return s->envelope.n <= DIGEST_ITEM_MAX;
	}
	if (column == DIGEST_STRUCTURE) {
		*ret_item = s->structure;
		return s->structure.n <= DIGEST_ITEM_MAX &&
		       s->structure.p == s->structure_rev1.p;
	}
	if (!covers(column, s))
		return false;
	buf_truncate(scratch, 0);
	pen_uint(&w, s->has_date, 1);
	if (s->has_date) {
		pen_uint(&w, (uint64_t)s->sent_utc, 8);
		pen_uint(&w, (uint32_t)s->sent_day, 4);
	}
	buf_put(scratch, span_of(date, (size_t)(w.p - date)));
	header_filter(s->header, names, n, false, scratch);
	*ret_item = buf_span(scratch);
	return scratch->n <= DIGEST_ITEM_MAX;
}

bool digest_take(enum digest_column column, struct span item, struct summary *to)
{
	struct reader r = reader_of(item);
	uint64_t has_date;
	switch (column) {
	case DIGEST_ENVELOPE: to->envelope = item; return true;
	case DIGEST_STRUCTURE: to->structure = to->structure_rev1 = item; return true;
	default: break;
	}
	has_date = read_uint(&r, 1);
	to->has_date = has_date == 1;
	if (has_date) {
		to->sent_utc = (int64_t)read_uint(&r, 8);
		to->sent_day = (int32_t)(uint32_t)read_uint(&r, 4);
	}
	to->header = span_of(r.p, (size_t)(r.end - r.p));
	to->header_kind = SUMMARY_HEADER_COMMON;
	return !r.bad && has_date <= 1;
}

/* ---- writing ---- */

void digest_put(struct digest_news *news, enum digest_column column, uint32_t slot,
		const struct summary *s)
{
	struct buf scratch = { 0 };
	struct span item = SPAN_NONE;
	bool is_kept = digest_make(column, s, &scratch, &item);
	mask_set(news->mask, slot);
	news->at[slot].off = (uint32_t)news->bytes.n;
	news->at[slot].n = is_kept ? (uint16_t)item.n : NOT_KEPT;
	if (is_kept)
		buf_put(&news->bytes, item);
	buf_done(&scratch);
}

static struct span item_of(const struct digest *old, const struct digest_news *news,
			   uint32_t slot, unsigned *ret_length)
{
	struct span item = SPAN_NONE;
	bool is_kept;
	if (mask_has(news->mask, slot)) {
		is_kept = news->at[slot].n != NOT_KEPT;
		if (is_kept)
			item = span_sub(buf_span(&news->bytes), news->at[slot].off,
					news->at[slot].n);
	} else {
		is_kept = digest_item(old, slot, &item) == DIGEST_KEPT;
	}
	*ret_length = is_kept ? (unsigned)item.n : NOT_KEPT;
	return item;
}

void digest_write(const struct digest *old, const struct digest_news *news,
		  struct buf *out)
{
	uint8_t head[HEAD_BYTES + 2 * CHUNK_UIDS];
	struct pen w = { head };
	uint64_t mask[4];
	unsigned length;
	pen_uint(&w, VERSION, 1);
	for (unsigned i = 0; i < 4; i++) {
		mask[i] = news->mask[i] | (old ? old->mask[i] : 0);
		pen_uint(&w, mask[i], 8);
	}
	for (uint32_t s = mask_next(mask, 0); s < CHUNK_UIDS;
	     s = mask_next(mask, s + 1)) {
		item_of(old, news, s, &length);
		pen_uint(&w, length, 2);
	}
	buf_put(out, span_of(head, (size_t)(w.p - head)));
	for (uint32_t s = mask_next(mask, 0); s < CHUNK_UIDS; s = mask_next(mask, s + 1))
		buf_put(out, item_of(old, news, s, &length));
}
