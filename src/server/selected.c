/* The selected mailbox of a session: which version its client knows. */
#include "server/selected.h"

#include "store/limits.h"

static void mailbox_drop(void *m)
{
	mailbox_unref(m);
}

static void views_drop(void *arg)
{
	struct selected *sel = arg;

	view_unref(sel->view);
	view_unref(sel->told);
	gone_done(&sel->gone);
	numset_done(&sel->recent);
	numset_done(&sel->saved);
}

static void account_drop(void *account)
{
	account_unref(account);
}

static void watch_drop(void *watch)
{
	watch_close(watch);
}

static void attrs_drop(void *arg)
{
	attrs_unref(((struct selected *)arg)->attrs);
}

static void changed(void *arg)
{
	conn_changed(((struct session *)arg)->conn);
}

/* What is not the user's own lasts as long as it is selected. */
static void select_elsewhere(struct session *s, struct selected *sel)
{
	struct place *p = &sel->place;
	struct watch *w;

	account_ref(p->account);
	arena_defer(sel->arena, account_drop, p->account);
	w = account_watch(p->account, s->conn->home->home, changed, s);
	arena_defer(sel->arena, watch_drop, w);
	p->owner = arena_dup(sel->arena, p->owner);
	p->owner_account = arena_dup(sel->arena, p->owner_account);
	sel->attrs = account_attrs_now(p->account);
	arena_defer(sel->arena, attrs_drop, sel);
	sel->auth_generation = auth_generation(s->conn->server->config.auth) - 1;
}

bool selected_refresh(struct session *s)
{
	struct selected *sel = s->selected;
	const struct attrs *now;
	uint64_t generation;

	if (!sel || sel->place.space == PLACE_PERSONAL)
		return true;
	now = account_attrs_now(sel->place.account);
	generation = auth_generation(s->conn->server->config.auth);
	if (now != sel->attrs || generation != sel->auth_generation) {
		struct arena *a = arena_new(NULL);
		struct acl_who who = place_who(s, a);

		sel->place.rights = acl_rights(now, sel->place.mailbox, &who);
		sel->auth_generation = generation;
		arena_free(a);
	}
	attrs_unref(sel->attrs);
	sel->attrs = now;
	return sel->place.rights & RIGHT_R;
}

struct selected *selected_look(struct arena *a, struct mailbox *m,
			       const struct place *place)
{
	struct selected *sel = ARENA_NEW(a, struct selected);

	sel->arena = a;
	sel->mailbox = m;
	arena_defer(a, mailbox_drop, m);
	sel->view = mailbox_view_now(m);
	sel->told = view_ref(sel->view);
	arena_defer(a, views_drop, sel);
	sel->read_only = true;
	sel->place = *place;
	sel->place.path = arena_dup(a, place->path);
	sel->place.name = arena_dup(a, place->name);
	return sel;
}

struct selected *selected_new(struct session *s, struct mailbox *m,
			      const struct place *place, bool read_only)
{
	struct selected *sel = selected_look(arena_new(s->arena), m, place);

	sel->read_only = read_only;
	if (place->space != PLACE_PERSONAL)
		select_elsewhere(s, sel);
	sel->rights_told = sel->place.rights;
	s->selected = sel;
	s->state = IN_SELECTED;
	return sel;
}

bool selected_is_read_write(const struct selected *sel)
{
	return !sel->read_only &&
	       (sel->place.rights & (RIGHT_I | RIGHT_E | RIGHT_W | RIGHT_T));
}

void selected_end(struct session *s)
{
	if (!s->selected)
		return;
	arena_free(s->selected->arena);
	s->selected = NULL;
	s->state = IN_AUTH;
}

static void resolve_uids(const struct selected *sel, const struct numset *want,
			 struct numset *to)
{
	for (size_t i = 0; i < want->n; i++) {
		uint32_t seq = view_seq_from(sel->view, want->r[i].lo);
		struct view_msg m[64];
		size_t n;

		while (seq && (n = view_walk(sel->view, seq, m, 64)) > 0) {
			for (size_t k = 0; k < n; k++) {
				if (m[k].uid > want->r[i].hi)
					goto next_range;
				numset_add(to, m[k].uid);
			}
			seq += (uint32_t)n;
			if (seq > view_count(sel->view))
				break;
		}
	next_range:;
	}
}

