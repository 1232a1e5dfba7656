/* Encoded words and extended parameters to UTF-8 (RFC 2047, RFC 2231). */
#include "mail/words.h"

#include "base/base64.h"
#include "mail/charset.h"
#include "mail/coding.h"
#include "mail/header.h"
#include "mail/mime.h"

#define WORD_MAX 2048 /* bytes of an encoded word */

/* "=?charset*lang?Q?text?=" */
struct word {
	struct span charset; /* without the language */
	char encoding;	     /* 'B' or 'Q' */
	struct span text;
	size_t bytes; /* of the whole word */
};

/* Adjacent words of one charset share a converter, so that what is cut is joined. */
struct joint {
	struct charset *conv;
	struct word last;
	bool is_open; /* a word stands directly before */
};

static ptrdiff_t find_from(struct span s, size_t from, char c)
{
	ptrdiff_t at = span_find(span_sub(s, from, s.n), c);

	return at < 0 ? -1 : at + (ptrdiff_t)from;
}

/*
 * The "?=" that ends a word; text has no space in it (RFC 2047 section 2). Words
 * longer than the 75 bytes allowed are common; without any bound a header full of
 * "=?" would take quadratic time.
 */
static ptrdiff_t find_word_end(struct span s, size_t from)
{
	s = span_sub(s, 0, WORD_MAX);
	for (size_t i = from; i < s.n && !lex_is_wsp(s.p[i]); i++) {
		if (s.p[i] == '?' && i + 1 < s.n && s.p[i + 1] == '=')
			return (ptrdiff_t)i;
	}
	return -1;
}

static bool take_word(struct span s, struct word *ret_word)
{
	struct word w;
	ptrdiff_t mark, end, star;

	if (!span_starts(s, SPAN("=?")))
		return false;
	mark = find_from(span_sub(s, 0, 128), 2, '?');
	if (mark < 0 || (size_t)mark + 3 > s.n || s.p[mark + 2] != '?')
		return false;
	w.charset = span_sub(s, 2, (size_t)mark - 2);
	star = span_find(w.charset, '*');
	if (star >= 0)
		w.charset.n = (size_t)star;
	w.encoding = (char)(s.p[mark + 1] & ~0x20);
	if (w.encoding != 'B' && w.encoding != 'Q')
		return false;
	end = find_word_end(s, (size_t)mark + 3);
	if (end < 0)
		return false;
	w.text = span_sub(s, (size_t)mark + 3, (size_t)(end - mark - 3));
	w.bytes = (size_t)end + 2;
	*ret_word = w;
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes behind `mark`XX codes; "Q" words have "=" and "_", RFC 2231 has "%". */
static void unhex(struct span s, char mark, bool has_underscore, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == mark && i + 2 < s.n && hex_value(s.p[i + 1]) >= 0 &&
		    hex_value(s.p[i + 2]) >= 0) {
			c = (char)(hex_value(s.p[i + 1]) << 4 | hex_value(s.p[i + 2]));
			i += 2;
		} else if (c == '_' && has_underscore) {
			c = ' ';
		}
		buf_putc(out, c);
	}
}

static void word_bytes(const struct word *w, struct buf *out)
{
	struct decoder d;

	if (w->encoding == 'Q') {
		unhex(w->text, '=', true, out);
		return;
	}
	if (decoder_init(&d, CODING_BASE64, false) != ERR_OK)
		return;
	decoder_feed(&d, w->text, out);
	decoder_finish(&d, out);
	decoder_done(&d);
}

static void close_joint(struct joint *j, struct buf *out)
{
	if (j->conv)
		charset_finish(j->conv, out);
	charset_free(j->conv);
	*j = (struct joint){ 0 };
}

/* Appends a word; false when its charset is not known. */
static bool put_word(struct joint *j, const struct word *w, struct buf *out)
{
	struct buf bytes = { 0 };
	bool is_same = j->is_open && j->last.encoding == w->encoding &&
		       span_ieq(j->last.charset, w->charset);

	if (!is_same) {
		struct charset *conv = charset_new(w->charset);

		if (!conv)
			return false;
		close_joint(j, out);
		j->conv = conv;
	}
	word_bytes(w, &bytes);
	charset_feed(j->conv, buf_span(&bytes), out);
	buf_done(&bytes);
	j->last = *w;
	j->is_open = true;
	return true;
}

/* Bytes up to where the next word may start. */
static size_t plain_bytes(struct span s)
{
	for (size_t i = 1; i + 1 < s.n; i++) {
		if (s.p[i] == '=' && s.p[i + 1] == '?')
			return i;
	}
	return s.n;
}

