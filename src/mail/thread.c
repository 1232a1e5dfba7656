/*
 * Threading (RFC 5256 section 3). Messages and ids that were only referred to are nodes
 * that know their parent; sibling lists are made when all is known, in one sort for all
 * of them. thread_print.c merges by subject and prints.
 */
#include "mail/thread_inside.h"

#include <stdlib.h>

#include "base/arena.h"
#include "mail/header.h"
#include "mail/subject.h"

const struct span thread_fields[THREAD_FIELDS] = {
	SPAN_INIT("Subject"),
	SPAN_INIT("Message-ID"),
	SPAN_INIT("References"),
	SPAN_INIT("In-Reply-To"),
};

struct threads *threads_new(enum thread_by by, const struct comparator *c, uint64_t seed)
{
	struct threads *t = xcalloc(1, sizeof *t);

	t->by = by;
	t->comparator = c;
	t->ids.seed = seed;
	t->subjects.seed = ~seed;
	t->steps_left = THREAD_STEPS_MAX;
	return t;
}

void threads_free(struct threads *t)
{
	if (!t)
		return;
	intern_done(&t->ids);
	intern_done(&t->subjects);
	buf_done(&t->scratch);
	buf_done(&t->key);
	free(t->nodes);
	free(t->node_of);
	free(t);
}

uint32_t thread_node_new(struct threads *t)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 256;
		t->nodes = xrealloc(t->nodes, t->cap * sizeof *t->nodes);
	}
	t->nodes[t->n] = (struct thread_node){
		.parent = THREAD_NONE,
		.first = THREAD_NONE,
		.next = THREAD_NONE,
		.last = THREAD_NONE,
	};
	return (uint32_t)t->n++;
}

/* ---- message ids ---- */

/* What stands between "<" and ">", without quotes, escapes and white space. */
static bool normalize(struct span raw, struct buf *out)
{
	bool has_at = false, is_quoted = false;

	buf_clear(out);
	for (size_t i = 0; i < raw.n; i++) {
		char ch = raw.p[i];

		if (ch == '"') {
			is_quoted = !is_quoted;
			continue;
		}
		if (ch == '\\' && is_quoted && i + 1 < raw.n)
			ch = raw.p[++i];
		else if (!is_quoted &&
			 (ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n'))
			continue;
		else if (!is_quoted && ch == '@')
			has_at = out->n > 0;
		buf_putc(out, ch);
	}
	return has_at && out->n > 0 && out->p[out->n - 1] != '@';
}

/* The next valid id of a field's value, which moves on behind it. */
static bool next_id(struct threads *t, struct span *value, struct span *ret)
{
	for (;;) {
		ptrdiff_t from = span_find(*value, '<');
		struct span raw;
		size_t n = 0;
		bool is_quoted = false;

		if (from < 0)
			return false;
		raw = span_sub(*value, (size_t)from + 1, value->n);
		for (; n < raw.n && (is_quoted || (raw.p[n] != '>' && raw.p[n] != '<'));
		     n++) {
			if (raw.p[n] == '"')
				is_quoted = !is_quoted;
			else if (raw.p[n] == '\\' && is_quoted)
				n++;
		}
		if (n >= raw.n)
			return false;
		*value = span_sub(raw, n, raw.n);
		if (raw.p[n] == '>' && normalize(span_sub(raw, 0, n), &t->scratch)) {
			*ret = buf_span(&t->scratch);
			return true;
		}
	}
}

/* The node of an id, a dummy when it is new. */
static uint32_t node_of_id(struct threads *t, struct span id)
{
	uint32_t i = intern(&t->ids, id);

	if (i >= t->n_node_of) {
		if (i >= t->cap_node_of) {
			t->cap_node_of = t->cap_node_of ? t->cap_node_of * 2 : 256;
			t->node_of = xrealloc(t->node_of,
					      t->cap_node_of * sizeof *t->node_of);
		}
		t->node_of[i] = thread_node_new(t);
		t->n_node_of = i + 1;
	}
	return t->node_of[i];
}

/* ---- links ---- */

/* Whether `node` lies below `above`, or is it. Too long a way counts as yes. */
static bool is_below(struct threads *t, uint32_t node, uint32_t above)
{
	if (node == above)
		return true;
	if (t->nodes[above].n_children == 0)
		return false;
	for (; node != THREAD_NONE; node = t->nodes[node].parent) {
		if (node == above || t->steps_left == 0)
			return true;
		t->steps_left--;
	}
	return false;
}

static void link_below(struct threads *t, uint32_t parent, uint32_t child)
{
	if (t->nodes[child].parent != THREAD_NONE || is_below(t, parent, child))
		return;
	t->nodes[child].parent = parent;
	t->nodes[parent].n_children++;
}

static void cut(struct threads *t, uint32_t child)
{
	if (t->nodes[child].parent != THREAD_NONE)
		t->nodes[t->nodes[child].parent].n_children--;
	t->nodes[child].parent = THREAD_NONE;
}

/* Step 1: links the references one below the other, and the message below the last. */
static void link_references(struct threads *t, uint32_t node, struct span block)
{
	struct header_field f;
	struct span value, id;
	uint32_t last = THREAD_NONE;

	if (header_find(block, SPAN("References"), &f)) {
		value = f.value;
		while (next_id(t, &value, &id)) {
			uint32_t ref = node_of_id(t, id);

			if (last != THREAD_NONE)
				link_below(t, last, ref);
			last = ref;
		}
	}
	if (last == THREAD_NONE && header_find(block, SPAN("In-Reply-To"), &f)) {
		value = f.value;
		if (next_id(t, &value, &id))
			last = node_of_id(t, id);
	}
	cut(t, node);
	if (last != THREAD_NONE)
		link_below(t, last, node);
}

/* The first message of an id has its node; one without an id, or with another's, its own.
 */
static uint32_t node_of_message(struct threads *t, struct span block)
{
	struct header_field f;
	struct span id;
	uint32_t node;

	if (!header_find(block, SPAN("Message-ID"), &f) || !next_id(t, &f.value, &id))
		return thread_node_new(t);
	node = node_of_id(t, id);
	return t->nodes[node].number ? thread_node_new(t) : node;
}

void threads_add(struct threads *t, uint32_t number, int64_t sent, struct span block)
{
	struct header_field f;
	struct thread_node *n;
	uint32_t node;

	if (t->by == THREAD_BY_REFERENCES)
		node = node_of_message(t, block);
	else
		node = thread_node_new(t);
	n = &t->nodes[node];
	n->number = number;
	n->sent = sent;
	n->order = t->n_messages++;
	buf_clear(&t->scratch);
	if (header_find(block, SPAN("Subject"), &f))
		n->is_reply = subject_base(f.value, &t->scratch);
	if (t->scratch.n > 0 || t->by == THREAD_BY_SUBJECT) {
		buf_clear(&t->key);
		comparator_key(t->comparator, buf_span(&t->scratch), &t->key);
		n->subject = intern(&t->subjects, buf_span(&t->key)) + 1;
	}
	if (t->by == THREAD_BY_REFERENCES)
		link_references(t, node, block);
}