static void resolve_numbers(const struct selected *sel, const struct numset *want,
			    struct numset *to)
{
	for (size_t i = 0; i < want->n; i++) {
		uint32_t seq = want->r[i].lo;
		struct view_msg m[64];

		while (seq <= want->r[i].hi) {
			size_t max = want->r[i].hi - seq + 1;
			size_t n = view_walk(sel->view, seq, m, max < 64 ? max : 64);

			for (size_t k = 0; k < n; k++)
				numset_add(to, m[k].uid);
			if (n == 0)
				break;
			seq += (uint32_t)n;
		}
	}
}

enum err selected_resolve(struct selected *sel, const struct seqset *set, bool uid,
			  struct numset *ret_uids)
{
	uint32_t count = view_count(sel->view);
	struct numset want = { 0 };
	uint32_t last = count;

	numset_copy(ret_uids, &(struct numset){ 0 });
	if (set->saved) {
		resolve_uids(sel, &sel->saved, ret_uids);
		return ERR_OK;
	}
	if (uid && count)
		last = view_get(sel->view, count).uid;
	seqset_resolve(set, last, &want);
	if (uid)
		resolve_uids(sel, &want, ret_uids);
	else if (seqset_max(set) > count || (seqset_has_star(set) && count == 0)) {
		numset_done(&want);
		return ERR_INVAL;
	} else
		resolve_numbers(sel, &want, ret_uids);
	numset_done(&want);
	return ERR_OK;
}

bool selected_message(struct selected *sel, uint32_t uid, uint32_t *ret_seq,
		      struct view_msg *ret)
{
	uint32_t seq = view_seq(sel->view, uid), told;
	const struct gone_message *gone;

	if (!seq)
		return false;
	told = sel->told == sel->view ? seq : view_seq(sel->told, uid);
	*ret = told ? view_get(sel->told, told) : view_get(sel->view, seq);
	gone = told ? NULL : gone_find(&sel->gone, uid);
	if (gone) {
		ret->flags = gone->flags;
		ret->modseq = gone->modseq;
	}
	*ret_seq = seq;
	return true;
}

uint64_t selected_highest_modseq(struct selected *sel, const struct numset *uids)
{
	struct numset_iter it = numset_iter(uids);
	uint64_t highest = 0;
	struct view_msg m;
	uint32_t uid, seq;

	while (numset_next(&it, &uid))
		if (selected_message(sel, uid, &seq, &m) && m.modseq > highest)
			highest = m.modseq;
	return highest;
}

static void flag_put(struct buf *out, bool *first, struct span name)
{
	if (!*first)
		buf_putc(out, ' ');
	*first = false;
	buf_put(out, name);
}

static void keywords_put(const struct selected *sel, const struct view_msg *m,
			 bool *first, struct buf *out)
{
	const struct view *v = sel->told;
	uint32_t seq = view_seq(v, m->uid);
	const struct gone_message *gone = seq ? NULL : gone_find(&sel->gone, m->uid);

	for (size_t k = 0; k < view_keywords(v); k++)
		if (gone		       ? gone_has_keyword(gone, k)
		    : k < STORE_KEYWORDS_FLAGS ? (m->flags >> (8 + k) & 1)
					       : seq && view_has_keyword(v, seq, k))
			flag_put(out, first, view_keyword(v, k));
}

void selected_flags(struct cmd *cmd, const struct view_msg *m, struct buf *out)
{
	static const struct {
		uint64_t bit;
		struct span name;
	} system[] = {
		{ FLAG_ANSWERED, SPAN_INIT("\\Answered") },
		{ FLAG_FLAGGED, SPAN_INIT("\\Flagged") },
		{ FLAG_DELETED, SPAN_INIT("\\Deleted") },
		{ FLAG_SEEN, SPAN_INIT("\\Seen") },
		{ FLAG_DRAFT, SPAN_INIT("\\Draft") },
	};
	struct selected *sel = cmd->session->selected;
	bool first = true;

	buf_putc(out, '(');
	for (size_t i = 0; i < sizeof system / sizeof *system; i++)
		if (m->flags & system[i].bit)
			flag_put(out, &first, system[i].name);
	if (!session_is_rev2(cmd->session) && sel->recent.n &&
	    numset_has(&sel->recent, m->uid))
		flag_put(out, &first, SPAN("\\Recent"));
	if (view_keywords(sel->told) || view_keywords(sel->view))
		keywords_put(sel, m, &first, out);
	buf_putc(out, ')');
}
