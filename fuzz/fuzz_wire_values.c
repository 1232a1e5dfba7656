/* The small values: strings, names, numbers, dates, flags, sets. */
#include "fuzz_wire.h"
#include "wire/date.h"
#include "wire/flags.h"
#include "wire/mutf7.h"
#include "wire/seqset.h"

static const struct emit_mode modes[] = {
	{ .literal8 = true },
	{ .utf8 = true, .literal = EMIT_CLIENT_PLUS },
};

static void strings(struct span in, const struct emit_mode *m, struct arena *a)
{
	struct cursor c = cursor_of(in, false, a);
	struct span x = cursor_astring(&c), y;
	struct buf b = { 0 };

	MUST_BE_SANE(&c);
	if (!c.bad) {
		emit_astring(&b, *m, x);
		c = cursor_of(buf_span(&b), false, a);
		y = cursor_astring(&c);
		MUST(cursor_rest_empty(&c) && span_eq(x, y));
	}
	/* Any bytes at all, NUL included, where a literal8 may stand. */
	if (m->literal8) {
		buf_clear(&b);
		emit_string(&b, *m, in);
		c = cursor_of(buf_span(&b), false, a);
		y = cursor_peek(&c) == '"' ? cursor_quoted(&c)
					   : cursor_literal_any(&c, NULL);
		MUST(cursor_rest_empty(&c) && span_eq(in, y));
	}
	buf_done(&b);
}

static void mailboxes(struct span in, const struct emit_mode *m, struct arena *a)
{
	struct cursor c = cursor_of(in, m->utf8, a);
	struct span x = cursor_mailbox(&c), y;
	struct buf b = { 0 }, back = { 0 };

	MUST_BE_SANE(&c);
	if (!c.bad) {
		MUST(wire_is_utf8(x));
		emit_mailbox(&b, *m, x);
		c = cursor_of(buf_span(&b), m->utf8, a);
		y = cursor_mailbox(&c);
		MUST(cursor_rest_empty(&c) && span_eq(x, y));
		buf_clear(&b);
	}
	if (mutf7_decode(in, &b) == ERR_OK) {
		MUST(mutf7_encode(buf_span(&b), &back) == ERR_OK);
		MUST(span_eq(buf_span(&back), in));
	}
	buf_clear(&b);
	buf_clear(&back);
	if (mutf7_encode(in, &b) == ERR_OK) {
		MUST(mutf7_decode(buf_span(&b), &back) == ERR_OK);
		MUST(span_eq(buf_span(&back), in));
	}
	buf_done(&b);
	buf_done(&back);
}

static void dates(struct span in, struct arena *a)
{
	struct cursor c = cursor_of(in, false, a);
	int32_t day = cursor_date(&c);
	struct wire_time t;
	struct buf b = { 0 };

	if (!c.bad) {
		emit_date(&b, day);
		c = cursor_of(buf_span(&b), false, a);
		MUST(cursor_date(&c) == day && cursor_rest_empty(&c));
		buf_clear(&b);
	}
	c = cursor_of(in, false, a);
	t = cursor_date_time(&c);
	/* Second 60 of the last minute of 9999 is in a year that has no four digits. */
	if (!c.bad && t.utc + t.zone_minutes * 60 < 253402300800) {
		struct wire_time u;

		emit_date_time(&b, t);
		c = cursor_of(buf_span(&b), false, a);
		u = cursor_date_time(&c);
		MUST(cursor_rest_empty(&c));
		MUST(t.utc == u.utc && t.zone_minutes == u.zone_minutes);
	}
	buf_done(&b);
}

static void flags(struct span in, struct arena *a)
{
	struct cursor c = cursor_of(in, false, a);
	struct wire_flags x, y;
	struct buf one = { 0 }, two = { 0 };

	if (cursor_flags_any(&c, &x)) {
		emit_flags(&one, &x);
		c = cursor_of(buf_span(&one), false, a);
		MUST(cursor_flags_any(&c, &y) && cursor_rest_empty(&c));
		emit_flags(&two, &y);
		MUST(span_eq(buf_span(&one), buf_span(&two)));
		MUST(x.system == y.system && x.n_keywords == y.n_keywords);
	}
	MUST_BE_SANE(&c);
	buf_done(&one);
	buf_done(&two);
}

static void sets(struct span in, struct arena *a)
{
	struct cursor c = cursor_of(in, false, a);
	struct seqset x, y;
	struct numset one = { 0 }, two = { 0 };
	struct buf b = { 0 };

	if (cursor_sequence_set(&c, &x)) {
		emit_sequence_set(&b, &x);
		c = cursor_of(buf_span(&b), false, a);
		MUST(cursor_sequence_set(&c, &y) && cursor_rest_empty(&c));
		MUST(seqset_equal(&x, &y));
		seqset_resolve(&x, 77, &one);
		buf_clear(&b);
		numset_print(&one, &b);
		c = cursor_of(buf_span(&b), false, a);
		if (b.n > 0)
			MUST(cursor_uid_set(&c, &two) && numset_equal(&one, &two));
	}
	MUST_BE_SANE(&c);
	numset_done(&one);
	numset_done(&two);
	buf_done(&b);
}

static void others(struct span in, struct arena *a)
{
	struct cursor c = cursor_of(in, false, a);
	struct wire_params p;
	struct span s;

	s = cursor_ext_value(&c);
	MUST_BE_SANE(&c);
	if (!c.bad) {
		struct cursor again = cursor_of(s, false, a);

		cursor_ext_value(&again);
		MUST(cursor_rest_empty(&again));
	}
	c = cursor_of(in, false, a);
	cursor_params(&c, &p);
	MUST_BE_SANE(&c);
	c = cursor_of(in, false, a);
	cursor_base64(&c);
	MUST_BE_SANE(&c);
	c = cursor_of(in, false, a);
	cursor_nstring(&c, &s);
	MUST_BE_SANE(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(NULL);
	struct span in = span_of(data, size);

	for (size_t i = 0; i < 2; i++) {
		strings(in, &modes[i], a);
		mailboxes(in, &modes[i], a);
	}
	dates(in, a);
	flags(in, a);
	sets(in, a);
	others(in, a);
	arena_free(a);
	return 0;
}
