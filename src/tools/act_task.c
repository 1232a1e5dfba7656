/* A job for one user: its commands, its outcome, its place in the journal (act.h). */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/clock.h"
#include "tools/act_lane.h"

struct act_task *task_new(struct act_lane *l, struct span user, unsigned attempt,
			  struct journal_entry known)
{
	struct arena *a = arena_new(NULL);
	struct act_task *t = ARENA_NEW(a, struct act_task);

	t->arena = a;
	t->lane = l;
	t->ops = l->run->ops;
	t->user = arena_dup(a, user);
	t->attempt = attempt;
	t->known = known;
	json_init(&t->members, &t->json);
	json_open(&t->members, NULL, '{');
	return t;
}

void task_free(struct act_task *t)
{
	if (!t)
		return;
	buf_done(&t->why);
	buf_done(&t->why_code);
	buf_done(&t->json);
	arena_free(t->arena);
}

struct client *act_task_client(const struct act_task *t)
{
	return t->lane->client;
}

struct act_run *act_task_run(const struct act_task *t)
{
	return t->lane->run;
}

void act_task_fail(struct act_task *t, enum err rc, const char *fmt, ...)
{
	va_list ap;

	/* What follows an error is most often its consequence. A lost answer is worse:
	 * then nobody knows. */
	if (t->rc != ERR_OK)
		return;
	t->rc = rc;
	va_start(ap, fmt);
	buf_vprintf(&t->why, fmt, ap);
	va_end(ap);
}

struct client_cmd *act_task_command(struct act_task *t, const struct client_calls *calls,
				    void *arg)
{
	t->pending++;
	return client_cmd_new(t->lane->client, calls, arg);
}

static void note_error(struct act_task *t, const struct client_result *r)
{
	if (r->rc == ERR_UNKNOWN || r->rc == ERR_CLOSED)
		t->is_lost = true;
	/* What only read has changed nothing. */
	if (r->rc == ERR_UNKNOWN && t->is_begun)
		t->is_unknown = true;
	if (r->rc == ERR_OK || t->rc != ERR_OK)
		return;
	buf_put(&t->why_code, r->code_name);
	act_task_fail(t, r->rc, "%.*s", (int)(r->text.n < 500 ? r->text.n : 500),
		      r->text.p ? r->text.p : "");
}

void task_settle(struct act_task *t)
{
	if (t->pending || !(t->is_complete || t->rc != ERR_OK) || t->lane->is_gate_shut)
		return;
	lane_task_ended(t->lane);
}

void act_task_answered(struct act_task *t, const struct client_result *result)
{
	assert(t->pending);
	t->pending--;
	note_error(t, result);
	task_settle(t);
}

void act_task_last(struct act_task *t)
{
	t->is_complete = true;
	lane_advance(t->lane);
	task_settle(t);
}

/* Changes may be sent: all that must stand in the journal does. */
void task_gate(struct act_lane *l)
{
	struct act_task *t = l->now;

	if (!l->is_gate_shut || l->ends_due || l->is_begun_due)
		return;
	l->is_gate_shut = false;
	if (t->rc != ERR_OK) { /* the journal failed */
		task_settle(t);
	} else if (!client_is_ready(l->client)) {
		/* The connection went while the journal was written; nothing was sent. */
		t->is_lost = true;
		act_task_fail(t, ERR_CLOSED, "the connection was lost");
		task_settle(t);
	} else {
		t->is_begun = true;
		t->ops->begin(t);
	}
	if (l->client)
		client_flush(l->client);
}

static void on_begun(struct journal_ticket *ticket, enum err rc)
{
	struct act_lane *l = TASK_OWNER(ticket, struct act_lane, begun);

	l->is_begun_due = false;
	if (rc != ERR_OK)
		act_task_fail(l->now, rc, "the journal cannot be written: %s",
			      err_text(rc));
	task_gate(l);
}

void act_task_prepared(struct act_task *t, uint32_t uidvalidity, uint32_t uidnext)
{
	struct act_lane *l = t->lane;
	struct journal *j = l->run->journal;

	if (t->rc != ERR_OK) {
		task_settle(t);
		return;
	}
	if (j && t->ops->repeat != REPEAT_FREELY) {
		t->known.state = JOURNAL_BEGUN;
		t->known.uidvalidity = uidvalidity;
		t->known.uidnext = uidnext;
		l->is_begun_due = true;
		l->begun.durable = on_begun;
		journal_begin(j, t->user, uidvalidity, uidnext, &l->begun);
	}
	l->is_gate_shut = true;
	task_gate(l);
}

void task_start(struct act_task *t)
{
	uint64_t now = clock_mono_us();

	/* The time before its predecessor's end is that one's. */
	if (t->start_us < t->lane->freed_us)
		t->start_us = t->lane->freed_us;
	if (t->start_us == 0)
		t->start_us = now;
	if (t->ops->prepare)
		t->ops->prepare(t);
	else
		act_task_prepared(t, 0, 0);
}
