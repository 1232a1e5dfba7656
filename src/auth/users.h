/*
 * The user table, DIR/users: one user a line, fields separated by ":"
 *
 *	name:account:roles:password[:key=value]...
 *
 * `name` is UTF-8 without control characters, space, ":" and DEL, at most 255
 * bytes, ASCII letters in lower case (names are compared without regard to
 * ASCII case). `account` is 32 hex digits, made at random when the user was
 * added: the key of the mail in the store, so that a name that was deleted and
 * added again never sees the mail of before. `roles` is "-", "admin" or "shared":
 * a tree of mailboxes that is nobody's own (RFC 2342), for whom administrators act.
 * `password` is a crypt(5) string, yescrypt, or "*": cannot log in by himself,
 * but administrators may act for him. Behind it, `groups=a,b` names the groups that the
 * user is in, for access control lists. Lines that begin with "#" and empty
 * lines mean nothing; the tools keep those above the first user. The last line
 * ends with LF: a file that does not was cut off and is refused.
 *
 * `struct users` is one immutable snapshot, shared by counting references.
 */
#ifndef AUTH_USERS_H
#define AUTH_USERS_H

#include "base/buf.h"
#include "base/err.h"

enum {
	USER_NAME_MAX = 255,   /* bytes */
	USER_ACCOUNT_LEN = 32, /* hex digits */
	USER_HASH_MAX =
	    383, /* bytes of a crypt(5) string, CRYPT_OUTPUT_SIZE less the NUL */
};

/*
 * In place of a crypt(5) string: no password, but other keys (SCRAM); and the saslauthd
 * whose name stands behind it is asked for the password (userdb.h).
 */
#define USER_HASH_NONE SPAN("$none$")
#define USER_HASH_ASK  SPAN("$saslauthd$")

struct user {
	struct span name;    /* normal form */
	struct span account; /* 32 lower-case hex digits */
	struct span hash;    /* crypt(5), or "*" */
	struct span more;    /* further fields as they stand, "key=value:key=value" */
	struct span groups;  /* names with "," between them, or empty */
	bool is_admin, is_shared;
	/* A database (userdb.h) says neither yes nor no: he is there if he has mail. */
	bool is_assumed;
};

/* The next group of `rest`, which moves on behind it; false: there is none. */
bool user_group_next(struct span *rest, struct span *ret);
/* Whether a name of a group is sound: as that of a user, without ",", "=" and "$". */
bool user_group_ok(struct span name);

struct users;

/*
 * Reads a table. ERR_NOENT, ERR_IO: the file cannot be read; ERR_INVAL: its
 * contents; ret_why then holds a sentence that names the file and the line.
 */
enum err users_load(const char *path, struct users **ret, struct buf *ret_why);
/* The same from memory; `path` is for the sentences. A field "assumed=yes" is_assumed. */
enum err users_parse(struct span text, const char *path, struct users **ret,
		     struct buf *ret_why);
struct users *users_ref(struct users *u); /* any thread */
void users_unref(struct users *u);	  /* any thread; NULL is fine; wipes */

/* NULL when there is none. `name` in any ASCII case. Lives as long as `u`. */
const struct user *users_find(const struct users *u, struct span name);
size_t users_count(const struct users *u);
/* The i-th (from 0) in the order of the file. */
const struct user *users_at(const struct users *u, size_t i);

/*
 * The value of a further field, "key=value"; p NULL: there is none. Fields that are known:
 * scram-sha-1, scram-sha-256, scram-sha-512 (auth/scram.h).
 */
struct span user_field(const struct user *u, struct span key);

/*
 * The normal form of a name: checked as above and ASCII-lowercased, with a NUL
 * behind. ERR_INVAL leaves `ret` as it was.
 */
struct user_name {
	char text[USER_NAME_MAX + 1];
	size_t n; /* bytes */
};
enum err user_name_make(struct span raw, struct user_name *ret);

/* ---- changing the file (tools); any number of changes, one atomic write ---- */

struct users_edit;
/*
 * Locks the table (PATH.lock, flock; waits) and reads it; with `create` an absent
 * table is an empty one. The server and other tools see the old file until
 * users_edit_save. ERR_INVAL etc. as users_load.
 */
enum err users_edit_open(const char *path, bool create, struct users_edit **ret,
			 struct buf *ret_why);
/* As it was read, changes not included. */
const struct users *users_edit_before(const struct users_edit *e);
/* ERR_EXISTS, ERR_INVAL (name). `hash` is copied. A new random account is made. */
enum err users_edit_add(struct users_edit *e, struct span name, struct span hash,
			bool is_admin);
enum err users_edit_set_hash(struct users_edit *e, struct span name, struct span hash);
/* One further field; `value` p NULL takes it away. ERR_INVAL: a value that no line may
 * hold; ERR_NOENT. */
enum err users_edit_set_field(struct users_edit *e, struct span name, struct span key,
			      struct span value);
/* `groups` as in struct user; copied. ERR_NOENT, ERR_INVAL. */
enum err users_edit_set_groups(struct users_edit *e, struct span name, struct span groups);
/* Makes it a shared tree: no administrator, no password of its own. ERR_NOENT. */
enum err users_edit_set_shared(struct users_edit *e, struct span name);
enum err users_edit_delete(struct users_edit *e, struct span name); /* ERR_NOENT */
/*
 * Writes a temporary file beside the table, syncs it, renames it over the
 * table and syncs the directory; mode 0600. ERR_IO or ERR_FULL with a sentence:
 * the table is as it was.
 */
enum err users_edit_save(struct users_edit *e, struct buf *ret_why);
/* Unlocks and frees; what was not saved is dropped. NULL is fine. */
void users_edit_close(struct users_edit *e);

#endif
