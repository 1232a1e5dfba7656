/*
 * MULTISEARCH (RFC 7377): ESEARCH, a search of many mailboxes one after another; those
 * that the user may not read are as those that are not there.
 *
 * Where to look is settled in the first step, as finding a place may wait (place.h). Then
 * only the mailbox in hand is held: its version, its program and its hits end with it.
 */
#include <stdlib.h>

#include "server/context.h"
#include "server/mailbox_name.h"
#include "server/reply.h"
#include "server/search_found.h"
#include "server/search_run.h"
#include "wire/notify.h"

enum { PARSE, FILTERS, NEXT, OPENED, RUN };
enum {
	NAMES_MAX = 1000,  /* that one command names */
	OPENED_A_TURN = 16 /* mailboxes, then others first */
};

struct target {
	struct place place;
	bool is_selected; /* the session's own version is searched */
};

struct multi_state {
	struct search_program program;
	struct search_filters filters;
	struct search_sources sources;
	bool with_selected; /* SELECTED is a source, perhaps the only one: */
	bool is_alone;
	struct target *targets;
	size_t n, at;
	uint64_t touched;    /* messages so far, where there is a limit */
	bool is_kept;	     /* UPDATE was answered */
	struct arena *arena; /* of the mailbox in hand */
	struct search_run *run;
};

/* ---- which mailboxes ---- */

static void state_done(void *arg)
{
	struct multi_state *st = arg;

	free(st->targets);
}

static void names_drop(void *arg)
{
	names_unref(arg);
}

static struct target *target_new(struct multi_state *st)
{
	if ((st->n & (st->n - 1)) == 0)
		st->targets = xrealloc(st->targets,
				       (st->n ? st->n * 2 : 1) * sizeof *st->targets);
	st->targets[st->n] = (struct target){ 0 };
	return &st->targets[st->n++];
}

enum look { LOOK_THERE, LOOK_IGNORED, LOOK_WAITS };

/* RFC 7377 section 2.2: where a right is missing the mailbox is ignored. */
static enum look look(struct cmd *cmd, struct span name, unsigned need, struct place *ret)
{
	if (place_find(cmd, name, need, ret))
		return LOOK_THERE;
	if (cmd->tagged_kind == TAGGED_NONE)
		return LOOK_WAITS;
	buf_clear(&cmd->tagged);
	cmd->tagged_kind = TAGGED_NONE;
	return LOOK_IGNORED;
}

/* False: `return cmd->verdict`. */
static bool add(struct cmd *cmd, struct span name, unsigned need)
{
	struct multi_state *st = cmd->state;
	struct place place;

	switch (look(cmd, name, need, &place)) {
	case LOOK_WAITS: return false;
	case LOOK_IGNORED: return true;
	case LOOK_THERE: break;
	}
	for (size_t i = 0; place.space != PLACE_PERSONAL && i < st->n; i++)
		if (st->targets[i].place.account == place.account &&
		    span_eq(st->targets[i].place.path, place.path))
			return true;
	target_new(st)->place = place;
	return true;
}

static bool is_below(struct span path, struct span top, bool one_level)
{
	if (path.n <= top.n || path.p[top.n] != '/' || !span_starts(path, top))
		return false;
	return !one_level || span_find(span_sub(path, top.n + 1, SIZE_MAX), '/') < 0;
}

static bool has_name(const struct mailbox_filter *f, struct span path)
{
	for (size_t i = 0; i < f->n_names; i++) {
		if (span_eq(path, f->names[i]))
			return true;
		if (f->filter != NOTIFY_MAILBOXES &&
		    is_below(path, f->names[i], f->filter == NOTIFY_SUBTREE_ONE))
			return true;
	}
	return false;
}

static bool is_wanted(const struct search_sources *s, const struct name *name)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct mailbox_filter *f = &s->v[i];

		switch (f->filter) {
		case NOTIFY_SELECTED: break;
		/* Mail may be delivered to any mailbox here. */
		case NOTIFY_INBOXES:
		case NOTIFY_PERSONAL:
			if (name->flags & NAME_EXISTS)
				return true;
			break;
		case NOTIFY_SUBSCRIBED:
			if (name->flags & NAME_SUBSCRIBED)
				return true;
			break;
		default:
			if ((name->flags & NAME_EXISTS) && has_name(f, name->path))
				return true;
		}
	}
	return false;
}

