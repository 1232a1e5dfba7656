/*
 * Preloaded: from the moment that the file named by FAIL_SYNC_WHEN exists,
 * every sync of a path that contains FAIL_SYNC_PATH fails with EIO.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fdatasync(int fd);
int fsync(int fd);

static int must_fail(int fd)
{
	const char *when = getenv("FAIL_SYNC_WHEN"), *path = getenv("FAIL_SYNC_PATH");
	char link[64], name[512];
	if (!when || !path || access(when, F_OK) != 0)
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, name, sizeof name - 1);
	if (n < 0)
		return 0;
	name[n] = '\0';
	return strstr(name, path) != NULL;
}

static int sync_with(const char *symbol, int fd)
{
	int (*real)(int);
	void *found = dlsym(RTLD_NEXT, symbol);
	memcpy(&real, &found, sizeof real);
	if (!must_fail(fd))
		return real(fd);
	errno = EIO;
	return -1;
}

int fdatasync(int fd)
{
	return sync_with("fdatasync", fd);
}

int fsync(int fd)
{
	return sync_with("fsync", fd);
}
