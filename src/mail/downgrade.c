/* Header blocks for clients without UTF-8 (RFC 6858 section 2). */
#include "mail/charset.h"
#include "mail/downgrade_name.h"
#include "mail/header.h"
#include "mail/mime.h"
#include "mail/utf8.h"
#include "mail/words.h"

enum { PASSES_MAX = 8 };

#define FOLD "\r\n "

static bool is_ascii(struct span s)
{
	return utf8_ascii_bytes(s) == s.n;
}

bool downgraded_is_needed(const struct address *a)
{
	return !is_ascii(a->route) || !is_ascii(a->mailbox) || !is_ascii(a->host);
}

void downgraded_name(const struct address *a, struct buf *out)
{
	if (a->name.n > 0) {
		words_decode(a->name, out);
		buf_puts(out, " <");
	}
	buf_put(out, a->mailbox);
	if (a->host.n > 0) {
		buf_putc(out, '@');
		buf_put(out, a->host);
	}
	if (a->name.n > 0)
		buf_putc(out, '>');
}

static bool is_one_of(struct span name, const struct span *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_ieq(name, list[i]))
			return true;
	return false;
}

static bool is_address_field(struct span name)
{
	static const struct span names[] = {
		SPAN_INIT("Bcc"),	  SPAN_INIT("Cc"),
		SPAN_INIT("From"),	  SPAN_INIT("Reply-To"),
		SPAN_INIT("Resent-Bcc"),  SPAN_INIT("Resent-Cc"),
		SPAN_INIT("Resent-From"), SPAN_INIT("Resent-Sender"),
		SPAN_INIT("Resent-To"),	  SPAN_INIT("Return-Path"),
		SPAN_INIT("Sender"),	  SPAN_INIT("To"),
	};

	return is_one_of(name, names, sizeof names / sizeof *names);
}

static void put_quoted(struct buf *out, struct span s)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, s.p[i]);
	}
	buf_putc(out, '"');
}

static bool is_run_of(struct span s, bool (*is)(char), const char *others)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is(s.p[i]) && !(others && strchr(others, s.p[i])))
			return false;
	return s.n > 0;
}

static void put_phrase(struct buf *out, struct span name)
{
	struct buf text = { 0 };

	if (is_ascii(name) && is_run_of(name, lex_is_atext, " ")) {
		buf_put(out, name); /* an encoded word, maybe */
		return;
	}
	if (is_ascii(name)) {
		put_quoted(out, name);
		return;
	}
	words_decode(name, &text);
	words_encode(buf_span(&text), FOLD, out);
	buf_done(&text);
}

static void put_addr_spec(struct buf *out, const struct address *a)
{
	if (a->route.n > 0) {
		buf_put(out, a->route);
		buf_putc(out, ':');
	}
	if (is_run_of(a->mailbox, lex_is_atext, "."))
		buf_put(out, a->mailbox);
	else
		put_quoted(out, a->mailbox);
	if (a->host.n > 0) {
		buf_putc(out, '@');
		buf_put(out, a->host);
	}
}

/* A name that tells what was there, an address that is nobody's. */
static void put_unmailable(struct buf *out, const struct address *a)
{
	struct buf shown = { 0 };

	downgraded_name(a, &shown);
	words_encode(buf_span(&shown), FOLD, out);
	buf_puts(out, FOLD "<" DOWNGRADED_MAILBOX "@" DOWNGRADED_HOST ">");
	buf_done(&shown);
}

static void put_mailbox(struct buf *out, const struct address *a)
{
	if (downgraded_is_needed(a)) {
		put_unmailable(out, a);
		return;
	}
	if (a->name.n > 0) {
		put_phrase(out, a->name);
		buf_puts(out, is_ascii(a->name) ? " " : FOLD);
	}
	buf_putc(out, '<');
	put_addr_spec(out, a);
	buf_putc(out, '>');
}

