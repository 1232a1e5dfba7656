/*
 * One pass over a message, cut anywhere (RFC 2046 section 5.1, RFC 5322 section 2.1).
 *
 * Of each line only the start matters: whether it is a boundary, and in a header
 * whether it is empty. That start is gathered; the rest of the line is counted, and
 * kept while it belongs to a header. Ranges come from two running numbers, bytes
 * and line ends, taken down where a part begins and ends.
 */
#include "mail/summary.h"

#include "base/arena.h"
#include "mail/date.h"
#include "mail/envelope.h"
#include "mail/header.h"
#include "mail/scan.h"

/* Decides a line: "--", a boundary, "--" and CRLF fit in. */
#define LINE_START (SUMMARY_MAX_BOUNDARY + 6)

/* A multipart whose parts are being read. */
struct open_multipart {
	uint32_t part;
	uint32_t n;
	char boundary[SUMMARY_MAX_BOUNDARY];
};

struct summary_scanner {
	struct scan scan;
	struct open_multipart *open; /* SUMMARY_MAX_DEPTH + 1 of them */
	uint32_t n_open;
	uint32_t current; /* the innermost part that has not ended */

	uint64_t offset, lines; /* bytes and line ends so far */
	uint64_t line_start;
	unsigned eol_bytes; /* the line end before this line: 0, 1 or 2 */
	bool last_was_cr;

	bool in_header;	  /* of `current` */
	bool is_first;	  /* line of its header */
	bool in_rest;	  /* the start of the line has been decided on */
	bool starts_part; /* the line is a delimiter: a part begins behind it */
	size_t n_start;
	char start[LINE_START];
	struct buf header; /* of `current`, as far as it is read */
};

static struct scan_part *part(struct summary_scanner *s, uint32_t i)
{
	return &s->scan.parts[i];
}

/* Begins a part, in its header, at this offset; the caller has checked the limits. */
static void begin_part(struct summary_scanner *s, uint32_t parent, uint64_t at)
{
	struct scan *sc = &s->scan;

	if (sc->n_parts == sc->cap_parts) {
		sc->cap_parts = sc->cap_parts ? sc->cap_parts * 2 : 8;
		sc->parts = xrealloc(sc->parts, sc->cap_parts * sizeof *sc->parts);
	}
	s->current = sc->n_parts++;
	sc->parts[s->current] = (struct scan_part){
		.parent = parent,
		.depth = parent == SUMMARY_NO_PART ? 0 : sc->parts[parent].depth + 1,
		.header_start = at,
		.lines_before_header = s->lines,
	};
	s->in_header = s->is_first = true;
	buf_clear(&s->header);
}

static void reset(struct summary_scanner *s)
{
	struct scan *sc = &s->scan;

	buf_clear(&sc->names);
	buf_clear(&sc->wire);
	buf_clear(&sc->header);
	sc->n_parts = 0;
	sc->envelope = (struct stretch){ 0 };
	sc->has_date = false;
	s->n_open = 0;
	s->offset = s->lines = s->line_start = 0;
	s->eol_bytes = 0;
	s->last_was_cr = s->in_rest = s->starts_part = false;
	s->n_start = 0;
	begin_part(s, SUMMARY_NO_PART, 0);
}

struct summary_scanner *summary_scanner_new(void)
{
	struct summary_scanner *s = xcalloc(1, sizeof *s);

	s->open = xcalloc(SUMMARY_MAX_DEPTH + 1, sizeof *s->open);
	reset(s);
	return s;
}

void summary_scanner_free(struct summary_scanner *s)
{
	if (!s)
		return;
	buf_done(&s->scan.names);
	buf_done(&s->scan.wire);
	buf_done(&s->scan.header);
	buf_done(&s->header);
	xfree_secret(s->scan.parts, s->scan.cap_parts * sizeof *s->scan.parts);
	xfree_secret(s->open, (SUMMARY_MAX_DEPTH + 1) * sizeof *s->open);
	xfree_secret(s, sizeof *s);
}

/* What searches, SORT, THREAD and previews ask for, when the header is too long to keep.
 */
