/* The THREAD response (RFC 5256 section 4, BASE.7.2.THREAD). */
#include <stdlib.h>

#include "base/arena.h"
#include "mail/thread_inside.h"

/* By subject: all others of a subject below its first. */
static void gather_subjects(struct threads *t)
{
	size_t n;
	uint32_t *top = threads_sort(t, &n);
	uint32_t *first = xcalloc(t->subjects.n + 1, sizeof *first);

	for (size_t i = 0; i <= t->subjects.n; i++)
		first[i] = THREAD_NONE;
	for (size_t i = 0; i < n; i++) {
		uint32_t *head = &first[t->nodes[top[i]].subject];

		if (*head == THREAD_NONE)
			*head = top[i];
		else
			t->nodes[top[i]].parent = *head;
	}
	free(first);
	free(top);
}

/* "(" a b c, then ")" or the first of several children, left on the stack. */
static void print_chain(const struct threads *t, uint32_t node, uint32_t *stack,
			size_t *depth, struct buf *out)
{
	buf_putc(out, '(');
	for (;;) {
		const struct thread_node *n = &t->nodes[node];

		if (n->number)
			buf_put_u64(out, n->number);
		if (n->first == THREAD_NONE) {
			buf_putc(out, ')');
			return;
		}
		if (n->number)
			buf_putc(out, ' ');
		if (t->nodes[n->first].next != THREAD_NONE) {
			stack[(*depth)++] = n->first;
			return;
		}
		node = n->first;
	}
}

void threads_print(struct threads *t, struct buf *out)
{
	uint32_t *top, *stack;
	size_t n, depth = 0;

	if (t->by == THREAD_BY_SUBJECT) {
		gather_subjects(t);
	} else {
		threads_prune(t);
		threads_merge(t);
	}
	top = threads_sort(t, &n);
	stack = xcalloc(t->n + 1, sizeof *stack); /* next siblings */
	for (size_t i = 0; i < n; i++) {
		print_chain(t, top[i], stack, &depth, out);
		while (depth > 0) {
			uint32_t next = stack[depth - 1];

			if (next == THREAD_NONE) {
				buf_putc(out, ')');
				depth--;
				continue;
			}
			stack[depth - 1] = t->nodes[next].next;
			print_chain(t, next, stack, &depth, out);
		}
	}
	free(stack);
	free(top);
}
