/*
 * store_repair: makes anew what the rows of messages say better than the rows that sum
 * them up: counters, holders of bodies, what waits for the sweep, the record of what was
 * expunged. Messages and bodies themselves are never touched: what is lost of them
 * store_check tells.
 */
#include <stdio.h>
#include <stdlib.h>

#include "mail/summary.h"
#include "mail/text_index.h"
#include "store/change.h"
#include "store/check.h"
#include "store/shared_body.h"

struct repair_op {
	struct store_op o;
	struct check c; /* name, holds; its findings are what was mended */
	uint64_t *mended;
};

struct holder {
	struct body_id body;
	uint32_t n;
};

struct repair {
	struct check *c;
	struct change *change;
	uint64_t *mended;
	struct holder *at; /* sorted */
	size_t n;
	struct body_id *drop; /* what waits for the sweep; sorted when all are there */
	size_t cap_drops;
	uint64_t drops;
	uint32_t doomed;
	uint64_t top_modseq;
	enum err rc;
};

static void mended(struct repair *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void mended(struct repair *r, const char *fmt, ...)
{
	char text[200];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	check_say(r->c, "%s", text);
	++*r->mended;
}

/* ---- one mailbox ---- */

struct recount {
	struct repair *r;
	struct mailbox_header h; /* as counted */
	struct numset present;
	uint32_t number;
	bool is_bad; /* a row cannot be read: its sums stay as they are */
	enum err rc;
};

static void count_info(struct recount *x, const struct chunk *c)
{
	struct txn *t = x->r->change->t;
	struct block *b = NULL;
	uint32_t known = CHUNK_BLOCKS;
	for (uint32_t s = mask_next(c->mask, 0); s < CHUNK_UIDS;
	     s = mask_next(c->mask, s + 1)) {
		uint32_t k = s / BLOCK_UIDS, bit = s % BLOCK_UIDS;
		struct key key = key_in_mailbox(KEY_INFO, x->number,
						c->index * CHUNK_BLOCKS + k);
		struct span row;
		if (k != known) {
			block_unref(b);
			b = NULL;
			known = k;
			if (txn_get(t, key_span(&key), &row) != ERR_OK ||
			    block_read(row, &b) != ERR_OK)
				b = NULL;
		}
		if (!b || !(b->mask >> bit & 1)) {
			x->is_bad = true;
			break;
		}
		uint32_t below = b->mask & ((1u << bit) - 1);
		const struct view_info *info = &b->at[__builtin_popcount(below)];
		x->h.bytes += info->bytes;
		check_hold(x->r->c, info->body, info->bytes);
		numset_add(&x->present, c->index * CHUNK_UIDS + s);
	}
	block_unref(b);
}

static bool count_chunk(void *arg, struct span key, struct span value)
{
	struct recount *x = arg;
	uint32_t index;
	struct chunk *c;
	if (!key_index(key, &index) || chunk_read(index, value, &c) != ERR_OK) {
		x->is_bad = true;
		return true;
	}
	x->h.exists += c->n;
	x->h.unseen += c->unseen;
	x->h.deleted += c->deleted;
	if (c->modseq > x->h.modseq)
		x->h.modseq = c->modseq;
	count_info(x, c);
	chunk_unref(c);
	return true;
}

struct vanished_count {
	const struct recount *x;
	uint32_t n;
	bool is_bad;
};

static bool count_vanished(void *arg, struct span key, struct span value)
{
	struct vanished_count *v = arg;
	const struct recount *x = v->x;
	struct numset s = { 0 };
	uint64_t modseq;
	if (!key_read_vanished(key, &modseq) || vanished_read(value, &s) != ERR_OK ||
	    (s.n == 0 && v->n > 0) || modseq > x->h.modseq ||
	    numset_max(&s) >= x->h.uidnext)
		v->is_bad = true;
	numset_intersect(&s, &x->present);
	v->is_bad = v->is_bad || s.n > 0;
	numset_done(&s);
	v->n++;
	return true;
}

static bool delete_row(void *arg, struct span key, struct span value)
{
	txn_delete(arg, key);
	return true;
}

/* One row that names every UID that is not there: more than needed, never less. */
static void replace_vanished(struct recount *x)
{
	struct txn *t = x->r->change->t;
	struct key lo = key_of_mailbox(KEY_VANISHED, x->number), hi = key_after(&lo);
	struct numset gone = { 0 };
	txn_scan(t, key_span(&lo), key_span(&hi), delete_row, t);
	x->h.vanished_rows = 0;
	if (x->h.uidnext > 1)
		numset_add_range(&gone, 1, x->h.uidnext - 1);
	for (size_t i = 0; i < x->present.n; i++)
		numset_remove_range(&gone, x->present.r[i].lo, x->present.r[i].hi);
	if (gone.n > 0) {
		struct key k = key_vanished(x->number, x->h.modseq);
		txn_put(t, key_span(&k), vanished_write(t, &gone));
		x->h.vanished_rows = 1;
	}
	numset_done(&gone);
	mended(x->r, "mailbox %u: the record of what was expunged is made anew",
	       x->number);
}

static bool same_header(const struct mailbox_header *a, const struct mailbox_header *b)
{
	return a->exists == b->exists && a->unseen == b->unseen &&
	       a->deleted == b->deleted && a->bytes == b->bytes &&
	       a->modseq == b->modseq && a->uidnext == b->uidnext &&
	       a->first_recent == b->first_recent && a->vanished_rows == b->vanished_rows;
}

static enum err write_header(struct recount *x, const struct mailbox_header *old,
			     struct keywords *keywords)
{
	struct txn *t = x->r->change->t;
	struct key k = key_of_mailbox(KEY_MAILBOX, x->number);
	struct key lo = key_of_mailbox(KEY_VANISHED, x->number), hi = key_after(&lo);
	struct vanished_count v = { .x = x };
	uint32_t top = numset_max(&x->present);
	if (x->h.uidnext <= top)
		x->h.uidnext = top + 1;
	if (x->h.first_recent > x->h.uidnext)
		x->h.first_recent = x->h.uidnext;
	enum err rc = txn_scan(t, key_span(&lo), key_span(&hi), count_vanished, &v);
	if (rc != ERR_OK)
		return rc;
	x->h.vanished_rows = v.n;
	if (v.is_bad)
		replace_vanished(x);
	if (same_header(&x->h, old))
		return ERR_OK;
	mended(x->r, "mailbox %u: its header is counted anew", x->number);
	txn_put(t, key_span(&k), mailbox_header_write(&x->h, keywords, txn_arena(t)));
	return ERR_OK;
}

static enum err repair_mailbox(struct repair *r, uint32_t number)
{
	struct change *c = r->change;
	struct mailbox_header old;
	struct keywords *keywords;
	enum err rc = mailbox_header_get(c->t, number, &old, &keywords);
	if (rc == ERR_NOENT || rc == ERR_CORRUPT) {
		r->rc = ERR_CORRUPT; /* what it holds is not known: holders stay */
		return ERR_OK;
	}
	if (rc != ERR_OK)
		return rc;
	struct recount x = { .r = r, .h = old, .number = number };
	x.h.exists = x.h.unseen = x.h.deleted = 0;
	x.h.bytes = 0;
	struct key lo = key_of_mailbox(KEY_CHUNK, number), hi = key_after(&lo);
	rc = txn_scan(c->t, key_span(&lo), key_span(&hi), count_chunk, &x);
	if (rc == ERR_OK && x.is_bad)
		r->rc = ERR_CORRUPT;
	else if (rc == ERR_OK)
		rc = write_header(&x, &old, keywords);
	r->c->n_messages += x.h.exists;
	r->c->n_bytes += x.h.bytes;
	if (x.h.modseq > r->top_modseq)
		r->top_modseq = x.h.modseq;
	if (old.uidvalidity > c->h.last_uidvalidity) {
		c->h.last_uidvalidity = old.uidvalidity;
		c->is_dirty = true;
		mended(r, "its last UIDVALIDITY is raised");
	}
	keywords_unref(keywords);
	numset_done(&x.present);
	return rc;
}

/* ---- bodies ---- */

static int by_body(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct body_id));
}

