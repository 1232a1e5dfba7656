/* The check of a password: from memory, or by yescrypt on a worker. */
#include "auth/login.h"

#include <crypt.h>
#include <stdlib.h>

#include "auth/state.h"
#include "base/arena.h"
#include "base/clock.h"

/* Who has waited for a thread longer than this is told to try again. */
enum { LATE_MS = 10000 };

struct login_op {
	struct op op;
	struct auth *auth;
	struct auth_identity identity;
	struct auth_request request; /* points into bytes */
	size_t size;		     /* of the block */
	uint64_t started_ms;
	char bytes[];
};

static struct verdict_key verdict_key_of(const struct user *u, struct span password)
{
	return (struct verdict_key){ u->name, u->hash, password };
}

static bool has_password(const struct user *u)
{
	return u && !span_eq(u->hash, SPAN("*")) && !span_eq(u->hash, USER_HASH_NONE);
}

/* Both halves are of the table, so that nobody else has to be asked. */
static bool is_in_table(const struct auth_snapshot *s, const struct auth_request *r)
{
	return users_find(s->users, r->authcid) &&
	       (r->authzid.n == 0 || users_find(s->users, r->authzid));
}

enum err auth_login_now(struct auth *a, const struct auth_request *r,
			struct auth_identity *ret)
{
	enum err rc = ERR_AGAIN;
	struct auth_snapshot s = auth_snapshot_take(a);
	const struct user *u = users_find(s.users, r->authcid);
	if (has_password(u) && (!a->databases || is_in_table(&s, r))) {
		struct verdict_key k = verdict_key_of(u, r->password);
		if (verdicts_has(a->verdicts, &k, clock_mono_ms()))
			rc = auth_judge(&s, u, r->authzid, ret);
	}
	auth_snapshot_done(&s);
	return rc;
}

/* Always one run of crypt, whatever is wrong. `is_real`: the hash is somebody's. */
static bool password_is_right(struct span password, const char *hash, bool is_real)
{
	struct crypt_data *data = xcalloc(1, sizeof *data);
	char *text = xmalloc(password.n + 1);
	if (password.n)
		memcpy(text, password.p, password.n);
	text[password.n] = 0;
	const char *made = crypt_rn(text, hash, data, sizeof *data);
	bool is_right = made && is_real && span_eq_secret(span_str(made), span_str(hash));
	/* a C string ends at the first NUL: "secret\0x" is not "secret" */
	is_right = is_right && password.n && !memchr(password.p, 0, password.n);
	xfree_secret(text, password.n);
	xfree_secret(data, sizeof *data);
	return is_right;
}

static enum err by_hash(struct login_op *l, const struct user *u)
{
	char *hash;
	bool is_right;

	if (has_password(u)) {
		hash = xcalloc(1, u->hash.n + 1);
		memcpy(hash, u->hash.p, u->hash.n);
	} else {
		hash = auth_like(l->auth);
	}
	is_right = password_is_right(l->request.password, hash, has_password(u));
	xfree_secret(hash, strlen(hash));
	return is_right ? ERR_OK : ERR_AUTH;
}

static enum err by_password(struct login_op *l, const struct user *u)
{
	struct span password = l->request.password;
	bool is_asked = u && span_starts(u->hash, USER_HASH_ASK);
	enum err rc;

	if (has_password(u)) {
		struct verdict_key k = verdict_key_of(u, password);

		if (verdicts_has(l->auth->verdicts, &k, clock_mono_ms()))
			return ERR_OK;
	}
	/* A hash for everybody, as who is nobody's must take the time of who is. */
	rc = by_hash(l, is_asked ? NULL : u);
	if (!is_asked)
		return rc;
	if (!l->auth->databases || !password.n || memchr(password.p, 0, password.n))
		return ERR_AUTH;
	return userdbs_ask(l->auth->databases, u, password);
}

