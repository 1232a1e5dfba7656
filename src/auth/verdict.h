/*
 * Verdicts: that a secret was right is remembered for a short time, so that the
 * next login of the same user costs a microsecond, not a yescrypt (13 ms).
 *
 * Kept is a digest, HMAC-SHA-256 under a key made at random in verdicts_new,
 * over user name, stored hash and secret: a changed password finds nothing even before
 * the cache is emptied. Only right secrets are remembered; a wrong one always costs the
 * full check. Bounded: the oldest goes. Any thread.
 */
#ifndef AUTH_VERDICT_H
#define AUTH_VERDICT_H

#include "base/span.h"

struct verdicts;

/*
 * Remembers up to `max` (rounded up to a power of two, at least 4) for
 * `keep_ms`, counted from the check, not from the last use; 0 never remembers.
 * NULL when OpenSSL has no HMAC or no randomness.
 */
struct verdicts *verdicts_new(size_t max, uint64_t keep_ms);
void verdicts_free(struct verdicts *v); /* wipes; NULL is fine */

struct verdict_key {
	struct span authcid, hash, secret;
};
bool verdicts_has(struct verdicts *v, const struct verdict_key *k, uint64_t now_ms);
void verdicts_put(struct verdicts *v, const struct verdict_key *k, uint64_t now_ms);
void verdicts_clear(struct verdicts *v);

#endif
