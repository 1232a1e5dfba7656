/* THREAD and UID THREAD (RFC 5256): mail/thread.h arranges what was found. */
#include <sys/random.h>

#include "mail/thread.h"
#include "server/collation.h"
#include "server/reply.h"
#include "server/search_hits.h"
#include "server/search_run.h"

enum { PARSE, RUN, HITS = RUN + SEARCH_RUN_STEPS };

struct thread_state {
	struct search_program program;
	enum thread_by by;
	bool uid;
	struct threads *threads;
	struct search_run run;
	struct search_hits hits;
};

static void state_done(void *arg)
{
	struct thread_state *st = arg;

	threads_free(st->threads);
}

static void add(void *arg, const struct hit *hit)
{
	struct thread_state *st = arg;

	threads_add(st->threads, st->uid ? hit->msg.uid : hit->seq, hit->sent,
		    hit->header);
}

static enum verdict arranged(struct cmd *cmd, enum verdict v)
{
	struct thread_state *st = cmd->state;
	struct buf *out = cmd_out(cmd);
	size_t before;

	if (v != CMD_DONE || cmd->tagged_kind != TAGGED_NONE)
		return v;
	buf_puts(out, "* THREAD ");
	before = out->n;
	threads_print(st->threads, out);
	if (out->n == before)
		buf_truncate(out, before - 1);
	buf_puts(out, "\r\n");
	return reply_done(cmd);
}

static enum verdict searched(struct cmd *cmd, enum verdict v)
{
	struct thread_state *st = cmd->state;
	struct search_hits *h = &st->hits;
	uint64_t seed = (uintptr_t)st;

	if (v != CMD_DONE || cmd->tagged_kind != TAGGED_NONE)
		return v;
	if (getrandom(&seed, sizeof seed, 0) < 0)
		seed ^= (uintptr_t)cmd;
	st->threads = threads_new(st->by, collation_of(cmd->session), seed);
	h->sel = st->run.sel;
	h->uids = &st->run.hits;
	h->wants_summary = true;
	h->names = thread_fields;
	h->n_names = THREAD_FIELDS;
	h->each = add;
	h->arg = st;
	h->step = HITS;
	return arranged(cmd, search_hits_begin(h, cmd));
}

static enum verdict parse(struct cmd *cmd)
{
	struct thread_state *st = ARENA_NEW(cmd->arena, struct thread_state);
	struct cursor *c = &cmd->cur;

	cmd->state = st;
	arena_defer(cmd->arena, state_done, st);
	st->uid = cmd->uid;
	cursor_sp(c);
	if (cursor_try_word(c, "REFERENCES"))
		st->by = THREAD_BY_REFERENCES;
	else if (!cursor_try_word(c, "ORDEREDSUBJECT"))
		cursor_fail(c, "a threading algorithm was expected");
	cursor_sp(c);
	if (!cursor_search_criteria(c, SEARCH_KEYS_SERVED, &st->program) ||
	    !cursor_end(c))
		return reply_syntax(cmd);
	st->run.sel = cmd->session->selected;
	st->run.program = &st->program;
	st->run.step = RUN;
	return searched(cmd, search_run_begin(&st->run, cmd));
}

static enum verdict run(struct cmd *cmd)
{
	struct thread_state *st = cmd->state;

	if (cmd->step == PARSE)
		return parse(cmd);
	if (cmd->step < HITS)
		return searched(cmd, search_run_go_on(&st->run));
	return arranged(cmd, search_hits_go_on(&st->hits));
}

static const struct command commands[] = {
	{ "THREAD", IN_SELECTED, CMD_UID | CMD_NUMBERS | CMD_NO_EXPUNGE, run },
	{ 0 },
};
const struct extension cmd_thread = {
	.name = "THREAD=ORDEREDSUBJECT",
	.rfc = "RFC 5256",
	.about = "search results by subject",
	.capability = "THREAD=ORDEREDSUBJECT",
	.states = IN_LOGGED_IN,
	.commands = commands,
};
const struct extension ext_thread_references = {
	.name = "THREAD=REFERENCES",
	.rfc = "RFC 5256",
	.about = "search results as conversations",
	.capability = "THREAD=REFERENCES",
	.states = IN_LOGGED_IN,
};
