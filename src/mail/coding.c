/* Transfer encodings, streaming (RFC 2045 section 6). */
#include "mail/coding.h"

static const struct {
	struct span name;
	enum coding coding;
} codings[] = {
	{ SPAN_INIT("7BIT"), CODING_7BIT },
	{ SPAN_INIT("8BIT"), CODING_8BIT },
	{ SPAN_INIT("BINARY"), CODING_BINARY },
	{ SPAN_INIT("BASE64"), CODING_BASE64 },
	{ SPAN_INIT("QUOTED-PRINTABLE"), CODING_QP },
};

enum coding coding_of(struct span token)
{
	if (token.n == 0)
		return CODING_7BIT;
	for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
		if (span_ieq(token, codings[i].name))
			return codings[i].coding;
	}
	return CODING_UNKNOWN;
}

struct span coding_name(enum coding c)
{
	for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
		if (codings[i].coding == c)
			return codings[i].name;
	}
	return SPAN("");
}

enum err decoder_init(struct decoder *d, enum coding c, bool crlf)
{
	if (c == CODING_UNKNOWN)
		return ERR_CODING;
	*d = (struct decoder){ .coding = c, .crlf = crlf };
	return ERR_OK;
}

/* Everything decoded leaves through here. */
static void put(struct decoder *d, struct span s, struct buf *out)
{
	if (!d->crlf) {
		buf_put(out, s);
		return;
	}
	while (s.n > 0) {
		ptrdiff_t nl = span_find(s, '\n');
		size_t n = nl < 0 ? s.n : (size_t)nl;
		bool is_after_cr = n > 0 ? s.p[n - 1] == '\r' : d->last_cr;

		buf_put(out, span_sub(s, 0, n));
		d->last_cr = is_after_cr;
		if (nl < 0)
			return;
		buf_puts(out, is_after_cr ? "\n" : "\r\n");
		d->last_cr = false;
		s = span_sub(s, n + 1, s.n);
	}
}

static int base64_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

static void base64_feed(struct decoder *d, struct span in, struct buf *out)
{
	char chunk[1024];
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		int v = base64_value((unsigned char)in.p[i]);

		if (v < 0) {
			/* "=" ends a quantum; its spare bits go. What follows is
			 * another run of base64, as some senders glue them. */
			if (in.p[i] == '=')
				d->n_bits = 0;
			continue;
		}
		d->bits = d->bits << 6 | (uint32_t)v;
		d->n_bits += 6;
		if (d->n_bits < 8)
			continue;
		d->n_bits -= 8;
		chunk[n++] = (char)(d->bits >> d->n_bits);
		if (n == sizeof chunk) {
			put(d, span_of(chunk, n), out);
			n = 0;
		}
	}
	put(d, span_of(chunk, n), out);
}

/* Space held back for a line end that may follow: more is no end of a line. */
#define HELD_MAX 1000

enum qp_state {
	QP_TEXT,
	QP_EQUAL,	/* "=" */
	QP_HEX,		/* "=X" */
	QP_EQUAL_SPACE, /* "=" and space, which a line end may follow */
	QP_EQUAL_CR,	/* "=", maybe space, and CR */
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void put_held(struct decoder *d, struct buf *out)
{
	put(d, buf_span(&d->held), out);
	buf_clear(&d->held);
}

/* What began with "=" was no code: it stands for itself (RFC 2045 section 6.7). */
static void put_failed(struct decoder *d, struct buf *out)
{
	put(d, SPAN("="), out);
	if (d->state == QP_HEX)
		put(d, span_of(&d->first, 1), out);
	put_held(d, out);
	if (d->state == QP_EQUAL_CR)
		buf_putc(&d->held, '\r');
	d->state = QP_TEXT;
}

/* Text up to the next "=", space or line end goes out at once. */
static size_t plain_bytes(struct span in)
{
	size_t n = 0;

	while (n < in.n && in.p[n] != '=' && in.p[n] != ' ' && in.p[n] != '\t' &&
	       in.p[n] != '\r' && in.p[n] != '\n')
		n++;
	return n;
}

static void qp_text(struct decoder *d, char c, struct buf *out)
{
	bool has_cr = d->held.n > 0 && buf_span(&d->held).p[d->held.n - 1] == '\r';

	if (c == '\n') {
		/* space before a line end was added on the way (rule 3) */
		buf_clear(&d->held);
		put(d, has_cr ? SPAN("\r\n") : SPAN("\n"), out);
		return;
	}
	if (has_cr)
		put_held(d, out);
	if ((c == ' ' || c == '\t' || c == '\r') && d->held.n < HELD_MAX) {
		buf_putc(&d->held, c);
		return;
	}
	put_held(d, out);
	if (c == '=')
		d->state = QP_EQUAL;
	else
		put(d, span_of(&c, 1), out);
}

/* A byte behind "="; false when it is to be read again as text. */
static bool qp_code(struct decoder *d, char c, struct buf *out)
{
	bool is_space = c == ' ' || c == '\t';

	if (d->state == QP_EQUAL && hex_value(c) >= 0) {
		d->first = c;
		d->state = QP_HEX;
		return true;
	}
	if (d->state == QP_HEX && hex_value(c) >= 0) {
		char byte = (char)(hex_value(d->first) << 4 | hex_value(c));

		put(d, span_of(&byte, 1), out);
		d->state = QP_TEXT;
		return true;
	}
	if (d->state == QP_HEX || (d->state == QP_EQUAL_CR && c != '\n') ||
	    d->held.n >= HELD_MAX || (c != '\n' && c != '\r' && !is_space)) {
		put_failed(d, out);
		return false;
	}
	if (c == '\n') { /* a soft line break */
		buf_clear(&d->held);
		d->state = QP_TEXT;
	} else if (c == '\r') {
		d->state = QP_EQUAL_CR;
	} else {
		buf_putc(&d->held, c);
		d->state = QP_EQUAL_SPACE;
	}
	return true;
}

static void qp_feed(struct decoder *d, struct span in, struct buf *out)
{
	size_t i = 0;

	while (i < in.n) {
		if (d->state == QP_TEXT && d->held.n == 0) {
			size_t n = plain_bytes(span_sub(in, i, in.n));

			put(d, span_sub(in, i, n), out);
			i += n;
			if (i == in.n)
				return;
		}
		if (d->state == QP_TEXT)
			qp_text(d, in.p[i++], out);
		else if (qp_code(d, in.p[i], out))
			i++;
	}
}

void decoder_feed(struct decoder *d, struct span in, struct buf *out)
{
	if (d->coding == CODING_BASE64)
		base64_feed(d, in, out);
	else if (d->coding == CODING_QP)
		qp_feed(d, in, out);
	else
		put(d, in, out);
}

void decoder_finish(struct decoder *d, struct buf *out)
{
	bool has_cr = d->held.n > 0 && buf_span(&d->held).p[d->held.n - 1] == '\r';

	/* "=" at the very end is a soft line break; space there ends a line */
	if (d->state == QP_HEX)
		put_failed(d, out);
	else if (d->state == QP_TEXT && has_cr)
		put(d, SPAN("\r"), out);
	buf_clear(&d->held);
	d->state = QP_TEXT;
	d->n_bits = 0;
	d->last_cr = false;
}

void decoder_done(struct decoder *d)
{
	buf_done(&d->held);
}
