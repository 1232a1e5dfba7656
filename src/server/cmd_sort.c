/*
 * SORT and UID SORT (RFC 5256; DISPLAYFROM and DISPLAYTO of RFC 5957; RETURN of RFC 5267
 * section 3). What was found gets one key a message (mail/sort_key.h), and the keys are
 * sorted.
 */
#include <stdlib.h>

#include "mail/sort_key.h"
#include "server/collation.h"
#include "server/context.h"
#include "server/reply.h"
#include "server/search_found.h"
#include "server/search_hits.h"
#include "server/search_run.h"
#include "wire/sort.h"

enum { PARSE, RUN, HITS = RUN + SEARCH_RUN_STEPS };

/* Keys of equal starts are told apart by the rest, then by the place in the mailbox. */
struct sorted {
	uint64_t start;
	size_t off, n; /* of the key */
	uint32_t seq, uid;
};

struct sort_state {
	struct search_program program;
	struct sort_criteria criteria;
	const struct comparator *comparator;
	struct search_run run;
	struct search_hits hits;
	struct span names[2 * WIRE_SORT_MAX];
	struct buf keys, text;
	struct arena *scratch;
	struct sorted *v;
	size_t n, cap, scratched;
};

/*
 * The last result of the selected mailbox: what messages are sorted by never changes, so
 * the same messages by the same criteria have the same order; pages of PARTIAL are asked
 * for one after another (RFC 5267 section 4.5).
 */
enum { KEPT_MAX = 1 << 18 }; /* messages */

struct kept {
	struct sort_criteria criteria;
	const struct comparator *comparator;
	struct numset hits;
	uint32_t *uids; /* in their order */
	size_t n;
	bool is_deferred;
};

extern const struct extension cmd_sort;

static void kept_drop(void *arg)
{
	struct kept *k = arg;

	numset_done(&k->hits);
	free(k->uids);
	*k = (struct kept){ 0 };
}

static bool criteria_equal(const struct sort_criteria *a, const struct sort_criteria *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].by != b->v[i].by || a->v[i].reverse != b->v[i].reverse)
			return false;
	return true;
}

static void keep(struct cmd *cmd, const struct sort_state *st, const uint32_t *uids)
{
	struct selected *sel = cmd->session->selected;
	struct kept *k = session_slot(cmd->session, &cmd_sort);
	bool is_deferred = k->is_deferred;

	kept_drop(k);
	k->is_deferred = is_deferred;
	if (st->n > KEPT_MAX)
		return;
	if (!is_deferred)
		arena_defer(sel->arena, kept_drop, k);
	k->is_deferred = true;
	k->criteria = st->criteria;
	k->comparator = st->comparator;
	numset_copy(&k->hits, &st->run.hits);
	k->uids = xcalloc(st->n, sizeof *k->uids);
	if (st->n > 0)
		memcpy(k->uids, uids, st->n * sizeof *uids);
	k->n = st->n;
}

static void state_done(void *arg)
{
	struct sort_state *st = arg;

	buf_done(&st->keys);
	buf_done(&st->text);
	arena_free(st->scratch);
	free(st->v);
}

static struct span field_of(enum sort_by by)
{
	switch (by) {
	case SORT_CC: return SPAN("Cc");
	case SORT_FROM:
	case SORT_DISPLAYFROM: return SPAN("From");
	case SORT_TO:
	case SORT_DISPLAYTO: return SPAN("To");
	case SORT_SUBJECT: return SPAN("Subject");
	default: return SPAN_NONE;
	}
}

/* ---- keys ---- */

static void put_text(struct sort_state *st, const struct sort_criterion *c,
		     struct span header)
{
	struct buf *text = &st->text;

	buf_clear(text);
	switch (c->by) {
	case SORT_SUBJECT: sort_text_subject(header, text); break;
	case SORT_DISPLAYFROM:
	case SORT_DISPLAYTO:
		sort_text_display(st->scratch, header, field_of(c->by), text);
		break;
	default: sort_text_mailbox(st->scratch, header, field_of(c->by), text); break;
	}
	sort_key_text(&st->keys, st->comparator, buf_span(text), c->reverse);
}

