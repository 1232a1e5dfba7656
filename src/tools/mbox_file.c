/* Reading an mbox (mbox_file.h). */
#include "tools/mbox_file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "tools/from_line.h"

enum { FROM_MAX = 2048 };

/* ---- the window ---- */

void mbox_file_init(struct mbox_file *f, int fd)
{
	*f = (struct mbox_file){ .fd = fd, .is_line_start = true };
	f->window = xcalloc(1, MBOX_WINDOW);
}

void mbox_file_done(struct mbox_file *f)
{
	if (f->window)
		close(f->fd);
	free(f->window);
	*f = (struct mbox_file){ 0 };
}

static void seek(struct mbox_file *f, uint64_t off)
{
	if (off >= f->off - f->at && off <= f->off - f->at + f->n) {
		f->at = (size_t)(off - (f->off - f->at));
	} else {
		f->at = f->n = 0;
		f->is_at_end = false;
	}
	f->off = off;
	f->is_line_start = true;
}

static void fill(struct mbox_file *f)
{
	memmove(f->window, f->window + f->at, f->n - f->at);
	f->n -= f->at;
	f->at = 0;
	while (f->n < MBOX_WINDOW && !f->is_at_end) {
		ssize_t n = pread(f->fd, f->window + f->n, MBOX_WINDOW - f->n,
				  (off_t)(f->off + f->n));

		if (n < 0 && errno == EINTR)
			continue;
		f->is_bad |= n < 0;
		f->is_at_end = n <= 0;
		f->n += n > 0 ? (size_t)n : 0;
	}
}

/* A line with its LF, or a part of one that is larger than the window, or the last one
 * without; empty at the end. It is not taken yet. */
static struct span peek(struct mbox_file *f)
{
	const char *p = f->window + f->at, *lf;

	lf = f->n > f->at ? memchr(p, '\n', f->n - f->at) : NULL;
	if (!lf && !f->is_at_end && f->n - f->at < MBOX_WINDOW) {
		fill(f);
		p = f->window;
		lf = f->n ? memchr(p, '\n', f->n) : NULL;
	}
	return span_of(p, lf ? (size_t)(lf - p) + 1 : f->n - f->at);
}

static void take(struct mbox_file *f, size_t n)
{
	if (!n)
		return;
	f->is_line_start = f->window[f->at + n - 1] == '\n';
	f->at += n;
	f->off += n;
}

static bool is_empty_line(struct span line)
{
	return span_eq(line, SPAN("\n")) || span_eq(line, SPAN("\r\n"));
}

static bool is_from(struct span line)
{
	struct wire_time t;

	return line.n < FROM_MAX && from_line_read(line, &t);
}

bool mbox_file_begin(struct mbox_file *f, uint64_t *ret_at)
{
	struct span line;

	for (line = peek(f); is_empty_line(line); line = peek(f))
		take(f, line.n);
	*ret_at = f->off;
	return !f->is_bad && (line.n == 0 || is_from(line));
}

/* ---- a message ---- */

struct reading {
	struct mbox_file *f;
	struct mbox_place *p;
	const struct mbox_sink *sink;
	struct buf out;
	bool is_first;	 /* what proves right is found out */
	bool in_field;	 /* continuation lines belong to it */
	bool is_leading; /* nothing but fields of the mbox so far */
	bool is_own, is_raw, is_open, in_body;
	bool was_empty, saw_from, is_stopped;
	uint64_t content_length, body_at;
	/* Ends of lines that may not belong to the message. */
	const char *held[2];
	size_t n_held;
};

static void put(struct reading *r, struct span s)
{
	if (s.n && r->sink->bytes && !r->is_stopped)
		r->is_stopped = !r->sink->bytes(r->sink->arg, s);
}

static void let_go(struct reading *r, size_t keep)
{
	while (r->n_held > keep) {
		put(r, span_str(r->held[0]));
		r->held[0] = r->held[1];
		r->n_held--;
	}
}

/* A line of the message, or a part of one. */
static void put_line(struct reading *r, struct span line, bool is_line_start)
{
	bool has_end = line.n && line.p[line.n - 1] == '\n';

	line.n -= has_end;
	if (has_end && !r->is_raw && line.n && line.p[line.n - 1] == '\r')
		line.n--;
	r->was_empty = has_end && line.n == 0 && is_line_start;
	let_go(r, r->was_empty ? 1 : 0);
	put(r, line);
	if (has_end)
		r->held[r->n_held++] = r->is_raw ? "\n" : "\r\n";
}

/* ">From ", ">>From ": one ">" less (mboxrd). */
static struct span unquoted(const struct reading *r, struct span line)
{
	size_t n = 0;

	if (r->p->no_unquote || !(r->in_body || r->is_own))
		return line;
	while (n < line.n && line.p[n] == '>')
		n++;
	if (n && span_starts(span_sub(line, n, line.n), SPAN("From ")))
		return span_sub(line, 1, line.n);
	return line;
}

static bool has_word(struct span s, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= s.n; i++)
		if (memcmp(s.p + i, word, n) == 0)
			return true;
	return false;
}

static void ours(struct reading *r, struct span value)
{
	r->is_own = has_word(value, "own");
	r->is_raw = has_word(value, "raw");
	r->is_open = has_word(value, "open");
}

