/*
 * METADATA (RFC 5464): GETMETADATA, SETMETADATA; METADATA-SERVER; and the news of
 * changes after ENABLE (section 4.4.2). LIST-METADATA (RFC 9590) is in cmd_list.c.
 */
#include "server/mailbox_name.h"
#include "server/metadata.h"
#include "server/notify.h"
#include "server/reply.h"
#include "server/search_filters.h"
#include "wire/list.h"

enum { PARSE, ANSWER };
enum { INFINITE = INT32_MAX };

/* What a session remembers. */
struct news {
	bool has_begun;
	uint64_t since; /* changes up to here were told */
	uint64_t own;	/* the change that this session made */
};

extern const struct extension ext_metadata;

static struct news *news_of(struct session *s)
{
	return session_slot(s, &ext_metadata);
}

struct get {
	struct place place;
	struct name name; /* number 0: the server */
	uint64_t max_size;
	unsigned depth;
	struct span *entry;
	size_t n_entry;
	uint64_t longest; /* of those that were too long */
	bool is_out;	  /* the response has begun */
};

/* ---- GETMETADATA ---- */

static void read_option(struct cursor *c, struct get *g)
{
	if (cursor_try_word(c, "MAXSIZE")) {
		cursor_sp(c);
		g->max_size = cursor_number(c);
		return;
	}
	if (!cursor_try_word(c, "DEPTH")) {
		cursor_fail(c, "MAXSIZE or DEPTH was expected");
		return;
	}
	cursor_sp(c);
	if (cursor_try_word(c, "infinity"))
		g->depth = INFINITE;
	else
		g->depth = cursor_number(c);
	if (g->depth > 1 && g->depth != INFINITE)
		cursor_fail(c, "DEPTH is 0, 1 or infinity");
}

/* "(" option *(SP option) ")" */
static void read_options(struct cursor *c, struct get *g)
{
	cursor_list_open(c);
	do {
		read_option(c, g);
	} while (cursor_list_more(c));
}

/* Options stand before the mailbox by the grammar of section 5, and behind it in the
 * examples of section 4.2; a list whose first word is an entry is none. */
static bool is_options(const struct cursor *c)
{
	struct span next = span_sub(c->in, c->at, 2);

	return !c->bad && next.n == 2 && next.p[0] == '(' && next.p[1] != '/' &&
	       next.p[1] != '"' && next.p[1] != '{';
}

/* The mailbox by its name, or the server. False: the reply is set. */
static bool find(struct cmd *cmd, struct span path, struct place *place, struct name *ret)
{
	const struct names *names;
	const struct name *found;

	if (path.n == 0) {
		place->account = cmd->session->account;
		return true;
	}
	if (!place_find(cmd, path, RIGHT_L, place))
		return false;
	if (!metadata_may(place)) {
		reply_err(cmd, ERR_DENIED);
		return false;
	}
	names = account_names_now(place->account);
	found = names_find(names, place->path);
	if (found && (found->flags & NAME_EXISTS))
		*ret = *found;
	names_unref(names);
	ret->path = path;
	if (place->space != PLACE_PERSONAL)
		ret->special_use = 0; /* private: the owner's own */
	if (!ret->mailbox)
		reply_err(cmd, ERR_NOENT);
	return ret->mailbox != 0;
}

static void put_value(struct cmd *cmd, struct get *g, struct span entry,
		      struct span value)
{
	struct buf *out = cmd_out(cmd);

	if (value.n > g->max_size) {
		g->longest = value.n > g->longest ? value.n : g->longest;
		return;
	}
	if (!g->is_out) {
		buf_puts(out, "* METADATA ");
		if (g->name.mailbox)
			emit_mailbox(out, cmd_mode(cmd), g->name.path);
		else
			buf_puts(out, "\"\"");
		buf_puts(out, " (");
	}
	metadata_put(cmd, !g->is_out, entry, value);
	g->is_out = true;
}

/* `entry` is `top`, or lies below it no deeper than DEPTH says. */
static bool is_within(const struct get *g, struct span top, struct span entry)
{
	unsigned depth = 0;

	if (!span_starts(entry, top))
		return false;
	if (entry.n == top.n)
		return true;
	for (size_t i = top.n; i < entry.n; i++)
		depth += entry.p[i] == '/';
	return entry.p[top.n] == '/' && depth <= g->depth;
}

