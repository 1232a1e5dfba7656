/*
 * SEARCH and UID SEARCH (RFC 9051 section 6.4.4, RFC 3501; ESEARCH of RFC 4731, saved
 * results of RFC 5182; keys of RFC 5032). search_run.h has the walk.
 */
#include "server/context.h"
#include "server/reply.h"
#include "server/search_found.h"
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

/* `modseq`: the highest of them, when MODSEQ was asked for (RFC 7162 section 3.1.6). */
static void reply_search(struct cmd *cmd, const struct numset *found, uint64_t modseq)
{
	struct numset_iter it = numset_iter(found);
	struct buf *out = cmd_out(cmd);
	uint32_t n;

	buf_puts(out, "* SEARCH");
	while (numset_next(&it, &n)) {
		buf_putc(out, ' ');
		buf_put_u64(out, n);
	}
	if (modseq)
		buf_printf(out, " (MODSEQ %llu)", (unsigned long long)modseq);
	buf_puts(out, "\r\n");
}

static enum verdict all_done(struct cmd *cmd)
{
	struct search_state *st = cmd->state;
	const struct search_program *p = &st->program;
	struct numset numbers = { 0 };
	struct found uids, found;

	print_hits(cmd, &st->run.hits, &numbers);
	uids = found_of_set(&st->run.hits);
	found = found_of_set(&numbers);
	found.modseq = found_modseq(st->run.sel, p, &uids);
	found_save(cmd, p, &uids);
	if (!p->has_return && !session_is_rev2(cmd->session))
		reply_search(cmd, &numbers, found.modseq);
	else
		esearch_reply(cmd, NULL, p, &found);
	context_keep(cmd, p, &st->run.hits, false);
	numset_done(&numbers);
	return reply_done(cmd);
}

static enum verdict went(struct cmd *cmd, enum verdict v)
{
	struct search_state *st = cmd->state;

	if (v != CMD_DONE)
		return v;
	if (cmd->tagged_kind == TAGGED_NONE)
		return all_done(cmd);
	found_nothing(cmd, &st->program);
	return CMD_DONE;
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
	if (context_is_taken(cmd, &st->program))
		return reply_bad(cmd, "That tag is in use by a search that is kept up "
				      "to date.");
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
	{ "SEARCH", IN_SELECTED, CMD_MESSAGES | CMD_UID | CMD_NUMBERS | CMD_NO_EXPUNGE, run },
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
const struct extension ext_partial = {
	.name = "PARTIAL",
	.rfc = "RFC 9394",
	.about = "some of the results of a search or UID FETCH",
	.capability = "PARTIAL",
	.states = IN_LOGGED_IN,
};
