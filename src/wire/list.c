/* LIST and LSUB: arguments and responses (RFC 9051 sections 6.3.9 and 7.3.1, RFC 5258).
 */
#include "wire/list.h"
#include "wire/grow.h"

static const char select_names[][16] = { "SUBSCRIBED", "REMOTE", "RECURSIVEMATCH",
					 "SPECIAL-USE" };
static const char return_names[][16] = { "SUBSCRIBED", "CHILDREN", "STATUS",
					 "SPECIAL-USE" };
#define N_OPTIONS 4

static const char attr_names[][16] = {
	"\\NonExistent", "\\Noselect",	    "\\Noinferiors", "\\Marked", "\\Unmarked",
	"\\HasChildren", "\\HasNoChildren", "\\Subscribed",  "\\Remote", "\\All",
	"\\Archive",	 "\\Drafts",	    "\\Flagged",     "\\Junk",	 "\\Sent",
	"\\Trash",	 "\\Important",
};
#define N_ATTRS (sizeof attr_names / sizeof *attr_names)

const char *list_attr_name(unsigned bit)
{
	for (size_t i = 0; i < N_ATTRS; i++)
		if (bit == 1u << i)
			return attr_names[i];
	return "";
}

unsigned list_attr_bit(struct span name)
{
	for (size_t i = 0; i < N_ATTRS; i++)
		if (span_ieq(name, span_str(attr_names[i])))
			return 1u << i;
	return 0;
}

static void other_option(struct cursor *c, struct wire_params *ps)
{
	struct wire_param p;

	if (ps->n >= WIRE_PARAMS_MAX)
		cursor_fail(c, "there are too many options");
	else if (cursor_param(c, &p))
		*WIRE_PUSH(c->arena, ps->v, ps->n) = p;
}

static unsigned option_bit(struct cursor *c, const char table[][16])
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (cursor_try_word(c, table[i]))
			return 1u << i;
	return 0;
}

/* list-select-opts and the SP behind it */
static void select_read(struct cursor *c, struct list_args *a)
{
	if (!cursor_try_list_open(c))
		return;
	a->is_extended = true;
	if (cursor_peek(c) == ')') {
		cursor_list_close(c);
	} else {
		do {
			unsigned bit = option_bit(c, select_names);

			a->select |= bit;
			if (bit == 0)
				other_option(c, &a->other_select);
		} while (cursor_list_more(c));
	}
	/* An option not known here may be a base option: its extension judges. */
	if ((a->select & LIST_SELECT_RECURSIVEMATCH) && a->other_select.n == 0 &&
	    !(a->select & LIST_SELECT_SUBSCRIBED))
		cursor_fail(c,
			    "RECURSIVEMATCH needs an option like SUBSCRIBED beside it");
	cursor_sp(c);
}

static void return_read(struct cursor *c, unsigned status_allowed, struct list_args *a)
{
	if (!cursor_try_sp(c))
		return;
	a->is_extended = true;
	cursor_word(c, "RETURN");
	cursor_sp(c);
	cursor_list_open(c);
	if (cursor_peek(c) == ')') {
		cursor_list_close(c);
		return;
	}
	do {
		unsigned bit = option_bit(c, return_names);

		a->returns |= bit;
		if (bit == LIST_RETURN_STATUS) {
			cursor_sp(c);
			a->status |= cursor_status_items(c, status_allowed);
		} else if (bit == 0) {
			other_option(c, &a->other_returns);
		}
	} while (cursor_list_more(c));
}

static void pattern_read(struct cursor *c, struct list_args *a)
{
	if (a->n_patterns >= WIRE_PATTERNS_MAX)
		cursor_fail(c, "there are too many patterns");
	else
		*WIRE_PUSH(c->arena, a->patterns, a->n_patterns) = cursor_list_mailbox(c);
}

bool cursor_list_args(struct cursor *c, unsigned status_allowed,
		      struct list_args *ret_args)
{
	struct list_args a = { 0 };

	cursor_sp(c);
	select_read(c, &a);
	a.reference = cursor_mailbox(c);
	cursor_sp(c);
	if (cursor_try_list_open(c)) {
		a.is_extended = true;
		do {
			pattern_read(c, &a);
		} while (cursor_list_more(c));
	} else {
		pattern_read(c, &a);
	}
	return_read(c, status_allowed, &a);
	if (!c->bad)
		*ret_args = a;
	return !c->bad;
}

bool cursor_lsub_args(struct cursor *c, struct list_args *ret_args)
{
	struct list_args a = { 0 };

	cursor_sp(c);
	a.reference = cursor_mailbox(c);
	cursor_sp(c);
	pattern_read(c, &a);
	if (!c->bad)
		*ret_args = a;
	return !c->bad;
}

static void put_word(struct buf *out, bool *is_first, const char *word)
{
	if (!*is_first)
		buf_putc(out, ' ');
	*is_first = false;
	buf_puts(out, word);
}

static void emit_returns(struct buf *out, const struct list_args *a)
{
	bool is_first = true;

	buf_puts(out, " RETURN (");
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (!(a->returns & 1u << i))
			continue;
		put_word(out, &is_first, return_names[i]);
		if (1u << i == LIST_RETURN_STATUS) {
			buf_putc(out, ' ');
			emit_status_items(out, a->status);
		}
	}
	emit_params(out, &a->other_returns, is_first);
	buf_putc(out, ')');
}

