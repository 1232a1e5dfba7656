/* The secret beside the user table: under it names that do not exist get their salts. */
#include "tools/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static bool fail(struct buf *why, const char *what, const char *path)
{
	buf_printf(why, "Cannot %s %s: %s.", what, path,
		   errno ? strerror(errno)
			 : "it is cut off; delete it, and a new one is made");
	return false;
}

/* Beside it first, so that a file that is there is whole. */
static bool make(const char *path, uint8_t secret[SECRET_BYTES], struct buf *why)
{
	struct buf new_path = { 0 };
	bool is_ok;
	int fd;

	buf_printf(&new_path, "%s.new", path);
	buf_putc(&new_path, '\0');
	is_ok = getrandom(secret, SECRET_BYTES, 0) == SECRET_BYTES;
	fd = open(new_path.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	is_ok = is_ok && fd >= 0 && write(fd, secret, SECRET_BYTES) == SECRET_BYTES &&
		fsync(fd) == 0 && rename(new_path.p, path) == 0;
	if (fd >= 0)
		close(fd);
	buf_done(&new_path);
	return is_ok || fail(why, "make", path);
}

bool secret_load(const char *path, uint8_t secret[SECRET_BYTES], struct buf *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? make(path, secret, why)
				       : fail(why, "open", path);
	errno = 0;
	n = read(fd, secret, SECRET_BYTES);
	close(fd);
	return n == SECRET_BYTES || fail(why, "read", path);
}
