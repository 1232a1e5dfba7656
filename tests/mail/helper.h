/* What the mail tests share. */
#ifndef TEST_MAIL_HELPER_H
#define TEST_MAIL_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "mail/summary.h"

static inline void assert_span(struct span got, const char *want)
{
	if (!span_eq(got, span_str(want)))
		fail_msg("got \"%.*s\"\nwant \"%s\"", (int)got.n, got.p, want);
}

static inline void assert_buf(struct buf *got, const char *want)
{
	assert_span(buf_span(got), want);
	buf_done(got);
}

/* A scanned message; `blob` must be released. */
struct scanned {
	struct buf blob;
	struct summary s;
};

static inline struct scanned scan(struct span message)
{
	struct scanned r = { 0 };
	struct summary_scanner *scanner = summary_scanner_new();

	summary_scanner_feed(scanner, message);
	summary_scanner_finish(scanner, &r.blob);
	summary_scanner_free(scanner);
	assert_int_equal(summary_open(buf_span(&r.blob), &r.s), ERR_OK);
	return r;
}

#endif
