/* What changed, told: the difference of two versions of the selected mailbox. */
#include "server/report.h"

#include "server/condstore.h"
#include "server/language.h"
#include "server/reply.h"
#include "server/selected.h"

struct walk {
	uint64_t silent_bits; /* of cmd->silent->flags, in the newest keyword table */
	struct cmd *cmd;
	struct selected *sel;
	struct view *now, *was; /* was: as told before */
	struct numset expunged; /* UIDs told as such */
	uint32_t gone;		/* EXPUNGE lines so far */
	uint32_t limit;		/* UIDs from here on are new to the client */
};

/* RFC 4314 section 5.1.1: those that this user may change. `keywords` begins with a space.
 */
static void permanent_flags(uint64_t locked, struct span keywords, struct buf *out)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} flag[] = { { FLAG_ANSWERED, "\\Answered" },
		     { FLAG_FLAGGED, "\\Flagged" },
		     { FLAG_DELETED, "\\Deleted" },
		     { FLAG_SEEN, "\\Seen" },
		     { FLAG_DRAFT, "\\Draft" } };
	const char *sp = "";

	for (size_t i = 0; i < sizeof flag / sizeof *flag; i++)
		if (!(locked & flag[i].bit)) {
			buf_puts(out, sp);
			buf_puts(out, flag[i].name);
			sp = " ";
		}
	if (locked & FLAG_ANSWERED)
		return;
	buf_put(out, keywords);
	buf_puts(out, " \\*");
}

void report_flags(struct cmd *cmd, bool always)
{
	struct selected *sel = cmd->session->selected;
	struct buf *out = cmd_out(cmd);
	size_t n = view_keywords(sel->told);
	struct buf list = { 0 };

	unsigned rights = sel->place.rights;

	if (!always && n == sel->keywords_told && rights == sel->rights_told)
		return;
	for (size_t k = 0; k < n; k++) {
		buf_putc(&list, ' ');
		buf_put(&list, view_keyword(sel->told, k));
	}
	buf_puts(out, "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft");
	buf_put(out, buf_span(&list));
	buf_puts(out, ")\r\n* OK [PERMANENTFLAGS (");
	if (!sel->read_only)
		permanent_flags(place_locked(&sel->place), buf_span(&list), out);
	buf_puts(out, ")] ");
	buf_puts(out, sel->read_only
			      ? language_text(cmd->session, "Read-only mailbox.")
			      : language_text(cmd->session, "Flags permitted."));
	buf_puts(out, "\r\n");
	buf_done(&list);
	sel->keywords_told = n;
	sel->rights_told = rights;
}

enum { TELL_FLAGS = 1, TELL_MODSEQ = 2 };

static void count_gone(void *arg, uint32_t old_seq, uint32_t uid)
{
	((struct walk *)arg)->gone++;
}

/* Numbers move down with each EXPUNGE that was sent (RFC 9051 section 7.5.1). */
static void tell_gone(void *arg, uint32_t old_seq, uint32_t uid)
{
	struct walk *w = arg;

	if (!session_vanished(w->cmd->session))
		untagged(w->cmd, "%u EXPUNGE", old_seq - w->gone);
	w->gone++;
	numset_add(&w->expunged, uid);
}

/* One line for all, with UIDs (RFC 7162 section 3.2.10). */
static void tell_vanished(struct walk *w)
{
	struct buf *out = cmd_out(w->cmd);

	if (!w->expunged.n || !session_vanished(w->cmd->session))
		return;
	buf_put(out, SPAN("* VANISHED "));
	numset_print(&w->expunged, out);
	buf_put(out, SPAN("\r\n"));
}

static void forget_expunged(struct walk *w)
{
	if (w->expunged.n) {
		numset_remove_set(&w->sel->recent, &w->expunged);
		numset_remove_set(&w->sel->saved, &w->expunged);
	}
	numset_done(&w->expunged);
}

void report_fetch_begin(struct cmd *cmd, struct buf *out, uint32_t seq, uint32_t uid)
{
	bool is_uidonly = session_is_uidonly(cmd->session);

	buf_put(out, SPAN("* "));
	buf_put_u64(out, is_uidonly ? uid : seq);
	buf_put(out, is_uidonly ? SPAN(" UIDFETCH (") : SPAN(" FETCH ("));
}

/* `told_seq`: its number in sel->told. `what`: TELL_x; who knows of MODSEQ is told it in any
 * case (RFC 7162 section 3.2.4). */
