/* The search program: keys by table, a tree with bounded depth (RFC 9051 section 6.4.4).
 */
#include "wire/search.h"
#include "wire/date.h"
#include "wire/flags.h"
#include "wire/grow.h"

enum arg {
	ARG_NONE,
	ARG_FLAG, /* none either: the table has the flag */
	ARG_KEYS, /* one or two search keys */
	ARG_TEXT,
	ARG_HEADER,
	ARG_KEYWORD,
	ARG_SET,
	ARG_NUMBER,
	ARG_SECONDS,
	ARG_DATE,
	ARG_MODSEQ,
	ARG_ID,
	ARG_FILTER,
};

struct key_row {
	char name[20];
	uint8_t key, arg, flag, ext, needs;
};

#define VIEW	SEARCH_NEED_VIEW
#define SUMMARY SEARCH_NEED_SUMMARY

static const struct key_row keys[] = {
	{ "ALL", SEARCH_ALL, ARG_NONE, 0, 0, VIEW },
	{ "ANSWERED", SEARCH_FLAG, ARG_FLAG, WIRE_ANSWERED, 0, VIEW },
	{ "BCC", SEARCH_BCC, ARG_TEXT, 0, 0, SUMMARY },
	{ "BEFORE", SEARCH_BEFORE, ARG_DATE, 0, 0, VIEW },
	{ "BODY", SEARCH_BODY, ARG_TEXT, 0, 0, SEARCH_NEED_BODY },
	{ "CC", SEARCH_CC, ARG_TEXT, 0, 0, SUMMARY },
	{ "DELETED", SEARCH_FLAG, ARG_FLAG, WIRE_DELETED, 0, VIEW },
	{ "DRAFT", SEARCH_FLAG, ARG_FLAG, WIRE_DRAFT, 0, VIEW },
	{ "EMAILID", SEARCH_EMAILID, ARG_ID, 0, SEARCH_EXT_OBJECTID, VIEW },
	{ "FILTER", SEARCH_FILTER, ARG_FILTER, 0, SEARCH_EXT_FILTERS,
	  SEARCH_NEED_FILTERS },
	{ "FLAGGED", SEARCH_FLAG, ARG_FLAG, WIRE_FLAGGED, 0, VIEW },
	{ "FROM", SEARCH_FROM, ARG_TEXT, 0, 0, SUMMARY },
	{ "FUZZY", SEARCH_FUZZY, ARG_KEYS, 0, SEARCH_EXT_FUZZY, 0 },
	{ "HEADER", SEARCH_HEADER, ARG_HEADER, 0, 0, SEARCH_NEED_HEADER },
	{ "KEYWORD", SEARCH_KEYWORD, ARG_KEYWORD, 0, 0, VIEW },
	{ "LARGER", SEARCH_LARGER, ARG_NUMBER, 0, 0, VIEW },
	{ "MODSEQ", SEARCH_MODSEQ, ARG_MODSEQ, 0, SEARCH_EXT_CONDSTORE,
	  VIEW | SEARCH_NEED_MODSEQ },
	{ "NEW", SEARCH_NEW, ARG_NONE, 0, 0, VIEW },
	{ "NOT", SEARCH_NOT, ARG_KEYS, 0, 0, 0 },
	{ "OLD", SEARCH_UNFLAG, ARG_FLAG, WIRE_RECENT, 0, VIEW },
	{ "OLDER", SEARCH_OLDER, ARG_SECONDS, 0, SEARCH_EXT_WITHIN, VIEW },
	{ "ON", SEARCH_ON, ARG_DATE, 0, 0, VIEW },
	{ "OR", SEARCH_OR, ARG_KEYS, 0, 0, 0 },
	{ "RECENT", SEARCH_FLAG, ARG_FLAG, WIRE_RECENT, 0, VIEW },
	{ "SAVEDATESUPPORTED", SEARCH_SAVEDATESUPPORTED, ARG_NONE, 0, SEARCH_EXT_SAVEDATE,
	  VIEW },
	{ "SAVEDBEFORE", SEARCH_SAVEDBEFORE, ARG_DATE, 0, SEARCH_EXT_SAVEDATE, VIEW },
	{ "SAVEDON", SEARCH_SAVEDON, ARG_DATE, 0, SEARCH_EXT_SAVEDATE, VIEW },
	{ "SAVEDSINCE", SEARCH_SAVEDSINCE, ARG_DATE, 0, SEARCH_EXT_SAVEDATE, VIEW },
	{ "SEEN", SEARCH_FLAG, ARG_FLAG, WIRE_SEEN, 0, VIEW },
	{ "SENTBEFORE", SEARCH_SENTBEFORE, ARG_DATE, 0, 0, SUMMARY },
	{ "SENTON", SEARCH_SENTON, ARG_DATE, 0, 0, SUMMARY },
	{ "SENTSINCE", SEARCH_SENTSINCE, ARG_DATE, 0, 0, SUMMARY },
	{ "SINCE", SEARCH_SINCE, ARG_DATE, 0, 0, VIEW },
	{ "SMALLER", SEARCH_SMALLER, ARG_NUMBER, 0, 0, VIEW },
	{ "SUBJECT", SEARCH_SUBJECT, ARG_TEXT, 0, 0, SUMMARY },
	{ "TEXT", SEARCH_TEXT, ARG_TEXT, 0, 0, SEARCH_NEED_HEADER | SEARCH_NEED_BODY },
	{ "THREADID", SEARCH_THREADID, ARG_ID, 0, SEARCH_EXT_OBJECTID, VIEW },
	{ "TO", SEARCH_TO, ARG_TEXT, 0, 0, SUMMARY },
	{ "UID", SEARCH_UID, ARG_SET, 0, 0, VIEW },
	{ "UIDAFTER", SEARCH_UIDAFTER, ARG_NUMBER, 0, SEARCH_EXT_MESSAGELIMIT, VIEW },
	{ "UIDBEFORE", SEARCH_UIDBEFORE, ARG_NUMBER, 0, SEARCH_EXT_MESSAGELIMIT, VIEW },
	{ "UNANSWERED", SEARCH_UNFLAG, ARG_FLAG, WIRE_ANSWERED, 0, VIEW },
	{ "UNDELETED", SEARCH_UNFLAG, ARG_FLAG, WIRE_DELETED, 0, VIEW },
	{ "UNDRAFT", SEARCH_UNFLAG, ARG_FLAG, WIRE_DRAFT, 0, VIEW },
	{ "UNFLAGGED", SEARCH_UNFLAG, ARG_FLAG, WIRE_FLAGGED, 0, VIEW },
	{ "UNKEYWORD", SEARCH_UNKEYWORD, ARG_KEYWORD, 0, 0, VIEW },
	{ "UNSEEN", SEARCH_UNFLAG, ARG_FLAG, WIRE_SEEN, 0, VIEW },
	{ "YOUNGER", SEARCH_YOUNGER, ARG_SECONDS, 0, SEARCH_EXT_WITHIN, VIEW },
};
#define N_KEYS (sizeof keys / sizeof *keys)

