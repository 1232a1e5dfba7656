/* The rocks engine: options, opening, the format, closing. */
#include "store/rocks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/commit.h"
#include "store/pack.h"

enum {
	/* Memory: twice this can be in memtables while one is written out. */
	MEMTABLES_BYTES = 64 << 20,
	/* Blocks, with indexes and filters; all of it RocksDB may keep. Not a
	 * strict limit: that makes reads fail when all of it is pinned. */
	CACHE_LEAST = 32 << 20,
	CACHE_MOST = 256 << 20,
	CACHE_PART = 16, /* of the machine's memory, between those */
	/* Families that are written seldom (names) would hold the log for
	 * ever; also the most that is replayed after a crash. */
	LOG_BYTES = 128 << 20,
	OPEN_FILES = 512,
	BLOCK_BYTES = 16 << 10, /* a chunk of 256 messages fits in one */
	BLOOM_BITS = 10,
	JOBS = 2, /* a flush and a compaction; the cores are for mail */
	INFO_LEVEL_WARN = 2,
	INFO_LOG_BYTES = 4 << 20,
	INFO_LOGS = 3,
	TICK_MS = 250, /* idle work: 8 MiB of a segment, at most, each time */
	ROOM_TO_START = 16 << 20,
	TRIES = 40,   /* ticks */
	LOOK_MS = 50, /* how old an answer about free space may be */
};

static const char *const cf_names[N_CF] = { "default", "idx", "body", "name", "seg" };
/* Format 2 is format 1 with digests and bodies that accounts share: it becomes one when it is opened for writing. */
static const char format_row[] = "format", format_value[] = "2", format_before[] = "1",
		  store_row[] = "store", probe_row[] = "probe";

/* A large mailbox's summaries fit in the most: 50,000 take about 70 MiB. */
static size_t cache_bytes(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	size_t part = CACHE_LEAST;
	if (pages > 0 && page > 0)
		part = (size_t)pages / CACHE_PART * (size_t)page;
	return part < CACHE_LEAST ? CACHE_LEAST : part > CACHE_MOST ? CACHE_MOST : part;
}

/* ---- options ---- */

