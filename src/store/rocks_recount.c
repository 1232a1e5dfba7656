/* The rocks engine: counts anew what is held of each segment, for `check --repair`. */
#include "store/rocks.h"

#include <stdlib.h>

#include "store/body_row.h"
#include "store/pack.h"

struct count {
	uint32_t segment;
	uint64_t held, said;
};

struct counts {
	struct count *at; /* sorted by segment */
	size_t n, cap;
};

/* The segment's entry, made if absent. There are few: a segment has 256 MiB. */
static struct count *count_of(struct counts *c, uint32_t segment)
{
	size_t i = c->n;
	while (i > 0 && c->at[i - 1].segment >= segment)
		i--;
	if (i < c->n && c->at[i].segment == segment)
		return &c->at[i];
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 64;
		c->at = xrealloc(c->at, c->cap * sizeof c->at[0]);
	}
	memmove(&c->at[i + 1], &c->at[i], (c->n++ - i) * sizeof c->at[0]);
	c->at[i] = (struct count){ .segment = segment };
	return &c->at[i];
}

static void add_body(struct counts *c, struct span value)
{
	struct body_row row;
	if (body_row_decode(value, &row) != ERR_OK)
		return; /* store_check tells of it */
	for (uint32_t i = 0; i < row.n; i++) {
		struct piece p = body_row_piece(&row, i);
		count_of(c, p.segment)->held += record_room(p.stored);
	}
}

static void add_said(struct counts *c, struct span key, struct span value)
{
	if (key.n == 5 && key.p[0] == 'l' && value.n == 8)
		count_of(c, unpack_be32(key.p + 1))->said = unpack_le64(value.p);
}

static enum err walk(struct rocks *r, enum rocks_cf cf, struct counts *c)
{
	rocksdb_iterator_t *it = rocksdb_create_iterator_cf(r->db, r->read, r->cf[cf]);
	for (rocksdb_iter_seek_to_first(it); rocksdb_iter_valid(it);
	     rocksdb_iter_next(it)) {
		size_t kn, vn;
		const char *k = rocksdb_iter_key(it, &kn),
			   *v = rocksdb_iter_value(it, &vn);
		if (cf == CF_BODY)
			add_body(c, span_of(v, vn));
		else
			add_said(c, span_of(k, kn), span_of(v, vn));
	}
	char *error = NULL;
	rocksdb_iter_get_error(it, &error);
	rocksdb_iter_destroy(it);
	return rocks_err(error, NULL);
}

enum err rocks_recount(struct rocks *r, uint64_t *ret_wrong)
{
	struct counts c = { 0 };
	enum err rc = walk(r, CF_BODY, &c);
	if (rc == ERR_OK)
		rc = walk(r, CF_SEG, &c);
	for (size_t i = 0; i < c.n && rc == ERR_OK; i++) {
		char key[5] = { 'l' }, value[8];
		if (c.at[i].held == c.at[i].said)
			continue;
		pack_be32(key + 1, c.at[i].segment);
		pack_le64(value, c.at[i].held);
		rc = rocks_put_synced(r, CF_SEG, span_of(key, sizeof key),
				      span_of(value, sizeof value));
		++*ret_wrong;
	}
	free(c.at);
	return rc;
}
