/*
 * SEARCH and UID SEARCH (RFC 9051 section 6.4.4, RFC 3501; ESEARCH of RFC 4731, saved
 * results of RFC 5182). Each message is asked first with what the view knows, then with
 * its summary, and only if that does not tell with its bytes.
 */
#include "server/ahead.h"
#include "server/reply.h"
#include "server/search_term.h"

enum { PARSE, NEXT, HEADER, TEXT };
enum { WALKED_A_TURN = 16384, ASKED_A_TURN = 4096, CHUNK = 256 << 10 };

struct search_state {
	struct search_program program;
	struct search *search;
	struct numset hits;	/* UIDs */
	uint32_t seq;		/* next message to look at */
	struct ahead ahead;	/* those that need their summary */
	struct want want;	/* of it */
	struct subject subject; /* the one in hand */
	struct text_walk text;
	uint64_t done;
	struct buf header;
};

static void state_done(void *arg)
{
	struct search_state *st = arg;

	numset_done(&st->hits);
	buf_done(&st->header);
}

/* ---- the reply ---- */

static void print_hits(struct cmd *cmd, const struct numset *uids, struct numset *ret)
{
	struct selected *sel = cmd->session->selected;
	struct numset_iter it = numset_iter(uids);
	uint32_t uid;

	if (cmd->uid) {
		numset_copy(ret, uids);
		return;
	}
	while (numset_next(&it, &uid))
		numset_add(ret, view_seq(sel->view, uid));
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

	print_hits(cmd, &st->hits, &found);
	if (returns & SEARCH_RETURN_SAVE)
		save(cmd, &st->hits, returns);
	/* SAVE alone answers nothing (RFC 5182 section 2.4). */
	if (!p->has_return && !session_is_rev2(cmd->session))
		reply_search(cmd, &found);
	else if (returns & ~(unsigned)SEARCH_RETURN_SAVE)
		reply_esearch(cmd, &found, returns);
	numset_done(&found);
	return reply_done(cmd);
}

/* A NO empties "$"; a BAD leaves it (RFC 5182 section 2.1). */
static enum verdict refuse(struct cmd *cmd, const char *code, const char *text)
{
	struct search_state *st = cmd->state;

	if (st->program.has_return && (st->program.returns & SEARCH_RETURN_SAVE))
		numset_copy(&cmd->session->selected->saved, &(struct numset){ 0 });
	return reply_no(cmd, code, text);
}

/* ---- the walk ---- */

static enum verdict go_on(struct cmd *cmd);

static void hit(struct search_state *st, const struct view_msg *m)
{
	numset_add(&st->hits, m->uid);
}

static enum verdict read_body(struct cmd *cmd, int step, uint64_t at, uint64_t n)
{
	struct search_state *st = cmd->state;

	return cmd_wait(cmd, step,
			body_read(cmd->session->account, st->subject.msg.info->body, at,
				  n < CHUNK ? (size_t)n : CHUNK, cmd_to(cmd)));
}

static enum verdict read_text(struct cmd *cmd)
{
	struct search_state *st = cmd->state;

	return read_body(cmd, TEXT, st->done, st->subject.summary.size - st->done);
}

/* The message in hand is answered: on with the next of the batch. */
static enum verdict settled(struct cmd *cmd)
{
	struct search_state *st = cmd->state;

	if (search_ask(st->search, &st->subject) == ANSWER_YES)
		hit(st, &st->subject.msg);
	st->ahead.at++;
	return go_on(cmd);
}

static enum verdict begin_text(struct cmd *cmd)
{
	struct search_state *st = cmd->state;

	text_begin(&st->text, st->search, &st->subject.summary);
	text_header(&st->text, st->subject.header);
	st->done = 0;
	if (st->subject.summary.size > 0)
		return read_text(cmd);
	st->subject.has_text = true;
	return settled(cmd);
}

static enum verdict has_header(struct cmd *cmd, struct span header)
{
	struct search_state *st = cmd->state;

	st->subject.header = header;
	st->subject.has_header = true;
	if (search_ask(st->search, &st->subject) == ANSWER_MAYBE)
		return begin_text(cmd);
	return settled(cmd);
}

/* More than the summary is needed: the header, then the text. */
static enum verdict look_inside(struct cmd *cmd)
{
	struct search_state *st = cmd->state;
	struct summary_part top;

	if (st->subject.summary.header_kind == SUMMARY_HEADER_WHOLE)
		return has_header(cmd, st->subject.summary.header);
	summary_part_get(&st->subject.summary, 0, &top);
	buf_clear(&st->header);
	st->done = 0;
	if (top.body_start == 0)
		return has_header(cmd, SPAN(""));
	return read_body(cmd, HEADER, 0, top.body_start);
}

static enum verdict header_came(struct cmd *cmd)
{
	struct search_state *st = cmd->state;
	struct summary_part top;

	summary_part_get(&st->subject.summary, 0, &top);
	if (cmd->op->rc != ERR_OK || op_bytes(cmd->op)->n == 0)
		return refuse(cmd, "UNAVAILABLE", "A message could not be read.");
	buf_put(&st->header, buf_span(op_bytes(cmd->op)));
	/* Of a monstrous header the first part is looked at. */
	if (st->header.n < top.body_start && st->header.n < SUMMARY_HEADER_READ)
		return read_body(cmd, HEADER, st->header.n,
				 top.body_start - st->header.n);
	return has_header(cmd, buf_span(&st->header));
}