/* The proof was made against `before`; what counts is the table of now. */
static enum err judge_now(struct login_op *l, const struct user *before)
{
	struct auth_snapshot s = auth_snapshot_take(l->auth);
	const struct user *u = auth_snapshot_find(&s, before->name);
	enum err rc = ERR_AUTH;
	if (u && span_eq(u->hash, before->hash) && span_eq(u->account, before->account)) {
		struct verdict_key k = verdict_key_of(u, l->request.password);
		verdicts_put(l->auth->verdicts, &k, clock_mono_ms());
		rc = auth_judge(&s, u, l->request.authzid, &l->identity);
	}
	auth_snapshot_done(&s);
	return rc;
}

static enum err check(struct login_op *l)
{
	enum err asked = auth_learn(l->auth, l->request.authcid, true), rc;
	struct auth_snapshot s = auth_snapshot_take(l->auth);
	bool is_theirs = !users_find(s.users, l->request.authcid);
	const struct user *u = auth_snapshot_find(&s, l->request.authcid);

	if (asked == ERR_IO && is_theirs)
		rc = ERR_IO;
	else
		rc = by_password(l, u);
	if (rc == ERR_AUTH && l->auth->databases &&
	    !(u && span_starts(u->hash, USER_HASH_ASK)) &&
	    userdbs_ask_in_vain(l->auth->databases, l->request.authcid) == ERR_IO)
		asked = ERR_IO;
	/* While a database is down, who is in the table cannot be told from who is not.
	 */
	if (asked == ERR_IO && rc == ERR_AUTH)
		rc = ERR_UNKNOWN;
	if (rc == ERR_OK && l->request.authzid.n)
		rc = auth_learn(l->auth, l->request.authzid, false);
	if (rc == ERR_OK)
		rc = judge_now(l, u);
	auth_snapshot_done(&s);
	return rc;
}

static void run(struct task *t)
{
	struct login_op *l = TASK_OWNER(t, struct login_op, op.task);
	bool is_late = clock_mono_ms() - l->started_ms > LATE_MS;

	op_finish(&l->op, is_late ? ERR_IO : check(l));
}

static void login_free(struct op *op)
{
	struct login_op *l = (struct login_op *)(void *)op;
	xfree_secret(l, l->size);
}

static struct span copy_to(char **at, struct span s)
{
	char *p = *at;
	if (s.n)
		memcpy(p, s.p, s.n);
	*at += s.n;
	return span_of(p, s.n);
}

struct op *auth_login_start(struct auth *a, const struct auth_request *r,
			    struct executor *home, void (*done)(struct op *, void *owner),
			    void *owner)
{
	size_t size = sizeof(struct login_op) + r->authcid.n + r->authzid.n +
		      r->password.n;
	struct login_op *l = xcalloc(1, size);
	char *at = l->bytes;
	l->op = (struct op){ .task.run = run,
			     .home = home,
			     .done = done,
			     .owner = owner,
			     .free = login_free };
	l->auth = a;
	l->size = size;
	l->request.authcid = copy_to(&at, r->authcid);
	l->request.authzid = copy_to(&at, r->authzid);
	l->request.password = copy_to(&at, r->password);
	l->started_ms = clock_mono_ms();
	executor_post(a->databases ? userdbs_executor(a->databases) : a->workers,
		      &l->op.task);
	return &l->op;
}

const struct auth_identity *auth_login_identity(const struct op *op)
{
	return &((const struct login_op *)(const void *)op)->identity;
}

enum err auth_password_hash(struct span password, struct buf *out)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	if (password.n == 0 || password.n >= CRYPT_MAX_PASSPHRASE_SIZE ||
	    memchr(password.p, 0, password.n))
		return ERR_INVAL;
	if (!crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof setting))
		return ERR_IO;
	struct crypt_data *data = xcalloc(1, sizeof *data);
	char *text = xmalloc(password.n + 1);
	memcpy(text, password.p, password.n);
	text[password.n] = 0;
	const char *made = crypt_rn(text, setting, data, sizeof *data);
	if (made)
		buf_puts(out, made);
	xfree_secret(text, password.n);
	xfree_secret(data, sizeof *data);
	return made ? ERR_OK : ERR_IO;
}