static void tell_message(struct walk *w, uint32_t told_seq, const struct view_msg *m,
			 unsigned what)
{
	bool with_modseq = session_condstore(w->cmd->session);
	struct selected *sel = w->sel;
	uint32_t seq = sel->told == sel->view ? told_seq : view_seq(sel->view, m->uid);
	struct buf *out = cmd_out(w->cmd);

	if (!seq)
		return;
	report_fetch_begin(w->cmd, out, seq, m->uid);
	/* RFC 9051 section 6.4.9: an answer to a UID command names the UID; rev2
	 * clients get it in every such response, and so do those of RFC 7162 and of NOTIFY
	 * (RFC 5465 5.1). */
	if (!session_is_uidonly(w->cmd->session) &&
	    (w->cmd->uid || with_modseq || session_is_rev2(w->cmd->session) ||
	     w->cmd->session->is_notified)) {
		buf_put(out, SPAN("UID "));
		buf_put_u64(out, m->uid);
		buf_putc(out, ' ');
	}
	if (what & TELL_FLAGS) {
		buf_put(out, SPAN("FLAGS "));
		selected_flags(w->cmd, m, out);
	}
	if (with_modseq) {
		buf_put(out, what & TELL_FLAGS ? SPAN(" MODSEQ ") : SPAN("MODSEQ "));
		condstore_put(w->cmd, m->modseq, out);
	}
	buf_put(out, SPAN(")\r\n"));
}

static uint64_t expected(const struct walk *w, uint64_t before)
{
	switch (w->cmd->silent->how) {
	case FLAGS_ADD: return before | w->silent_bits;
	case FLAGS_REMOVE: return before & ~w->silent_bits;
	default:
		return w->silent_bits |
		       (before & flag_names_kept(w->cmd->silent->flags->locked));
	}
}

static uint64_t flag_bits(const struct view *v, const struct flag_names *f)
{
	uint64_t bits = f->system;

	for (size_t i = 0; i < f->n_keyword; i++) {
		int k = view_find_keyword(v, f->keyword[i]);

		if (k >= 0 && k < 56)
			bits |= UINT64_C(1) << (8 + k);
	}
	return bits;
}

/* What to tell of a change that the client has asked for and wants silent; 0: nothing. */
static unsigned tell_silent(const struct walk *w, const struct view_msg *old,
			    const struct view_msg *now)
{
	/* Flags as before are news to who silently took one away, if another session
	 * has set it again meanwhile. */
	if (now->flags != expected(w, old->flags))
		return TELL_FLAGS | TELL_MODSEQ;
	return session_condstore(w->cmd->session) && !w->cmd->silent->is_fetch ? TELL_MODSEQ
									       : 0;
}

static void tell_changed(void *arg, uint32_t new_seq, const struct view_msg *old,
			 const struct view_msg *now, bool flags_differ)
{
	struct walk *w = arg;
	const struct report_silent *silent = w->cmd->silent;
	unsigned what = TELL_FLAGS | TELL_MODSEQ;

	if (now->uid >= w->limit || (w->cmd->session->unwanted & UNWANTED_FLAGS))
		return;
	if (w->cmd->mark && numset_has(w->cmd->mark, now->uid))
		return;
	if (silent && numset_has(silent->uids, now->uid)) {
		what = silent->is_answered ? 0 : tell_silent(w, old, now);
	} else if (!flags_differ && !session_condstore(w->cmd->session)) {
		return;
	}
	if (what)
		tell_message(w, new_seq, now, what);
}

/* A conditional STORE answers for each message, .SILENT or not (RFC 7162 section 3.1.3). */
static void tell_answers(struct walk *w)
{
	const struct report_silent *silent = w->cmd->silent;
	struct numset_iter it;
	uint32_t uid;

	if (!silent || !silent->is_answered)
		return;
	it = numset_iter(silent->uids);
	while (numset_next(&it, &uid)) {
		uint32_t seq = view_seq(w->sel->told, uid), was = view_seq(w->was, uid);
		struct view_msg old, now;

		if (!seq || !was)
			continue;
		old = view_get(w->was, was);
		now = view_get(w->sel->told, seq);
		tell_message(w, seq, &now, tell_silent(w, &old, &now));
	}
}

static void tell_range(struct walk *w, struct numrange r)
{
	uint32_t seq = view_seq_from(w->sel->told, r.lo);
	struct view_msg m[64];
	size_t n = 1, most = r.hi - r.lo < 64 ? r.hi - r.lo + 1 : 64;

	while (seq && (n = view_walk(w->sel->told, seq, m, most)) > 0) {
		for (size_t i = 0; i < n; i++, seq++) {
			if (m[i].uid > r.hi)
				return;
			tell_message(w, seq, &m[i], TELL_FLAGS | TELL_MODSEQ);
		}
	}
}

