/* Changing the user table: lock, change in memory, one atomic write. */
#include "auth/users_table.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

struct users_edit {
	struct arena *arena;
	char *path; /* of the table itself: a link is followed */
	char *lock_path, *new_path;
	int lock;
	struct users *before;
	struct user *at; /* a deleted one has an empty name */
	size_t n, cap;
	struct user_index names;
};

static const char head_text[] =
    "# Mailstile users, one a line: name:account:roles:password[:key=value]...\n"
    "# account: the key of this user's mail, random; roles: \"-\" or \"admin\"; "
    "password: a\n"
    "# crypt(5) string or \"*\" (cannot log in by himself). Change it with `mailstile "
    "user`;\n"
    "# a running server notices.\n";

static enum err fail(struct buf *why, const char *what, const char *path)
{
	enum err rc = errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
	buf_printf(why, "Cannot %s %s: %s.", what, path, strerror(errno));
	return rc;
}

/* What root makes for a server that runs as another user must stay readable to it. */
static int give_away(int fd, const struct stat *like)
{
	return geteuid() == 0 ? fchown(fd, like->st_uid, like->st_gid) : 0;
}

/* The table if it is there, else its folder. */
static bool stat_owner(const char *path, struct stat *ret)
{
	if (stat(path, ret) == 0)
		return true;
	char *copy = xstrdup(path);
	bool is_ok = stat(dirname(copy), ret) == 0;
	free(copy);
	if (is_ok)
		ret->st_mode = S_IFREG | 0600;
	return is_ok;
}

