/*
 * COMPRESS=DEFLATE (RFC 4978). The layer is the connection's, and it is the session that
 * asked for it: UNAUTHENTICATE takes it off at the byte (RFC 8437 section 4.1), and the
 * next user may ask again.
 */
#include <string.h>

#include "server/reply.h"

static bool is_active(const struct conn *c)
{
	return strcmp(net_layer_top(c->net), "deflate") == 0;
}

static void offer(const struct conn *c, unsigned state, struct buf *out)
{
	if ((state & IN_LOGGED_IN) && !is_active(c))
		buf_puts(out, " COMPRESS=DEFLATE");
}

static enum verdict run(struct cmd *cmd)
{
	struct span algorithm;

	cursor_sp(&cmd->cur);
	algorithm = cursor_atom(&cmd->cur);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!span_ieq(algorithm, SPAN("DEFLATE")))
		return reply_bad(cmd, "Only DEFLATE is known here.");
	/* Section 3: BAD. TLS never compresses here, so no other layer does (NO). */
	if (is_active(cmd->conn))
		return reply_bad_code(cmd, "COMPRESSIONACTIVE",
				      "Compression is active already.");
	cmd->plan = (struct switch_plan){ .push_deflate = true };
	reply_ok(cmd, NULL, "Compression begins behind this line.");
	return CMD_SWITCH;
}

static const struct command commands[] = {
	{ "COMPRESS", IN_LOGGED_IN, 0, run },
	{ 0 },
};
const struct extension ext_compress = {
	.name = "COMPRESS=DEFLATE",
	.rfc = "RFC 4978",
	.about = "both directions deflated, until UNAUTHENTICATE",
	.offer = offer,
	.commands = commands,
};
