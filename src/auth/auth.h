/*
 * The state of authentication: the user table and the policy in force, and
 * what was verified lately. One object a server, any thread.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "auth/policy.h"
#include "auth/users.h"
#include "base/task.h"

struct auth;

struct auth_config {
	struct executor *workers; /* where passwords are hashed */
	uint64_t remember_ms;	  /* a right password; 0: never (verdict.h) */
	size_t remember_max;	  /* how many; 0: 16384 */
	/* Under which names that do not exist get their salts, the same after a restart
	 * (scram.h); empty: random, of this process. Copied. */
	struct span secret;
	struct userdbs *databases; /* taken over; NULL: only the table */
};

/* Takes over the references on users and policy. NULL: OpenSSL failed. */
struct auth *auth_new(const struct auth_config *c, struct users *users,
		      struct policy *policy);
/* Waits for what databases are asked; their threads end. Before the loops go. */
void auth_stop(struct auth *a);
/* No login may be under way. NULL is fine. */
void auth_free(struct auth *a);

/*
 * A newer table and policy (both given; references taken over). Verdicts are
 * forgotten; logins under way are judged by the new ones. Then the server asks
 * auth_standing for each session.
 */
void auth_replace(struct auth *a, struct users *users, struct policy *policy);
/* The table in force, with a reference. */
struct users *auth_users(struct auth *a);

/* ---- users of databases (userdb.h) ---- */

/* There are databases beside the table, so a name has to be learned. */
bool auth_asks(const struct auth *a);
/*
 * The user of that name as far as it is known without asking: of the table, or as a
 * database said last. NULL: nobody. The caller has the reference; `ret` lives as long.
 */
struct users *auth_user(struct auth *a, struct span name, const struct user **ret);
/* Whether a database has to be asked first: the name is not in the table, and was not
 * asked for within the last `age_ms`. */
bool auth_must_learn(struct auth *a, struct span name, uint64_t age_ms);
/*
 * Asks for those names, on a thread of the databases; then auth_user() tells. Names are
 * copied. op->rc is ERR_OK, or ERR_IO: for one of them a database did not answer, and the
 * names behind it were not asked for. With no database, or all names in the table, it
 * only takes its turn.
 */
struct op *auth_learn_start(struct auth *a, const struct span *names, size_t n,
			    struct executor *home, void (*done)(struct op *, void *owner),
			    void *owner);
enum {
	AUTH_LEARNED_MS = 60000, /* what is no login takes an answer of that age */
};
/* Changes with each auth_replace(): what was learned from the table is old. */
uint64_t auth_generation(struct auth *a);

/* Who a session is: two halves and the key of the mail. Names in normal form. */
struct auth_identity {
	struct user_name authcid; /* proved a credential */
	struct user_name authzid; /* is acted for */
	char authcid_account[USER_ACCOUNT_LEN + 1];
	char account[USER_ACCOUNT_LEN + 1]; /* of the authzid: the name in the store */
	bool is_admin;			    /* the authcid is an administrator */
	bool by_certificate; /* so he needs no password, and the certificate must hold */
	bool is_operator;    /* the authcid is AUTH_OPERATOR, no user (auth_operator) */
	bool is_assumed; /* nobody said that there is such an authzid: only if it has mail
			  */
};

static inline struct span auth_authcid(const struct auth_identity *i)
{
	return span_of(i->authcid.text, i->authcid.n);
}

static inline struct span auth_authzid(const struct auth_identity *i)
{
	return span_of(i->authzid.text, i->authzid.n);
}

static inline struct span auth_account(const struct auth_identity *i)
{
	return span_of(i->account, USER_ACCOUNT_LEN);
}

/*
 * Who can open the operator's socket may act for any user of the table, whatever the
 * policy says. The authcid must be this one, which is no user's: names do not begin with
 * "#". ERR_OK and `ret` filled; ERR_AUTH; ERR_DENIED: there is no such user.
 */
#define AUTH_OPERATOR SPAN("#operator")
enum err auth_operator(struct auth *a, struct span authcid, struct span authzid,
		       struct auth_identity *ret);

/*
 * Is that still allowed (for who came by a certificate: as far as the table and the policy
 * go; the certificate itself is the caller's to look at again): both users are there, the same ones (not deleted and
 * added anew), the authcid has not been locked ("*") since, and he may still
 * become the authzid.
 */
bool auth_standing(struct auth *a, const struct auth_identity *who);
/*
 * The same by names alone, for who keeps no identity: a name deleted and added
 * anew passes, so a session compares its account, or keeps the identity.
 */
bool auth_standing_names(struct auth *a, struct span authcid, struct span authzid,
			 struct span account);

/*
 * UNAUTHENTICATE's gate, by the authcid (D10) and the table in force now: what
 * session_login decides, and what the command asks again before it runs.
 */
bool auth_may_unauthenticate(struct auth *a, enum auth_gate gate, struct span authcid);

#endif
