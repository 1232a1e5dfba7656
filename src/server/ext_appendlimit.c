/*
 * APPENDLIMIT (RFC 7889): the largest message, for all mailboxes of a user the same. It
 * is the server's, or the user's own; so the capability has the number of who is logged
 * in, and no number before.
 */
#include "server/append_limit.h"

#include "server/command.h"
#include "store/attrs.h"

uint64_t append_limit(const struct session *s)
{
	const struct attr_key key = { .kind = ATTR_LIMIT, .name = SPAN("APPENDLIMIT") };
	uint64_t limit = s->conn->server->config.limits.message_bytes, own;
	const struct attrs *now;
	const struct attr *a;

	if (!s->account)
		return limit;
	if (s->who.is_operator) /* mail that was kept elsewhere is kept here */
		return INT64_MAX;
	now = account_attrs_now(s->account);
	a = attrs_find(now, &key);
	if (a && span_u64(a->value, UINT32_MAX, &own) && own < limit)
		limit = own;
	attrs_unref(now);
	return limit;
}

static void offer(const struct conn *c, unsigned state, struct buf *out)
{
	if (state & IN_LOGGED_IN)
		buf_printf(out, " APPENDLIMIT=%llu",
			   (unsigned long long)append_limit(c->session));
}

const struct extension ext_appendlimit = {
	.name = "APPENDLIMIT",
	.rfc = "RFC 7889",
	.about = "the largest message, of the server and of a user",
	.offer = offer,
};
