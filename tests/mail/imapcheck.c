/* The grammar of ENVELOPE and BODYSTRUCTURE (RFC 9051 section 9), read strictly. */
#include "imapcheck.h"

#define DEPTH 300

struct reader {
	struct span in;
	bool is_extended;
	int depth;
};

static bool take(struct reader *r, const char *text)
{
	struct span s = span_str(text);

	if (!span_starts(r->in, s))
		return false;
	r->in = span_sub(r->in, s.n, r->in.n);
	return true;
}

static bool next_is(const struct reader *r, char c)
{
	return r->in.n > 0 && r->in.p[0] == c;
}

static bool number(struct reader *r, uint64_t *ret)
{
	size_t n = 0;

	while (n < r->in.n && r->in.p[n] >= '0' && r->in.p[n] <= '9')
		n++;
	if (!span_u64(span_sub(r->in, 0, n), INT64_MAX, ret))
		return false;
	r->in = span_sub(r->in, n, r->in.n);
	return true;
}

static bool quoted(struct reader *r)
{
	if (!take(r, "\""))
		return false;
	while (r->in.n > 0) {
		unsigned char c = (unsigned char)r->in.p[0];

		r->in = span_sub(r->in, 1, r->in.n);
		if (c == '"')
			return true;
		if (c == '\\') {
			if (!next_is(r, '"') && !next_is(r, '\\'))
				return false;
			r->in = span_sub(r->in, 1, r->in.n);
		} else if (c == 0 || c == '\r' || c == '\n' || c >= 0x80) {
			return false;
		}
	}
	return false;
}

static bool literal(struct reader *r)
{
	uint64_t n;

	if (!take(r, "{") || !number(r, &n) || !take(r, "}\r\n") || n > r->in.n)
		return false;
	if (n > 0 && memchr(r->in.p, 0, (size_t)n))
		return false;
	r->in = span_sub(r->in, (size_t)n, r->in.n);
	return true;
}

static bool string(struct reader *r)
{
	return next_is(r, '{') ? literal(r) : quoted(r);
}

static bool nstring(struct reader *r)
{
	return take(r, "NIL") || string(r);
}

static bool sp_nstring(struct reader *r)
{
	return take(r, " ") && nstring(r);
}

static bool sp_number(struct reader *r)
{
	uint64_t n;

	return take(r, " ") && number(r, &n);
}

static bool address(struct reader *r)
{
	return take(r, "(") && nstring(r) && sp_nstring(r) && sp_nstring(r) &&
	       sp_nstring(r) && take(r, ")");
}

static bool sp_addresses(struct reader *r)
{
	if (!take(r, " "))
		return false;
	if (take(r, "NIL"))
		return true;
	if (!take(r, "(") || !address(r))
		return false;
	while (next_is(r, '(')) {
		if (!address(r))
			return false;
	}
	return take(r, ")");
}

static bool envelope(struct reader *r)
{
	if (!take(r, "(") || !nstring(r) || !sp_nstring(r))
		return false;
	for (int i = 0; i < 6; i++) {
		if (!sp_addresses(r))
			return false;
	}
	return sp_nstring(r) && sp_nstring(r) && take(r, ")");
}

static bool params(struct reader *r)
{
	if (take(r, "NIL"))
		return true;
	if (!take(r, "("))
		return false;
	do {
		if (!string(r) || !take(r, " ") || !string(r))
			return false;
	} while (take(r, " "));
	return take(r, ")");
}

/* body-fld-dsp, body-fld-lang, body-fld-loc */
static bool extras(struct reader *r)
{
	if (!take(r, " "))
		return false;
	if (!take(r, "NIL") &&
	    !(take(r, "(") && string(r) && take(r, " ") && params(r) && take(r, ")")))
		return false;
	if (!take(r, " "))
		return false;
	if (take(r, "(")) {
		do {
			if (!string(r))
				return false;
		} while (take(r, " "));
		if (!take(r, ")"))
			return false;
	} else if (!nstring(r)) {
		return false;
	}
	return sp_nstring(r);
}

static bool body(struct reader *r);

static bool multipart(struct reader *r)
{
	while (next_is(r, '(')) {
		if (!body(r))
			return false;
	}
	if (!take(r, " ") || !string(r))
		return false;
	return !r->is_extended || (take(r, " ") && params(r) && extras(r));
}

static bool one_part(struct reader *r)
{
	bool is_text = span_starts(r->in, SPAN("\"TEXT\" "));
	bool is_message = span_starts(r->in, SPAN("\"MESSAGE\" \"RFC822\" ")) ||
			  span_starts(r->in, SPAN("\"MESSAGE\" \"GLOBAL\" "));

	if (!string(r) || !take(r, " ") || !string(r) || !take(r, " ") || !params(r))
		return false;
	if (!sp_nstring(r) || !sp_nstring(r) || !take(r, " ") || !string(r) ||
	    !sp_number(r))
		return false;
	if (is_message && !(take(r, " ") && envelope(r) && take(r, " ") && body(r)))
		return false;
	if ((is_message || is_text) && !sp_number(r))
		return false;
	return !r->is_extended || (sp_nstring(r) && extras(r));
}

static bool body(struct reader *r)
{
	bool is_good;

	if (++r->depth > DEPTH || !take(r, "("))
		return false;
	is_good = next_is(r, '(') ? multipart(r) : one_part(r);
	r->depth--;
	return is_good && take(r, ")");
}

bool imapcheck_envelope(struct span s)
{
	struct reader r = { .in = s };

	return envelope(&r) && r.in.n == 0;
}

bool imapcheck_body(struct span s, bool is_extended)
{
	struct reader r = { .in = s, .is_extended = is_extended };

	return body(&r) && r.in.n == 0;
}
