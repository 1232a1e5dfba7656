/* FETCH, STORE and NOTIFY arguments: writing what was read reaches a fixed point at once. */
#include "fuzz_wire.h"
#include "wire/notify.h"

static const struct emit_mode mode = { .literal = EMIT_CLIENT_PLUS };

static void fetch(struct span in, struct arena *a)
{
	struct cursor c = cursor_of(in, false, a);
	struct fetch_args x, y;
	struct buf one = { 0 }, two = { 0 };

	if (cursor_fetch_args(&c, ~0u, &x)) {
		emit_fetch_args(&one, mode, &x);
		c = cursor_of(buf_span(&one), false, a);
		MUST(cursor_fetch_args(&c, ~0u, &y) && cursor_rest_empty(&c));
		emit_fetch_args(&two, mode, &y);
		MUST(span_eq(buf_span(&one), buf_span(&two)));
		MUST(x.kinds == y.kinds && x.sets_seen == y.sets_seen &&
		     x.n_items == y.n_items);
		for (size_t i = 0; i < x.n_items; i++)
			emit_fetch_label(&two, mode, &x.items[i]);
	}
	MUST_BE_SANE(&c);
	buf_done(&one);
	buf_done(&two);
}

static void store(struct span in, struct arena *a)
{
	struct cursor c = cursor_of(in, false, a);
	struct store_args x, y;
	struct buf one = { 0 }, two = { 0 };

	if (cursor_store_args(&c, &x)) {
		emit_store_args(&one, &x);
		c = cursor_of(buf_span(&one), false, a);
		MUST(cursor_store_args(&c, &y) && cursor_rest_empty(&c));
		emit_store_args(&two, &y);
		MUST(span_eq(buf_span(&one), buf_span(&two)));
		MUST(x.flags.system == y.flags.system && x.how == y.how);
	}
	MUST_BE_SANE(&c);
	buf_done(&one);
	buf_done(&two);
}

static void notify(struct span in, struct arena *a)
{
	struct cursor c = cursor_of(in, false, a);
	struct notify_args x, y;
	struct buf one = { 0 }, two = { 0 };

	if (cursor_notify_args(&c, ~0u, &x)) {
		emit_notify_args(&one, mode, &x);
		buf_puts(&one, "\r\n");
		c = cursor_of(buf_span(&one), false, a);
		MUST(cursor_notify_args(&c, ~0u, &y) && cursor_end(&c));
		emit_notify_args(&two, mode, &y);
		buf_puts(&two, "\r\n");
		MUST(span_eq(buf_span(&one), buf_span(&two)));
		MUST(x.n_groups == y.n_groups && x.has_status == y.has_status);
	}
	MUST_BE_SANE(&c);
	buf_done(&one);
	buf_done(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(NULL);

	fetch(span_of(data, size), a);
	store(span_of(data, size), a);
	notify(span_of(data, size), a);
	arena_free(a);
	return 0;
}
