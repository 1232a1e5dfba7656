/*
 * Files of backups (doc/backup.md): copying with checksums, and the manifest of a backup,
 * which is written last and says that it is whole:
 *
 *	mailstile-backup 1
 *	file BYTES CRC32C MTIME_NS -|+ PATH     "+": it may have grown since
 *	...
 *	end FILES CRC32C                        of all lines before
 *
 * One that is not there yet has its lines without the end: each of a file that is whole.
 */
#ifndef TOOLS_BACKUP_FILES_H
#define TOOLS_BACKUP_FILES_H

#include <stdio.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define BACKUP_MANIFEST "manifest"

struct backup_file {
	const char *path; /* in the backup */
	uint64_t bytes, mtime_ns;
	uint32_t crc;
	bool grows;
};

struct manifest {
	struct arena *arena;
	struct backup_file *file; /* sorted by path */
	size_t n, cap;
	uint64_t bytes;
	bool is_whole;
};

/* That of the backup in `dir`. ERR_NOENT: there is none; ERR_CORRUPT. A sentence in
 * `why`. What of one that is cut off can be read is given. */
enum err manifest_read(const char *dir, struct manifest *ret, struct buf *why);
void manifest_done(struct manifest *m);
const struct backup_file *manifest_find(const struct manifest *m, const char *path);

/* One that is being written. */
struct manifest_writer {
	FILE *file;
	uint32_t crc;
	size_t n;
};
bool manifest_begin(struct manifest_writer *w, const char *dir, struct buf *why);
bool manifest_add(struct manifest_writer *w, const struct backup_file *f,
		  struct buf *why);
/* On the device when it returns. */
bool manifest_end(struct manifest_writer *w, struct buf *why);
void manifest_close(struct manifest_writer *w); /* also after an end, or a failed begin */

/* Set by SIGINT, SIGTERM and SIGHUP after backup_signals(): copying then ends. */
void backup_signals(void);
bool backup_is_stopped(void);

/*
 * Copies a file; bytes, date and checksum go to `f`. With `want` it is an error when
 * bytes or checksum are not those. The copy is on the device, its name is not yet.
 */
bool file_copy(const char *from, const char *to, struct backup_file *f,
	       const struct backup_file *want, struct buf *why);
/* Its checksum; `to` NULL above all else. */
bool file_sum(const char *path, struct backup_file *f, struct buf *why);
/* Date and size alone. */
bool file_look(const char *path, struct backup_file *f, struct buf *why);

bool dir_make(const char *path, struct buf *why); /* 0700; fine if it is there */
bool dir_sync(const char *path, struct buf *why);
/* With all that is in it; it is fine if it is not there. */
bool dir_remove(const char *path, struct buf *why);
/* The names in it, sorted, in `a`; none if it is not there. */
bool dir_list(struct arena *a, const char *path, const char ***ret, size_t *ret_n,
	      struct buf *why);
/* Locks the file, made if absent: -1 and a sentence ("busy" when another has it). */
int lock_take(const char *path, const char *busy, struct buf *why);

/* "Cannot WHAT PATH: REASON." from errno; false. */
bool file_fail(struct buf *why, const char *what, const char *path);

#endif
