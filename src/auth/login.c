/* The check of a password: from memory, or by yescrypt on a worker. */
#include "auth/login.h"

#include <crypt.h>
#include <stdlib.h>

#include "auth/state.h"
#include "base/arena.h"
#include "base/clock.h"

/* Hashed when there is nothing to compare with: costs as much as our own hashes do. */
static const char dummy_setting[] = "$y$j9T$mailstileNobodyHere...$";

struct login_op {
	struct op op;
	struct auth *auth;
	struct auth_identity identity;
	struct auth_request request; /* points into bytes */
	size_t size;		     /* of the block */
	char bytes[];
};

static struct verdict_key verdict_key_of(const struct user *u, struct span password)
{
	return (struct verdict_key){ u->name, u->hash, password };
}

static bool has_password(const struct user *u)
{
	return u && !span_eq(u->hash, SPAN("*"));
}

enum err auth_login_now(struct auth *a, const struct auth_request *r,
			struct auth_identity *ret)
{
	enum err rc = ERR_AGAIN;
	struct auth_snapshot s = auth_snapshot_take(a);
	const struct user *u = users_find(s.users, r->authcid);
	if (has_password(u)) {
		struct verdict_key k = verdict_key_of(u, r->password);
		if (verdicts_has(a->verdicts, &k, clock_mono_ms()))
			rc = auth_judge(&s, u, r->authzid, ret);
	}
	auth_snapshot_done(&s);
	return rc;
}

/* Always one run of crypt, whatever is wrong. `hash` NULL: nobody. */
static bool password_is_right(struct span password, const char *hash)
{
	struct crypt_data *data = xcalloc(1, sizeof *data);
	char *text = xmalloc(password.n + 1);
	if (password.n)
		memcpy(text, password.p, password.n);
	text[password.n] = 0;
	const char *made = crypt_rn(text, hash ? hash : dummy_setting, data,
				    sizeof *data);
	bool is_right = made && hash && span_eq_secret(span_str(made), span_str(hash));
	/* a C string ends at the first NUL: "secret\0x" is not "secret" */
	is_right = is_right && password.n && !memchr(password.p, 0, password.n);
	xfree_secret(text, password.n);
	xfree_secret(data, sizeof *data);
	return is_right;
}

/* The proof was made against `before`; what counts is the table of now. */
static enum err judge_now(struct login_op *l, const struct user *before)
{
	struct auth_snapshot s = auth_snapshot_take(l->auth);
	const struct user *u = users_find(s.users, before->name);
	enum err rc = ERR_AUTH;
	if (u && span_eq(u->hash, before->hash) && span_eq(u->account, before->account)) {
		struct verdict_key k = verdict_key_of(u, l->request.password);
		verdicts_put(l->auth->verdicts, &k, clock_mono_ms());
		rc = auth_judge(&s, u, l->request.authzid, &l->identity);
	}
	auth_snapshot_done(&s);
	return rc;
}

static void run(struct task *t)
{
	struct login_op *l = TASK_OWNER(t, struct login_op, op.task);
	struct auth_snapshot s = auth_snapshot_take(l->auth);
	const struct user *u = users_find(s.users, l->request.authcid);
	char *hash = NULL;
	if (has_password(u)) {
		hash = xcalloc(1, u->hash.n + 1);
		memcpy(hash, u->hash.p, u->hash.n);
	}
	bool is_right = password_is_right(l->request.password, hash);
	enum err rc = is_right ? judge_now(l, u) : ERR_AUTH;
	xfree_secret(hash, hash ? strlen(hash) : 0);
	auth_snapshot_done(&s);
	op_finish(&l->op, rc);
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
	executor_post(a->workers, &l->op.task);
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
