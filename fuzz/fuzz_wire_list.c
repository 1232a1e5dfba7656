/* LIST arguments and responses, STATUS values, patterns: fixed points of writing. */
#include "fuzz_wire.h"
#include "wire/list.h"

static void args(struct span in, bool utf8, struct arena *a)
{
	struct emit_mode m = { .utf8 = utf8, .literal = EMIT_CLIENT_PLUS };
	struct cursor c = cursor_of(in, utf8, a);
	struct list_args x, y;
	struct buf one = { 0 }, two = { 0 };

	if (cursor_list_args(&c, ~0u, &x)) {
		emit_list_args(&one, m, &x);
		c = cursor_of(buf_span(&one), utf8, a);
		/* A name may be longer in modified UTF-7 than a pattern may be. */
		if (cursor_list_args(&c, ~0u, &y)) {
			MUST(cursor_rest_empty(&c));
			emit_list_args(&two, m, &y);
			MUST(span_eq(buf_span(&one), buf_span(&two)));
			MUST(span_eq(x.reference, y.reference));
			MUST(x.n_patterns == y.n_patterns && x.select == y.select);
			for (size_t i = 0; i < x.n_patterns; i++) {
				MUST(span_eq(x.patterns[i], y.patterns[i]));
				if (list_match(x.patterns[i], x.reference, '/'))
					MUST(list_match(y.patterns[i], y.reference, '/'));
				list_match_below(x.patterns[i], x.reference, '/');
			}
		} else {
			MUST(!strcmp(c.why, "a mailbox pattern is too long"));
		}
	}
	MUST_BE_SANE(&c);
	buf_done(&one);
	buf_done(&two);
}

/* "* LIST " in front of what the reader wants. */
static struct span behind_name(const struct buf *b, size_t n)
{
	return span_sub(buf_span(b), n, b->n);
}

static void response(struct span in, bool utf8, struct arena *a)
{
	struct emit_mode m = { .utf8 = utf8 };
	struct cursor c = cursor_of(in, utf8, a);
	struct list_response x, y;
	struct buf one = { 0 }, two = { 0 };

	if (cursor_list_response(&c, &x) && wire_is_utf8(x.name) &&
	    wire_is_utf8(x.oldname) && span_find(x.name, '\0') < 0 &&
	    span_find(x.oldname, '\0') < 0) {
		emit_list_response(&one, m, "LIST", &x);
		c = cursor_of(behind_name(&one, 7), utf8, a);
		MUST(cursor_list_response(&c, &y) && cursor_end(&c));
		emit_list_response(&two, m, "LIST", &y);
		MUST(span_eq(buf_span(&one), buf_span(&two)));
		MUST(x.attrs == y.attrs && x.delimiter == y.delimiter);
		MUST(span_eq(x.name, y.name));
	}
	MUST_BE_SANE(&c);
	buf_done(&one);
	buf_done(&two);
}

static void status(struct span in, struct arena *a)
{
	struct cursor c = cursor_of(in, false, a);
	struct status_values x, y;
	struct buf one = { 0 }, two = { 0 };

	if (cursor_status_values(&c, &x)) {
		emit_status_response(&one, (struct emit_mode){ 0 }, SPAN("x"), &x);
		c = cursor_of(behind_name(&one, 11), false, a);
		MUST(cursor_status_values(&c, &y) && cursor_end(&c));
		emit_status_response(&two, (struct emit_mode){ 0 }, SPAN("x"), &y);
		MUST(span_eq(buf_span(&one), buf_span(&two)));
		MUST(x.items == y.items);
	}
	MUST_BE_SANE(&c);
	buf_done(&one);
	buf_done(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(NULL);

	for (int utf8 = 0; utf8 < 2; utf8++) {
		args(span_of(data, size), utf8, a);
		response(span_of(data, size), utf8, a);
	}
	status(span_of(data, size), a);
	arena_free(a);
	return 0;
}
