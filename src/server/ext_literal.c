/* Non-synchronizing literals (RFC 7888): up to 4096 bytes before login, any after. */
#include "server/command.h"

static void offer(const struct conn *c, unsigned state, struct buf *out)
{
	buf_puts(out, state & IN_NOT_AUTH ? " LITERAL-" : " LITERAL+");
}

const struct extension ext_literal = {
	.name = "LITERAL-, LITERAL+",
	.rfc = "RFC 7888",
	.about = "literals without a round trip: small ones before login, all after it",
	.offer = offer,
};
