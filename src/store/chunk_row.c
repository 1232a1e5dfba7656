/* Chunks, blocks and overflow keywords as rows (doc/store.md). */
#include <stdlib.h>

#include "store/chunk.h"

enum { VERSION = 1 };
/* A record of a block names its email and thread ids only when they are not the body's.
 */
enum { HAS_EMAIL_ID = 1, HAS_THREAD_ID = 2 };

struct span chunk_write(const struct chunk *c, uint8_t to[CHUNK_ROW_MAX])
{
	struct pen w = { to };
	pen_uint(&w, c->modseq, 8);
	pen_uint(&w, VERSION, 1);
	for (unsigned i = 0; i < 4; i++)
		pen_uint(&w, c->mask[i], 8);
	for (uint32_t i = 0; i < c->n; i++) {
		pen_uint(&w, c->at[i].flags, 8);
		pen_uint(&w, c->at[i].modseq, 6);
	}
	return span_of(to, (size_t)(w.p - to));
}

enum err chunk_read(uint32_t index, struct span row, struct chunk **ret)
{
	struct reader r = reader_of(row);
	uint64_t modseq = read_uint(&r, 8);
	uint64_t version = read_uint(&r, 1);
	uint64_t mask[4];
	for (unsigned i = 0; i < 4; i++)
		mask[i] = read_uint(&r, 8);
	uint32_t n = mask_count(mask);
	if (r.bad || version != VERSION || n == 0 || row.n != 41 + (size_t)n * 14 ||
	    index >= UINT32_MAX / CHUNK_UIDS + 1 || (index == 0 && mask_has(mask, 0)))
		return ERR_CORRUPT;
	struct chunk *c = xcalloc(1, sizeof *c + n * sizeof c->at[0]);
	atomic_init(&c->refs, 1);
	c->index = index;
	memcpy(c->mask, mask, sizeof mask);
	for (; c->n < n; c->n++) {
		struct chunk_msg *m = &c->at[c->n];
		m->flags = read_uint(&r, 8);
		m->modseq = read_uint(&r, 6);
		c->unseen += !(m->flags & FLAG_SEEN);
		c->deleted += !!(m->flags & FLAG_DELETED);
		if (c->modseq < m->modseq)
			c->modseq = m->modseq;
	}
	if (c->modseq != modseq) {
		chunk_unref(c);
		return ERR_CORRUPT;
	}
	*ret = c;
	return ERR_OK;
}

static bool id_eq(const void *a, const void *b)
{
	return memcmp(a, b, 16) == 0;
}

struct span block_write(const struct block *b, uint8_t to[BLOCK_ROW_MAX])
{
	struct pen w = { to };
	pen_uint(&w, VERSION, 1);
	pen_uint(&w, b->mask, 4);
	unsigned n = (unsigned)__builtin_popcount(b->mask);
	for (unsigned i = 0; i < n; i++) {
		const struct view_info *v = &b->at[i];
		bool email = !id_eq(v->email_id, v->body.b);
		bool thread = !id_eq(v->thread_id, v->email_id);
		pen_uint(&w, (email ? HAS_EMAIL_ID : 0) | (thread ? HAS_THREAD_ID : 0),
			 1);
		pen_uint(&w, v->bytes, 6);
		pen_uint(&w, (uint64_t)v->internal_date, 6);
		pen_uint(&w, (uint64_t)v->save_date, 6);
		pen_uint(&w, (uint16_t)v->zone_min, 2);
		pen_bytes(&w, v->body.b, 16);
		if (email)
			pen_bytes(&w, v->email_id, 16);
		if (thread)
			pen_bytes(&w, v->thread_id, 16);
	}
	return span_of(to, (size_t)(w.p - to));
}

static void info_read(struct reader *r, struct view_info *v)
{
	uint64_t has = read_uint(r, 1);
	if (has > (HAS_EMAIL_ID | HAS_THREAD_ID))
		r->bad = true;
	v->bytes = read_uint(r, 6);
	v->internal_date = read_int48(r);
	v->save_date = read_int48(r);
	v->zone_min = (int16_t)(uint16_t)read_uint(r, 2);
	read_bytes(r, v->body.b, 16);
	memcpy(v->email_id, v->body.b, 16);
	if (has & HAS_EMAIL_ID)
		read_bytes(r, v->email_id, 16);
	memcpy(v->thread_id, v->email_id, 16);
	if (has & HAS_THREAD_ID)
		read_bytes(r, v->thread_id, 16);
}

enum err block_read(struct span row, struct block **ret)
{
	struct reader r = reader_of(row);
	uint64_t version = read_uint(&r, 1);
	uint32_t mask = (uint32_t)read_uint(&r, 4);
	if (r.bad || version != VERSION || mask == 0)
		return ERR_CORRUPT;
	unsigned n = (unsigned)__builtin_popcount(mask);
	struct block *b = xcalloc(1, sizeof *b + n * sizeof b->at[0]);
	atomic_init(&b->refs, 1);
	b->mask = mask;
	for (unsigned i = 0; i < n; i++)
		info_read(&r, &b->at[i]);
	if (!reader_ok(&r)) {
		free(b);
		return ERR_CORRUPT;
	}
	*ret = b;
	return ERR_OK;
}

struct span overflow_write(const struct overflow *o, struct arena *a)
{
	size_t n = 1 + o->n * 3;
	uint8_t *to = arena_alloc(a, n);
	struct pen w = { to };
	pen_uint(&w, VERSION, 1);
	for (size_t i = 0; i < o->n; i++) {
		pen_uint(&w, o->at[i] >> 16, 1);
		pen_uint(&w, o->at[i] & 0xffff, 2);
	}
	return span_of(to, n);
}

enum err overflow_read(struct span row, struct overflow **ret)
{
	struct reader r = reader_of(row);
	uint64_t version = read_uint(&r, 1);
	if (version != VERSION || row.n < 4 || (row.n - 1) % 3 != 0 ||
	    (row.n - 1) / 3 > (size_t)CHUNK_UIDS * STORE_KEYWORDS)
		return ERR_CORRUPT;
	size_t n = (row.n - 1) / 3;
	struct overflow *o = xcalloc(1, sizeof *o + n * sizeof o->at[0]);
	atomic_init(&o->refs, 1);
	for (; o->n < n; o->n++) {
		uint32_t slot = (uint32_t)read_uint(&r, 1);
		uint32_t keyword = (uint32_t)read_uint(&r, 2);
		o->at[o->n] = slot << 16 | keyword;
		bool ascends = o->n == 0 || o->at[o->n - 1] < o->at[o->n];
		if (!ascends || keyword < STORE_KEYWORDS_FLAGS ||
		    keyword >= STORE_KEYWORDS) {
			free(o);
			return ERR_CORRUPT;
		}
	}
	*ret = o;
	return ERR_OK;
}