static void decode(struct span s, struct buf *out)
{
	struct joint j = { 0 };
	struct span space = SPAN_NONE; /* behind a word, not given out yet */

	while (s.n > 0) {
		struct word w;
		size_t n = 0;

		while (n < s.n && lex_is_wsp(s.p[n]))
			n++;
		if (n > 0 && j.is_open) {
			space = span_sub(s, 0, n);
			s = span_sub(s, n, s.n);
			continue;
		}
		if (take_word(s, &w) && put_word(&j, &w, out)) {
			n = w.bytes;
		} else {
			close_joint(&j, out);
			utf8_repair(space, out);
			n = plain_bytes(s);
			utf8_repair(span_sub(s, 0, n), out);
		}
		space = SPAN_NONE;
		s = span_sub(s, n, s.n);
	}
	close_joint(&j, out);
	buf_put(out, space);
}

void words_decode(struct span value, struct buf *out)
{
	struct buf flat = { 0 };

	header_unfold(value, &flat);
	decode(buf_span(&flat), out);
	buf_done(&flat);
}

/* "name*3*" of "name": its number; -1 when it is something else. */
static long section_number(struct span param, struct span name, bool *ret_is_coded)
{
	uint64_t n;

	if (!span_istarts(param, name) || param.n <= name.n || param.p[name.n] != '*')
		return -1;
	param = span_sub(param, name.n + 1, param.n);
	*ret_is_coded = span_ends(param, SPAN("*"));
	if (*ret_is_coded)
		param.n--;
	return span_u64(param, MIME_MAX_PARAMS, &n) ? (long)n : -1;
}

/* "charset'language'text": takes the first two off. */
static struct span take_charset(struct span *value)
{
	ptrdiff_t one = span_find(*value, '\'');
	ptrdiff_t two = one < 0 ? -1 : find_from(*value, (size_t)one + 1, '\'');
	struct span charset = SPAN_NONE;

	if (two >= 0) {
		charset = span_sub(*value, 0, (size_t)one);
		*value = span_sub(*value, (size_t)two + 1, value->n);
	}
	return charset;
}

static void put_in_charset(struct span charset, struct span bytes, struct buf *out)
{
	if (!charset_to_utf8(charset, bytes, out))
		utf8_repair(bytes, out);
}

static const struct mime_param *find_section(const struct mime_param *params, size_t n,
					     struct span name, long want,
					     bool *ret_is_coded)
{
	for (size_t i = 0; i < n; i++) {
		if (section_number(params[i].name, name, ret_is_coded) == want)
			return &params[i];
	}
	return NULL;
}

/* name*0, name*1, ... (RFC 2231 sections 3 and 4.1) */
static bool put_sections(const struct mime_param *params, size_t n_params,
			 struct span name, struct buf *out)
{
	struct buf bytes = { 0 };
	struct span charset = SPAN_NONE;
	const struct mime_param *p;
	bool is_coded = false;
	long n = 0;

	for (; (p = find_section(params, n_params, name, n, &is_coded)); n++) {
		struct span value = p->value;

		if (n == 0 && is_coded)
			charset = take_charset(&value);
		if (is_coded)
			unhex(value, '%', false, &bytes);
		else
			buf_put(&bytes, value);
	}
	if (n > 0)
		put_in_charset(charset, buf_span(&bytes), out);
	buf_done(&bytes);
	return n > 0;
}

bool words_param(const struct mime_param *params, size_t n_params, struct span name,
		 struct buf *out)
{
	/* the extended forms first: they exist because the plain one loses */
	for (size_t i = 0; i < n_params; i++) {
		struct span pn = params[i].name;

		if (pn.n == name.n + 1 && span_istarts(pn, name) && pn.p[name.n] == '*') {
			struct span value = params[i].value;
			struct span charset = take_charset(&value);
			struct buf bytes = { 0 };

			unhex(value, '%', false, &bytes);
			put_in_charset(charset, buf_span(&bytes), out);
			buf_done(&bytes);
			return true;
		}
	}
	if (put_sections(params, n_params, name, out))
		return true;
	for (size_t i = 0; i < n_params; i++) {
		if (span_ieq(params[i].name, name)) {
			utf8_repair(params[i].value, out);
			return true;
		}
	}
	return false;
}

enum {
	WORD_BYTES = 36
}; /* of text: 60 characters, so a line of 76 has room for a name */

void words_encode(struct span utf8, const char *between, struct buf *out)
{
	while (utf8.n > 0) {
		size_t n = utf8.n < WORD_BYTES ? utf8.n : WORD_BYTES;

		while (n > 1 && n < utf8.n && ((unsigned char)utf8.p[n] & 0xc0) == 0x80)
			n--;
		buf_puts(out, "=?utf-8?B?");
		base64_encode(span_sub(utf8, 0, n), out);
		buf_puts(out, "?=");
		utf8 = span_sub(utf8, n, utf8.n);
		if (utf8.n > 0)
			buf_puts(out, between);
	}
}
