/*
 * NOTIFY (RFC 5465): the command, and what it makes the server say by itself. The
 * registration is the session's: UNAUTHENTICATE ends it (RFC 8437 section 4.1).
 */
#include <stdlib.h>

#include "server/notify.h"

#include "server/dispatch.h"
#include "server/fetch_state.h"
#include "server/mailbox_name.h"
#include "server/reply.h"
#include "server/report.h"
#include "server/selected.h"

enum { PARSE, STATUS_CAME };
enum {
	SUPPORTED = NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE | NOTIFY_FLAG_CHANGE |
		    NOTIFY_MAILBOX_NAME | NOTIFY_SUBSCRIPTION_CHANGE |
		    NOTIFY_MAILBOX_METADATA_CHANGE | NOTIFY_SERVER_METADATA_CHANGE
};

extern const struct extension ext_notify;

/* ---- the registration ---- */

static void slot_done(void *arg)
{
	struct notify *n = arg;

	numset_done(&n->pending);
	numset_done(&n->made);
	names_unref(n->names);
	free(n->base);
	buf_done(&n->own);
}

/* Whatever was asked for before is forgotten. */
static struct notify *begin_anew(struct session *s)
{
	struct notify *n = session_slot(s, &ext_notify);
	struct arena *old = n->arena;

	if (old)
		slot_done(n);
	else
		arena_defer(s->arena, slot_done, n);
	*n = (struct notify){ .arena = arena_new(s->arena) };
	arena_free(old);
	s->is_notified = false;
	s->unwanted = 0;
	return n;
}

struct notify *notify_of(struct session *s)
{
	return s->is_notified ? session_slot(s, &ext_notify) : NULL;
}

static bool is_of_selected(const struct notify_group *g)
{
	return g->of.filter == NOTIFY_SELECTED ||
	       g->of.filter == NOTIFY_SELECTED_DELAYED;
}

static bool is_at_or_below(struct span path, struct span top)
{
	return span_eq(path, top) ||
	       (path.n > top.n && path.p[top.n] == '/' && span_starts(path, top));
}

/* Mail may be delivered to any mailbox here, so INBOXES is PERSONAL (section 6.3). */
static bool matches(const struct notify_group *g, const struct name *name)
{
	switch (g->of.filter) {
	case NOTIFY_INBOXES:
	case NOTIFY_PERSONAL: return true;
	case NOTIFY_SUBSCRIBED: return name->flags & NAME_SUBSCRIBED;
	case NOTIFY_SUBTREE:
		for (size_t i = 0; i < g->of.n_names; i++)
			if (is_at_or_below(name->path, g->of.names[i]))
				return true;
		return false;
	case NOTIFY_MAILBOXES:
		for (size_t i = 0; i < g->of.n_names; i++)
			if (span_eq(name->path, g->of.names[i]))
				return true;
		return false;
	default: return false;
	}
}

unsigned notify_events(const struct notify *n, const struct name *name)
{
	unsigned events = 0;

	for (size_t i = 0; i < n->args.n_groups; i++)
		if (matches(&n->args.groups[i], name))
			events |= n->args.groups[i].events;
	return events;
}

static unsigned events_of(const struct notify_args *a)
{
	unsigned events = 0;

	for (size_t i = 0; i < a->n_groups; i++)
		events |= a->groups[i].events;
	return events;
}

/* Sections 5.6, 5.7: NOTIFY needs no ENABLE METADATA, and rules what ENABLE turned on. */
bool notify_wants_metadata(struct session *s, const struct name *name)
{
	const struct notify *n = notify_of(s);

	if (n)
		return name ? notify_events(n, name) & NOTIFY_MAILBOX_METADATA_CHANGE
			    : events_of(&n->args) & NOTIFY_SERVER_METADATA_CHANGE;
	if (s->unwanted)
		return false;
	return s->enabled &
	       (name ? ENABLED_METADATA : ENABLED_METADATA | ENABLED_METADATA_SERVER);
}

