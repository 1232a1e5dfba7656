/* Line ends and quoting of messages in files (mail_form.h). */
#include "tools/mail_form.h"

static const struct {
	enum mbox_field field;
	struct span name;
} fields[] = {
	{ MBOX_STATUS, SPAN_INIT("Status:") },
	{ MBOX_X_STATUS, SPAN_INIT("X-Status:") },
	{ MBOX_X_KEYWORDS, SPAN_INIT("X-Keywords:") },
	{ MBOX_X_UID, SPAN_INIT("X-UID:") },
	{ MBOX_X_IMAP, SPAN_INIT("X-IMAP:") },
	{ MBOX_X_IMAPBASE, SPAN_INIT("X-IMAPbase:") },
	{ MBOX_CONTENT_LENGTH, SPAN_INIT("Content-Length:") },
	{ MBOX_X_MAILSTILE, SPAN_INIT("X-Mailstile:") },
};

enum mbox_field mbox_field(struct span line, struct span *ret_value)
{
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		if (!span_istarts(line, fields[i].name))
			continue;
		*ret_value = span_trim(span_sub(line, fields[i].name.n, line.n));
		return fields[i].field;
	}
	return MBOX_NONE;
}

/* ---- looking ---- */

/* A line of the header has come to its end, or shown enough of its start. */
static void look_at_start(struct mail_form *f)
{
	struct span line = span_of(f->start, f->n_start), value;

	if (mbox_field(line, &value) != MBOX_NONE || span_starts(line, SPAN(">")) ||
	    span_starts(line, SPAN("From ")))
		f->has_own = true;
	/* a continuation of what is put before it */
	if (!f->is_begun && (line.p[0] == ' ' || line.p[0] == '\t'))
		f->has_own = true;
	f->is_begun = true;
}

static void look_at_header(struct mail_form *f, char c)
{
	if (c == '\n') {
		bool is_empty = f->n_start == 0 ||
				(f->n_start == 1 && f->start[0] == '\r');

		if (is_empty)
			f->is_behind_header = true;
		else if (f->n_start < sizeof f->start)
			look_at_start(f);
		f->n_start = 0;
	} else if (f->n_start < sizeof f->start) {
		f->start[f->n_start++] = c;
		if (f->n_start == sizeof f->start)
			look_at_start(f);
	}
}

static void look_at_end_of_line(struct mail_form *f)
{
	f->lines++;
	if (f->last != '\r' || f->before_last == '\r')
		f->is_raw = true;
}

void mail_form_look(struct mail_form *f, struct span piece)
{
	for (size_t i = 0; i < piece.n; i++) {
		char c = piece.p[i];

		if (!f->is_behind_header)
			look_at_header(f, c);
		if (c == '\n')
			look_at_end_of_line(f);
		f->before_last = f->last;
		f->last = c;
	}
}

void mail_form_end(struct mail_form *f)
{
	if (!f->is_behind_header && f->n_start && f->n_start < sizeof f->start)
		look_at_start(f);
	f->is_open = f->last != '\n';
	/* the end of line that is added would make a CRLF of it */
	if (f->last == '\r')
		f->is_raw = true;
}

/* ---- writing ---- */

static const char from_line[] = "From ";

static void put_held(struct mail_writer *w, struct buf *out)
{
	buf_put(out, span_of(from_line, w->n_from));
	w->n_from = 0;
}

static void put_byte(struct mail_writer *w, char c, struct buf *out)
{
	if (!w->quotes || w->is_within) {
		buf_putc(out, c);
	} else if (c == from_line[w->n_from]) {
		if (++w->n_from < sizeof from_line - 1)
			return;
		buf_putc(out,
			 '>'); /* among those that are there: which one is no matter */
		put_held(w, out);
		w->is_within = true;
	} else {
		w->is_within = w->n_from || c != '>';
		put_held(w, out);
		buf_putc(out, c);
	}
	if (c == '\n')
		w->is_within = false;
}

void mail_write(struct mail_writer *w, struct span piece, struct buf *out)
{
	if (w->is_raw && !w->quotes) {
		buf_put(out, piece);
		return;
	}
	for (size_t i = 0; i < piece.n; i++) {
		char c = piece.p[i];

		if (w->has_cr && c != '\n')
			put_byte(w, '\r', out);
		w->has_cr = !w->is_raw && c == '\r';
		if (!w->has_cr)
			put_byte(w, c, out);
	}
}

void mail_write_end(struct mail_writer *w, struct buf *out)
{
	if (w->has_cr)
		put_byte(w, '\r', out);
	w->has_cr = false;
	put_held(w, out);
}

/* ---- reading ---- */

void mail_read(struct mail_reader *r, struct span piece, struct buf *out)
{
	while (piece.n) {
		const char *lf = r->is_raw ? NULL : memchr(piece.p, '\n', piece.n);
		size_t n = lf ? (size_t)(lf - piece.p) : piece.n;
		bool has_cr = n ? piece.p[n - 1] == '\r' : r->has_cr;

		buf_put(out, span_sub(piece, 0, n));
		r->has_cr = n ? has_cr : r->has_cr;
		if (!lf)
			return;
		buf_puts(out, has_cr ? "\n" : "\r\n");
		r->has_cr = false;
		piece = span_sub(piece, n + 1, piece.n);
	}
}
