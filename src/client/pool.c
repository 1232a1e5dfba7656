/*
 * The pool of the public library: connections found by server, TLS options and
 * credential, not by user (rule C8 of doc/client.md). A mutex guards the list; nothing
 * that waits for a server is done under it.
 */
#include "client/lib.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/arena.h"
#include "base/clock.h"

struct place {
	struct place *next;
	struct buf key; /* has the password: buf_done() wipes */
	struct mailstile *m;
	struct net_tls *tls; /* as m's; for those that are made while this one is out */
	bool is_out;
	uint64_t made_ms, used_ms;
	unsigned users;
};

struct mailstile_pool {
	struct mailstile_pool_options o;
	pthread_mutex_t lock;
	pthread_cond_t given; /* a place is idle or free */
	struct place *places; /* the one that was used last comes first */
	unsigned n;
	bool is_closing;
	uint64_t taken, made, dropped;
};

/* --- keys --------------------------------------------------------------------- */

static void put_text(struct buf *key, const char *s)
{
	buf_printf(key, "%zu:", s ? strlen(s) + 1 : 0);
	if (s)
		buf_puts(key, s);
}

static struct buf key_of(const struct mailstile_options *o)
{
	struct buf key = { 0 };

	put_text(&key, o->host);
	buf_printf(&key, "%u %d %d %d ", o->port, (int)o->tls, o->no_compress,
		   o->never_switch);
	buf_put(&key, span_of(&o->dial, sizeof o->dial));
	buf_put(&key, span_of(&o->dial_arg, sizeof o->dial_arg));
	put_text(&key, o->ca_file);
	put_text(&key, o->pin_sha256);
	put_text(&key, o->certificate);
	put_text(&key, o->key);
	put_text(&key, o->login);
	put_text(&key, o->password);
	put_text(&key, o->mechanism);
	return key;
}

/* --- places ------------------------------------------------------------------- */

static void unlink_place(struct mailstile_pool *p, struct place *at)
{
	struct place **link = &p->places;

	while (*link != at)
		link = &(*link)->next;
	*link = at->next;
	at->next = NULL;
	p->n--;
}

static void push_place(struct mailstile_pool *p, struct place *at)
{
	at->next = p->places;
	p->places = at;
	p->n++;
}

/* Not under the lock: LOGOUT is written. */
static void place_free(struct place *at)
{
	mailstile_free(at->m);
	net_tls_unref(at->tls);
	buf_done(&at->key);
	free(at);
}

static void places_free(struct place *at)
{
	while (at) {
		struct place *next = at->next;
		place_free(at);
		at = next;
	}
}

/* Takes what was idle for too long out of the list. */
static struct place *reap(struct mailstile_pool *p, uint64_t now)
{
	struct place *gone = NULL, *next;

	for (struct place *at = p->places; at; at = next) {
		next = at->next;
		if (at->is_out || (!p->is_closing && now - at->used_ms < p->o.idle_ms))
			continue;
		unlink_place(p, at);
		p->dropped++;
		at->next = gone;
		gone = at;
	}
	return gone;
}

static struct place *find(struct mailstile_pool *p, struct span key, const char *user)
{
	struct place *best = NULL;

	for (struct place *at = p->places; at; at = at->next) {
		const char *his;

		if (at->is_out || !span_eq(buf_span(&at->key), key))
			continue;
		his = mailstile_user(at->m);
		if (p->o.keep_login && his && strcmp(his, user) == 0)
			return at;
		if (!best)
			best = at;
	}
	return best;
}

/* The idle one that nobody used for the longest time, of whatever key. */
static struct place *oldest(struct mailstile_pool *p)
{
	struct place *last = NULL;

	for (struct place *at = p->places; at; at = at->next)
		if (!at->is_out)
			last = at;
	return last;
}

static struct place *new_place(struct mailstile_pool *p, struct span key)
{
	struct place *at = xcalloc(1, sizeof *at);

