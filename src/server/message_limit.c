/* MESSAGELIMIT (RFC 9738). */
#include "server/message_limit.h"

#include "server/reply.h"

static uint32_t limit_of(const struct cmd *cmd)
{
	return cmd->session->who.is_operator ? 0 : cmd->server->config.limits.messages;
}

/* The lowest of the newest that may be touched; 0 when all may. */
static uint32_t lowest(const struct cmd *cmd, const struct numset *uids)
{
	uint64_t n = numset_count(uids), limit = limit_of(cmd);
	uint32_t uid = 0;

	if (limit && n > limit)
		numset_select(uids, n - limit, &uid);
	return uid;
}

void message_limit(struct cmd *cmd, struct numset *uids)
{
	uint32_t uid = lowest(cmd, uids);

	if (!uid)
		return;
	numset_remove_range(uids, 0, uid - 1);
	cmd->limit_lowest = uid;
}

bool message_limit_refuses(struct cmd *cmd, uint64_t n, const struct numset *uids)
{
	uint32_t limit = limit_of(cmd);
	const char *code;

	if (!limit || n <= limit)
		return false;
	code = uids ? arena_printf(cmd->arena, "MESSAGELIMIT %u %u", limit,
				   lowest(cmd, uids))
		    : arena_printf(cmd->arena, "MESSAGELIMIT %u", limit);
	reply_no(cmd, code, "These are too many messages for one command.");
	return true;
}

const char *message_limit_code(struct cmd *cmd)
{
	if (!cmd->limit_lowest)
		return NULL;
	return arena_printf(cmd->arena, "MESSAGELIMIT %u %u", limit_of(cmd),
			    cmd->limit_lowest);
}

static void offer(const struct conn *c, unsigned state, struct buf *out)
{
	unsigned limit = c->server->config.limits.messages;

	if (limit && (state & IN_LOGGED_IN))
		buf_printf(out, " MESSAGELIMIT=%u", limit);
}

const struct extension ext_messagelimit = {
	.name = "MESSAGELIMIT",
	.rfc = "RFC 9738",
	.about = "how many messages a command may touch, if the operator says so",
	.offer = offer,
};
