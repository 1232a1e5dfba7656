/* What clients without UTF-8 are shown: header blocks, ENVELOPE, BODYSTRUCTURE. */
#include "fuzz_mail.h"

#include "mail/charset.h"
#include "mail/downgrade.h"
#include "mail/summary.h"
#include "mail/utf8.h"

static bool is_ascii(const struct buf *b)
{
	return utf8_ascii_bytes(buf_span(b)) == b->n;
}

/* Of a summary it is ASCII afterwards. */
static void check(struct span wire, bool (*downgrade)(struct span, struct buf *))
{
	struct buf out = { 0 };

	if (downgrade(wire, &out))
		MUST(is_ascii(&out) || !utf8_is_valid(wire));
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct summary_scanner *scanner = summary_scanner_new();
	struct buf out = { 0 }, again = { 0 };
	struct summary s;

	/* nothing is left to do a second time */
	if (downgrade_header(in, &out))
		MUST(!downgrade_header(buf_span(&out), &again));
	buf_clear(&out);
	downgrade_envelope(in, &out);
	downgrade_structure(in, &out);
	buf_clear(&out);
	summary_scanner_feed(scanner, in);
	summary_scanner_finish(scanner, &out);
	MUST(summary_open(buf_span(&out), &s) == ERR_OK);
	check(s.envelope, downgrade_envelope);
	check(s.structure, downgrade_structure);
	check(s.structure_rev1, downgrade_structure);
	summary_scanner_free(scanner);
	buf_done(&out);
	buf_done(&again);
	return 0;
}