static enum err lock(struct users_edit *e, struct buf *why)
{
	struct stat owner;
	e->lock = open(e->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (e->lock < 0)
		return fail(why, "open the lock", e->lock_path);
	if (stat_owner(e->path, &owner) && give_away(e->lock, &owner) != 0)
		return fail(why, "change the owner of", e->lock_path);
	while (flock(e->lock, LOCK_EX) != 0)
		if (errno != EINTR)
			return fail(why, "lock", e->lock_path);
	return ERR_OK;
}

static struct user *push(struct users_edit *e, struct user u)
{
	if (e->n == e->cap) {
		e->cap = e->cap ? e->cap * 2 : 16;
		e->at = xrealloc(e->at, e->cap * sizeof *e->at);
	}
	e->at[e->n] = u;
	user_index_put(&e->names, KEY_NAME, e->at, (uint32_t)e->n);
	return &e->at[e->n++];
}

enum err users_edit_open(const char *path, bool create, struct users_edit **ret,
			 struct buf *ret_why)
{
	struct users_edit *e = xcalloc(1, sizeof *e);
	e->arena = arena_new(NULL);
	e->path = realpath(path, NULL);
	if (!e->path)
		e->path = xstrdup(path);
	e->lock_path = arena_printf(e->arena, "%s.lock", e->path);
	e->new_path = arena_printf(e->arena, "%s.new", e->path);
	enum err rc = lock(e, ret_why);
	if (rc == ERR_OK)
		rc = create && access(e->path, F_OK) != 0 && errno == ENOENT
			 ? users_parse(span_str(head_text), path, &e->before, ret_why)
			 : users_load(e->path, &e->before, ret_why);
	if (rc != ERR_OK) {
		users_edit_close(e);
		return rc;
	}
	for (size_t i = 0; i < users_count(e->before); i++)
		push(e, *users_at(e->before, i));
	*ret = e;
	return ERR_OK;
}

const struct users *users_edit_before(const struct users_edit *e)
{
	return e->before;
}

static struct user *find(struct users_edit *e, struct span name)
{
	struct user_name normal;
	if (user_name_make(name, &normal) != ERR_OK)
		return NULL;
	uint32_t i = user_index_find(&e->names, KEY_NAME, e->at,
				     span_of(normal.text, normal.n));
	return i == USER_NONE ? NULL : &e->at[i];
}

static struct span account_make(struct arena *a)
{
	uint8_t b[USER_ACCOUNT_LEN / 2];
	while (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
		;
	char *text = arena_alloc(a, USER_ACCOUNT_LEN + 1);
	for (size_t i = 0; i < sizeof b; i++) {
		text[2 * i] = "0123456789abcdef"[b[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[b[i] & 15];
	}
	return span_of(text, USER_ACCOUNT_LEN);
}

enum err users_edit_add(struct users_edit *e, struct span name, struct span hash,
			bool is_admin)
{
	struct user_name normal;
	if (user_name_make(name, &normal) != ERR_OK || !user_hash_ok(hash))
		return ERR_INVAL;
	if (find(e, name))
		return ERR_EXISTS;
	if (e->n == USERS_MAX)
		return ERR_LIMIT;
	push(e, (struct user){
		    .name = arena_dup(e->arena, span_of(normal.text, normal.n)),
		    .account = account_make(e->arena),
		    .hash = arena_dup(e->arena, hash),
		    .is_admin = is_admin,
		});
	return ERR_OK;
}

enum err users_edit_set_hash(struct users_edit *e, struct span name, struct span hash)
{
	struct user *u = find(e, name);
	if (!user_hash_ok(hash))
		return ERR_INVAL;
	if (!u)
		return ERR_NOENT;
	u->hash = arena_dup(e->arena, hash);
	return ERR_OK;
}

/* All fields but that of `key`. */
static void put_others(struct span more, struct span key, struct buf *out)
{
	while (more.n) {
		ptrdiff_t end = span_find(more, ':');
		struct span f = end < 0 ? more : span_sub(more, 0, (size_t)end);

		more = end < 0 ? SPAN_NONE : span_sub(more, (size_t)end + 1, more.n);
		if (span_starts(f, key) && f.n > key.n && f.p[key.n] == '=')
			continue;
		if (out->n)
			buf_putc(out, ':');
		buf_put(out, f);
	}
}

enum err users_edit_set_field(struct users_edit *e, struct span name, struct span key,
			      struct span value)
{
	struct user *u = find(e, name);
	struct buf more = { 0 };

	if (!u)
		return ERR_NOENT;
	if (value.n && (span_find(value, ':') >= 0 || span_find(value, '\n') >= 0))
		return ERR_INVAL;
	put_others(u->more, key, &more);
	if (value.p) {
		if (more.n)
			buf_putc(&more, ':');
		buf_put(&more, key);
		buf_putc(&more, '=');
		buf_put(&more, value);
	}
	bool is_ok = more.n == 0 || user_more_ok(buf_span(&more));
	if (is_ok)
		u->more = arena_dup(e->arena, buf_span(&more));
	buf_done(&more);
	return is_ok ? ERR_OK : ERR_INVAL;
}

enum err users_edit_set_shared(struct users_edit *e, struct span name)
{
	struct user *u = find(e, name);
	if (!u)
		return ERR_NOENT;
	u->is_shared = true;
	u->is_admin = false;
	u->hash = SPAN("*");
	return ERR_OK;
}

enum err users_edit_set_groups(struct users_edit *e, struct span name, struct span groups)
{
	struct user *u = find(e, name);
	struct span group;
	for (struct span rest = groups; user_group_next(&rest, &group);)
		if (!user_group_ok(group))
			return ERR_INVAL;
	if (!u)
		return ERR_NOENT;
	u->groups = arena_dup(e->arena, groups);
	return users_edit_set_field(e, name, SPAN("groups"),
				    groups.n ? groups : SPAN_NONE);
}

enum err users_edit_delete(struct users_edit *e, struct span name)
{
	struct user *u = find(e, name);
	if (!u)
		return ERR_NOENT;
	/* its slot in the index stays and matches nothing */
	u->name = SPAN_NONE;
	return ERR_OK;
}

static void put_text(const struct users_edit *e, struct buf *out)
{
	buf_put(out, users_head(e->before));
	for (size_t i = 0; i < e->n; i++) {
		const struct user *u = &e->at[i];
		if (u->name.n == 0)
			continue;
		const struct span field[] = { u->name, u->account,
					      u->is_shared  ? SPAN("shared")
					      : u->is_admin ? SPAN("admin")
							    : SPAN("-"),
					      u->hash, u->more };
		for (size_t k = 0; k < 5 - (u->more.n == 0); k++) {
			if (k)
				buf_putc(out, ':');
			buf_put(out, field[k]);
		}
		buf_putc(out, '\n');
	}
}

static bool write_all(int fd, struct span s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		s = span_sub(s, (size_t)n, s.n);
	}
	return true;
}

static bool sync_folder(const char *path)
{
	char *copy = xstrdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is_ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	free(copy);
	return is_ok;
}

enum err users_edit_save(struct users_edit *e, struct buf *ret_why)
{
	struct buf text = { 0 };
	struct stat owner;
	put_text(e, &text);
	unlink(e->new_path); /* left by a tool that was killed: we have the lock */
	int fd = open(e->new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		      0600);
	bool is_ok = fd >= 0 && stat_owner(e->path, &owner) &&
		     give_away(fd, &owner) == 0 &&
		     fchmod(fd, owner.st_mode & 0660) == 0 &&
		     write_all(fd, buf_span(&text)) && fsync(fd) == 0 &&
		     rename(e->new_path, e->path) == 0;
	enum err rc = is_ok ? ERR_OK : fail(ret_why, "write", e->new_path);
	if (fd >= 0)
		close(fd);
	if (!is_ok && fd >= 0)
		unlink(e->new_path);
	if (is_ok && !sync_folder(e->path))
		rc = fail(ret_why, "sync the folder of", e->path);
	buf_done(&text);
	return rc;
}

void users_edit_close(struct users_edit *e)
{
	if (!e)
		return;
	if (e->lock >= 0)
		close(e->lock);
	users_unref(e->before);
	user_index_done(&e->names);
	free(e->at);
	free(e->path);
	arena_free(e->arena);
	free(e);
}
