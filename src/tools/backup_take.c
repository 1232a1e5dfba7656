/*
 * Taking a backup. A snapshot of the store (store.h) is copied file by file; what the
 * newest backup has already, and what a run that was killed has copied, is linked
 * instead: files of the index and segments never change once they are whole. The manifest
 * is written line by line, and the directory gets its name when all of it is on the
 * device.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/backup.h"

struct base { /* an earlier one whose files may be linked */
	const char *dir;
	struct manifest manifest;
	bool has;
};

struct taking {
	struct arena *arena;
	const struct config *config;
	const char *to, *partial, *snapshot;
	struct base base[2];
	struct manifest_writer manifest;
	const char *growing; /* names, each behind a LF */
	struct backup_taken *done;
	struct buf *why;
};

static const char *join(struct taking *t, const char *dir, const char *name)
{
	return arena_printf(t->arena, "%s/%s", dir, name);
}

/* ---- one file ---- */

/* It never changed since: so it need not be copied. */
static const struct backup_file *find_base(struct taking *t, const struct backup_file *f,
					   const struct base **ret)
{
	for (int i = 0; i < 2 && !f->grows; i++) {
		const struct base *b = &t->base[i];
		const struct backup_file *was = b->has
						    ? manifest_find(&b->manifest, f->path)
						    : NULL;
		if (was && !was->grows && was->bytes == f->bytes &&
		    was->mtime_ns == f->mtime_ns) {
			*ret = b;
			return was;
		}
	}
	return NULL;
}

static bool link_base(struct taking *t, struct backup_file *f, const char *to)
{
	const struct base *b;
	struct stat st;
	const struct backup_file *was = find_base(t, f, &b);
	const char *from = was ? join(t, b->dir, f->path) : NULL;
	if (!was || stat(from, &st) != 0 || (uint64_t)st.st_size != was->bytes ||
	    link(from, to) != 0)
		return false; /* then it is copied */
	f->crc = was->crc;
	return true;
}

static bool take_file(struct taking *t, const char *from, const char *path, bool grows)
{
	struct backup_file f = { .path = path, .grows = grows };
	const char *to = join(t, t->partial, path);
	if (backup_is_stopped()) {
		buf_puts(t->why, "Stopped by a signal.");
		return false;
	}
	if (!file_look(from, &f, t->why))
		return false;
	if (!link_base(t, &f, to)) {
		if (!file_copy(from, to, &f, NULL, t->why))
			return false;
		t->done->copied_files++;
		t->done->copied_bytes += f.bytes;
	}
	t->done->files++;
	t->done->bytes += f.bytes;
	return manifest_add(&t->manifest, &f, t->why);
}

/* ---- all of them ---- */

static bool is_growing(struct taking *t, const char *name)
{
	return strstr(t->growing, arena_printf(t->arena, "\n%s\n", name)) != NULL;
}

/* Files of RocksDB that the database itself writes once; others it may write again. */
static bool is_written_once(const char *name)
{
	const char *end = strrchr(name, '.');
	return end && (strcmp(end, ".sst") == 0 || strcmp(end, ".seg") == 0);
}

static bool take_dir(struct taking *t, const char *part)
{
	const char **name, *from = join(t, t->snapshot, part);
	const char *to = arena_printf(t->arena, "store/%s", part);
	size_t n;
	if (!dir_make(join(t, t->partial, to), t->why) ||
	    !dir_list(t->arena, from, &name, &n, t->why))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!take_file(t, join(t, from, name[i]),
			       arena_printf(t->arena, "%s/%s", to, name[i]),
			       !is_written_once(name[i]) || is_growing(t, name[i])))
			return false;
	return dir_sync(join(t, t->partial, to), t->why);
}

static bool take_site_file(struct taking *t, const char *from, const char *name)
{
	if (access(from, F_OK) != 0 && errno == ENOENT)
		return true;
	return take_file(t, from, arena_printf(t->arena, "site/%s", name), true);
}

/* After the mail: whoever has mail in it is in the table, unless he was deleted since. */
static bool take_site(struct taking *t)
{
	const struct config *c = t->config;
	return dir_make(join(t, t->partial, "site"), t->why) &&
	       take_site_file(t, c->path, "mailstile.yaml") &&
	       take_site_file(t, c->users, "users") &&
	       take_site_file(t, arena_printf(t->arena, "%s.secret", c->users),
			      "users.secret") &&
	       dir_sync(join(t, t->partial, "site"), t->why);
}

static bool read_growing(struct taking *t)
{
	const char *path = join(t, t->snapshot, "growing");
	struct buf text = { 0 };
	FILE *file = fopen(path, "re");
	if (!file)
		return file_fail(t->why, "read", path);
	buf_putc(&text, '\n');
	for (int ch; (ch = getc(file)) != EOF;)
		buf_putc(&text, (char)ch);
	fclose(file);
	buf_putc(&text, '\0');
	t->growing = arena_strdup(t->arena, buf_span(&text).p);
	buf_done(&text);
	return true;
}