static rocksdb_options_t *options_new(struct rocks *r, enum rocks_cf cf,
				      bool is_read_only)
{
	rocksdb_options_t *o = rocksdb_options_create();
	rocksdb_options_set_create_if_missing(o, 1);
	rocksdb_options_set_create_missing_column_families(o, 1);
	rocksdb_options_set_db_write_buffer_size(o, MEMTABLES_BYTES);
	rocksdb_options_set_write_buffer_size(o, MEMTABLES_BYTES / 2);
	rocksdb_options_set_max_total_wal_size(o, LOG_BYTES);
	/* beside a server, whose files come and go, all are opened at once */
	rocksdb_options_set_max_open_files(o, is_read_only ? -1 : OPEN_FILES);
	rocksdb_options_set_max_background_jobs(o, JOBS);
	rocksdb_options_set_info_log_level(o, INFO_LEVEL_WARN);
	rocksdb_options_set_max_log_file_size(o, INFO_LOG_BYTES);
	rocksdb_options_set_keep_log_file_num(o, INFO_LOGS);
	rocksdb_options_set_stats_dump_period_sec(o, 0);
	rocksdb_options_set_compression(o, rocksdb_zstd_compression);
	/* the least space amplification without tuning sizes by hand */
	rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
	/* what stands after a hole in the log was never acknowledged */
	rocksdb_options_set_wal_recovery_mode(o, rocksdb_point_in_time_recovery);
	if (cf == CF_SEG)
		rocksdb_options_set_uint64add_merge_operator(o);
	if (cf == CF_IDX || cf == CF_BODY) {
		rocksdb_options_set_prefix_extractor(
		    o, rocksdb_slicetransform_create_fixed_prefix(
			   sizeof(struct account_id)));
		rocksdb_options_set_memtable_prefix_bloom_size_ratio(o, 0.05);
	}

	rocksdb_block_based_table_options_t *b = rocksdb_block_based_options_create();
	rocksdb_block_based_options_set_block_size(b, BLOCK_BYTES);
	rocksdb_block_based_options_set_block_cache(b, r->cache);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(b, 1);
	rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(b, 1);
	/* keys and prefixes: rows that are not there are asked for often */
	rocksdb_block_based_options_set_filter_policy(
	    b, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
	rocksdb_options_set_block_based_table_factory(o, b);
	rocksdb_block_based_options_destroy(b);
	return o;
}

/* ---- the database ---- */

struct opening {
	struct rocks *r;
	const struct engine_config *config;
	const char *dir; /* of the store */
	struct buf path; /* of the database, with a NUL */
	bool is_read_only;
	struct buf *why;
};

static enum err explain(struct opening *o, char *error)
{
	struct buf text = { 0 };
	bool is_locked = strstr(error, "While lock file") ||
			 strstr(error, "lock hold by");
	bool is_absent = strstr(error, "does not exist") || strstr(error, "No such file");
	enum err rc = rocks_err(error, &text);
	if (is_locked) {
		buf_printf(o->why, "another process has the store %s open; stop it first",
			   o->dir);
		rc = ERR_BUSY;
	} else if (is_absent && o->is_read_only) {
		buf_printf(o->why, "there is no store in %s", o->dir);
		rc = ERR_NOENT;
	} else {
		struct span t = buf_span(&text);
		buf_printf(o->why, "cannot open the store %s: %.*s", o->dir, (int)t.n,
			   t.p);
	}
	buf_done(&text);
	return rc;
}

/* Families on disk that this version does not know: of a newer format. */
static enum err check_families(struct opening *o)
{
	char *error = NULL;
	size_t n = 0;
	struct stat st;
	struct buf current = { 0 };
	buf_printf(&current, "%s/CURRENT", buf_span(&o->path).p);
	buf_putc(&current, '\0');
	bool is_there = stat(buf_span(&current).p, &st) == 0;
	buf_done(&current);
	if (!is_there && !o->is_read_only)
		return ERR_OK;
	char **list = rocksdb_list_column_families(o->r->options[0], buf_span(&o->path).p,
						   &n, &error);
	enum err rc = error ? explain(o, error) : ERR_OK;
	for (size_t i = 0; i < n && rc == ERR_OK; i++) {
		size_t k = 0;
		while (k < N_CF && strcmp(list[i], cf_names[k]) != 0)
			k++;
		if (k < N_CF)
			continue;
		buf_printf(o->why,
			   "the store %s has a part \"%s\" that this version does not "
			   "know; it was made by a newer one: use that",
			   o->dir, list[i]);
		rc = ERR_UNSUPPORTED;
	}
	rocksdb_list_column_families_destroy(list, n);
	return rc;
}

static enum err open_db(struct opening *o)
{
	enum { OPENINGS = 5 };
	struct rocks *r = o->r;
	const rocksdb_options_t *const *options =
	    (const rocksdb_options_t *const *)r->options;
	const char *path = buf_span(&o->path).p;
	/* Beside a running server a file may go while it is looked for. */
	for (int i = 1;; i++) {
		char *error = NULL;
		if (o->is_read_only)
			r->db = rocksdb_open_for_read_only_column_families(
			    r->options[0], path, N_CF, cf_names, options, r->cf, 0,
			    &error);
		else
			r->db = rocksdb_open_column_families(
			    r->options[0], path, N_CF, cf_names, options, r->cf, &error);
		if (!error)
			return ERR_OK;
		r->db = NULL;
		if (!o->is_read_only || i == OPENINGS || !strstr(error, "No such file"))
			return explain(o, error);
		rocksdb_free(error);
	}
}

/* ---- the format ---- */

static bool is_empty(struct rocks *r, enum rocks_cf cf)
{
	rocksdb_iterator_t *it = rocksdb_create_iterator_cf(r->db, r->read, r->cf[cf]);
	rocksdb_iter_seek_to_first(it);
	bool is_valid = rocksdb_iter_valid(it);
	rocksdb_iter_destroy(it);
	return !is_valid;
}

static enum err write_format(struct opening *o)
{
	struct rocks *r = o->r;
	if (!is_empty(r, CF_IDX) || !is_empty(r, CF_NAME) || o->is_read_only) {
		buf_printf(o->why, "the store %s does not say its format; it is damaged",
			   o->dir);
		return ERR_CORRUPT;
	}
	enum err rc = getrandom(r->store.b, sizeof r->store.b, 0) == sizeof r->store.b
			  ? ERR_OK
			  : ERR_IO;
	if (rc == ERR_OK)
		rc = rocks_put_synced(r, CF_DEFAULT, span_str(store_row),
				      span_of(r->store.b, sizeof r->store.b));
	/* last: a store with this row is complete */
	if (rc == ERR_OK)
		rc = rocks_put_synced(r, CF_DEFAULT, span_str(format_row),
				      span_str(format_value));
	if (rc != ERR_OK)
		buf_printf(o->why, "cannot write to the store %s: %s", o->dir,
			   err_text(rc));
	return rc;
}

static enum err check_format(struct opening *o)
{
	struct buf value = { 0 }, id = { 0 };
	enum err rc = rocks_get(o->r, CF_DEFAULT, span_str(format_row), &value);
	struct span v = buf_span(&value);
	bool is_before = span_eq(v, span_str(format_before));
	if (rc == ERR_OK && is_before && !o->is_read_only)
		rc = rocks_put_synced(o->r, CF_DEFAULT, span_str(format_row),
				      span_str(format_value));
	if (rc == ERR_NOENT) {
		rc = write_format(o);
	} else if (rc == ERR_OK && !is_before && !span_eq(v, span_str(format_value))) {
		buf_printf(
		    o->why,
		    "the store %s has format %.*s and this version knows format %s; "
		    "use a newer version",
		    o->dir, (int)(v.n < 20 ? v.n : 20), v.p, format_value);
		rc = ERR_UNSUPPORTED;
	} else if (rc == ERR_OK) {
		rc = rocks_get(o->r, CF_DEFAULT, span_str(store_row), &id);
		if (rc == ERR_OK && id.n == sizeof o->r->store.b)
			memcpy(o->r->store.b, buf_span(&id).p, sizeof o->r->store.b);
		else
			rc = ERR_CORRUPT;
	}
	if (rc != ERR_OK && o->why->n == 0)
		buf_printf(o->why, "cannot read the format of the store %s: %s", o->dir,
			   err_text(rc));
	buf_done(&value);
	buf_done(&id);
	return rc;
}

/* ---- segments ---- */

/* Behind every segment that a counter knows, be its file there or not. */
static uint32_t next_segment(struct rocks *r)
{
	uint32_t next = 1;
	rocksdb_iterator_t *it = rocksdb_create_iterator_cf(r->db, r->read,
							    r->cf[CF_SEG]);
	rocksdb_iter_seek_to_last(it);
	if (rocksdb_iter_valid(it)) {
		size_t n;
		const char *k = rocksdb_iter_key(it, &n);
		if (n == 5 && k[0] == 'l')
			next = unpack_be32(k + 1) + 1;
	}
	rocksdb_iter_destroy(it);
	return next;
}

static enum err open_segments(struct opening *o)
{
	struct buf path = { 0 };
	buf_printf(&path, "%s/segments", o->dir);
	buf_putc(&path, '\0');
	struct segments_config c = { .dir = buf_span(&path).p,
				     .store = o->r->store,
				     .next = next_segment(o->r),
				     .max_bytes = o->config->segment_bytes
						      ? o->config->segment_bytes
						      : SEGMENT_BYTES,
				     .is_read_only = o->is_read_only };
	enum err rc = segments_open(&c, &o->r->segments, o->why);
	buf_done(&path);
	if (rc == ERR_OK && !o->is_read_only) {
		rc = rocks_recover_bodies(o->r);
		if (rc != ERR_OK)
			buf_printf(o->why,
				   "cannot check what the last run of %s left behind: %s",
				   o->dir, err_text(rc));
	}
	return rc;
}

/* ---- opening and closing ---- */

static enum err rocks_sync_rows(void *arg, struct buf *ret_why)
{
	struct rocks *r = arg;
	char *error = NULL;
	if (atomic_load(&r->space.has_failed)) {
		buf_puts(ret_why, "a write to its log has failed, the device is full or "
				  "broken");
		return ERR_IO;
	}
	rocksdb_flush_wal(r->db, 1, &error);
	return rocks_err(error, ret_why);
}

static uint64_t free_bytes(struct rocks *r)
{
	struct statvfs fs;
	return statvfs(r->dir, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : 0;
}

/* RocksDB resumes by itself after most failures, once there is room. If it does not then,
 * a new start is the way: its C interface cannot ask it to. */
static enum err try_again(struct rocks *r, struct buf *ret_why)
{
	if (!atomic_load(&r->space.has_failed) ||
	    free_bytes(r) < r->space.reserve_bytes + ROOM_TO_START)
		return ERR_OK;
	if (++r->space.tries < TRIES)
		return ERR_OK;
	r->space.tries = 0;
	unsigned failures = atomic_load(&r->space.failures);
	char *error = NULL;
	rocksdb_delete_cf(r->db, r->write, r->cf[CF_DEFAULT], probe_row,
			  sizeof probe_row - 1, &error);
	if (!error)
		return rocks_wrote(r, failures, error);
	buf_puts(ret_why,
		 "a write failed, and though there is room all others still do: ");
	return rocks_err(error, ret_why);
}

static enum err rocks_tick(void *arg, bool is_idle, bool *ret_again, struct buf *ret_why)
{
	struct rocks *r = arg;
	enum err rc = is_idle ? rocks_settle_some(r, ret_why) : ERR_OK;
	if (rc == ERR_OK)
		rc = try_again(r, ret_why);
	*ret_again = collector_tick(r->collector);
	pthread_mutex_lock(&r->fresh.lock);
	*ret_again = *ret_again || r->fresh.synced.n > 0 ||
		     atomic_load(&r->space.has_failed);
	pthread_mutex_unlock(&r->fresh.lock);
	return rc;
}

static enum err start_commit(struct opening *o, const struct engine_config *config,
			     struct commit **ret)
{
	*ret = NULL;
	if (o->is_read_only)
		return ERR_OK;
	struct commit_config c = { .sync_rows = rocks_sync_rows,
				   .sync_bodies = rocks_sync_bodies,
				   .tick = rocks_tick,
				   .tick_ms = config->tick_ms ? config->tick_ms : TICK_MS,
				   .arg = o->r,
				   .fatal = config->fatal,
				   .fatal_arg = config->fatal_arg };
	o->r->collector = collector_new(o->r, config);
	*ret = commit_new(&c);
	if (!*ret)
		buf_puts(o->why, "the commit thread could not be started");
	return *ret ? ERR_OK : ERR_LIMIT;
}

static void rocks_free(struct rocks *r)
{
	collector_free(r->collector);
	segments_close(r->segments);
	free((void *)(uintptr_t)r->dir);
	for (size_t i = 0; i < N_CF; i++) {
		if (r->cf[i])
			rocksdb_column_family_handle_destroy(r->cf[i]);
	}
	if (r->db)
		rocksdb_close(r->db);
	for (size_t i = 0; i < N_CF; i++)
		rocksdb_options_destroy(r->options[i]);
	rocksdb_readoptions_destroy(r->read);
	rocksdb_writeoptions_destroy(r->write);
	rocksdb_cache_destroy(r->cache);
	pthread_mutex_destroy(&r->fresh.lock);
	pthread_mutex_destroy(&r->files);
	free(r->fresh.written.at);
	free(r->fresh.synced.at);
	free(r);
}

static struct rocks *rocks_new(bool is_read_only)
{
	struct rocks *r = xcalloc(1, sizeof *r);
	r->cache = rocksdb_cache_create_lru(cache_bytes());
	for (size_t i = 0; i < N_CF; i++)
		r->options[i] = options_new(r, (enum rocks_cf)i, is_read_only);
	r->read = rocksdb_readoptions_create();
	/* counters and names are walked over prefixes */
	rocksdb_readoptions_set_total_order_seek(r->read, 1);
	r->write = rocksdb_writeoptions_create();
	pthread_mutex_init(&r->fresh.lock, NULL);
	pthread_mutex_init(&r->files, NULL);
	return r;
}

bool rocks_has_room(struct engine *e)
{
	struct rocks *r = rocks_of(e);
	if (r->space.reserve_bytes == 0)
		return true;
	uint64_t now = clock_mono_ms();
	uint64_t looked = atomic_load(&r->space.looked_ms);
	if (now - looked >= LOOK_MS &&
	    atomic_compare_exchange_strong(&r->space.looked_ms, &looked, now)) {
		atomic_store(&r->space.is_short, free_bytes(r) < r->space.reserve_bytes);
	}
	return !atomic_load(&r->space.is_short);
}

static enum err make_dir(struct opening *o)
{
	if (o->is_read_only || mkdir(o->dir, 0700) == 0 || errno == EEXIST)
		return ERR_OK;
	buf_printf(o->why, "cannot make the directory %s: %s", o->dir, strerror(errno));
	return ERR_IO;
}

/* The names of index and segments in the directory, and its own. */
static enum err sync_dir(struct opening *o)
{
	if (o->is_read_only)
		return ERR_OK;
	int fd = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int up = fd < 0 ? -1 : openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is_ok = fd >= 0 && fsync(fd) == 0;
	/* not ours perhaps; then it was there before */
	if (up >= 0 && fsync(up) != 0 && errno == EIO)
		is_ok = false;
	if (!is_ok)
		buf_printf(o->why, "cannot sync the directory %s: %s", o->dir,
			   strerror(errno));
	if (up >= 0)
		close(up);
	if (fd >= 0)
		close(fd);
	return is_ok ? ERR_OK : ERR_IO;
}

enum err rocks_open(const struct engine_config *config, struct engine **ret,
		    struct buf *ret_why)
{
	bool is_read_only = (config->flags & ENGINE_READ_ONLY) != 0;
	struct opening o = { .r = rocks_new(is_read_only),
			     .config = config,
			     .dir = config->dir,
			     .is_read_only = is_read_only,
			     .why = ret_why };
	struct commit *commit = NULL;
	uint64_t recounted = 0;
	o.r->dir = xstrdup(config->dir);
	o.r->space.reserve_bytes = config->reserve_bytes;
	buf_printf(&o.path, "%s/index", o.dir);
	buf_putc(&o.path, '\0');
	enum err rc = make_dir(&o);
	if (rc == ERR_OK)
		rc = check_families(&o);
	if (rc == ERR_OK)
		rc = open_db(&o);
	if (rc == ERR_OK)
		rc = check_format(&o);
	if (rc == ERR_OK)
		rc = open_segments(&o);
	if (rc == ERR_OK && (config->flags & ENGINE_REPAIR))
		rc = rocks_recount(o.r, &recounted);
	if (rc == ERR_OK)
		rc = sync_dir(&o);
	if (rc == ERR_OK)
		rc = start_commit(&o, config, &commit);
	buf_done(&o.path);
	if (rc != ERR_OK) {
		rocks_free(o.r);
		return rc;
	}
	engine_init(&o.r->engine, &engine_rocks, config, commit);
	o.r->engine.recounted = recounted;
	if (o.r->collector)
		collector_wake(o.r->collector);
	*ret = &o.r->engine;
	return ERR_OK;
}

void rocks_close(struct engine *e)
{
	struct rocks *r = rocks_of(e);
	bool is_read_only = (e->flags & ENGINE_READ_ONLY) != 0;
	engine_done(e); /* the commit thread has ended: all is durable */
	if (!is_read_only)
		rocks_settle_bodies(
		    r); /* if not, the next opening looks at a few bodies */
	rocks_free(r);
}
