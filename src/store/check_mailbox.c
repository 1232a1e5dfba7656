/* store_check: one mailbox, its header against its messages. */
#include <stdlib.h>

#include "store/check.h"
#include "store/flags.h"

struct vanished {
	struct check *c;
	const struct view *v;
	uint32_t rows;
	bool is_bad;
};

static bool vanished_row(void *arg, struct span key, struct span value)
{
	struct vanished *x = arg;
	struct numset s = { 0 };
	uint64_t modseq;
	if (!key_read_vanished(key, &modseq) || vanished_read(value, &s) != ERR_OK ||
	    (s.n == 0 && x->rows > 0) || modseq > x->v->h.modseq || numset_max(&s) >= x->v->h.uidnext)
		x->is_bad = true;
	struct uid_walk w = uid_walk(x->v, &s);
	const struct chunk *chunk;
	uint64_t slots[4];
	if (uid_walk_next(&w, &chunk, slots))
		x->is_bad = true;
	numset_done(&s);
	x->rows++;
	return true;
}

static void check_message(struct check *c, const struct view *v, const struct chunk *at,
			  uint32_t slot, uint32_t i)
{
	uint32_t uid = at->index * CHUNK_UIDS + slot;
	const struct chunk_msg *m = &at->at[i];
	size_t n = v->keywords->n;
	size_t in_word = n < STORE_KEYWORDS_FLAGS ? n : STORE_KEYWORDS_FLAGS;
	uint64_t known = FLAGS_SYSTEM;
	for (size_t k = 0; k < in_word; k++)
		known |= (uint64_t)1 << (8 + k);
	if (m->flags & ~known)
		check_say(c, "mailbox %u, UID %u: flags that the mailbox does not know",
			  v->mailbox, uid);
	if (m->modseq == 0 || m->modseq > v->h.modseq)
		check_say(c,
			  "mailbox %u, UID %u: its modseq is higher than the mailbox's",
			  v->mailbox, uid);
	const struct view_info *info = chunk_info(at, slot);
	check_hold(c, info->body, info->bytes);
	c->n_bytes += info->bytes;
	c->n_messages++;
}

static uint64_t check_messages(struct check *c, const struct view *v)
{
	uint64_t before = c->n_bytes;
	for (uint32_t k = 0; k < v->n_chunks; k++) {
		const struct chunk *at = v->chunk[k];
		uint32_t i = 0;
		for (uint32_t s = mask_next(at->mask, 0); s < CHUNK_UIDS;
		     s = mask_next(at->mask, s + 1))
			check_message(c, v, at, s, i++);
		for (size_t o = 0; at->overflow && o < at->overflow->n; o++)
			if ((at->overflow->at[o] & 0xffff) >= v->keywords->n ||
			    !mask_has(at->mask, at->overflow->at[o] >> 16))
				check_say(c, "mailbox %u: an overflow keyword of nothing",
					  v->mailbox);
	}
	return c->n_bytes - before;
}

static void check_header(struct check *c, const struct view *v, const struct name *n)
{
	const struct mailbox_header *h = &v->h;
	if (memcmp(h->id, n->mailbox_id, sizeof h->id) != 0)
		check_say(c, "mailbox %u: its name has another id", v->mailbox);
	if (h->modseq > c->h.modseq)
		check_say(c, "mailbox %u: its modseq is higher than the account's",
			  v->mailbox);
	if (h->uidvalidity > c->h.last_uidvalidity)
		check_say(c, "mailbox %u: its UIDVALIDITY was not given out yet",
			  v->mailbox);
	if (h->first_recent > h->uidnext)
		check_say(c, "mailbox %u: its first recent UID is beyond UIDNEXT",
			  v->mailbox);
	for (size_t i = 0; i < v->keywords->n; i++)
		if (keywords_find(v->keywords, v->keywords->at[i]) != (int)i)
			check_say(c, "mailbox %u: a keyword is there twice", v->mailbox);
}

enum err check_mailbox(struct check *c, const struct name *n)
{
	struct mailbox_header h;
	struct keywords *keywords;
	struct view *v;
	enum err rc = mailbox_header_get(c->t, n->mailbox, &h, &keywords);
	uint32_t end = c->staged.mailbox == n->mailbox ? c->staged.chunk : UINT32_MAX;
	if (rc == ERR_OK)
		rc = mailbox_load(c->t, c->a, n->mailbox, &h, keywords, end, true, &v);
	if (rc == ERR_NOENT || rc == ERR_CORRUPT) {
		check_say(
		    c, "mailbox %u (%.*s): its rows are damaged or do not fit together",
		    n->mailbox, (int)(n->path.n < 64 ? n->path.n : 64), n->path.p);
		return ERR_OK;
	}
	if (rc != ERR_OK)
		return rc;
	check_header(c, v, n);
	uint64_t bytes = check_messages(c, v);
	if (bytes != h.bytes)
		check_say(
		    c, "mailbox %u: its messages have %llu bytes, its header says %llu",
		    n->mailbox, (unsigned long long)bytes, (unsigned long long)h.bytes);
	struct vanished x = { .c = c, .v = v };
	rc = check_scan(c, KEY_VANISHED, n->mailbox, vanished_row, &x);
	if (x.is_bad || x.rows != h.vanished_rows)
		check_say(c, "mailbox %u: the record of what was expunged is damaged",
			  n->mailbox);
	view_unref(v);
	return rc;
}

/* ---- deleted ones ---- */

struct doomed {
	struct check *c;
	uint32_t number;
	enum err rc;
};

static bool doomed_block(void *arg, struct span key, struct span value)
{
	struct doomed *d = arg;
	uint32_t index;
	struct block *b;
	if (!key_index(key, &index) || block_read(value, &b) != ERR_OK) {
		check_say(d->c, "a row of mailbox %u, which is deleted or not all there yet, is damaged", d->number);
		return true;
	}
	struct key k = key_in_mailbox(KEY_CHUNK, d->number, index / CHUNK_BLOCKS);
	struct span row;
	struct chunk *c = NULL;
	d->rc = txn_get(d->c->t, key_span(&k), &row);
	if (d->rc != ERR_OK || chunk_read(index / CHUNK_BLOCKS, row, &c) != ERR_OK)
		check_say(d->c, "a row of mailbox %u, which is deleted or not all there yet, has no chunk", d->number);
	if (d->rc == ERR_NOENT)
		d->rc = ERR_OK;
	uint32_t block = index % CHUNK_BLOCKS, i = 0;
	for (uint32_t m = b->mask; c && m; m &= m - 1, i++)
		if (mask_has(c->mask, block * BLOCK_UIDS + (uint32_t)__builtin_ctz(m)))
			check_hold(d->c, b->at[i].body, b->at[i].bytes);
	block_unref(b);
	chunk_unref(c);
	return d->rc == ERR_OK;
}

enum err check_doomed(struct check *c, uint32_t number, uint32_t from)
{
	struct doomed d = { .c = c, .number = number };
	struct key lo = key_in_mailbox(KEY_INFO, number, from * CHUNK_BLOCKS);
	struct key hi = key_of_mailbox(KEY_INFO, number);
	hi = key_after(&hi);
	enum err rc = txn_scan(c->t, key_span(&lo), key_span(&hi), doomed_block, &d);
	return rc == ERR_OK ? d.rc : rc;
}
