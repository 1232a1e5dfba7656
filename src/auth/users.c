/* The user table: parsing, lookup, the shared snapshot. */
#include "auth/users_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

struct users {
	atomic_uint refs;
	struct buf text; /* the file: all spans point into it */
	struct user *at;
	size_t n, cap;
	size_t head; /* bytes before the first user */
	struct user_index names;
};

/* ---- index ---- */

static uint64_t hash_of(struct span s)
{
	uint64_t h = 0xcbf29ce484222325; /* FNV-1a, then mixed */
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3;
	h ^= h >> 32;
	return h * 0x9e3779b97f4a7c15 >> 16;
}

static struct span key_of(const struct user *u, enum user_key key)
{
	return key == KEY_NAME ? u->name : u->account;
}

uint32_t user_index_find(const struct user_index *ix, enum user_key key,
			 const struct user *at, struct span value)
{
	if (!ix->cap)
		return USER_NONE;
	for (size_t i = hash_of(value) & (ix->cap - 1); ix->slot[i];
	     i = (i + 1) & (ix->cap - 1))
		if (span_eq(key_of(&at[ix->slot[i] - 1], key), value))
			return ix->slot[i] - 1;
	return USER_NONE;
}

static void index_place(struct user_index *ix, struct span value, uint32_t slot)
{
	size_t i = hash_of(value) & (ix->cap - 1);
	while (ix->slot[i])
		i = (i + 1) & (ix->cap - 1);
	ix->slot[i] = slot;
}

void user_index_put(struct user_index *ix, enum user_key key, const struct user *at,
		    uint32_t i)
{
	if (ix->n >= ix->cap / 2) {
		struct user_index old = *ix;
		ix->cap = old.cap ? old.cap * 2 : 64;
		ix->slot = xcalloc(ix->cap, sizeof *ix->slot);
		for (size_t k = 0; k < old.cap; k++)
			if (old.slot[k])
				index_place(ix, key_of(&at[old.slot[k] - 1], key),
					    old.slot[k]);
		free(old.slot);
	}
	index_place(ix, key_of(&at[i], key), i + 1);
	ix->n++;
}

void user_index_done(struct user_index *ix)
{
	free(ix->slot);
	*ix = (struct user_index){ 0 };
}

/* ---- names ---- */

/* Bytes of the character at the front (RFC 3629 section 4), 0 when it is none or a
 * control. */
