/* The pid file: lock, contents, and the tool's side. */
#include "tools/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 5000, STEP_MS = 5 };

struct path {
	char text[4096];
};

static struct path path_in(const char *dir)
{
	struct path p;
	snprintf(p.text, sizeof p.text, "%s/mailstile.pid", dir);
	return p;
}

struct stamp stamp_of(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return (struct stamp){ 0, 0 };
	return (struct stamp){ st.st_ino, (uint64_t)st.st_mtim.tv_sec * 1000000000 +
					      (uint64_t)st.st_mtim.tv_nsec };
}

/* Whether `path` still names what `fd` is: the last server may just have removed it. */
static bool is_there(const char *path, int fd)
{
	struct stat named, open_one;
	return stat(path, &named) == 0 && fstat(fd, &open_one) == 0 &&
	       named.st_ino == open_one.st_ino && named.st_dev == open_one.st_dev;
}

enum err pidfile_take(const char *dir, int *ret_fd, struct buf *ret_why)
{
	struct path p = path_in(dir);
	for (;;) {
		int fd = open(p.text, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		bool is_locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
		if (is_locked && is_there(p.text, fd)) {
			*ret_fd = fd;
			pidfile_say(fd, (struct stamp){ 0, 0 });
			return ERR_OK;
		}
		int fault = errno;
		if (fd >= 0)
			close(fd);
		if (is_locked)
			continue;
		if (fd >= 0 && fault == EWOULDBLOCK) {
			buf_printf(ret_why, "A server runs on %s already.", dir);
			return ERR_BUSY;
		}
		buf_printf(ret_why, "Cannot %s %s: %s.", fd < 0 ? "open" : "lock", p.text,
			   strerror(fault));
		return ERR_IO;
	}
}

void pidfile_say(int fd, struct stamp users)
{
	/* one write of a fixed length, so that a reader never sees half of it */
	char text[96];
	int n = snprintf(text, sizeof text,
			 "%-10ld\nusers %020" PRIu64 " %020" PRIu64 "\n", (long)getpid(),
			 users.inode, users.mtime_ns);
	if (n > 0 && pwrite(fd, text, (size_t)n, 0) != n && ftruncate(fd, 0) != 0)
		return; /* tools then wait in vain and say so */
}

void pidfile_say_nobody(int fd)
{
	if (ftruncate(fd, 0) != 0)
		return; /* SIGHUP ends it then, in order */
}

void pidfile_drop(const char *dir, int fd)
{
	struct path p = path_in(dir);
	unlink(p.text);
	close(fd);
}

/* What the server says; pid 0 when it cannot be read. */
struct said {
	long pid;
	struct stamp users;
};

static struct said read_said(int fd)
{
	char text[128];
	struct said s = { 0 };
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	if (n <= 0)
		return s;
	text[n] = 0;
	if (sscanf(text, "%ld users %" SCNu64 " %" SCNu64, &s.pid, &s.users.inode,
		   &s.users.mtime_ns) != 3)
		s.pid = 0;
	return s;
}

static enum err wait_for(int fd, const char *users)
{
	for (int ms = 0; ms < WAIT_MS; ms += STEP_MS) {
		struct stamp there = stamp_of(users);
		struct said s = read_said(fd);
		if (s.users.inode == there.inode && s.users.mtime_ns == there.mtime_ns)
			return ERR_OK;
		usleep(STEP_MS * 1000);
	}
	return ERR_AGAIN;
}

enum err pidfile_reload(const char *dir, const char *users)
{
	struct path p = path_in(dir);
	enum err rc = ERR_NOENT;
	int fd = open(p.text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return ERR_NOENT;
	if (flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
		struct said s = read_said(fd);
		if (s.pid > 1 && kill((pid_t)s.pid, SIGHUP) == 0)
			rc = wait_for(fd, users);
		else
			rc = s.pid > 1 && errno == EPERM ? ERR_DENIED : ERR_NOENT;
	}
	close(fd);
	return rc;
}
