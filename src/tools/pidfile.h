/*
 * DIR/mailstile.pid. The server holds a lock on it as long as it runs, so a
 * file that a crash left behind misleads nobody and a site has one server. It
 * says the process and which version of the user table is in force:
 *
 *	PID
 *	users INODE MTIME_NS
 */
#ifndef TOOLS_PIDFILE_H
#define TOOLS_PIDFILE_H

#include "base/buf.h"
#include "base/err.h"

/* Tells one version of a file from another: every save makes a new file. */
struct stamp {
	uint64_t inode, mtime_ns;
};
/* {0, 0} when there is no file. */
struct stamp stamp_of(const char *path);

/* The server: locks and writes it. ERR_BUSY: another server has it; else ERR_IO. */
enum err pidfile_take(const char *dir, int *ret_fd, struct buf *ret_why);
/* The user table of that stamp is in force from now on. */
void pidfile_say(int fd, struct stamp users);
/* Whoever holds it is a tool, not a server: it is told of no change of users. */
void pidfile_say_nobody(int fd);
/* Removes it and unlocks. */
void pidfile_drop(const char *dir, int fd);

/*
 * A tool: if a server runs on the site, tells it to reload (SIGHUP) and waits, at
 * most 5 s, until the table at `users` is in force. ERR_NOENT: none runs.
 * ERR_DENIED: it is another user's. ERR_AGAIN: it has not reloaded yet.
 */
enum err pidfile_reload(const char *dir, const char *users);

#endif