	buf_put(&at->key, key);
	for (struct place *other = p->places; other && !at->tls; other = other->next)
		if (other->tls && span_eq(buf_span(&other->key), key))
			at->tls = net_tls_ref(other->tls);
	at->is_out = true;
	at->made_ms = clock_mono_ms();
	push_place(p, at);
	p->made++;
	return at;
}

static void wait_until(struct mailstile_pool *p, uint64_t ms)
{
	struct timespec t = { .tv_sec = (time_t)(ms / 1000),
			      .tv_nsec = (long)(ms % 1000) * 1000000 };

	pthread_cond_timedwait(&p->given, &p->lock, &t);
}

/* A place for this key, marked as out; NULL: none came in time. */
static struct place *get_place(struct mailstile_pool *p, struct span key,
			       const char *user)
{
	uint64_t last = clock_mono_ms() + p->o.wait_ms;
	struct place *at = NULL, *gone;

	pthread_mutex_lock(&p->lock);
	/* The time under the lock: before it, another may have given one back later. */
	gone = reap(p, clock_mono_ms());
	while (!(at = find(p, key, user))) {
		struct place *other = p->n < p->o.connections ? NULL : oldest(p);

		if (p->n < p->o.connections) {
			at = new_place(p, key);
			break;
		}
		if (other) {
			unlink_place(p, other);
			p->dropped++;
			other->next = gone;
			gone = other;
			continue;
		}
		if (clock_mono_ms() >= last)
			break;
		wait_until(p, last);
	}
	if (at)
		at->is_out = true;
	pthread_mutex_unlock(&p->lock);
	places_free(gone);
	return at;
}

/* --- taking ------------------------------------------------------------------- */

static void say(char *ret_why, size_t size, const char *text)
{
	if (ret_why && size)
		snprintf(ret_why, size, "%s", text);
}

static void drop(struct mailstile_pool *p, struct place *at)
{
	bool is_last;

	pthread_mutex_lock(&p->lock);
	unlink_place(p, at);
	p->dropped++;
	is_last = p->is_closing && !p->n;
	pthread_cond_broadcast(&p->given);
	pthread_mutex_unlock(&p->lock);
	place_free(at);
	if (is_last) {
		pthread_cond_destroy(&p->given);
		pthread_mutex_destroy(&p->lock);
		free(p);
	}
}

static enum mailstile_rc act_for(struct mailstile_pool *p, struct place *at,
				 const char *user, enum mailstile_how *ret_how)
{
	const char *his;
	bool is_used = at->users > 0, is_kept;
	enum mailstile_rc rc;

	if (is_used)
		mailstile_step(at->m); /* notices what ended meanwhile */
	if (mailstile_is_ready(at->m) && clock_mono_ms() - at->used_ms > p->o.check_ms)
		mailstile_runf(at->m, NULL, "NOOP"); /* else act_for() connects anew */
	his = mailstile_user(at->m);
	is_kept = p->o.keep_login && his && strcmp(his, user) == 0;
	if (!is_kept)
		mailstile_forget(at->m);
	at->users += !is_kept;
	rc = mailstile_act_for(at->m, user, ret_how);
	/* It was dead, or its server cannot change users after all (C5). */
	if (is_used && rc != MAILSTILE_OK && rc != MAILSTILE_REFUSED &&
	    rc != MAILSTILE_INVALID && rc != MAILSTILE_TIMEOUT)
		rc = mailstile_act_for(at->m, user, ret_how);
	return rc;
}