static const struct key_row *row_named(struct span name)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (span_ieq(name, span_str(keys[i].name)))
			return &keys[i];
	return NULL;
}

/* NULL for SEARCH_AND and SEARCH_SEQUENCE, which have no name. */
static const struct key_row *row_of(const struct search_node *n)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		if (keys[i].key != n->key)
			continue;
		if (keys[i].arg != ARG_FLAG || keys[i].flag == n->u.flag)
			return &keys[i];
	}
	return NULL;
}

struct reader {
	struct cursor *c;
	unsigned exts;
	size_t n_nodes;
};

static struct search_node *key_read(struct reader *r);

static struct search_node *node_new(struct reader *r, enum search_key key, unsigned needs)
{
	struct search_node *n;

	if (r->n_nodes >= WIRE_SEARCH_NODES_MAX) {
		cursor_fail(r->c, "a search has too many keys");
		return NULL;
	}
	r->n_nodes++;
	n = ARENA_NEW(r->c->arena, struct search_node);
	n->key = key;
	n->needs = needs;
	return n;
}

/* SP search-key, as the last child of `parent`; *last is the one before, or NULL. */
static void child_read(struct reader *r, struct search_node *parent,
		       struct search_node **last)
{
	struct search_node *child = key_read(r);

	if (!child)
		return;
	parent->needs |= child->needs;
	if (*last)
		(*last)->next = child;
	else
		parent->child = child;
	*last = child;
}

