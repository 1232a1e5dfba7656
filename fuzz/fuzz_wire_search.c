/* Search programs: what was read, written and read again is the same. */
#include "fuzz_wire.h"
#include "wire/notify.h"
#include "wire/search.h"

#define EXTS 127u

/* ESEARCH's choice of mailboxes. */
static void sources(struct arena *a, const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(span_of(data, size), false, a);
	struct emit_mode m = { .utf8 = false, .literal = EMIT_CLIENT_PLUS };
	struct search_sources s, again;
	struct buf b = { 0 };

	if (cursor_search_sources(&c, &s)) {
		emit_search_sources(&b, m, &s);
		c = cursor_of(buf_span(&b), false, a);
		MUST(cursor_search_sources(&c, &again));
		MUST(cursor_rest_empty(&c) && again.n == s.n);
	}
	MUST_BE_SANE(&c);
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(NULL);
	struct cursor c = cursor_of(span_of(data, size), false, a);
	struct search_program p, again;
	struct buf b = { 0 };

	if (cursor_search(&c, EXTS, &p)) {
		struct emit_mode m = { .utf8 = size & 1, .literal = EMIT_CLIENT_PLUS };

		emit_search(&b, m, &p);
		c = cursor_of(buf_span(&b), false, a);
		MUST(cursor_search(&c, EXTS, &again));
		MUST(cursor_rest_empty(&c));
		MUST(search_equal(p.root, again.root));
		MUST(p.returns == again.returns && p.has_return == again.has_return);
		MUST(p.needs == again.needs && p.n_nodes == again.n_nodes);
		MUST(span_eq(p.charset, again.charset));
		search_program_copy(a, &p, &again);
		MUST(search_equal(p.root, again.root));
	}
	MUST_BE_SANE(&c);
	sources(a, data, size);
	buf_done(&b);
	arena_free(a);
	return 0;
}
