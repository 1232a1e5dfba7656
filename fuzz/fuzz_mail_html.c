/* HTML seen through: the same however it is cut, and no longer than it may be. */
#include "fuzz_mail.h"

#include "mail/html.h"

static void see(struct span text, size_t cut, struct buf *out)
{
	struct html h;

	html_begin(&h);
	for (; text.n; text = span_sub(text, cut, text.n))
		html_feed(&h, span_sub(text, 0, cut), out);
	html_finish(&h, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = { 0 }, cut = { 0 };
	struct span text;

	if (size < 1)
		return 0;
	text = span_of(data + 1, size - 1);
	see(text, text.n, &whole);
	see(text, data[0] % 16u + 1, &cut);
	MUST(span_eq(buf_span(&whole), buf_span(&cut)));
	MUST(whole.n <= text.n); /* no reference is shorter than its character */
	buf_done(&whole);
	buf_done(&cut);
	return 0;
}
