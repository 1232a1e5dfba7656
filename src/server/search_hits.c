/* What was found, with what it is arranged by. */
#include "server/search_hits.h"

#include "mail/header.h"
#include "server/reply.h"

enum { NEXT, HEADER };
enum { GIVEN_A_TURN = 2048, CHUNK = 256 << 10 };

static enum ahead_fill fill(struct ahead *ahead, struct ahead_batch *b,
			    const struct want **want)
{
	struct search_hits *h = ahead->arg;
	uint32_t uid;

	*want = h->want.what ? &h->want : NULL;
	while (b->n < AHEAD_BATCH) {
		struct ahead_message *m = &b->at[b->n];
		struct numset_iter before = h->it;

		if (!numset_next(&h->it, &uid))
			return AHEAD_OVER;
		if (ahead_is_full(b, uid)) {
			h->it = before;
			return AHEAD_MORE;
		}
		b->n += selected_message(h->sel, uid, &m->seq, &m->msg);
	}
	return AHEAD_MORE;
}

static void give(struct search_hits *h, const struct gathered_message *c,
		 struct span header)
{
	const struct ahead_message *m = ahead_message(&h->ahead);
	struct hit hit = {
		.seq = m->seq,
		.msg = m->msg,
		.sent = m->msg.info->internal_date,
		.header = header,
	};

	if (c && c->has_summary && c->summary.has_date)
		hit.sent = c->summary.sent_utc;
	h->each(h->arg, &hit);
	h->ahead.at++;
}

/* The summary has not the fields: a monstrous header, of which the first part is read. */
static enum verdict read_header(struct search_hits *h, uint64_t end)
{
	const struct ahead_message *m = ahead_message(&h->ahead);
	uint64_t left = end - h->header.n;

	return cmd_wait(h->cmd, h->step + HEADER,
			body_read(h->sel->place.account, m->msg.info->body, h->header.n,
				  left < CHUNK ? (size_t)left : CHUNK, cmd_to(h->cmd)));
}

static uint64_t header_end(const struct gathered_message *c)
{
	struct summary_part top;

	summary_part_get(&c->summary, 0, &top);
	return top.body_start < SUMMARY_HEADER_READ ? top.body_start
						    : SUMMARY_HEADER_READ;
}

static bool needs_header(const struct search_hits *h, const struct gathered_message *c)
{
	return h->n_names > 0 && c && c->has_summary && !c->has_fields &&
	       header_end(c) > 0;
}

static enum verdict header_came(struct search_hits *h)
{
	const struct gathered_message *c = ahead_content(&h->ahead);
	struct op *op = h->cmd->op;
	struct buf fields = { 0 };

	if (op->rc != ERR_OK || op_bytes(op)->n == 0)
		return reply_no(h->cmd, "UNAVAILABLE", "A message could not be read.");
	buf_put(&h->header, buf_span(op_bytes(op)));
	if (h->header.n < header_end(c))
		return read_header(h, header_end(c));
	header_filter(buf_span(&h->header), h->names, h->n_names, false, &fields);
	give(h, c, buf_span(&fields));
	buf_done(&fields);
	return search_hits_go_on(h);
}

static enum verdict go_on(struct search_hits *h)
{
	struct ahead *a = &h->ahead;

	for (int n = 0; n < GIVEN_A_TURN; n++) {
		const struct gathered_message *c;

		if (!a->first || a->at == a->first->n) {
			enum verdict v = ahead_next(a);

			if (v != CMD_DONE || !a->first)
				return v;
		}
		if (a->first->rc != ERR_OK)
			return reply_no(h->cmd, "UNAVAILABLE",
					"The messages could not be read.");
		c = ahead_content(a);
		if (needs_header(h, c)) {
			buf_clear(&h->header);
			return read_header(h, header_end(c));
		}
		give(h, c, c && c->has_summary ? c->summary.header : SPAN_NONE);
	}
	return cmd_yield(h->cmd, h->step + NEXT);
}

static void hits_done(void *arg)
{
	struct search_hits *h = arg;

	buf_done(&h->header);
}

enum verdict search_hits_begin(struct search_hits *h, struct cmd *cmd)
{
	h->cmd = cmd;
	arena_defer(cmd->arena, hits_done, h);
	h->it = numset_iter(h->uids);
	if (h->wants_summary)
		h->want.what = WANT_SUMMARY | (h->n_names ? WANT_HEADER : 0);
	h->want.names = h->names;
	h->want.n_names = h->n_names;
	ahead_begin(&h->ahead, cmd->arena, cmd, h->step + NEXT, fill, h, h->sel);
	return go_on(h);
}

enum verdict search_hits_go_on(struct search_hits *h)
{
	if (h->cmd->step == h->step + HEADER) {
		h->cmd->step = h->step + NEXT;
		return header_came(h);
	}
	return go_on(h);
}
