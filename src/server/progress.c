/* INPROGRESS (RFC 9585): a timer that runs while a command does. */
#include "server/progress.h"

#include "server/reply.h"

/* Tags have no quote, but "]" would end the code (section 4). */
static void put_tag(struct buf *b, struct span tag)
{
	if (span_find(tag, ']') >= 0)
		buf_puts(b, "NIL");
	else
		buf_printf(b, "\"%.*s\"", (int)tag.n, tag.p);
}

static void tell(struct cmd *cmd)
{
	struct buf b = { 0 };
	const char *code;

	buf_puts(&b, "INPROGRESS (");
	put_tag(&b, cmd->tag);
	if (cmd->goal && cmd->done < cmd->goal)
		buf_printf(&b, " %llu %llu)", (unsigned long long)cmd->done,
			   (unsigned long long)cmd->goal);
	else
		buf_puts(&b, " NIL NIL)");
	code = arena_printf(cmd->arena, "%.*s", (int)b.n, b.p + b.off);
	buf_done(&b);
	untagged_ok(cmd, code, "It takes a while; please wait.");
	net_flush(cmd->conn->net);
}

static void tick(void *arg)
{
	struct conn *c = arg;
	struct cmd *cmd = c->cmd;

	c->has_progress = false;
	if (!cmd || c->is_closing)
		return;
	if (cmd->tells_progress && (cmd->wait == WAIT_OP || cmd->wait == WAIT_TURN) &&
	    !net_queued(c->net))
		tell(cmd);
	progress_start(c);
}

void progress_start(struct conn *c)
{
	if (c->has_progress || !c->cmd->tells_progress)
		return;
	c->has_progress = true;
	net_timer_start(c->home->loop, &c->progress, c->server->config.limits.progress_ms,
			tick, c);
}

void progress_stop(struct conn *c)
{
	if (c->has_progress)
		net_timer_stop(&c->progress);
	c->has_progress = false;
}

const struct extension ext_inprogress = {
	.name = "INPROGRESS",
	.rfc = "RFC 9585",
	.about = "long commands say how far they are",
	.capability = "INPROGRESS",
	.states = IN_LOGGED_IN,
};