static void put_addresses(struct buf *out, const struct header_field *f)
{
	struct arena *a = arena_new(NULL);
	struct address_list list = { 0 };
	bool is_first = true;

	address_parse(a, f->value, &list);
	if (list.n > 0) {
		buf_put(out, f->name);
		buf_puts(out, ": ");
	}
	for (size_t i = 0; i < list.n; i++) {
		const struct address *v = &list.v[i];

		if (!is_first && v->kind != ADDRESS_GROUP_END)
			buf_puts(out, "," FOLD);
		is_first = v->kind == ADDRESS_GROUP;
		if (v->kind == ADDRESS_GROUP_END) {
			buf_putc(out, ';');
		} else if (v->kind == ADDRESS_GROUP) {
			put_phrase(out, v->mailbox);
			buf_puts(out, ":" FOLD);
		} else {
			put_mailbox(out, v);
		}
	}
	if (list.n > 0)
		buf_puts(out, "\r\n");
	arena_free(a);
}

static void put_subject(struct buf *out, const struct header_field *f)
{
	struct buf text = { 0 };

	words_decode(f->value, &text);
	buf_put(out, f->name);
	buf_puts(out, ": ");
	words_encode(buf_span(&text), FOLD, out);
	buf_puts(out, "\r\n");
	buf_done(&text);
}

/* Without the parameters that ASCII cannot write (section 2.2). */
static void put_mime(struct buf *out, const struct header_field *f, bool is_type)
{
	struct arena *a = arena_new(NULL);
	struct mime_value v = { 0 };
	bool is_good = is_type ? mime_content_type(a, f->value, &v)
			       : mime_disposition(a, f->value, &v);

	if (is_good && is_ascii(v.type) && is_ascii(v.subtype)) {
		buf_put(out, f->name);
		buf_puts(out, ": ");
		buf_put(out, v.type);
		if (is_type) {
			buf_putc(out, '/');
			buf_put(out, v.subtype);
		}
		for (size_t i = 0; i < v.n_params; i++) {
			const struct mime_param *p = &v.params[i];

			if (!is_ascii(p->name) || !is_ascii(p->value))
				continue;
			buf_puts(out, ";" FOLD);
			buf_put(out, p->name);
			buf_putc(out, '=');
			if (is_run_of(p->value, lex_is_token, NULL))
				buf_put(out, p->value);
			else
				put_quoted(out, p->value);
		}
		buf_puts(out, "\r\n");
	}
	arena_free(a);
}

/* One in UTF-8; what is none of these is left out (section 2.4). */
static void put_field(struct buf *out, const struct header_field *f)
{
	if (!is_ascii(f->name))
		return;
	if (is_address_field(f->name))
		put_addresses(out, f);
	else if (span_ieq(f->name, SPAN("Subject")))
		put_subject(out, f);
	else if (span_ieq(f->name, SPAN("Content-Type")))
		put_mime(out, f, true);
	else if (span_ieq(f->name, SPAN("Content-Disposition")))
		put_mime(out, f, false);
}

static bool pass(struct span block, struct buf *out)
{
	const char *at, *end;
	struct header_field f;
	bool is_needed = false;

	if (is_ascii(block))
		return false;
	at = block.p;
	end = at + block.n;
	for (struct header_iter it = header_iter(block); header_next(&it, &f);)
		is_needed |= !is_ascii(f.whole) && utf8_is_valid(f.whole);
	if (!is_needed)
		return false;
	for (struct header_iter it = header_iter(block); header_next(&it, &f);) {
		/* lines before it that are no field */
		buf_put(out, span_of(at, (size_t)(f.whole.p - at)));
		at = f.whole.p + f.whole.n;
		if (is_ascii(f.whole) || !utf8_is_valid(f.whole))
			buf_put(out, f.whole);
		else
			put_field(out, &f);
	}
	buf_put(out, span_of(at, (size_t)(end - at)));
	return true;
}

/* Where a field was taken out, lines that were none may become one with what is before
 * them: the result is looked at again, until it is as it should be. */
bool downgrade_header(struct span block, struct buf *out)
{
	struct buf one = { 0 }, two = { 0 };
	bool is_done = pass(block, &one);

	for (int i = 0; is_done && i < PASSES_MAX && pass(buf_span(&one), &two); i++) {
		buf_done(&one);
		one = two;
		two = (struct buf){ 0 };
	}
	if (is_done)
		buf_put(out, buf_span(&one));
	buf_done(&one);
	buf_done(&two);
	return is_done;
}