static void put_criterion(struct sort_state *st, const struct sort_criterion *c,
			  const struct hit *hit)
{
	const struct view_info *info = hit->msg.info;

	switch (c->by) {
	case SORT_ARRIVAL:
		sort_key_number(&st->keys, info->internal_date, c->reverse);
		break;
	case SORT_DATE: sort_key_number(&st->keys, hit->sent, c->reverse); break;
	case SORT_SIZE:
		sort_key_number(&st->keys, (int64_t)info->bytes, c->reverse);
		break;
	default: put_text(st, c, hit->header); break;
	}
}

static uint64_t start_of(struct span key)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8; i++)
		v = v << 8 | (i < key.n ? (unsigned char)key.p[i] : 0);
	return v;
}

static void add(void *arg, const struct hit *hit)
{
	struct sort_state *st = arg;
	size_t from = st->keys.n;
	struct sorted *s;

	if (st->n == st->cap) {
		st->cap = st->cap ? st->cap * 2 : 1024;
		st->v = xrealloc(st->v, st->cap * sizeof *st->v);
	}
	if (st->scratched++ % 256 == 0) {
		arena_free(st->scratch);
		st->scratch = arena_new(NULL);
	}
	for (size_t i = 0; i < st->criteria.n; i++)
		put_criterion(st, &st->criteria.v[i], hit);
	s = &st->v[st->n++];
	*s = (struct sorted){
		.off = from, .n = st->keys.n - from, .seq = hit->seq, .uid = hit->msg.uid
	};
	s->start = start_of(span_sub(buf_span(&st->keys), from, s->n));
}

static int compare(const void *a, const void *b, void *keys)
{
	const struct sorted *x = a, *y = b;
	struct span all = buf_span(keys);
	int order;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->n > 8 || y->n > 8) {
		order = span_cmp(span_sub(all, x->off, x->n),
				 span_sub(all, y->off, y->n));
		if (order)
			return order;
	}
	return (x->seq > y->seq) - (x->seq < y->seq);
}

/* ---- the reply ---- */

static void reply_sort(struct cmd *cmd, const uint32_t *v, size_t n, uint64_t modseq)
{
	struct buf *out = cmd_out(cmd);

	buf_puts(out, "* SORT");
	for (size_t i = 0; i < n; i++) {
		buf_putc(out, ' ');
		buf_put_u64(out, v[i]);
	}
	/* RFC 7162 section 3.1.9 */
	if (modseq)
		buf_printf(out, " (MODSEQ %llu)", (unsigned long long)modseq);
	buf_puts(out, "\r\n");
}

static enum verdict answer(struct cmd *cmd, const uint32_t *uids, size_t n)
{
	struct sort_state *st = cmd->state;
	uint32_t *numbers = xcalloc(n, sizeof *numbers);
	struct found saved = found_of_list(uids, n);
	struct found found = found_of_list(cmd->uid ? uids : numbers, n);

	for (size_t i = 0; i < n && !cmd->uid; i++)
		numbers[i] = view_seq(st->run.sel->view, uids[i]);
	found_save(cmd, &st->program, &saved);
	found.modseq = found_modseq(st->run.sel, &st->program, &saved);
	if (st->program.has_return)
		esearch_reply(cmd, NULL, &st->program, &found);
	else
		reply_sort(cmd, found.list, n, found.modseq);
	context_keep(cmd, &st->program, NULL, false);
	free(numbers);
	return reply_done(cmd);
}

static enum verdict all_done(struct cmd *cmd)
{
	struct sort_state *st = cmd->state;
	uint32_t *uids = xcalloc(st->n, sizeof *uids);
	enum verdict v;

	if (st->n > 0)
		qsort_r(st->v, st->n, sizeof *st->v, compare, &st->keys);
	for (size_t i = 0; i < st->n; i++)
		uids[i] = st->v[i].uid;
	keep(cmd, st, uids);
	v = answer(cmd, uids, st->n);
	free(uids);
	return v;
}

