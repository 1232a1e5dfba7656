/* The scanner: cuts change nothing, the summary opens, its wire forms are valid IMAP. */
#include "fuzz_mail.h"

#include "../tests/mail/imapcheck.c"
#include "mail/section.h"

static void check_sections(const struct summary *s)
{
	for (uint32_t i = 0; i < s->n_parts; i++) {
		struct buf spec = { 0 };
		struct summary_part p;

		summary_part_get(s, i, &p);
		section_print(s, i, &spec);
		buf_done(&spec);
		MUST(p.header_start <= p.body_start && p.body_start <= p.body_end);
		MUST(p.kind != PART_LEAF || summary_part_child(s, i) == SUMMARY_NO_PART);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct summary_scanner *scanner = summary_scanner_new();
	struct buf whole = { 0 }, cut = { 0 }, bytes = { 0 };
	struct summary s;

	summary_scanner_feed(scanner, span_of(data, size));
	summary_scanner_finish(scanner, &whole);
	for (size_t at = 0; at < size;) {
		size_t n = next_cut(data, size, at);

		summary_scanner_feed(scanner, span_sub(span_of(data, size), at, n));
		at += n;
	}
	summary_scanner_finish(scanner, &cut);
	for (size_t at = 0; at < size; at++)
		summary_scanner_feed(scanner, span_of(data + at, 1));
	summary_scanner_finish(scanner, &bytes);
	summary_scanner_free(scanner);
	MUST(span_eq(buf_span(&whole), buf_span(&cut)));
	MUST(span_eq(buf_span(&whole), buf_span(&bytes)));
	MUST(summary_open(buf_span(&whole), &s) == ERR_OK);
	MUST(s.size == size);
	MUST(imapcheck_envelope(s.envelope));
	MUST(imapcheck_body(s.body, false));
	MUST(imapcheck_body(s.structure, true));
	check_sections(&s);
	buf_done(&whole);
	buf_done(&cut);
	buf_done(&bytes);
	return 0;
}
