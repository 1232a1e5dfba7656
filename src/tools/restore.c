/* mailstile restore: a site, or one user's mail, from a backup (doc/backup.md). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/backup.h"
#include "tools/pidfile.h"
#include "tools/site.h"
#include "tools/subcommand.h"

static const char help[] =
    "usage: mailstile restore FROM DIR [--backup NAME] [--replace]\n"
    "       mailstile restore FROM DIR [--backup NAME] --user NAME\n\n"
    "Restores the site DIR, or the mail of one user of it, from a backup in the\n"
    "folder FROM: the newest, unless one is named. Every mailbox that is set back\n"
    "gets a new UIDVALIDITY, so that clients fetch it anew.\n\n"
    "All of it: the server must not run, and DIR must have no mail yet.\n"
    "Configuration and users come from the backup where DIR has none.\n\n"
    "  --backup NAME  that backup (mailstile backup --list FROM)\n"
    "  --replace      mail that DIR has is moved aside, to its name with the time\n"
    "  --user NAME    only this user's mail: all that he has now is replaced by what\n"
    "                 he had; others are not touched. The server may run\n";

struct restore {
	struct arena *arena;
	const char *from, *dir; /* of the backup; of the site */
	const char *user;
	bool is_replace;
	struct config *config;
	struct manifest manifest;
	struct buf why;
};

static bool fail(struct restore *r, const char *sentence)
{
	buf_puts(&r->why, sentence);
	return false;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* ---- configuration and users ---- */

static bool take_site_file(struct restore *r, const char *name, const char *to)
{
	const struct backup_file *f =
	    manifest_find(&r->manifest, arena_printf(r->arena, "site/%s", name));
	struct backup_file done;
	if (!f || access(to, F_OK) == 0)
		return true;
	const char *new_path = arena_printf(r->arena, "%s.restored", to);
	if (unlink(new_path) != 0 && errno != ENOENT)
		return file_fail(&r->why, "remove", new_path);
	if (!file_copy(arena_printf(r->arena, "%s/%s", r->from, f->path), new_path, &done,
		       f, &r->why))
		return false;
	return rename(new_path, to) == 0 || file_fail(&r->why, "rename", new_path);
}

static bool load_config(struct restore *r)
{
	if (!dir_make(r->dir, &r->why) ||
	    !take_site_file(r, "mailstile.yaml",
			    arena_printf(r->arena, "%s/mailstile.yaml", r->dir)))
		return false;
	if (config_load(r->dir, &r->config, &r->why) != ERR_OK)
		return false;
	if (strcmp(r->config->store_engine, "mem") == 0)
		return fail(r, "The store of that site is in memory.");
	return true;
}

/* A user of the backup is somebody's mail: whoever has another key does not see it. */
static bool take_users(struct restore *r)
{
	const char *path = r->config->users;
	const char *saved = arena_printf(r->arena, "%s/site/users", r->from);
	struct users *now = NULL, *then = NULL;
	struct buf ignored = { 0 };
	size_t lost = 0;
	if (!take_site_file(r, "users", path) ||
	    !take_site_file(r, "users.secret", arena_printf(r->arena, "%s.secret", path)))
		return false;
	if (users_load(path, &now, &ignored) == ERR_OK &&
	    users_load(saved, &then, &ignored) == ERR_OK)
		for (size_t i = 0; i < users_count(then); i++) {
			const struct user *u = users_at(then, i);
			const struct user *is = users_find(now, u->name);
			lost += !is || !span_eq(is->account, u->account);
		}
	if (lost > 0)
		printf(
		    "%zu users of the backup are not in %s, or with another key: their "
		    "mail is restored, but they do not see it. The backup's table is "
		    "%s.\n",
		    lost, path, saved);
	users_unref(now);
	users_unref(then);
	buf_done(&ignored);
	return true;
}

/* ---- all of it ---- */

static bool is_empty_dir(struct restore *r, const char *path)
{
	return rmdir(path) == 0 || errno == ENOENT;
}

static bool copy_store(struct restore *r, const char *to)
{
	static const char *const dirs[] = { "", "/index", "/segments" };
	for (int i = 0; i < 3; i++)
		if (!dir_make(arena_printf(r->arena, "%s%s", to, dirs[i]), &r->why))
			return false;
	for (size_t i = 0; i < r->manifest.n; i++) {
		const struct backup_file *f = &r->manifest.file[i];
		struct backup_file done;
		if (strncmp(f->path, "store/", 6) != 0)
			continue;
		if (!file_copy(arena_printf(r->arena, "%s/%s", r->from, f->path),
			       arena_printf(r->arena, "%s/%s", to, f->path + 6), &done, f,
			       &r->why))
			return false;
	}
	for (int i = 3; i-- > 0;)
		if (!dir_sync(arena_printf(r->arena, "%s%s", to, dirs[i]), &r->why))
			return false;
	return true;
}

/* `old`: mail that is being replaced, or NULL. */
static bool raise_all(struct restore *r, const char *dir, const char *old)
{
	struct backup_store s, was = { 0 };
	struct buf ignored = { 0 };
	if (!backup_store_open(&s, r->config, dir, 0, &r->why))
		return false;
	if (old && !backup_store_open(&was, r->config, old, ENGINE_READ_ONLY, &ignored))
		printf("What %s has cannot be read; UIDVALIDITYs go by the clock.\n",
		       old);
	bool is_ok = store_raise(s.store, was.store, &r->why) == ERR_OK;
	if (was.store)
		backup_store_close(&was);
	backup_store_close(&s);
	buf_done(&ignored);
	return is_ok;
}

/* Where the file system can, there is no moment without either. */
static bool swap(struct restore *r, const char *part, const char *store)
{
	char at[BACKUP_NAME];
	struct tm tm;
	time_t now = (time_t)clock_wall_s();
	gmtime_r(&now, &tm);
	strftime(at, sizeof at, "%Y%m%dT%H%M%SZ", &tm);
	const char *to = arena_printf(r->arena, "%s.%s", store, at);
	if (rename(part, to) != 0)
		return file_fail(&r->why, "rename", part);
	if (renameat2(AT_FDCWD, to, AT_FDCWD, store, RENAME_EXCHANGE) != 0) {
		if (rename(to, part) != 0 || rename(store, to) != 0)
			return file_fail(&r->why, "rename", store);
		if (rename(part, store) != 0)
			return file_fail(&r->why, "rename", part);
	}
	printf("The mail of before is in %s.\n", to);
	return true;
}

/* By RocksDB's own lock: the store need not be that of the site's own server. */
static bool is_in_use(struct restore *r, const char *store)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(arena_printf(r->arena, "%s/index/LOCK", store), O_RDWR | O_CLOEXEC);
	bool is_locked = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 &&
			 lock.l_type != F_UNLCK;
	if (fd >= 0)
		close(fd);
	if (is_locked)
		buf_printf(&r->why,
			   "Another process has the store %s open. Stop it first.",
			   store);
	return is_locked;
}

