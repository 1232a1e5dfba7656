/* The state of authentication: snapshots and what is still allowed. */
#include "auth/state.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "base/arena.h"

enum { REMEMBER_MAX = 16384, KNOWN_MAX = 65536 };

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
	struct auth *a = xcalloc(1, sizeof *a);
	uint64_t seed;

	a->workers = c->workers;
	a->verdicts = verdicts_new(max, c->remember_ms);
	a->users = users;
	a->policy = policy;
	a->databases = c->databases;
	pthread_mutex_init(&a->lock, NULL);
	pthread_mutex_init(&a->like_lock, NULL);
	if (!a->verdicts || !take_secret(a, c->secret) ||
	    RAND_bytes((unsigned char *)&seed, sizeof seed) != 1) {
		auth_free(a);
		return NULL;
	}
	if (a->databases)
		a->known = known_new(KNOWN_MAX, seed);
	return a;
}

void auth_stop(struct auth *a)
{
	if (a)
		userdbs_stop(a->databases);
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	userdbs_free(a->databases);
	known_free(a->known);
	xfree_secret(a->like, a->like ? strlen(a->like) : 0);
	pthread_mutex_destroy(&a->lock);
	pthread_mutex_destroy(&a->like_lock);
	verdicts_free(a->verdicts);
	users_unref(a->users);
	policy_unref(a->policy);
	free(a);
}

void auth_replace(struct auth *a, struct users *users, struct policy *policy)
{
	pthread_mutex_lock(&a->lock);
	struct auth_snapshot old = { .users = a->users, .policy = a->policy };
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
	struct auth_snapshot s = { .auth = a,
				   .users = users_ref(a->users),
				   .policy = policy_ref(a->policy) };
	pthread_mutex_unlock(&a->lock);
	return s;
}

void auth_snapshot_done(struct auth_snapshot *s)
{
	users_unref(s->users);
	policy_unref(s->policy);
	while (s->n_found)
		users_unref(s->found[--s->n_found]);
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

enum err auth_judge(struct auth_snapshot *s, const struct user *u, struct span authzid,
		    struct auth_identity *ret)
{
	struct user_name want;
	const struct user *other = u;
	if (authzid.n) {
		if (user_name_make(authzid, &want) != ERR_OK)
			return ERR_DENIED;
		other = auth_snapshot_find(s, span_of(want.text, want.n));
		/* asked for an absent user as well: the same work, the same answer */
		if (!policy_may_become(s->policy, u->name, u->is_admin,
				       span_of(want.text, want.n),
				       other && other->is_admin) ||
		    !other)
			return ERR_DENIED;
	}
	*ret = (struct auth_identity){ .is_admin = u->is_admin,
				       .is_assumed = other != u && other->is_assumed };
	put_name(&ret->authcid, u->name);
	put_name(&ret->authzid, other->name);
	memcpy(ret->authcid_account, u->account.p, USER_ACCOUNT_LEN);
	memcpy(ret->account, other->account.p, USER_ACCOUNT_LEN);
	return ERR_OK;
}

static bool stands(struct auth *a, struct span authcid, struct span authzid,
		   struct span account, bool by_certificate)
{
	/* A database has the last word, when it was asked (server_reload). */
	if (auth_is_unsaid(a, authcid) || auth_is_unsaid(a, authzid))
		return true;
	struct auth_snapshot s = auth_snapshot_take(a);
	const struct user *u = auth_snapshot_find(&s, authcid);
	const struct user *other = auth_snapshot_find(&s, authzid);
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
	u = auth_snapshot_find(&s, authzid);
	if (u) {
		*ret = (struct auth_identity){ .is_admin = true,
					       .is_operator = true,
					       .is_assumed = u->is_assumed };
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
	const struct user *u = auth_snapshot_find(&s, auth_authcid(who));
	bool is_same = u ? span_eq(u->account,
				   span_of(who->authcid_account, USER_ACCOUNT_LEN))
			 : auth_is_unsaid(a, auth_authcid(who));
	auth_snapshot_done(&s);
	return is_same && stands(a, auth_authcid(who), auth_authzid(who), auth_account(who),
				 who->by_certificate);
}

bool auth_may_unauthenticate(struct auth *a, enum auth_gate gate, struct span authcid)
{
	if (gate != AUTH_GATE_ADMIN_ONLY)
		return gate == AUTH_GATE_ON;
	struct auth_snapshot s = auth_snapshot_take(a);
	const struct user *u = auth_snapshot_find(&s, authcid);
	bool is_admin = u && u->is_admin;
	auth_snapshot_done(&s);
	return is_admin;
}
