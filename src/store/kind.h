/*
 * What a kind of engine supplies, and what all kinds share: the run queue of
 * accounts (runqueue.c), the plan's writes laid over the stored rows (txn.c),
 * the commit thread (commit.c). Inside the store room only.
 */
#ifndef STORE_KIND_H
#define STORE_KIND_H

#include <pthread.h>
#include <stdatomic.h>
#include "base/buf.h"
#include "store/engine.h"
#include "store/rowmap.h"

struct commit;
struct runqueue;

/* Stored rows of one account from lo to hi, without the plan's own writes. */
struct cursor {
	bool is_valid;
	struct span key, value; /* until the next step */
};

struct engine_kind {
	const char *name;
	enum err (*open)(const struct engine_config *c, struct engine **ret,
			 struct buf *ret_why);
	void (*close)(struct engine *e);
	/* Rows as stored, of the txn's account. The value lives as long as t->arena. */
	enum err (*get)(struct txn *t, struct span key, struct span *ret_value);
	struct cursor *(*cursor_open)(struct txn *t, struct span lo, struct span hi);
	void (*cursor_next)(struct cursor *c);
	enum err (*cursor_close)(
	    struct cursor *c); /* what went wrong on the way, if anything */
	/* Of engine_read_now: rows of one version. NULL is fine. */
	void (*snapshot_begin)(struct txn *t);
	void (*snapshot_end)(struct txn *t);
	/* Writes the plan's rows and bodies at once and in one; not yet durable. */
	enum err (*write)(struct txn *t);
	/* Names; one caller at a time. */
	enum err (*name_get)(struct engine *e, struct span name, struct account_id *ret);
	enum err (*name_put)(struct engine *e, struct span name, struct account_id a);
	enum err (*name_delete)(struct engine *e, struct span name);
	enum err (*list)(struct engine *e, struct span after, size_t max,
			 bool (*name)(void *arg, struct span name, struct account_id),
			 void *arg);
	struct body_put *(*body_begin)(struct engine *e, struct account_id a,
				       struct body_id id);
	enum err (*body_write)(struct body_put *p, struct span piece);
	void (*body_end)(struct body_put *p);
	enum err (*body_read)(struct engine *e, struct account_id a, struct body_id id,
			      uint64_t off, size_t len, struct buf *out);
	/* As engine_bodies_read. NULL: one by one. */
	void (*bodies_read)(struct engine *e, struct account_id a,
			    const struct body_id *ids, size_t n, struct buf *out,
			    enum err *ret_rc, size_t *ret_bytes);
	/* As txn_bodies. */
	enum err (*bodies)(struct txn *t, bool (*body)(void *arg, struct body_id id),
			   void *arg);
	enum err (*torn)(struct engine *e,
			 bool (*body)(void *arg, struct account_id a, struct body_id id),
			 void *arg);
	/* As engine_snapshot. NULL: it has no files. */
	enum err (*snapshot)(struct engine *e, const char *dir, struct buf *ret_why);
	/* False: the device is nearly full. NULL: there is always room. */
	bool (*has_room)(struct engine *e);
};

/* shared_body.c: what is shared and nobody holds is dropped, soon. */
void engine_sweep_shared(struct engine *e);

extern const struct engine_kind engine_mem, engine_rocks;

/* The first member of each kind's own struct. */
struct engine {
	const struct engine_kind *kind;
	struct executor *workers;
	unsigned flags;
	uint64_t recounted;
	atomic_bool sweeps; /* an op that looks after what is shared has yet to begin */
	void (*at)(void *arg, const char *point); /* for tests */
	void *at_arg;
	struct commit *commit; /* NULL when read-only */
	struct runqueue *queue;
	struct {
		uint64_t boot; /* random, this opening's part of every body id */
		uint64_t last_ms;
		uint32_t n;
		pthread_mutex_t lock;
	} ids;
	struct {
		pthread_mutex_t lock; /* one name op at a time */
		uint64_t ticket;      /* of the last change */
	} names;
	struct {
		pthread_mutex_t lock;
		pthread_cond_t none;
		size_t n; /* ops and busy accounts */
		bool is_closing;
	} under_way;
};

/* Sets up the shared part; `commit` becomes the engine's. */
void engine_init(struct engine *e, const struct engine_kind *kind,
		 const struct engine_config *c, struct commit *commit);
/* Frees it (and stops the commit thread); the kind frees the rest. */
void engine_done(struct engine *e);
void engine_enter(struct engine *e);
void engine_leave(struct engine *e);
/* For work that nobody asked for. False: the engine is about to close. */
bool engine_try_enter(struct engine *e);
bool engine_is_closing(struct engine *e);

/* The first member of each kind's own struct. */
struct body_put {
	struct engine *engine;
	struct account_id account;
	struct body_id id;
	uint64_t bytes;
	bool is_ended; /* a short piece came: nothing may follow */
	enum err rc;   /* the first failure; it sticks */
};

struct txn_body {
	struct txn_body *next;
	struct body_put *put;
};

struct body_move; /* the collector's, rocks.h */

struct txn {
	struct engine *engine;
	struct account_id account;
	struct arena *arena;
	struct rowmap *writes; /* NULL: none */
	struct rowmap *common; /* the same, of the common account */
	bool lets_go;	       /* of a shared body: it is to be looked after */
	struct txn_body *keeps;
	struct rowmap *drops; /* by body id; NULL: none */
	const struct body_move *moves; /* of bodies of the account, sorted */
	size_t n_moves;
	const void *snapshot; /* the kind's */
	bool is_read_only;
	enum err rc; /* a write in a read-only txn */
};

void txn_init(struct txn *t, struct engine *e, struct account_id a);
void txn_done(struct txn *t);
bool txn_has_writes(const struct txn *t);

/* Where rows and bodies are in one map: account, then key. Lives in `a`. */
struct span account_key(struct arena *a, struct account_id id, struct span key);

#endif