/* Whether the line belongs to the mbox. */
static bool take_field(struct reading *r, struct span line)
{
	struct span value;
	enum mbox_field field = mbox_field(line, &value);

	if (r->is_own)
		return false;
	if (field == MBOX_NONE || (field == MBOX_X_MAILSTILE && !r->is_leading)) {
		r->is_leading = r->in_field = false;
		return false;
	}
	r->in_field = true;
	if (field == MBOX_X_MAILSTILE)
		ours(r, value);
	if (field == MBOX_CONTENT_LENGTH)
		span_u64(value, INT64_MAX, &r->content_length);
	if (r->sink->field)
		r->sink->field(r->sink->arg, field, value);
	return true;
}

static bool is_continuation(struct span line)
{
	return line.n && (line.p[0] == ' ' || line.p[0] == '\t');
}

static void header_line(struct reading *r, struct span line)
{
	if (is_empty_line(line)) {
		r->in_body = true;
	} else if (r->in_field && !r->is_own && is_continuation(line)) {
		return;
	} else if (take_field(r, line)) {
		return;
	}
	put_line(r, unquoted(r, line), true);
}

/* Whether a message ends there: the end of the file, or a From_ line, perhaps behind an
 * empty one. */
static bool ends_at(struct mbox_file *f, uint64_t off)
{
	struct span line;

	seek(f, off);
	line = peek(f);
	if (is_empty_line(line)) {
		take(f, line.n);
		line = peek(f);
	}
	return !f->is_bad && (line.n == 0 || is_from(line));
}

static void begin_body(struct reading *r)
{
	struct mbox_file *f = r->f;
	struct mbox_place *p = r->p;
	off_t end;

	r->body_at = f->off;
	if (!r->is_first || r->is_own || r->content_length == UINT64_MAX)
		return;
	end = lseek(f->fd, 0, SEEK_END);
	if (end >= 0 && r->content_length <= (uint64_t)end - r->body_at &&
	    ends_at(f, r->body_at + r->content_length))
		p->length = r->content_length;
	seek(f, r->body_at);
}

/* So much of the line belongs to the body that a Content-Length measures. */
static struct span cut(const struct reading *r, struct span line)
{
	uint64_t left;

	if (!r->in_body || r->p->length == UINT64_MAX)
		return line;
	left = r->body_at + r->p->length - r->f->off;
	return left < line.n ? span_sub(line, 0, (size_t)left) : line;
}

static bool is_separator(struct reading *r, struct span line)
{
	if (!r->f->is_line_start || !is_from(line))
		return false;
	if (r->p->length != UINT64_MAX) {
		r->saw_from |= r->was_empty;
		return false;
	}
	if (!r->was_empty)
		r->f->odd_lines += r->is_first;
	return r->was_empty;
}

static void read_lines(struct reading *r)
{
	struct mbox_file *f = r->f;

	while (!r->is_stopped && !f->is_bad) {
		bool is_start = f->is_line_start, was_in_body = r->in_body;
		struct span line = cut(r, peek(f));

		if (line.n == 0 || is_separator(r, line))
			break;
		if (r->in_body)
			put_line(r, is_start ? unquoted(r, line) : line, is_start);
		else if (is_start)
			header_line(r, line);
		else if (!r->in_field || r->is_own)
			put_line(r, line, false);
		take(f, line.n);
		if (r->in_body && !was_in_body)
			begin_body(r);
	}
}

/* The empty line before the next From_ line is nobody's, and neither is an end of line
 * that was added. */
static void end_message(struct reading *r)
{
	struct span line;

	if (r->p->length != UINT64_MAX) {
		let_go(r, 0);
		line = peek(r->f);
		if (is_empty_line(line))
			take(r->f, line.n);
		return;
	}
	if (r->was_empty && r->n_held)
		r->n_held--;
	if (r->is_open && r->n_held)
		r->n_held--;
	let_go(r, 0);
}

static enum err read_once(struct mbox_file *f, struct mbox_place *p,
			  const struct mbox_sink *sink, bool is_first, bool *ret_again)
{
	struct reading r = { .f = f,
			     .p = p,
			     .sink = sink,
			     .is_first = is_first,
			     .is_leading = true,
			     .content_length = UINT64_MAX };
	struct span line;

	seek(f, p->at);
	line = peek(f);
	if (f->is_bad)
		return ERR_IO;
	if (line.n == 0 || !from_line_read(line, &p->date))
		return line.n ? ERR_INVAL : ERR_NOENT;
	take(f, line.n);
	read_lines(&r);
	end_message(&r);
	p->next = f->off;
	/* Lines in it that would be quoted are not: so neither is any other. */
	*ret_again = is_first && r.saw_from && !p->no_unquote;
	return f->is_bad ? ERR_IO : r.is_stopped ? ERR_CLOSED : ERR_OK;
}

enum err mbox_file_read(struct mbox_file *f, struct mbox_place *p,
			const struct mbox_sink *sink)
{
	const struct mbox_sink nothing = { 0 };
	bool is_first = p->next == 0, again = false;
	enum err rc;

	if (is_first) { /* found out without a word to the sink */
		rc = read_once(f, p, &nothing, true, &again);
		if (rc != ERR_OK)
			return rc;
		p->no_unquote |= again;
	}
	return read_once(f, p, sink, false, &again);
}
