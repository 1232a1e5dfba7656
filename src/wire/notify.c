/* NOTIFY (RFC 5465 section 8), and the same choice of mailboxes in ESEARCH (RFC 7377). */
#include "wire/notify.h"

#include "wire/grow.h"

static const char *const event_names[] = {
	"MessageNew",
	"MessageExpunge",
	"FlagChange",
	"AnnotationChange",
	"MailboxName",
	"SubscriptionChange",
	"MailboxMetadataChange",
	"ServerMetadataChange",
};
enum { N_EVENTS = sizeof event_names / sizeof *event_names };

static const char *const filter_names[] = {
	[NOTIFY_SELECTED] = "SELECTED",
	[NOTIFY_SELECTED_DELAYED] = "SELECTED-DELAYED",
	[NOTIFY_INBOXES] = "INBOXES",
	[NOTIFY_PERSONAL] = "PERSONAL",
	[NOTIFY_SUBSCRIBED] = "SUBSCRIBED",
	[NOTIFY_SUBTREE] = "SUBTREE",
	[NOTIFY_MAILBOXES] = "MAILBOXES",
	[NOTIFY_SUBTREE_ONE] = "SUBTREE-ONE",
};
enum { N_FILTERS = sizeof filter_names / sizeof *filter_names };

static unsigned event_read(struct cursor *c)
{
	struct span name = cursor_atom(c);

	for (unsigned i = 0; i < N_EVENTS && !c->bad; i++)
		if (span_ieq(name, span_str(event_names[i])))
			return 1u << i;
	return c->bad ? 0 : NOTIFY_OTHER;
}

static bool is_of_selected(const struct notify_group *g)
{
	return g->of.filter == NOTIFY_SELECTED || g->of.filter == NOTIFY_SELECTED_DELAYED;
}

/* event *(SP event) ")", MessageNew perhaps with its FETCH items. */
static bool events_read(struct cursor *c, unsigned fetch_allowed, struct notify_group *g)
{
	if (cursor_try_word(c, "NONE"))
		return true;
	cursor_list_open(c);
	do {
		unsigned event = event_read(c);
		size_t at = c->at;

		g->events |= event;
		if (event != NOTIFY_MESSAGE_NEW || !cursor_try_sp(c))
			continue;
		if (cursor_peek(c) != '(')
			c->at = at;
		else if (!is_of_selected(g))
			cursor_fail(c, "FETCH items are for SELECTED alone");
		else
			cursor_fetch_items(c, fetch_allowed, &g->fetch);
	} while (cursor_list_more(c));
	return !c->bad;
}

static void names_read(struct cursor *c, struct mailbox_filter *f)
{
	bool is_list;

	cursor_sp(c);
	is_list = cursor_try_list_open(c);
	do {
		*WIRE_PUSH(c->arena, f->names, f->n_names) = cursor_mailbox(c);
	} while (is_list && cursor_list_more(c));
}

static bool filter_read(struct cursor *c, enum notify_filter not,
			struct mailbox_filter *f)
{
	struct span name = cursor_atom(c);

	for (unsigned i = 0; i < N_FILTERS && !c->bad; i++) {
		if (!span_ieq(name, span_str(filter_names[i])))
			continue;
		if (i == not )
			break;
		f->filter = (enum notify_filter)i;
		if (i >= NOTIFY_SUBTREE)
			names_read(c, f);
		return !c->bad;
	}
	return cursor_fail(
	    c, "SELECTED, PERSONAL or another choice of mailboxes was expected");
}

/* Sections 5 and 6.1. */
static bool is_allowed(struct cursor *c, const struct notify_group *g)
{
	unsigned both = NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE;

	if (is_of_selected(g) && (g->events & ~(NOTIFY_MESSAGE_EVENTS | NOTIFY_OTHER)))
		return cursor_fail(c, "only message events are of the selected mailbox");
	if ((g->events & NOTIFY_MESSAGE_EVENTS) && (g->events & both) != both)
		return cursor_fail(c, "MessageNew and MessageExpunge come together");
	return !c->bad;
}