/* "(" search-key *(SP search-key) ")" */
static struct search_node *list_read(struct reader *r)
{
	struct search_node *n = node_new(r, SEARCH_AND, 0), *last = NULL;

	if (!n || !cursor_list_open(r->c))
		return NULL;
	do {
		child_read(r, n, &last);
	} while (cursor_list_more(r->c));
	return n;
}

static void keys_read(struct reader *r, struct search_node *n)
{
	struct search_node *last = NULL;

	/* Parentheses and these keys share the bound: both are a level of recursion. */
	if (r->c->depth >= WIRE_NESTING_MAX) {
		cursor_fail(r->c, "a search is nested too deeply");
		return;
	}
	r->c->depth++;
	for (int i = n->key == SEARCH_OR ? 2 : 1; i > 0; i--) {
		if (i == 1 && n->key == SEARCH_OR)
			cursor_sp(r->c);
		child_read(r, n, &last);
	}
	r->c->depth--;
}

static void set_read(struct cursor *c, struct search_node *n)
{
	cursor_sequence_set(c, &n->u.set);
	if (n->u.set.saved)
		n->needs |= SEARCH_NEED_SAVED;
}

/* [entry-name SP entry-type-req SP] mod-sequence-valzer (RFC 7162 section 3.1.5). */
static void modseq_read(struct cursor *c, struct search_node *n)
{
	if (cursor_peek(c) == '"') {
		n->u.modseq.entry = cursor_quoted(c);
		cursor_sp(c);
		if (cursor_try_word(c, "priv"))
			n->u.modseq.type = 'p';
		else if (cursor_try_word(c, "shared"))
			n->u.modseq.type = 's';
		else if (cursor_word(c, "all"))
			n->u.modseq.type = 'a';
		cursor_sp(c);
	}
	n->u.modseq.modseq = cursor_number64(c);
}

/* filter-name (RFC 5466 section 4) */
static struct span filter_name_read(struct cursor *c)
{
	struct span name = cursor_atom(c);

	if (!c->bad && span_find(name, '/') >= 0)
		cursor_fail(c, "the name of a filter was expected");
	return name;
}

static void arg_read(struct reader *r, const struct key_row *row, struct search_node *n)
{
	struct cursor *c = r->c;

	if (row->arg == ARG_FLAG)
		n->u.flag = row->flag;
	if (row->arg == ARG_NONE || row->arg == ARG_FLAG)
		return;
	cursor_sp(c);
	switch (row->arg) {
	case ARG_KEYS: keys_read(r, n); break;
	case ARG_TEXT: n->u.text = cursor_astring(c); break;
	case ARG_KEYWORD: n->u.text = cursor_keyword(c); break;
	case ARG_ID: n->u.text = cursor_atom(c); break;
	case ARG_FILTER: n->u.text = filter_name_read(c); break;
	case ARG_SET: set_read(c, n); break;
	case ARG_NUMBER: n->u.number = cursor_number64(c); break;
	case ARG_SECONDS: n->u.number = cursor_nz_number(c); break;
	case ARG_DATE: n->u.days = cursor_date(c); break;
	case ARG_MODSEQ: modseq_read(c, n); break;
	case ARG_HEADER:
		n->u.header.name = cursor_astring(c);
		cursor_sp(c);
		n->u.header.text = cursor_astring(c);
		break;
	}
}

static struct search_node *key_read(struct reader *r)
{
	struct cursor *c = r->c;
	const struct key_row *row;
	struct search_node *n;

