/* Previews (RFC 8970): the text of a part as one short line. */
#include "mail/preview.h"

#include "mail/charset.h"
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

/* Seen by nobody: soft hyphen, joiners, marks of direction, fillers of newsletters. */
static bool is_invisible(uint32_t c)
{
	return c == 0xad || c == 0x34f || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
	       c == 0xfeff;
}

static bool is_space(uint32_t c)
{
	return c <= ' ' || (c >= 0x7f && c <= 0xa0) || (c >= 0x2000 && c <= 0x200a) ||
	       c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x3000;
}

static void line_put(struct line *l, uint32_t c)
{
	if (l->is_full || is_invisible(c))
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

static const struct {
	char name[8];
	uint16_t c;
} entities[] = {
	{ "amp", '&' },	      { "lt", '<' },	   { "gt", '>' },
	{ "quot", '"' },      { "apos", '\'' },	   { "nbsp", ' ' },
	{ "shy", 0xad },      { "copy", 0xa9 },	   { "reg", 0xae },
	{ "auml", 0xe4 },     { "ouml", 0xf6 },	   { "uuml", 0xfc },
	{ "Auml", 0xc4 },     { "Ouml", 0xd6 },	   { "Uuml", 0xdc },
	{ "szlig", 0xdf },    { "eacute", 0xe9 },  { "egrave", 0xe8 },
	{ "agrave", 0xe0 },   { "ccedil", 0xe7 },  { "ndash", 0x2013 },
	{ "mdash", 0x2014 },  { "lsquo", 0x2018 }, { "rsquo", 0x2019 },
	{ "ldquo", 0x201c },  { "rdquo", 0x201d }, { "bull", 0x2022 },
	{ "hellip", 0x2026 }, { "euro", 0x20ac },  { "trade", 0x2122 },
	{ "zwnj", 0x200c },   { "zwj", 0x200d },   { "middot", 0xb7 },
	{ "laquo", 0xab },    { "raquo", 0xbb },
};

static uint32_t numeric(struct span digits)
{
	unsigned base = 10;
	uint32_t c = 0;

	if (digits.n && (digits.p[0] | 0x20) == 'x') {
		base = 16;
		digits = span_sub(digits, 1, digits.n);
	}
	for (size_t i = 0; i < digits.n; i++) {
		char d = digits.p[i], low = (char)(d | 0x20);
		unsigned v = d >= '0' && d <= '9'	? (unsigned)(d - '0')
			     : low >= 'a' && low <= 'f' ? (unsigned)(low - 'a') + 10
							: 16;

		if (v >= base || c > 0x10ffff)
			return 0;
		c = c * base + v;
	}
	return c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : c;
}

/* "&name;" or "&#123;" at the front: taken, and its character; 0: it is none. */
static uint32_t entity(struct span *s)
{
	ptrdiff_t end = span_find(span_sub(*s, 0, 12), ';');
	struct span name = span_sub(*s, 1, end > 1 ? (size_t)end - 1 : 0);
	uint32_t c = 0;

	if (end < 2)
		return 0;
	if (name.p[0] == '#')
		c = numeric(span_sub(name, 1, name.n));
	for (size_t i = 0; !c && i < sizeof entities / sizeof *entities; i++)
		if (span_eq(name, span_str(entities[i].name)))
			c = entities[i].c;
	if (c)
		*s = span_sub(*s, (size_t)end + 1, s->n);
	return c;
}

/* Past the first `end` (any case); past everything when there is none. */
static void skip_past(struct span *s, struct span end)
{
	while (s->n && !span_istarts(*s, end))
		*s = span_sub(*s, 1, s->n);
	*s = span_sub(*s, end.n, s->n);
}

/* Elements whose content is nothing to read, and such as do not part words. */
static const struct {
	char open[12], close[12];
} silent[] = {
	{ "<script", "</script" }, { "<style", "</style" }, { "<head", "</head" },
	{ "<title", "</title" },   { "<xml", "</xml" },
};
static const char inside[][10] = { "a",	   "b",	   "i",	    "u",   "em",  "strong",
				   "span", "font", "small", "big", "sub", "sup" };

static bool is_inside_word(struct span tag)
{
	size_t n = 0;

	if (tag.n && tag.p[0] == '/')
		tag = span_sub(tag, 1, tag.n);
	while (n < tag.n && ((tag.p[n] | 0x20) >= 'a' && (tag.p[n] | 0x20) <= 'z'))
		n++;
	for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
		if (span_ieq(span_sub(tag, 0, n), span_str(inside[i])))
			return true;
	return false;
}

/* Quotes may hide a ">". */
static void skip_tag(struct span *s)
{
	char quote = 0;
	size_t i = 1;

	for (; i < s->n && (quote || s->p[i] != '>'); i++) {
		if (quote)
			quote = s->p[i] == quote ? 0 : quote;
		else if (s->p[i] == '"' || s->p[i] == '\'')
			quote = s->p[i];
	}
	*s = span_sub(*s, i + 1, s->n);
}

static void markup(struct span *s, struct line *l)
{
	if (span_starts(*s, SPAN("<!--"))) {
		skip_past(s, SPAN("-->"));
		return;
	}
	for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
		struct span open = span_str(silent[i].open);
		char next = s->n > open.n ? s->p[open.n] : '>';

		if (!span_istarts(*s, open) || !memchr(" >\t\r\n", next, 5))
			continue;
		skip_past(s, span_str(silent[i].close));
		skip_past(s, SPAN(">"));
		return;
	}
	if (!is_inside_word(span_sub(*s, 1, 20)))
		line_put(l, ' ');
	skip_tag(s);
}

static bool is_markup(struct span s)
{
	char c = s.n > 1 ? s.p[1] : 0;

	return c == '!' || c == '/' || c == '?' ||
	       ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static void html(struct span text, struct line *l)
{
	while (text.n && !l->is_full) {
		uint32_t c;

		if (text.p[0] == '<' && is_markup(text)) {
			markup(&text, l);
			continue;
		}
		if (text.p[0] == '&' && (c = entity(&text))) {
			line_put(l, c);
			continue;
		}
		line_put(l, take(&text));
	}
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