static bool take_files(struct taking *t)
{
	return read_growing(t) && dir_make(join(t, t->partial, "store"), t->why) &&
	       take_dir(t, "segments") && take_dir(t, "index") && take_site(t) &&
	       dir_sync(join(t, t->partial, "store"), t->why);
}

/* ---- before and after ---- */

static bool base_read(struct base *b, const char *dir)
{
	struct buf ignored = { 0 };
	b->dir = dir;
	manifest_read(dir, &b->manifest, &ignored);
	b->has = b->manifest.n > 0;
	buf_done(&ignored);
	return b->has;
}

/* What runs that did not come to their end left: that with more of it is kept. */
static bool keep_unfinished(struct taking *t)
{
	const char *before = join(t, t->to, BACKUP_BEFORE);
	struct base old = { 0 }, last = { 0 };
	base_read(&old, before);
	base_read(&last, t->partial);
	bool is_better = !old.has || last.manifest.bytes >= old.manifest.bytes;
	bool is_ok = dir_remove(is_better ? before : t->partial, t->why);
	if (is_ok && is_better && rename(t->partial, before) != 0 && errno != ENOENT)
		is_ok = file_fail(t->why, "rename", t->partial);
	manifest_done(&old.manifest);
	manifest_done(&last.manifest);
	base_read(&t->base[1], before);
	return is_ok;
}

static bool begin(struct taking *t)
{
	const char **name;
	size_t n;
	if (!keep_unfinished(t) || !backup_names(t->arena, t->to, &name, &n, t->why))
		return false;
	if (n > 0)
		base_read(&t->base[0], join(t, t->to, name[n - 1]));
	/* the names are the order in time, whatever the clock does */
	time_t now = (time_t)clock_wall_s();
	struct tm tm = { 0 };
	if (n > 0 && strptime(name[n - 1], "%Y%m%dT%H%M%SZ", &tm) && timegm(&tm) >= now)
		now = timegm(&tm) + 1;
	gmtime_r(&now, &tm);
	strftime(t->done->name, BACKUP_NAME, "%Y%m%dT%H%M%SZ", &tm);
	return dir_make(t->partial, t->why) &&
	       manifest_begin(&t->manifest, t->partial, t->why);
}

static bool finish(struct taking *t)
{
	const char *name = join(t, t->to, t->done->name);
	if (!manifest_end(&t->manifest, t->why) || !dir_sync(t->partial, t->why))
		return false;
	if (rename(t->partial, name) != 0)
		return file_fail(t->why, "rename", t->partial);
	return dir_sync(t->to, t->why) &&
	       dir_remove(join(t, t->to, BACKUP_BEFORE), t->why);
}

/* A name that begins with a point is none of a backup. */
static bool prune(struct taking *t, uint64_t keep)
{
	const char **name, *gone = join(t, t->to, ".gone");
	size_t n;
	if (!dir_remove(gone, t->why) ||
	    !backup_names(t->arena, t->to, &name, &n, t->why))
		return false;
	for (size_t i = 0; keep && i + keep < n; i++) {
		const char *path = join(t, t->to, name[i]);
		if (rename(path, gone) != 0)
			return file_fail(t->why, "rename", path);
		if (!dir_remove(gone, t->why))
			return false;
	}
	return true;
}

static int open_to(struct taking *t)
{
	const char *mark = join(t, t->to, BACKUP_MARK), **name;
	size_t n;
	if (!dir_make(t->to, t->why) || !dir_list(t->arena, t->to, &name, &n, t->why))
		return -1;
	if (n > 0 && access(mark, F_OK) != 0) {
		buf_printf(t->why, "%s is not empty and has no backups: choose another.",
			   t->to);
		return -1;
	}
	return lock_take(mark, "Another backup to the same place is under way.", t->why);
}

bool backup_take(const struct config *c, const char *to, uint64_t keep,
		 struct backup_taken *ret, struct buf *why)
{
	struct taking t = {
		.arena = arena_new(NULL), .config = c, .to = to, .done = ret, .why = why
	};
	*ret = (struct backup_taken){ 0 };
	t.partial = join(&t, to, BACKUP_PARTIAL);
	t.snapshot = snapshot_path(t.arena, c);
	int lock = open_to(&t), store = -1;
	bool is_ok = lock >= 0 && begin(&t);
	if (is_ok) {
		store = snapshot_make(c, why);
		is_ok = store >= 0 && take_files(&t);
	}
	if (store >= 0) {
		snapshot_remove(c);
		close(store);
	}
	is_ok = is_ok && finish(&t) && prune(&t, keep);
	manifest_close(&t.manifest);
	for (int i = 0; i < 2; i++)
		if (t.base[i].dir)
			manifest_done(&t.base[i].manifest);
	if (lock >= 0)
		close(lock);
	arena_free(t.arena);
	return is_ok;
}
