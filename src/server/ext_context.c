/*
 * CONTEXT=SEARCH (RFC 5267): UPDATE, CANCELUPDATE. What is added to a result and what
 * leaves it is found in the walk from one version of the mailbox to the next (report.h).
 * Kept are searches that the view answers; one for texts is answered NOUPDATE.
 */
#include "base/clock.h"
#include "server/collation.h"
#include "server/context.h"
#include "server/language.h"
#include "server/reply.h"
#include "server/search_found.h"
#include "server/search_term.h"

enum { CONTEXTS_MAX = 32 }; /* of a session; what each costs is its set and its keys */

struct context {
	struct context *next;
	struct arena *arena; /* child of the selected mailbox's */
	struct span tag;
	bool uid; /* answers with UIDs */
	bool is_esearch; /* and names the mailbox (RFC 7377 section 2.1) */
	struct search_program program;
	struct search *search;
	struct numset hits; /* UIDs */
};

struct contexts { /* the slot; emptied when the mailbox is left */
	struct context *first;
	unsigned n;
	bool is_deferred;
};

extern const struct extension ext_context_search;

static struct context **find(struct contexts *cs, struct span tag)
{
	struct context **at = &cs->first;

	while (*at && !span_eq((*at)->tag, tag))
		at = &(*at)->next;
	return at;
}

static void drop(void *arg)
{
	struct context *x = arg;

	numset_done(&x->hits);
}

static void forget_all(void *arg)
{
	*(struct contexts *)arg = (struct contexts){ 0 };
}

bool context_is_taken(struct cmd *cmd, const struct search_program *p)
{
	struct contexts *cs = session_slot_if(cmd->session, &ext_context_search);

	return (p->returns & SEARCH_RETURN_UPDATE) && cs && *find(cs, cmd->tag);
}

/* The program once more, in an arena that lasts; message numbers become UIDs now. */
static bool compile(struct cmd *cmd, struct context *x, const struct search_program *p)
{
	x->tag = arena_dup(x->arena, cmd->tag);
	search_program_copy(x->arena, p, &x->program);
	if (search_compile(x->arena, cmd->session->selected, collation_of(cmd->session),
			   &x->program, &x->search) != ERR_OK)
		return false;
	search_fix_numbers(x->search);
	return true;
}

static void refuse(struct cmd *cmd, const char *text)
{
	struct buf *out = cmd_out(cmd);

	buf_puts(out, "* NO [NOUPDATE ");
	emit_quoted(out, cmd->tag);
	buf_puts(out, "] ");
	buf_puts(out, language_text(cmd->session, text));
	buf_puts(out, "\r\n");
}

void context_keep(struct cmd *cmd, const struct search_program *p,
		  const struct numset *hits, bool is_esearch)
{
	const unsigned view = SEARCH_NEED_VIEW | SEARCH_NEED_NUMBERS | SEARCH_NEED_SAVED | SEARCH_NEED_MODSEQ;
	struct selected *sel = cmd->session->selected;
	struct contexts *cs;
	struct context *x;
	struct arena *a;

	if (!(p->returns & SEARCH_RETURN_UPDATE))
		return;
	cs = session_slot(cmd->session, &ext_context_search);
	if (!hits || (p->needs & ~view)) {
		refuse(cmd, "This search is not kept up to date.");
		return;
	}
	if (cs->n == CONTEXTS_MAX) {
		refuse(cmd, "Too many searches are kept up to date.");
		return;
	}
	a = arena_new(sel->arena);
	x = ARENA_NEW(a, struct context);
	x->arena = a;
	x->uid = cmd->uid || is_esearch;
	x->is_esearch = is_esearch;
	arena_defer(a, drop, x);
	if (!compile(cmd, x, p)) {
		arena_free(a);
		refuse(cmd, "This search is not kept up to date.");
		return;
	}
	numset_copy(&x->hits, hits);
	if (!cs->is_deferred)
		arena_defer(sel->arena, forget_all, cs);
	cs->is_deferred = true;
	x->next = cs->first;
	cs->first = x;
	cs->n++;
}

/* ---- what changed ---- */

struct walk {
	struct cmd *cmd;
	struct context *x;
	struct numset added, removed; /* UIDs */
};

