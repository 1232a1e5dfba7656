/* STATUS items (RFC 9051 sections 6.3.11 and 7.3.4). */
#include "wire/status.h"

/* In the order of the bits. */
static const char names[][16] = {
	"MESSAGES",  "UIDNEXT",	    "UIDVALIDITY",     "UNSEEN",
	"DELETED",   "SIZE",	    "RECENT",	       "HIGHESTMODSEQ",
	"MAILBOXID", "APPENDLIMIT", "DELETED-STORAGE",
};
#define N_NAMES (sizeof names / sizeof *names)

static unsigned item_of(struct span name)
{
	for (size_t i = 0; i < N_NAMES; i++)
		if (span_ieq(name, span_str(names[i])))
			return 1u << i;
	return 0;
}

unsigned cursor_status_items(struct cursor *c, unsigned allowed)
{
	unsigned items = 0;

	cursor_list_open(c);
	do {
		unsigned item = item_of(cursor_atom(c)) & allowed;

		if (item == 0)
			cursor_fail(c, "a STATUS item is not known");
		items |= item;
	} while (cursor_list_more(c));
	return c->bad ? 0 : items;
}

void emit_status_items(struct buf *out, unsigned items)
{
	bool is_first = true;

	buf_putc(out, '(');
	for (size_t i = 0; i < N_NAMES; i++) {
		if (!(items & 1u << i))
			continue;
		if (!is_first)
			buf_putc(out, ' ');
		is_first = false;
		buf_puts(out, names[i]);
	}
	buf_putc(out, ')');
}

static void value_read(struct cursor *c, unsigned item, struct status_values *v)
{
	switch (item) {
	case STATUS_MESSAGES: v->messages = cursor_number(c); break;
	case STATUS_UIDNEXT: v->uidnext = cursor_number(c); break;
	case STATUS_UIDVALIDITY: v->uidvalidity = cursor_number(c); break;
	case STATUS_UNSEEN: v->unseen = cursor_number(c); break;
	case STATUS_DELETED: v->deleted = cursor_number(c); break;
	case STATUS_RECENT: v->recent = cursor_number(c); break;
	case STATUS_SIZE: v->size = cursor_number64(c); break;
	case STATUS_HIGHESTMODSEQ: v->highestmodseq = cursor_number64(c); break;
	case STATUS_DELETED_STORAGE: v->deleted_storage = cursor_number64(c); break;
	case STATUS_APPENDLIMIT:
		v->appendlimit_nil = cursor_try_nil(c);
		v->appendlimit = v->appendlimit_nil ? 0 : cursor_number64(c);
		break;
	case STATUS_MAILBOXID:
		cursor_list_open(c);
		v->mailboxid = cursor_atom(c);
		cursor_list_close(c);
		break;
	default: cursor_ext_value(c); return;
	}
	v->items |= item;
}

bool cursor_status_values(struct cursor *c, struct status_values *ret_values)
{
	struct status_values v = { 0 };

	cursor_list_open(c);
	/* Some servers put a space before the ")"; and the list may be empty. */
	while (!c->bad && cursor_peek(c) != ')') {
		unsigned item = item_of(cursor_atom(c));

		cursor_sp(c);
		value_read(c, item, &v);
		if (!cursor_try_sp(c))
			break;
	}
	cursor_list_close(c);
	if (!c->bad)
		*ret_values = v;
	return !c->bad;
}

static void value_put(struct buf *out, unsigned item, const struct status_values *v)
{
	switch (item) {
	case STATUS_MESSAGES: buf_put_u64(out, v->messages); break;
	case STATUS_UIDNEXT: buf_put_u64(out, v->uidnext); break;
	case STATUS_UIDVALIDITY: buf_put_u64(out, v->uidvalidity); break;
	case STATUS_UNSEEN: buf_put_u64(out, v->unseen); break;
	case STATUS_DELETED: buf_put_u64(out, v->deleted); break;
	case STATUS_RECENT: buf_put_u64(out, v->recent); break;
	case STATUS_SIZE: buf_put_u64(out, v->size); break;
	case STATUS_HIGHESTMODSEQ: buf_put_u64(out, v->highestmodseq); break;
	case STATUS_DELETED_STORAGE: buf_put_u64(out, v->deleted_storage); break;
	case STATUS_APPENDLIMIT:
		if (v->appendlimit_nil)
			buf_puts(out, "NIL");
		else
			buf_put_u64(out, v->appendlimit);
		break;
	default:
		buf_putc(out, '(');
		buf_put(out, v->mailboxid);
		buf_putc(out, ')');
		break;
	}
}

void emit_status_response(struct buf *out, struct emit_mode m, struct span utf8_name,
			  const struct status_values *v)
{
	bool is_first = true;

	buf_puts(out, "* STATUS ");
	emit_mailbox(out, m, utf8_name);
	buf_puts(out, " (");
	for (size_t i = 0; i < N_NAMES; i++) {
		if (!(v->items & 1u << i))
			continue;
		if (!is_first)
			buf_putc(out, ' ');
		is_first = false;
		buf_puts(out, names[i]);
		buf_putc(out, ' ');
		value_put(out, 1u << i, v);
	}
	buf_puts(out, ")\r\n");
}
