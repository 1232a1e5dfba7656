/*
 * Failed logins by address, and counted slots.
 *
 * The throttle answers with a delay; the caller waits with a timer, no worker
 * is held. It belongs to the server, not to a session: UNAUTHENTICATE does not
 * clear it (D8), nor does a login that succeeds. Any thread.
 */
#ifndef AUTH_THROTTLE_H
#define AUTH_THROTTLE_H

#include "base/span.h"

struct throttle_config {
	unsigned free;	    /* so many failures cost nothing */
	uint64_t first_ms;  /* delay after the next; then it doubles */
	uint64_t most_ms;   /* no delay is longer */
	uint64_t forget_ms; /* one failure is forgotten each such time */
	size_t
	    max; /* addresses remembered; the least lately failed goes first. 0: 65536 */
};

struct throttle;
struct throttle *throttle_new(const struct throttle_config *c);
void throttle_free(struct throttle *t);

/*
 * `address`: 4 or 16 bytes, network order; an IPv6 network (/64) counts as one,
 * an IPv4 address in IPv6 (::ffff:0:0/96) as IPv4. Other lengths: no limit.
 */
/* What a login from there has to wait now, before its check starts. */
uint64_t throttle_delay_ms(struct throttle *t, struct span address, uint64_t now_ms);
/* A login from there has failed. Returns the delay from now on. */
uint64_t throttle_failed(struct throttle *t, struct span address, uint64_t now_ms);
/* The same for an address as text, "192.0.2.1" or "2001:db8::1%eth0". */
uint64_t throttle_delay_text_ms(struct throttle *t, const char *address, uint64_t now_ms);
uint64_t throttle_failed_text(struct throttle *t, const char *address, uint64_t now_ms);

/*
 * Slots: at most `limit` of each key at a time (sessions of a user by account
 * key, connections of an address). Memory for the keys in use only. Any thread.
 */
struct slots;
struct slots *slots_new(unsigned limit); /* 0: no limit, still counted */
void slots_free(struct slots *s);
/* Takes one; false: all are taken. */
bool slots_acquire(struct slots *s, struct span key);
void slots_release(struct slots *s, struct span key);
unsigned slots_count(struct slots *s, struct span key);

#endif
