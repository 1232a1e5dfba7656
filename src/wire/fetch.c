/* FETCH items and STORE arguments (RFC 9051 sections 6.4.5 and 6.4.6). */
#include "wire/fetch.h"
#include "wire/grow.h"

/* What follows a name. */
enum { PLAIN, SECTION, SECTION_PARTIAL, BINARY, BINARY_PARTIAL, PREVIEW };

struct item_row {
	char name[16];
	uint32_t kind;
	uint8_t form;
	bool peek;
};

/* Forms with a section stand before the plain one of the same name. */
static const struct item_row items[] = {
	{ "BINARY", FETCH_BINARY, BINARY_PARTIAL, false },
	{ "BINARY.PEEK", FETCH_BINARY, BINARY_PARTIAL, true },
	{ "BINARY.SIZE", FETCH_BINARY_SIZE, BINARY, true },
	{ "BODY", FETCH_SECTION, SECTION_PARTIAL, false },
	{ "BODY", FETCH_BODY, PLAIN, true },
	{ "BODY.PEEK", FETCH_SECTION, SECTION_PARTIAL, true },
	{ "BODYSTRUCTURE", FETCH_BODYSTRUCTURE, PLAIN, true },
	{ "EMAILID", FETCH_EMAILID, PLAIN, true },
	{ "ENVELOPE", FETCH_ENVELOPE, PLAIN, true },
	{ "FLAGS", FETCH_FLAGS, PLAIN, true },
	{ "INTERNALDATE", FETCH_INTERNALDATE, PLAIN, true },
	{ "MODSEQ", FETCH_MODSEQ, PLAIN, true },
	{ "PREVIEW", FETCH_PREVIEW, PREVIEW, true },
	{ "RFC822", FETCH_RFC822, PLAIN, false },
	{ "RFC822.HEADER", FETCH_RFC822_HEADER, PLAIN, true },
	{ "RFC822.SIZE", FETCH_RFC822_SIZE, PLAIN, true },
	{ "RFC822.TEXT", FETCH_RFC822_TEXT, PLAIN, false },
	{ "SAVEDATE", FETCH_SAVEDATE, PLAIN, true },
	{ "THREADID", FETCH_THREADID, PLAIN, true },
	{ "UID", FETCH_UID, PLAIN, true },
};
#define N_ITEMS (sizeof items / sizeof *items)

static bool section_equal(const struct fetch_section *a, const struct fetch_section *b)
{
	if (a->text != b->text || a->n_path != b->n_path || a->n_names != b->n_names)
		return false;
	for (size_t i = 0; i < a->n_path; i++)
		if (a->path[i] != b->path[i])
			return false;
	for (size_t i = 0; i < a->n_names; i++)
		if (!span_eq(a->names[i], b->names[i]))
			return false;
	return true;
}

/* The same answer, label included. */
static bool item_equal(const struct fetch_item *a, const struct fetch_item *b)
{
	return a->kind == b->kind && a->lazy == b->lazy &&
	       a->has_partial == b->has_partial && a->offset == b->offset &&
	       a->bytes == b->bytes && section_equal(&a->section, &b->section);
}

static void item_add(struct cursor *c, struct fetch_args *a,
		     const struct fetch_item *item)
{
	a->kinds |= item->kind;
	a->sets_seen |= !item->peek;
	for (size_t i = 0; i < a->n_items; i++) {
		if (!item_equal(&a->items[i], item))
			continue;
		a->items[i].peek &= item->peek;
		return;
	}
	if (a->n_items >= WIRE_FETCH_ITEMS_MAX)
		cursor_fail(c, "there are too many FETCH items");
	else
		*WIRE_PUSH(c->arena, a->items, a->n_items) = *item;
}

