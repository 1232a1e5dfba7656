/* Sort criteria and threading algorithms (RFC 5256 section 5, RFC 5957 section 5). */
#ifndef WIRE_SORT_H
#define WIRE_SORT_H

#include "wire/cursor.h"

enum sort_by {
	SORT_ARRIVAL,
	SORT_CC,
	SORT_DATE,
	SORT_FROM,
	SORT_SIZE,
	SORT_SUBJECT,
	SORT_TO,
	SORT_DISPLAYFROM,
	SORT_DISPLAYTO,
};

struct sort_criterion {
	enum sort_by by;
	bool reverse;
};

enum { WIRE_SORT_MAX = 32 };

struct sort_criteria {
	struct sort_criterion v[WIRE_SORT_MAX];
	size_t n; /* at least 1 */
};

/* "(" [REVERSE] key ... ")" */
bool cursor_sort_criteria(struct cursor *c, struct sort_criteria *ret_criteria);
void emit_sort_criteria(struct buf *out, const struct sort_criteria *s);

#endif