void emit_list_args(struct buf *out, struct emit_mode m, const struct list_args *a)
{
	bool is_first = true;

	buf_putc(out, ' ');
	if (a->select || a->other_select.n > 0) {
		buf_putc(out, '(');
		for (size_t i = 0; i < N_OPTIONS; i++)
			if (a->select & 1u << i)
				put_word(out, &is_first, select_names[i]);
		emit_params(out, &a->other_select, is_first);
		buf_puts(out, ") ");
	}
	emit_mailbox(out, m, a->reference);
	buf_puts(out, a->is_extended ? " (" : " ");
	for (size_t i = 0; i < a->n_patterns; i++) {
		if (i > 0)
			buf_putc(out, ' ');
		emit_list_mailbox(out, m, a->patterns[i]);
	}
	if (a->is_extended)
		buf_putc(out, ')');
	if (a->returns || a->other_returns.n > 0)
		emit_returns(out, a);
}

unsigned cursor_special_use(struct cursor *c)
{
	unsigned uses = 0;

	cursor_list_open(c);
	if (cursor_peek(c) == ')') {
		cursor_list_close(c);
		return 0;
	}
	do {
		size_t from = c->at;
		unsigned bit;

		cursor_char(c, '\\');
		cursor_atom(c);
		bit = list_attr_bit(span_sub(c->in, from, c->at - from));
		if (!(bit & LIST_SPECIAL_USE_ATTRS))
			cursor_fail(c, "a special use was expected");
		uses |= bit;
	} while (cursor_list_more(c));
	return c->bad ? 0 : uses;
}

/* "(" [mbx-list-flags] ")" */
static void attrs_read(struct cursor *c, struct list_response *l)
{
	cursor_list_open(c);
	if (cursor_peek(c) == ')') {
		cursor_list_close(c);
		return;
	}
	do {
		size_t from = c->at;
		struct span name;
		unsigned bit;

		cursor_char(c, '\\');
		cursor_atom(c);
		name = span_sub(c->in, from, c->at - from);
		bit = list_attr_bit(name);
		l->attrs |= bit;
		if (c->bad || bit)
			continue;
		if (l->n_other >= WIRE_PARAMS_MAX)
			cursor_fail(c, "there are too many attributes");
		else
			*WIRE_PUSH(c->arena, l->other, l->n_other) = name;
	} while (cursor_list_more(c));
}

static void childinfo_read(struct cursor *c, struct list_response *l)
{
	cursor_list_open(c);
	do {
		if (span_ieq(cursor_string(c), SPAN("SUBSCRIBED")))
			l->childinfo_subscribed = true;
	} while (cursor_list_more(c));
}

static void item_read(struct cursor *c, struct list_response *l)
{
	struct wire_param p = { .name = cursor_astring(c) };

	cursor_sp(c);
	if (span_ieq(p.name, SPAN("CHILDINFO"))) {
		childinfo_read(c, l);
	} else if (span_ieq(p.name, SPAN("OLDNAME"))) {
		cursor_list_open(c);
		l->oldname = cursor_mailbox_any(c);
		cursor_list_close(c);
	} else {
		p.value = cursor_ext_value(c);
		if (l->other_items.n >= WIRE_PARAMS_MAX)
			cursor_fail(c, "there are too many items");
		else if (!c->bad)
			*WIRE_PUSH(c->arena, l->other_items.v, l->other_items.n) = p;
	}
}

bool cursor_list_response(struct cursor *c, struct list_response *ret_list)
{
	struct list_response l = { .delimiter = -1 };

	attrs_read(c, &l);
	cursor_sp(c);
	if (!cursor_try_nil(c)) {
		struct span s = cursor_quoted(c);

		if (s.n == 1)
			l.delimiter = (unsigned char)s.p[0];
		else
			cursor_fail(c, "a hierarchy delimiter was expected");
	}
	cursor_sp(c);
	l.name = cursor_mailbox_any(c);
	if (cursor_try_sp(c)) {
		cursor_list_open(c);
		if (cursor_peek(c) == ')') {
			cursor_list_close(c);
		} else {
			do {
				item_read(c, &l);
			} while (cursor_list_more(c));
		}
	}
	if (!c->bad)
		*ret_list = l;
	return !c->bad;
}

static void emit_items(struct buf *out, struct emit_mode m, const struct list_response *l)
{
	bool is_first = true;

	buf_puts(out, " (");
	if (l->childinfo_subscribed)
		put_word(out, &is_first, "\"CHILDINFO\" (\"SUBSCRIBED\")");
	if (l->oldname.p) {
		put_word(out, &is_first, "\"OLDNAME\" (");
		emit_mailbox(out, m, l->oldname);
		buf_putc(out, ')');
	}
	for (size_t i = 0; i < l->other_items.n; i++) {
		put_word(out, &is_first, "");
		emit_astring(out, m, l->other_items.v[i].name);
		buf_putc(out, ' ');
		buf_put(out, l->other_items.v[i].value);
	}
	buf_putc(out, ')');
}

void emit_list_response(struct buf *out, struct emit_mode m, const char *command,
			const struct list_response *l)
{
	bool is_first = true;

	buf_puts(out, "* ");
	buf_puts(out, command);
	buf_puts(out, " (");
	for (size_t i = 0; i < N_ATTRS; i++)
		if (l->attrs & 1u << i)
			put_word(out, &is_first, attr_names[i]);
	for (size_t i = 0; i < l->n_other; i++) {
		put_word(out, &is_first, "");
		buf_put(out, l->other[i]);
	}
	buf_puts(out, ") ");
	if (l->delimiter < 0)
		buf_puts(out, "NIL");
	else
		emit_quoted(out, span_of(&(char){ (char)l->delimiter }, 1));
	buf_putc(out, ' ');
	emit_mailbox(out, m, l->name);
	if (l->childinfo_subscribed || l->oldname.p || l->other_items.n > 0)
		emit_items(out, m, l);
	buf_puts(out, "\r\n");
}
