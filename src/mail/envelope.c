/* ENVELOPE from a header block (RFC 9051 section 7.5.2, RFC 5322 section 3.6). */
#include "mail/envelope.h"

#include "mail/address.h"
#include "mail/header.h"
#include "mail/imapstr.h"

/* How much of it is shown; 0 is without limit. */
struct limits {
	size_t string_bytes, addresses;
};

enum { DATE, SUBJECT, IN_REPLY_TO, MESSAGE_ID, N_STRINGS };
enum { FROM, SENDER, REPLY_TO, TO, CC, BCC, N_LISTS };

struct envelope {
	struct span strings[N_STRINGS]; /* p == NULL: absent */
	struct address_list lists[N_LISTS];
	bool has_list[N_LISTS];
};

static const struct span string_names[N_STRINGS] = {
	SPAN_INIT("Date"),
	SPAN_INIT("Subject"),
	SPAN_INIT("In-Reply-To"),
	SPAN_INIT("Message-ID"),
};
static const struct span list_names[N_LISTS] = {
	SPAN_INIT("From"), SPAN_INIT("Sender"), SPAN_INIT("Reply-To"),
	SPAN_INIT("To"),   SPAN_INIT("Cc"),	SPAN_INIT("Bcc"),
};

static struct span unfolded(struct arena *a, struct span value)
{
	struct buf flat = { 0 };
	struct span s;

	header_unfold(value, &flat);
	s = arena_dup(a, buf_span(&flat));
	buf_done(&flat);
	return s;
}

/*
 * Of fields that occur twice the first counts; destination fields are put
 * together (RFC 5322 section 4.5.3).
 */
static void read_field(struct arena *a, const struct header_field *f, struct envelope *e)
{
	for (int i = 0; i < N_STRINGS; i++) {
		if (span_ieq(f->name, string_names[i]) && !e->strings[i].p)
			e->strings[i] = unfolded(a, f->value);
	}
	for (int i = 0; i < N_LISTS; i++) {
		if (!span_ieq(f->name, list_names[i]) || (e->has_list[i] && i < TO))
			continue;
		address_parse(a, f->value, &e->lists[i]);
		e->has_list[i] = e->lists[i].n > 0;
	}
}

static void put_nstring(struct buf *out, struct span s, const struct limits *l)
{
	if (s.p && l->string_bytes > 0)
		s = span_sub(s, 0, l->string_bytes);
	imapstr_put_nstring(out, s);
}

static void put_address(struct buf *out, const struct address *a, const struct limits *l)
{
	buf_putc(out, '(');
	put_nstring(out, a->name, l);
	buf_putc(out, ' ');
	put_nstring(out, a->route, l);
	buf_putc(out, ' ');
	put_nstring(out, a->mailbox, l);
	buf_putc(out, ' ');
	put_nstring(out, a->host, l);
	buf_putc(out, ')');
}

static void put_list(struct buf *out, const struct address_list *list,
		     const struct limits *l)
{
	static const struct address group_end = { .kind = ADDRESS_GROUP_END };
	size_t n = l->addresses > 0 && l->addresses < list->n ? l->addresses : list->n;
	bool is_in_group = false;

	if (n == 0) {
		buf_puts(out, "NIL");
		return;
	}
	buf_putc(out, '(');
	for (size_t i = 0; i < n; i++) {
		if (list->v[i].kind != ADDRESS_MAILBOX)
			is_in_group = list->v[i].kind == ADDRESS_GROUP;
		put_address(out, &list->v[i], l);
	}
	if (is_in_group) /* cut within a group */
		put_address(out, &group_end, l);
	buf_putc(out, ')');
}

static void put(const struct envelope *e, const struct limits *l, struct buf *out)
{
	buf_putc(out, '(');
	put_nstring(out, e->strings[DATE], l);
	buf_putc(out, ' ');
	put_nstring(out, e->strings[SUBJECT], l);
	for (int i = 0; i < N_LISTS; i++) {
		bool is_from = (i == SENDER || i == REPLY_TO) && e->lists[i].n == 0;

		buf_putc(out, ' ');
		put_list(out, &e->lists[is_from ? FROM : i], l);
	}
	buf_putc(out, ' ');
	put_nstring(out, e->strings[IN_REPLY_TO], l);
	buf_putc(out, ' ');
	put_nstring(out, e->strings[MESSAGE_ID], l);
	buf_putc(out, ')');
}

void envelope_put(struct span block, size_t max, struct buf *out)
{
	struct arena *a = arena_new(NULL);
	struct envelope e = { 0 };
	struct limits l = { 0 };
	struct header_field f;
	size_t start = out->n;

	for (struct header_iter it = header_iter(block); header_next(&it, &f);)
		read_field(a, &f, &e);
	put(&e, &l, out);
	if (out->n - start > max) {
		buf_truncate(out, start);
		l = (struct limits){ .string_bytes = 900, .addresses = 20 };
		put(&e, &l, out);
	}
	if (out->n - start > max) {
		buf_truncate(out, start);
		buf_puts(out, ENVELOPE_EMPTY);
	}
	arena_free(a);
}