static void put_computed(struct cmd *cmd, struct get *g, struct span top)
{
	const struct name *name = g->name.mailbox ? &g->name : NULL;
	const char *e;
	struct span value;

	for (size_t i = 0; (e = metadata_computed_name(cmd, name, i)); i++)
		if (is_within(g, top, span_str(e)) &&
		    metadata_computed(cmd, name, span_str(e), &value) && value.p)
			put_value(cmd, g, span_str(e), value);
}

static bool is_computed(struct cmd *cmd, const struct get *g, struct span entry)
{
	struct span value;

	return metadata_computed(cmd, g->name.mailbox ? &g->name : NULL, entry, &value) &&
	       value.p;
}

/* One entry and what lies below; an entry that is asked for alone and is not there is
 * NIL. */
static void put_entry(struct cmd *cmd, struct get *g, size_t i)
{
	const struct attrs *got = op_attrs(cmd->op);
	bool found = is_computed(cmd, g, g->entry[i]);

	put_computed(cmd, g, g->entry[i]);
	for (size_t k = 0; k < got->n; k++) {
		struct span entry;

		if (got->at[k].query != i)
			continue;
		entry = metadata_entry_of(cmd->arena, &got->at[k].key);
		if (!is_within(g, g->entry[i], entry))
			continue;
		put_value(cmd, g, entry, got->at[k].value);
		found = true;
	}
	if (!found && g->depth == 0)
		put_value(cmd, g, g->entry[i], SPAN_NONE);
}

static enum verdict get_answer(struct cmd *cmd)
{
	struct get *g = cmd->state;

	if (cmd->op->rc != ERR_OK)
		return reply_err(cmd, cmd->op->rc);
	for (size_t i = 0; i < g->n_entry; i++)
		put_entry(cmd, g, i);
	if (g->is_out)
		buf_puts(cmd_out(cmd), ")\r\n");
	if (!g->longest)
		return reply_done(cmd);
	return reply_ok(cmd,
			arena_printf(cmd->arena, "METADATA LONGENTRIES %llu",
				     (unsigned long long)g->longest),
			"GETMETADATA completed; what is too long was left out.");
}

static enum verdict run_get(struct cmd *cmd)
{
	struct cursor *c = &cmd->cur;
	struct attr_query *q;
	struct span path;
	struct get *g;

	if (cmd->step == ANSWER)
		return get_answer(cmd);
	g = cmd->state = ARENA_NEW(cmd->arena, struct get);
	g->max_size = UINT64_MAX;
	cursor_sp(c);
	if (is_options(c)) {
		read_options(c, g);
		cursor_sp(c);
	}
	path = mailbox_name(cmd);
	cursor_sp(c);
	if (is_options(c)) {
		read_options(c, g);
		cursor_sp(c);
	}
	g->entry = metadata_entries_read(c, ENTRY_READ, &g->n_entry);
	if (!cursor_end(c))
		return reply_syntax(cmd);
	if (!find(cmd, path, &g->place, &g->name))
		return cmd->verdict;
	q = arena_array(cmd->arena, g->n_entry, sizeof *q);
	for (size_t i = 0; i < g->n_entry; i++) {
		q[i].key = metadata_key(cmd->session, g->name.mailbox, g->entry[i]);
		q[i].is_exact = g->depth == 0 && q[i].key.name.n;
	}
	return cmd_wait(cmd, ANSWER,
			attrs_read(g->place.account, q, g->n_entry, cmd_to(cmd)));
}

/* ---- SETMETADATA ---- */

struct set {
	struct place place;
	struct name name;
	struct attr_edit edit[METADATA_ENTRIES_MAX];
	struct span entry[METADATA_ENTRIES_MAX];
	size_t n;
	struct attr_limit limit;
	const char *code, *refusal; /* why not */
};

static struct span value_read(struct cursor *c)
{
	struct span value = SPAN_NONE;

	if (cursor_peek(c) == '~')
		return cursor_literal8(c);
	cursor_nstring(c, &value);
	return value;
}

static void read_values(struct cursor *c, struct set *s)
{
	cursor_list_open(c);
	do {
		struct attr_edit *e = &s->edit[s->n];

		if (s->n == METADATA_ENTRIES_MAX) {
			cursor_fail(c, "these are too many entries");
			return;
		}
		s->entry[s->n++] = metadata_entry_read(c, ENTRY_WRITE);
		cursor_sp(c);
		e->value = value_read(c);
		e->remove = !e->value.p;
	} while (cursor_list_more(c));
}

