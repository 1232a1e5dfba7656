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
#include "auth/scram.h"

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
 * the table and policy in force when the check ends. With databases they are asked first,
 * and op->rc may be ERR_IO: one did not answer, so nobody can say; or ERR_UNKNOWN: the
 * same to the peer, but the credential was wrong as far as it could be checked.
 */
struct op *auth_login_start(struct auth *a, const struct auth_request *r,
			    struct executor *home, void (*done)(struct op *, void *owner),
			    void *owner);
/* In done, when op->rc is ERR_OK: who it is; owned by the op. */
const struct auth_identity *auth_login_identity(const struct op *op);

/*
 * The SCRAM keys of that name, which was learned before (auth_learn_start); of a name
 * that has none, or may not log in, false ones that look like them (scram.h). ERR_IO:
 * OpenSSL failed.
 */
enum err auth_scram_keys(struct auth *a, struct span authcid, enum scram_hash hash,
			 struct scram_keys *ret);
/*
 * The authcid, who was learned before as the authzid was, has proved by a mechanism that
 * it knows the password behind `keys`. ERR_OK and `ret` filled; ERR_AUTH: they are not in
 * force any more; ERR_DENIED.
 */
enum err auth_proven(struct auth *a, const struct auth_request *r,
		     const struct scram_keys *keys, struct auth_identity *ret);

/*
 * A password for the table, at our cost ($y$j9T$, Debian's default), with a new salt.
 * Blocking: tools only. ERR_INVAL: empty, a NUL in it or longer than 511 bytes.
 */
enum err auth_password_hash(struct span password, struct buf *out);

/* Whose that certificate would be, for auth_learn_start. ERR_AUTH: nobody's. */
enum err auth_certificate_name(struct auth *a, struct span der, struct user_name *ret);
/*
 * The verified client certificate `der` for EXTERNAL: whose it is by the policy's rules, and
 * whether he may act for `authzid` (empty: himself). A user without a password may: the
 * certificate is his credential. ERR_OK and `ret` filled; ERR_AUTH: nobody's; ERR_DENIED.
 */
enum err auth_certificate(struct auth *a, struct span der, struct span authzid,
			  struct auth_identity *ret);

/*
 * Gives a user of the table a password: all forms in which a server keeps it (yescrypt for
 * PLAIN and LOGIN, SCRAM's keys for each hash), each with a new salt. `password` empty: he
 * cannot log in by himself. A password that SASLprep (RFC 4013) refuses gets no SCRAM
 * keys. Blocking, some 50 ms: tools only. ERR_INVAL as auth_password_hash, ERR_NOENT.
 */
enum err auth_password_set(struct users_edit *e, struct span name, struct span password);

#endif
