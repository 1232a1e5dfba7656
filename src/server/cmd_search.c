/*
 * SEARCH and UID SEARCH (RFC 9051 section 6.4.4, RFC 3501; ESEARCH of RFC 4731, saved
 * results of RFC 5182; keys of RFC 5032). search_run.h has the walk.
 */
#include "server/reply.h"
#include "server/search_run.h"

enum { PARSE, RUN };

struct search_state {
	struct search_program program;
	struct search_run run;
};

static void print_hits(struct cmd *cmd, const struct numset *uids, struct numset *ret)
{
	if (cmd->uid)
		numset_copy(ret, uids);
	else
		view_numbers(cmd->session->selected->view, uids, ret);
}

static void reply_search(struct cmd *cmd, const struct numset *found)
{
	struct numset_iter it = numset_iter(found);
	struct buf *out = cmd_out(cmd);
	uint32_t n;

	buf_puts(out, "* SEARCH");
	while (numset_next(&it, &n)) {
		buf_putc(out, ' ');
		buf_put_u64(out, n);
	}
	buf_puts(out, "\r\n");
}

static void reply_esearch(struct cmd *cmd, const struct numset *found, unsigned returns)
{
	struct buf *out = cmd_out(cmd);
	uint64_t count = numset_count(found);

	buf_puts(out, "* ESEARCH (TAG ");
	emit_string(out, cmd_mode(cmd), cmd->tag);
	buf_puts(out, cmd->uid ? ") UID" : ")");
	if ((returns & SEARCH_RETURN_MIN) && count)
		buf_printf(out, " MIN %u", numset_min(found));
	if ((returns & SEARCH_RETURN_MAX) && count)
		buf_printf(out, " MAX %u", numset_max(found));
	if ((returns & SEARCH_RETURN_ALL) && count) {
		buf_puts(out, " ALL ");
		numset_print(found, out);
	}
	if (returns & SEARCH_RETURN_COUNT)
		buf_printf(out, " COUNT %llu", (unsigned long long)count);
	buf_puts(out, "\r\n");
}

/* What "$" holds: with MIN or MAX alone only those (RFC 5182 section 2.4). */
static void save(struct cmd *cmd, const struct numset *hits, unsigned returns)
{
	struct numset *saved = &cmd->session->selected->saved;
	unsigned extremes = returns & (SEARCH_RETURN_MIN | SEARCH_RETURN_MAX);

	if (!extremes || (returns & (SEARCH_RETURN_ALL | SEARCH_RETURN_COUNT))) {
		numset_copy(saved, hits);
		return;
	}
	numset_copy(saved, &(struct numset){ 0 });
	if (numset_count(hits) && (extremes & SEARCH_RETURN_MIN))
		numset_add(saved, numset_min(hits));
	if (numset_count(hits) && (extremes & SEARCH_RETURN_MAX))
		numset_add(saved, numset_max(hits));
}

static enum verdict all_done(struct cmd *cmd)
{
	struct search_state *st = cmd->state;
	const struct search_program *p = &st->program;
	unsigned returns = p->has_return ? p->returns : SEARCH_RETURN_ALL;
	struct numset found = { 0 };

	print_hits(cmd, &st->run.hits, &found);
	if (returns & SEARCH_RETURN_SAVE)
		save(cmd, &st->run.hits, returns);
	/* SAVE alone answers nothing (RFC 5182 section 2.4). */
	if (!p->has_return && !session_is_rev2(cmd->session))
		reply_search(cmd, &found);
	else if (returns & ~(unsigned)SEARCH_RETURN_SAVE)
		reply_esearch(cmd, &found, returns);
	numset_done(&found);
	return reply_done(cmd);
}

/* A NO empties "$"; a BAD leaves it (RFC 5182 section 2.1). */
static enum verdict refused(struct cmd *cmd)
{
	struct search_state *st = cmd->state;

	if (cmd->tagged_kind == TAGGED_NO && st->program.has_return &&
	    (st->program.returns & SEARCH_RETURN_SAVE))
		numset_copy(&cmd->session->selected->saved, &(struct numset){ 0 });
	return CMD_DONE;
}

static enum verdict went(struct cmd *cmd, enum verdict v)
{
	if (v != CMD_DONE)
		return v;
	return cmd->tagged_kind == TAGGED_NONE ? all_done(cmd) : refused(cmd);
}

static enum verdict parse(struct cmd *cmd)
{
	struct search_state *st = ARENA_NEW(cmd->arena, struct search_state);

	cmd->state = st;
	if (!cursor_search(&cmd->cur, SEARCH_KEYS_SERVED, &st->program) ||
	    !cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (st->program.charset.p && (cmd->session->enabled & ENABLED_UTF8))
		return reply_bad(cmd, "After ENABLE UTF8=ACCEPT no charset is named.");
	if (st->program.other_returns.n)
		return reply_bad(cmd, "That RETURN option is not known here.");
	st->run.sel = cmd->session->selected;
	st->run.program = &st->program;
	st->run.step = RUN;
	return went(cmd, search_run_begin(&st->run, cmd));
}

static enum verdict run(struct cmd *cmd)
{
	struct search_state *st = cmd->state;

	if (cmd->step == PARSE)
		return parse(cmd);
	return went(cmd, search_run_go_on(&st->run));
}

static const struct command commands[] = {
	{ "SEARCH", IN_SELECTED, CMD_UID | CMD_NO_EXPUNGE, run },
	{ 0 },
};
const struct extension cmd_search = {
	.name = "ESEARCH",
	.rfc = "RFC 4731",
	.about = "SEARCH that counts, or answers with ranges",
	.capability = "ESEARCH",
	.states = IN_LOGGED_IN,
	.commands = commands,
};
const struct extension ext_searchres = {
	.name = "SEARCHRES",
	.rfc = "RFC 5182",
	.about = "a result kept as $ for the next command",
	.capability = "SEARCHRES",
	.states = IN_LOGGED_IN,
};
const struct extension ext_within = {
	.name = "WITHIN",
	.rfc = "RFC 5032",
	.about = "searches for messages of the last seconds",
	.capability = "WITHIN",
	.states = IN_LOGGED_IN,
};