/* "<" number64 "." nz-number64 ">" */
static void partial_read(struct cursor *c, struct fetch_item *item)
{
	if (!cursor_try_char(c, '<'))
		return;
	item->has_partial = true;
	item->offset = cursor_number64(c);
	if (!cursor_try_char(c, '.'))
		cursor_fail(c, "a part like <0.1024> was expected");
	item->bytes = cursor_nz_number64(c);
	if (!cursor_try_char(c, '>'))
		cursor_fail(c, "a part like <0.1024> was expected");
}

/* [SP "(" "LAZY" ")"] (RFC 8970 section 3.2) */
static void lazy_read(struct cursor *c, struct fetch_item *item)
{
	struct span rest = span_sub(c->in, c->at, 7);

	if (!c->bad && span_ieq(rest, SPAN(" (LAZY)"))) {
		c->at += rest.n;
		item->lazy = true;
	}
}

static const struct item_row *row_read(struct cursor *c)
{
	for (size_t i = 0; i < N_ITEMS; i++) {
		size_t at = c->at;

		if (!cursor_try_word(c, items[i].name))
			continue;
		if ((cursor_peek(c) == '[') ==
		    (items[i].form != PLAIN && items[i].form != PREVIEW))
			return &items[i];
		c->at = at;
	}
	return NULL;
}

/* RFC822 and its like are sections under an old name (RFC 3501 section 6.4.5). */
static enum fetch_text text_of(uint32_t kind)
{
	if (kind == FETCH_RFC822_HEADER)
		return FETCH_TEXT_HEADER;
	if (kind == FETCH_RFC822_TEXT)
		return FETCH_TEXT_TEXT;
	return FETCH_TEXT_WHOLE;
}

static void item_read(struct cursor *c, unsigned allowed, struct fetch_args *a)
{
	const struct item_row *row = row_read(c);
	struct fetch_item item = { 0 };

	if (!row || !(row->kind & allowed)) {
		cursor_fail(c, "a FETCH item was expected");
		return;
	}
	item.kind = (enum fetch_kind)row->kind;
	item.peek = row->peek;
	item.section.text = text_of(row->kind);
	if (row->form == PREVIEW)
		lazy_read(c, &item);
	else if (row->form != PLAIN)
		cursor_section(c, row->form == BINARY || row->form == BINARY_PARTIAL,
			       &item.section);
	if (row->form == SECTION_PARTIAL || row->form == BINARY_PARTIAL)
		partial_read(c, &item);
	if (!c->bad)
		item_add(c, a, &item);
}

static bool macro_read(struct cursor *c, struct fetch_args *a)
{
	static const uint32_t order[] = { FETCH_FLAGS, FETCH_INTERNALDATE,
					  FETCH_RFC822_SIZE, FETCH_ENVELOPE, FETCH_BODY };
	size_t n = 0;

	if (cursor_try_word(c, "FAST"))
		n = 3;
	else if (cursor_try_word(c, "ALL"))
		n = 4;
	else if (cursor_try_word(c, "FULL"))
		n = 5;
	for (size_t i = 0; i < n; i++) {
		struct fetch_item item = { .kind = (enum fetch_kind)order[i],
					   .peek = true };

		item_add(c, a, &item);
	}
	return n > 0;
}

bool cursor_fetch_items(struct cursor *c, unsigned allowed, struct fetch_args *ret_args)
{
	struct fetch_args a = { 0 };

	cursor_list_open(c);
	do {
		item_read(c, allowed, &a);
	} while (cursor_list_more(c));
	if (!c->bad)
		*ret_args = a;
	return !c->bad;
}

bool cursor_fetch_args(struct cursor *c, unsigned allowed, struct fetch_args *ret_args)
{
	struct fetch_args a = { 0 };

	if (cursor_peek(c) == '(') {
		cursor_fetch_items(c, allowed, &a);
	} else if (!macro_read(c, &a)) {
		item_read(c, allowed, &a);
	}
	if (cursor_try_sp(c))
		cursor_params(c, &a.modifiers);
	if (!c->bad)
		*ret_args = a;
	return !c->bad;
}

static bool has_section(const struct fetch_item *item)
{
	return item->kind & (FETCH_SECTION | FETCH_BINARY | FETCH_BINARY_SIZE);
}

