/* IMAP URLs (RFC 5092 section 11). */
#include "wire/url.h"

struct reader {
	struct arena *arena;
	struct span in; /* what is left */
	bool bad;
};

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoding. NUL, CR and LF are in nothing that a URL may name. */
static struct span decode(struct reader *r, struct span s)
{
	char *to = arena_alloc(r->arena, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '%') {
			int hi = i + 2 < s.n ? hex(s.p[i + 1]) : -1;
			int lo = i + 2 < s.n ? hex(s.p[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				r->bad = true;
			else
				c = (unsigned char)(hi << 4 | lo);
			i += 2;
		} else if (c <= ' ' || c >= 0x7f) {
			r->bad = true;
		}
		if (c == 0 || c == '\r' || c == '\n')
			r->bad = true;
		to[n++] = (char)c;
	}
	return r->bad ? SPAN_NONE : span_of(to, n);
}

static bool try_text(struct reader *r, const char *word)
{
	if (r->bad || !span_istarts(r->in, span_str(word)))
		return false;
	r->in = span_sub(r->in, strlen(word), r->in.n);
	return true;
}

/* Up to the first of `stops`, at least one byte. */
static struct span until(struct reader *r, const char *stops)
{
	size_t n = 0;
	struct span got;

	while (n < r->in.n && !strchr(stops, r->in.p[n]))
		n++;
	got = span_sub(r->in, 0, n);
	r->in = span_sub(r->in, n, r->in.n);
	r->bad |= n == 0;
	return got;
}

static uint64_t number(struct reader *r, uint64_t least, uint64_t most)
{
	uint64_t v = 0;
	size_t n = 0;

	while (n < r->in.n && r->in.p[n] >= '0' && r->in.p[n] <= '9')
		n++;
	if (!span_u64(span_sub(r->in, 0, n), most, &v) || v < least)
		r->bad = true;
	r->in = span_sub(r->in, n, r->in.n);
	return v;
}

/* ---- the parts ---- */

/* iserver: [user [";AUTH=" type] "@"] host [":" port] */
static void server(struct reader *r, struct wire_url *u)
{
	struct span all = until(r, "/?");
	ptrdiff_t at = span_find(all, '@');

	if (at >= 0) {
		struct span user = span_sub(all, 0, (size_t)at);
		ptrdiff_t auth = span_find(user, ';');

		if (auth >= 0)
			user.n = (size_t)auth;
		if (user.n)
			u->user = decode(r, user);
		all = span_sub(all, (size_t)at + 1, all.n);
	}
	u->host = all;
	r->bad |= all.n == 0;
}

/* enc-mailbox [";UIDVALIDITY=" number], up to the "/" before ";UID=" */
static void mailbox(struct reader *r, struct wire_url *u)
{
	struct span name = until(r, ";?");

	if (r->bad)
		return;
	if (name.n > 1 && name.p[name.n - 1] == '/' &&
	    !span_istarts(r->in, SPAN(";UIDV"))) {
		name.n--;
		r->in = span_of(r->in.p - 1, r->in.n + 1);
	}
	u->mailbox = decode(r, name);
	if (!r->bad && !wire_is_utf8(u->mailbox))
		r->bad = true;
	if (try_text(r, ";UIDVALIDITY="))
		u->uidvalidity = (uint32_t)number(r, 1, UINT32_MAX);
}

static void section(struct reader *r, struct wire_url *u)
{
	struct span text = decode(r, until(r, ";"));
	struct buf b = { 0 };
	struct cursor c;

	if (r->bad)
		return;
	/* the "/" before ;PARTIAL belongs to the path */
	if (text.p[text.n - 1] == '/') {
		text.n--;
		r->in = span_of(r->in.p - 1, r->in.n + 1);
	}
	buf_putc(&b, '[');
	buf_put(&b, text);
	buf_putc(&b, ']');
	c = cursor_of(arena_dup(r->arena, buf_span(&b)), true, r->arena);
	buf_done(&b);
	if (!cursor_section(&c, false, &u->section) || !cursor_rest_empty(&c))
		r->bad = true;
}

static void partial(struct reader *r, struct wire_url *u)
{
	u->has_partial = true;
	u->offset = number(r, 0, INT64_MAX);
	if (try_text(r, "."))
		u->bytes = number(r, 1, INT64_MAX);
}

/* date-time of RFC 3339: 2002-05-30T00:00:00Z, or with +01:00 */
static void expire(struct reader *r, struct wire_url *u)
{
	static const uint16_t before[] = { 0,	31,  59,  90,  120, 151,
					   181, 212, 243, 273, 304, 334 };
	int64_t y, mo, d, h, mi, s, days;

	u->has_expire = true;
	y = (int64_t)number(r, 1970, 9999);
	r->bad |= !try_text(r, "-");
	mo = (int64_t)number(r, 1, 12);
	r->bad |= !try_text(r, "-");
	d = (int64_t)number(r, 1, 31);
	r->bad |= !try_text(r, "T");
	h = (int64_t)number(r, 0, 23);
	r->bad |= !try_text(r, ":");
	mi = (int64_t)number(r, 0, 59);
	r->bad |= !try_text(r, ":");
	s = (int64_t)number(r, 0, 60);
	if (try_text(r, "."))
		number(r, 0, INT64_MAX);
	if (r->bad)
		return;
	days = (y - 1970) * 365 + (y - 1969) / 4 - (y - 1901) / 100 + (y - 1601) / 400;
	days += before[mo - 1] + d - 1;
	days += mo > 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0);
	u->expire = days * 86400 + h * 3600 + mi * 60 + s;
	if (try_text(r, "Z"))
		return;
	s = try_text(r, "+") ? -1 : try_text(r, "-") ? 1 : 0;
	h = (int64_t)number(r, 0, 23);
	r->bad |= s == 0 || !try_text(r, ":");
	u->expire += s * (h * 3600 + (int64_t)number(r, 0, 59) * 60);
}

