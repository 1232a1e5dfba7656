/*
 * The engine: where accounts and bodies are kept. The mailbox layer (store.h)
 * stands on this alone and is the same over every engine.
 *
 * An account is a small ordered map of rows with a version: the unit of
 * atomicity and of order. Bodies are immutable bytes outside it.
 *
 * A change is a *plan*: a pure function of the rows that it reads. An engine
 * may run a plan more than once (a conflict between nodes, a row that had to
 * be fetched first), so a plan changes nothing but its own op's result, which
 * it sets afresh each time. At most one plan of an account runs at a time in
 * a process, in the order they were started.
 *
 * Nothing about a version that is not durable leaves the process: the op's
 * completion, of a plan that only read as well, is posted to its loop when
 * every row it saw is durable.
 */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/task.h"

struct account_id { uint8_t b[16]; };
struct body_id { uint8_t b[16]; }; /* begins with the time of its making: sorts by arrival */

struct engine;
struct txn;

struct engine_op {
	struct op op;             /* completion on op.home */
	struct account_id account;
	/* On a worker, alone in the account. ERR_AGAIN: the engine fetches
	 * what was missing and runs it again. Any other error: nothing is
	 * written, and it becomes op.rc. */
	enum err (*plan)(struct engine_op *, struct txn *);
	/* After the plan's rows are durable, before the completion is posted;
	 * in version order within an account; must be short and not block.
	 * Not called when nothing was written. NULL is fine. */
	void (*publish)(struct engine_op *);
	/* The plan returned ERR_OK but the commit failed: drop what the plan
	 * had prepared in memory. On the worker, before the account's next
	 * plan. NULL is fine. */
	void (*abandon)(struct engine_op *);
	/* What the plan wrote is not all of it: true when it is to run again, at once and
	 * before any other op of the account; the rows of all runs are durable when the
	 * op completes. After a crash the first ones may be there without the rest.
	 * On the worker. NULL: never. */
	bool (*again)(struct engine_op *);
	/* It adds more than it takes away: ERR_FULL, unrun, when space is short. */
	bool needs_room;
	struct engine_op *queue_next; /* the engine's */
	struct engine *engine;        /* the engine's */
};

struct engine_config {
	const char *kind; /* "mem", "rocks" */
	const char *dir;  /* rocks: a directory, made if absent */
	struct executor *workers;
	unsigned flags;
#define ENGINE_READ_ONLY 1u /* `check` beside a running server; a plan that writes gets ERR_DENIED */
#define ENGINE_REPLAY 2u    /* tests: every plan runs twice, the first run forgotten */
#define ENGINE_REPAIR 4u    /* `check --repair`: counts anew what is held of the segments */
#define ENGINE_NO_BODY_INDEX 8u /* bodies get no index for search, and none is asked */
	void (*fatal)(void *arg, const char *sentence); /* a sync failed: must not return */
	void *fatal_arg;
	/* rocks. Free bytes of the file system below which whatever needs room gets ERR_FULL,
	 * while deletes and flags go on; 0: no such limit. */
	uint64_t reserve_bytes;
	/* Expunges of a mailbox that are remembered each with its own MODSEQ (RFC 7162
	 * section 5.3); 0 is the usual, STORE_VANISHED_ROWS. */
	uint32_t expunge_history;
	/* rocks, for tests; 0 is the usual: where a segment ends, how often the
	 * collector and other idle work has a turn, how long it rests between passes. */
	uint32_t segment_bytes;
	unsigned tick_ms, pass_ms;
	uint32_t commit_chunks; /* tests: what one commit changes; 0: STORE_COMMIT_CHUNKS */
	/* Tests: a named point was come to, of the collector (rocks_collect.c), of a move
	 * between accounts ("move ...", across.c), or "part": what a plan wrote that is to run
	 * again (engine.c). NULL is fine. */
	void (*at)(void *arg, const char *point);
	void *at_arg;
};

/* `ret_why`: on failure a sentence that says what to do. */
enum err engine_open(const struct engine_config *c, struct engine **ret, struct buf *ret_why);
/* No op may be started any more; waits for those under way. */
void engine_close(struct engine *e);
/* Starts op; op->op.done runs on op->op.home. Any thread. */
void engine_run(struct engine *e, struct engine_op *op);

/* Inside a plan. Reads see the plan's own writes. The bytes that txn_get gives
 * are valid until the plan returns, those of txn_scan only until `row` returns.
 * What is put or deleted is copied. Keys start with a kind byte (keys.h) and sort as
 * bytes; the account prefix is the engine's. */
enum err txn_get(struct txn *t, struct span key, struct span *ret_value);
/* Rows lo <= key < hi (empty: to the end), ascending; stops when `row` returns
 * false. `row` may read, put and delete; puts behind its key are still seen. */
enum err txn_scan(struct txn *t, struct span lo, struct span hi,
		  bool (*row)(void *arg, struct span key, struct span value), void *arg);
/* Many rows, keys ascending; `row` gets each, p NULL when it is absent. Before the plan
 * writes. Cheap where they lie near each other. */
enum err txn_get_many(struct txn *t, const struct span *keys, size_t n,
		      void (*row)(void *arg, size_t i, struct span value), void *arg);