/* BODY.PEEK and BINARY.PEEK are answered as BODY and BINARY. */
static const char *label_name(const struct fetch_item *item)
{
	for (size_t i = 0; i < N_ITEMS; i++)
		if (items[i].kind == item->kind)
			return items[i].name;
	return "";
}

static const char *item_name(const struct fetch_item *item)
{
	for (size_t i = 0; i < N_ITEMS; i++)
		if (items[i].kind == item->kind && items[i].peek == item->peek)
			return items[i].name;
	return label_name(item);
}

void emit_fetch_label(struct buf *out, struct emit_mode m, const struct fetch_item *item)
{
	buf_puts(out, label_name(item));
	if (has_section(item))
		emit_section(out, m, &item->section);
	if (item->has_partial)
		buf_printf(out, "<%llu>", (unsigned long long)item->offset);
}

static void emit_item(struct buf *out, struct emit_mode m, const struct fetch_item *item)
{
	buf_puts(out, item_name(item));
	if (has_section(item))
		emit_section(out, m, &item->section);
	if (item->has_partial)
		buf_printf(out, "<%llu.%llu>", (unsigned long long)item->offset,
			   (unsigned long long)item->bytes);
	if (item->lazy)
		buf_puts(out, " (LAZY)");
}

void emit_fetch_args(struct buf *out, struct emit_mode m, const struct fetch_args *a)
{
	buf_putc(out, '(');
	for (size_t i = 0; i < a->n_items; i++) {
		if (i > 0)
			buf_putc(out, ' ');
		emit_item(out, m, &a->items[i]);
	}
	buf_putc(out, ')');
	if (a->modifiers.n == 0)
		return;
	buf_puts(out, " (");
	emit_params(out, &a->modifiers, true);
	buf_putc(out, ')');
}

struct span fetch_partial(const struct fetch_item *item, struct span text)
{
	size_t bytes = item->bytes > SIZE_MAX ? SIZE_MAX : (size_t)item->bytes;

	if (!item->has_partial)
		return text;
	return span_sub(text, item->offset > text.n ? text.n : (size_t)item->offset,
			bytes);
}

static const struct store_row {
	char name[16];
	uint8_t how;
	bool silent;
} stores[] = {
	{ "FLAGS", STORE_SET, false },	   { "FLAGS.SILENT", STORE_SET, true },
	{ "+FLAGS", STORE_ADD, false },	   { "+FLAGS.SILENT", STORE_ADD, true },
	{ "-FLAGS", STORE_REMOVE, false }, { "-FLAGS.SILENT", STORE_REMOVE, true },
};
#define N_STORES (sizeof stores / sizeof *stores)

bool cursor_store_args(struct cursor *c, struct store_args *ret_args)
{
	struct store_args a = { 0 };
	size_t i = 0;

	cursor_sp(c);
	if (cursor_peek(c) == '(') {
		cursor_params(c, &a.modifiers);
		cursor_sp(c);
	}
	while (i < N_STORES && !cursor_try_word(c, stores[i].name))
		i++;
	if (i == N_STORES)
		return cursor_fail(c, "FLAGS, +FLAGS or -FLAGS was expected");
	a.how = (enum store_how)stores[i].how;
	a.silent = stores[i].silent;
	cursor_sp(c);
	if (!cursor_store_flags(c, &a.flags))
		return false;
	*ret_args = a;
	return true;
}

void emit_store_args(struct buf *out, const struct store_args *a)
{
	buf_putc(out, ' ');
	if (a->modifiers.n > 0) {
		buf_putc(out, '(');
		emit_params(out, &a->modifiers, true);
		buf_puts(out, ") ");
	}
	for (size_t i = 0; i < N_STORES; i++)
		if (stores[i].how == a->how && stores[i].silent == a->silent)
			buf_puts(out, stores[i].name);
	buf_putc(out, ' ');
	emit_flags(out, &a->flags);
}