static const struct span common_fields[] = {
	SPAN_INIT("Date"),	 SPAN_INIT("From"),	   SPAN_INIT("Sender"),
	SPAN_INIT("Reply-To"),	 SPAN_INIT("To"),	   SPAN_INIT("Cc"),
	SPAN_INIT("Bcc"),	 SPAN_INIT("Subject"),	   SPAN_INIT("Message-ID"),
	SPAN_INIT("References"), SPAN_INIT("In-Reply-To"), SPAN_INIT("List-Id"),
	SPAN_INIT("Importance"), SPAN_INIT("X-Priority"),  SPAN_INIT("Content-Type"),
};
#define N_COMMON (sizeof common_fields / sizeof *common_fields)

bool summary_header_covers(const struct summary *s, struct span name)
{
	if (s->header_kind != SUMMARY_HEADER_COMMON)
		return s->header_kind == SUMMARY_HEADER_WHOLE;
	for (size_t i = 0; i < N_COMMON; i++) {
		if (span_ieq(name, common_fields[i]))
			return true;
	}
	return false;
}

static void keep_header(struct summary_scanner *s, uint64_t header_bytes)
{
	struct scan *sc = &s->scan;

	sc->header_kind = SUMMARY_HEADER_NONE;
	if (header_bytes <= SUMMARY_HEADER_KEPT) {
		sc->header_kind = SUMMARY_HEADER_WHOLE;
		buf_put(&sc->header, buf_span(&s->header));
	} else if (header_bytes == s->header.n) {
		header_filter(buf_span(&s->header), common_fields, N_COMMON, false,
			      &sc->header);
		sc->header_kind = SUMMARY_HEADER_COMMON;
		if (sc->header.n > SUMMARY_COMMON_MAX) {
			buf_clear(&sc->header);
			sc->header_kind = SUMMARY_HEADER_NONE;
		}
	}
}

/* The header in hand is a message's: its envelope belongs to the part around it. */
static void read_message_header(struct summary_scanner *s, uint64_t header_bytes)
{
	struct scan *sc = &s->scan;
	struct span block = buf_span(&s->header);
	uint32_t parent = part(s, s->current)->parent;
	struct stretch env = { .off = (uint32_t)sc->wire.n };
	struct header_field f;

	/* the message's own envelope may take half of what there is */
	envelope_put(block, SUMMARY_WIRE_MAX / 2, &sc->wire);
	env.n = (uint32_t)(sc->wire.n - env.off);
	if (sc->wire.n > SUMMARY_WIRE_MAX) {
		buf_truncate(&sc->wire, env.off);
		env.n = 0;
	}
	if (parent != SUMMARY_NO_PART) {
		part(s, parent)->envelope = env;
		return;
	}
	sc->envelope = env;
	sc->has_date = header_find(block, SPAN("Date"), &f) &&
		       date_parse(f.value, &sc->date);
	keep_header(s, header_bytes);
}

static bool is_message_header(struct summary_scanner *s)
{
	uint32_t parent = part(s, s->current)->parent;

	return parent == SUMMARY_NO_PART || part(s, parent)->kind == PART_MESSAGE;
}

/* The header of the current part ends at `at`; its body begins, or the message in it. */
static void end_header(struct summary_scanner *s, uint64_t at)
{
	uint32_t i = s->current;
	struct scan_part *p = part(s, i);
	struct span block = buf_span(&s->header);
	bool may_nest = p->depth < SUMMARY_MAX_DEPTH &&
			s->scan.n_parts < SUMMARY_MAX_PARTS;
	bool is_digest =
	    p->parent != SUMMARY_NO_PART && part(s, p->parent)->kind == PART_MULTIPART &&
	    span_eq(stretch_span(part(s, p->parent)->subtype, &s->scan.names),
		    SPAN("DIGEST"));
	struct open_multipart *o = &s->open[s->n_open];

	s->in_header = false;
	p->body_start = at;
	p->lines_before_body = s->lines;
	if (is_message_header(s))
		read_message_header(s, at - p->header_start);
	o->n = (uint32_t)structure_read(&s->scan, i, block, is_digest, may_nest,
					o->boundary);
	if (p->kind == PART_MULTIPART) {
		o->part = i;
		s->n_open++;
	} else if (p->kind == PART_MESSAGE) {
		begin_part(s, i, at);
	}
}