static bool restore_store(struct restore *r)
{
	const char *store = r->config->store_directory;
	const char *part = arena_printf(r->arena, "%s.restoring", store);
	bool has_old = !is_empty_dir(r, store);
	if (has_old && !r->is_replace) {
		buf_printf(
		    &r->why,
		    "%s has mail already. Move it aside, or let --replace do that.",
		    store);
		return false;
	}
	/* until the last step nothing but this folder is touched */
	if (is_in_use(r, store) || !dir_remove(part, &r->why) || !copy_store(r, part) ||
	    !raise_all(r, part, has_old ? store : NULL))
		return false;
	if (has_old ? !swap(r, part, store) : rename(part, store) != 0)
		return r->why.n > 0 ? false : file_fail(&r->why, "rename", part);
	return dir_sync(arena_printf(r->arena, "%s/..", store), &r->why);
}

/* Files that root makes would be closed to the server. */
static bool is_ours(struct restore *r)
{
	struct stat st;
	if (geteuid() != 0 || stat(r->dir, &st) != 0 || st.st_uid == 0)
		return true;
	buf_printf(&r->why, "%s belongs to another user: run this as that user.", r->dir);
	return false;
}

static bool restore_all(struct restore *r)
{
	int pidfile;
	if (!is_ours(r) || !load_config(r))
		return false;
	/* so that no server starts meanwhile; one that runs has it */
	if (pidfile_take(r->config->dir, &pidfile, &r->why) != ERR_OK) {
		buf_puts(&r->why, " Stop it first.");
		return false;
	}
	pidfile_say_nobody(pidfile);
	bool is_ok = restore_store(r) && take_users(r);
	pidfile_drop(r->config->dir, pidfile);
	if (is_ok && site_wants_tls(r->config) && access(r->config->tls_key, F_OK) != 0)
		printf("No backup has keys of certificates: put them into %s and %s.\n",
		       r->config->tls_certificate, r->config->tls_key);
	if (is_ok)
		printf("Restored %zu files, %llu bytes, as at %s, to %s. Check it: "
		       "mailstile "
		       "check %s\n",
		       r->manifest.n, (unsigned long long)r->manifest.bytes,
		       base_name(r->from), r->config->store_directory, r->dir);
	return is_ok;
}

