/* Metadata: names of entries, computed entries, LIST RETURN (METADATA) (RFC 5464, 9590).
 */
#include "server/metadata.h"

#include "server/append_limit.h"
#include "server/reply.h"
#include "server/search_filters.h"
#include "wire/list.h"

#define PRIVATE SPAN("/private")
#define SHARED	SPAN("/shared")

/* ---- names ---- */

static bool is_name(struct span e, enum entry_use use)
{
	size_t parts = 0;

	for (size_t i = 0; i < e.n; i++) {
		unsigned char c = (unsigned char)e.p[i];

		if (c <= ' ' || c >= 0x7f || c == '*' || c == '%')
			return false;
		if (c == '/' && (i + 1 == e.n || e.p[i + 1] == '/'))
			return false;
		parts += c == '/';
	}
	if (use == ENTRY_READ && (span_eq(e, PRIVATE) || span_eq(e, SHARED)))
		return true;
	if (!span_starts(e, SPAN("/private/")) && !span_starts(e, SPAN("/shared/")))
		return false;
	/* section 3.2: at least four components below vendor */
	return use == ENTRY_READ || parts >= 4 ||
	       !(span_starts(e, SPAN("/private/vendor")) ||
		 span_starts(e, SPAN("/shared/vendor")));
}

struct span metadata_entry_read(struct cursor *c, enum entry_use use)
{
	struct span raw = cursor_astring(c), low = arena_dup(c->arena, raw);

	for (size_t i = 0; i < low.n; i++)
		if (low.p[i] >= 'A' && low.p[i] <= 'Z')
			((char *)low.p)[i] = (char)(low.p[i] | 0x20);
	if (!c->bad && (!is_name(low, use) || low.n > 512)) {
		cursor_fail(c, "an entry like /shared/comment was expected");
		return SPAN_NONE;
	}
	return low;
}

struct span *metadata_entries_read(struct cursor *c, enum entry_use use, size_t *ret_n)
{
	struct span *at = arena_array(c->arena, METADATA_ENTRIES_MAX, sizeof *at);
	size_t n = 0;

	if (!cursor_try_list_open(c)) {
		at[n++] = metadata_entry_read(c, use);
	} else {
		do {
			if (n == METADATA_ENTRIES_MAX)
				cursor_fail(c, "these are too many entries");
			else
				at[n++] = metadata_entry_read(c, use);
		} while (cursor_list_more(c));
	}
	*ret_n = n;
	return at;
}

struct attr_key metadata_key(const struct session *s, uint32_t mailbox, struct span entry)
{
	bool is_private = span_starts(entry, PRIVATE);

	return (struct attr_key){
		.mailbox = mailbox,
		.kind = ATTR_METADATA,
		.user = is_private ? auth_account(&s->who) : SPAN_NONE,
		.name = span_sub(entry, is_private ? PRIVATE.n : SHARED.n, entry.n),
	};
}

struct span metadata_entry_of(struct arena *a, const struct attr_key *key)
{
	return span_str(arena_printf(a, "%s%.*s", key->user.n ? "/private" : "/shared",
				     (int)key->name.n, key->name.p));
}

bool metadata_may(const struct place *p)
{
	const unsigned any = RIGHT_R | RIGHT_S | RIGHT_W | RIGHT_I | RIGHT_P;

	return (p->rights & RIGHT_L) && (p->rights & any);
}

/* ---- computed entries ---- */

static struct span special_use(struct arena *a, const struct name *name)
{
	struct buf b = { 0 };
	struct span s;

	for (unsigned bit = LIST_ALL; bit & LIST_SPECIAL_USE_ATTRS; bit <<= 1) {
		if (!(name->special_use * LIST_ALL & bit))
			continue;
		buf_puts(&b, b.n ? " " : "");
		buf_puts(&b, list_attr_name(bit));
	}
	s = b.n ? arena_dup(a, buf_span(&b)) : SPAN_NONE;
	buf_done(&b);
	return s;
}

static struct span own_append_limit(struct cmd *cmd)
{
	const struct attr_key key = { .kind = ATTR_LIMIT, .name = SPAN("APPENDLIMIT") };
	const struct attrs *now = account_attrs_now(cmd->session->account);
	const struct attr *at = attrs_find(now, &key);
	struct span value = at ? arena_dup(cmd->arena, at->value) : SPAN_NONE;

	attrs_unref(now);
	return value;
}

static struct span text_or_none(const char *s)
{
	return s && *s ? span_str(s) : SPAN_NONE;
}

bool metadata_computed(struct cmd *cmd, const struct name *name, struct span entry,
		       struct span *ret_value)
{
	const struct server_config *c = &cmd->server->config;

	if (name && span_eq(entry, SPAN(METADATA_SPECIAL_USE)))
		*ret_value = special_use(cmd->arena, name);
	else if (!name && span_eq(entry, SPAN("/shared/comment")))
		*ret_value = text_or_none(c->comment);
	else if (!name && span_eq(entry, SPAN("/shared/admin")))
		*ret_value = text_or_none(c->admin);
	else if (!name && span_eq(entry, SPAN(METADATA_APPEND_LIMIT)))
		*ret_value = own_append_limit(cmd);
	else if (!name)
		return search_filter_computed(cmd, entry, ret_value);
	else
		return false;
	return true;
}