static struct holder *find(const struct repair *r, struct body_id id)
{
	return r->n ? bsearch(&id, r->at, r->n, sizeof *r->at, by_body) : NULL;
}

static void gather(struct repair *r)
{
	const struct check *c = r->c;
	if (c->n_holds > 1)
		qsort(c->holds, c->n_holds, sizeof *c->holds, by_body);
	r->at = xcalloc(c->n_holds + 1, sizeof *r->at);
	for (size_t i = 0; i < c->n_holds; i++) {
		if (r->n && by_body(&r->at[r->n - 1].body, &c->holds[i].body) == 0)
			r->at[r->n - 1].n++;
		else
			r->at[r->n++] = (struct holder){ c->holds[i].body, 1 };
	}
}

static bool holders_row(void *arg, struct span key, struct span value)
{
	struct repair *r = arg;
	struct body_id id;
	const struct holder *h = key_read_body(key, &id) ? find(r, id) : NULL;
	if (!h || h->n < 2) {
		txn_delete(r->change->t, key);
		mended(r, "a count of holders that nobody needs is removed");
	}
	return true;
}

static void write_holders(struct repair *r)
{
	struct txn *t = r->change->t;
	for (size_t i = 0; i < r->n; i++) {
		struct key k = key_body(KEY_HOLDERS, r->at[i].body);
		struct span row;
		uint8_t want[5];
		struct pen w = { want };
		pen_uint(&w, 1, 1);
		pen_uint(&w, r->at[i].n, 4);
		if (r->at[i].n < 2 || (txn_get(t, key_span(&k), &row) == ERR_OK &&
				       span_eq(row, span_of(want, sizeof want))))
			continue;
		txn_put(t, key_span(&k), span_of(want, sizeof want));
		mended(r, "the holders of a body are counted anew");
	}
}

