/*
 * Preloaded: from the moment that the file named by FAULT_WHEN exists (or at once,
 * without that), calls of the kind FAULT_CALLS ("write": write, pwrite, writev, pwritev;
 * "sync": fsync, fdatasync, sync_file_range) on a path that contains FAULT_PATH fail with
 * FAULT_ERRNO; with 0 they do nothing and say that all is well.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_hit(const char *calls, int fd)
{
	const char *which = getenv("FAULT_CALLS"), *when = getenv("FAULT_WHEN"),
		   *path = getenv("FAULT_PATH");
	char link[64], name[512];
	int before = errno;
	if (!which || !path || strcmp(which, calls) != 0 ||
	    (when && access(when, F_OK) != 0)) {
		errno = before;
		return 0;
	}
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, name, sizeof name - 1);
	errno = before;
	if (n < 0)
		return 0;
	name[n] = '\0';
	return strstr(name, path) != NULL;
}

/* The errno; 0 pretends. */
static int fault(void)
{
	const char *e = getenv("FAULT_ERRNO");
	return e ? atoi(e) : EIO;
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* True: the call ends here, with *ret. */
static int failed(const char *calls, int fd, ssize_t pretended, ssize_t *ret)
{
	if (!is_hit(calls, fd))
		return 0;
	int e = fault();
	*ret = e ? -1 : pretended;
	if (e)
		errno = e;
	return 1;
}

ssize_t write(int fd, const void *p, size_t n)
{
	ssize_t (*real)(int, const void *, size_t) = next("write"), r;
	return failed("write", fd, (ssize_t)n, &r) ? r : real(fd, p, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	ssize_t (*real)(int, const void *, size_t, off_t) = next("pwrite"), r;
	return failed("write", fd, (ssize_t)n, &r) ? r : real(fd, p, n, at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	ssize_t (*real)(int, const void *, size_t, off64_t) = next("pwrite64"), r;
	return failed("write", fd, (ssize_t)n, &r) ? r : real(fd, p, n, at);
}

static ssize_t total(const struct iovec *v, int n)
{
	ssize_t sum = 0;
	for (int i = 0; i < n; i++)
		sum += (ssize_t)v[i].iov_len;
	return sum;
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	ssize_t (*real)(int, const struct iovec *, int) = next("writev"), r;
	return failed("write", fd, total(v, n), &r) ? r : real(fd, v, n);
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	ssize_t (*real)(int, const struct iovec *, int, off_t) = next("pwritev"), r;
	return failed("write", fd, total(v, n), &r) ? r : real(fd, v, n, at);
}

ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t at)
{
	ssize_t (*real)(int, const struct iovec *, int, off64_t) = next("pwritev64"), r;
	return failed("write", fd, total(v, n), &r) ? r : real(fd, v, n, at);
}

int fdatasync(int fd)
{
	int (*real)(int) = next("fdatasync");
	ssize_t r;
	return failed("sync", fd, 0, &r) ? (int)r : real(fd);
}

int fsync(int fd)
{
	int (*real)(int) = next("fsync");
	ssize_t r;
	return failed("sync", fd, 0, &r) ? (int)r : real(fd);
}