static enum verdict text_came(struct cmd *cmd)
{
	struct search_state *st = cmd->state;
	struct span bytes;

	if (cmd->op->rc != ERR_OK || op_bytes(cmd->op)->n == 0)
		return refuse(cmd, "UNAVAILABLE", "A message could not be read.");
	bytes = buf_span(op_bytes(cmd->op));
	text_feed(&st->text, st->done, bytes);
	st->done += bytes.n;
	if (st->done < st->subject.summary.size)
		return read_text(cmd);
	text_finish(&st->text);
	st->subject.has_text = true;
	return settled(cmd);
}

/* Asks with the view alone; collects those that it does not decide. */
static enum ahead_fill fill(struct cmd *cmd, struct ahead_batch *b,
			    const struct want **want)
{
	struct search_state *st = cmd->state;
	struct selected *sel = cmd->session->selected;
	struct view_msg m[64];
	size_t n;

	*want = &st->want;
	for (size_t walked = 0; walked < WALKED_A_TURN; walked += n) {
		if (st->seq > view_count(sel->view))
			return AHEAD_OVER;
		if (b->n + 64 > AHEAD_BATCH)
			return AHEAD_MORE;
		n = view_walk(sel->view, st->seq, m, 64);
		for (size_t i = 0; i < n; i++) {
			struct subject s = { .seq = st->seq + (uint32_t)i, .msg = m[i] };
			enum answer a;

			if (sel->told != sel->view)
				selected_message(sel, m[i].uid, &s.seq, &s.msg);
			a = search_ask(st->search, &s);
			if (a == ANSWER_YES)
				hit(st, &s.msg);
			else if (a == ANSWER_MAYBE)
				b->at[b->n++] = (struct ahead_message){ s.seq, s.msg };
		}
		st->seq += (uint32_t)n;
	}
	return AHEAD_LATER;
}

/* Of the header what the keys look into; all of it when texts are looked for. */
static void set_want(struct search_state *st)
{
	st->want.what = WANT_SUMMARY;
	if (st->search->texts || st->search->n_names)
		st->want.what |= WANT_HEADER;
	if (!st->search->texts) {
		st->want.names = st->search->names;
		st->want.n_names = st->search->n_names;
	}
}

/* The message in hand, with its summary. One without is passed over. */
static enum answer ask(struct search_state *st)
{
	const struct ahead_message *m = ahead_message(&st->ahead);
	const struct gathered_message *c = ahead_content(&st->ahead);

	st->subject = (struct subject){ .seq = m->seq, .msg = m->msg };
	if (!c || !c->has_summary)
		return ANSWER_NO;
	st->subject.summary = c->summary;
	st->subject.has_summary = true;
	st->subject.has_fields = c->has_fields;
	return search_ask(st->search, &st->subject);
}

static enum verdict go_on(struct cmd *cmd)
{
	struct search_state *st = cmd->state;
	struct ahead *a = &st->ahead;

	for (int n = 0; n < ASKED_A_TURN; n++) {
		if (!a->first || a->at == a->first->n) {
			enum verdict v = ahead_next(a);

			if (v != CMD_DONE)
				return v;
			if (!a->first)
				return all_done(cmd);
		}
		if (a->first->rc != ERR_OK)
			return refuse(cmd, "UNAVAILABLE",
				      "The messages could not be read.");
		switch (ask(st)) {
		case ANSWER_MAYBE: return look_inside(cmd);
		case ANSWER_YES: hit(st, &st->subject.msg); break;
		case ANSWER_NO: break;
		}
		a->at++;
	}
	return cmd_yield(cmd, NEXT);
}

static enum verdict parse(struct cmd *cmd)
{
	struct search_state *st = ARENA_NEW(cmd->arena, struct search_state);

	cmd->state = st;
	arena_defer(cmd->arena, state_done, st);
	if (!cursor_search(&cmd->cur, 0, &st->program) || !cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (st->program.other_returns.n)
		return reply_bad(cmd, "That RETURN option is not known here.");
	switch (search_compile(cmd->arena, cmd->session->selected, &st->program,
			       &st->search)) {
	case ERR_OK: break;
	case ERR_LIMIT:
		return refuse(cmd, "LIMIT",
			      "These are too many texts to look for at once.");
	case ERR_NOCHARSET:
		return refuse(cmd, "BADCHARSET (US-ASCII UTF-8)",
			      "That charset is not known here.");
	default:
		return reply_bad(
		    cmd, "A message number is above the last one, or a text is not in "
			 "its charset.");
	}
	st->seq = 1;
	set_want(st);
	ahead_begin(&st->ahead, cmd, NEXT, fill);
	return go_on(cmd);
}

static enum verdict run(struct cmd *cmd)
{
	switch (cmd->step) {
	case PARSE: return parse(cmd);
	case HEADER: return header_came(cmd);
	case TEXT: return text_came(cmd);
	default: return go_on(cmd);
	}
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
