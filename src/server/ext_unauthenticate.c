/*
 * UNAUTHENTICATE (RFC 8437): back to not authenticated state over the same
 * connection. The session object is replaced as a whole by conn.c, so there is
 * nothing here to reset and nothing to forget.
 *
 * Never answered with NO (section 3); what cannot be done is BYE. It is offered to
 * a login whose authcid passed the listener's gate (section 8; decision D10),
 * and BAD to any other.
 */
#include "base/clock.h"
#include "server/capability.h"
#include "server/reply.h"

#include "auth/auth.h"

static void offer(const struct conn *c, unsigned state, struct buf *out)
{
	if ((state & IN_LOGGED_IN) && c->session->may_unauthenticate)
		buf_puts(out, " UNAUTHENTICATE");
}

static enum verdict refuse(struct cmd *cmd, const char *why)
{
	untagged_bye(cmd, why);
	return CMD_CLOSE;
}

/* How long until the next switch is within the rate (D9); 0: now. */
static uint64_t switch_delay_ms(struct conn *c)
{
	unsigned limit = c->listener->is_operator
			     ? 0
			     : c->server->config.limits.switches_per_minute;
	uint64_t now = clock_mono_ms(), over = c->switch_window_ms + 60000;

	if (now >= over) {
		c->switch_window_ms = now;
		c->switches = 0;
	}
	if (limit == 0 || c->switches < limit) {
		c->switches++;
		return 0;
	}
	return over - now;
}

static enum verdict run(struct cmd *cmd)
{
	struct session *s = cmd->session;
	struct conn *c = cmd->conn;
	unsigned ceiling = c->server->config.limits.epochs;

	if (cmd->step == 0 && !cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!s->may_unauthenticate)
		return reply_bad(cmd, "UNAUTHENTICATE is not offered to this login.");
	if (!auth_may_unauthenticate(c->server->config.auth, c->listener->unauthenticate,
				     auth_authcid(&s->who)))
		return refuse(cmd, "UNAUTHENTICATE is no longer allowed to you.");
	if (ceiling && c->epoch >= ceiling && !s->who.is_operator)
		return refuse(
		    cmd, "This connection has had its number of logins; connect again.");
	uint64_t delay = switch_delay_ms(c);
	if (delay)
		return cmd_sleep(cmd, 1, delay);
	cmd->plan = (struct switch_plan){ .keep = KEEP_TLS, .new_session = true };
	reply_ok(cmd, capability_code(cmd, IN_NOT_AUTH), "Not authenticated any more.");
	return CMD_SWITCH;
}

static const struct command commands[] = {
	{ "UNAUTHENTICATE", IN_LOGGED_IN, CMD_NO_REPORT, run },
	{ 0 },
};
const struct extension ext_unauthenticate = {
	.name = "UNAUTHENTICATE",
	.rfc = "RFC 8437",
	.about = "one connection for one user after another",
	.offer = offer,
	.commands = commands,
};
