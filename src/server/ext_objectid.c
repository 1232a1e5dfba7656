/*
 * OBJECTID (RFC 8474), SAVEDATE (RFC 8514) and PREVIEW (RFC 8970): items of FETCH, keys
 * of SEARCH, codes of CREATE and SELECT. The work is done where those are; here are the
 * identifiers and what is said of them.
 */
#include "server/object_id.h"

static void put_hex(struct buf *out, char kind, const uint8_t *id, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	buf_putc(out, kind);
	for (size_t i = 0; i < n; i++) {
		buf_putc(out, digits[id[i] >> 4]);
		buf_putc(out, digits[id[i] & 15]);
	}
}

void object_id_put(struct buf *out, char kind, const uint8_t id[16])
{
	buf_putc(out, '(');
	put_hex(out, kind, id, 16);
	buf_putc(out, ')');
}

struct span object_id_mailbox(struct arena *a, const uint8_t id[8])
{
	struct buf b = { 0 };
	struct span s;

	put_hex(&b, 'F', id, 8);
	s = arena_dup(a, buf_span(&b));
	buf_done(&b);
	return s;
}

/* Compared as given out: identifiers are case-sensitive (RFC 8474 section 4). */
static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool object_id_read(struct span text, char kind, uint8_t ret_id[16])
{
	if (text.n != 33 || text.p[0] != kind)
		return false;
	for (size_t i = 0; i < 16; i++) {
		int hi = digit(text.p[1 + 2 * i]), lo = digit(text.p[2 + 2 * i]);

		if (hi < 0 || lo < 0)
			return false;
		ret_id[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

const struct extension ext_objectid = {
	.name = "OBJECTID",
	.rfc = "RFC 8474",
	.about = "MAILBOXID, EMAILID and THREADID",
	.capability = "OBJECTID",
	.states = IN_LOGGED_IN,
};
const struct extension ext_savedate = {
	.name = "SAVEDATE",
	.rfc = "RFC 8514",
	.about = "when a message came into its mailbox",
	.capability = "SAVEDATE",
	.states = IN_LOGGED_IN,
};
const struct extension ext_preview = {
	.name = "PREVIEW",
	.rfc = "RFC 8970",
	.about = "what a message's text begins with",
	.capability = "PREVIEW",
	.states = IN_LOGGED_IN,
};
