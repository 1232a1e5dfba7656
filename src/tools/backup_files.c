/* Files of backups: copying, checksums, directories (backup_files.h). */
#include "tools/backup_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/crc32c.h"

enum { CHUNK = 1 << 20 };

static volatile sig_atomic_t is_stopped;

static void stop(int sig)
{
	is_stopped = 1;
}

void backup_signals(void)
{
	struct sigaction a = { .sa_handler = stop };
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool backup_is_stopped(void)
{
	return is_stopped;
}

bool file_fail(struct buf *why, const char *what, const char *path)
{
	int fault = errno;
	buf_printf(why, "Cannot %s %s: %s.", what, path, strerror(fault));
	return false;
}

/* ---- files ---- */

static void take_stat(struct backup_file *f, const struct stat *st)
{
	f->bytes = (uint64_t)st->st_size;
	f->mtime_ns = (uint64_t)st->st_mtim.tv_sec * 1000000000u +
		      (uint64_t)st->st_mtim.tv_nsec;
}

bool file_look(const char *path, struct backup_file *f, struct buf *why)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return file_fail(why, "read", path);
	take_stat(f, &st);
	return true;
}

static bool write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t got = write(fd, p, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

struct copying {
	const char *from, *to; /* to NULL: only read */
	int in, out;
	char *chunk;
};

static bool copy_bytes(struct copying *c, struct backup_file *f, struct buf *why)
{
	f->bytes = 0;
	f->crc = 0;
	for (;;) {
		if (is_stopped) {
			buf_puts(why, "Stopped by a signal.");
			return false;
		}
		ssize_t n = read(c->in, c->chunk, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_fail(why, "read", c->from);
		if (n == 0)
			return true;
		if (c->to && !write_all(c->out, c->chunk, (size_t)n))
			return file_fail(why, "write", c->to);
		f->crc = crc32c(f->crc, span_of(c->chunk, (size_t)n));
		f->bytes += (uint64_t)n;
	}
}

static bool copy_open(struct copying *c, struct backup_file *f, struct buf *why)
{
	struct stat st;
	c->in = open(c->from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (c->in < 0 || fstat(c->in, &st) != 0)
		return file_fail(why, "read", c->from);
	take_stat(f, &st);
	if (!c->to)
		return true;
	c->out = open(c->to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return c->out >= 0 || file_fail(why, "write", c->to);
}

static bool copy_settle(struct copying *c, const struct backup_file *f, struct buf *why)
{
	struct timespec at = { .tv_sec = (time_t)(f->mtime_ns / 1000000000u),
			       .tv_nsec = (long)(f->mtime_ns % 1000000000u) };
	struct timespec times[2] = { at, at };
	futimens(c->out, times); /* a convenience: what is older is recognised by it */
	return fsync(c->out) == 0 || file_fail(why, "write", c->to);
}

static bool copy_run(struct copying *c, struct backup_file *f,
		     const struct backup_file *want, struct buf *why)
{
	c->in = c->out = -1;
	c->chunk = xmalloc(CHUNK);
	bool is_ok = copy_open(c, f, why) && copy_bytes(c, f, why);
	if (is_ok && want && (f->bytes != want->bytes || f->crc != want->crc)) {
		buf_printf(why,
			   "%s is damaged: its checksum is not that of the manifest.",
			   c->from);
		is_ok = false;
	}
	if (is_ok && c->to)
		is_ok = copy_settle(c, f, why);
	if (c->in >= 0)
		close(c->in);
	if (c->out >= 0 && close(c->out) != 0 && is_ok)
		is_ok = file_fail(why, "write", c->to);
	free(c->chunk);
	return is_ok;
}

bool file_copy(const char *from, const char *to, struct backup_file *f,
	       const struct backup_file *want, struct buf *why)
{
	struct copying c = { .from = from, .to = to };
	bool is_ok = copy_run(&c, f, want, why);
	if (!is_ok)
		unlink(to);
	return is_ok;
}

bool file_sum(const char *path, struct backup_file *f, struct buf *why)
{
	struct copying c = { .from = path };
	return copy_run(&c, f, NULL, why);
}

/* ---- directories ---- */

bool dir_make(const char *path, struct buf *why)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST || file_fail(why, "make", path);
}

bool dir_sync(const char *path, struct buf *why)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is_ok = fd >= 0 && fsync(fd) == 0;
	if (!is_ok)
		file_fail(why, "sync", path);
	if (fd >= 0)
		close(fd);
	return is_ok;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool dir_list(struct arena *a, const char *path, const char ***ret, size_t *ret_n,
	      struct buf *why)
{
	const char **names = NULL;
	size_t n = 0, cap = 0;
	DIR *d = opendir(path);
	if (!d && errno != ENOENT)
		return file_fail(why, "read", path);
	for (struct dirent *e; d && (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (n == cap) {
			const char **more = arena_array(a, cap ? cap * 2 : 32,
							sizeof *more);
			if (n > 0)
				memcpy(more, names, n * sizeof *more);
			cap = cap ? cap * 2 : 32;
			names = more;
		}
		names[n++] = arena_strdup(a, e->d_name);
	}
	if (d)
		closedir(d);
	if (n > 1)
		qsort(names, n, sizeof *names, by_name);
	*ret = names;
	*ret_n = n;
	return true;
}

/* Backups and stores have two levels of directories; more than that is not ours. */
static bool remove_level(struct arena *a, const char *path, int depth, struct buf *why)
{
	const char **name;
	size_t n;
	if (!dir_list(a, path, &name, &n, why))
		return false;
	for (size_t i = 0; i < n; i++) {
		const char *at = arena_printf(a, "%s/%s", path, name[i]);
		if (unlink(at) == 0 || errno == ENOENT)
			continue;
		if ((errno != EISDIR && errno != EPERM) || depth == 0)
			return file_fail(why, "remove", at);
		if (!remove_level(a, at, depth - 1, why))
			return false;
	}
	return rmdir(path) == 0 || errno == ENOENT || file_fail(why, "remove", path);
}

bool dir_remove(const char *path, struct buf *why)
{
	enum { LEVELS = 4 };
	struct arena *a = arena_new(NULL);
	bool is_ok = remove_level(a, path, LEVELS, why);
	arena_free(a);
	return is_ok;
}

int lock_take(const char *path, const char *busy, struct buf *why)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		file_fail(why, "open", path);
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (errno == EWOULDBLOCK)
		buf_puts(why, busy);
	else
		file_fail(why, "lock", path);
	close(fd);
	return -1;
}
