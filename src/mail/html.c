/* HTML as its reader sees it, in pieces: a machine of one byte after the other. */
#include "mail/html.h"

#include "mail/utf8.h"

enum { QUOTED_MAX = 16384 }; /* a quote that was never closed hides no more than this */

/* Elements whose content is nothing to read, and such as do not part words. */
static const char silent[][8] = { "script", "style", "title", "xml" };
static const char inside[][8] = { "a",	  "abbr",   "b",  "bdi",   "bdo",  "big", "cite",
				  "code", "del",    "em", "font",  "i",	   "ins", "mark",
				  "nobr", "q",	    "s",  "small", "span", "sub", "sup",
				  "tt",	  "strong", "u",  "wbr" };

void html_begin(struct html *h)
{
	*h = (struct html){ .is_spaced = true };
}

/* ---- what is seen ---- */

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void put_space(struct html *h, struct buf *out)
{
	if (!h->is_spaced)
		buf_putc(out, ' ');
	h->is_spaced = true;
}

static void put(struct html *h, struct span text, struct buf *out)
{
	buf_put(out, text);
	if (text.n)
		h->is_spaced = false;
}

bool html_is_invisible(uint32_t c)
{
	return c == 0xad || c == 0x34f || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
	       c == 0xfeff;
}

static void put_character(struct html *h, uint32_t c, struct buf *out)
{
	if (html_is_invisible(c))
		return;
	if (c == 0xa0 || (c <= ' ' && is_space((char)c))) {
		put_space(h, out);
		return;
	}
	utf8_put(out, c);
	h->is_spaced = false;
}

/* ---- what is held ---- */

static void hold(struct html *h, char c)
{
	if (h->n_held < sizeof h->held)
		h->held[h->n_held++] = c;
}

static struct span held(const struct html *h)
{
	return span_of(h->held, h->n_held);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool is_letter(char c)
{
	return lower(c) >= 'a' && lower(c) <= 'z';
}

/* ---- tags ---- */

static bool is_one_of(struct span name, const char (*list)[8], size_t n, unsigned *ret_at)
{
	for (size_t i = 0; i < n; i++)
		if (span_ieq(name, span_str(list[i]))) {
			*ret_at = (unsigned)i + 1;
			return true;
		}
	return false;
}

#define IS_ONE_OF(name, list, ret)                                                       \
	is_one_of(name, list, sizeof(list) / sizeof(list)[0], ret)

/* "<name", "</name": letters and digits. */
static struct span name_of(struct span tag, bool *ret_is_end)
{
	size_t n = 0;

	*ret_is_end = tag.n && tag.p[0] == '/';
	tag = span_sub(tag, *ret_is_end, tag.n);
	while (n < tag.n && (is_letter(tag.p[n]) || (tag.p[n] >= '0' && tag.p[n] <= '9')))
		n++;
	return span_sub(tag, 0, n);
}

static void tag_end(struct html *h, struct buf *out)
{
	bool is_end;
	struct span name = name_of(held(h), &is_end);
	unsigned at = 0;

	h->silent = 0;
	if (!IS_ONE_OF(name, inside, &at))
		put_space(h, out);
	if (!is_end && IS_ONE_OF(name, silent, &at))
		h->silent = at;
	h->state = h->silent ? HTML_SILENT : HTML_TEXT;
	h->n_held = 0;
}

/* Quotes hide a ">", but only where a value may stand. */
static void in_tag(struct html *h, char c, struct buf *out)
{
	if (h->quote) {
		if (c == h->quote || ++h->n_quoted > QUOTED_MAX)
			h->quote = 0;
		return;
	}
	if (c == '>') {
		tag_end(h, out);
		return;
	}
	if (h->is_value && (c == '"' || c == '\'')) {
		h->quote = c;
		h->n_quoted = 0;
	}
	if (!is_space(c))
		h->is_value = c == '=';
	hold(h, c);
	if (span_eq(held(h), SPAN("!--"))) {
		h->state = HTML_COMMENT;
		h->dashes = 2; /* "<!-->" is a whole one */
	}
}

static void in_comment(struct html *h, char c)
{
	if (c == '>' && h->dashes >= 2) {
		h->state = HTML_TEXT;
		h->n_held = 0;
	}
	h->dashes = c == '-' ? h->dashes + (h->dashes < 2) : 0;
}

/* Up to "</name"; what follows that is a tag. */
static void in_silent(struct html *h, char c)
{
	struct span name = span_str(silent[h->silent - 1]);

	if (h->n_held == 0 || c == '<') {
		h->n_held = 0;
		if (c == '<')
			hold(h, c);
	} else if (lower(c) == (h->n_held == 1 ? '/' : name.p[h->n_held - 2])) {
		hold(h, c);
		if (h->n_held == name.n + 2) {
			memmove(h->held, h->held + 1, --h->n_held);
			h->state = HTML_TAG;
			h->quote = 0;
			h->is_value = false;
		}
	} else {
		h->n_held = 0;
	}
}

/* ---- references ---- */

static void reference_end(struct html *h, bool has_end, struct buf *out)
{
	uint32_t c = has_end ? html_reference(span_sub(held(h), 1, h->n_held)) : 0;

	if (c) {
		put_character(h, c, out);
	} else {
		put(h, held(h), out);
		if (has_end)
			put(h, SPAN(";"), out);
	}
	h->state = HTML_TEXT;
	h->n_held = 0;
}

/* False: the byte is none of a reference, and still to be looked at. */
static bool in_reference(struct html *h, char c, struct buf *out)
{
	bool is_part = is_letter(c) || (c >= '0' && c <= '9') || c == '#';

	if (is_part && h->n_held < sizeof h->held) {
		hold(h, c);
		return true;
	}
	reference_end(h, c == ';', out);
	return c == ';';
}

/* ---- text ---- */

static bool in_open(struct html *h, char c, struct buf *out)
{
	if (c == '!' || c == '/' || c == '?' || is_letter(c)) {
		h->state = HTML_TAG;
		h->n_held = 0;
		h->quote = 0;
		h->is_value = false;
		hold(h, c);
		return true;
	}
	put(h, SPAN("<"), out);
	h->state = HTML_TEXT;
	return false;
}

static bool is_plain(char c)
{
	return c != '<' && c != '&' && !is_space(c);
}

/* As many bytes as can be told from the front alone; their number. */
static size_t in_text(struct html *h, struct span s, struct buf *out)
{
	size_t n = 0;

	while (n < s.n && is_plain(s.p[n]))
		n++;
	put(h, span_sub(s, 0, n), out);
	if (n == s.n)
		return n;
	h->n_held = 0;
	if (s.p[n] == '<') {
		h->state = HTML_OPEN;
	} else if (s.p[n] == '&') {
		h->state = HTML_REFERENCE;
		hold(h, '&');
	} else {
		put_space(h, out);
	}
	return n + 1;
}

void html_feed(struct html *h, struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.n;) {
		switch (h->state) {
		case HTML_TEXT: i += in_text(h, span_sub(s, i, s.n), out); break;
		case HTML_OPEN: i += in_open(h, s.p[i], out); break;
		case HTML_REFERENCE: i += in_reference(h, s.p[i], out); break;
		case HTML_TAG: in_tag(h, s.p[i++], out); break;
		case HTML_COMMENT: in_comment(h, s.p[i++]); break;
		case HTML_SILENT: in_silent(h, s.p[i++]); break;
		}
	}
}

void html_finish(struct html *h, struct buf *out)
{
	if (h->state == HTML_OPEN)
		put(h, SPAN("<"), out);
	else if (h->state == HTML_REFERENCE)
		reference_end(h, false, out);
}
