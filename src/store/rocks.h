/*
 * The rocks engine's inside: one RocksDB under DIR/index for all rows, segment
 * files under DIR/segments for bodies.
 *
 * Column families and their keys (format 2; A: 16 bytes account, B: 16 bytes body):
 *	default  "format" -> "2";  "store" -> 16 bytes id of the store
 *	         'f' A B -> empty: not known yet that this body was synced
 *	         't' A B -> empty: torn by a power cut, the account still holds it
 *	idx      A key -> row of the mailbox layer
 *	body     A B -> where its pieces lie (body_row.h)
 *	name     login name -> A
 *	seg      'l' u32be segment -> u64le bytes of records that are held; merged by
 *addition
 */
#ifndef STORE_ROCKS_H
#define STORE_ROCKS_H

#include <rocksdb/c.h>
#include <stdatomic.h>
#include "store/kind.h"
#include "store/record.h"
#include "store/segment.h"

enum rocks_cf { CF_DEFAULT, CF_IDX, CF_BODY, CF_NAME, CF_SEG, N_CF };

/* account and body */
struct body_ref {
	uint8_t b[32];
};

struct refs {
	struct body_ref *at;
	size_t n, cap;
};

/* One piece that has been copied elsewhere; its row does not say so yet. */
struct body_move {
	struct body_ref ref;
	uint32_t piece;
	uint32_t from_segment, from_offset, to_segment, to_offset, room;
};

struct collector;

struct rocks {
	struct engine engine;
	rocksdb_t *db;
	rocksdb_column_family_handle_t *cf[N_CF];
	rocksdb_options_t *options[N_CF];
	rocksdb_cache_t *cache;
	rocksdb_readoptions_t *read;   /* plain gets */
	rocksdb_writeoptions_t *write; /* not synced: the commit thread does */
	struct segments *segments;
	struct store_id store;
	const char *dir;	     /* of the store; its own */
	struct collector *collector; /* NULL when read-only */
	struct {
		uint64_t reserve_bytes;
		atomic_uint_least64_t looked_ms;
		atomic_bool is_short;
		/* The last write failed: RocksDB refuses more until it has helped
		 * itself, and its log must not be synced (it would abort). */
		atomic_bool has_failed;
		atomic_uint failures; /* of writes, so far */
		unsigned tries; /* the commit thread's */
	} space;
	/* Held while a snapshot is made: the collector then copies and removes nothing. */
	pthread_mutex_t files;
	bool has_torn; /* there were "t" rows when the store was opened */
	struct {
		pthread_mutex_t lock;
		struct refs
		    written; /* 'f' rows whose bodies the next sync makes durable */
		struct refs synced; /* ... are durable: the rows can go */
	} fresh;
};

static inline struct rocks *rocks_of(struct engine *e)
{
	return TASK_OWNER(e, struct rocks, engine);
}

/* What a RocksDB error means; frees it. ERR_OK for NULL. With `why` the text goes there.
 */
enum err rocks_err(char *error, struct buf *why);
/* One row, copied; ERR_NOENT. The value is appended. */
enum err rocks_get(struct rocks *r, enum rocks_cf cf, struct span key, struct buf *out);
/*
 * What came of a write; frees `error`. `failures` as it was before the write: one that
 * began before another failed says nothing of whether RocksDB has helped itself.
 */
enum err rocks_wrote(struct rocks *r, unsigned failures, char *error);
enum err rocks_put_synced(struct rocks *r, enum rocks_cf cf, struct span key,
			  struct span value);

/* ---- rocks_open.c ---- */
enum err rocks_open(const struct engine_config *c, struct engine **ret,
		    struct buf *ret_why);
void rocks_close(struct engine *e);

/* ---- rocks_body.c ---- */
struct body_put *rocks_body_begin(struct engine *e, struct account_id a,
				  struct body_id id);
enum err rocks_body_write(struct body_put *p, struct span piece);
void rocks_body_end(struct body_put *p);
enum err rocks_body_read(struct engine *e, struct account_id a, struct body_id id,
			 uint64_t off, size_t len, struct buf *out);
enum err rocks_bodies(struct txn *t, bool (*body)(void *arg, struct body_id id),
		      void *arg);
void rocks_bodies_read(struct engine *e, struct account_id a, const struct body_id *ids,
		       size_t n, struct buf *out, enum err *ret_rc, size_t *ret_bytes);
enum err rocks_torn(struct engine *e,
		    bool (*body)(void *arg, struct account_id a, struct body_id id),
		    void *arg);
/* Adds the rows of what the plan keeps and drops. */
enum err rocks_batch_bodies(struct txn *t, rocksdb_writebatch_t *batch);
/* After the batch was written. */
void rocks_bodies_written(struct txn *t);
/* The commit thread's helper: syncs the segments. */
enum err rocks_sync_bodies(void *arg, struct buf *ret_why);
/* At open: finds what a power cut tore. At close: nothing is fresh any more. */
enum err rocks_recover_bodies(struct rocks *r);
enum err rocks_settle_bodies(struct rocks *r);
/* 'f' rows of bodies that are durable. On the commit thread, when nobody waits. */
enum err rocks_settle_some(struct rocks *r, struct buf *ret_why);

/* ---- rocks_recount.c ---- */
/* Before anybody uses the store: what is held of each segment, from the rows of bodies. */
enum err rocks_recount(struct rocks *r, uint64_t *ret_wrong);

/* ---- rocks_snapshot.c ---- */
enum err rocks_snapshot(struct engine *e, const char *dir, struct buf *ret_why);

/* ---- rocks_collect.c ---- */
struct collector *collector_new(struct rocks *r, const struct engine_config *c);
void collector_free(struct collector *c); /* NULL is fine */
/* Something was dropped: there may be work. Any thread. */
void collector_wake(struct collector *c);
/* On the commit thread; true: it wants to be called again. */
bool collector_tick(struct collector *c);
/* The rows of what a txn moves. */
enum err rocks_batch_moves(struct txn *t, rocksdb_writebatch_t *batch);
/* Adds to the count of what is held of a segment. */
void rocks_batch_live(struct rocks *r, rocksdb_writebatch_t *batch, uint32_t segment,
		      uint64_t add);

/* ---- rocks_open.c ---- */
/* Less than the reserve is left on the device; looked at now and then. */
bool rocks_has_room(struct engine *e);

#endif
