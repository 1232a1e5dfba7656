/*
 * Base subject extraction (RFC 5256 section 2.1 with the ABNF of section 5). Nothing is
 * looked at more than a few times, however many blobs and leaders there are.
 */
#include "mail/subject.h"

#include "mail/words.h"

static bool is_space(char ch)
{
	return ch == ' ' || ch == '\t';
}

static struct span skip_space(struct span s)
{
	while (s.n > 0 && is_space(s.p[0]))
		s = span_sub(s, 1, s.n);
	return s;
}

/* Step 1: tabs and what was folded are spaces, of several one is left. */
static void put_spaced(struct span text, struct buf *out)
{
	bool is_gap = false;

	for (size_t i = 0; i < text.n; i++) {
		char ch = text.p[i];

		if (is_space(ch) || ch == '\r' || ch == '\n') {
			if (!is_gap)
				buf_putc(out, ' ');
			is_gap = true;
		} else {
			buf_putc(out, ch);
			is_gap = false;
		}
	}
}

/* Step 2: subj-trailer, as often as there is one. */
static struct span cut_trailers(struct span s, bool *is_reply)
{
	for (;;) {
		if (s.n > 0 && is_space(s.p[s.n - 1])) {
			s.n--;
		} else if (s.n >= 5 && span_ieq(span_sub(s, s.n - 5, 5), SPAN("(fwd)"))) {
			s.n -= 5;
			*is_reply = true;
		} else {
			return s;
		}
	}
}

/* subj-blob; false, and `s` as it was, when there is none. */
static bool take_blob(struct span *s)
{
	size_t i = 1;

	if (s->n == 0 || s->p[0] != '[')
		return false;
	while (i < s->n && s->p[i] != '[' && s->p[i] != ']')
		i++;
	if (i == s->n || s->p[i] != ']')
		return false;
	*s = skip_space(span_sub(*s, i + 1, s->n));
	return true;
}

/* subj-refwd: "re", "fw" or "fwd", perhaps a blob, ":" */
static bool take_refwd(struct span *s)
{
	struct span rest;

	if (span_istarts(*s, SPAN("fwd")))
		rest = span_sub(*s, 3, s->n);
	else if (span_istarts(*s, SPAN("fw")) || span_istarts(*s, SPAN("re")))
		rest = span_sub(*s, 2, s->n);
	else
		return false;
	rest = skip_space(rest);
	take_blob(&rest);
	if (rest.n == 0 || rest.p[0] != ':')
		return false;
	*s = span_sub(rest, 1, rest.n);
	return true;
}

/*
 * Steps 3 to 5. Of a run of blobs all go when a "re:" follows; otherwise as many as leave
 * something over.
 */
static struct span cut_leaders(struct span s, bool *is_reply)
{
	for (;;) {
		struct span last, rest;

		s = skip_space(s);
		last = rest = s;
		while (rest.n > 0 && take_blob(&rest)) {
			if (rest.n > 0)
				last = rest;
		}
		if (take_refwd(&rest)) {
			s = rest;
			*is_reply = true;
			continue;
		}
		return last;
	}
}

bool subject_base(struct span value, struct buf *out)
{
	struct buf decoded = { 0 }, spaced = { 0 };
	bool is_reply = false;
	struct span s;

	words_decode(value, &decoded);
	put_spaced(buf_span(&decoded), &spaced);
	s = buf_span(&spaced);
	for (;;) {
		s = cut_leaders(cut_trailers(s, &is_reply), &is_reply);
		if (!span_istarts(s, SPAN("[fwd:")) || s.p[s.n - 1] != ']')
			break;
		s = span_sub(s, 5, s.n - 6); /* step 6 */
		is_reply = true;
	}
	buf_put(out, s);
	buf_done(&decoded);
	buf_done(&spaced);
	return is_reply;
}
