/*
 * The lanes of a run: connections that take users from one queue, change user while
 * the last commands of the user before are under way, and end when the queue is empty.
 */
#include <stdlib.h>
#include "base/arena.h"
#include "base/clock.h"
#include "net/loop.h"
#include "tools/act_lane.h"

#define ATTEMPTS       3
#define REFUSED_MAX    3     /* logins, before anybody could be logged in */
#define RETRY_MS       30000 /* a server that restarts */
#define CONNECT_MAX_MS 30000

static void fatal(struct act_run *r, enum err rc, struct span why)
{
	if (r->fatal == ERR_OK) {
		r->fatal = rc;
		buf_put(&r->fatal_why, why);
	}
	r->is_stopping = true;
}

/* The next user of the queue whom the journal does not have as done. */
static struct act_task *take_user(struct act_lane *l)
{
	struct act_run *r = l->run;

	while (r->next < r->users.n && !r->is_stopping) {
		const struct act_name *u = &r->users.v[r->next++];
		if (u->state) /* done before, or not to be repeated */
			continue;
		struct span name = span_of(u->name, u->n);
		struct journal_entry e = { 0 };
		if (r->journal)
			e = journal_find(r->journal, name);
		return task_new(l, name, 1, e);
	}
	return NULL;
}

static void end_lane(struct act_lane *l)
{
	if (l->is_ended || l->now || l->next || l->ends_due || l->is_begun_due)
		return;
	l->is_ended = true;
	struct client_stats s = client_stats(l->client);
	report_add_client(&l->run->report, &s);
	if (!l->run->report.why_no_switch)
		l->run->report.why_no_switch = client_why_no_switch(l->client);
	client_free(l->client);
	l->client = NULL;
	if (--l->run->live == 0)
		net_loop_stop(l->run->loop);
}

static void on_ready(void *arg, const struct client_result *result);

void lane_advance(struct act_lane *l)
{
	if (l->next || l->is_ended)
		return;
	if (l->again && !l->run->is_stopping) {
		l->next = l->again;
		l->again = l->next->link;
	} else {
		l->next = take_user(l);
	}
	if (!l->next) {
		end_lane(l);
		return;
	}
	l->next->start_us = clock_mono_us();
	l->is_ready = false;
	client_become(l->client, l->next->user, on_ready, l);
	client_flush(l->client);
}

/* Starts with the next user when the one before has ended. */
static void go(struct act_lane *l)
{
	if (l->now || !l->next || !l->is_ready)
		return;
	struct act_task *t = l->next;
	l->next = NULL;
	if (l->run->is_stopping) {
		task_free(t); /* counted as not tried */
		end_lane(l);
		return;
	}
	l->now = t;
	task_start(t);
	if (l->client)
		client_flush(l->client);
}

/* The end of a task on its way to the disk. */
struct end_record {
	struct journal_ticket ticket;
	struct act_lane *lane;
};

static void on_end(struct journal_ticket *ticket, enum err rc)
{
	struct end_record *e = TASK_OWNER(ticket, struct end_record, ticket);
	struct act_lane *l = e->lane;

	free(e);
	l->ends_due--;
	if (rc != ERR_OK) {
		l->run->is_journal_broken = true;
		fatal(l->run, rc, SPAN("the journal cannot be written"));
	}
	if (l->now)
		task_gate(l);
	else
		lane_advance(l);
}

/* Whether a task whose connection was lost may be tried once more. */
static bool may_repeat(const struct act_task *t)
{
	if (!t->is_lost || t->attempt >= ATTEMPTS || t->lane->run->is_stopping)
		return false;
	if (t->ops->repeat == REPEAT_FREELY || !t->is_unknown)
		return true;
	return t->ops->repeat == REPEAT_CHECK && t->known.uidnext != 0;
}

static void settle_report(struct act_lane *l, struct act_task *t)
{
	struct act_run *r = l->run;
	uint64_t now = clock_mono_us();

	l->freed_us = now;
	report_task(r, t, now > t->start_us ? now - t->start_us : 0);
	if (!r->journal)
		return;
	/* Left as begun: the next run looks what has happened. */
	if (t->is_lost && t->is_unknown && t->ops->repeat != REPEAT_FREELY)
		return;
	struct end_record *e = xcalloc(1, sizeof *e);
	e->lane = l;
	e->ticket.durable = on_end;
	l->ends_due++;
	if (t->rc == ERR_OK)
		journal_done(r->journal, t->user, &e->ticket);
	else
		journal_failed(r->journal, t->user, &e->ticket);
}

