/* Previews (RFC 8970): the text of a part as one short line. */
#include "mail/preview.h"

#include "mail/charset.h"
#include "mail/html.h"
#include "mail/utf8.h"

static bool is_text(const struct summary_part *p, struct span subtype)
{
	return p->kind == PART_LEAF && span_eq(p->type, SPAN("TEXT")) &&
	       span_eq(p->subtype, subtype) && p->coding != CODING_UNKNOWN &&
	       p->body_end > p->body_start;
}

bool preview_part(const struct summary *s, struct summary_part *ret_part)
{
	struct summary_part p;
	bool has_html = false;

	for (uint32_t i = 0; i < s->n_parts; i++) {
		summary_part_get(s, i, &p);
		if (is_text(&p, SPAN("PLAIN"))) {
			*ret_part = p;
			return true;
		}
		if (!has_html && is_text(&p, SPAN("HTML"))) {
			*ret_part = p;
			has_html = true;
		}
	}
	return has_html;
}

/* ---- the line under way ---- */

struct line {
	struct buf *out;
	size_t chars;
	bool wants_space, is_full;
};

static bool is_space(uint32_t c)
{
	return c <= ' ' || (c >= 0x7f && c <= 0xa0) || (c >= 0x2000 && c <= 0x200a) ||
	       c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x3000;
}

static void line_put(struct line *l, uint32_t c)
{
	if (l->is_full || html_is_invisible(c))
		return;
	if (is_space(c)) {
		l->wants_space = l->chars > 0;
		return;
	}
	if (l->chars + l->wants_space >= PREVIEW_CHARS) {
		l->is_full = true;
		return;
	}
	if (l->wants_space)
		buf_putc(l->out, ' ');
	l->chars += 1 + l->wants_space;
	l->wants_space = false;
	utf8_put(l->out, c);
}

/* Bytes that are no UTF-8 were replaced before. */
static uint32_t take(struct span *s)
{
	uint32_t c = ' ';
	int n = utf8_take(*s, &c);

	*s = span_sub(*s, n > 0 ? (size_t)n : 1, s->n);
	return c;
}

static void line_text(struct line *l, struct span text)
{
	while (text.n && !l->is_full)
		line_put(l, take(&text));
}

/* ---- plain text ---- */

static struct span next_line(struct span *rest)
{
	ptrdiff_t end = span_find(*rest, '\n');
	size_t n = end < 0 ? rest->n : (size_t)end + 1;
	struct span line = span_sub(*rest, 0, n);

	*rest = span_sub(*rest, n, rest->n);
	return line;
}

static bool is_rule(struct span line)
{
	line = span_trim(line);
	for (size_t i = 0; i < line.n; i++)
		if (!memchr("-_=*#~", line.p[i], 6))
			return false;
	return true;
}

static void plain(struct span text, bool with_quotes, struct line *l)
{
	while (text.n && !l->is_full) {
		struct span line = next_line(&text), bare = span_trim(line);

		/* RFC 3676 section 4.3: the signature */
		if (span_eq(bare, SPAN("--")) && span_starts(line, SPAN("-- ")))
			return;
		if (span_eq(bare, SPAN("-----BEGIN PGP MESSAGE-----")))
			return;
		if (is_rule(bare) || (!with_quotes && bare.n && bare.p[0] == '>'))
			continue;
		line_text(l, line);
		line_put(l, ' ');
	}
}

/* ---- HTML ---- */

static void html(struct span text, struct line *l)
{
	struct buf seen = { 0 };
	struct html h;

	html_begin(&h);
	html_feed(&h, text, &seen);
	html_finish(&h, &seen);
	line_text(l, buf_span(&seen));
	buf_done(&seen);
}

/* What is cut off in the middle of a character is no damage of the message. */
static void to_utf8(const struct summary_part *part, struct span decoded, bool is_cut,
		    struct buf *to)
{
	struct charset *c = NULL;

	if (part->charset.n)
		c = charset_new(part->charset);
	if (!c)
		c = charset_new(SPAN("utf-8"));
	if (!c)
		return;
	charset_feed(c, decoded, to);
	if (!is_cut)
		charset_finish(c, to);
	charset_free(c);
}

void preview_make(const struct summary_part *part, struct span body, struct buf *out)
{
	bool is_cut = body.n < part->body_end - part->body_start;
	struct line l = { .out = out };
	struct buf decoded = { 0 }, text = { 0 };
	struct decoder d;

	if (decoder_init(&d, part->coding, false) != ERR_OK)
		return;
	decoder_feed(&d, span_sub(body, 0, PREVIEW_READ), &decoded);
	if (!is_cut)
		decoder_finish(&d, &decoded);
	decoder_done(&d);
	to_utf8(part, buf_span(&decoded), is_cut, &text);
	if (span_eq(part->subtype, SPAN("HTML"))) {
		html(buf_span(&text), &l);
	} else {
		plain(buf_span(&text), false, &l);
		if (l.chars == 0)
			plain(buf_span(&text), true, &l);
	}
	buf_done(&decoded);
	buf_done(&text);
}
