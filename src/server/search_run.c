/*
 * The walk of a search over a mailbox (RFC 9051 section 6.4.4): first the view, then
 * summaries read ahead in batches, then the bytes of those still undecided.
 */
#include "server/search_run.h"

#include "mail/charset.h"
#include "server/collation.h"
#include "server/condstore.h"
#include "server/message_limit.h"
#include "server/reply.h"
#include "server/selected.h"

enum { NEXT, HEADER, TEXT, FILTERS };
enum { WALKED_A_TURN = 16384, ASKED_A_TURN = 4096, CHUNK = 256 << 10 };

static enum verdict go_on(struct search_run *r);

static void hit(struct search_run *r, const struct view_msg *m)
{
	numset_add(&r->hits, m->uid);
}

static enum verdict unreadable(struct search_run *r)
{
	return reply_no(r->cmd, "UNAVAILABLE", "A message could not be read.");
}

static enum verdict read_body(struct search_run *r, int step, uint64_t at, uint64_t n)
{
	return cmd_wait(r->cmd, r->step + step,
			body_read(r->sel->place.account, r->subject.msg.info->body, at,
				  n < CHUNK ? (size_t)n : CHUNK, cmd_to(r->cmd)));
}

/* The message in hand is answered: on with the next of the batch. */
static enum verdict settled(struct search_run *r)
{
	if (search_ask(r->search, &r->subject) == ANSWER_YES)
		hit(r, &r->subject.msg);
	r->ahead.at++;
	return go_on(r);
}

/* The next bytes of text, unless what was found in those before decides. */
static enum verdict read_text(struct search_run *r)
{
	if (search_ask(r->search, &r->subject) != ANSWER_MAYBE)
		return settled(r);
	if (text_next(&r->text, r->done, &r->done))
		return read_body(r, TEXT, r->done, r->text.end - r->done);
	text_finish(&r->text);
	r->subject.has_text = true;
	return settled(r);
}

static enum verdict begin_text(struct search_run *r)
{
	text_begin(&r->text, r->search, &r->subject.summary);
	if (r->subject.has_header)
		text_header(&r->text, r->subject.header);
	r->subject.has_begun = true;
	r->done = 0;
	return read_text(r);
}

static enum verdict has_header(struct search_run *r, struct span header)
{
	r->subject.header = header;
	r->subject.has_header = true;
	return begin_text(r);
}

/* More than the summary is needed: the header, then the text. */
static enum verdict look_inside(struct search_run *r)
{
	struct summary_part top;

	if (!r->search->has_text_key && !r->search->n_names)
		return begin_text(r);
	if (r->subject.summary.header_kind == SUMMARY_HEADER_WHOLE)
		return has_header(r, r->subject.summary.header);
	summary_part_get(&r->subject.summary, 0, &top);
	buf_clear(&r->header);
	r->done = 0;
	if (top.body_start == 0)
		return has_header(r, SPAN(""));
	return read_body(r, HEADER, 0, top.body_start);
}

static enum verdict header_came(struct search_run *r)
{
	struct op *op = r->cmd->op;
	struct summary_part top;

	summary_part_get(&r->subject.summary, 0, &top);
	if (op->rc != ERR_OK || op_bytes(op)->n == 0)
		return unreadable(r);
	buf_put(&r->header, buf_span(op_bytes(op)));
	/* Of a monstrous header the first part is looked at. */
	if (r->header.n < top.body_start && r->header.n < SUMMARY_HEADER_READ)
		return read_body(r, HEADER, r->header.n, top.body_start - r->header.n);
	return has_header(r, buf_span(&r->header));
}

static enum verdict text_came(struct search_run *r)
{
	struct op *op = r->cmd->op;
	struct span bytes;

	if (op->rc != ERR_OK || op_bytes(op)->n == 0)
		return unreadable(r);
	bytes = buf_span(op_bytes(op));
	text_feed(&r->text, r->done, bytes);
	r->done += bytes.n;
	return read_text(r);
}