/* The user's own, each once, whatever sources it is in; and others that he subscribed to.
 */
static bool add_own(struct cmd *cmd)
{
	struct multi_state *st = cmd->state;
	const struct names *names = account_names_now(cmd->session->account);

	arena_defer(cmd->arena, names_drop, (void *)(uintptr_t)names);
	for (size_t i = 0; i < names->n; i++) {
		const struct name *name = names->at[i];
		struct place place;

		if (!is_wanted(&st->sources, name))
			continue;
		if (!(name->flags & NAME_EXISTS)) {
			switch (look(cmd, name->path, RIGHT_L | RIGHT_R, &place)) {
			case LOOK_WAITS: return false;
			case LOOK_IGNORED: continue;
			case LOOK_THERE: break;
			}
			if (place.space == PLACE_PERSONAL)
				continue;
		}
		if (!add(cmd, name->path, RIGHT_L | RIGHT_R))
			return false;
	}
	return true;
}

/* Somebody else's mailboxes below one: the rights of each are looked at. */
static bool add_below(struct cmd *cmd, const struct place *top, bool one_level)
{
	const struct names *names = account_names_now(top->account);

	arena_defer(cmd->arena, names_drop, (void *)(uintptr_t)names);
	for (size_t i = 0; i < names->n; i++) {
		struct span path = names->at[i]->path;
		struct span rest = span_sub(path, top->path.n, SIZE_MAX);

		if (!(names->at[i]->flags & NAME_EXISTS) ||
		    !is_below(path, top->path, one_level))
			continue;
		if (!add(cmd,
			 span_str(arena_printf(cmd->arena, "%.*s%.*s", (int)top->name.n,
					       top->name.p, (int)rest.n, rest.p)),
			 RIGHT_L | RIGHT_R))
			return false;
	}
	return true;
}

static bool add_others(struct cmd *cmd, const struct mailbox_filter *f)
{
	for (size_t i = 0; i < f->n_names; i++) {
		struct place top;

		switch (look(cmd, f->names[i], 0, &top)) {
		case LOOK_WAITS: return false;
		case LOOK_IGNORED: continue;
		case LOOK_THERE: break;
		}
		if (top.space == PLACE_PERSONAL)
			continue;
		if (!add(cmd, f->names[i], RIGHT_R))
			return false;
		if (f->filter != NOTIFY_MAILBOXES &&
		    !add_below(cmd, &top, f->filter == NOTIFY_SUBTREE_ONE))
			return false;
	}
	return true;
}

/* The selected one is searched in the version that the client knows. */
static void add_selected(struct cmd *cmd)
{
	const struct selected *sel = cmd->session->selected;
	struct multi_state *st = cmd->state;
	struct target *t = NULL;

	if (sel && !place_may(&sel->place, RIGHT_R))
		return; /* the right was withdrawn since */
	for (size_t i = 0; sel && i < st->n && !t; i++)
		if (st->targets[i].place.account == sel->place.account &&
		    span_eq(st->targets[i].place.path, sel->place.path) &&
		    !mailbox_is_gone_now(sel->mailbox))
			t = &st->targets[i];
	if (!t && st->with_selected) {
		t = target_new(st);
		t->place = sel->place;
	}
	if (t)
		t->is_selected = true;
}

/* False: `return cmd->verdict`. */
static bool find_targets(struct cmd *cmd)
{
	struct multi_state *st = cmd->state;

	if (!st->is_alone && !add_own(cmd))
		return false;
	for (size_t i = 0; i < st->sources.n; i++)
		if (st->sources.v[i].n_names && !add_others(cmd, &st->sources.v[i]))
			return false;
	add_selected(cmd);
	return true;
}

/* ---- one after another ---- */

