/*
 * BODY and TEXT: the text of a message, decoded and matched while its bytes come by
 * (RFC 9051 section 6.4.4). Searched are the text parts; TEXT also looks into the header.
 */
#include "mail/header.h"
#include "mail/words.h"
#include "server/search_term.h"

/* The next part that is text, from `i` on. */
static void find_part(struct text_walk *w, uint32_t i)
{
	w->has_part = w->is_in_part = false;
	for (; i < w->summary->n_parts && !w->has_part; i++) {
		summary_part_get(w->summary, i, &w->now);
		w->has_part = text_index_is_text(&w->now);
		w->part = i;
	}
}

void text_begin(struct text_walk *w, const struct search *s,
		const struct summary *summary)
{
	*w = (struct text_walk){ .search = s, .summary = summary };
	for (struct term *t = s->texts; t; t = t->next_text)
		t->is_found = false;
	for (uint32_t i = 0; i < summary->n_parts; i++) {
		struct summary_part p;

		summary_part_get(summary, i, &p);
		if (text_index_is_text(&p) && p.body_end > w->end)
			w->end = p.body_end;
	}
	find_part(w, 0);
}

bool text_next(const struct text_walk *w, uint64_t at, uint64_t *ret_from)
{
	*ret_from = at > w->now.body_start ? at : w->now.body_start;
	return w->has_part;
}

/* "Name: value", decoded, is what a reader sees. */
void text_header(struct text_walk *w, struct span header)
{
	struct header_iter it = header_iter(header);
	struct header_field f;
	struct buf line = { 0 };

	while (header_next(&it, &f)) {
		buf_clear(&line);
		buf_put(&line, f.name);
		buf_puts(&line, ": ");
		words_decode(f.value, &line);
		for (struct term *t = w->search->texts; t; t = t->next_text)
			if (t->node->key == SEARCH_TEXT && !t->is_found)
				t->is_found = match_text(t->needle, buf_span(&line));
	}
	buf_done(&line);
}

static void part_begin(struct text_walk *w)
{
	w->is_in_part = true;
	for (struct term *t = w->search->texts; t; t = t->next_text)
		if (!t->is_found)
			t->matcher = match_body_new(t->needle, w->now.coding,
						    w->now.charset,
						    text_index_is_html(&w->now));
}

static void part_end(struct text_walk *w)
{
	for (struct term *t = w->search->texts; t; t = t->next_text) {
		if (t->matcher)
			t->is_found |= match_body_finish(t->matcher);
		match_body_free(t->matcher);
		t->matcher = NULL;
	}
	find_part(w, w->part + 1);
}

static void part_feed(struct text_walk *w, struct span bytes)
{
	for (struct term *t = w->search->texts; t; t = t->next_text)
		if (t->matcher)
			t->is_found |= match_body_feed(t->matcher, bytes);
}

void text_feed(struct text_walk *w, uint64_t at, struct span bytes)
{
	uint64_t end = at + bytes.n;

	while (w->has_part && w->now.body_start < end) {
		uint64_t from = w->now.body_start > at ? w->now.body_start : at;
		uint64_t to = w->now.body_end < end ? w->now.body_end : end;

		if (!w->is_in_part)
			part_begin(w);
		if (to > from)
			part_feed(
			    w, span_sub(bytes, (size_t)(from - at), (size_t)(to - from)));
		if (w->now.body_end > end)
			return;
		part_end(w);
	}
}

void text_finish(struct text_walk *w)
{
	if (w->has_part && w->is_in_part)
		part_end(w);
}