	if (cursor_peek(c) == '(')
		return list_read(r);
	if (cursor_is_sequence_set(c)) {
		n = node_new(r, SEARCH_SEQUENCE, VIEW);
		if (n)
			set_read(c, n);
		if (n && !n->u.set.saved)
			n->needs |= SEARCH_NEED_NUMBERS;
		return n;
	}
	row = row_named(cursor_atom(c));
	if (c->bad || !row || (row->ext & ~r->exts)) {
		cursor_fail(c, "a search key was expected");
		return NULL;
	}
	n = node_new(r, (enum search_key)row->key, row->needs);
	if (n)
		arg_read(r, row, n);
	return n;
}

static bool root_read(struct cursor *c, unsigned exts, struct search_program *p)
{
	struct reader r = { .c = c, .exts = exts };
	struct search_node *last = NULL;

	p->root = node_new(&r, SEARCH_AND, 0);
	do {
		child_read(&r, p->root, &last);
	} while (cursor_try_sp(c));
	p->n_nodes = r.n_nodes;
	p->needs = p->root->needs;
	return !c->bad;
}

bool cursor_search(struct cursor *c, unsigned exts, struct search_program *ret_program)
{
	struct search_program p = { 0 };

	cursor_sp(c);
	cursor_search_returns(c, &p);
	if (cursor_try_word(c, "CHARSET")) {
		cursor_sp(c);
		p.charset = cursor_charset(c);
		cursor_sp(c);
	}
	if (!root_read(c, exts, &p))
		return false;
	*ret_program = p;
	return true;
}

bool cursor_search_criteria(struct cursor *c, unsigned exts, struct search_program *p)
{
	p->charset = cursor_charset(c);
	cursor_sp(c);
	return root_read(c, exts, p);
}

bool cursor_search_keys(struct cursor *c, unsigned exts,
			struct search_program *ret_program)
{
	struct search_program p = { 0 };

	if (!root_read(c, exts, &p))
		return false;
	*ret_program = p;
	return true;
}

static void emit_key(struct buf *out, struct emit_mode m, const struct search_node *n);

static void emit_children(struct buf *out, struct emit_mode m,
			  const struct search_node *n)
{
	for (const struct search_node *k = n->child; k; k = k->next) {
		if (k != n->child)
			buf_putc(out, ' ');
		emit_key(out, m, k);
	}
}

static void emit_modseq(struct buf *out, const struct search_node *n)
{
	char type = n->u.modseq.type;

	if (type) {
		emit_quoted(out, n->u.modseq.entry);
		buf_puts(out, type == 'p'   ? " priv "
			      : type == 's' ? " shared "
					    : " all ");
	}
	buf_put_u64(out, n->u.modseq.modseq);
}

static void emit_arg(struct buf *out, struct emit_mode m, const struct key_row *row,
		     const struct search_node *n)
{
	if (row->arg == ARG_NONE || row->arg == ARG_FLAG)
		return;
	buf_putc(out, ' ');
	switch (row->arg) {
	case ARG_KEYS: emit_children(out, m, n); break;
	case ARG_TEXT: emit_astring(out, m, n->u.text); break;
	case ARG_KEYWORD:
	case ARG_FILTER:
	case ARG_ID: buf_put(out, n->u.text); break;
	case ARG_SET: emit_sequence_set(out, &n->u.set); break;
	case ARG_NUMBER:
	case ARG_SECONDS: buf_put_u64(out, n->u.number); break;
	case ARG_DATE: emit_date(out, n->u.days); break;
	case ARG_MODSEQ: emit_modseq(out, n); break;
	case ARG_HEADER:
		emit_astring(out, m, n->u.header.name);
		buf_putc(out, ' ');
		emit_astring(out, m, n->u.header.text);
		break;
	}
}

