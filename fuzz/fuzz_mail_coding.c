/* Decoders, charsets and matching: cuts change nothing. The first bytes choose. */
#include "fuzz_mail.h"

#include "mail/charset.h"
#include "mail/match.h"

static void decode(enum coding c, bool crlf, struct span in, bool is_cut, struct buf *out)
{
	struct decoder d;

	MUST(decoder_init(&d, c, crlf) == ERR_OK);
	for (size_t at = 0; at < in.n;) {
		size_t n = is_cut ? next_cut((const uint8_t *)in.p, in.n, at) : in.n;

		decoder_feed(&d, span_sub(in, at, n), out);
		at += n;
	}
	decoder_finish(&d, out);
	decoder_done(&d);
}

static void convert(struct span name, struct span in, bool is_cut, struct buf *out)
{
	struct charset *c = charset_new(name);

	MUST(c != NULL);
	for (size_t at = 0; at < in.n;) {
		size_t n = is_cut ? next_cut((const uint8_t *)in.p, in.n, at) : in.n;

		charset_feed(c, span_sub(in, at, n), out);
		at += n;
	}
	charset_finish(c, out);
	charset_free(c);
}

static void check_match(struct span text, const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(NULL);
	struct match_needle *n = match_needle_new(a, comparator_default(),
						  span_of(data, size < 3 ? size : 3));
	struct match m = { 0 };
	bool found = match_text(n, text);

	match_begin(&m, n);
	for (size_t at = 0; at < text.n; at++)
		match_feed(&m, span_sub(text, at, 1));
	MUST(match_finish(&m) == found);
	match_done(&m);
	arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct span names[] = {
		SPAN_INIT("utf-8"),  SPAN_INIT("iso-8859-1"), SPAN_INIT("windows-1252"),
		SPAN_INIT("gb2312"), SPAN_INIT("shift_jis"),  SPAN_INIT("euc-kr"),
		SPAN_INIT("big5"),   SPAN_INIT("koi8-r"),
	};
	struct buf whole = { 0 }, cut = { 0 }, text = { 0 };
	struct span in, name;
	enum coding c;

	if (size < 2)
		return 0;
	c = (enum coding)(data[0] % CODING_UNKNOWN);
	name = names[data[1] % (sizeof names / sizeof *names)];
	in = span_of(data + 2, size - 2);
	decode(c, data[0] & 0x80, in, false, &whole);
	decode(c, data[0] & 0x80, in, true, &cut);
	MUST(span_eq(buf_span(&whole), buf_span(&cut)));
	buf_clear(&cut);
	convert(name, buf_span(&whole), false, &text);
	convert(name, buf_span(&whole), true, &cut);
	MUST(span_eq(buf_span(&text), buf_span(&cut)));
	MUST(utf8_is_valid(buf_span(&text)));
	check_match(buf_span(&text), data, size);
	check_match(in, data + size / 2, size - size / 2);
	buf_done(&whole);
	buf_done(&cut);
	buf_done(&text);
	return 0;
}
