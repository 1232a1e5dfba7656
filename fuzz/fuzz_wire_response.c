/* Whole responses, as a client or the proxy reads them. */
#include "fuzz_wire.h"
#include "wire/flags.h"
#include "wire/list.h"
#include "wire/response.h"

static void esearch(struct cursor *c)
{
	struct esearch_response x, y;
	struct numset set = { 0 }, again = { 0 };
	struct buf b = { 0 };

	if (cursor_esearch_response(c, &x, &set) && cursor_end(c)) {
		struct cursor c2;

		emit_esearch_response(&b, (struct emit_mode){ 0 }, &x, &set);
		c2 = cursor_of(span_sub(buf_span(&b), 9, b.n), false, c->arena);
		MUST(cursor_esearch_response(&c2, &y, &again) && cursor_end(&c2));
		MUST(numset_equal(&set, &again));
		MUST(x.uid == y.uid && span_eq(x.tag, y.tag) && x.modseq == y.modseq);
	}
	numset_done(&set);
	numset_done(&again);
	buf_done(&b);
}

static void code(struct arena *a, const struct response *r)
{
	struct numset uids = { 0 };
	struct seqset from, to;
	uint32_t v;
	uint64_t n;

	code_appenduid(r->code_args, &v, &uids);
	code_copyuid(a, r->code_args, &v, &from, &to);
	code_number(r->code_args, &n);
	wire_words_have(r->code_args, "IDLE");
	numset_done(&uids);
}

static void data(struct cursor *c, const struct response *r)
{
	struct numset set = { 0 };
	struct list_response list;
	struct status_values values;
	struct fetch_att att;
	struct wire_flags flags;
	struct span word;
	uint64_t modseq;

	if (span_ieq(r->name, SPAN("SEARCH"))) {
		cursor_search_response(c, &set, &modseq);
	} else if (span_ieq(r->name, SPAN("ESEARCH"))) {
		esearch(c);
	} else if (span_ieq(r->name, SPAN("FETCH"))) {
		cursor_sp(c);
		for (cursor_fetch_begin(c); cursor_fetch_next(c, &att);)
			MUST(att.name.n > 0);
	} else if (span_ieq(r->name, SPAN("LIST"))) {
		cursor_sp(c);
		cursor_list_response(c, &list);
	} else if (span_ieq(r->name, SPAN("STATUS"))) {
		cursor_sp(c);
		cursor_mailbox_any(c);
		cursor_sp(c);
		cursor_status_values(c, &values);
	} else if (span_ieq(r->name, SPAN("FLAGS"))) {
		cursor_sp(c);
		cursor_flags_any(c, &flags);
	} else {
		while (cursor_next_word(c, &word))
			MUST(word.n > 0);
	}
	numset_done(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct arena *a = arena_new(NULL);
	struct cursor c = cursor_of(span_of(bytes, size), size & 1, a);
	struct response r = { 0 };

	if (cursor_response(&c, &r)) {
		code(a, &r);
		if (r.kind == RESPONSE_UNTAGGED && r.cond == COND_NONE)
			data(&c, &r);
	}
	MUST_BE_SANE(&c);
	arena_free(a);
	return 0;
}