static void tell(struct cmd *cmd, const struct target *t)
{
	struct multi_state *st = cmd->state;
	const struct numset *hits = &st->run->hits;
	struct found found = found_of_set(hits);

	if (found.n) {
		found.modseq = found_modseq(st->run->sel, &st->program, &found);
		esearch_reply(cmd, st->run->sel, &st->program, &found);
	}
	if (!t->is_selected)
		return;
	found_save(cmd, &st->program, &found);
	context_keep(cmd, &st->program, hits, true);
	st->is_kept = true;
}

/* A part of a limit is left for each (RFC 7377 section 2.4). */
static bool is_too_much(struct cmd *cmd, struct selected *sel)
{
	struct multi_state *st = cmd->state;
	struct numset uids = { 0 };

	if (!cmd->server->config.limits.messages || st->is_alone)
		return false;
	search_candidates(sel, &st->program, &uids);
	st->touched += numset_count(&uids);
	numset_done(&uids);
	return st->touched > cmd->server->config.limits.messages;
}

static enum verdict begin(struct cmd *cmd, struct selected *sel)
{
	struct multi_state *st = cmd->state;
	struct search_run *run = ARENA_NEW(st->arena, struct search_run);

	st->run = run;
	if (is_too_much(cmd, sel))
		return reply_ok(cmd, "LIMIT", "Only some of the messages were searched.");
	run->sel = sel;
	run->program = &st->program;
	run->step = RUN;
	run->arena = st->is_alone ? NULL : st->arena;
	return search_run_begin(run, cmd);
}

static enum verdict begin_opened(struct cmd *cmd, struct mailbox *m)
{
	struct multi_state *st = cmd->state;
	const struct place *p = &st->targets[st->at].place;

	if (!place_is(p, m)) { /* gone, as when it cannot be opened */
		mailbox_unref(m);
		return CMD_DONE;
	}
	return begin(cmd, selected_look(st->arena, m, p));
}

/* The one in hand is over, or could not be searched. */
static enum verdict over(struct cmd *cmd, enum verdict v)
{
	struct multi_state *st = cmd->state;

	if (v != CMD_DONE)
		return v;
	if (cmd->tagged_kind != TAGGED_NONE) {
		found_nothing(cmd, &st->program);
		return CMD_DONE;
	}
	if (st->run)
		tell(cmd, &st->targets[st->at]);
	st->at++;
	return CMD_DONE;
}

static enum verdict open_next(struct cmd *cmd)
{
	struct multi_state *st = cmd->state;
	const struct target *t = &st->targets[st->at];
	struct mailbox *m;

	arena_free(st->arena);
	st->arena = arena_new(cmd->arena);
	st->run = NULL;
	if (!st->is_alone) {
		cmd->done = st->at;
		cmd->goal = st->n;
		cmd->tells_progress = true;
	}
	if (t->is_selected)
		return begin(cmd, cmd->session->selected);
	m = place_open_now(&t->place);
	if (m)
		return begin_opened(cmd, m);
	return cmd_wait(cmd, OPENED, place_open(&t->place, cmd_to(cmd)));
}

static enum verdict go_on(struct cmd *cmd)
{
	struct multi_state *st = cmd->state;

	for (int n = 0; st->at < st->n; n++) {
		enum verdict v;

		if (cmd_must_drain(cmd))
			return cmd_drain(cmd, NEXT);
		if (n == OPENED_A_TURN)
			return cmd_yield(cmd, NEXT);
		v = over(cmd, open_next(cmd));
		if (v != CMD_DONE || cmd->tagged_kind != TAGGED_NONE)
			return v;
	}
	if (!st->is_kept)
		context_keep(cmd, &st->program, NULL, true);
	return reply_done(cmd);
}

static enum verdict went(struct cmd *cmd, enum verdict v)
{
	v = over(cmd, v);
	return v == CMD_DONE && cmd->tagged_kind == TAGGED_NONE ? go_on(cmd) : v;
}

static enum verdict opened(struct cmd *cmd)
{
	enum err rc = cmd->op->rc;

