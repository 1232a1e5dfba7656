/*
 * Content-transfer-encodings (RFC 2045 section 6), streaming, for BINARY
 * (RFC 9051 section 6.4.5, RFC 3516) and for search.
 *
 * Forgiving, as mail readers are, since the sender cannot be asked again:
 * base64 skips bytes outside its alphabet (RFC 2045 section 6.8 says so),
 * ends at padding that completes a quantum and starts afresh behind it,
 * and drops bits that make no whole byte. Quoted-printable keeps an "=" that
 * no two hex digits or line end follow (RFC 2045 section 6.7 note 2), takes
 * lower-case hex digits, and drops space before a line end. Decoding never
 * fails; only an unknown coding does.
 */
#ifndef MAIL_CODING_H
#define MAIL_CODING_H

#include "base/buf.h"
#include "base/err.h"

enum coding {
	CODING_7BIT,
	CODING_8BIT,
	CODING_BINARY,
	CODING_BASE64,
	CODING_QP,
	CODING_UNKNOWN,
};

/* The token of a Content-Transfer-Encoding field; empty is 7bit (RFC 2045 section 6.1).
 */
enum coding coding_of(struct span token);
/* "7BIT", "QUOTED-PRINTABLE", ...; "" for CODING_UNKNOWN. */
struct span coding_name(enum coding c);

struct decoder {
	enum coding coding;
	bool crlf;	 /* turn bare LF of the output into CRLF */
	bool last_cr;	 /* the last byte out was CR */
	uint32_t bits;	 /* base64: bits not given out yet */
	unsigned n_bits; /* base64: how many, 0..7 */
	unsigned state;	 /* quoted-printable: "=", "=X" or "=<CR>" seen */
	char first;	 /* quoted-printable: X of "=X" */
	struct buf held; /* quoted-printable: space that may end a line */
};

/*
 * Sets up a decoder in place. With `crlf` bare LFs become CRLF: what BINARY
 * wants for text (RFC 9051 section 7.5.2). ERR_CODING for CODING_UNKNOWN (the
 * caller answers NO [UNKNOWN-CTE]); nothing to release then.
 */
enum err decoder_init(struct decoder *d, enum coding c, bool crlf);
/* Appends what `in` decodes to, as far as it is certain. */
void decoder_feed(struct decoder *d, struct span in, struct buf *out);
/* Appends the rest; the decoder may be fed anew afterwards. */
void decoder_finish(struct decoder *d, struct buf *out);
void decoder_done(struct decoder *d);

#endif