/* Asks with the view alone; collects those that it does not decide. */
static enum ahead_fill fill(struct ahead *ahead, struct ahead_batch *b,
			    const struct want **want)
{
	struct search_run *r = ahead->arg;
	struct selected *sel = r->sel;
	struct view_msg m[64];
	size_t n;

	*want = &r->want;
	for (size_t walked = 0; walked < WALKED_A_TURN; walked += n) {
		if (r->seq > view_count(sel->view))
			return AHEAD_OVER;
		if (b->n + 64 > AHEAD_BATCH)
			return AHEAD_MORE;
		n = view_walk(sel->view, r->seq, m, 64);
		for (size_t i = 0; b->n > 0 && i < n; i++)
			if (ahead_is_full(b, m[i].uid))
				n = i;
		if (n == 0)
			return AHEAD_MORE;
		for (size_t i = 0; i < n; i++) {
			struct subject s = { .seq = r->seq + (uint32_t)i, .msg = m[i] };
			enum answer a;

			if (sel->told != sel->view)
				selected_message(sel, m[i].uid, &s.seq, &s.msg);
			a = search_ask(r->search, &s);
			if (a == ANSWER_YES)
				hit(r, &s.msg);
			else if (a == ANSWER_MAYBE)
				b->at[b->n++] = (struct ahead_message){ s.seq, s.msg };
		}
		r->seq += (uint32_t)n;
	}
	return AHEAD_LATER;
}

/* Of the header what the keys look into; all of it for TEXT. */
static void set_want(struct search_run *r)
{
	const struct search *s = r->search;

	r->want.what = WANT_SUMMARY;
	if (s->has_text_key || s->n_names)
		r->want.what |= WANT_HEADER;
	if (s->texts)
		r->want.what |= WANT_PARTS;
	if (!s->has_text_key) {
		r->want.names = s->names;
		r->want.n_names = s->n_names;
	}
	if (text_sieve_is_useful(s->sieve))
		r->want.sieve = s->sieve;
}

/* The message in hand, with what came of it. One without a summary is passed over. */
static enum answer ask(struct search_run *r)
{
	const struct ahead_message *m = ahead_message(&r->ahead);
	const struct gathered_message *c = ahead_content(&r->ahead);

	r->subject = (struct subject){ .seq = m->seq, .msg = m->msg };
	if (c && c->has_sieved && c->sieved != TEXT_MAYBE)
		return c->sieved == TEXT_YES ? ANSWER_YES : ANSWER_NO;
	if (!c || !c->has_summary)
		return ANSWER_NO;
	r->subject.summary = c->summary;
	r->subject.has_summary = true;
	r->subject.has_fields = c->has_fields;
	r->subject.has_sieved = c->has_sieved;
	r->subject.may = c->may;
	return search_ask(r->search, &r->subject);
}

static enum verdict go_on(struct search_run *r)
{
	struct ahead *a = &r->ahead;

	if (!r->arena)
		r->cmd->done = r->seq - 1;
	for (int n = 0; n < ASKED_A_TURN; n++) {
		if (!a->first || a->at == a->first->n) {
			enum verdict v = ahead_next(a);

			if (v != CMD_DONE || !a->first)
				return v;
		}
		if (a->first->rc != ERR_OK)
			return reply_no(r->cmd, "UNAVAILABLE",
					"The messages could not be read.");
		switch (ask(r)) {
		case ANSWER_MAYBE: return look_inside(r);
		case ANSWER_YES: hit(r, &r->subject.msg); break;
		case ANSWER_NO: break;
		}
		a->at++;
	}
	return cmd_yield(r->cmd, r->step + NEXT);
}

/* Flags alone are asked of the whole view at once. False: something else is asked too. */
static bool match_flags(struct search_run *r)
{
	uint64_t mask, value;

	if (r->sel->told != r->sel->view || !search_is_flags(r->search, &mask, &value))
		return false;
	view_match_flags(r->sel->view, mask, value, &r->hits);
	return true;
}

void search_candidates(struct selected *sel, const struct search_program *p,
		       struct numset *to)
{
	view_match_flags(sel->view, 0, 0, to);
	for (const struct search_node *n = p->root->child; n; n = n->next) {
		struct numset some = { 0 };

		if (n->key != SEARCH_UID && n->key != SEARCH_SEQUENCE)
			continue;
		if (selected_resolve(sel, &n->u.set, n->key == SEARCH_UID, &some) ==
		    ERR_OK)
			numset_intersect(to, &some);
		numset_done(&some);
	}
}

