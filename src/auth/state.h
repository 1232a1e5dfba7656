/* Inside auth: the state and how a proven authcid is judged (auth.c, login.c). */
#ifndef AUTH_STATE_H
#define AUTH_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "auth/auth.h"
#include "auth/known.h"
#include "auth/userdb.h"
#include "auth/verdict.h"

enum { AUTH_SECRET = 32 }; /* bytes */

struct auth {
	uint8_t secret[AUTH_SECRET]; /* of false salts */
	struct executor *workers;
	struct verdicts *verdicts;
	struct userdbs *databases; /* NULL: only the table */
	struct known *known;	   /* what they said last */
	pthread_mutex_t like_lock; /* guards the next */
	char *like; /* a hash as the databases have them, for who is in none of them */
	atomic_uint_least64_t generation;
	pthread_mutex_t lock; /* guards the two pointers below */
	struct users *users;
	struct policy *policy;
};

/* The table and the policy of one moment, with a reference on each, and on what was
 * found beside the table. */
struct auth_snapshot {
	struct auth *auth;
	struct users *users;
	struct policy *policy;
	struct users *found[4];
	unsigned n_found;
};
struct auth_snapshot auth_snapshot_take(struct auth *a);
void auth_snapshot_done(struct auth_snapshot *s);
/* In the table, or as a database said last; NULL. At most 4 of a snapshot, any case. */
const struct user *auth_snapshot_find(struct auth_snapshot *s, struct span name);

/*
 * Authorization, when the credential of `u` (of the snapshot) is proven.
 * ERR_OK and `ret` filled, or ERR_DENIED.
 */
enum err auth_judge(struct auth_snapshot *s, const struct user *u, struct span authzid,
		    struct auth_identity *ret);

/*
 * Asks the databases for that name, now and blocking, and keeps what they say. `always`:
 * also for a name of the table, which takes the time that another name takes. ERR_IO:
 * they did not answer; what was known stays.
 */
enum err auth_learn(struct auth *a, struct span name, bool always);
/* A hash to check a password against when there is nobody: costs what a right one does.
 * With a NUL; xfree_secret(). */
char *auth_like(struct auth *a);
/* Never asked for, so nobody can say that there is no such user. */
bool auth_is_unsaid(struct auth *a, struct span name);

#endif
