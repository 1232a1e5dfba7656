/*
 * Backups and where they lie, for `backup` and `restore` (doc/backup.md).
 *
 *	TO/mailstile-backups      locked by who writes
 *	TO/20260131T091244Z/      a backup, whole: its name is given last
 *		manifest
 *		store/index, store/segments    a store, as the server has it
 *		site/mailstile.yaml, site/users, site/users.secret
 *	TO/.partial, TO/.before   what runs that did not come to their end left
 */
#ifndef TOOLS_BACKUP_H
#define TOOLS_BACKUP_H

#include "store/store.h"
#include "tools/backup_files.h"
#include "tools/config.h"
#include "tools/reach.h"
#include "tools/talk.h"

#define BACKUP_MARK    "mailstile-backups"
#define BACKUP_PARTIAL ".partial"
#define BACKUP_BEFORE  ".before"
#define BACKUP_NAME    17 /* bytes: 20260131T091244Z, and a NUL */

/* Names of the backups in TO, oldest first, in `a`. */
bool backup_names(struct arena *a, const char *to, const char ***ret, size_t *ret_n,
		  struct buf *why);
/*
 * The directory of a backup: `from` itself when it is one; else the one of that name in
 * it (NULL: the newest). In `a`; NULL and a sentence otherwise.
 */
const char *backup_find(struct arena *a, const char *from, const char *name,
			struct buf *why);

struct backup_taken {
	char name[BACKUP_NAME];
	uint64_t files, bytes, copied_files, copied_bytes;
};
/* Takes one, and removes the oldest when there are more than `keep` (0: all are kept). */
bool backup_take(const struct config *c, const char *to, uint64_t keep,
		 struct backup_taken *ret, struct buf *why);

/* ---- the site's own store ---- */

/* Where a snapshot of the store lies while it is being copied; in `a`. */
const char *snapshot_path(struct arena *a, const struct config *c);
/*
 * Makes it, asking the server if one runs. Returns a lock to be closed when it is not
 * needed any more; -1 and a sentence otherwise.
 */
int snapshot_make(const struct config *c, struct buf *why);
/* Removes it. */
void snapshot_remove(const struct config *c);
/* What a backup that was killed left, unless one is under way. When a server starts. */
void snapshot_clean(const struct config *c);

/* A store that nobody else uses, or of a backup with ENGINE_READ_ONLY; the info logs that
 * RocksDB writes beside it are removed by backup_store_close(). */
struct backup_store {
	struct workers *workers;
	struct store *store;
	char *dir;
	bool is_read_only;
};
bool backup_store_open(struct backup_store *s, const struct config *c, const char *dir,
		       unsigned flags, struct buf *why);
void backup_store_close(struct backup_store *s);
/* What RocksDB wrote about itself into the store of a backup that somebody opened. */
void backup_store_tidy(const char *dir);

/* Commands of server/ext_backup.c, to the server that runs or to one in this process. */
struct operator
{
	struct reach *reach;
	struct talk talk;
};
bool operator_open(struct operator* o, const struct config *c, struct buf *why);
void operator_close(struct operator* o);
/* Ends the command that talk_begin(&o->talk) began. A sentence in `why` otherwise. */
bool operator_run(struct operator* o, talk_data *data, void *arg, struct buf *why);

#endif