static size_t char_length(struct span s)
{
	const unsigned char *c = (const unsigned char *)s.p;
	size_t n;
	uint32_t v;
	if (c[0] < 0x80)
		return c[0] > 0x20 && c[0] < 0x7f ? 1 : 0;
	if (c[0] < 0xc2 || c[0] > 0xf4)
		return 0;
	n = c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
	if (s.n < n)
		return 0;
	v = c[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((c[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (c[i] & 0x3f);
	}
	if ((n == 3 && v < 0x800) || (n == 4 && (v < 0x10000 || v > 0x10ffff)))
		return 0;
	/* C1 controls, surrogates, line and paragraph separators */
	if (v < 0xa0 || (v >= 0xd800 && v < 0xe000) || v == 0x2028 || v == 0x2029)
		return 0;
	return n;
}

enum err user_name_make(struct span raw, struct user_name *ret)
{
	if (raw.n == 0 || raw.n > USER_NAME_MAX || raw.p[0] == '#')
		return ERR_INVAL;
	for (size_t i = 0; i < raw.n;) {
		size_t n = char_length(span_sub(raw, i, raw.n));
		if (n == 0 || raw.p[i] == ':')
			return ERR_INVAL;
		i += n;
	}
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];
		ret->text[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	ret->text[raw.n] = 0;
	ret->n = raw.n;
	return ERR_OK;
}

bool user_hash_ok(struct span hash)
{
	if (span_eq(hash, SPAN("*")))
		return true;
	if (hash.n < 4 || hash.n > USER_HASH_MAX || hash.p[0] != '$')
		return false;
	for (size_t i = 0; i < hash.n; i++)
		if (hash.p[i] <= 0x20 || hash.p[i] > 0x7e || strchr(":;*!\\", hash.p[i]))
			return false;
	return true;
}

/* ---- parsing ---- */

struct parse {
	struct users *u;
	const char *path;
	struct buf *why;
	size_t line; /* from 1 */
	struct user_index accounts;
};

static enum err bad_line(struct parse *p, const char *what)
{
	buf_printf(p->why, "%s:%zu: %s.", p->path, p->line, what);
	return ERR_INVAL;
}

/* Takes what stands before the next ":"; false when there is none left. */
static bool take_field(struct span *rest, struct span *ret)
{
	if (!rest->p)
		return false;
	ptrdiff_t end = span_find(*rest, ':');
	*ret = end < 0 ? *rest : span_sub(*rest, 0, (size_t)end);
	*rest = end < 0 ? SPAN_NONE : span_sub(*rest, (size_t)end + 1, rest->n);
	return true;
}

static bool account_ok(struct span s)
{
	if (s.n != USER_ACCOUNT_LEN)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') ||
		      (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}

bool user_group_ok(struct span name)
{
	struct user_name normal;
	return user_name_make(name, &normal) == ERR_OK &&
	       span_eq(name, span_of(normal.text, normal.n)) && name.p[0] != '$' &&
	       span_find(name, ',') < 0 && span_find(name, '=') < 0;
}

bool user_group_next(struct span *rest, struct span *ret)
{
	ptrdiff_t end;
	if (rest->n == 0)
		return false;
	end = span_find(*rest, ',');
	*ret = end < 0 ? *rest : span_sub(*rest, 0, (size_t)end);
	*rest = end < 0 ? SPAN_NONE : span_sub(*rest, (size_t)end + 1, SIZE_MAX);
	return true;
}

static bool groups_of(struct span more, struct span *ret)
{
	struct span f, group;
	*ret = SPAN_NONE;
	while (take_field(&more, &f))
		if (span_starts(f, SPAN("groups=")))
			*ret = span_sub(f, strlen("groups="), SIZE_MAX);
	for (struct span rest = *ret; user_group_next(&rest, &group);)
		if (!user_group_ok(group))
			return false;
	return true;
}

/* "key=value" fields that this version does not know are kept, so they must be sound. */
static bool more_ok(struct span more)
{
	struct span f;
	while (take_field(&more, &f)) {
		ptrdiff_t eq = span_find(f, '=');
		if (eq <= 0)
			return false;
		for (size_t i = 0; i < f.n; i++)
			if ((unsigned char)f.p[i] < 0x20 || f.p[i] == 0x7f)
				return false;
	}
	return true;
}

struct span user_field(const struct user *u, struct span key)
{
	struct span more = u->more, f;

	while (take_field(&more, &f)) {
		ptrdiff_t eq = span_find(f, '=');
		if (eq > 0 && span_eq(span_sub(f, 0, (size_t)eq), key))
			return span_sub(f, (size_t)eq + 1, f.n);
	}
	return SPAN_NONE;
}

bool user_more_ok(struct span more)
{
	return more_ok(more);
}

static enum err parse_user(struct parse *p, struct span line)
{
	struct user u = { 0 };
	struct span rest = line, roles;
	struct user_name name;
	if (!take_field(&rest, &u.name) || !take_field(&rest, &u.account) ||
	    !take_field(&rest, &roles) || !take_field(&rest, &u.hash))
		return bad_line(
		    p, "A user has four fields at least: name, account, roles and "
		       "password, separated by \":\"");
	u.more = rest;
	if (user_name_make(u.name, &name) != ERR_OK)
		return bad_line(
		    p, "The name is empty, too long, not UTF-8 or has a character "
		       "that names may not have");
	if (!span_eq(u.name, span_of(name.text, name.n)))
		return bad_line(p, "The name must be written in lower case");
	if (!account_ok(u.account))
		return bad_line(p, "The account is not 32 digits and letters a to f");
	u.is_admin = span_eq(roles, SPAN("admin"));
	u.is_shared = span_eq(roles, SPAN("shared"));
	if (!u.is_admin && !u.is_shared && !span_eq(roles, SPAN("-")))
		return bad_line(p,
				"The roles are none of \"-\", \"admin\" and \"shared\"");
	if (!user_hash_ok(u.hash))
		return bad_line(p, "The password is neither \"*\" nor a crypt(5) string");
	if (rest.p && !more_ok(rest))
		return bad_line(p, "A field behind the password is not key=value");
	u.is_assumed = span_eq(user_field(&u, SPAN("assumed")), SPAN("yes"));
	if (!groups_of(rest, &u.groups))
		return bad_line(p, "The name of a group has a character that it may not "
				   "have");

	struct users *t = p->u;
	if (user_index_find(&t->names, KEY_NAME, t->at, u.name) != USER_NONE)
		return bad_line(p, "There is a user of that name above");
	if (user_index_find(&p->accounts, KEY_ACCOUNT, t->at, u.account) != USER_NONE)
		return bad_line(p, "A user above has the same account");
	if (t->n == USERS_MAX)
		return bad_line(p, "There are too many users");
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 16;
		t->at = xrealloc(t->at, t->cap * sizeof *t->at);
	}
	t->at[t->n] = u;
	user_index_put(&t->names, KEY_NAME, t->at, (uint32_t)t->n);
	user_index_put(&p->accounts, KEY_ACCOUNT, t->at, (uint32_t)t->n);
	t->n++;
	return ERR_OK;
}

static enum err parse_lines(struct parse *p)
{
	struct span all = buf_span(&p->u->text), rest = all;
	bool is_head = true;
	while (rest.n) {
		p->line++;
		ptrdiff_t end = span_find(rest, '\n');
		if (end < 0)
			return bad_line(p,
					"The last line has no end: the file was cut off");
		struct span line = span_sub(rest, 0, (size_t)end);
		rest = span_sub(rest, (size_t)end + 1, rest.n);
		if (line.n == 0 || line.p[0] == '#') {
			if (is_head)
				p->u->head = all.n - rest.n;
			continue;
		}
		is_head = false;
		enum err rc = parse_user(p, line);
		if (rc != ERR_OK)
			return rc;
	}
	return ERR_OK;
}

/* Takes over `text`. */
static enum err parse_buf(struct buf *text, const char *path, struct users **ret,
			  struct buf *ret_why)
{
	struct users *u = xcalloc(1, sizeof *u);
	atomic_init(&u->refs, 1);
	u->text = *text;
	*text = (struct buf){ 0 };
	struct parse p = { .u = u, .path = path, .why = ret_why };
	enum err rc = parse_lines(&p);
	user_index_done(&p.accounts);
	if (rc == ERR_OK)
		*ret = u;
	else
		users_unref(u);
	return rc;
}

enum err users_parse(struct span text, const char *path, struct users **ret,
		     struct buf *ret_why)
{
	struct buf copy = { 0 };
	buf_put(&copy, text);
	return parse_buf(&copy, path, ret, ret_why);
}

static enum err read_all(int fd, struct buf *out)
{
	for (;;) {
		ssize_t n = read(fd, buf_room(out, 65536), 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		if (n == 0)
			return ERR_OK;
		buf_added(out, (size_t)n);
	}
}

enum err users_load(const char *path, struct users **ret, struct buf *ret_why)
{
	struct buf text = { 0 };
	enum err rc = ERR_IO;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		rc = read_all(fd, &text);
	if (rc != ERR_OK) {
		rc = errno == ENOENT ? ERR_NOENT : ERR_IO;
		buf_printf(ret_why, "Cannot read the user table %s: %s.", path,
			   strerror(errno));
	} else {
		rc = parse_buf(&text, path, ret, ret_why);
	}
	if (fd >= 0)
		close(fd);
	buf_done(&text);
	return rc;
}

/* ---- the snapshot ---- */

struct users *users_ref(struct users *u)
{
	atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
	return u;
}

void users_unref(struct users *u)
{
	if (!u || atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) != 1)
		return;
	user_index_done(&u->names);
	free(u->at);
	buf_done(&u->text);
	free(u);
}

const struct user *users_find(const struct users *u, struct span name)
{
	struct user_name normal;
	if (user_name_make(name, &normal) != ERR_OK)
		return NULL;
	uint32_t i = user_index_find(&u->names, KEY_NAME, u->at,
				     span_of(normal.text, normal.n));
	return i == USER_NONE ? NULL : &u->at[i];
}

size_t users_count(const struct users *u)
{
	return u->n;
}

const struct user *users_at(const struct users *u, size_t i)
{
	return i < u->n ? &u->at[i] : NULL;
}

struct span users_head(const struct users *u)
{
	return span_sub(buf_span(&u->text), 0, u->head);
}
