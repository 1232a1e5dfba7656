/* Inside auth: the state and how a proven authcid is judged (auth.c, login.c). */
#ifndef AUTH_STATE_H
#define AUTH_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "auth/auth.h"
#include "auth/verdict.h"

enum { AUTH_SECRET = 32 }; /* bytes */

struct auth {
	uint8_t secret[AUTH_SECRET]; /* of false salts */
	struct executor *workers;
	struct verdicts *verdicts;
	atomic_uint_least64_t generation;
	pthread_mutex_t lock; /* guards the two pointers below */
	struct users *users;
	struct policy *policy;
};

/* The table and the policy of one moment, with a reference on each. */
struct auth_snapshot {
	struct users *users;
	struct policy *policy;
};
struct auth_snapshot auth_snapshot_take(struct auth *a);
void auth_snapshot_done(struct auth_snapshot *s);

/*
 * Authorization, when the credential of `u` (of the snapshot) is proven.
 * ERR_OK and `ret` filled, or ERR_DENIED.
 */
enum err auth_judge(const struct auth_snapshot *s, const struct user *u,
		    struct span authzid, struct auth_identity *ret);

#endif
