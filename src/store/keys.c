/* Keys and the small records of an account's rows (doc/store.md). */
#include "store/keys.h"

enum { VERSION = 1 };

static void put_uint(struct key *k, uint64_t v, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0;)
		k->b[k->n++] = (uint8_t)(v >> (8 * i));
}

static void put_bytes(struct key *k, const void *p, size_t n)
{
	if (n > 0)
		memcpy(k->b + k->n, p, n);
	k->n += n;
}

static struct key key_begin(enum key_kind kind)
{
	struct key k;
	k.n = 1;
	k.b[0] = (uint8_t)kind;
	return k;
}

struct key key_account(void)
{
	return key_begin(KEY_ACCOUNT);
}

struct key key_of_mailbox(enum key_kind kind, uint32_t mailbox)
{
	struct key k = key_begin(kind);
	put_uint(&k, mailbox, 4);
	return k;
}

struct key key_in_mailbox(enum key_kind kind, uint32_t mailbox, uint32_t index)
{
	struct key k = key_of_mailbox(kind, mailbox);
	put_uint(&k, index, 4);
	return k;
}

struct key key_vanished(uint32_t mailbox, uint64_t modseq)
{
	struct key k = key_of_mailbox(KEY_VANISHED, mailbox);
	put_uint(&k, modseq, 8);
	return k;
}

struct key key_body(enum key_kind kind, struct body_id body)
{
	struct key k = key_begin(kind);
	put_bytes(&k, body.b, sizeof body.b);
	return k;
}

struct key key_digest(uint32_t mailbox, unsigned column, uint32_t chunk)
{
	struct key k = key_of_mailbox(KEY_DIGEST, mailbox);
	put_uint(&k, column, 1);
	put_uint(&k, chunk, 4);
	return k;
}

struct key key_drop(uint64_t modseq, struct body_id body)
{
	struct key k = key_begin(KEY_DROP);
	put_uint(&k, modseq, 8);
	put_bytes(&k, body.b, sizeof body.b);
	return k;
}

struct span key_name(struct arena *a, uint32_t parent, struct span name)
{
	struct key k = key_of_mailbox(KEY_NAME, parent);
	char *to = arena_alloc(a, k.n + name.n);
	memcpy(to, k.b, k.n);
	if (name.n > 0)
		memcpy(to + k.n, name.p, name.n);
	return span_of(to, k.n + name.n);
}

struct key key_after(const struct key *prefix)
{
	struct key k = *prefix;
	while (k.n > 1 && k.b[k.n - 1] == 0xff)
		k.n--;
	k.b[k.n - 1]++;
	return k;
}

struct key key_kind_end(enum key_kind kind)
{
	struct key k = key_begin(kind);
	k.b[0]++;
	return k;
}

bool key_index(struct span key, uint32_t *ret_index)
{
	if (key.n != 9)
		return false;
	struct reader r = reader_of(span_sub(key, 5, 4));
	*ret_index = (uint32_t)read_uint(&r, 4);
	return true;
}

bool key_read_digest(struct span key, uint32_t *ret_mailbox, unsigned *ret_column,
		     uint32_t *ret_chunk)
{
	struct reader r = reader_of(span_sub(key, 1, key.n));
	*ret_mailbox = (uint32_t)read_uint(&r, 4);
	*ret_column = (unsigned)read_uint(&r, 1);
	*ret_chunk = (uint32_t)read_uint(&r, 4);
	return reader_ok(&r);
}

bool key_read_name(struct span key, uint32_t *ret_parent, struct span *ret_name)
{
	if (key.n < 6)
		return false;
	struct reader r = reader_of(span_sub(key, 1, 4));
	*ret_parent = (uint32_t)read_uint(&r, 4);
	*ret_name = span_sub(key, 5, key.n);
	return true;
}

bool key_read_drop(struct span key, uint64_t *ret_modseq, struct body_id *ret_body)
{
	struct reader r = reader_of(span_sub(key, 1, key.n));
	*ret_modseq = read_uint(&r, 8);
	read_bytes(&r, ret_body->b, sizeof ret_body->b);
	return reader_ok(&r);
}

bool key_read_vanished(struct span key, uint64_t *ret_modseq)
{
	struct reader r = reader_of(span_sub(key, 5, key.n));
	*ret_modseq = read_uint(&r, 8);
	return reader_ok(&r);
}

