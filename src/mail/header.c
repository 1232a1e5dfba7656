/* Header blocks: iterating, unfolding, filtering (RFC 5322 section 2.2). */
#include "mail/header.h"

/* Takes the first line, its end included, from `rest`. */
static struct span take_line(struct span *rest)
{
	ptrdiff_t nl = span_find(*rest, '\n');
	size_t n = nl < 0 ? rest->n : (size_t)nl + 1;
	struct span line = span_sub(*rest, 0, n);

	*rest = span_sub(*rest, n, rest->n);
	return line;
}

/* An empty line stands here: the block is over. */
static bool starts_empty(struct span rest)
{
	if (rest.n > 1 && rest.p[0] == '\r')
		return rest.p[1] == '\n';
	return rest.n > 0 && rest.p[0] == '\n';
}

static bool is_continuation(struct span line)
{
	return line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
}

/* A line with the continuations that follow it. */
static struct span take_folded(struct span *rest)
{
	struct span whole = take_line(rest);

	while (is_continuation(*rest))
		whole.n += take_line(rest).n;
	return whole;
}

static struct span without_line_end(struct span s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

size_t header_name_bytes(struct span line)
{
	size_t n = 0;
	size_t i;

	/* ftext: printable ASCII but the colon (RFC 5322 section 3.6.8) */
	while (n < line.n && line.p[n] > ' ' && line.p[n] < 0x7f && line.p[n] != ':')
		n++;
	for (i = n; i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'); i++)
		;
	return i < line.n && line.p[i] == ':' ? n : 0;
}

static struct span without_bom(struct span s)
{
	return span_starts(s, SPAN(HEADER_BOM)) ? span_sub(s, 3, s.n) : s;
}

struct header_iter header_iter(struct span block)
{
	return (struct header_iter){ .rest = without_bom(block) };
}

bool header_next(struct header_iter *it, struct header_field *ret_field)
{
	while (it->rest.n > 0) {
		if (starts_empty(it->rest))
			return false;
		struct span whole = take_folded(&it->rest);
		size_t name_bytes = header_name_bytes(whole);
		size_t colon = name_bytes;

		if (name_bytes == 0)
			continue;
		while (whole.p[colon] != ':')
			colon++;
		ret_field->name = span_sub(whole, 0, name_bytes);
		ret_field->value = without_line_end(span_sub(whole, colon + 1, whole.n));
		ret_field->whole = whole;
		return true;
	}
	return false;
}

bool header_find(struct span block, struct span name, struct header_field *ret_field)
{
	struct header_field f;

	for (struct header_iter it = header_iter(block); header_next(&it, &f);) {
		if (span_ieq(f.name, name)) {
			*ret_field = f;
			return true;
		}
	}
	return false;
}

void header_unfold(struct span value, struct buf *out)
{
	value = span_trim(value);
	while (value.n > 0) {
		struct span line = take_line(&value);
		bool is_last = line.p[line.n - 1] != '\n';

		buf_put(out, is_last ? line : without_line_end(line));
	}
}

/* Whether the line is a field of one of the names; most lines differ in their first
 * letter. */
static bool is_listed(struct span line, const struct span *names, size_t n_names)
{
	for (size_t i = 0; i < n_names; i++) {
		struct span name = names[i];

		if (name.n > 0 && line.n > name.n &&
		    ((line.p[0] ^ name.p[0]) & ~0x20) == 0 && span_istarts(line, name) &&
		    header_name_bytes(line) == name.n)
			return true;
	}
	return false;
}

void header_filter(struct span block, const struct span *names, size_t n_names,
		   bool is_not, struct buf *out)
{
	for (bool is_first = true; block.n > 0; is_first = false) {
		if (starts_empty(block)) {
			buf_put(out, take_line(&block));
			return;
		}
		struct span whole = take_folded(&block);
		struct span line = is_first ? without_bom(whole) : whole;

		if (is_listed(line, names, n_names) != is_not)
			buf_put(out, whole);
	}
}