	if (rc == ERR_OK)
		return went(cmd, begin_opened(cmd, op_mailbox(cmd->op)));
	/* gone meanwhile: as if it had never been there */
	return rc == ERR_NOENT ? went(cmd, CMD_DONE) : reply_err(cmd, rc);
}

/* ---- the command ---- */

/* False: the reply is set. */
static bool check(struct cmd *cmd)
{
	struct multi_state *st = cmd->state;
	const struct search_program *p = &st->program;
	size_t names = 0;

	if (p->charset.p && (cmd->session->enabled & ENABLED_UTF8))
		reply_bad(cmd, "After ENABLE UTF8=ACCEPT no charset is named.");
	else if (p->other_returns.n)
		reply_bad(cmd, "That RETURN option is not known here.");
	else if (!cmd->session->selected &&
		 (st->with_selected || (p->returns & SEARCH_RETURN_UPDATE)))
		reply_bad(cmd, "Select a mailbox first.");
	else if ((p->returns & SEARCH_RETURN_SAVE) && !st->is_alone)
		reply_bad(cmd, "SAVE is for a search of the selected mailbox alone.");
	else if (context_is_taken(cmd, p))
		reply_bad(cmd, "That tag is in use by a search that is kept up "
			       "to date.");
	if (cmd->tagged_kind != TAGGED_NONE)
		return false;
	for (size_t i = 0; i < st->sources.n; i++)
		names += st->sources.v[i].n_names;
	if (names > NAMES_MAX) {
		reply_no(cmd, "LIMIT", "These are too many mailboxes for one search.");
		return false;
	}
	return true;
}

/* The program is whole. */
static enum verdict filtered(struct cmd *cmd, enum verdict v)
{
	struct multi_state *st = cmd->state;

	if (v != CMD_DONE || cmd->tagged_kind != TAGGED_NONE ||
	    !search_program_check(cmd, &st->program))
		return v;
	return go_on(cmd);
}

static enum verdict parse(struct cmd *cmd)
{
	struct multi_state *st = ARENA_NEW(cmd->arena, struct multi_state);
	struct cursor *c = &cmd->cur, before;

	cmd->state = st;
	arena_defer(cmd->arena, state_done, st);
	before = *c;
	cursor_sp(c);
	if (!cursor_search_sources(c, &st->sources) && !c->bad)
		*c = before;
	if (!cursor_search(c, SEARCH_KEYS_SERVED, &st->program) || !cursor_end(c))
		return reply_syntax(cmd);
	st->program.passes_end = true;
	st->is_alone = true;
	for (size_t i = 0; i < st->sources.n; i++) {
		struct mailbox_filter *f = &st->sources.v[i];

		st->with_selected |= f->filter == NOTIFY_SELECTED;
		st->is_alone &= f->filter == NOTIFY_SELECTED;
		for (size_t k = 0; k < f->n_names; k++)
			f->names[k] = mailbox_name_normal(cmd->arena, f->names[k]);
	}
	st->with_selected |= st->sources.n == 0;
	if (!check(cmd))
		return CMD_DONE;
	if (!find_targets(cmd))
		return cmd->verdict;
	return filtered(cmd,
			search_filters_begin(&st->filters, cmd, &st->program, FILTERS));
}

static enum verdict run(struct cmd *cmd)
{
	struct multi_state *st = cmd->state;

	switch (cmd->step) {
	case PARSE: return parse(cmd);
	case FILTERS: return filtered(cmd, search_filters_go_on(&st->filters));
	case NEXT: return go_on(cmd);
	case OPENED: return opened(cmd);
	default: return went(cmd, search_run_go_on(st->run));
	}
}

static const struct command commands[] = {
	/* "UID ESEARCH" stands in an example of the RFC: the same. */
	{ "ESEARCH", IN_LOGGED_IN, CMD_UID | CMD_MESSAGES, run },
	{ 0 },
};
const struct extension ext_multisearch = {
	.name = "MULTISEARCH",
	.rfc = "RFC 7377",
	.about = "a search of many mailboxes at once",
	.capability = "MULTISEARCH",
	.states = IN_LOGGED_IN,
	.commands = commands,
};