/* Takes down the end of one part: `at` bytes, with `lines` line ends before it. */
static void end_part(struct summary_scanner *s, uint32_t i, uint64_t at, uint64_t lines)
{
	struct scan_part *p = part(s, i);

	/* The line end before a delimiter belongs to the delimiter (RFC 2046
	 * section 5.1.1), even when it is the empty line behind a header. */
	if (p->header_start > at)
		p->header_start = at;
	if (p->body_start > at)
		p->body_start = at;
	if (p->lines_before_header > lines)
		p->lines_before_header = lines;
	if (p->lines_before_body > lines)
		p->lines_before_body = lines;
	p->body_end = at;
	p->header_lines = p->lines_before_body - p->lines_before_header;
	p->body_lines = lines - p->lines_before_body;
	p->end = s->scan.n_parts;
	if (p->kind == PART_MULTIPART && p->end == i + 1)
		structure_make_text(&s->scan, i);
}

/* Ends all parts below `parent` that are open; for the message itself, SUMMARY_NO_PART.
 */
static void end_parts_below(struct summary_scanner *s, uint32_t parent, uint64_t at,
			    unsigned eol_bytes)
{
	uint64_t lines = s->lines;
	uint32_t top = s->current;

	while (s->in_header)
		end_header(s, at);
	if (s->current == parent)
		return;
	top = s->current;
	while (part(s, top)->parent != parent)
		top = part(s, top)->parent;
	/* an empty part: the line end before belongs to the delimiter before */
	if (eol_bytes > 0 && at - eol_bytes >= part(s, top)->header_start) {
		at -= eol_bytes;
		lines--;
	}
	for (uint32_t i = s->current; i != parent; i = part(s, i)->parent)
		end_part(s, i, at, lines);
	s->current = parent;
}

/*
 * Which open multipart the line is a delimiter of: the one with the longest
 * boundary, then the innermost; -1 when of none. What follows the boundary does not
 * matter (RFC 2046 section 5.1.1: it is sufficient that the boundary appear).
 */
static int find_delimiter(const struct summary_scanner *s, struct span line)
{
	int found = -1;

	if (!span_starts(line, SPAN("--")))
		return -1;
	line = span_sub(line, 2, line.n);
	for (uint32_t k = s->n_open; k-- > 0;) {
		const struct open_multipart *o = &s->open[k];

		if (span_starts(line, span_of(o->boundary, o->n)) &&
		    (found < 0 || o->n > s->open[found].n))
			found = (int)k;
	}
	return found;
}

static void take_delimiter(struct summary_scanner *s, uint32_t k, struct span line)
{
	uint32_t multipart = s->open[k].part;
	bool is_close = span_starts(span_sub(line, 2 + s->open[k].n, line.n), SPAN("--"));

	end_parts_below(s, multipart, s->line_start, s->eol_bytes);
	s->n_open = is_close ? k : k + 1;
	s->starts_part = !is_close;
}

/* An mbox line that came along; it is kept but means nothing. */
static bool is_mbox_line(struct span line)
{
	return span_starts(line, SPAN("From ")) || span_starts(line, SPAN(">From "));
}

static void keep_line(struct summary_scanner *s, struct span line)
{
	buf_put(&s->header, span_sub(line, 0, SUMMARY_HEADER_READ - s->header.n));
}

/*
 * Decides on a line of a header. False when the header ended before this line, so
 * that the line is to be decided on again.
 */
static bool take_header_line(struct summary_scanner *s, struct span line)
{
	bool is_field = header_name_bytes(line) > 0 ||
			span_starts(line, SPAN(HEADER_BOM));

	if (span_eq(line, SPAN("\r\n")) || span_eq(line, SPAN("\n"))) {
		keep_line(s, line);
		s->lines++; /* so that the body begins behind it */
		end_header(s, s->line_start + line.n);
		s->lines--;
		return true;
	}
	/* A part that begins with text has no header, though RFC 2046 wants an
	 * empty line then. Later such lines are skipped: a broken header
	 * field must not turn the fields behind it into text. */
	if (s->is_first && !is_field && !(is_mbox_line(line) && is_message_header(s))) {
		end_header(s, s->line_start);
		return false;
	}
	s->is_first = false;
	keep_line(s, line);
	return true;
}

