/* The verdict cache: sets of four places, picked by the digest. */
#include "auth/verdict.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"

enum { WAYS = 4, DIGEST = 32 };

struct place {
	uint8_t digest[DIGEST];
	uint64_t end_ms; /* 0: empty */
};

struct verdicts {
	pthread_mutex_t lock; /* guards all below */
	EVP_MAC_CTX *mac;     /* keyed */
	uint64_t keep_ms;
	size_t sets; /* a power of two */
	struct place *place;
};

static EVP_MAC_CTX *mac_new(void)
{
	uint8_t key[DIGEST];
	char digest[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
								 digest, 0),
				OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	EVP_MAC_free(mac);
	if (ctx && (RAND_priv_bytes(key, sizeof key) != 1 ||
		    EVP_MAC_init(ctx, key, sizeof key, params) != 1)) {
		EVP_MAC_CTX_free(ctx);
		ctx = NULL;
	}
	wipe(key, sizeof key);
	return ctx;
}

struct verdicts *verdicts_new(size_t max, uint64_t keep_ms)
{
	EVP_MAC_CTX *mac = mac_new();
	if (!mac)
		return NULL;
	struct verdicts *v = xcalloc(1, sizeof *v);
	v->mac = mac;
	v->keep_ms = keep_ms;
	for (v->sets = 1; v->sets * WAYS < max && v->sets < (size_t)1 << 24;)
		v->sets *= 2;
	v->place = xcalloc(v->sets * WAYS, sizeof *v->place);
	pthread_mutex_init(&v->lock, NULL);
	return v;
}

void verdicts_free(struct verdicts *v)
{
	if (!v)
		return;
	EVP_MAC_CTX_free(v->mac);
	pthread_mutex_destroy(&v->lock);
	xfree_secret(v->place, v->sets * WAYS * sizeof *v->place);
	free(v);
}

static bool mac_field(EVP_MAC_CTX *mac, struct span s)
{
	/* the length first, so that no two keys give the same bytes */
	uint64_t n = s.n;
	return EVP_MAC_update(mac, (const uint8_t *)&n, sizeof n) == 1 &&
	       (s.n == 0 || EVP_MAC_update(mac, (const uint8_t *)s.p, s.n) == 1);
}

/* With the lock. False when OpenSSL failed: then nothing is known. */
static bool digest_of(struct verdicts *v, const struct verdict_key *k,
		      uint8_t ret[DIGEST])
{
	size_t n = 0;
	return EVP_MAC_init(v->mac, NULL, 0, NULL) == 1 &&
	       mac_field(v->mac, k->authcid) && mac_field(v->mac, k->hash) &&
	       mac_field(v->mac, k->secret) &&
	       EVP_MAC_final(v->mac, ret, &n, DIGEST) == 1 && n == DIGEST;
}

static struct place *set_of(struct verdicts *v, const uint8_t digest[DIGEST])
{
	uint32_t i;
	memcpy(&i, digest, sizeof i);
	return &v->place[(i & (v->sets - 1)) * WAYS];
}

bool verdicts_has(struct verdicts *v, const struct verdict_key *k, uint64_t now_ms)
{
	uint8_t digest[DIGEST];
	bool found = false;
	pthread_mutex_lock(&v->lock);
	if (v->keep_ms && digest_of(v, k, digest)) {
		struct place *p = set_of(v, digest);
		for (int i = 0; i < WAYS; i++) {
			bool is_same = CRYPTO_memcmp(p[i].digest, digest, DIGEST) == 0;
			found |= is_same & (p[i].end_ms > now_ms);
		}
	}
	pthread_mutex_unlock(&v->lock);
	return found;
}

void verdicts_put(struct verdicts *v, const struct verdict_key *k, uint64_t now_ms)
{
	uint8_t digest[DIGEST];
	pthread_mutex_lock(&v->lock);
	if (v->keep_ms && digest_of(v, k, digest)) {
		struct place *p = set_of(v, digest), *to = p;
		for (int i = 0; i < WAYS; i++) {
			if (CRYPTO_memcmp(p[i].digest, digest, DIGEST) == 0) {
				to = &p[i];
				break;
			}
			if (p[i].end_ms < to->end_ms)
				to = &p[i];
		}
		memcpy(to->digest, digest, DIGEST);
		to->end_ms = now_ms + v->keep_ms;
	}
	pthread_mutex_unlock(&v->lock);
}

void verdicts_clear(struct verdicts *v)
{
	pthread_mutex_lock(&v->lock);
	wipe(v->place, v->sets * WAYS * sizeof *v->place);
	pthread_mutex_unlock(&v->lock);
}