static bool groups_read(struct cursor *c, unsigned fetch_allowed, struct notify_args *a)
{
	unsigned selected = 0;

	do {
		struct notify_group *g;

		cursor_sp(c);
		cursor_char(c, '(');
		g = WIRE_PUSH(c->arena, a->groups, a->n_groups);
		if (!filter_read(c, NOTIFY_SUBTREE_ONE, &g->of) || !cursor_sp(c) ||
		    !events_read(c, fetch_allowed, g) || !is_allowed(c, g))
			return false;
		cursor_char(c, ')');
		selected += is_of_selected(g);
	} while (!c->bad && !cursor_at_end(c));
	if (selected > 1)
		cursor_fail(c, "SELECTED or SELECTED-DELAYED may be given once");
	return !c->bad;
}

bool cursor_notify_args(struct cursor *c, unsigned fetch_allowed,
			struct notify_args *ret_args)
{
	struct notify_args a = { 0 };

	cursor_sp(c);
	if (cursor_try_word(c, "NONE")) {
		a.is_none = true;
	} else if (cursor_word(c, "SET")) {
		size_t at = c->at;

		a.has_status = cursor_try_sp(c) && cursor_try_word(c, "STATUS");
		if (!a.has_status)
			c->at = at;
		groups_read(c, fetch_allowed, &a);
	}
	if (!c->bad)
		*ret_args = a;
	return !c->bad;
}

void emit_notify_events(struct buf *out, unsigned events)
{
	bool is_first = true;

	for (unsigned i = 0; i < N_EVENTS; i++) {
		if (!(events & 1u << i))
			continue;
		if (!is_first)
			buf_putc(out, ' ');
		is_first = false;
		buf_puts(out, event_names[i]);
	}
}

static void emit_filter(struct buf *out, struct emit_mode m,
			const struct mailbox_filter *f)
{
	buf_puts(out, filter_names[f->filter]);
	for (size_t i = 0; i < f->n_names; i++) {
		buf_puts(out, i ? " " : " (");
		emit_mailbox(out, m, f->names[i]);
	}
	if (f->n_names)
		buf_putc(out, ')');
}

static void emit_group(struct buf *out, struct emit_mode m, const struct notify_group *g)
{
	buf_puts(out, " (");
	emit_filter(out, m, &g->of);
	buf_putc(out, ' ');
	if (!(g->events & ((1u << N_EVENTS) - 1))) {
		buf_puts(out, "NONE)");
		return;
	}
	buf_putc(out, '(');
	if (g->fetch.n_items) {
		buf_puts(out, "MessageNew ");
		emit_fetch_args(out, m, &g->fetch);
		buf_putc(out, ' ');
	}
	emit_notify_events(out, g->events & ~(g->fetch.n_items ? 1u : 0u));
	buf_puts(out, "))");
}

void emit_notify_args(struct buf *out, struct emit_mode m, const struct notify_args *a)
{
	if (a->is_none) {
		buf_puts(out, " NONE");
		return;
	}
	buf_puts(out, a->has_status ? " SET STATUS" : " SET");
	for (size_t i = 0; i < a->n_groups; i++)
		emit_group(out, m, &a->groups[i]);
}

bool cursor_search_sources(struct cursor *c, struct search_sources *ret_sources)
{
	struct search_sources s = { 0 };
	struct wire_params scope;

	if (!cursor_try_word(c, "IN"))
		return false;
	cursor_sp(c);
	cursor_list_open(c);
	do {
		if (s.n > 0 && cursor_peek(c) == '(') {
			/* Scope options: the RFC defines none. */
			cursor_params(c, &scope);
			return cursor_fail(c, "there are no scope options");
		}
		filter_read(c, NOTIFY_SELECTED_DELAYED, WIRE_PUSH(c->arena, s.v, s.n));
	} while (cursor_list_more(c));
	if (!c->bad)
		*ret_sources = s;
	return !c->bad;
}

void emit_search_sources(struct buf *out, struct emit_mode m,
			 const struct search_sources *s)
{
	buf_puts(out, "IN (");
	for (size_t i = 0; i < s->n; i++) {
		buf_puts(out, i ? " " : "");
		emit_filter(out, m, &s->v[i]);
	}
	buf_putc(out, ')');
}
