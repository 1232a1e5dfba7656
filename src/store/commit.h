/*
 * The commit thread: makes whole groups durable at once and then tells them,
 * in the order in which they were added. Rows and bodies are synced in
 * parallel; who only read what is not yet durable waits in the same queue.
 */
#ifndef STORE_COMMIT_H
#define STORE_COMMIT_H

#include <stdint.h>
#include "base/buf.h"
#include "base/task.h"

struct commit_config {
	/* Each makes durable what was written before the call. NULL: nothing
	 * to do. On failure `ret_why` gets the cause. */
	enum err (*sync_rows)(void *arg, struct buf *ret_why);
	enum err (*sync_bodies)(void *arg, struct buf *ret_why);
	/* Now and then, on the commit thread, while things happen, and after that for as
	 * long as it says so. `is_idle`: nobody waits. Fails as a sync does. NULL is
	 * fine. */
	enum err (*tick)(void *arg, bool is_idle, bool *ret_again, struct buf *ret_why);
	unsigned tick_ms;
	void *arg;
	void (*fatal)(void *arg, const char *sentence);
	void *fatal_arg;
};

struct commit;
/* NULL when its threads could not be started. */
struct commit *commit_new(const struct commit_config *c);
/* Finishes what was added; nothing may be added any more. NULL is fine. */
void commit_free(struct commit *c);

#define COMMIT_ROWS   1u
#define COMMIT_BODIES 2u /* bodies as well: their files are synced too */
/* `t` runs on the commit thread when what was written before is durable; after
 * it returns the ticket counts as durable. A ticket is never 0. */
uint64_t commit_add(struct commit *c, struct task *t, unsigned what);
/* `t` runs when `ticket` is durable: on this thread, if it is already. */
void commit_wait(struct commit *c, struct task *t, uint64_t ticket);

#endif
