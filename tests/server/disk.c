/*
 * Preloaded into a server: a disk that the test holds in its hands. While the file
 * $DISK/hold is there every sync waits; while $DISK/full is there, writing to what lies
 * under $DISK_OF (segments of bodies, spooled messages) says that there is no space.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

int fdatasync(int fd);
int fsync(int fd);
ssize_t pwrite(int fd, const void *from, size_t n, off_t at);
ssize_t pwrite64(int fd, const void *from, size_t n, off_t at);
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at);
ssize_t pwritev64(int fd, const struct iovec *v, int n, off_t at);

static int is_there(const char *name)
{
	char path[512];
	const char *dir = getenv("DISK");
	snprintf(path, sizeof path, "%s/%s", dir ? dir : "/nonexistent", name);
	return access(path, F_OK) == 0;
}

static int is_watched(int fd)
{
	const char *of = getenv("DISK_OF");
	char link[64], name[512];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, name, sizeof name - 1);
	if (n < 0 || !of)
		return 0;
	name[n] = '\0';
	return strstr(name, of) != NULL;
}

static int sync_with(const char *symbol, int fd)
{
	int (*real)(int);
	void *found = dlsym(RTLD_NEXT, symbol);
	memcpy(&real, &found, sizeof real);
	while (is_there("hold"))
		usleep(1000);
	return real(fd);
}

int fdatasync(int fd)
{
	return sync_with("fdatasync", fd);
}

int fsync(int fd)
{
	return sync_with("fsync", fd);
}

static int has_space(int fd)
{
	if (!is_there("full") || !is_watched(fd))
		return 1;
	errno = ENOSPC;
	return 0;
}

#define WRITER(name, from_type, size_type)                                               \
	ssize_t name(int fd, from_type from, size_type n, off_t at)                      \
	{                                                                                \
		ssize_t (*real)(int, from_type, size_type, off_t);                       \
		void *found = dlsym(RTLD_NEXT, #name);                                   \
		memcpy(&real, &found, sizeof real);                                      \
		return has_space(fd) ? real(fd, from, n, at) : -1;                       \
	}

WRITER(pwrite, const void *, size_t)
WRITER(pwrite64, const void *, size_t)
WRITER(pwritev, const struct iovec *, int)
WRITER(pwritev64, const struct iovec *, int)
