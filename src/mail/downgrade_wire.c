/*
 * ENVELOPE, BODY and BODYSTRUCTURE for clients without UTF-8 (RFC 6858). They are read
 * back from the wire form that the summary holds: strings beyond ASCII are literals there
 * (mail/imapstr.h), and all others go out as they stand.
 */
#include "base/arena.h"
#include "mail/charset.h"
#include "mail/downgrade_name.h"
#include "mail/imapstr.h"
#include "mail/utf8.h"
#include "mail/words.h"

enum { DEPTH_MAX = 1000 }; /* a body nests in lists less than three deep a level */

enum kind { LIST, STRING, WORD /* NIL, a number */ };

struct node {
	enum kind kind;
	bool is_utf8;	  /* STRING: beyond ASCII, and UTF-8 */
	struct span wire; /* as it stands */
	struct span text; /* of a literal; of a quoted string with its escapes */
	struct node *child, *next;
};

struct reader {
	struct arena *arena;
	struct span in;
	bool is_bad;
};

static struct node *read_node(struct reader *r, int depth);

static struct node *bad(struct reader *r)
{
	r->is_bad = true;
	return NULL;
}

static void take(struct reader *r, struct node *n, size_t bytes)
{
	n->wire = span_sub(r->in, 0, bytes);
	r->in = span_sub(r->in, bytes, r->in.n);
}

static struct node *read_quoted(struct reader *r, struct node *n)
{
	size_t i = 1;

	while (i < r->in.n && r->in.p[i] != '"')
		i += r->in.p[i] == '\\' ? 2 : 1;
	if (i >= r->in.n)
		return bad(r);
	n->kind = STRING;
	n->text = span_sub(r->in, 1, i - 1);
	take(r, n, i + 1);
	return n;
}

static struct node *read_literal(struct reader *r, struct node *n)
{
	ptrdiff_t close = span_find(r->in, '}');
	uint64_t bytes;
	size_t head;

	if (close < 0 ||
	    !span_u64(span_sub(r->in, 1, (size_t)close - 1), r->in.n, &bytes))
		return bad(r);
	head = (size_t)close + 3; /* "}" CRLF */
	if (head + bytes > r->in.n)
		return bad(r);
	n->kind = STRING;
	n->text = span_sub(r->in, head, (size_t)bytes);
	n->is_utf8 = utf8_ascii_bytes(n->text) < n->text.n && utf8_is_valid(n->text);
	take(r, n, head + (size_t)bytes);
	return n;
}

static struct node *read_list(struct reader *r, struct node *n, int depth)
{
	struct node **end = &n->child;
	struct span from = r->in;

	n->kind = LIST;
	r->in = span_sub(r->in, 1, r->in.n);
	while (!r->is_bad && r->in.n > 0 && r->in.p[0] != ')') {
		if (r->in.p[0] == ' ')
			r->in = span_sub(r->in, 1, r->in.n);
		*end = read_node(r, depth + 1);
		if (*end)
			end = &(*end)->next;
	}
	if (r->is_bad || r->in.n == 0)
		return bad(r);
	r->in = span_sub(r->in, 1, r->in.n);
	n->wire = span_sub(from, 0, from.n - r->in.n);
	return n;
}

static struct node *read_node(struct reader *r, int depth)
{
	struct node *n = ARENA_NEW(r->arena, struct node);
	size_t i = 0;

	if (r->in.n == 0 || depth > DEPTH_MAX)
		return bad(r);
	switch (r->in.p[0]) {
	case '"': return read_quoted(r, n);
	case '{': return read_literal(r, n);
	case '(': return read_list(r, n, depth);
	default: break;
	}
	while (i < r->in.n && r->in.p[i] != ' ' && r->in.p[i] != ')' && r->in.p[i] != '(')
		i++;
	if (i == 0)
		return bad(r);
	n->kind = WORD;
	take(r, n, i);
	return n;
}

/* ---- and out again ---- */

static void sp(struct buf *out, bool *is_first)
{
	if (!*is_first)
		buf_putc(out, ' ');
	*is_first = false;
}

/* Where NIL may stand. */
static void put_nstring(struct buf *out, const struct node *n)
{
	if (n->is_utf8)
		buf_puts(out, "NIL");
	else
		buf_put(out, n->wire);
}

/* Where it may not: "?" for each byte that ASCII has not. */
static void put_string(struct buf *out, const struct node *n)
{
	struct buf text = { 0 };

	if (!n->is_utf8) {
		buf_put(out, n->wire);
		return;
	}
	for (size_t i = 0; i < n->text.n; i++)
		buf_putc(&text, n->text.p[i] & 0x80 ? '?' : n->text.p[i]);
	imapstr_put(out, buf_span(&text));
	buf_done(&text);
}

static void put_words(struct buf *out, struct span utf8)
{
	struct buf plain = { 0 }, encoded = { 0 };

	words_decode(utf8, &plain);
	words_encode(buf_span(&plain), " ", &encoded);
	imapstr_put(out, buf_span(&encoded));
	buf_done(&plain);
	buf_done(&encoded);
}

static void put_text(struct buf *out, const struct node *n)
{
	if (n->is_utf8)
		put_words(out, n->text);
	else
		buf_put(out, n->wire);
}

static const struct node *at(const struct node *list, size_t i)
{
	const struct node *n = list->child;

	for (; n && i > 0; i--)
		n = n->next;
	return n;
}

static struct span text_or_none(const struct node *n)
{
	return n->kind == STRING ? n->text : SPAN_NONE;
}

