/* Substring search under a comparator (RFC 4790 section 4.2.3, RFC 5051 section 2). */
#include "mail/match.h"

#include "mail/body_text.h"
#include "mail/header.h"
#include "mail/utf8.h"
#include "mail/words.h"

#define STEP	  16384 /* bytes folded at a time: bounds the window */
#define PLAIN_MAX 512	/* of a header value that is matched where it lies */

struct match_needle {
	const struct comparator *comparator;
	struct span folded;
};

void match_fold(struct span utf8, struct buf *out)
{
	size_t cut = comparator_fold(comparator_default(), utf8, out);

	while (cut-- > 0)
		buf_puts(out, UTF8_REPLACEMENT);
}

struct match_needle *match_needle_new(struct arena *a, const struct comparator *c,
				      struct span utf8)
{
	struct match_needle *needle = ARENA_NEW(a, struct match_needle);
	struct buf folded = { 0 };
	size_t cut = comparator_fold(c, utf8, &folded);

	while (cut-- > 0)
		buf_puts(&folded, UTF8_REPLACEMENT);
	needle->comparator = c;
	needle->folded = arena_dup(a, buf_span(&folded));
	buf_done(&folded);
	return needle;
}

void match_begin(struct match *m, const struct match_needle *needle)
{
	buf_clear(&m->window);
	m->needle = needle;
	m->n_partial = 0;
	m->found = needle->folded.n == 0;
}

/* Looks through the window and keeps of it what a match may still begin in. */
static void look(struct match *m)
{
	struct span needle = m->needle->folded;
	struct span w = buf_span(&m->window);

	if (w.n < needle.n)
		return;
	m->found = memmem(w.p, w.n, needle.p, needle.n) != NULL;
	buf_take(&m->window, w.n - (needle.n - 1));
}

static void feed_step(struct match *m, struct span s)
{
	const struct comparator *c = m->needle->comparator;
	size_t cut;

	while (m->n_partial > 0 && s.n > 0) {
		m->partial[m->n_partial++] = s.p[0];
		s = span_sub(s, 1, s.n);
		cut = comparator_fold(c, span_of(m->partial, m->n_partial), &m->window);
		memmove(m->partial, m->partial + m->n_partial - cut, cut);
		m->n_partial = (unsigned char)cut;
	}
	if (s.n > 0) {
		cut = comparator_fold(c, s, &m->window);
		memcpy(m->partial, s.p + s.n - cut, cut);
		m->n_partial = (unsigned char)cut;
	}
	look(m);
}

bool match_feed(struct match *m, struct span utf8)
{
	while (!m->found && utf8.n > 0) {
		feed_step(m, span_sub(utf8, 0, STEP));
		utf8 = span_sub(utf8, STEP, utf8.n);
	}
	return m->found;
}

bool match_finish(struct match *m)
{
	if (m->found)
		return true;
	for (; m->n_partial > 0; m->n_partial--)
		buf_puts(&m->window, UTF8_REPLACEMENT);
	look(m);
	return m->found;
}

void match_done(struct match *m)
{
	buf_done(&m->window);
}

bool match_text(const struct match_needle *needle, struct span utf8)
{
	struct match m = { 0 };
	bool found;

	match_begin(&m, needle);
	match_feed(&m, utf8);
	found = match_finish(&m);
	match_done(&m);
	return found;
}

/* Plain ASCII on one line, as most values are: nothing to decode, unfold or compose. */
static bool is_plain(struct span value)
{
	return utf8_ascii_bytes(value) == value.n && !memchr(value.p, '\n', value.n) &&
	       !memchr(value.p, '\r', value.n) && !memmem(value.p, value.n, "=?", 2);
}

static bool match_plain(const struct match_needle *needle, struct span value)
{
	char folded[PLAIN_MAX];

	comparator_fold_ascii(needle->comparator, value, folded);
	return memmem(folded, value.n, needle->folded.p, needle->folded.n) != NULL;
}

bool match_header_value(const struct match_needle *needle, struct span value)
{
	struct buf text = { 0 };
	bool found;

	value = span_trim(value);
	if (value.n > 0 && value.n <= PLAIN_MAX && is_plain(value))
		return match_plain(needle, value);

	words_decode(value, &text);
	found = match_text(needle, buf_span(&text));
	buf_done(&text);
	return found;
}

bool match_header_field(const struct match_needle *needle, struct span block,
			struct span name)
{
	struct header_field f;

	for (struct header_iter it = header_iter(block); header_next(&it, &f);) {
		if (span_ieq(f.name, name) && match_header_value(needle, f.value))
			return true;
	}
	return false;
}

struct match_body {
	struct match match;
	struct body_text source;
	struct buf text;
};

struct match_body *match_body_new(const struct match_needle *needle, enum coding coding,
				  struct span charset, bool is_html)
{
	struct match_body *b = xcalloc(1, sizeof *b);

	body_text_begin(&b->source, coding, charset, is_html);
	match_begin(&b->match, needle);
	return b;
}

bool match_body_feed(struct match_body *b, struct span raw)
{
	while (!b->match.found && raw.n > 0) {
		body_text_feed(&b->source, span_sub(raw, 0, STEP), &b->text);
		match_feed(&b->match, buf_span(&b->text));
		buf_clear(&b->text);
		raw = span_sub(raw, STEP, raw.n);
	}
	return b->match.found;
}

bool match_body_finish(struct match_body *b)
{
	body_text_finish(&b->source, &b->text);
	match_feed(&b->match, buf_span(&b->text));
	buf_clear(&b->text);
	return match_finish(&b->match);
}

void match_body_free(struct match_body *b)
{
	if (!b)
		return;
	match_done(&b->match);
	body_text_done(&b->source);
	buf_done(&b->text);
	xfree_secret(b, sizeof *b);
}
