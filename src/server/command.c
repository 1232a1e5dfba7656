/* What a command may ask for between its steps, and what it writes to. */
#include "server/command.h"

#include "server/conn_run.h"
#include "server/overload.h"

static void op_done(struct op *op, void *owner)
{
	struct cmd *cmd = owner;

	conn_resume(cmd->conn);
}

struct op_to cmd_to(struct cmd *cmd)
{
	return (
	    struct op_to){ .home = cmd->conn->home->home, .done = op_done, .owner = cmd };
}

static enum verdict wait_for(struct cmd *cmd, int next_step, enum wait wait)
{
	cmd->step = next_step;
	cmd->wait = wait;
	return CMD_WAIT;
}

enum verdict cmd_wait(struct cmd *cmd, int next_step, struct op *op)
{
	cmd->op = op;
	return wait_for(cmd, next_step, WAIT_OP);
}

enum verdict cmd_sleep(struct cmd *cmd, int next_step, uint64_t ms)
{
	conn_sleep(cmd->conn, ms);
	return wait_for(cmd, next_step, WAIT_TIMER);
}

enum verdict cmd_literal(struct cmd *cmd, int next_step)
{
	cmd->has_literal = false;
	return wait_for(cmd, next_step, WAIT_LITERAL);
}

enum verdict cmd_line(struct cmd *cmd, int next_step)
{
	return wait_for(cmd, next_step, WAIT_LINE);
}

enum verdict cmd_yield(struct cmd *cmd, int next_step)
{
	cmd->step = next_step;
	return CMD_YIELD;
}

bool cmd_must_drain(struct cmd *cmd)
{
	size_t high = overload_output_bytes(cmd->server);

	net_set_marks(cmd->conn->net, high / 4, high);
	net_keep(cmd->conn->net, 2 * high); /* until it ends: conn.c */
	if (!net_is_full(cmd->conn->net))
		return false;
	net_flush(cmd->conn->net);
	return net_is_full(cmd->conn->net);
}

enum verdict cmd_drain(struct cmd *cmd, int next_step)
{
	return wait_for(cmd, next_step, WAIT_DRAIN);
}

struct buf *cmd_out(struct cmd *cmd)
{
	return net_out(cmd->conn->net);
}

struct emit_mode cmd_mode(const struct cmd *cmd)
{
	return (struct emit_mode){ .utf8 = session_is_utf8(cmd->session),
				   .literal8 = true,
				   .literal = EMIT_SERVER };
}
