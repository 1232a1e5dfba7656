/* Looking up who is logged in again: names in batches, then a look at the sessions. */
#include "server/recheck.h"

#include <stdlib.h>

#include "base/arena.h"
#include "server/session.h"

enum { BATCH = 128 };

/* One round; its arena holds it and the names. */
struct recheck {
	struct server_loop *loop;
	struct arena *arena;
	struct span *name;
	size_t n, done;
};

static int name_cmp(const void *a, const void *b)
{
	return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

static void add(struct recheck *r, struct span name)
{
	if (auth_must_learn(r->loop->server->config.auth, name, 0))
		r->name[r->n++] = arena_dup(r->arena, name);
}

static void sort(struct recheck *r)
{
	size_t kept = 0;

	qsort(r->name, r->n, sizeof *r->name, name_cmp);
	for (size_t i = 0; i < r->n; i++)
		if (kept == 0 || !span_eq(r->name[kept - 1], r->name[i]))
			r->name[kept++] = r->name[i];
	r->n = kept;
}

static struct recheck *recheck_new(struct server_loop *l)
{
	struct arena *a = arena_new(NULL);
	struct recheck *r = ARENA_NEW(a, struct recheck);

	r->loop = l;
	r->arena = a;
	r->name = arena_array(a, 2 * l->n_conns, sizeof *r->name);
	for (struct conn *c = l->conns; c; c = c->next) {
		if (!c->session->epoch)
			continue;
		if (!c->session->who.is_operator)
			add(r, auth_authcid(&c->session->who));
		if (!span_eq(auth_authcid(&c->session->who),
			     auth_authzid(&c->session->who)))
			add(r, auth_authzid(&c->session->who));
	}
	sort(r);
	return r;
}

static void round_over(struct recheck *r)
{
	struct server_loop *l = r->loop;

	arena_free(r->arena);
	l->is_rechecking = false;
	if (l->is_stopping)
		return;
	server_sweep(l);
	recheck_watch(l);
}

static void next_batch(struct recheck *r);

static void batch_done(struct op *op, void *owner)
{
	struct recheck *r = owner;

	r->loop->orphans--;
	/* what did not answer would not answer for the rest either */
	if (op->rc != ERR_OK || r->loop->is_stopping)
		r->done = r->n;
	next_batch(r);
}

static void next_batch(struct recheck *r)
{
	size_t n = r->n - r->done < BATCH ? r->n - r->done : BATCH;
	const struct span *from = r->name + r->done;

	if (n == 0) {
		round_over(r);
		return;
	}
	r->done += n;
	r->loop->orphans++; /* the loop must not end before it */
	auth_learn_start(r->loop->server->config.auth, from, n, r->loop->home, batch_done,
			 r);
}

static void begin(void *arg)
{
	struct server_loop *l = arg;

	l->is_rechecking = true;
	next_batch(recheck_new(l));
}

void recheck_watch(struct server_loop *l)
{
	const struct server_config *c = &l->server->config;

	if (auth_asks(c->auth) && c->recheck_ms && l->conns && !l->is_rechecking &&
	    !net_timer_is_running(&l->recheck))
		net_timer_start(l->loop, &l->recheck, c->recheck_ms, begin, l);
}

void recheck_now(struct server_loop *l)
{
	if (auth_asks(l->server->config.auth) && !l->is_rechecking && !l->is_stopping)
		begin(l);
}
