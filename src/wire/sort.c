/* Sort criteria (RFC 5256, RFC 5957). */
#include "wire/sort.h"

static const char names[][12] = {
	[SORT_ARRIVAL] = "ARRIVAL",
	[SORT_CC] = "CC",
	[SORT_DATE] = "DATE",
	[SORT_FROM] = "FROM",
	[SORT_SIZE] = "SIZE",
	[SORT_SUBJECT] = "SUBJECT",
	[SORT_TO] = "TO",
	[SORT_DISPLAYFROM] = "DISPLAYFROM",
	[SORT_DISPLAYTO] = "DISPLAYTO",
};
#define N_NAMES (sizeof names / sizeof *names)

static void criterion(struct cursor *c, struct sort_criterion *to)
{
	to->reverse = cursor_try_word(c, "REVERSE");
	if (to->reverse)
		cursor_sp(c);
	for (size_t i = 0; i < N_NAMES; i++) {
		if (cursor_try_word(c, names[i])) {
			to->by = (enum sort_by)i;
			return;
		}
	}
	cursor_fail(c, "a sort key was expected");
}

bool cursor_sort_criteria(struct cursor *c, struct sort_criteria *ret_criteria)
{
	struct sort_criteria s = { 0 };

	cursor_list_open(c);
	do {
		if (s.n == WIRE_SORT_MAX)
			return cursor_fail(c, "there are too many sort keys");
		criterion(c, &s.v[s.n++]);
	} while (cursor_list_more(c));
	if (!c->bad)
		*ret_criteria = s;
	return !c->bad;
}

void emit_sort_criteria(struct buf *out, const struct sort_criteria *s)
{
	buf_putc(out, '(');
	for (size_t i = 0; i < s->n; i++) {
		buf_puts(out, i ? " " : "");
		buf_puts(out, s->v[i].reverse ? "REVERSE " : "");
		buf_puts(out, names[s->v[i].by]);
	}
	buf_putc(out, ')');
}
