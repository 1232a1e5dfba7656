/*
 * What LMTP's lines and message text are made of, bytes to values, pure: paths and
 * parameters (RFC 5321 section 4.1.2 with RFC 6531 section 3.3), and where a message ends
 * (RFC 5321 section 4.5.2).
 */
#ifndef SERVER_LMTP_GRAMMAR_H
#define SERVER_LMTP_GRAMMAR_H

#include "base/arena.h"
#include "base/buf.h"

struct lmtp_address {
	struct span
	    text; /* "local@domain" as written, without a source route; empty: <> */
	struct span local;  /* its quotes and backslashes taken off */
	struct span domain; /* empty: there is none */
	bool has_utf8;	    /* beyond ASCII: needs SMTPUTF8 */
};

/*
 * "<path>" at the front of `rest`, which is moved behind it. A source route is read over
 * (RFC 5321 appendix C). Without a domain a path is fine too: whoever delivers to local
 * users need not make one up. `ret` points into `rest` and into `a`. False leaves both
 * as they were.
 */
bool lmtp_path(struct arena *a, struct span *rest, struct lmtp_address *ret);

/*
 * The next " KEY[=VALUE]" of `rest` (RFC 5321 section 4.1.2, esmtp-param); spaces at the
 * end are read over. Returns 1; 0 at the end; -1 for what is not one.
 */
int lmtp_param(struct span *rest, struct span *ret_key, struct span *ret_value);

/* A domain or an address literal, as LHLO tells it: nothing that could break a header. */
bool lmtp_is_host(struct span s);

/* "name+detail": `ret_detail` is empty, and `ret_base` is `local`, without a "+" behind
 * the first byte. */
void lmtp_split(struct span local, struct span *ret_base, struct span *ret_detail);

/*
 * The message text: takes the dots off that were doubled and finds the end, which is
 * CRLF "." CRLF and nothing else (RFC 5321 sections 2.3.8 and 4.1.1.4): a bare CR or LF
 * is a byte like any other and begins no line. `{0}` at the start.
 */
struct lmtp_dots {
	enum {
		LMTP_LINE, /* at the beginning of a line */
		LMTP_TEXT,
		LMTP_CR,
		LMTP_DOT, /* "." at the beginning of a line, held back; also ".\r" */
		LMTP_DOT_CR,
		LMTP_END,
	} at;
};
/* Appends text to `out`; returns how much of `in` was taken: all, or less if at the end.
 */
size_t lmtp_dots(struct lmtp_dots *d, struct span in, struct buf *out);

#endif
