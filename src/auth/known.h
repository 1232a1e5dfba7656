/*
 * What databases said last of each name (userdb.h), so that what is no login (groups,
 * rights, whether a session stands) need not wait for them. Bounded: the oldest of a few
 * goes. Any thread.
 */
#ifndef AUTH_KNOWN_H
#define AUTH_KNOWN_H

#include "auth/users.h"

struct known;
/* For up to `max` names; `seed` is not to be guessed. */
struct known *known_new(size_t max, uint64_t seed);
void known_free(struct known *k); /* NULL is fine */
/* `user` NULL: there is nobody of that name; a reference on it is taken. `now_ms`: when
 * the question was put; an answer to a later one stays. */
void known_put(struct known *k, struct span name, struct users *user, uint64_t now_ms);
/*
 * False: never asked, or forgotten. Else `ret` gets a reference, or NULL for nobody, and
 * `ret_ms` when that was said. Either may be NULL: not wanted.
 */
bool known_get(struct known *k, struct span name, struct users **ret, uint64_t *ret_ms);

#endif