static void refuse(struct set *s, const char *code, const char *text)
{
	s->code = code;
	s->refusal = text;
}

/* Two bytes, as store/attrs.h wants them; the bits of enum special_use. */
static void set_special_use(struct cmd *cmd, struct set *s, struct attr_edit *e)
{
	struct span rest = e->value;
	unsigned use = 0;
	char *bits;

	while (rest.n) {
		ptrdiff_t end = span_find(rest, ' ');
		size_t n = end < 0 ? rest.n : (size_t)end;
		unsigned bit = list_attr_bit(span_sub(rest, 0, n)) &
			       LIST_SPECIAL_USE_ATTRS;

		if (!bit && n)
			refuse(s, "USEATTR", "That special use is not supported.");
		use |= bit / LIST_ALL;
		rest = span_sub(rest, n + 1, rest.n);
	}
	if (s->place.space != PLACE_PERSONAL)
		refuse(s, "NOPERM", "Only its owner gives a mailbox a special use.");
	bits = arena_alloc(cmd->arena, 2);
	bits[0] = (char)(use >> 8);
	bits[1] = (char)use;
	e->key = (struct attr_key){ s->name.mailbox, ATTR_SPECIAL_USE, SPAN_NONE,
				    SPAN("/specialuse") };
	e->value = span_of(bits, 2);
	e->remove = false;
}

static void set_append_limit(struct cmd *cmd, struct set *s, struct attr_edit *e)
{
	uint64_t number;

	if (!cmd->session->who.is_admin)
		refuse(s, "NOPERM", "Only an administrator sets limits.");
	else if (!e->remove && !span_u64(e->value, UINT32_MAX, &number))
		refuse(s, "CANNOT", "That limit is a number of octets.");
	e->key = (struct attr_key){ .kind = ATTR_LIMIT, .name = SPAN("APPENDLIMIT") };
}

static void prepare(struct cmd *cmd, struct set *s, size_t i)
{
	uint64_t most = cmd->server->config.limits.metadata_bytes;
	struct attr_edit *e = &s->edit[i];
	bool is_server = !s->name.mailbox;

	if (e->value.n > most)
		refuse(s,
		       arena_printf(cmd->arena, "METADATA MAXSIZE %llu",
				    (unsigned long long)most),
		       "That value is too long.");
	else if (!is_server && span_eq(s->entry[i], SPAN(METADATA_SPECIAL_USE)))
		set_special_use(cmd, s, e);
	else if (is_server && span_eq(s->entry[i], SPAN(METADATA_APPEND_LIMIT)))
		set_append_limit(cmd, s, e);
	else if (is_server && span_starts(s->entry[i], SPAN("/shared/")))
		refuse(s, "NOPERM", "The operator sets what is the server's.");
	else if (is_server && !search_filter_may_be(cmd, s->entry[i], e->value))
		refuse(s, NULL, "A filter is a search, like UNSEEN FROM boss.");
	else
		e->key = metadata_key(cmd->session, s->name.mailbox, s->entry[i]);
}

static enum verdict set_answer(struct cmd *cmd)
{
	const struct set *set = cmd->state;

	switch (cmd->op->rc) {
	case ERR_OK: break;
	case ERR_LIMIT:
		return reply_no(cmd, "METADATA TOOMANY", "There are too many entries.");
	case ERR_CONFLICT:
		return reply_no(cmd, "USEATTR", "Another mailbox has that special use.");
	default: return reply_err(cmd, cmd->op->rc);
	}
	if (set->place.account == cmd->session->account)
		news_of(cmd->session)->own = op_modseq(cmd->op);
	return reply_done(cmd);
}

static enum verdict run_set(struct cmd *cmd)
{
	struct span path;
	struct set *s;

	if (cmd->step == ANSWER)
		return set_answer(cmd);
	s = cmd->state = ARENA_NEW(cmd->arena, struct set);
	cursor_sp(&cmd->cur);
	path = mailbox_name(cmd);
	cursor_sp(&cmd->cur);
	read_values(&cmd->cur, s);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!find(cmd, path, &s->place, &s->name))
		return cmd->verdict;
	for (size_t i = 0; i < s->n && !s->refusal; i++)
		prepare(cmd, s, i);
	if (s->refusal)
		return reply_no(cmd, s->code, s->refusal);
	s->limit.rows = cmd->server->config.limits.metadata_entries;
	return cmd_wait(
	    cmd, ANSWER,
	    attrs_set(s->place.account, s->edit, s->n, &s->limit, cmd_to(cmd)));
}