/* (name route mailbox host) */
static void put_address(struct buf *out, const struct node *n)
{
	const struct node *name = at(n, 0), *route = at(n, 1), *mailbox = at(n, 2),
			  *host = at(n, 3);
	struct buf shown = { 0 };

	if (n->kind != LIST || !host) {
		buf_put(out, n->wire);
		return;
	}
	if (host->kind == STRING &&
	    (route->is_utf8 || mailbox->is_utf8 || host->is_utf8)) {
		struct address a = { .name = text_or_none(name),
				     .mailbox = text_or_none(mailbox),
				     .host = text_or_none(host) };

		downgraded_name(&a, &shown);
		buf_putc(out, '(');
		put_words(out, buf_span(&shown));
		buf_puts(out, " NIL \"" DOWNGRADED_MAILBOX "\" \"" DOWNGRADED_HOST "\")");
		buf_done(&shown);
		return;
	}
	buf_putc(out, '(');
	put_text(out, name);
	buf_putc(out, ' ');
	buf_put(out, route->wire);
	buf_putc(out, ' ');
	put_text(out, mailbox); /* of a group: its name */
	buf_putc(out, ' ');
	buf_put(out, host->wire);
	buf_putc(out, ')');
}

static void put_envelope(struct buf *out, const struct node *n)
{
	bool is_first = true;
	size_t i = 0;

	if (n->kind != LIST) {
		buf_put(out, n->wire);
		return;
	}
	buf_putc(out, '(');
	for (const struct node *c = n->child; c; c = c->next, i++) {
		sp(out, &is_first);
		if (c->kind == LIST) {
			buf_putc(out, '(');
			for (const struct node *a = c->child; a; a = a->next)
				put_address(out, a);
			buf_putc(out, ')');
		} else if (i == 1) {
			put_text(out, c);
		} else {
			put_nstring(out, c);
		}
	}
	buf_putc(out, ')');
}

/* Names and values by turns; pairs that cannot be shown are left out (section 2.2). */
static void put_params(struct buf *out, const struct node *n)
{
	bool is_first = true;
	size_t start = out->n;

	if (n->kind != LIST) {
		put_nstring(out, n);
		return;
	}
	buf_putc(out, '(');
	for (const struct node *c = n->child; c && c->next; c = c->next->next) {
		if (c->is_utf8 || c->next->is_utf8)
			continue;
		sp(out, &is_first);
		buf_put(out, c->wire);
		buf_putc(out, ' ');
		buf_put(out, c->next->wire);
	}
	buf_putc(out, ')');
	if (is_first) {
		buf_truncate(out, start);
		buf_puts(out, "NIL");
	}
}

/* MD5, disposition with its parameters, languages, location. */
static void put_extra(struct buf *out, const struct node *n)
{
	const struct node *second = at(n, 1);
	bool is_first = true;

	if (n->kind != LIST) {
		put_nstring(out, n);
		return;
	}
	buf_putc(out, '(');
	for (const struct node *c = n->child; c; c = c->next) {
		sp(out, &is_first);
		if (c == second && c->kind == LIST)
			put_params(out, c);
		else
			put_string(out, c);
	}
	buf_putc(out, ')');
}

static void put_body(struct buf *out, const struct node *n);

/* type subtype params id description encoding octets ...; a message's envelope and body
 * stand at 7 and 8 */
static void put_part(struct buf *out, const struct node *n)
{
	bool is_first = true, is_message;
	size_t i = 0;

	is_message = at(n, 8) && at(n, 7)->kind == LIST && at(n, 8)->kind == LIST &&
		     span_eq(at(n, 0)->text, SPAN("MESSAGE"));
	for (const struct node *c = n->child; c; c = c->next, i++) {
		sp(out, &is_first);
		if (i == 2)
			put_params(out, c);
		else if (is_message && i == 7)
			put_envelope(out, c);
		else if (is_message && i == 8)
			put_body(out, c);
		else if (i < 2 || i == 5)
			put_string(out, c);
		else
			put_extra(out, c);
	}
}

/* bodies, subtype, params, disposition ... */
static void put_multipart(struct buf *out, const struct node *n)
{
	const struct node *c = n->child, *subtype;

	for (; c && c->kind == LIST; c = c->next)
		put_body(out, c);
	subtype = c;
	for (; c; c = c->next) {
		buf_putc(out, ' ');
		if (c == subtype)
			put_string(out, c);
		else if (c == subtype->next)
			put_params(out, c);
		else
			put_extra(out, c);
	}
}

/* Nests no deeper than what was read. */
static void put_body(struct buf *out, const struct node *n)
{
	if (n->kind != LIST || !n->child) {
		buf_put(out, n->wire);
		return;
	}
	buf_putc(out, '(');
	if (n->child->kind == LIST)
		put_multipart(out, n);
	else
		put_part(out, n);
	buf_putc(out, ')');
}

static bool downgrade(struct span wire, struct buf *out,
		      void (*put)(struct buf *, const struct node *))
{
	struct reader r = { .in = wire };
	const struct node *n;

	if (utf8_ascii_bytes(wire) == wire.n)
		return false;
	r.arena = arena_new(NULL);
	n = read_node(&r, 0);
	if (!r.is_bad && r.in.n == 0)
		put(out, n);
	arena_free(r.arena);
	return !r.is_bad && r.in.n == 0;
}

bool downgrade_envelope(struct span wire, struct buf *out)
{
	return downgrade(wire, out, put_envelope);
}

bool downgrade_structure(struct span wire, struct buf *out)
{
	return downgrade(wire, out, put_body);
}
