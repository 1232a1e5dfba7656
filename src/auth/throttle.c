/* Failed logins by address: a bounded table with a queue of places each. */
#include "auth/throttle.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/arena.h"

enum { ADDRESSES = 65536 };

struct address {
	struct address *chain;	       /* in its bucket */
	struct address *older, *newer; /* by the last failure */
	uint64_t key;
	unsigned failures;
	uint64_t last_ms; /* when `failures` was right */
	uint64_t free_ms; /* the next check may start then */
};

struct throttle {
	pthread_mutex_t lock; /* guards all below */
	struct throttle_config c;
	uint64_t seed; /* nobody outside knows which addresses share a bucket */
	struct address **bucket;
	size_t buckets; /* a power of two */
	size_t n;
	struct address *oldest, *newest;
};

struct throttle *throttle_new(const struct throttle_config *c)
{
	struct throttle *t = xcalloc(1, sizeof *t);
	t->c = *c;
	if (t->c.max == 0)
		t->c.max = ADDRESSES;
	for (t->buckets = 64; t->buckets < t->c.max && t->buckets < (size_t)1 << 24;)
		t->buckets *= 2;
	t->bucket = xcalloc(t->buckets, sizeof(struct address *));
	while (getrandom(&t->seed, sizeof t->seed, 0) != (ssize_t)sizeof t->seed)
		;
	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void throttle_free(struct throttle *t)
{
	if (!t)
		return;
	while (t->oldest) {
		struct address *a = t->oldest;
		t->oldest = a->newer;
		free(a);
	}
	pthread_mutex_destroy(&t->lock);
	free(t->bucket);
	free(t);
}

/* An IPv4 address as one number, an IPv6 network as another; false: no limit. */
static bool key_of(struct span address, uint64_t *ret)
{
	static const char mapped[12] = { 0, 0, 0, 0, 0,		 0,
					 0, 0, 0, 0, (char)0xff, (char)0xff };
	uint8_t b[8] = { 0 };
	if (address.n == 16 && memcmp(address.p, mapped, sizeof mapped) == 0)
		address = span_sub(address, sizeof mapped, 4);
	if (address.n == 4)
		memcpy(b + 4, address.p, 4);
	else if (address.n == 16)
		memcpy(b, address.p, 8);
	else
		return false;
	memcpy(ret, b, 8);
	/* ::/64 holds no host but loopback, which so is not 0.x.y.z */
	if (address.n == 16 && *ret == 0)
		*ret = UINT64_MAX;
	return true;
}

static struct address **bucket_of(struct throttle *t, uint64_t key)
{
	uint64_t h = (key ^ t->seed) * 0x9e3779b97f4a7c15;
	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9;
	return &t->bucket[(h ^ h >> 32) & (t->buckets - 1)];
}

static struct address *find(struct throttle *t, uint64_t key)
{
	struct address *a = *bucket_of(t, key);
	while (a && a->key != key)
		a = a->chain;
	return a;
}

static void list_remove(struct throttle *t, struct address *a)
{
	*(a->older ? &a->older->newer : &t->oldest) = a->newer;
	*(a->newer ? &a->newer->older : &t->newest) = a->older;
}

static void list_append(struct throttle *t, struct address *a)
{
	a->older = t->newest;
	a->newer = NULL;
	*(t->newest ? &t->newest->newer : &t->oldest) = a;
	t->newest = a;
}

static void drop_oldest(struct throttle *t)
{
	struct address *a = t->oldest, **p = bucket_of(t, a->key);
	while (*p != a)
		p = &(*p)->chain;
	*p = a->chain;
	list_remove(t, a);
	free(a);
	t->n--;
}

static struct address *add(struct throttle *t, uint64_t key)
{
	if (t->n >= t->c.max)
		drop_oldest(t);
	struct address *a = xcalloc(1, sizeof *a), **p = bucket_of(t, key);
	a->key = key;
	a->chain = *p;
	*p = a;
	list_append(t, a);
	t->n++;
	return a;
}

/* Forgets what time has forgiven. */
static void decay(struct throttle *t, struct address *a, uint64_t now_ms)
{
	if (t->c.forget_ms == 0 || now_ms <= a->last_ms)
		return;
	uint64_t n = (now_ms - a->last_ms) / t->c.forget_ms;
	a->failures -= n < a->failures ? (unsigned)n : a->failures;
	a->last_ms += n * t->c.forget_ms;
}

static uint64_t step_ms(const struct throttle *t, const struct address *a)
{
	if (a->failures <= t->c.free)
		return 0;
	unsigned doublings = a->failures - t->c.free - 1;
	uint64_t ms = t->c.first_ms;
	while (doublings-- && ms < t->c.most_ms)
		ms *= 2;
	return ms < t->c.most_ms ? ms : t->c.most_ms;
}

uint64_t throttle_delay_ms(struct throttle *t, struct span address, uint64_t now_ms)
{
	uint64_t key, wait = 0;
	if (!key_of(address, &key))
		return 0;
	pthread_mutex_lock(&t->lock);
	struct address *a = find(t, key);
	if (a) {
		decay(t, a, now_ms);
		uint64_t step = step_ms(t, a);
		uint64_t from = a->free_ms > now_ms ? a->free_ms : now_ms;
		if (step) {
			wait = from + step - now_ms;
			wait = wait < t->c.most_ms ? wait : t->c.most_ms;
			a->free_ms = now_ms + wait;
		}
	}
	pthread_mutex_unlock(&t->lock);
	return wait;
}

uint64_t throttle_failed(struct throttle *t, struct span address, uint64_t now_ms)
{
	uint64_t key;
	if (!key_of(address, &key))
		return 0;
	pthread_mutex_lock(&t->lock);
	struct address *a = find(t, key);
	if (a) {
		decay(t, a, now_ms);
		list_remove(t, a);
		list_append(t, a);
	} else {
		a = add(t, key);
		a->last_ms = now_ms;
	}
	if (a->failures == 0)
		a->last_ms = now_ms;
	if (a->failures < 1u << 20)
		a->failures++;
	uint64_t step = step_ms(t, a);
	pthread_mutex_unlock(&t->lock);
	return step;
}

/* The address of a text; an empty span when it is none. */
static struct span from_text(const char *text, char b[16])
{
	char bare[INET6_ADDRSTRLEN];
	size_t n = strcspn(text, "%");
	if (n >= sizeof bare)
		return SPAN_NONE;
	memcpy(bare, text, n);
	bare[n] = 0;
	if (inet_pton(AF_INET, bare, b) == 1)
		return span_of(b, 4);
	return inet_pton(AF_INET6, bare, b) == 1 ? span_of(b, 16) : SPAN_NONE;
}

uint64_t throttle_delay_text_ms(struct throttle *t, const char *address, uint64_t now_ms)
{
	char b[16];
	return throttle_delay_ms(t, from_text(address, b), now_ms);
}

uint64_t throttle_failed_text(struct throttle *t, const char *address, uint64_t now_ms)
{
	char b[16];
	return throttle_failed(t, from_text(address, b), now_ms);
}