/* "ADDTO (0 5:7)"; numbers are those of the view. */
static void tell(struct walk *w, const char *what, const struct numset *uids,
		 const struct view *numbers)
{
	struct numset set = { 0 };
	struct numset_iter it = numset_iter(uids);
	struct buf *out = cmd_out(w->cmd);
	uint32_t uid;

	if (uids->n == 0)
		return;
	while (numset_next(&it, &uid))
		numset_add(&set, w->x->uid ? uid : view_seq(numbers, uid));
	esearch_begin(w->cmd, w->x->tag, w->x->uid,
		      w->x->is_esearch ? w->cmd->session->selected : NULL);
	buf_printf(out, " %s (0 ", what);
	numset_print(&set, out);
	buf_puts(out, ")\r\n");
	numset_done(&set);
}

static void expunged(void *arg, uint32_t old_seq, uint32_t uid)
{
	struct walk *w = arg;

	if (!numset_has(&w->x->hits, uid))
		return;
	numset_add(&w->removed, uid);
	numset_remove_range(&w->x->hits, uid, uid);
}

static void look(struct walk *w, uint32_t seq, const struct view_msg *m)
{
	struct subject s = { .seq = seq, .msg = *m };
	bool is_hit = search_ask(w->x->search, &s) == ANSWER_YES;

	if (is_hit == numset_has(&w->x->hits, m->uid))
		return;
	if (is_hit) {
		numset_add(&w->added, m->uid);
		numset_add(&w->x->hits, m->uid);
	} else {
		numset_add(&w->removed, m->uid);
		numset_remove_range(&w->x->hits, m->uid, m->uid);
	}
}

static void changed(void *arg, uint32_t new_seq, const struct view_msg *old,
		    const struct view_msg *now, bool flags_differ)
{
	look(arg, new_seq, now);
}

static void look_at_new(struct walk *w, const struct view *old, const struct view *now)
{
	uint32_t seq = view_seq_from(now, view_uidnext(old));
	struct view_msg m[64];
	size_t n;

	while (seq && (n = view_walk(now, seq, m, 64)) > 0)
		for (size_t i = 0; i < n; i++, seq++)
			look(w, seq, &m[i]);
}

static void on_report(struct cmd *cmd, struct view *old, struct view *now, bool is_told)
{
	struct contexts *cs = session_slot_if(cmd->session, &ext_context_search);

	for (struct context *x = cs ? cs->first : NULL; x; x = x->next) {
		struct walk w = { .cmd = cmd, .x = x };
		struct view_diff diff = { .arg = &w };

		if (is_told) {
			search_refresh(x->search);
			diff.changed = changed;
			view_diff(old, now, &diff);
			look_at_new(&w, old, now);
		} else {
			diff.expunged = expunged;
			view_diff(old, now, &diff);
		}
		tell(&w, "REMOVEFROM", &w.removed, is_told ? now : old);
		tell(&w, "ADDTO", &w.added, now);
		numset_done(&w.added);
		numset_done(&w.removed);
	}
}

/* ---- CANCELUPDATE ---- */

static enum verdict cancel(struct cmd *cmd)
{
	struct contexts *cs = session_slot(cmd->session, &ext_context_search);
	struct cursor *c = &cmd->cur, first;

	cursor_sp(c);
	first = *c;
	do {
		cursor_quoted(c);
	} while (cursor_try_sp(c));
	if (!cursor_end(c))
		return reply_syntax(cmd);
	do {
		struct context **at = find(cs, cursor_quoted(&first)), *x = *at;

		if (!x)
			continue;
		*at = x->next;
		cs->n--;
		arena_free(x->arena);
	} while (cursor_try_sp(&first));
	return reply_ok(cmd, NULL, "No further updates.");
}

static const struct command commands[] = {
	{ "CANCELUPDATE", IN_SELECTED, 0, cancel },
	{ 0 },
};
const struct extension ext_context_search = {
	.name = "CONTEXT=SEARCH",
	.rfc = "RFC 5267",
	.about = "search results that are kept up to date",
	.capability = "CONTEXT=SEARCH",
	.states = IN_LOGGED_IN,
	.commands = commands,
	.slot_bytes = sizeof(struct contexts),
	.on_report = on_report,
};