bool key_read_body(struct span key, struct body_id *ret_body)
{
	struct reader r = reader_of(span_sub(key, 1, key.n));
	read_bytes(&r, ret_body->b, sizeof ret_body->b);
	return reader_ok(&r);
}

void pen_uint(struct pen *w, uint64_t v, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0;)
		*w->p++ = (uint8_t)(v >> (8 * i));
}

void pen_bytes(struct pen *w, const void *p, size_t n)
{
	if (n > 0)
		memcpy(w->p, p, n);
	w->p += n;
}

struct reader reader_of(struct span s)
{
	const uint8_t *p = (const uint8_t *)s.p;
	return (struct reader){ .p = p, .end = s.n ? p + s.n : p };
}

static bool has(struct reader *r, size_t n)
{
	if (r->bad || (size_t)(r->end - r->p) < n)
		r->bad = true;
	return !r->bad;
}

uint64_t read_uint(struct reader *r, unsigned bytes)
{
	uint64_t v = 0;
	if (!has(r, bytes))
		return 0;
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | *r->p++;
	return v;
}

int64_t read_int48(struct reader *r)
{
	uint64_t v = read_uint(r, 6);
	if (v & (uint64_t)1 << 47)
		v |= (uint64_t)0xffff << 48;
	return (int64_t)v;
}

void read_bytes(struct reader *r, void *to, size_t n)
{
	if (!has(r, n)) {
		memset(to, 0, n);
		return;
	}
	memcpy(to, r->p, n);
	r->p += n;
}

struct span read_span(struct reader *r, size_t n)
{
	if (!has(r, n))
		return SPAN_NONE;
	struct span s = span_of(r->p, n);
	r->p += n;
	return s;
}

bool reader_ok(const struct reader *r)
{
	return !r->bad && r->p == r->end;
}

struct span account_header_write(const struct account_header *h,
				 uint8_t to[ACCOUNT_HEADER_BYTES])
{
	struct pen w = { to };
	pen_uint(&w, VERSION, 1);
	pen_uint(&w, h->modseq, 8);
	pen_uint(&w, h->next_number, 4);
	pen_uint(&w, h->last_uidvalidity, 4);
	pen_uint(&w, h->bytes, 8);
	pen_uint(&w, h->messages, 8);
	pen_uint(&w, h->drops, 8);
	pen_uint(&w, h->doomed, 4);
	pen_uint(&w, (uint64_t)h->made, 8);
	return span_of(to, ACCOUNT_HEADER_BYTES);
}

enum err account_header_read(struct span s, struct account_header *ret)
{
	struct reader r = reader_of(s);
	uint64_t version = read_uint(&r, 1);
	struct account_header h;
	h.modseq = read_uint(&r, 8);
	h.next_number = (uint32_t)read_uint(&r, 4);
	h.last_uidvalidity = (uint32_t)read_uint(&r, 4);
	h.bytes = read_uint(&r, 8);
	h.messages = read_uint(&r, 8);
	h.drops = read_uint(&r, 8);
	h.doomed = (uint32_t)read_uint(&r, 4);
	h.made = (int64_t)read_uint(&r, 8);
	if (!reader_ok(&r) || version != VERSION || h.next_number == 0 || h.modseq == 0)
		return ERR_CORRUPT;
	*ret = h;
	return ERR_OK;
}

struct span name_record_write(const struct name_record *n, uint8_t to[NAME_RECORD_BYTES])
{
	struct pen w = { to };
	pen_uint(&w, VERSION, 1);
	pen_uint(&w, n->node, 4);
	pen_uint(&w, n->mailbox, 4);
	pen_uint(&w, n->is_subscribed, 1);
	pen_uint(&w, n->special_use, 2);
	pen_bytes(&w, n->id, sizeof n->id);
	return span_of(to, NAME_RECORD_BYTES);
}

enum err name_record_read(struct span s, struct name_record *ret)
{
	struct reader r = reader_of(s);
	uint64_t version = read_uint(&r, 1);
	struct name_record n;
	n.node = (uint32_t)read_uint(&r, 4);
	n.mailbox = (uint32_t)read_uint(&r, 4);
	uint64_t subscribed = read_uint(&r, 1);
	n.is_subscribed = subscribed == 1;
	n.special_use = (unsigned)read_uint(&r, 2);
	read_bytes(&r, n.id, sizeof n.id);
	if (!reader_ok(&r) || version != VERSION || subscribed > 1 || n.node == 0)
		return ERR_CORRUPT;
	*ret = n;
	return ERR_OK;
}
