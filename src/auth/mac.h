/* Keyed digests and random keys, for tokens that this server alone makes and checks. */
#ifndef AUTH_MAC_H
#define AUTH_MAC_H

#include "base/err.h"
#include "base/span.h"

enum { MAC_BYTES = 32 };

/* HMAC-SHA-256 of `a` and then `b`. ERR_IO: OpenSSL refuses. */
enum err mac_make(struct span key, struct span a, struct span b, uint8_t ret[MAC_BYTES]);
/* A key that nobody can guess. ERR_IO: no randomness. */
enum err mac_key_make(uint8_t ret[MAC_BYTES]);

#endif
