/* store_check: each body that a message holds is there, whole, and counted right. */
#include <stdlib.h>

#include "mail/summary.h"
#include "mail/text_index.h"
#include "store/check.h"

static int by_body(const void *a, const void *b)
{
	const struct hold *x = a, *y = b;
	return memcmp(x->body.b, y->body.b, sizeof x->body.b);
}

/* Distinct ones, in order; what waits to be dropped counts as none. */
struct body_use {
	struct body_id body;
	uint64_t bytes;
	uint32_t holders;
	bool is_shared; /* a row KEY_HOLDERS was seen */
};

struct bodies {
	struct check *c;
	struct body_use *at;
	size_t n;
	uint64_t drops;
	struct { /* to be dropped; sorted when all are there */
		struct body_id *at;
		size_t n, cap;
	} waits;
};

static struct body_use *find(const struct bodies *b, struct body_id id)
{
	size_t lo = 0, hi = b->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = memcmp(b->at[mid].body.b, id.b, sizeof id.b);
		if (cmp == 0)
			return &b->at[mid];
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static const char *hex(struct body_id id, char to[33])
{
	static const char digit[] = "0123456789abcdef";
	for (unsigned i = 0; i < 16; i++) {
		to[2 * i] = digit[id.b[i] >> 4];
		to[2 * i + 1] = digit[id.b[i] & 15];
	}
	to[32] = 0;
	return to;
}

static void gather(struct bodies *b)
{
	struct check *c = b->c;
	char id[33];
	if (c->n_holds > 1)
		qsort(c->holds, c->n_holds, sizeof *c->holds, by_body);
	b->at = xcalloc(c->n_holds, sizeof *b->at);
	for (size_t i = 0; i < c->n_holds; i++) {
		struct body_use *last = b->n ? &b->at[b->n - 1] : NULL;
		if (last && memcmp(last->body.b, c->holds[i].body.b, 16) == 0) {
			last->holders++;
			if (last->bytes != c->holds[i].bytes)
				check_say(c, "body %s: two messages give it two sizes",
					  hex(last->body, id));
			continue;
		}
		b->at[b->n++] = (struct body_use){ .body = c->holds[i].body,
						   .bytes = c->holds[i].bytes,
						   .holders = 1 };
	}
}

static bool holders_row(void *arg, struct span key, struct span value)
{
	struct bodies *b = arg;
	struct body_id id = { { 0 } };
	char text[33];
	struct reader r = reader_of(value);
	uint64_t version = read_uint(&r, 1), n = read_uint(&r, 4);
	struct body_use *u = key_read_body(key, &id) ? find(b, id) : NULL;
	if (!reader_ok(&r) || version != 1 || !u || u->holders != n || n < 2)
		check_say(b->c, "body %s: %u messages hold it, its row says %u",
			  hex(id, text), u ? u->holders : 0, (unsigned)n);
	if (u)
		u->is_shared = true;
	return true;
}

static bool drop_row(void *arg, struct span key, struct span value)
{
	struct bodies *b = arg;
	struct body_id id = { { 0 } };
	uint64_t modseq = 0;
	char text[33];
	bool is_read = key_read_drop(key, &modseq, &id);
	b->drops++;
	if (!is_read || modseq > b->c->h.modseq || find(b, id))
		check_say(b->c, "body %s is to be dropped and should not be",
			  hex(id, text));
	if (!is_read)
		return true;
	if (b->waits.n == b->waits.cap) {
		b->waits.cap = b->waits.cap ? b->waits.cap * 2 : 64;
		b->waits.at = xrealloc(b->waits.at, b->waits.cap * sizeof id);
	}
	b->waits.at[b->waits.n++] = id;
	return true;
}

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct body_id));
}

/* No message holds it any more, but a view might. */
static bool waits(const struct bodies *b, struct body_id id)
{
	return b->waits.n && bsearch(&id, b->waits.at, b->waits.n, sizeof id, by_id);
}