static void emit_key(struct buf *out, struct emit_mode m, const struct search_node *n)
{
	const struct key_row *row = row_of(n);

	if (n->key == SEARCH_AND) {
		buf_putc(out, '(');
		emit_children(out, m, n);
		buf_putc(out, ')');
	} else if (!row) {
		emit_sequence_set(out, &n->u.set);
	} else {
		buf_puts(out, row->name);
		emit_arg(out, m, row, n);
	}
}

void emit_search_keys(struct buf *out, struct emit_mode m, const struct search_node *root)
{
	if (root->key == SEARCH_AND)
		emit_children(out, m, root);
	else
		emit_key(out, m, root);
}

void emit_search(struct buf *out, struct emit_mode m, const struct search_program *p)
{
	if (p->has_return) {
		buf_putc(out, ' ');
		emit_search_returns(out, p);
	}
	if (p->charset.p) {
		buf_puts(out, " CHARSET ");
		emit_charset(out, p->charset);
	}
	buf_putc(out, ' ');
	emit_search_keys(out, m, p->root);
}

static void copy_args(struct arena *a, const struct key_row *row, struct search_node *n)
{
	switch (row ? row->arg : ARG_SET) {
	case ARG_TEXT:
	case ARG_KEYWORD:
	case ARG_FILTER:
	case ARG_ID: n->u.text = arena_dup(a, n->u.text); break;
	case ARG_HEADER:
		n->u.header.name = arena_dup(a, n->u.header.name);
		n->u.header.text = arena_dup(a, n->u.header.text);
		break;
	case ARG_MODSEQ: n->u.modseq.entry = arena_dup(a, n->u.modseq.entry); break;
	case ARG_SET: {
		struct seqrange *r = arena_array(a, n->u.set.n, sizeof *r);

		if (n->u.set.n)
			memcpy(r, n->u.set.r, n->u.set.n * sizeof *r);
		n->u.set.r = r;
		break;
	}
	default: break;
	}
}

static struct search_node *node_copy(struct arena *a, const struct search_node *from)
{
	struct search_node *n = ARENA_NEW(a, struct search_node), **end = &n->child;

	*n = *from;
	n->next = NULL;
	if (n->key != SEARCH_AND)
		copy_args(a, row_of(n), n);
	for (const struct search_node *c = from->child; c; c = c->next) {
		*end = node_copy(a, c);
		end = &(*end)->next;
	}
	return n;
}

void search_program_copy(struct arena *a, const struct search_program *p,
			 struct search_program *ret_program)
{
	struct search_program copy = *p;

	copy.other_returns = (struct wire_params){ 0 };
	if (p->charset.p)
		copy.charset = arena_dup(a, p->charset);
	copy.root = node_copy(a, p->root);
	*ret_program = copy;
}

static bool args_equal(const struct key_row *row, const struct search_node *a,
		       const struct search_node *b)
{
	switch (row ? row->arg : ARG_SET) {
	case ARG_TEXT:
	case ARG_ID:
	case ARG_FILTER:
	case ARG_KEYWORD: return span_eq(a->u.text, b->u.text);
	case ARG_SET: return seqset_equal(&a->u.set, &b->u.set);
	case ARG_NUMBER:
	case ARG_SECONDS: return a->u.number == b->u.number;
	case ARG_DATE: return a->u.days == b->u.days;
	case ARG_FLAG: return a->u.flag == b->u.flag;
	case ARG_HEADER:
		return span_eq(a->u.header.name, b->u.header.name) &&
		       span_eq(a->u.header.text, b->u.header.text);
	case ARG_MODSEQ:
		return a->u.modseq.modseq == b->u.modseq.modseq &&
		       a->u.modseq.type == b->u.modseq.type &&
		       span_eq(a->u.modseq.entry, b->u.modseq.entry);
	default: return true;
	}
}

bool search_equal(const struct search_node *a, const struct search_node *b)
{
	const struct search_node *x = a->child, *y = b->child;

	if (a->key != b->key)
		return false;
	if (a->key != SEARCH_AND && !args_equal(row_of(a), a, b))
		return false;
	for (; x && y; x = x->next, y = y->next)
		if (!search_equal(x, y))
			return false;
	return !x && !y;
}
