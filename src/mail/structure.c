/* BODY and BODYSTRUCTURE (RFC 9051 section 7.5.2, RFC 2045, RFC 2183). */
#include "base/arena.h"
#include "mail/header.h"
#include "mail/imapstr.h"
#include "mail/mime.h"
#include "mail/scan.h"
#include "mail/words.h"

#define NAME_MAX_BYTES 127 /* of a type or subtype (RFC 6838 section 4.2) */

/* The MIME fields of one header block; p == NULL: absent. */
struct fields {
	struct span type, coding, id, description, md5, disposition, language, location;
};

static void read_fields(struct span block, struct fields *f)
{
	const struct {
		struct span name;
		struct span *to;
	} wanted[] = {
		{ SPAN("Content-Type"), &f->type },
		{ SPAN("Content-Transfer-Encoding"), &f->coding },
		{ SPAN("Content-ID"), &f->id },
		{ SPAN("Content-Description"), &f->description },
		{ SPAN("Content-MD5"), &f->md5 },
		{ SPAN("Content-Disposition"), &f->disposition },
		{ SPAN("Content-Language"), &f->language },
		{ SPAN("Content-Location"), &f->location },
	};
	struct header_field h;

	for (struct header_iter it = header_iter(block); header_next(&it, &h);) {
		if (!span_istarts(h.name, SPAN("Content-")))
			continue;
		for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
			if (span_ieq(h.name, wanted[i].name) && !wanted[i].to->p)
				*wanted[i].to = h.value;
		}
	}
}

/* Closes a stretch of `wire` that began at `start`, unless it breaks the budget. */
static struct stretch close_stretch(struct scan *s, size_t start)
{
	if (s->wire.n > SUMMARY_WIRE_MAX) {
		buf_truncate(&s->wire, start);
		return (struct stretch){ 0 };
	}
	return (struct stretch){ (uint32_t)start, (uint32_t)(s->wire.n - start) };
}

static void put_params(struct buf *out, struct arena *a, const struct mime_value *in,
		       bool has_default_charset)
{
	const struct mime_value joined = mime_join_sections(a, in), *v = &joined;

	if (v->n_params == 0 && !has_default_charset) {
		buf_puts(out, "NIL");
		return;
	}
	buf_putc(out, '(');
	for (size_t i = 0; i < v->n_params; i++) {
		if (i > 0)
			buf_putc(out, ' ');
		imapstr_put_upper(out, v->params[i].name);
		buf_putc(out, ' ');
		imapstr_put(out, v->params[i].value);
	}
	if (has_default_charset)
		buf_puts(out, v->n_params > 0 ? " \"CHARSET\" \"US-ASCII\""
					      : "\"CHARSET\" \"US-ASCII\"");
	buf_putc(out, ')');
}

static void put_unfolded(struct buf *out, struct span value)
{
	struct buf flat = { 0 };

	if (!value.p) {
		buf_puts(out, "NIL");
		return;
	}
	header_unfold(value, &flat);
	imapstr_put(out, buf_span(&flat));
	buf_done(&flat);
}

static void read_basics(struct scan *s, struct arena *a, struct scan_part *p,
			const struct fields *f)
{
	struct buf *out = &s->wire;
	size_t start = out->n;
	struct span coding = mime_token(a, f->coding);

	p->coding = coding_of(coding);
	put_unfolded(out, f->id);
	buf_putc(out, ' ');
	put_unfolded(out, f->description);
	buf_putc(out, ' ');
	/* the default, RFC 2045 section 6.1 */
	imapstr_put_upper(out, coding.n > 0 ? coding : SPAN("7BIT"));
	p->basics = close_stretch(s, start);
}

static void put_languages(struct buf *out, struct arena *a, struct span value)
{
	struct span *tags;
	size_t n = mime_languages(a, value, &tags);

	if (n == 0) {
		buf_puts(out, "NIL");
		return;
	}
	if (n > 1)
		buf_putc(out, '(');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(out, ' ');
		imapstr_put(out, tags[i]);
	}
	if (n > 1)
		buf_putc(out, ')');
}

/* A URI may be folded anywhere; its space means nothing (RFC 2557 section 4.4.1). */
static void put_location(struct buf *out, struct span value)
{
	struct buf uri = { 0 };

	if (!value.p) {
		buf_puts(out, "NIL");
		return;
	}
	for (size_t i = 0; i < value.n; i++) {
		if (!lex_is_wsp(value.p[i]))
			buf_putc(&uri, value.p[i]);
	}
	imapstr_put(out, buf_span(&uri));
	buf_done(&uri);
}

