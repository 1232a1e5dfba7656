/*
 * The check of a password, as an operation (base/task.h).
 *
 * Nobody learns anything but with the right password: an unknown user, a user
 * without a password and a wrong password get the same answer after the same
 * work, whatever the authzid. Only then does the authzid matter: may he become
 * it, and is there such a user; both refusals are ERR_DENIED (RFC 5530:
 * AUTHORIZATIONFAILED), the same whether that user exists or not.
 */
#ifndef AUTH_LOGIN_H
#define AUTH_LOGIN_H

#include "auth/auth.h"

struct auth_request {
	struct span authzid; /* empty: the authcid itself (RFC 4616 section 2) */
	struct span authcid;
	struct span password;
};

/*
 * Answers at once if that password was right lately: ERR_OK and `ret` filled,
 * or ERR_DENIED. ERR_AGAIN: not known, ask auth_login_start. Never blocks,
 * never ERR_AUTH. Ask it after the throttle's delay, not before: an answer only
 * for the right password, at once, is what a guesser wants.
 */
enum err auth_login_now(struct auth *a, const struct auth_request *r,
			struct auth_identity *ret);

/*
 * Checks it on a worker; everything is copied at start and wiped at the end.
 * `done` runs on `home`; op->rc is ERR_OK, ERR_AUTH or ERR_DENIED. Judged by
 * the table and policy in force when the check ends.
 */
struct op *auth_login_start(struct auth *a, const struct auth_request *r,
			    struct executor *home, void (*done)(struct op *, void *owner),
			    void *owner);
/* In done, when op->rc is ERR_OK: who it is; owned by the op. */
const struct auth_identity *auth_login_identity(const struct op *op);

/*
 * A password for the table, at our cost ($y$j9T$, Debian's default), with a new salt.
 * Blocking: tools only. ERR_INVAL: empty, a NUL in it or longer than 511 bytes.
 */
enum err auth_password_hash(struct span password, struct buf *out);

#endif
