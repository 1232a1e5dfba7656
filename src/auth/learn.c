/* Users of databases: asking for them, and what is known of them. */
#include <stdlib.h>

#include "auth/state.h"
#include "base/arena.h"
#include "base/clock.h"

struct learn_op {
	struct op op;
	struct auth *auth;
	size_t n;
	size_t size; /* of the block */
	struct span name[];
};

bool auth_asks(const struct auth *a)
{
	return a->databases;
}

const struct user *auth_snapshot_find(struct auth_snapshot *s, struct span name)
{
	const struct user *u = users_find(s->users, name);
	struct users *found = NULL;
	struct user_name normal;

	if (u || !s->auth->known || s->n_found == sizeof s->found / sizeof s->found[0] ||
	    user_name_make(name, &normal) != ERR_OK)
		return u;
	known_get(s->auth->known, span_of(normal.text, normal.n), &found, NULL);
	if (!found)
		return NULL;
	s->found[s->n_found++] = found;
	return users_at(found, 0);
}

struct users *auth_user(struct auth *a, struct span name, const struct user **ret)
{
	struct auth_snapshot s = auth_snapshot_take(a);
	const struct user *u = auth_snapshot_find(&s, name);
	struct users *hold = NULL;

	if (u)
		hold = users_ref(s.n_found ? s.found[0] : s.users);
	*ret = u;
	auth_snapshot_done(&s);
	return hold;
}

/* In normal form, not in the table, and one that databases are asked for. */
static bool is_theirs(struct auth *a, struct span name, struct user_name *ret)
{
	struct users *table;
	bool is_in_table;

	if (!a->databases || user_name_make(name, ret) != ERR_OK ||
	    !userdb_name_ok(span_of(ret->text, ret->n)))
		return false;
	table = auth_users(a);
	is_in_table = users_find(table, name);
	users_unref(table);
	return !is_in_table;
}

bool auth_must_learn(struct auth *a, struct span name, uint64_t age_ms)
{
	struct user_name normal;
	uint64_t at_ms;

	return is_theirs(a, name, &normal) &&
	       !(age_ms &&
		 known_get(a->known, span_of(normal.text, normal.n), NULL, &at_ms) &&
		 clock_mono_ms() - at_ms < age_ms);
}

/* Who is in no database is checked against a hash of the same cost. */
static void keep_like(struct auth *a, const struct user *u)
{
	if (u->hash.n == 0 || u->hash.p[0] != '$' || span_eq(u->hash, USER_HASH_NONE) ||
	    span_starts(u->hash, USER_HASH_ASK))
		return;
	pthread_mutex_lock(&a->like_lock);
	xfree_secret(a->like, a->like ? strlen(a->like) : 0);
	a->like = xcalloc(1, u->hash.n + 1);
	memcpy(a->like, u->hash.p, u->hash.n);
	pthread_mutex_unlock(&a->like_lock);
}

enum err auth_learn(struct auth *a, struct span name, bool always)
{
	struct users *found = NULL;
	struct user_name normal;
	bool is_new = is_theirs(a, name, &normal);
	uint64_t asked_ms = clock_mono_ms();
	enum err rc;

	if (!a->databases || (!is_new && !always) ||
	    user_name_make(name, &normal) != ERR_OK)
		return ERR_OK;
	rc = userdbs_find(a->databases, span_of(normal.text, normal.n), &found);
	if (rc == ERR_OK)
		keep_like(a, users_at(found, 0));
	if (is_new && rc != ERR_IO)
		known_put(a->known, span_of(normal.text, normal.n), found, asked_ms);
	users_unref(found);
	return rc == ERR_IO ? ERR_IO : ERR_OK;
}

/* Hashed when there is nothing to compare with: costs as much as our own hashes do. */
static const char dummy[] = "$y$j9T$mailstileNobodyHere...$";

char *auth_like(struct auth *a)
{
	char *like;

	pthread_mutex_lock(&a->like_lock);
	like = xstrdup(a->like ? a->like : dummy);
	pthread_mutex_unlock(&a->like_lock);
	return like;
}

bool auth_is_unsaid(struct auth *a, struct span name)
{
	struct user_name normal;

	return is_theirs(a, name, &normal) &&
	       !known_get(a->known, span_of(normal.text, normal.n), NULL, NULL);
}

static void run(struct task *t)
{
	struct learn_op *l = TASK_OWNER(t, struct learn_op, op.task);
	enum err rc = ERR_OK;

	for (size_t i = 0; i < l->n && rc == ERR_OK; i++)
		rc = auth_learn(l->auth, l->name[i], false);
	op_finish(&l->op, rc);
}

static void learn_free(struct op *op)
{
	struct learn_op *l = (struct learn_op *)(void *)op;

	xfree_secret(l, l->size);
}

struct op *auth_learn_start(struct auth *a, const struct span *names, size_t n,
			    struct executor *home, void (*done)(struct op *, void *owner),
			    void *owner)
{
	size_t size = sizeof(struct learn_op) + n * sizeof *names;
	struct learn_op *l;
	char *at;

	for (size_t i = 0; i < n; i++)
		size += names[i].n;
	l = xcalloc(1, size);
	l->op = (struct op){ .task.run = run,
			     .home = home,
			     .done = done,
			     .owner = owner,
			     .free = learn_free };
	l->auth = a;
	l->n = n;
	l->size = size;
	at = (char *)&l->name[n];
	for (size_t i = 0; i < n; i++) {
		if (names[i].n)
			memcpy(at, names[i].p, names[i].n);
		l->name[i] = span_of(at, names[i].n);
		at += names[i].n;
	}
	executor_post(a->databases ? userdbs_executor(a->databases) : a->workers,
		      &l->op.task);
	return &l->op;
}
