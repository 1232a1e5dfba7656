/* Part numbers and sections (RFC 9051 section 6.4.5.1). */
#include "mail/section.h"

/* The `n`-th part of a multipart, from 1. */
static uint32_t nth_child(const struct summary *s, uint32_t part, uint32_t n)
{
	uint32_t c = summary_part_child(s, part);

	while (c != SUMMARY_NO_PART && --n > 0)
		c = summary_part_next(s, c);
	return c;
}

/*
 * One step of a path. Below a message, the numbers count the parts of its multipart
 * body; a body that is none is the message's part 1.
 */
static uint32_t step(const struct summary *s, uint32_t at, bool is_message, uint32_t n)
{
	struct summary_part p;

	if (n == 0)
		return SUMMARY_NO_PART;
	summary_part_get(s, at, &p);
	if (p.kind == PART_MULTIPART)
		return nth_child(s, at, n);
	return is_message && n == 1 ? at : SUMMARY_NO_PART;
}

/*
 * Walks a path, not empty, to its part. `at` is the body of a message while
 * `is_message`: of the whole one at first, of one inside when a number follows its part.
 */
static uint32_t walk(const struct summary *s, const uint32_t *path, size_t n_path)
{
	uint32_t at = 0;
	bool is_message = true;

	for (size_t i = 0; i < n_path && at != SUMMARY_NO_PART; i++) {
		struct summary_part p;

		summary_part_get(s, at, &p);
		if (!is_message && p.kind == PART_MESSAGE) {
			at = at + 1;
			is_message = true;
		}
		at = step(s, at, is_message, path[i]);
		is_message = false;
	}
	return at;
}

enum err section_find(const struct summary *s, const uint32_t *path, size_t n_path,
		      enum section_text text, struct section_range *ret_range)
{
	uint32_t at = n_path > 0 ? walk(s, path, n_path) : 0;
	struct summary_part p;

	if (at == SUMMARY_NO_PART || (n_path == 0 && text == SECTION_MIME))
		return ERR_NOENT;
	summary_part_get(s, at, &p);
	if (n_path > 0 && text != SECTION_WHOLE && text != SECTION_MIME) {
		if (p.kind != PART_MESSAGE)
			return ERR_NOENT;
		at = at + 1;
		summary_part_get(s, at, &p);
	}
	ret_range->part = at;
	if (text == SECTION_WHOLE || text == SECTION_TEXT) {
		ret_range->start = n_path == 0 && text == SECTION_WHOLE ? 0
									: p.body_start;
		ret_range->bytes = p.body_end - ret_range->start;
	} else {
		ret_range->start = p.header_start;
		ret_range->bytes = p.body_start - p.header_start;
	}
	return ERR_OK;
}

enum err section_binary(const struct summary *s, const uint32_t *path, size_t n_path,
			uint32_t *ret_part)
{
	uint32_t at = n_path > 0 ? walk(s, path, n_path) : SUMMARY_NO_PART;
	struct summary_part p;

	if (n_path > 0) {
		if (at == SUMMARY_NO_PART)
			return ERR_NOENT;
		summary_part_get(s, at, &p);
		if (p.kind != PART_LEAF)
			return ERR_INVAL;
	}
	*ret_part = at;
	return ERR_OK;
}

/* Which child of `parent` a part is, from 1. */
static uint32_t rank(const struct summary *s, uint32_t parent, uint32_t part)
{
	uint32_t n = 1;

	for (uint32_t c = parent + 1; c != part && c != SUMMARY_NO_PART;
	     c = summary_part_next(s, c))
		n++;
	return n;
}

void section_print(const struct summary *s, uint32_t part, struct buf *out)
{
	uint32_t numbers[SUMMARY_MAX_DEPTH + 1];
	size_t n = 0;

	for (;;) {
		struct summary_part p, parent = { 0 };

		summary_part_get(s, part, &p);
		if (p.parent != SUMMARY_NO_PART)
			summary_part_get(s, p.parent, &parent);
		if (parent.kind == PART_MULTIPART && p.parent != SUMMARY_NO_PART)
			numbers[n++] = rank(s, p.parent, part);
		else if (p.kind != PART_MULTIPART)
			numbers[n++] = 1;
		if (p.parent == SUMMARY_NO_PART)
			break;
		part = p.parent;
	}
	while (n-- > 0) {
		buf_put_u64(out, numbers[n]);
		if (n > 0)
			buf_putc(out, '.');
	}
}
