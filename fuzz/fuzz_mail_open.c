/* Summaries from a damaged disk: what opens can be walked. */
#include "fuzz_mail.h"

#include "mail/section.h"

static void walk(const struct summary *s)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->n_parts; i++) {
		struct summary_part p;
		struct buf spec = { 0 };
		struct section_range r;
		uint32_t path[] = { i % 7 + 1, i % 3 + 1, i % 2 + 1 };

		summary_part_get(s, i, &p);
		MUST(p.body_end <= s->size && p.body_start <= p.body_end);
		MUST(p.end > i && p.end <= s->n_parts);
		for (size_t k = 0; k < p.type.n; k++)
			sum += (unsigned char)p.type.p[k];
		for (size_t k = 0; k < p.charset.n; k++)
			sum += (unsigned char)p.charset.p[k];
		if (i < 50)
			section_print(s, i, &spec);
		buf_done(&spec);
		if (section_find(s, path, 1 + i % 3, (enum section_text)(i % 6), &r) ==
		    ERR_OK)
			MUST(r.start <= s->size && r.bytes <= s->size - r.start);
	}
	for (size_t k = 0; k < s->structure.n; k++)
		sum += (unsigned char)s->structure.p[k];
	MUST(sum < UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct summary s;

	if (summary_open(span_of(data, size), &s) == ERR_OK)
		walk(&s);
	return 0;
}
