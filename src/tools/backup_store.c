/* Backups: the site's own store, snapshots of it, and where backups lie (backup.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/backup.h"
#include "tools/site.h"

enum { WORKERS = 2 };

/* ---- stores ---- */

bool backup_store_open(struct backup_store *s, const struct config *c, const char *dir,
		       unsigned flags, struct buf *why)
{
	*s = (struct backup_store){ .workers = workers_new(WORKERS) };
	if (!s->workers) {
		buf_puts(why, "The system refuses threads.");
		return false;
	}
	struct engine_config e = site_engine(c, workers_executor(s->workers));
	s->dir = xstrdup(dir);
	s->is_read_only = (flags & ENGINE_READ_ONLY) != 0;
	e.kind = "rocks";
	e.dir = s->dir;
	e.flags |= flags;
	if (store_open(&e, &s->store, why) == ERR_OK)
		return true;
	backup_store_close(s);
	return false;
}

/* RocksDB writes about itself where it opens a database, read-only too. */
void backup_store_tidy(const char *dir)
{
	struct arena *a = arena_new(NULL);
	struct buf ignored = { 0 };
	const char **name, *index = arena_printf(a, "%s/index", dir);
	size_t n = 0;
	dir_list(a, index, &name, &n, &ignored);
	for (size_t i = 0; i < n; i++)
		if (strncmp(name[i], "LOG", 3) == 0)
			unlink(arena_printf(a, "%s/%s", index, name[i]));
	buf_done(&ignored);
	arena_free(a);
}

void backup_store_close(struct backup_store *s)
{
	store_close(s->store);
	if (s->workers)
		workers_free(s->workers);
	if (s->dir && s->is_read_only)
		backup_store_tidy(s->dir);
	free(s->dir);
	*s = (struct backup_store){ 0 };
}

/* ---- commands to the server ---- */

bool operator_open(struct operator* o, const struct config *c, struct buf *why)
{
	*o = (struct operator){ .talk = { .fd = -1 } };
	if (reach_open(c, &o->reach, why) != ERR_OK)
		return false;
	if (talk_open(&o->talk, reach_dial(o->reach, why), why))
		return true;
	operator_close(o);
	return false;
}

void operator_close(struct operator* o)
{
	talk_close(&o->talk);
	reach_close(o->reach);
}

struct listening {
	talk_data *data;
	void *arg;
	struct buf *why;
};

static void hear(void *arg, const struct response *r, struct cursor *c)
{
	struct listening *l = arg;
	if (!span_ieq(r->name, SPAN("XFAILED"))) {
		if (l->data)
			l->data(l->arg, r, c);
		return;
	}
	cursor_sp(c);
	struct span said = cursor_astring(c);
	if (!c->bad)
		buf_put(l->why, said);
}

bool operator_run(struct operator* o, talk_data *data, void *arg, struct buf *why)
{
	struct listening l = { data, arg, why };
	enum talk_rc rc = talk_run(&o->talk, hear, &l);
	if (rc != TALK_OK && why->n == 0)
		buf_put(why, talk_said(&o->talk));
	return rc == TALK_OK;
}

/* ---- snapshots ---- */

const char *snapshot_path(struct arena *a, const struct config *c)
{
	return arena_printf(a, "%s/" STORE_SNAPSHOT, c->store_directory);
}

/* Root's is the store's owner's, who makes backups too. */
static int take_lock(const struct config *c, struct buf *why)
{
	struct arena *a = arena_new(NULL);
	struct stat st;
	int lock = lock_take(arena_printf(a, "%s/backup.lock", c->store_directory),
			     "Another backup of the same store is under way.", why);
	if (lock >= 0 && geteuid() == 0 && stat(c->store_directory, &st) == 0 &&
	    fchown(lock, st.st_uid, st.st_gid) != 0) {
		file_fail(why, "give away", "the lock of the store");
		close(lock);
		lock = -1;
	}
	arena_free(a);
	return lock;
}

static bool ask_snapshot(struct operator* o, struct buf *why)
{
	buf_puts(talk_begin(&o->talk), "XBACKUP");
	return operator_run(o, NULL, NULL, why);
}

int snapshot_make(const struct config *c, struct buf *why)
{
	struct arena *a = arena_new(NULL);
	const char *path = snapshot_path(a, c);
	bool is_ok = true;
	int lock = -1;
	if (strcmp(c->store_engine, "mem") == 0) {
		buf_puts(why, "The store is in memory: there is nothing to back up.");
		is_ok = false;
	} else if (access(c->store_directory, F_OK) != 0) {
		buf_printf(why, "There is no store in %s yet.", c->store_directory);
		is_ok = false;
	}
	if (is_ok)
		lock = take_lock(c, why);
	if (lock >= 0) {
		struct operator o;
		is_ok = dir_remove(path, why) && operator_open(&o, c, why);
		if (is_ok) {
			is_ok = ask_snapshot(&o, why);
			operator_close(&o);
		}
	}
	if (lock >= 0 && !is_ok) {
		snapshot_remove(c);
		close(lock);
		lock = -1;
	}
	arena_free(a);
	return lock;
}

void snapshot_remove(const struct config *c)
{
	struct arena *a = arena_new(NULL);
	struct buf ignored = { 0 };
	dir_remove(snapshot_path(a, c), &ignored);
	buf_done(&ignored);
	arena_free(a);
}

void snapshot_clean(const struct config *c)
{
	struct arena *a = arena_new(NULL);
	struct buf ignored = { 0 };
	int lock = access(snapshot_path(a, c), F_OK) == 0 ? take_lock(c, &ignored) : -1;
	if (lock >= 0) {
		snapshot_remove(c);
		close(lock);
	}
	buf_done(&ignored);
	arena_free(a);
}

/* ---- places ---- */

static bool is_name(const char *s)
{
	if (strlen(s) != BACKUP_NAME - 1)
		return false;
	for (int i = 0; i < BACKUP_NAME - 1; i++)
		if (i == 8    ? s[i] != 'T'
		    : i == 15 ? s[i] != 'Z'
			      : s[i] < '0' || s[i] > '9')
			return false;
	return true;
}

bool backup_names(struct arena *a, const char *to, const char ***ret, size_t *ret_n,
		  struct buf *why)
{
	const char **name;
	size_t n, kept = 0;
	if (!dir_list(a, to, &name, &n, why))
		return false;
	for (size_t i = 0; i < n; i++)
		if (is_name(name[i]))
			name[kept++] = name[i];
	*ret = name;
	*ret_n = kept;
	return true;
}

const char *backup_find(struct arena *a, const char *from, const char *name,
			struct buf *why)
{
	const char **names;
	size_t n;
	if (!name && access(arena_printf(a, "%s/" BACKUP_MANIFEST, from), F_OK) == 0)
		return from;
	if (access(arena_printf(a, "%s/" BACKUP_MARK, from), F_OK) != 0) {
		buf_printf(why, "There are no backups in %s.", from);
		return NULL;
	}
	if (!backup_names(a, from, &names, &n, why))
		return NULL;
	for (size_t i = n; i-- > 0;)
		if (!name || strcmp(names[i], name) == 0)
			return arena_printf(a, "%s/%s", from, names[i]);
	if (name)
		buf_printf(why, "There is no backup %s in %s.", name, from);
	else
		buf_printf(why, "There is no whole backup in %s yet.", from);
	return NULL;
}
