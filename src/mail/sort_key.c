/* Sort keys (RFC 5256 section 3, RFC 5957). */
#include "mail/sort_key.h"

#include "mail/address.h"
#include "mail/header.h"
#include "mail/subject.h"
#include "mail/words.h"

static void invert(struct buf *key, size_t from)
{
	for (size_t i = from; i < key->n; i++)
		key->p[i] = (char)~key->p[i];
}

void sort_key_number(struct buf *key, int64_t n, bool reverse)
{
	uint64_t v = (uint64_t)n ^ UINT64_C(1) << 63; /* below zero comes first */
	char b[8];

	if (reverse)
		v = ~v;
	for (int i = 8; i-- > 0; v >>= 8)
		b[i] = (char)v;
	buf_put(key, span_of(b, 8));
}

/* NULs would end the text early. Rare: each becomes NUL FF. */
static void escape(struct buf *key, size_t from)
{
	struct buf plain = { 0 };

	buf_put(&plain, span_sub(buf_span(key), from, key->n));
	buf_truncate(key, from);
	for (size_t i = 0; i < plain.n; i++) {
		buf_putc(key, plain.p[i]);
		if (plain.p[i] == 0)
			buf_putc(key, (char)0xff);
	}
	buf_done(&plain);
}

/* Two NULs end the text: the shorter of two comes first. */
void sort_key_text(struct buf *key, const struct comparator *c, struct span utf8,
		   bool reverse)
{
	size_t start = key->n;

	comparator_key(c, utf8, key);
	key->p[start]++; /* says whether it is UTF-8: not by a NUL here */
	if (memchr(key->p + start, 0, key->n - start))
		escape(key, start);
	buf_put(key, span_of("\0", 2));
	if (reverse)
		invert(key, start);
}

void sort_text_subject(struct span block, struct buf *out)
{
	struct header_field f;

	if (header_find(block, SPAN("Subject"), &f))
		subject_base(f.value, out);
}

/* As the envelope has it: all fields of the name are one list. */
static const struct address *first_address(struct arena *a, struct span block,
					   struct span name)
{
	struct address_list list = { 0 };
	struct header_field f;

	for (struct header_iter it = header_iter(block); header_next(&it, &f);) {
		if (!span_ieq(f.name, name))
			continue;
		address_parse(a, f.value, &list);
		if (list.n > 0)
			return &list.v[0];
	}
	return NULL;
}

void sort_text_mailbox(struct arena *a, struct span block, struct span name,
		       struct buf *out)
{
	const struct address *first = first_address(a, block, name);

	if (first)
		buf_put(out, first->mailbox);
}

void sort_text_display(struct arena *a, struct span block, struct span name,
		       struct buf *out)
{
	const struct address *first = first_address(a, block, name);
	size_t start = out->n;

	if (!first)
		return;
	words_decode(first->name, out);
	if (out->n > start)
		return;
	buf_put(out, first->mailbox);
	if (first->mailbox.p && first->host.p) {
		buf_putc(out, '@');
		buf_put(out, first->host);
	}
}