/* ---- one user ---- */

static bool find_key(struct restore *r, const char *table, const char *place,
		     const char **ret)
{
	struct users *users;
	if (users_load(table, &users, &r->why) != ERR_OK)
		return false;
	const struct user *u = users_find(users, span_str(r->user));
	if (u)
		*ret = arena_printf(r->arena, "%.*s", (int)u->account.n, u->account.p);
	else
		buf_printf(&r->why, "There is no user \"%s\" in %s.", r->user, place);
	users_unref(users);
	return u != NULL;
}

struct counts {
	uint32_t mailboxes, messages, bodies;
};

static void note_restored(void *arg, const struct response *r, struct cursor *c)
{
	struct counts *n = arg;
	if (!span_ieq(r->name, SPAN("XRESTORE")))
		return;
	cursor_sp(c);
	n->mailboxes = cursor_number(c);
	cursor_sp(c);
	n->messages = cursor_number(c);
	cursor_sp(c);
	n->bodies = cursor_number(c);
}

/* By the server that runs, or by one in this process. */
static bool ask_restore(struct restore *r, const char *key)
{
	struct operator o;
	struct counts n = { 0 };
	char *from = realpath(arena_printf(r->arena, "%s/store", r->from), NULL);
	if (!from)
		return file_fail(&r->why, "read", r->from);
	bool is_ok = operator_open(&o, r->config, &r->why);
	if (is_ok) {
		is_ok = talk_become(&o.talk, span_str(r->user), &r->why);
		if (is_ok) {
			buf_puts(talk_begin(&o.talk), "XRESTORE ");
			emit_astring(talk_text(&o.talk), talk_mode(), span_str(key));
			buf_putc(talk_text(&o.talk), ' ');
			emit_astring(talk_text(&o.talk), talk_mode(), span_str(from));
			is_ok = operator_run(&o, note_restored, &n, &r->why);
		}
		operator_close(&o);
		backup_store_tidy(from);
	}
	free(from);
	if (is_ok)
		printf("%s has %u mailboxes with %u messages, as at %s; %u messages "
		       "copied.\n",
		       r->user, n.mailboxes, n.messages, base_name(r->from), n.bodies);
	return is_ok;
}

static bool restore_user(struct restore *r)
{
	const char *key, *saved_key;
	if (config_load(r->dir, &r->config, &r->why) != ERR_OK ||
	    !find_key(r, arena_printf(r->arena, "%s/site/users", r->from), "the backup",
		      &saved_key))
		return false;
	if (!find_key(r, r->config->users, r->config->users, &key)) {
		buf_printf(&r->why, " Add the user first: mailstile user add %s %s",
			   r->dir, r->user);
		return false;
	}
	return ask_restore(r, saved_key);
}

static int run(int argc, char **argv)
{
	struct restore r = { .arena = arena_new(NULL) };
	const char *word[2] = { NULL, NULL }, *name = NULL;
	const struct tool_option options[] = { { "backup", &name, NULL },
					       { "user", &r.user, NULL },
					       { "replace", NULL, &r.is_replace },
					       { 0 } };
	size_t n;
	int status = EXIT_FAILED;
	umask(077);
	backup_signals();
	if (!tool_options(argc, argv, options, word, "FROM", 2, &n, &r.why)) {
		status = tool_usage_buf(&cmd_restore, &r.why);
	} else if (n < 2) {
		status = tool_usage(&cmd_restore, "DIR is missing: the site to restore.");
	} else if (r.user && r.is_replace) {
		status = tool_usage(&cmd_restore, "--replace is for all of a site.");
	} else {
		r.dir = word[1];
		r.from = backup_find(r.arena, word[0], name, &r.why);
		bool is_ok = r.from &&
			     manifest_read(r.from, &r.manifest, &r.why) == ERR_OK &&
			     (r.user ? restore_user(&r) : restore_all(&r));
		status = is_ok ? EXIT_DONE : tool_fail_buf(&cmd_restore, &r.why);
	}
	if (r.manifest.arena)
		manifest_done(&r.manifest);
	config_free(r.config);
	buf_done(&r.why);
	arena_free(r.arena);
	return status;
}

const struct subcommand cmd_restore = {
	.name = "restore",
	.summary = "restores a site or one user's mail from a backup",
	.help = help,
	.run = run,
};
