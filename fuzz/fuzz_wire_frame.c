/* Frames: in one piece or in many, the same frames come out. */
#include "fuzz_wire.h"
#include "wire/frame.h"

#define EVENTS_MAX 512

struct event {
	enum frame_rc rc;
	size_t at; /* bytes of the whole input that are done with */
};

struct log {
	struct event v[EVENTS_MAX];
	size_t n;
};

static void note(struct log *log, enum frame_rc rc, size_t at)
{
	if (log->n < EVENTS_MAX)
		log->v[log->n++] = (struct event){ rc, at };
}

/* Reads `in` as if it arrived `step` bytes at a time. */
static void run(struct span in, enum frame_role role, const struct frame_limits *limits,
		bool accept, size_t step, struct log *log)
{
	struct frame_literal lit = { 0 };
	struct frame f;
	size_t base = 0, have = 0;

	frame_init(&f, role);
	while (log->n < EVENTS_MAX) {
		struct span seen = span_sub(in, base, have - base);
		enum frame_rc rc;

		if (frame_is_skipping(&f)) {
			size_t used = 0;

			rc = frame_skip(&f, seen, &used);
			MUST(used <= seen.n);
			base += used;
			if (rc == FRAME_MORE)
				MUST(base == have);
			else
				note(log, rc, base);
		} else {
			rc = frame_next(&f, limits, seen, &lit);
			if (rc != FRAME_MORE) {
				MUST(f.scanned <= seen.n);
				note(log, rc, base + f.scanned);
			}
			if (rc == FRAME_LITERAL && accept &&
			    frame_accept(&f, limits, &lit))
				continue;
			if (rc == FRAME_DONE) {
				base += f.scanned;
				frame_reset(&f);
			} else if (rc != FRAME_MORE) {
				base += f.scanned;
				frame_skip_begin(&f, rc == FRAME_LITERAL ? &lit : NULL);
			}
		}
		if (rc == FRAME_LOST)
			return;
		if (rc != FRAME_MORE)
			continue;
		if (have == in.n)
			return;
		have = in.n - have < step ? in.n : have + step;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_limits limits;
	struct log *whole, *pieces;
	struct span in;

	if (size < 4)
		return 0;
	whole = calloc(2, sizeof *whole);
	pieces = whole + 1;
	limits.line_bytes = (size_t)data[1] + 1;
	limits.total_bytes = (size_t)data[2] * 4 + 1;
	in = span_of(data + 4, size - 4);
	run(in, data[0] & 1, &limits, data[0] & 2, in.n, whole);
	run(in, data[0] & 1, &limits, data[0] & 2, (size_t)(data[3] & 15) + 1, pieces);
	MUST(whole->n == pieces->n);
	for (size_t i = 0; i < whole->n; i++)
		MUST(whole->v[i].rc == pieces->v[i].rc &&
		     whole->v[i].at == pieces->v[i].at);
	frame_tag(in);
	free(whole);
	return 0;
}
