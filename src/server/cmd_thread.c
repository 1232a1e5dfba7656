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

/*
 * The last UID THREAD of the selected mailbox: the headers of the same messages arrange
 * them the same way.
 */
enum { KEPT_MAX = 4 << 20 }; /* bytes */

struct kept {
	enum thread_by by;
	const struct comparator *comparator;
	struct numset hits;
	struct buf text;
	bool is_deferred;
};

extern const struct extension cmd_thread;

static void kept_drop(void *arg)
{
	struct kept *k = arg;

	numset_done(&k->hits);
	buf_done(&k->text);
	*k = (struct kept){ 0 };
}

static void keep(struct cmd *cmd, const struct thread_state *st, struct span text)
{
	struct kept *k = session_slot(cmd->session, &cmd_thread);
	bool is_deferred = k->is_deferred;

	kept_drop(k);
	k->is_deferred = is_deferred;
	if (text.n > KEPT_MAX || !st->uid)
		return;
	if (!is_deferred)
		arena_defer(cmd->session->selected->arena, kept_drop, k);
	k->is_deferred = true;
	k->by = st->by;
	k->comparator = collation_of(cmd->session);
	numset_copy(&k->hits, &st->run.hits);
	buf_put(&k->text, text);
}

/* The same as before? */
static const struct kept *kept_of(struct cmd *cmd, const struct thread_state *st)
{
	const struct kept *k = session_slot_if(cmd->session, &cmd_thread);

	if (!k || !st->uid || k->text.n == 0 || k->by != st->by ||
	    k->comparator != collation_of(cmd->session) ||
	    !numset_equal(&k->hits, &st->run.hits))
		return NULL;
	return k;
}

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
	keep(cmd, st, span_sub(buf_span(out), before, out->n));
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
	const struct kept *kept;

	if (v != CMD_DONE || cmd->tagged_kind != TAGGED_NONE)
		return v;
	kept = kept_of(cmd, st);
	if (kept) {
		buf_puts(cmd_out(cmd), "* THREAD ");
		buf_put(cmd_out(cmd), buf_span(&kept->text));
		buf_puts(cmd_out(cmd), "\r\n");
		return reply_done(cmd);
	}
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
	{ "THREAD", IN_SELECTED, CMD_MESSAGES | CMD_UID | CMD_NUMBERS | CMD_NO_EXPUNGE, run },
	{ 0 },
};
const struct extension cmd_thread = {
	.name = "THREAD=ORDEREDSUBJECT",
	.rfc = "RFC 5256",
	.about = "search results by subject",
	.capability = "THREAD=ORDEREDSUBJECT",
	.states = IN_LOGGED_IN,
	.commands = commands,
	.slot_bytes = sizeof(struct kept),
};
const struct extension ext_thread_references = {
	.name = "THREAD=REFERENCES",
	.rfc = "RFC 5256",
	.about = "search results as conversations",
	.capability = "THREAD=REFERENCES",
	.states = IN_LOGGED_IN,
};
