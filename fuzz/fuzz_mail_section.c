/* Header fields: filter and its opposite part the block between them. */
#include "fuzz_mail.h"

#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span names[] = { SPAN("From"), SPAN("x") };
	struct span block = span_of(data, size);
	struct buf in = { 0 }, out = { 0 }, again = { 0 }, flat = { 0 };
	struct header_field f;
	size_t total = 0, n_in = 0;

	header_filter(block, names, 2, false, &in);
	header_filter(block, names, 2, true, &out);
	header_filter(buf_span(&in), names, 2, false, &again);
	MUST(span_eq(buf_span(&in), buf_span(&again)));
	for (struct header_iter it = header_iter(block); header_next(&it, &f);) {
		MUST(f.name.n > 0);
		MUST(f.whole.p >= block.p && f.whole.p + f.whole.n <= block.p + block.n);
		total += f.whole.n;
		n_in += span_ieq(f.name, names[0]) || span_ieq(f.name, names[1]);
		buf_clear(&flat);
		header_unfold(f.value, &flat);
		MUST(span_find(buf_span(&flat), '\n') < 0);
	}
	MUST(total <= size);
	for (struct header_iter it = header_iter(buf_span(&in)); header_next(&it, &f);)
		n_in--;
	/* a mark counts at the start alone, and after filtering that is another place */
	if (!memmem(data, size, HEADER_BOM, 3)) {
		MUST(n_in == 0);
		for (struct header_iter it = header_iter(buf_span(&out));
		     header_next(&it, &f);)
			MUST(!span_ieq(f.name, names[0]) && !span_ieq(f.name, names[1]));
	}
	buf_done(&in);
	buf_done(&out);
	buf_done(&again);
	buf_done(&flat);
	return 0;
}
