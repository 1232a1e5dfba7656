/* Threads by references: dummies pruned, subjects gathered (RFC 5256 section 3, 2 to 5).
 */
#include <stdlib.h>

#include "base/arena.h"
#include "mail/thread_inside.h"

static bool is_dummy(const struct thread_node *n)
{
	return n->number == 0;
}

/* Parents before children, in one array of t->n. Links make no loop. */
static uint32_t *parents_first(const struct threads *t)
{
	uint32_t *order = xcalloc(t->n, sizeof *order);
	uint32_t *start = xcalloc(t->n + 1, sizeof *start); /* of children in `child` */
	uint32_t *child = xcalloc(t->n, sizeof *child);
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		if (t->nodes[i].parent != THREAD_NONE)
			start[t->nodes[i].parent]++;
	for (size_t i = 0, sum = 0; i <= t->n; i++) {
		sum += start[i];
		start[i] = (uint32_t)sum;
	}
	for (size_t i = t->n; i-- > 0;) {
		if (t->nodes[i].parent == THREAD_NONE)
			order[n++] = (uint32_t)i;
		else
			child[--start[t->nodes[i].parent]] = (uint32_t)i;
	}
	for (size_t at = 0; at < n; at++)
		for (uint32_t k = start[order[at]]; k < start[order[at] + 1]; k++)
			order[n++] = child[k];
	free(start);
	free(child);
	return order;
}

/*
 * Step 3. A dummy that is not at the top gives its children to its own parent; one at the
 * top stays when it has two or more.
 */
void threads_prune(struct threads *t)
{
	uint32_t *order = parents_first(t);
	uint32_t *kept = xcalloc(t->n, sizeof *kept); /* children that stay */

	for (size_t i = 0; i < t->n; i++) {
		struct thread_node *n = &t->nodes[order[i]];
		const struct thread_node *p;

		if (n->parent == THREAD_NONE)
			continue;
		p = &t->nodes[n->parent];
		if (p->is_gone)
			n->parent = p->parent;
		n->is_gone = is_dummy(n);
		if (!n->is_gone)
			kept[n->parent]++;
	}
	for (size_t i = 0; i < t->n; i++) {
		struct thread_node *n = &t->nodes[i];

		if (is_dummy(n) && n->parent == THREAD_NONE && kept[i] < 2)
			n->is_gone = true;
	}
	for (size_t i = 0; i < t->n; i++) {
		struct thread_node *n = &t->nodes[i];

		if (!n->is_gone && n->parent != THREAD_NONE &&
		    t->nodes[n->parent].is_gone)
			n->parent = THREAD_NONE;
	}
	free(kept);
	free(order);
}

struct placed {
	int64_t sent;
	uint32_t order, node;
};

static int by_date(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->sent != y->sent)
		return x->sent < y->sent ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static void append_child(struct threads *t, uint32_t parent, uint32_t child)
{
	struct thread_node *p = &t->nodes[parent];

	if (p->first == THREAD_NONE)
		p->first = child;
	else
		t->nodes[p->last].next = child;
	p->last = child;
	p->n_children++;
}

/* All that is a message, or all dummies, in order. */
static size_t collect(const struct threads *t, bool dummies, struct placed *to)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct thread_node *d = &t->nodes[i];

		if (!d->is_gone && is_dummy(d) == dummies)
			to[n++] = (struct placed){ d->sent, d->order, (uint32_t)i };
	}
	qsort(to, n, sizeof *to, by_date);
	return n;
}

/* A dummy is sorted as its first child; dummies stand at the top only. */
uint32_t *threads_sort(struct threads *t, size_t *ret_n)
{
	struct placed *all = xcalloc(t->n, sizeof *all), *dummy;
	uint32_t *top = xcalloc(t->n, sizeof *top);
	size_t n, n_dummies, n_top = 0, d = 0;

	for (size_t i = 0; i < t->n; i++) {
		struct thread_node *x = &t->nodes[i];

		x->first = x->last = x->next = THREAD_NONE;
		x->n_children = 0;
	}
	n = collect(t, false, all);
	for (size_t i = 0; i < n; i++) {
		uint32_t parent = t->nodes[all[i].node].parent;

		if (parent != THREAD_NONE)
			append_child(t, parent, all[i].node);
	}
	for (size_t i = 0; i < t->n; i++) {
		struct thread_node *x = &t->nodes[i];

		if (x->is_gone || !is_dummy(x) || x->first == THREAD_NONE)
			continue;
		x->sent = t->nodes[x->first].sent;
		x->order = t->nodes[x->first].order;
		x->subject = t->nodes[x->first].subject;
	}
	dummy = xcalloc(t->n, sizeof *dummy);
	n_dummies = collect(t, true, dummy);
	for (size_t i = 0; i < n; i++) {
		if (t->nodes[all[i].node].parent != THREAD_NONE)
			continue;
		while (d < n_dummies && by_date(&dummy[d], &all[i]) < 0)
			top[n_top++] = dummy[d++].node;
		top[n_top++] = all[i].node;
	}
	while (d < n_dummies)
		top[n_top++] = dummy[d++].node;
	free(dummy);
	free(all);
	*ret_n = n_top;
	return top;
}

/* Step 5.B: which thread of a subject the others are merged with. */
static void table_fill(const struct threads *t, const uint32_t *top, size_t n,
		       uint32_t *table)
{
	for (size_t i = 0; i < n; i++) {
		const struct thread_node *now = &t->nodes[top[i]], *was;
		uint32_t *entry = &table[now->subject];

		if (now->subject == 0)
			continue;
		was = *entry == THREAD_NONE ? NULL : &t->nodes[*entry];
		if (!was || (!is_dummy(was) &&
			     (is_dummy(now) || (was->is_reply && !now->is_reply))))
			*entry = top[i];
	}
}

/* Step 5.C, one message at the top and the one in the table. */
static void merge(struct threads *t, uint32_t now, uint32_t *entry)
{
	struct thread_node *n = &t->nodes[now], *e = &t->nodes[*entry];
	uint32_t dummy;

	if (is_dummy(n) && is_dummy(e)) {
		for (uint32_t c = n->first; c != THREAD_NONE; c = t->nodes[c].next)
			t->nodes[c].parent = *entry;
		n->is_gone = true;
	} else if (is_dummy(e) || (n->is_reply && !e->is_reply)) {
		n->parent = *entry;
	} else {
		dummy = thread_node_new(t);
		t->nodes[dummy].subject = t->nodes[now].subject;
		t->nodes[now].parent = dummy;
		t->nodes[*entry].parent = dummy;
		*entry = dummy;
	}
}

void threads_merge(struct threads *t)
{
	size_t n_top, n_subjects = t->subjects.n + 1;
	uint32_t *top = threads_sort(t, &n_top);
	uint32_t *table = xcalloc(n_subjects, sizeof *table);

	for (size_t i = 0; i < n_subjects; i++)
		table[i] = THREAD_NONE;
	table_fill(t, top, n_top, table);
	for (size_t i = 0; i < n_top; i++) {
		const struct thread_node *n = &t->nodes[top[i]];

		/* one that another was merged with may have left the top meanwhile */
		if (n->subject == 0 || n->parent != THREAD_NONE ||
		    table[n->subject] == top[i])
			continue;
		merge(t, top[i], &table[n->subject]);
	}
	free(table);
	free(top);
}