/* An order, or threads, of a part of what was asked for would be wrong. */
static bool may_be_part(const struct cmd *cmd)
{
	return span_ieq(span_str(cmd->def->name), SPAN("SEARCH")) ||
	       span_ieq(span_str(cmd->def->name), SPAN("ESEARCH"));
}

/* A limit takes the newest of them (RFC 9738 section 3.1). False: the reply is set. */
static bool limit(struct search_run *r)
{
	struct numset uids = { 0 };
	bool is_refused;

	if (!r->cmd->server->config.limits.messages || r->arena)
		return true;
	search_candidates(r->sel, r->program, &uids);
	is_refused = !may_be_part(r->cmd) &&
		     message_limit_refuses(r->cmd, numset_count(&uids), NULL);
	if (!is_refused)
		message_limit(r->cmd, &uids);
	numset_done(&uids);
	return !is_refused;
}

static void run_done(void *arg)
{
	struct search_run *r = arg;

	numset_done(&r->hits);
	buf_done(&r->header);
}

bool search_program_check(struct cmd *cmd, const struct search_program *p)
{
	/* Numbers must hold until they are answered (RFC 7162 section 3.2.10.2). */
	if (p->needs & SEARCH_NEED_NUMBERS)
		cmd->may_expunge = false;
	if ((p->needs & SEARCH_NEED_NUMBERS) && session_is_uidonly(cmd->session)) {
		reply_bad_code(cmd, "UIDREQUIRED",
			       "After ENABLE UIDONLY name messages by UID.");
		return false;
	}
	if (p->needs & SEARCH_NEED_MODSEQ)
		condstore_enable(cmd);
	/* RFC 9755 section 3: where a charset must be named it is this one */
	if ((cmd->session->enabled & ENABLED_UTF8) && p->charset.p &&
	    !span_ieq(p->charset, SPAN("UTF-8"))) {
		reply_bad(cmd, "After ENABLE UTF8=ACCEPT the charset is UTF-8.");
		return false;
	}
	if (p->charset.p && !charset_known(p->charset)) {
		reply_no(cmd, "BADCHARSET (US-ASCII UTF-8)",
			 "That charset is not known here.");
		return false;
	}
	return true;
}

static enum verdict cannot(struct cmd *cmd, enum err rc)
{
	if (rc == ERR_LIMIT)
		return reply_no(cmd, "LIMIT",
				"These are too many texts to look for at once.");
	return reply_bad(cmd, "A message number is above the last one, or a text is not in "
			      "its charset.");
}

/* The program has no FILTER keys any more. */
static enum verdict begin(struct search_run *r)
{
	struct arena *arena = r->arena ? r->arena : r->cmd->arena;
	struct cmd *cmd = r->cmd;
	enum err rc;

	if (!search_program_check(cmd, r->program))
		return CMD_DONE;
	rc = search_compile(arena, r->sel, collation_of(cmd->session), r->program,
			    &r->search);
	if (rc != ERR_OK)
		return cannot(cmd, rc);
	if (!limit(r))
		return CMD_DONE;
	if (match_flags(r)) {
		if (cmd->limit_lowest)
			numset_remove_range(&r->hits, 0, cmd->limit_lowest - 1);
		return CMD_DONE;
	}
	r->seq = cmd->limit_lowest ? view_seq_from(r->sel->view, cmd->limit_lowest) : 1;
	cmd->tells_progress = true;
	if (!r->arena)
		cmd->goal = view_count(r->sel->view);
	set_want(r);
	ahead_begin(&r->ahead, arena, cmd, r->step + NEXT, fill, r, r->sel);
	return go_on(r);
}

static enum verdict filtered(struct search_run *r, enum verdict v)
{
	return v == CMD_DONE && r->cmd->tagged_kind == TAGGED_NONE ? begin(r) : v;
}

enum verdict search_run_begin(struct search_run *r, struct cmd *cmd)
{
	r->cmd = cmd;
	arena_defer(r->arena ? r->arena : cmd->arena, run_done, r);
	return filtered(r, search_filters_begin(&r->filters, cmd, r->program,
						r->step + FILTERS));
}

enum verdict search_run_go_on(struct search_run *r)
{
	switch (r->cmd->step - r->step) {
	case FILTERS: return filtered(r, search_filters_go_on(&r->filters));
	case HEADER: return header_came(r);
	case TEXT: return text_came(r);
	default: return go_on(r);
	}
}