/* ---- the steps ---- */

static enum verdict arranged(struct cmd *cmd, enum verdict v)
{
	struct sort_state *st = cmd->state;

	if (v != CMD_DONE)
		return v;
	if (cmd->tagged_kind == TAGGED_NONE)
		return all_done(cmd);
	found_nothing(cmd, &st->program);
	return CMD_DONE;
}

static enum verdict searched(struct cmd *cmd, enum verdict v)
{
	struct sort_state *st = cmd->state;
	struct search_hits *h = &st->hits;
	const struct kept *kept;

	if (v != CMD_DONE || cmd->tagged_kind != TAGGED_NONE)
		return arranged(cmd, v);
	kept = session_slot_if(cmd->session, &cmd_sort);
	if (kept && kept->uids && kept->comparator == st->comparator &&
	    criteria_equal(&kept->criteria, &st->criteria) &&
	    numset_equal(&kept->hits, &st->run.hits))
		return answer(cmd, kept->uids, kept->n);
	h->sel = st->run.sel;
	h->uids = &st->run.hits;
	h->names = st->names;
	for (size_t i = 0; i < st->criteria.n; i++) {
		struct span field = field_of(st->criteria.v[i].by);

		if (field.p)
			st->names[h->n_names++] = field;
		if (field.p || st->criteria.v[i].by == SORT_DATE)
			h->wants_summary = true;
	}
	h->each = add;
	h->arg = st;
	h->step = HITS;
	return arranged(cmd, search_hits_begin(h, cmd));
}

static enum verdict parse(struct cmd *cmd)
{
	struct sort_state *st = ARENA_NEW(cmd->arena, struct sort_state);
	struct cursor *c = &cmd->cur;

	cmd->state = st;
	arena_defer(cmd->arena, state_done, st);
	cursor_sp(c);
	cursor_search_returns(c, &st->program);
	cursor_sort_criteria(c, &st->criteria);
	cursor_sp(c);
	if (!cursor_search_criteria(c, SEARCH_KEYS_SERVED, &st->program) ||
	    !cursor_end(c))
		return reply_syntax(cmd);
	if (st->program.other_returns.n)
		return reply_bad(cmd, "That RETURN option is not known here.");
	if (context_is_taken(cmd, &st->program))
		return reply_bad(cmd, "That tag is in use by a search that is kept up "
				      "to date.");
	st->comparator = collation_of(cmd->session);
	st->run.sel = cmd->session->selected;
	st->run.program = &st->program;
	st->run.step = RUN;
	return searched(cmd, search_run_begin(&st->run, cmd));
}

static enum verdict run(struct cmd *cmd)
{
	struct sort_state *st = cmd->state;

	if (cmd->step == PARSE)
		return parse(cmd);
	if (cmd->step < HITS)
		return searched(cmd, search_run_go_on(&st->run));
	return arranged(cmd, search_hits_go_on(&st->hits));
}

static const struct command commands[] = {
	{ "SORT", IN_SELECTED, CMD_MESSAGES | CMD_UID | CMD_NUMBERS | CMD_NO_EXPUNGE, run },
	{ 0 },
};
const struct extension cmd_sort = {
	.name = "SORT",
	.rfc = "RFC 5256",
	.about = "search results in the order asked for",
	.capability = "SORT",
	.states = IN_LOGGED_IN,
	.commands = commands,
	.slot_bytes = sizeof(struct kept),
};
const struct extension ext_sort_display = {
	.name = "SORT=DISPLAY",
	.rfc = "RFC 5957",
	.about = "sorted by the names that a reader sees",
	.capability = "SORT=DISPLAY",
	.states = IN_LOGGED_IN,
};
const struct extension ext_esort = {
	.name = "ESORT",
	.rfc = "RFC 5267",
	.about = "SORT that counts, or answers with ranges",
	.capability = "ESORT",
	.states = IN_LOGGED_IN,
};