static void urlauth(struct reader *r, struct span all, struct wire_url *u)
{
	if (try_text(r, "submit+")) {
		u->access = URL_SUBMIT;
		u->access_user = decode(r, until(r, ":;/"));
	} else if (try_text(r, "user+")) {
		u->access = URL_USER;
		u->access_user = decode(r, until(r, ":;/"));
	} else if (try_text(r, "authuser")) {
		u->access = URL_AUTHUSER;
	} else if (try_text(r, "anonymous")) {
		u->access = URL_ANONYMOUS;
	} else {
		r->bad = true;
	}
	u->rump = span_sub(all, 0, all.n - r->in.n);
	if (try_text(r, ":")) {
		u->mechanism = until(r, ":");
		r->bad |= !try_text(r, ":");
		u->token = until(r, ";/:");
	}
}

bool wire_url_parse(struct arena *a, struct span text, struct wire_url *ret)
{
	struct reader r = { .arena = a, .in = text };
	struct wire_url u = { 0 };

	if (text.n == 0 || text.n > WIRE_URL_MAX)
		return false;
	if (try_text(&r, "imap://") || try_text(&r, "//")) {
		u.is_absolute = true;
		server(&r, &u);
	}
	u.is_rooted = try_text(&r, "/");
	if (u.is_absolute && !u.is_rooted)
		return false;
	/* path-noscheme of RFC 3986: else it would be another scheme */
	if (!u.is_rooted && !u.is_absolute) {
		ptrdiff_t colon = span_find(r.in, ':'), slash = span_find(r.in, '/');

		if (colon >= 0 && r.in.p[0] != ';' && (slash < 0 || colon < slash))
			return false;
	}
	if (r.in.n && r.in.p[0] != ';')
		mailbox(&r, &u);
	if (u.mailbox.p && !try_text(&r, "/"))
		return false;
	if (r.bad || (u.is_rooted && !u.mailbox.p) || !try_text(&r, ";UID="))
		return false;
	u.uid = (uint32_t)number(&r, 1, UINT32_MAX);
	if (try_text(&r, "/;SECTION="))
		section(&r, &u);
	if (try_text(&r, "/;PARTIAL="))
		partial(&r, &u);
	if (try_text(&r, ";EXPIRE="))
		expire(&r, &u);
	if (try_text(&r, ";URLAUTH="))
		urlauth(&r, text, &u);
	if (r.bad || r.in.n || (u.has_expire && !u.access))
		return false;
	*ret = u;
	return true;
}