/* The start of a line is there: the whole line, or LINE_START bytes of it. */
static void decide(struct summary_scanner *s)
{
	struct span line = span_of(s->start, s->n_start);
	int k = find_delimiter(s, line);

	s->in_rest = true;
	if (k >= 0) {
		take_delimiter(s, (uint32_t)k, line);
		return;
	}
	while (s->in_header && !take_header_line(s, line)) {
		/* the boundary of this very part cannot be in its first line
		 * as it has no header that could have set one */
	}
}

static void end_line(struct summary_scanner *s, unsigned eol_bytes)
{
	s->lines++;
	s->eol_bytes = eol_bytes;
	s->line_start = s->offset;
	s->in_rest = false;
	s->n_start = 0;
	s->last_was_cr = false;
	if (!s->starts_part)
		return;
	s->starts_part = false;
	/* beyond the limit the rest of the multipart is not looked into */
	if (s->scan.n_parts < SUMMARY_MAX_PARTS)
		begin_part(s, s->current, s->offset);
	else
		s->n_open--;
}

/* Gathers the start of a line; returns how many bytes it took. */
static size_t feed_start(struct summary_scanner *s, struct span in)
{
	size_t room = LINE_START - s->n_start;
	struct span some = span_sub(in, 0, room);
	ptrdiff_t nl = span_find(some, '\n');
	size_t n = nl < 0 ? some.n : (size_t)nl + 1;
	bool has_cr;

	memcpy(s->start + s->n_start, some.p, n);
	s->n_start += n;
	s->offset += n;
	has_cr = s->n_start > 1 && s->start[s->n_start - 2] == '\r';
	s->last_was_cr = s->start[s->n_start - 1] == '\r';
	if (nl >= 0) {
		decide(s);
		end_line(s, has_cr ? 2 : 1);
	} else if (s->n_start == LINE_START) {
		decide(s);
	}
	return n;
}

/* The rest of a line of a header. */
static size_t feed_header_rest(struct summary_scanner *s, struct span in)
{
	ptrdiff_t nl = span_find(in, '\n');
	size_t n = nl < 0 ? in.n : (size_t)nl + 1;
	bool has_cr = n > 1 ? in.p[n - 2] == '\r' : s->last_was_cr;

	keep_line(s, span_sub(in, 0, n));
	s->offset += n;
	s->last_was_cr = in.p[n - 1] == '\r';
	if (nl >= 0)
		end_line(s, has_cr ? 2 : 1);
	return n;
}

/* The rest of a line of a body, and all lines behind it that cannot be delimiters. */
static size_t feed_body(struct summary_scanner *s, struct span in)
{
	const char *p = in.p, *end = in.p + in.n;
	const char *nl = NULL;
	bool has_cr = s->last_was_cr;

	while (p < end) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			break;
		if (nl > in.p)
			has_cr = nl[-1] == '\r';
		p = nl + 1;
		if (s->starts_part || p == end || (*p == '-' && s->n_open > 0))
			break;
		s->lines++;
	}
	if (nl) {
		s->offset += (uint64_t)(p - in.p);
		end_line(s, has_cr ? 2 : 1);
		return (size_t)(p - in.p);
	}
	s->in_rest = true;
	s->last_was_cr = end[-1] == '\r';
	s->offset += in.n;
	return in.n;
}

void summary_scanner_feed(struct summary_scanner *s, struct span in)
{
	while (in.n > 0) {
		bool may_decide = s->in_header || s->n_start > 0 ||
				  (s->n_open > 0 && in.p[0] == '-');
		size_t n;

		if (!s->in_rest && may_decide)
			n = feed_start(s, in);
		else if (s->in_header)
			n = feed_header_rest(s, in);
		else
			n = feed_body(s, in);
		in = span_sub(in, n, in.n);
	}
}

void summary_scanner_finish(struct summary_scanner *s, struct buf *out)
{
	if (!s->in_rest && s->n_start > 0)
		decide(s);
	if (s->starts_part && s->scan.n_parts < SUMMARY_MAX_PARTS)
		begin_part(s, s->current, s->offset);
	end_parts_below(s, SUMMARY_NO_PART, s->offset, 0);
	s->scan.size = s->offset;
	summary_pack(&s->scan, out);
	reset(s);
}
