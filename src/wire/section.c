/* Sections, "[1.2.HEADER.FIELDS (Subject)]" (RFC 9051 sections 6.4.5.1 and 9). */
#include "wire/fetch.h"
#include "wire/grow.h"

static const char text_names[][20] = {
	[FETCH_TEXT_WHOLE] = "",
	[FETCH_TEXT_HEADER] = "HEADER",
	[FETCH_TEXT_HEADER_FIELDS] = "HEADER.FIELDS",
	[FETCH_TEXT_HEADER_FIELDS_NOT] = "HEADER.FIELDS.NOT",
	[FETCH_TEXT_TEXT] = "TEXT",
	[FETCH_TEXT_MIME] = "MIME",
};

/* section-part; stops behind the "." that a section-text follows, and says so. */
static bool path_read(struct cursor *c, struct fetch_section *s)
{
	do {
		int ch = cursor_peek(c);

		if (s->n_path > 0 && (ch < '0' || ch > '9'))
			return true;
		if (s->n_path >= WIRE_PART_DEPTH_MAX) {
			cursor_fail(c, "a section has too many part numbers");
			return false;
		}
		*WIRE_PUSH(c->arena, s->path, s->n_path) = cursor_nz_number(c);
	} while (!c->bad && cursor_try_char(c, '.'));
	return false;
}

static void names_read(struct cursor *c, struct fetch_section *s)
{
	cursor_sp(c);
	cursor_list_open(c);
	do {
		if (s->n_names >= WIRE_HEADER_NAMES_MAX) {
			cursor_fail(c, "there are too many header fields");
			return;
		}
		*WIRE_PUSH(c->arena, s->names, s->n_names) = cursor_astring(c);
	} while (cursor_list_more(c));
}

static void text_read(struct cursor *c, struct fetch_section *s)
{
	for (int t = FETCH_TEXT_HEADER; t <= FETCH_TEXT_MIME; t++) {
		if (!cursor_try_word(c, text_names[t]))
			continue;
		s->text = (enum fetch_text)t;
		if (t == FETCH_TEXT_MIME && s->n_path == 0)
			cursor_fail(c, "MIME needs a part number");
		if (t == FETCH_TEXT_HEADER_FIELDS || t == FETCH_TEXT_HEADER_FIELDS_NOT)
			names_read(c, s);
		return;
	}
	cursor_fail(c, "a section was expected");
}

bool cursor_section(struct cursor *c, bool binary, struct fetch_section *ret_section)
{
	struct fetch_section s = { 0 };
	int ch;

	cursor_char(c, '[');
	ch = cursor_peek(c);
	if (ch >= '0' && ch <= '9') {
		if (path_read(c, &s)) {
			if (binary)
				cursor_fail(c, "BINARY takes part numbers only");
			text_read(c, &s);
		}
	} else if (ch != ']') {
		if (binary)
			cursor_fail(c, "BINARY takes part numbers only");
		text_read(c, &s);
	}
	cursor_char(c, ']');
	if (!c->bad)
		*ret_section = s;
	return !c->bad;
}

void emit_section(struct buf *out, struct emit_mode m, const struct fetch_section *s)
{
	buf_putc(out, '[');
	for (size_t i = 0; i < s->n_path; i++) {
		if (i > 0)
			buf_putc(out, '.');
		buf_put_u64(out, s->path[i]);
	}
	if (s->n_path > 0 && s->text != FETCH_TEXT_WHOLE)
		buf_putc(out, '.');
	buf_puts(out, text_names[s->text]);
	for (size_t i = 0; i < s->n_names; i++) {
		buf_puts(out, i == 0 ? " (" : " ");
		emit_astring(out, m, s->names[i]);
	}
	buf_puts(out, s->n_names > 0 ? ")]" : "]");
}