/* STORE answers for each of its messages, changed or not (RFC 9051 section 6.4.6). */
static void tell_marked(struct walk *w)
{
	const struct numset *mark = w->cmd->mark;

	for (size_t i = 0; mark && i < mark->n; i++)
		tell_range(w, mark->r[i]);
}

static void advance(struct view **v, struct view *to)
{
	struct view *old = *v;

	*v = view_ref(to);
	view_unref(old);
}

/* New arrivals: EXISTS, and for rev1 clients RECENT. */
static void tell_new(struct walk *w, uint32_t old_uidnext)
{
	struct selected *sel = w->sel;
	uint32_t uidnext = view_uidnext(w->now), first;
	bool is_new = uidnext > old_uidnext && view_seq_from(w->now, old_uidnext);

	if (is_new) {
		first = mailbox_recent(sel->mailbox, uidnext,
				       selected_is_read_write(sel));
		for (uint32_t seq =
			 view_seq_from(w->now, first < old_uidnext ? old_uidnext : first);
		     seq && seq <= view_count(w->now); seq++)
			numset_add(&sel->recent, view_get(w->now, seq).uid);
		untagged(w->cmd, "%u EXISTS", view_count(w->now));
	}
	if (is_new && !session_is_rev2(w->cmd->session))
		untagged(w->cmd, "%u RECENT", (unsigned)numset_count(&sel->recent));
}

static void tell_extensions(struct walk *w, struct view *old, bool is_told)
{
	for (size_t i = 0; server_extensions[i]; i++)
		if (server_extensions[i]->on_report)
			server_extensions[i]->on_report(w->cmd, old, w->now, is_told);
}

/* NOTIFY without message events: numbers stay, but for EXPUNGE and its like. */
static bool is_unwanted(const struct cmd *cmd)
{
	return (cmd->session->unwanted & UNWANTED_MESSAGES) &&
	       !(cmd->def->flags & CMD_TELLS);
}

static void report_walk(struct walk *w)
{
	struct selected *sel = w->sel;
	uint32_t old_uidnext = view_uidnext(sel->view);
	struct view *old = view_ref(sel->view);
	bool hold;

	view_diff(sel->view, w->now,
		  &(struct view_diff){ .expunged = count_gone, .arg = w });
	hold = (w->gone && !w->cmd->may_expunge) || is_unwanted(w->cmd);
	w->gone = 0;
	w->limit = old_uidnext;
	if (!hold) {
		tell_extensions(w, old, false);
		view_diff(sel->view, w->now,
			  &(struct view_diff){ .expunged = tell_gone, .arg = w });
		tell_vanished(w);
		forget_expunged(w);
		gone_done(&sel->gone);
		advance(&sel->view, w->now);
		tell_new(w, old_uidnext);
	} else {
		gone_add(&sel->gone, sel->view, sel->told, w->now);
	}
	advance(&sel->told, w->now);
	report_flags(w->cmd, false);
	view_diff(w->was, w->now,
		  &(struct view_diff){ .changed = tell_changed, .arg = w });
	if (!hold)
		tell_extensions(w, old, true);
	view_unref(old);
}

/*
 * While an EXPUNGE waits the client must not take a higher MODSEQ for all that it has heard
 * (RFC 7162 sections 3.2 and 6).
 */
static void tell_highest(struct walk *w)
{
	struct selected *sel = w->sel;
	bool is_behind = sel->told != sel->view;

	if (!session_condstore(w->cmd->session))
		return;
	if (is_behind && w->cmd->told_modseq)
		untagged_ok(w->cmd, condstore_highest(w->cmd),
			    "Messages have gone that are not told yet.");
	else if (!is_behind && sel->is_behind)
		untagged_ok(w->cmd, condstore_highest(w->cmd), "All is told.");
	else
		return;
	sel->is_behind = is_behind;
	w->cmd->told_modseq = false;
}

void report(struct cmd *cmd)
{
	struct selected *sel = cmd->session->selected;
	struct walk w = { .cmd = cmd, .sel = sel };

	for (size_t i = 0; server_extensions[i]; i++)
		if (server_extensions[i]->tell)
			server_extensions[i]->tell(cmd);
	if (!sel)
		return;
	if (!selected_refresh(cmd->session))
		return;
	if (sel->place.rights != sel->rights_told)
		report_flags(cmd, true);
	w.now = mailbox_view_now(sel->mailbox);
	w.was = view_ref(sel->told);
	if (cmd->silent)
		w.silent_bits = flag_bits(w.now, cmd->silent->flags);
	if (w.now != sel->view || w.now != sel->told)
		report_walk(&w);
	tell_marked(&w);
	tell_answers(&w);
	tell_highest(&w);
	view_unref(w.was);
	view_unref(w.now);
}
