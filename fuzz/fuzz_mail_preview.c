/* Previews: bounded, one line, UTF-8, whatever the part is. */
#include "fuzz_mail.h"

#include "mail/charset.h"
#include "mail/preview.h"
#include "mail/utf8.h"

/* The first bytes choose subtype, coding and charset. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const charsets[] = { "utf-8", "", "iso-8859-1",
						"iso-2022-jp" };
	struct summary_part p = { 0 };
	struct buf out = { 0 };
	struct span text;
	size_t chars = 0;
	uint32_t c;

	if (size < 2)
		return 0;
	p.subtype = data[0] & 1 ? SPAN("HTML") : SPAN("PLAIN");
	p.coding = (enum coding)(data[0] / 2 % (CODING_UNKNOWN + 1));
	p.charset = span_str(charsets[data[1] % 4]);
	p.body_end = size - 2 + (data[1] & 64);
	preview_make(&p, span_of(data + 2, size - 2), &out);
	text = buf_span(&out);
	MUST(utf8_is_valid(text));
	for (; text.n; chars++) {
		int n = utf8_take(text, &c);

		MUST(n > 0 && c >= ' ');
		text = span_sub(text, (size_t)n, text.n);
	}
	MUST(chars <= PREVIEW_CHARS);
	buf_done(&out);
	return 0;
}