static void read_extras(struct scan *s, struct arena *a, struct scan_part *p,
			const struct fields *f)
{
	struct buf *out = &s->wire;
	size_t start = out->n;
	struct span md5 = mime_token(a, f->md5);
	struct mime_value v;

	if (md5.n > 0)
		imapstr_put(out, md5);
	p->md5 = close_stretch(s, start);

	start = out->n;
	if (mime_disposition(a, f->disposition, &v)) {
		buf_putc(out, '(');
		imapstr_put_upper(out, v.type);
		buf_putc(out, ' ');
		put_params(out, a, &v, false);
		buf_putc(out, ')');
	} else {
		buf_puts(out, "NIL");
	}
	buf_putc(out, ' ');
	put_languages(out, a, f->language);
	buf_putc(out, ' ');
	put_location(out, f->location);
	p->extras = close_stretch(s, start);
}

struct stretch scan_name(struct scan *s, struct span name)
{
	struct stretch st = { (uint32_t)s->names.n, (uint32_t)name.n };

	buf_put(&s->names, name);
	return st;
}

static struct stretch upper_name(struct scan *s, struct span name)
{
	struct stretch st = scan_name(s, name);
	char *p = s->names.p + s->names.off + st.off;

	for (size_t i = 0; i < st.n; i++)
		p[i] = (char)(p[i] >= 'a' && p[i] <= 'z' ? p[i] - 32 : p[i]);
	return st;
}

static void set_type(struct scan *s, struct scan_part *p, struct span type,
		     struct span subtype)
{
	p->type = upper_name(s, type);
	p->subtype = upper_name(s, subtype);
}

/*
 * The boundary of a multipart; 0 bytes when there is none that can be used. White
 * space at its end is no part of it (RFC 2046 section 5.1.1).
 */
static size_t read_boundary(const struct mime_value *v, char *ret_boundary)
{
	const struct mime_param *p = mime_param_find(v, SPAN("boundary"));
	struct buf text = { 0 };
	size_t n;

	if (p)
		buf_put(&text, p->value);
	else
		words_param(v->params, v->n_params, SPAN("boundary"), &text);
	n = text.n;
	while (n > 0 && lex_is_wsp(buf_span(&text).p[n - 1]))
		n--;
	if (n > SUMMARY_MAX_BOUNDARY)
		n = 0;
	if (n > 0)
		memcpy(ret_boundary, buf_span(&text).p, n);
	buf_done(&text);
	return n;
}

static void read_charset(struct scan *s, struct scan_part *p, const struct mime_value *v)
{
	struct buf text = { 0 };

	words_param(v->params, v->n_params, SPAN("charset"), &text);
	p->charset = scan_name(s,
			       span_sub(span_trim(buf_span(&text)), 0, NAME_MAX_BYTES));
	buf_done(&text);
}

static bool is_message(const struct mime_value *v)
{
	return span_ieq(v->type, SPAN("message")) &&
	       (span_ieq(v->subtype, SPAN("rfc822")) ||
		span_ieq(v->subtype, SPAN("global")));
}

/* The type; where it is absent or makes no sense, the default (RFC 2045 section 5.2). */
static size_t read_type(struct scan *s, struct arena *a, struct scan_part *p,
			const struct fields *f, bool is_digest, bool may_nest,
			char *ret_boundary)
{
	const struct mime_value text = { .type = SPAN("text"), .subtype = SPAN("plain") };
	const struct mime_value message = { .type = SPAN("message"),
					    .subtype = SPAN("rfc822") };
	struct mime_value v;
	size_t boundary_bytes = 0, start = s->wire.n;
	bool is_multipart;

	if (!mime_content_type(a, f->type, &v) || v.type.n > NAME_MAX_BYTES ||
	    v.subtype.n > NAME_MAX_BYTES)
		v = is_digest && !f->type.p ? message : text;
	is_multipart = span_ieq(v.type, SPAN("multipart"));
	if (is_multipart) {
		boundary_bytes = read_boundary(&v, ret_boundary);
		if (boundary_bytes == 0) {
			is_multipart = false;
			v = text;
		}
	}
	if ((is_multipart || is_message(&v)) && !may_nest)
		v = (struct mime_value){ .type = SPAN("application"),
					 .subtype = SPAN("octet-stream") };
	else if (is_multipart)
		p->kind = PART_MULTIPART;
	else if (is_message(&v))
		p->kind = PART_MESSAGE;
	set_type(s, p, v.type, v.subtype);
	read_charset(s, p, &v);
	/* of the text types plain alone has this default (RFC 6657) */
	put_params(&s->wire, a, &v,
		   span_ieq(v.type, SPAN("text")) && span_ieq(v.subtype, SPAN("plain")) &&
		       p->charset.n == 0);
	p->params = close_stretch(s, start);
	return p->kind == PART_MULTIPART ? boundary_bytes : 0;
}

