/* Batches of messages, read ahead. */
#include "server/ahead.h"

#include <stdlib.h>

#include "server/conn_run.h"

static void batch_free(struct ahead_batch *b)
{
	if (b->op)
		server_orphan(b->ahead->cmd->conn->home, b->op);
	gathered_done(&b->got);
	free(b);
}

static void all_done(void *arg)
{
	struct ahead *a = arg;

	while (a->first) {
		struct ahead_batch *b = a->first;

		a->first = b->next;
		batch_free(b);
	}
}

void ahead_begin(struct ahead *a, struct arena *arena, struct cmd *cmd, int step,
		 enum ahead_fill (*fill)(struct ahead *, struct ahead_batch *,
					 const struct want **),
		 void *arg, struct selected *sel)
{
	*a = (struct ahead){
		.cmd = cmd, .step = step, .fill = fill, .arg = arg, .sel = sel
	};
	arena_defer(arena, all_done, a);
}

static void batch_came(struct op *op, void *owner)
{
	struct ahead_batch *b = owner;
	struct ahead *a = b->ahead;

	b->op = NULL;
	b->rc = op->rc;
	if (op->rc == ERR_OK)
		op_gathered(op, &b->got);
	if (a->awaited != b)
		return;
	a->awaited = NULL;
	conn_resume(a->cmd->conn);
}

static void ask(struct ahead_batch *b, const struct want *want)
{
	struct ahead *a = b->ahead;
	struct op_to to = { a->cmd->conn->home->home, batch_came, b };
	struct body_id ids[AHEAD_BATCH];
	uint32_t uids[AHEAD_BATCH];
	struct want located = *want;

	for (size_t i = 0; i < b->n; i++) {
		ids[i] = b->at[i].msg.info->body;
		uids[i] = b->at[i].msg.uid;
	}
	located.mailbox = mailbox_number_of(a->sel->mailbox);
	located.uids = uids;
	b->op = messages_gather(a->sel->place.account, ids, b->n, &located, to);
}

/* One more batch, behind all. False: others first. */
static bool add(struct ahead *a, struct ahead_batch **end)
{
	struct ahead_batch *b = xcalloc(1, sizeof *b);
	const struct want *want = NULL;
	enum ahead_fill fill;

	b->ahead = a;
	fill = a->fill(a, b, &want);
	a->is_over = fill == AHEAD_OVER;
	if (b->n == 0) {
		free(b);
	} else {
		*end = b;
		if (want)
			ask(b, want);
	}
	return fill != AHEAD_LATER;
}

enum verdict ahead_next(struct ahead *a)
{
	struct ahead_batch **end = &a->first;
	unsigned n = 0;
	bool go_on = true;

	if (a->first && a->at == a->first->n) {
		struct ahead_batch *b = a->first;

		a->first = b->next;
		batch_free(b);
	}
	a->at = 0;
	for (; *end; end = &(*end)->next)
		n++;
	while (n < AHEAD_BATCHES && !a->is_over && go_on) {
		go_on = add(a, end);
		if (!*end)
			continue;
		n += (*end)->op ? 1 : AHEAD_BATCHES; /* nothing to wait for: use it */
		end = &(*end)->next;
	}
	if (!a->first)
		return a->is_over ? CMD_DONE : cmd_yield(a->cmd, a->step);
	if (!a->first->op)
		return CMD_DONE;
	a->awaited = a->first;
	return cmd_wait(a->cmd, a->step, NULL);
}