void lane_task_ended(struct act_lane *l)
{
	struct act_task *t = l->now;

	l->now = NULL;
	if (t->rc != ERR_OK && may_repeat(t)) {
		struct act_task *again = task_new(l, t->user, t->attempt + 1, t->known);
		again->link = l->again;
		l->again = again;
	} else {
		settle_report(l, t);
	}
	task_free(t);
	lane_advance(l);
	go(l);
}

/* Nobody could be logged in yet: is it this user, or the administrator's password? */
static void on_probed(void *arg, const struct client_result *result)
{
	struct act_lane *l = arg;
	struct act_task *t = l->next;

	if (result->rc == ERR_OK)
		l->run->is_credential_good = true;
	l->next = NULL;
	l->now = t;
	if (!l->run->is_credential_good && l->run->refused >= REFUSED_MAX)
		fatal(l->run, ERR_AUTH, buf_span(&t->why));
	task_settle(t);
}

static void login_refused(struct act_lane *l, const struct client_result *result)
{
	struct act_run *r = l->run;
	struct act_task *t = l->next;

	buf_put(&t->why_code, result->code_name);
	act_task_fail(t, result->rc, "login refused: %.*s",
		      (int)(result->text.n < 500 ? result->text.n : 500),
		      result->text.p ? result->text.p : "");
	t->is_lost = false;
	/* RFC 5530: the credential is good, but not for this user. */
	if (result->code == CODE_AUTHORIZATIONFAILED)
		r->is_credential_good = true;
	if (!r->is_credential_good) {
		r->refused++;
		client_become(l->client, span_str(r->opt->as), on_probed, l);
		return;
	}
	l->next = NULL;
	l->now = t;
	task_settle(t);
}

static void on_ready(void *arg, const struct client_result *result)
{
	struct act_lane *l = arg;
	struct act_run *r = l->run;

	if (result->rc == ERR_OK) {
		r->is_credential_good = true;
		l->is_ready = true;
		go(l);
		return;
	}
	if (result->rc == ERR_AUTH) {
		/* The one before has been answered: its commands came first. */
		login_refused(l, result);
		return;
	}
	struct act_task *t = l->next;
	if (result->rc == ERR_CORRUPT && t->attempt < ATTEMPTS && r->is_credential_good) {
		/* C5: closed. Nothing was sent for this user; a new connection will do.
		 */
		t->attempt++;
		client_become(l->client, t->user, on_ready, l);
		return;
	}
	/* No server any more, or not one that we can use: the run ends. */
	l->next = NULL;
	task_free(t);
	fatal(r, result->rc, result->text);
	if (!l->now)
		end_lane(l);
}

void act_stop(struct act_run *r)
{
	r->is_stopping = true;
}

void act_lanes_start(struct act_run *r)
{
	const struct act_options *o = r->opt;
	struct client_config config = {
		.loop = r->loop,
		.host = o->host,
		.port = o->port,
		.tls_mode = o->is_implicit_tls ? CLIENT_TLS_IMPLICIT
			    : o->is_plaintext  ? CLIENT_TLS_NONE
					       : CLIENT_TLS_START,
		.tls = r->tls,
		.authcid = span_str(o->as),
		.password = buf_span(&r->password),
		.mechanism = o->mechanism,
		.silence_ms = (uint64_t)o->timeout_s * 1000,
		.retry_ms = RETRY_MS,
		.compress = o->is_compressed,
		.never_switch = o->is_reconnect,
	};

	config.connect_ms = config.silence_ms < CONNECT_MAX_MS ? config.silence_ms
							       : CONNECT_MAX_MS;
	r->lanes = o->connections < r->users.n ? o->connections : r->users.n;
	r->live = r->lanes;
	r->lane = xcalloc(r->lanes ? r->lanes : 1, sizeof *r->lane);
	for (size_t i = 0; i < r->lanes; i++) {
		struct act_lane *l = &r->lane[i];
		l->run = r;
		l->client = client_new(&config);
	}
	for (size_t i = 0; i < r->lanes; i++)
		lane_advance(&r->lane[i]);
}

void act_lanes_free(struct act_run *r)
{
	for (size_t i = 0; i < r->lanes; i++) {
		client_free(r->lane[i].client);
		task_free(r->lane[i].now);
		task_free(r->lane[i].next);
		while (r->lane[i].again) {
			struct act_task *t = r->lane[i].again;
			r->lane[i].again = t->link;
			task_free(t);
		}
	}
	free(r->lane);
}