void txn_put(struct txn *t, struct span key, struct span value);
void txn_delete(struct txn *t, struct span key);
/*
 * The common account (shared_body.h): a plan of any account may put and delete rows there,
 * unread, in the same commit as its own. Only plans of it read them.
 */
void txn_put_common(struct txn *t, struct span key, struct span value);
void txn_delete_common(struct txn *t, struct span key);
/* For the plan's own scratch; freed when the plan returns. */
struct arena *txn_arena(struct txn *t);
struct account_id txn_account(struct txn *t);

/*
 * Bodies. Written in pieces by worker threads (never a loop), synced together
 * with the commit that keeps them; one that no commit keeps is swept.
 * A body of any size streams: a piece is at most BODY_PIECE bytes, each its
 * own record with a CRC (and a zstd frame where it pays).
 */
#define BODY_PIECE ((size_t)4 << 20)
struct body_put;
/* A new id, for a body that shares another's bytes (shared_body.h). */
struct body_id engine_body_id(struct engine *e);
/* Worker thread. The id is given at once. */
struct body_put *engine_body_begin(struct engine *e, struct account_id a, struct body_id *ret_id);
/* The same under an id that some engine gave to the same bytes: a body that comes back. */
struct body_put *engine_body_again(struct engine *e, struct account_id a, struct body_id id);
enum err engine_body_write(struct body_put *p, struct span piece); /* <= BODY_PIECE, all but the last full */
/* In the plan that keeps it: writes the rows that say where it lies. The body
 * is durable when the plan's commit is. */
enum err txn_body_keep(struct txn *t, struct body_put *p);
/* Ends the writer; a body not kept is garbage from then on. */
void engine_body_end(struct body_put *p);
/* Blocking read, worker threads only: bytes [off, off+len) cut to the body's
 * end are appended to `out`. ERR_NOENT, ERR_CORRUPT (CRC), ERR_IO. */
enum err engine_body_read(struct engine *e, struct account_id a, struct body_id id,
			  uint64_t off, size_t len, struct buf *out);
/* Whole ones, one behind the other: of ids[i] its outcome and how many bytes. Cheap where
 * the ids ascend. */
void engine_bodies_read(struct engine *e, struct account_id a, const struct body_id *ids,
			size_t n, struct buf *out, enum err *ret_rc, size_t *ret_bytes);
/* In a plan: no row holds the body any more; space is reclaimed later. */
void txn_body_drop(struct txn *t, struct body_id id);
/* Every body that is kept for the plan's account, in the order of ids, without what this
 * plan keeps or drops; stops when `body` returns false. */
enum err txn_bodies(struct txn *t, bool (*body)(void *arg, struct body_id id), void *arg);
/*
 * Bodies that a power cut tore: their plans were committed but not yet
 * acknowledged to anybody, and the body's bytes did not reach the device.
 * Nearly always none. Whoever opens the engine for writing removes the rows
 * that hold them, as if never written, and calls txn_body_drop in the same
 * plan; until then they are listed again. Blocking, before the first op.
 */
enum err engine_torn(struct engine *e,
		     bool (*body)(void *arg, struct account_id a, struct body_id id), void *arg);

/* A random number of this opening. */
uint64_t engine_boot(const struct engine *e);
/* A row as stored, of any account; blocking. For `check`. */
enum err engine_row_now(struct engine *e, struct account_id a, struct span key,
			struct buf *out);

/* How many counts ENGINE_REPAIR had to correct. */
uint64_t engine_recounted(const struct engine *e);

/* Login name -> account. Ops on the workers; durable when done. */
struct name_op {
	struct op op;
	struct engine *engine;       /* the engine's */
	/* ERR_NOENT: no such name. ERR_INVAL: empty, or no NUL in `name`. */
	enum name_verb { NAME_GET, NAME_ADD, NAME_REMOVE } verb; /* ADD: get, or make */
	char name[512];
	bool was_added;              /* out */
	struct account_id account;   /* out */
};
void engine_name(struct engine *e, struct name_op *op);
/* Names after `after`, at most `max`, ascending: for tools. Blocking, worker or main thread. */
enum err engine_list(struct engine *e, struct span after, size_t max,
		     bool (*name)(void *arg, struct span name, struct account_id), void *arg);

/*
 * A copy of all that is stored at this moment, in `dir` (NULL: "snapshot" in the store's
 * own directory), which is made: a store of its own,
 * of hard links as far as it can be, so `dir` must lie on the same file system. "DIR/growing"
 * names the files of "DIR/segments" that are still appended to, one a line; no other file
 * of it changes any more, and whatever the store does, none of them goes. Blocking, never on
 * a loop. ERR_UNSUPPORTED: the kind has no files. On failure `ret_why` is a sentence, and
 * what was made of `dir` is left to the caller.
 */
enum err engine_snapshot(struct engine *e, const char *dir, struct buf *ret_why);

/* Blocking; runs the plan now on the calling thread, read-only, over the rows of one
 * moment, durable or not. */
enum err engine_read_now(struct engine *e, struct account_id a,
			 enum err (*plan)(void *arg, struct txn *), void *arg);

#endif