enum mailstile_rc mailstile_pool_take(struct mailstile_pool *p,
				      const struct mailstile_options *o, const char *user,
				      struct mailstile **ret_client,
				      enum mailstile_how *ret_how, char *ret_why,
				      size_t size)
{
	struct mailstile_options full;
	struct place *at;
	struct buf key;
	enum mailstile_rc rc;

	if (!user || !lib_options(o, &full)) {
		say(ret_why, size, "the options are not of this library");
		return MAILSTILE_INVALID;
	}
	key = key_of(&full);
	at = get_place(p, buf_span(&key), user);
	buf_done(&key);
	if (!at) {
		say(ret_why, size, "all connections of the pool are in use");
		return MAILSTILE_LIMIT;
	}
	if (!at->m) {
		struct mailstile *m = lib_new(o, at->tls, ret_why, size);

		if (!m) {
			drop(p, at);
			return MAILSTILE_INVALID;
		}
		pthread_mutex_lock(&p->lock); /* others look for a context to share */
		at->m = m;
		if (!at->tls && m->tls)
			at->tls = net_tls_ref(m->tls);
		pthread_mutex_unlock(&p->lock);
	}
	rc = act_for(p, at, user, ret_how);
	if (rc != MAILSTILE_OK) {
		say(ret_why, size, mailstile_error(at->m));
		drop(p, at);
		return rc;
	}
	pthread_mutex_lock(&p->lock);
	p->taken++;
	pthread_mutex_unlock(&p->lock);
	*ret_client = at->m;
	return MAILSTILE_OK;
}

void mailstile_pool_give(struct mailstile_pool *p, struct mailstile *m)
{
	struct place *at;
	uint64_t now;
	bool is_good;

	if (!m)
		return;
	mailstile_on_event(m, NULL, NULL);
	pthread_mutex_lock(&p->lock);
	now = clock_mono_ms();
	for (at = p->places; at && at->m != m; at = at->next)
		;
	is_good = at && !p->is_closing && mailstile_is_ready(m) && !m->commands &&
		  !mailstile_pending(m) && now - at->made_ms < p->o.age_ms &&
		  (!p->o.users || at->users < p->o.users);
	if (is_good) {
		unlink_place(p, at); /* and to the front */
		push_place(p, at);
		at->is_out = false;
		at->used_ms = now;
		/* All: each may wait for another key. */
		pthread_cond_broadcast(&p->given);
	}
	pthread_mutex_unlock(&p->lock);
	if (at && !is_good)
		drop(p, at);
}

/* --- the pool ----------------------------------------------------------------- */

struct mailstile_pool *mailstile_pool_new(const struct mailstile_pool_options *o)
{
	struct mailstile_pool_options full = { 0 };
	struct mailstile_pool *p;
	pthread_condattr_t attr;

	if (o && (o->size < sizeof o->size || o->size > sizeof full))
		return NULL;
	if (o)
		memcpy(&full, o, o->size);
	full.connections = full.connections ? full.connections : 8;
	full.wait_ms = full.wait_ms ? full.wait_ms : 30000;
	full.idle_ms = full.idle_ms ? full.idle_ms : 5 * 60 * 1000;
	full.age_ms = full.age_ms ? full.age_ms : 60 * 60 * 1000;
	full.check_ms = full.check_ms ? full.check_ms : 30000;
	p = xcalloc(1, sizeof *p);
	p->o = full;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->given, &attr);
	pthread_condattr_destroy(&attr);
	return p;
}

void mailstile_pool_free(struct mailstile_pool *p)
{
	struct place *gone;
	bool is_last;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->is_closing = true;
	gone = reap(p, 0);
	is_last = !p->n;
	pthread_mutex_unlock(&p->lock);
	places_free(gone);
	if (!is_last)
		return; /* the last that is given back ends it */
	pthread_cond_destroy(&p->given);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void mailstile_pool_stats(struct mailstile_pool *p,
			  struct mailstile_pool_stats *ret_stats, size_t size)
{
	struct mailstile_pool_stats s = { 0 };

	pthread_mutex_lock(&p->lock);
	for (struct place *at = p->places; at; at = at->next)
		*(at->is_out ? &s.in_use : &s.idle) += 1;
	s.taken = p->taken;
	s.made = p->made;
	s.dropped = p->dropped;
	pthread_mutex_unlock(&p->lock);
	memset(ret_stats, 0, size);
	memcpy(ret_stats, &s, size < sizeof s ? size : sizeof s);
}