static bool drop_row(void *arg, struct span key, struct span value)
{
	struct repair *r = arg;
	struct body_id id;
	uint64_t modseq;
	if (!key_read_drop(key, &modseq, &id) || find(r, id)) {
		txn_delete(r->change->t, key);
		mended(r, "a body that is held is not dropped");
		return true;
	}
	if (modseq > r->top_modseq)
		r->top_modseq = modseq;
	if (r->drops == r->cap_drops) {
		r->cap_drops = r->cap_drops ? 2 * r->cap_drops : 64;
		r->drop = xrealloc(r->drop, r->cap_drops * sizeof id);
	}
	r->drop[r->drops++] = id;
	return true;
}

static bool kept_body(void *arg, struct body_id id)
{
	struct repair *r = arg;
	if (find(r, id) ||
	    (r->drops && bsearch(&id, r->drop, r->drops, sizeof id, by_body)))
		return true;
	body_drop(r->change->t, id);
	mended(r, "a body that no message holds is dropped");
	return true;
}

static bool summary_row(void *arg, struct span key, struct span value)
{
	struct repair *r = arg;
	struct summary s;
	struct body_id id;
	if (key_read_body(key, &id) && summary_open(value, &s) == ERR_OK)
		return true;
	txn_delete(r->change->t, key);
	mended(r, "a damaged summary is removed; it is made anew when it is wanted");
	return true;
}

static bool words_row(void *arg, struct span key, struct span value)
{
	struct repair *r = arg;
	struct body_id id;
	if (key_read_body(key, &id) &&
	    (text_index_is_sound(value) || text_index_is_old(value)))
		return true;
	txn_delete(r->change->t, key);
	mended(r, "a damaged body index is removed; it is made anew when it is wanted");
	return true;
}

static bool digest_row(void *arg, struct span key, struct span value)
{
	struct repair *r = arg;
	if (check_digest(r->change->t, key, value))
		return true;
	txn_delete(r->change->t, key);
	mended(r, "a damaged digest is removed; it is made anew when it is wanted");
	return true;
}

static enum err scan(struct repair *r, enum key_kind kind,
		     bool (*row)(void *, struct span, struct span))
{
	return check_scan(r->c, kind, 0, row, r);
}

/* ---- the account ---- */

static void repair_header(struct repair *r)
{
	struct change *c = r->change;
	struct account_header h = c->h;
	if (r->rc == ERR_OK) {
		h.messages = r->c->n_messages;
		h.bytes = r->c->n_bytes;
	}
	h.drops = r->drops;
	h.doomed = r->doomed;
	if (h.modseq < r->top_modseq)
		h.modseq = r->top_modseq;
	for (size_t i = 0; i < c->names->names.n; i++) {
		if (c->names->at[i]->node >= h.next_number)
			h.next_number = c->names->at[i]->node + 1;
		if (c->names->at[i]->mailbox >= h.next_number)
			h.next_number = c->names->at[i]->mailbox + 1;
	}
	bool is_same = h.messages == c->h.messages && h.bytes == c->h.bytes &&
		       h.drops == c->h.drops && h.doomed == c->h.doomed &&
		       h.modseq == c->h.modseq && h.next_number == c->h.next_number;
	if (is_same)
		return;
	mended(r, "its header is counted anew");
	c->h = h;
	c->is_dirty = true;
}

/* Rows of deleted mailboxes hold bodies until the sweep: the count of holders needs them.
 */
static bool doomed_chunks(void *arg, struct span key, struct span value)
{
	struct repair *r = arg;
	struct reader at = reader_of(span_sub(key, 1, key.n));
	struct recount x = { .r = r, .number = (uint32_t)read_uint(&at, 4) };
	struct key lo = key_of_mailbox(KEY_CHUNK, x.number), hi = key_after(&lo);
	r->doomed++;
	if (txn_scan(r->change->t, key_span(&lo), key_span(&hi), count_chunk, &x) !=
		ERR_OK ||
	    x.is_bad)
		r->rc = ERR_CORRUPT;
	numset_done(&x.present);
	return true;
}

