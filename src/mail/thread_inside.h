/* Private to mail: threads while they are made. */
#ifndef MAIL_THREAD_INSIDE_H
#define MAIL_THREAD_INSIDE_H

#include "mail/intern.h"
#include "mail/thread.h"

#define THREAD_NONE UINT32_MAX
/*
 * Steps up the references to see that a link makes no loop, in all. A mailbox that needs
 * more was made to; a link that cannot be looked at is not made.
 */
#define THREAD_STEPS_MAX 20000000u

struct thread_node {
	uint32_t parent; /* by references; later in the thread that is printed */
	uint32_t n_children;
	uint32_t first, last, next; /* children, in order; sibling */
	uint32_t number;	    /* 0: a dummy */
	uint32_t order;		    /* in the mailbox: of messages */
	uint32_t subject;	    /* interned, from 1; 0: empty */
	bool is_reply, is_gone;
	int64_t sent;
};

struct threads {
	enum thread_by by;
	const struct comparator *comparator;
	struct intern ids, subjects;
	struct thread_node *nodes;
	size_t n, cap;
	uint32_t *node_of; /* by interned id */
	size_t n_node_of, cap_node_of;
	uint32_t n_messages, steps_left;
	struct buf scratch, key;
};

uint32_t thread_node_new(struct threads *t);
/* thread_merge.c: steps 2 to 5: afterwards `parent` is what is printed. */
void threads_prune(struct threads *t);
/* Sorts each set of siblings (step 6). Returns the top of all, `*ret_n` of them;
 * malloc'd. */
uint32_t *threads_sort(struct threads *t, size_t *ret_n);
void threads_merge(struct threads *t);

#endif