static bool summary_row(void *arg, struct span key, struct span value)
{
	struct bodies *b = arg;
	struct body_id id = { { 0 } };
	struct summary summary;
	char text[33];
	struct body_use *u = key_read_body(key, &id) ? find(b, id) : NULL;
	if (!u && !waits(b, id))
		check_say(b->c, "body %s: a summary and no message", hex(id, text));
	else if (summary_open(value, &summary) != ERR_OK ||
		 (u && summary.size != u->bytes))
		check_say(b->c, "body %s: its summary is damaged", hex(id, text));
	return true;
}

static bool kept_body(void *arg, struct body_id id)
{
	struct bodies *b = arg;
	char text[33];
	if (!find(b, id) && !waits(b, id))
		check_say(b->c, "body %s is kept and no message holds it", hex(id, text));
	return true;
}

static bool words_row(void *arg, struct span key, struct span value)
{
	struct bodies *b = arg;
	struct body_id id = { { 0 } };
	char text[33];
	bool has_message =
	    key_read_body(key, &id) &&
	    (find(b, id) || (b->waits.n && bsearch(&id, b->waits.at, b->waits.n,
						   sizeof id, by_id)));
	if (!has_message)
		check_say(b->c, "body %s: a body index and no message", hex(id, text));
	else if (!text_index_is_sound(value) && !text_index_is_old(value))
		check_say(b->c, "body %s: its body index is damaged", hex(id, text));
	return true;
}

static void read_body(struct check *c, const struct body_use *u, struct buf *piece)
{
	enum err rc;
	uint64_t off = 0;
	char text[33];
	do {
		buf_clear(piece);
		rc = engine_body_read(c->store->engine, c->a->id, u->body, off,
				      BODY_PIECE, piece);
		off += piece->n;
	} while (rc == ERR_OK && piece->n == BODY_PIECE);
	if (rc != ERR_OK)
		check_say(c, "body %s cannot be read: %s", hex(u->body, text),
			  err_text(rc));
	else if (off != u->bytes)
		check_say(c, "body %s has %llu bytes, its message says %llu",
			  hex(u->body, text), (unsigned long long)off,
			  (unsigned long long)u->bytes);
}

static enum err check_rows(struct bodies *b)
{
	struct check *c = b->c;
	char text[33];
	enum err rc = check_scan(c, KEY_HOLDERS, 0, holders_row, b);
	if (rc == ERR_OK)
		rc = check_scan(c, KEY_DROP, 0, drop_row, b);
	if (b->waits.n > 1) /* those rows are by modseq */
		qsort(b->waits.at, b->waits.n, sizeof *b->waits.at, by_id);
	if (rc == ERR_OK)
		rc = check_scan(c, KEY_SUMMARY, 0, summary_row, b);
	if (rc == ERR_OK)
		rc = check_scan(c, KEY_WORDS, 0, words_row, b);
	if (rc == ERR_OK)
		rc = txn_bodies(c->t, kept_body, b);
	if (b->drops != c->h.drops)
		check_say(c, "%llu bodies wait to be dropped, its header says %llu",
			  (unsigned long long)b->drops, (unsigned long long)c->h.drops);
	for (size_t i = 0; i < b->n; i++)
		if (b->at[i].holders > 1 && !b->at[i].is_shared)
			check_say(c, "body %s: %u messages hold it and no row says so",
				  hex(b->at[i].body, text), b->at[i].holders);
	return rc;
}

enum err check_bodies(struct check *c)
{
	struct bodies b = { .c = c };
	struct buf piece = { 0 };
	gather(&b);
	enum err rc = check_rows(&b);
	for (size_t i = 0; i < b.n && rc == ERR_OK; i++)
		read_body(c, &b.at[i], &piece);
	buf_done(&piece);
	free(b.waits.at);
	free(b.at);
	return rc;
}
