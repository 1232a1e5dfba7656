/*
 * Event loops: a libuv loop with an executor that other threads post to, and
 * one timer wheel. A loop runs on a thread of its own (servers) or in the
 * calling thread (clients).
 *
 * All of net/ but net_loop_stop() and the executor belongs to the loop's
 * thread; before the loop runs and after it was joined, that is whoever holds
 * it.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/task.h"
#include "net/timer.h"

struct loop;
struct uv_loop_s;

/* ERR_LIMIT when the system has no descriptors left. */
enum err net_loop_new(struct loop **ret_loop);
/*
 * Runs what was posted to its end, aborts the stacks and closes the listeners
 * that are still there (their owners are not told), then frees. The loop must
 * not run, and nobody may post any more: workers_free() comes before. NULL is
 * fine.
 */
void net_loop_free(struct loop *l);

/* Runs in the calling thread until net_loop_stop(). May be run again afterwards. */
void net_loop_run(struct loop *l);
/* Handles what is there, waiting for it at most once and if `wait`; for tests and
 * clients. */
void net_loop_turn(struct loop *l, bool wait);
/*
 * For who has a loop of his own: a descriptor to poll for reading, at most so many ms (-1:
 * for ever), before net_loop_turn(l, false).
 */
int net_loop_fd(const struct loop *l);
int net_loop_timeout_ms(struct loop *l);
/* Starts a thread that runs the loop (all signals blocked); ERR_LIMIT when there is none.
 */
enum err net_loop_start(struct loop *l);
/* Waits for that thread. */
void net_loop_join(struct loop *l);
/* From any thread, also before the loop runs: it then returns at once. */
void net_loop_stop(struct loop *l);

/* Runs tasks on the loop's thread in the order posted; post from any thread. */
struct executor *net_loop_executor(struct loop *l);
/* True on the thread that runs the loop. */
bool net_loop_is_here(const struct loop *l);
/* For signal handles and the like in tools; whoever adds a handle closes it. */
struct uv_loop_s *net_loop_uv(struct loop *l);

#endif