const char *metadata_computed_name(struct cmd *cmd, const struct name *name, size_t i)
{
	static const char *const server[] = { "/shared/comment", "/shared/admin",
					      METADATA_APPEND_LIMIT };
	const size_t N_SERVER = sizeof server / sizeof *server;
	static const char *const mailbox[] = { METADATA_SPECIAL_USE, NULL };

	if (name)
		return mailbox[i];
	return i < N_SERVER ? server[i] : search_filter_entry(cmd, i - N_SERVER);
}

void metadata_put(struct cmd *cmd, bool is_first, struct span entry, struct span value)
{
	struct buf *out = cmd_out(cmd);

	if (!is_first)
		buf_putc(out, ' ');
	emit_astring(out, cmd_mode(cmd), entry);
	buf_putc(out, ' ');
	if (value.n && memchr(value.p, '\0', value.n)) {
		emit_literal8_header(out, cmd_mode(cmd), value.n);
		buf_put(out, value);
	} else {
		emit_nstring(out, cmd_mode(cmd), value);
	}
}

/* ---- LIST RETURN (METADATA (...)) ---- */

enum { LIST_QUERIES_MAX = 65536 };

struct list_metadata {
	struct span *entry;
	size_t n_entry;
	struct found { /* of an account; the last one asked stands first */
		struct found *next;
		struct account *account;
		struct attr *at; /* in the order of the mailboxes asked for */
		size_t n;
	} * found;
};

bool list_metadata_read(struct cmd *cmd, struct span value, struct list_metadata **ret)
{
	struct list_metadata *m = ARENA_NEW(cmd->arena, struct list_metadata);
	struct cursor c = cursor_on(&cmd->cur, value);

	if (value.n == 0 || value.p[0] != '(')
		cursor_fail(&c, "a list of entries was expected");
	m->entry = metadata_entries_read(&c, ENTRY_WRITE, &m->n_entry);
	if (!cursor_rest_empty(&c)) {
		reply_bad(cmd, "LIST: METADATA is followed by a list of entries.");
		return false;
	}
	*ret = m;
	return true;
}

struct op *list_metadata_ask(struct cmd *cmd, const struct list_metadata *m,
			     struct account *a, const uint32_t *mailboxes, size_t n)
{
	struct attr_query *q;
	size_t k = 0;

	if (n > LIST_QUERIES_MAX / m->n_entry)
		return NULL;
	q = arena_array(cmd->arena, n * m->n_entry, sizeof *q);
	for (size_t i = 0; i < n; i++)
		for (size_t e = 0; e < m->n_entry; e++)
			q[k++] = (struct attr_query){
				.key = metadata_key(cmd->session, mailboxes[i],
						    m->entry[e]),
				.is_exact = true,
			};
	return attrs_read(a, q, k, cmd_to(cmd));
}

void list_metadata_take(struct cmd *cmd, struct list_metadata *m, struct account *a)
{
	const struct attrs *got = op_attrs(cmd->op);
	struct found *f = ARENA_NEW(cmd->arena, struct found);

	f->next = m->found;
	f->account = a;
	f->n = got->n;
	f->at = arena_array(cmd->arena, got->n, sizeof *f->at);
	for (size_t i = 0; i < got->n; i++) {
		f->at[i] = got->at[i];
		f->at[i].key.user = arena_dup(cmd->arena, got->at[i].key.user);
		f->at[i].key.name = arena_dup(cmd->arena, got->at[i].key.name);
		f->at[i].value = arena_dup(cmd->arena, got->at[i].value);
	}
	m->found = f;
}

static struct span listed_value(struct cmd *cmd, const struct found *f,
				const struct name *name, struct span entry)
{
	struct attr_key key = metadata_key(cmd->session, name->mailbox, entry);
	struct span value;

	if (metadata_computed(cmd, name, entry, &value))
		return value;
	for (size_t i = 0; f && i < f->n; i++)
		if (f->at[i].key.mailbox == key.mailbox &&
		    span_eq(f->at[i].key.user, key.user) &&
		    span_eq(f->at[i].key.name, key.name))
			return f->at[i].value;
	return SPAN_NONE;
}

void list_metadata_line(struct cmd *cmd, const struct list_metadata *m, struct account *a,
			const struct name *name)
{
	struct buf *out = cmd_out(cmd);
	const struct found *f = m->found;

	while (f && f->account != a)
		f = f->next;

	buf_puts(out, "* METADATA ");
	emit_mailbox(out, cmd_mode(cmd), name->path);
	buf_puts(out, " (");
	for (size_t e = 0; e < m->n_entry; e++)
		metadata_put(cmd, e == 0, m->entry[e],
			     listed_value(cmd, f, name, m->entry[e]));
	buf_puts(out, ")\r\n");
}
