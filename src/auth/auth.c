/* The state of authentication: snapshots and what is still allowed. */
#include "auth/state.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "base/arena.h"

enum { REMEMBER_MAX = 16384 };

/* Of any length; its digest is kept. */
static bool take_secret(struct auth *a, struct span secret)
{
	if (secret.n == 0)
		return RAND_bytes(a->secret, AUTH_SECRET) == 1;
	return EVP_Digest(secret.p, secret.n, a->secret, NULL, EVP_sha256(), NULL) == 1;
}

struct auth *auth_new(const struct auth_config *c, struct users *users,
		      struct policy *policy)
{
	size_t max = c->remember_max ? c->remember_max : REMEMBER_MAX;
	struct verdicts *v = verdicts_new(max, c->remember_ms);
	if (!v) {
		users_unref(users);
		policy_unref(policy);
		return NULL;
	}
	struct auth *a = xcalloc(1, sizeof *a);
	if (!take_secret(a, c->secret)) {
		verdicts_free(v);
		users_unref(users);
		policy_unref(policy);
		free(a);
		return NULL;
	}
	a->workers = c->workers;
	a->verdicts = v;
	a->users = users;
	a->policy = policy;
	pthread_mutex_init(&a->lock, NULL);
	return a;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	pthread_mutex_destroy(&a->lock);
	verdicts_free(a->verdicts);
	users_unref(a->users);
	policy_unref(a->policy);
	free(a);
}

void auth_replace(struct auth *a, struct users *users, struct policy *policy)
{
	pthread_mutex_lock(&a->lock);
	struct auth_snapshot old = { a->users, a->policy };
	a->users = users;
	a->policy = policy;
	pthread_mutex_unlock(&a->lock);
	atomic_fetch_add(&a->generation, 1);
	/* A login under way may still put the old table's verdict back; it stands
	 * under the old hash, which only finds it while it is the hash in force. */
	verdicts_clear(a->verdicts);
	auth_snapshot_done(&old);
}

struct auth_snapshot auth_snapshot_take(struct auth *a)
{
	pthread_mutex_lock(&a->lock);
	struct auth_snapshot s = { users_ref(a->users), policy_ref(a->policy) };
	pthread_mutex_unlock(&a->lock);
	return s;
}

void auth_snapshot_done(struct auth_snapshot *s)
{
	users_unref(s->users);
	policy_unref(s->policy);
	*s = (struct auth_snapshot){ 0 };
}

uint64_t auth_generation(struct auth *a)
{
	return atomic_load(&a->generation);
}

struct users *auth_users(struct auth *a)
{
	pthread_mutex_lock(&a->lock);
	struct users *u = users_ref(a->users);
	pthread_mutex_unlock(&a->lock);
	return u;
}

static void put_name(struct user_name *to, struct span from)
{
	memcpy(to->text, from.p, from.n);
	to->text[from.n] = 0;
	to->n = from.n;
}

enum err auth_judge(const struct auth_snapshot *s, const struct user *u,
		    struct span authzid, struct auth_identity *ret)
{
	struct user_name want;
	const struct user *other = u;
	if (authzid.n) {
		if (user_name_make(authzid, &want) != ERR_OK)
			return ERR_DENIED;
		other = users_find(s->users, span_of(want.text, want.n));
		/* asked for an absent user as well: the same work, the same answer */
		if (!policy_may_become(s->policy, u->name, u->is_admin,
				       span_of(want.text, want.n),
				       other && other->is_admin) ||
		    !other)
			return ERR_DENIED;
	}
	*ret = (struct auth_identity){ .is_admin = u->is_admin };
	put_name(&ret->authcid, u->name);
	put_name(&ret->authzid, other->name);
	memcpy(ret->authcid_account, u->account.p, USER_ACCOUNT_LEN);
	memcpy(ret->account, other->account.p, USER_ACCOUNT_LEN);
	return ERR_OK;
}

static bool stands(struct auth *a, struct span authcid, struct span authzid,
		   struct span account, bool by_certificate)
{
	struct auth_snapshot s = auth_snapshot_take(a);
	const struct user *u = users_find(s.users, authcid);
	const struct user *other = users_find(s.users, authzid);
	bool is_ok = u && other && (by_certificate || !span_eq(u->hash, SPAN("*"))) &&
		     span_eq(other->account, account) &&
		     policy_may_become(s.policy, u->name, u->is_admin, other->name,
				       other->is_admin);
	auth_snapshot_done(&s);
	return is_ok;
}

bool auth_standing_names(struct auth *a, struct span authcid, struct span authzid,
			 struct span account)
{
	return stands(a, authcid, authzid, account, false);
}

enum err auth_operator(struct auth *a, struct span authcid, struct span authzid,
		       struct auth_identity *ret)
{
	struct auth_snapshot s;
	const struct user *u;

	if (!span_eq(authcid, AUTH_OPERATOR))
		return ERR_AUTH;
	s = auth_snapshot_take(a);
	u = users_find(s.users, authzid);
	if (u) {
		*ret = (struct auth_identity){ .is_admin = true, .is_operator = true };
		put_name(&ret->authcid, AUTH_OPERATOR);
		put_name(&ret->authzid, u->name);
		memcpy(ret->account, u->account.p, USER_ACCOUNT_LEN);
	}
	auth_snapshot_done(&s);
	return u ? ERR_OK : ERR_DENIED;
}

static bool operator_stands(struct auth *a, const struct auth_identity *who)
{
	struct auth_identity now;

	return auth_operator(a, AUTH_OPERATOR, auth_authzid(who), &now) == ERR_OK &&
	       span_eq(auth_account(&now), auth_account(who));
}

bool auth_standing(struct auth *a, const struct auth_identity *who)
{
	if (who->is_operator)
		return operator_stands(a, who);
	struct auth_snapshot s = auth_snapshot_take(a);
	const struct user *u = users_find(s.users, auth_authcid(who));
	bool is_same = u && span_eq(u->account,
				    span_of(who->authcid_account, USER_ACCOUNT_LEN));
	auth_snapshot_done(&s);
	return is_same && stands(a, auth_authcid(who), auth_authzid(who), auth_account(who),
				 who->by_certificate);
}

bool auth_may_unauthenticate(struct auth *a, enum auth_gate gate, struct span authcid)
{
	if (gate != AUTH_GATE_ADMIN_ONLY)
		return gate == AUTH_GATE_ON;
	struct auth_snapshot s = auth_snapshot_take(a);
	const struct user *u = users_find(s.users, authcid);
	bool is_admin = u && u->is_admin;
	auth_snapshot_done(&s);
	return is_admin;
}