static enum err repair_plan(struct store_op *o, struct change *c)
{
	struct repair_op *x = (struct repair_op *)(void *)o;
	struct repair r = { .c = &x->c, .change = c, .mended = x->mended };
	x->c.t = c->t;
	enum err rc = ERR_OK;
	for (size_t i = 0; i < c->names->names.n && rc == ERR_OK; i++)
		if (c->names->at[i]->flags & NAME_EXISTS)
			rc = repair_mailbox(&r, c->names->at[i]->mailbox);
	if (rc == ERR_OK)
		rc = scan(&r, KEY_DOOMED, doomed_chunks);
	gather(&r);
	/* with a row that cannot be read, what it holds is not known */
	if (rc == ERR_OK && r.rc == ERR_OK) {
		rc = scan(&r, KEY_HOLDERS, holders_row);
		write_holders(&r);
	}
	if (rc == ERR_OK)
		rc = scan(&r, KEY_DROP, drop_row);
	if (r.drops > 1)
		qsort(r.drop, r.drops, sizeof *r.drop, by_body);
	if (rc == ERR_OK)
		rc = scan(&r, KEY_SUMMARY, summary_row);
	if (rc == ERR_OK && r.rc == ERR_OK)
		rc = txn_bodies(c->t, kept_body, &r);
	if (rc == ERR_OK)
		rc = scan(&r, KEY_WORDS, words_row);
	if (rc == ERR_OK)
		rc = scan(&r, KEY_DIGEST, digest_row);
	if (rc == ERR_OK)
		rc = check_parts(&x->c, c->t, x->mended);
	if (rc == ERR_OK)
		repair_header(&r);
	free(r.at);
	free(r.drop);
	return rc;
}

static void repair_free(struct store_op *o)
{
	free(((struct repair_op *)(void *)o)->c.holds);
}

static void repair_done(struct op *op, void *owner)
{
	if (op->rc != ERR_OK && op->rc != ERR_NOENT && op->rc != ERR_CORRUPT)
		*(_Atomic enum err *)owner = op->rc;
}

struct walk {
	struct store *s;
	void (*said)(void *arg, const char *sentence);
	void *arg;
	uint64_t *mended;
	_Atomic enum err failed;
};

static bool one_account(void *arg, struct span name, struct account_id id)
{
	struct walk *w = arg;
	struct account *a = account_get(w->s, id);
	struct repair_op *x = op_new(
	    sizeof *x, w->s, a, (struct op_to){ w->s->workers, repair_done, &w->failed });
	x->o.is_background = true;
	x->o.plan = repair_plan;
	x->o.free_more = repair_free;
	x->c.store = w->s;
	x->c.finding = w->said;
	x->c.arg = w->arg;
	x->c.a = a;
	x->mended = w->mended;
	snprintf(x->c.name, sizeof x->c.name, "%.*s", (int)(name.n < 64 ? name.n : 64),
		 name.p);
	account_unref(a);
	store_background(w->s, 1);
	op_start(&x->o);
	store_wait_quiet(w->s); /* one at a time: `said` need not be of any thread */
	return atomic_load(&w->failed) == ERR_OK;
}

static enum err common_plan(struct engine_op *e, struct txn *t)
{
	struct repair_op *x = (struct repair_op *)(void *)e;
	return repair_common(&x->c, t, x->mended);
}

/* What accounts share, when each of them is right. */
static void repair_shared(struct walk *w)
{
	struct repair_op *x = op_new(
	    sizeof *x, w->s, NULL,
	    (struct op_to){ w->s->workers, repair_done, &w->failed });
	x->o.is_background = true;
	x->o.e.account = common_account();
	x->o.e.plan = common_plan;
	x->o.e.publish = NULL;
	x->o.e.again = NULL;
	x->o.e.abandon = NULL;
	x->o.free_more = repair_free;
	x->c.store = w->s;
	x->c.finding = w->said;
	x->c.arg = w->arg;
	x->mended = w->mended;
	store_background(w->s, 1);
	op_start(&x->o);
	store_wait_quiet(w->s);
}

enum err store_repair(struct store *s, void (*said)(void *arg, const char *sentence),
		      void *arg, uint64_t *ret_mended)
{
	struct walk w = { .s = s, .said = said, .arg = arg, .mended = ret_mended };
	*ret_mended = engine_recounted(s->engine);
	if (*ret_mended > 0 && said)
		said(arg, "What is held of the segments is counted anew.");
	enum err rc = engine_list(s->engine, SPAN_NONE, SIZE_MAX, one_account, &w);
	if (rc == ERR_OK && atomic_load(&w.failed) == ERR_OK)
		repair_shared(&w);
	return rc == ERR_OK ? atomic_load(&w.failed) : rc;
}
