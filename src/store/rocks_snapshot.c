/*
 * The rocks engine: a snapshot for a backup, a store of its own made of hard links.
 *
 * The index is RocksDB's own checkpoint, taken after a flush, so that nearly all of it
 * are files that never change and that the next snapshot has as well. The segments are
 * linked after it: each that a row of it names was there when it was taken, and until all
 * are linked none goes (rocks.files). Rows that are not durable yet may be in it; their
 * bodies are where they say, as a body is written before its row.
 */
#include "store/rocks.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err fail(struct buf *why, const char *what, const char *path)
{
	enum err rc = errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
	buf_printf(why, "Cannot %s %s: %s.", what, path, strerror(errno));
	return rc;
}

static enum err checkpoint(struct rocks *r, const char *dir, struct buf *why)
{
	struct buf path = { 0 };
	char *error = NULL;
	enum err rc = ERR_OK;
	buf_printf(&path, "%s/index", dir);
	buf_putc(&path, '\0');
	rocksdb_checkpoint_t *c = rocksdb_checkpoint_object_create(r->db, &error);
	if (!error)
		rocksdb_checkpoint_create(c, buf_span(&path).p, 0, &error);
	if (error) {
		buf_puts(why, "The index cannot be copied: ");
		rc = rocks_err(error, why);
		buf_puts(why, ".");
	}
	if (c)
		rocksdb_checkpoint_object_destroy(c);
	buf_done(&path);
	return rc;
}

static enum err write_growing(int dir, struct span names, struct buf *why)
{
	int fd = openat(dir, "growing", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool is_ok = fd >= 0 && write(fd, names.p, names.n) == (ssize_t)names.n;
	enum err rc = is_ok ? ERR_OK : fail(why, "write", "the list of what grows");
	if (fd >= 0)
		close(fd);
	return rc;
}

static enum err link_segments(struct rocks *r, int dir, struct buf *why)
{
	struct buf growing = { 0 };
	int to = -1;
	if (mkdirat(dir, "segments", 0700) == 0)
		to = openat(dir, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err rc = to >= 0 ? segments_link(r->segments, to, &growing, why)
			      : fail(why, "make", "the directory of the segments");
	if (rc == ERR_OK)
		rc = write_growing(dir, growing.n ? buf_span(&growing) : SPAN(""), why);
	if (to >= 0)
		close(to);
	buf_done(&growing);
	return rc;
}

static enum err make(struct rocks *r, const char *dir, struct buf *ret_why)
{
	if (atomic_load(&r->space.has_failed)) { /* rocks.h: its log must not be used */
		buf_puts(ret_why, "A write to the store has failed; see to the device.");
		return ERR_IO;
	}
	if (mkdir(dir, 0700) != 0)
		return fail(ret_why, "make", dir);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(ret_why, "open", dir);
	pthread_mutex_lock(&r->files);
	segments_seal(r->segments);
	enum err rc = checkpoint(r, dir, ret_why);
	if (rc == ERR_OK)
		rc = link_segments(r, fd, ret_why);
	pthread_mutex_unlock(&r->files);
	close(fd);
	return rc;
}

enum err rocks_snapshot(struct engine *e, const char *dir, struct buf *ret_why)
{
	struct rocks *r = rocks_of(e);
	struct buf own = { 0 };
	buf_printf(&own, "%s/snapshot", r->dir);
	buf_putc(&own, '\0');
	enum err rc = make(r, dir ? dir : buf_span(&own).p, ret_why);
	buf_done(&own);
	return rc;
}