/* ---- news ---- */

struct heard {
	struct cmd *cmd;
	struct news *news;
	const struct names *names;
	struct {
		uint32_t mailbox;
		struct span entry;
	} at[64];
	size_t n;
};

static const struct name *name_of(const struct names *names, uint32_t mailbox)
{
	for (size_t k = 0; k < names->n; k++)
		if (names->at[k]->mailbox == mailbox)
			return names->at[k];
	return NULL;
}

static void hear(void *arg, const struct attr_key *key, uint64_t modseq)
{
	struct heard *h = arg;
	struct session *s = h->cmd->session;
	bool is_use = key->kind == ATTR_SPECIAL_USE;
	const struct name *name = NULL;
	struct span entry;

	if (!is_use && key->kind != ATTR_METADATA)
		return;
	if (modseq == h->news->own || h->n == sizeof h->at / sizeof h->at[0] ||
	    (key->user.n && !span_eq(key->user, auth_account(&s->who))))
		return;
	if (key->mailbox && !(name = name_of(h->names, key->mailbox)))
		return;
	if (!notify_wants_metadata(s, name))
		return;
	entry = is_use ? SPAN(METADATA_SPECIAL_USE)
		       : metadata_entry_of(h->cmd->arena, key);
	for (size_t i = 0; i < h->n; i++)
		if (h->at[i].mailbox == key->mailbox && span_eq(h->at[i].entry, entry))
			return;
	h->at[h->n].mailbox = key->mailbox;
	h->at[h->n++].entry = entry;
}

/* All entries of the mailbox that the i-th is of: one line. */
static void tell_mailbox(struct heard *h, size_t i)
{
	struct buf *out = cmd_out(h->cmd);
	uint32_t mailbox = h->at[i].mailbox;
	const struct name *name = mailbox ? name_of(h->names, mailbox) : NULL;

	for (size_t k = 0; k < i; k++)
		if (h->at[k].mailbox == mailbox)
			return; /* told */
	if (mailbox && !name)
		return;
	buf_puts(out, "* METADATA ");
	if (name)
		emit_mailbox(out, cmd_mode(h->cmd), name->path);
	else
		buf_puts(out, "\"\"");
	for (size_t k = i; k < h->n; k++) {
		if (h->at[k].mailbox != mailbox)
			continue;
		buf_putc(out, ' ');
		emit_astring(out, cmd_mode(h->cmd), h->at[k].entry);
	}
	buf_puts(out, "\r\n");
}

static void tell(struct cmd *cmd)
{
	struct session *s = cmd->session;
	struct heard h = { .cmd = cmd };

	if (!(s->enabled & (ENABLED_METADATA | ENABLED_METADATA_SERVER)) &&
	    !s->is_notified && !s->unwanted)
		return;
	h.names = account_names_now(s->account);
	h.news = news_of(s);
	h.news->since = account_attr_changes(s->account, h.news->since,
					     h.news->has_begun ? hear : NULL, &h);
	h.news->has_begun = true;
	for (size_t i = 0; i < h.n; i++)
		tell_mailbox(&h, i);
	names_unref(h.names);
}

static const struct command commands[] = {
	{ "GETMETADATA", IN_LOGGED_IN, 0, run_get },
	{ "SETMETADATA", IN_LOGGED_IN, 0, run_set },
	{ 0 },
};
const struct extension ext_metadata = {
	.name = "METADATA",
	.rfc = "RFC 5464",
	.about = "notes on mailboxes, everybody's and each user's own",
	.capability = "METADATA",
	.states = IN_LOGGED_IN,
	.enable = "METADATA",
	.enable_bit = ENABLED_METADATA,
	.commands = commands,
	.slot_bytes = sizeof(struct news),
	.tell = tell,
};
const struct extension ext_metadata_server = {
	.name = "METADATA-SERVER",
	.rfc = "RFC 5464",
	.about = "notes on the server",
	.capability = "METADATA-SERVER",
	.states = IN_LOGGED_IN,
	.enable = "METADATA-SERVER",
	.enable_bit = ENABLED_METADATA_SERVER,
};
const struct extension ext_list_metadata = {
	.name = "LIST-METADATA",
	.rfc = "RFC 9590",
	.about = "LIST with the notes on each mailbox",
	.capability = "LIST-METADATA",
	.states = IN_LOGGED_IN,
};