/* Section 3.1: without SELECTED nothing of the selected mailbox is wanted. */
static void take_selected(struct session *s, struct notify *n)
{
	const struct notify_group *g = NULL;
	unsigned events = 0;

	for (size_t i = 0; i < n->args.n_groups; i++)
		if (is_of_selected(&n->args.groups[i]))
			g = &n->args.groups[i];
	if (g) {
		events = g->events;
		n->is_delayed = g->of.filter == NOTIFY_SELECTED_DELAYED;
		n->fetch = g->fetch.n_items ? &g->fetch : NULL;
	}
	s->unwanted = (events & NOTIFY_MESSAGE_NEW ? 0 : UNWANTED_MESSAGES) |
		      (events & NOTIFY_FLAG_CHANGE ? 0 : UNWANTED_FLAGS);
}

/* ---- what this client did itself ---- */

static struct notify_base *base_in(struct notify *n, uint32_t uidvalidity)
{
	for (size_t i = 0; i < n->n_base; i++)
		if (n->base[i].uidvalidity == uidvalidity)
			return &n->base[i];
	return NULL;
}

void notify_made(struct cmd *cmd, uint32_t uidvalidity, const struct numset *uids)
{
	const struct selected *sel = cmd->session->selected;
	struct notify *n = notify_of(cmd->session);
	struct notify_base *base;

	if (!n || uids->n == 0)
		return;
	if (sel && view_uidvalidity(sel->view) == uidvalidity) {
		numset_copy(&n->made, uids);
		n->made_in = uidvalidity;
	} else if ((base = base_in(n, uidvalidity)) != NULL) {
		uint32_t last = uids->r[uids->n - 1].hi;

		base->messages += (uint32_t)numset_count(uids);
		if (last >= base->uidnext)
			base->uidnext = last + 1;
		base->is_own = true;
	}
}

void notify_renamed(struct cmd *cmd, struct span path, bool is_tree)
{
	struct notify *n = notify_of(cmd->session);

	if (!n)
		return;
	buf_putc(&n->own, is_tree ? 't' : 'n');
	buf_put(&n->own, path);
	buf_putc(&n->own, 0);
}

/* ---- the selected mailbox ---- */

/* New messages of others are fetched behind their EXISTS (section 5.2). */
static void on_report(struct cmd *cmd, struct view *old, struct view *now, bool is_told)
{
	struct notify *n = notify_of(cmd->session);
	uint32_t validity = view_uidvalidity(now);
	uint32_t seq;

	if (!n || !n->fetch || !is_told)
		return;
	if (n->pending_of != validity)
		numset_copy(&n->pending, &(struct numset){ 0 });
	n->pending_of = validity;
	for (seq = view_seq_from(now, view_uidnext(old)); seq && seq <= view_count(now);
	     seq++) {
		uint32_t uid = view_get(now, seq).uid;

		if (n->made_in != validity || !numset_has(&n->made, uid))
			numset_add(&n->pending, uid);
	}
}

static struct cmd *fetch_pending(struct session *s, struct notify *n)
{
	const struct selected *sel = s->selected;
	struct buf line = { 0 };
	struct cmd *own = NULL;

	if (sel && view_uidvalidity(sel->view) == n->pending_of) {
		buf_puts(&line, "own UID FETCH ");
		numset_print(&n->pending, &line);
		buf_putc(&line, ' ');
		emit_fetch_args(&line, (struct emit_mode){ .literal = EMIT_CLIENT_PLUS },
				n->fetch);
		buf_puts(&line, "\r\n");
		own = dispatch(s->conn, buf_span(&line), NULL);
		own->no_report = true;
		buf_done(&line);
	}
	numset_copy(&n->pending, &(struct numset){ 0 });
	return own;
}

/* ---- the command of our own ---- */

/* Section 5.8: as if NOTIFY NONE had come. */
static void give_up(struct cmd *cmd)
{
	begin_anew(cmd->session);
	cmd->session->unwanted = UNWANTED_MESSAGES | UNWANTED_FLAGS;
	untagged_ok(cmd, "NOTIFICATIONOVERFLOW",
		    "There are too many mailboxes to watch.");
}

static enum verdict run_tell(struct cmd *cmd)
{
	struct notify *n = notify_of(cmd->session);
	enum verdict v;
	bool fits;

	if (!n)
		return CMD_DONE;
	if (cmd->step == STATUS_CAME) {
		notify_status_came(cmd, n, false);
		return CMD_DONE;
	}
	if (cmd_must_drain(cmd))
		return cmd_drain(cmd, PARSE);
	cmd->session->is_changed = false;
	v = notify_begin(cmd, n, STATUS_CAME, &fits);
	if (!fits)
		give_up(cmd);
	return v;
}

