/* The header row of a mailbox, and the table of its keywords (doc/store.md). */
#include "store/header.h"

#include <stdlib.h>

enum { VERSION = 1 };

struct keywords *keywords_ref(struct keywords *k)
{
	atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
	return k;
}

void keywords_unref(struct keywords *k)
{
	if (k && atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) == 1)
		free(k);
}

/* Room for n names of `bytes` together; `ret_text` is where they go. */
static struct keywords *keywords_alloc(size_t n, size_t bytes, char **ret_text)
{
	size_t head = sizeof(struct keywords) + n * sizeof(struct span);
	struct keywords *k = xcalloc(1, head + bytes);
	atomic_init(&k->refs, 1);
	*ret_text = (char *)k + head;
	return k;
}

static void keywords_put(struct keywords *k, struct span name, char **text)
{
	if (name.n > 0)
		memcpy(*text, name.p, name.n);
	k->at[k->n++] = span_of(*text, name.n);
	*text += name.n;
}

struct keywords *keywords_new(void)
{
	char *text;
	return keywords_alloc(0, 0, &text);
}

struct keywords *keywords_with(const struct keywords *k, struct span name)
{
	size_t bytes = name.n;
	for (size_t i = 0; i < k->n; i++)
		bytes += k->at[i].n;
	char *text;
	struct keywords *to = keywords_alloc(k->n + 1, bytes, &text);
	for (size_t i = 0; i < k->n; i++)
		keywords_put(to, k->at[i], &text);
	keywords_put(to, name, &text);
	return to;
}

int keywords_find(const struct keywords *k, struct span name)
{
	for (size_t i = 0; k && i < k->n; i++)
		if (span_ieq(k->at[i], name))
			return (int)i;
	return -1;
}

#define FIXED_BYTES 63

struct span mailbox_header_write(const struct mailbox_header *h, const struct keywords *k,
				 struct arena *a)
{
	size_t n = FIXED_BYTES;
	for (size_t i = 0; i < k->n; i++)
		n += 1 + k->at[i].n;
	uint8_t *to = arena_alloc(a, n);
	struct pen w = { to };
	pen_uint(&w, VERSION, 1);
	pen_bytes(&w, h->id, sizeof h->id);
	pen_uint(&w, h->uidvalidity, 4);
	pen_uint(&w, h->uidnext, 4);
	pen_uint(&w, h->modseq, 8);
	pen_uint(&w, h->exists, 4);
	pen_uint(&w, h->unseen, 4);
	pen_uint(&w, h->deleted, 4);
	pen_uint(&w, h->bytes, 8);
	pen_uint(&w, h->first_recent, 4);
	pen_uint(&w, h->vanished_rows, 4);
	pen_uint(&w, (uint64_t)h->made, 8);
	pen_uint(&w, k->n, 2);
	for (size_t i = 0; i < k->n; i++) {
		pen_uint(&w, k->at[i].n, 1);
		pen_bytes(&w, k->at[i].p, k->at[i].n);
	}
	return span_of(to, n);
}

static enum err keywords_read(struct reader *r, struct keywords **ret)
{
	size_t n = (size_t)read_uint(r, 2);
	if (n > STORE_KEYWORDS)
		return ERR_CORRUPT;
	char *text;
	struct keywords *k = keywords_alloc(n, r->bad ? 0 : (size_t)(r->end - r->p),
					    &text);
	for (size_t i = 0; i < n; i++) {
		struct span name = read_span(r, (size_t)read_uint(r, 1));
		if (name.n == 0)
			r->bad = true;
		keywords_put(k, name, &text);
	}
	if (!reader_ok(r)) {
		free(k);
		return ERR_CORRUPT;
	}
	*ret = k;
	return ERR_OK;
}

enum err mailbox_header_read(struct span row, struct mailbox_header *ret,
			     struct keywords **ret_keywords)
{
	struct reader r = reader_of(row);
	uint64_t version = read_uint(&r, 1);
	struct mailbox_header h;
	read_bytes(&r, h.id, sizeof h.id);
	h.uidvalidity = (uint32_t)read_uint(&r, 4);
	h.uidnext = (uint32_t)read_uint(&r, 4);
	h.modseq = read_uint(&r, 8);
	h.exists = (uint32_t)read_uint(&r, 4);
	h.unseen = (uint32_t)read_uint(&r, 4);
	h.deleted = (uint32_t)read_uint(&r, 4);
	h.bytes = read_uint(&r, 8);
	h.first_recent = (uint32_t)read_uint(&r, 4);
	h.vanished_rows = (uint32_t)read_uint(&r, 4);
	h.made = (int64_t)read_uint(&r, 8);
	if (r.bad || version != VERSION || h.uidvalidity == 0 || h.uidnext == 0 ||
	    h.modseq == 0 || h.unseen > h.exists || h.deleted > h.exists)
		return ERR_CORRUPT;
	enum err rc = keywords_read(&r, ret_keywords);
	if (rc == ERR_OK)
		*ret = h;
	return rc;
}