size_t structure_read(struct scan *s, uint32_t i, struct span block, bool is_digest,
		      bool may_nest, char *ret_boundary)
{
	struct arena *a = arena_new(NULL);
	struct fields f = { 0 };
	struct scan_part *p = &s->parts[i];
	size_t boundary_bytes;

	read_fields(block, &f);
	boundary_bytes = read_type(s, a, p, &f, is_digest, may_nest, ret_boundary);
	read_basics(s, a, p, &f);
	read_extras(s, a, p, &f);
	arena_free(a);
	return boundary_bytes;
}

void structure_make_text(struct scan *s, uint32_t i)
{
	struct scan_part *p = &s->parts[i];
	size_t start = s->wire.n;

	p->kind = PART_LEAF;
	set_type(s, p, SPAN("text"), SPAN("plain"));
	p->charset = scan_name(s, SPAN(""));
	buf_puts(&s->wire, "(\"CHARSET\" \"US-ASCII\")");
	p->params = close_stretch(s, start);
}

/* What was kept, or `absent` when nothing was. */
static void put_kept(const struct scan *s, struct stretch st, const char *absent,
		     struct buf *out)
{
	buf_putc(out, ' ');
	if (st.n > 0)
		buf_put(out, stretch_span(st, &s->wire));
	else
		buf_puts(out, absent);
}

static bool is_global(const struct scan *s, const struct scan_part *p)
{
	return p->kind == PART_MESSAGE &&
	       span_eq(stretch_span(p->subtype, &s->names), SPAN("GLOBAL"));
}

bool structure_has_global(const struct scan *s)
{
	for (uint32_t i = 0; i < s->n_parts; i++) {
		if (is_global(s, &s->parts[i]))
			return true;
	}
	return false;
}

static void put_multipart(const struct scan *s, uint32_t i, struct structure_form form,
			  struct buf *out)
{
	const struct scan_part *p = &s->parts[i];

	for (uint32_t c = i + 1; c < p->end; c = s->parts[c].end)
		structure_put(s, c, form, out);
	buf_putc(out, ' ');
	imapstr_put(out, stretch_span(p->subtype, &s->names));
	if (form.is_extended) {
		put_kept(s, p->params, "NIL", out);
		put_kept(s, p->extras, "NIL NIL NIL", out);
	}
}

static void put_number(struct buf *out, uint64_t v)
{
	buf_putc(out, ' ');
	buf_put_u64(out, v);
}

static void put_one(const struct scan *s, uint32_t i, struct structure_form form,
		    struct buf *out)
{
	const struct scan_part *p = &s->parts[i];
	struct span type = stretch_span(p->type, &s->names);

	imapstr_put(out, type);
	buf_putc(out, ' ');
	imapstr_put(out, stretch_span(p->subtype, &s->names));
	put_kept(s, p->params, "NIL", out);
	put_kept(s, p->basics, "NIL NIL \"7BIT\"", out);
	put_number(out, p->body_end - p->body_start);
	if (p->kind == PART_MESSAGE && !(form.is_rev1 && is_global(s, p))) {
		put_kept(s, p->envelope, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)",
			 out);
		buf_putc(out, ' ');
		structure_put(s, i + 1, form, out);
		put_number(out, p->body_lines);
	} else if (span_eq(type, SPAN("TEXT"))) {
		put_number(out, p->body_lines);
	}
	if (form.is_extended) {
		put_kept(s, p->md5, "NIL", out);
		put_kept(s, p->extras, "NIL NIL NIL", out);
	}
}

/* Recursion ends at SUMMARY_MAX_DEPTH, which the scanner keeps. */
void structure_put(const struct scan *s, uint32_t i, struct structure_form form,
		   struct buf *out)
{
	buf_putc(out, '(');
	if (s->parts[i].kind == PART_MULTIPART)
		put_multipart(s, i, form, out);
	else
		put_one(s, i, form, out);
	buf_putc(out, ')');
}