static const struct command tell = { "", IN_ANY, 0, run_tell };

static struct cmd *background(struct session *s, const struct cmd *idle)
{
	struct notify *n = notify_of(s);
	struct cmd *own;

	if (!n)
		return NULL;
	/* not when he may not read it any more */
	if (n->pending.n && n->fetch && selected_refresh(s) &&
	    (own = fetch_pending(s, n)) != NULL)
		return own;
	if (!s->is_changed)
		return NULL;
	own = dispatch_own(s->conn, &tell);
	own->no_report = false;
	own->uid = true; /* section 5.1: UID and FLAGS */
	own->may_expunge = idle || !n->is_delayed;
	return own;
}

/* ---- NOTIFY ---- */

static enum verdict bad_event(struct cmd *cmd)
{
	struct buf b = { 0 };
	const char *code;

	emit_notify_events(&b, SUPPORTED);
	code = arena_printf(cmd->arena, "BADEVENT (%.*s)", (int)b.n, b.p + b.off);
	buf_done(&b);
	return reply_no(cmd, code, "Such an event is not told here.");
}

static void normal_names(struct arena *a, struct notify_args *args)
{
	for (size_t i = 0; i < args->n_groups; i++)
		for (size_t k = 0; k < args->groups[i].of.n_names; k++)
			args->groups[i].of.names[k] = arena_dup(
			    a, mailbox_name_normal(a, args->groups[i].of.names[k]));
}

static enum verdict set(struct cmd *cmd, struct arena *a, const struct notify_args *args)
{
	struct session *s = cmd->session;
	struct notify *n;
	enum verdict v;
	bool fits;

	/* What has piled up is told once more as it always was (section 3.1). */
	s->unwanted = 0;
	report(cmd);
	n = begin_anew(s);
	arena_free(n->arena);
	n->arena = a;
	n->args = *args;
	n->is_set = true;
	s->is_notified = true;
	take_selected(s, n);
	s->is_changed = false;
	v = notify_begin(cmd, n, STATUS_CAME, &fits);
	if (!fits) {
		begin_anew(s);
		return reply_no(cmd, "NOTIFICATIONOVERFLOW",
				"Those are too many mailboxes to watch.");
	}
	return v == CMD_DONE ? reply_done(cmd) : v;
}

static enum verdict parse(struct cmd *cmd)
{
	struct session *s = cmd->session;
	struct arena *a = arena_new(s->arena);
	struct span rest = span_sub(cmd->cur.in, cmd->cur.at, cmd->cur.in.n);
	struct cursor cur = cursor_of(arena_dup(a, rest), cmd->cur.utf8, a);
	struct notify_args args;

	if (!cursor_notify_args(&cur, FETCH_SERVED, &args) || !cursor_end(&cur)) {
		enum verdict v;

		cmd->cur.why = cur.why;
		v = reply_syntax(cmd);
		arena_free(a);
		return v;
	}
	if (args.is_none || events_of(&args) & ~(unsigned)SUPPORTED) {
		arena_free(a);
		if (!args.is_none)
			return bad_event(cmd);
		begin_anew(s);
		s->unwanted = UNWANTED_MESSAGES | UNWANTED_FLAGS;
		return reply_done(cmd);
	}
	normal_names(a, &args);
	return set(cmd, a, &args);
}

static enum verdict run(struct cmd *cmd)
{
	struct notify *n = notify_of(cmd->session);

	if (cmd->step == PARSE)
		return parse(cmd);
	if (n)
		notify_status_came(cmd, n, n->args.has_status);
	return reply_done(cmd);
}

static const struct command commands[] = {
	{ "NOTIFY", IN_LOGGED_IN, 0, run },
	{ 0 },
};
const struct extension ext_notify = {
	.name = "NOTIFY",
	.rfc = "RFC 5465",
	.about = "news of any mailbox, told without being asked",
	.capability = "NOTIFY",
	.states = IN_LOGGED_IN,
	.commands = commands,
	.slot_bytes = sizeof(struct notify),
	.on_report = on_report,
	.background = background,
};
