/* The modifiers of FETCH: CHANGEDSINCE and VANISHED (RFC 7162 sections 3.1.4.1
 * and 3.2.6), PARTIAL (RFC 9394 section 3.3). */
#include "server/fetch_state.h"
#include "server/reply.h"
#include "server/selected.h"
#include "wire/search.h"

static bool refuse(struct cmd *cmd, const char *text)
{
	reply_bad(cmd, text);
	return false;
}

static bool read_vanished(struct cmd *cmd, struct fetch_modifiers *m, struct span value)
{
	if (!cmd->uid)
		return refuse(cmd, "VANISHED goes with UID FETCH only.");
	if (!(cmd->session->enabled & ENABLED_QRESYNC))
		return refuse(cmd, "ENABLE QRESYNC comes first.");
	if (value.p)
		return refuse(cmd, "VANISHED takes no value.");
	m->vanished = true;
	return true;
}

static bool read_partial(struct cmd *cmd, struct fetch_modifiers *m, struct span value)
{
	struct cursor c = cursor_on(&cmd->cur, value);

	if (!cmd->uid)
		return refuse(cmd, "PARTIAL goes with UID FETCH only.");
	if (!value.p || !cursor_partial_range(&c, &m->partial) || !cursor_rest_empty(&c))
		return refuse(cmd, "PARTIAL wants a range such as 1:100 or -1:-100.");
	m->has_partial = true;
	return true;
}

/* Responses to CHANGEDSINCE carry MODSEQ (RFC 7162 section 3.1.4.1). */
static void add_modseq(struct cmd *cmd, struct fetch_args *a)
{
	struct fetch_item *items;

	if (a->kinds & FETCH_MODSEQ)
		return;
	items = arena_array(cmd->arena, a->n_items + 1, sizeof *items);
	if (a->n_items)
		memcpy(items, a->items, a->n_items * sizeof *items);
	items[a->n_items++] = (struct fetch_item){ .kind = FETCH_MODSEQ };
	a->items = items;
	a->kinds |= FETCH_MODSEQ;
}

static bool read_one(struct cmd *cmd, const struct wire_param *p)
{
	struct fetch_state *st = cmd->state;
	struct fetch_modifiers *m = &st->modifiers;

	if (span_ieq(p->name, SPAN("CHANGEDSINCE"))) {
		if (!condstore_value(cmd, p->value, &m->since))
			return refuse(cmd, "CHANGEDSINCE wants a modification sequence.");
		m->has_since = true;
		return true;
	}
	if (span_ieq(p->name, SPAN("VANISHED")))
		return read_vanished(cmd, m, p->value);
	if (span_ieq(p->name, SPAN("PARTIAL")))
		return read_partial(cmd, m, p->value);
	return refuse(cmd, "That FETCH modifier is not known here.");
}

bool fetch_modifiers_read(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	const struct wire_params *given = &st->args.modifiers;

	for (size_t i = 0; i < given->n; i++) {
		for (size_t k = 0; k < i; k++)
			if (span_ieq(given->v[k].name, given->v[i].name))
				return refuse(cmd, "A modifier was given twice.");
		if (!read_one(cmd, &given->v[i]))
			return false;
	}
	if (st->modifiers.vanished && !st->modifiers.has_since)
		return refuse(cmd, "VANISHED goes with CHANGEDSINCE only.");
	if (st->modifiers.has_since)
		add_modseq(cmd, &st->args);
	if (st->args.kinds & FETCH_MODSEQ)
		condstore_enable(cmd);
	return true;
}

struct op *fetch_modifiers_look(struct cmd *cmd, const struct seqset *set)
{
	struct fetch_state *st = cmd->state;
	struct fetch_modifiers *m = &st->modifiers;
	const struct view *v = cmd->session->selected->view;

	if (!m->vanished || set->saved)
		return NULL;
	/* "*" reaches to what has gone behind the last message, too. */
	seqset_resolve(set, view_uidnext(v) - 1, &m->resync.uids);
	m->resync.since = m->since;
	return resync_look(cmd, &m->resync);
}

static void take_partial(const struct partial_range *p, struct numset *uids)
{
	struct numset range = { 0 };
	uint32_t lo, hi;
	uint64_t from, n;

	partial_range_resolve(p, numset_count(uids), &from, &n);
	if (n && numset_select(uids, from, &lo) && numset_select(uids, from + n - 1, &hi))
		numset_add_range(&range, lo, hi);
	numset_intersect(uids, &range);
	numset_done(&range);
}

void fetch_modifiers_apply(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	const struct fetch_modifiers *m = &st->modifiers;
	struct numset left = { 0 };

	if (m->has_partial)
		take_partial(&m->partial, &st->uids);
	if (!m->has_since)
		return;
	view_changed_since(cmd->session->selected->told, m->since, &st->uids, &left);
	numset_done(&st->uids);
	st->uids = left;
}
