/* The server: listeners, loops, what they share, reload and stop. */
#include <stdlib.h>

#include "server/server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "auth/login.h"
#include "base/arena.h"
#include "base/clock.h"
#include "server/conn_run.h"
#include "server/lmtp_conn.h"
#include "server/overload.h"
#include "server/recheck.h"
#include "server/session.h"

enum { ORPHANS_MS = 10000 };

struct listener_of {
	struct server *server;
	const struct server_listener *listener;
};

struct guarded {
	_Atomic uint64_t numbers;     /* connections so far */
	_Atomic unsigned connections; /* now */
	_Atomic unsigned lmtps;	      /* now */
	_Atomic unsigned loops_stopped;
	pthread_mutex_t mutex; /* of tls */
	struct net_tls *tls;
};

/* ---- connections come and go ---- */

const char *server_conn_came(struct conn *c)
{
	struct server *s = c->server;
	unsigned limit = s->config.limits.connections;
	unsigned now = atomic_fetch_add(&s->guarded->connections, 1) + 1;
	bool has_slot = slots_acquire(s->addresses,
				      span_of(c->peer.ip, sizeof c->peer.ip));

	c->number = atomic_fetch_add(&s->guarded->numbers, 1) + 1;
	c->has_address_slot = has_slot;
	if (c->listener->is_operator)
		return NULL;
	if (limit && now > limit)
		return "This server has too many connections; try again later.";
	if (!has_slot)
		return "There are too many connections from your address.";
	return NULL;
}

void server_conn_gone(struct conn *c)
{
	struct server *s = c->server;

	atomic_fetch_sub(&s->guarded->connections, 1);
	if (c->has_address_slot)
		slots_release(s->addresses, span_of(c->peer.ip, sizeof c->peer.ip));
}

const char *server_lmtp_came(struct lmtp *c)
{
	struct guarded *g = c->server->guarded;
	unsigned limit = c->server->config.limits.lmtp_connections;

	c->number = atomic_fetch_add(&g->numbers, 1) + 1;
	if (atomic_fetch_add(&g->lmtps, 1) < limit || !limit)
		return NULL;
	return "4.3.2 This server has too many connections; try again later.";
}

void server_lmtp_gone(struct lmtp *c)
{
	atomic_fetch_sub(&c->server->guarded->lmtps, 1);
}

static void orphan_done(struct op *op, void *owner)
{
	((struct server_loop *)owner)->orphans--;
}

void server_orphan(struct server_loop *home, struct op *op)
{
	op->done = orphan_done;
	op->owner = home;
	home->orphans++;
}

struct net_tls *server_tls(struct server *s)
{
	struct net_tls *tls;

	pthread_mutex_lock(&s->guarded->mutex);
	tls = s->guarded->tls ? net_tls_ref(s->guarded->tls) : NULL;
	pthread_mutex_unlock(&s->guarded->mutex);
	return tls;
}

static void on_accept(void *arg, struct loop *loop, int fd, const struct net_addr *peer)
{
	struct listener_of *of = arg;
	struct server *s = of->server;
	unsigned now = atomic_load(&s->guarded->connections);

	for (unsigned i = 0; i < s->n_loops; i++)
		if (s->loop[i].loop == loop) {
			if (s->loop[i].is_stopping)
				close(fd);
			else if (overload_refuse(s, of->listener, fd, now))
				return;
			else if (of->listener->protocol == SERVER_LMTP)
				lmtp_accept(&s->loop[i], of->listener, fd, peer);
			else
				conn_accept(&s->loop[i], of->listener, fd, peer);
			return;
		}
}

/* ---- reload: sessions whose users are no longer allowed end ---- */

/* Whether the certificate still verifies, and still is whose it was at the login. */
static bool certificate_stands(struct server *s, const struct conn *c,
			       const struct net_tls *tls)
{
	const struct auth_identity *who = &c->session->who;
	struct auth_identity now;
	struct buf der = { 0 };
	bool is_ok = tls && c->net && net_tls_peer_stands(c->net, tls, NULL) &&
		     net_tls_peer_cert(c->net, &der) == ERR_OK &&
		     auth_certificate(s->config.auth, buf_span(&der), auth_authzid(who),
				      &now) == ERR_OK &&
		     span_eq(auth_authcid(&now), auth_authcid(who));

	buf_done(&der);
	return is_ok;
}

/* Whether who is logged in may stay: by the table, the policy, the rules for
 * certificates, and the revocation lists. */
static bool is_standing(struct server *s, const struct conn *c, const struct net_tls *tls)
{
	const struct auth_identity *who = &c->session->who;

	return auth_standing(s->config.auth, who) &&
	       (!who->by_certificate ||
		auth_must_learn(s->config.auth, auth_authcid(who), UINT64_MAX) ||
		certificate_stands(s, c, tls));
}

void server_sweep(struct server_loop *l)
{
	struct net_tls *tls = server_tls(l->server);
	struct conn *next;

	for (struct conn *c = l->conns; c; c = next) {
		next = c->next;
		if (c->session->epoch && !is_standing(l->server, c, tls))
			conn_bye(c, "You are no longer allowed here.");
	}
	net_tls_unref(tls);
}

static void reload_loop(struct task *t)
{
	struct server_loop *l = TASK_OWNER(t, struct server_loop, reload);

	atomic_store(&l->is_reload_posted, false);
	server_sweep(l);
	recheck_now(l);
}

void server_reload(struct server *s, struct net_tls *tls)
{
	if (tls) {
		struct net_tls *old;

		pthread_mutex_lock(&s->guarded->mutex);
		old = s->guarded->tls;
		s->guarded->tls = net_tls_ref(tls);
		pthread_mutex_unlock(&s->guarded->mutex);
		net_tls_unref(old);
	}
	for (unsigned i = 0; i < s->n_loops; i++)
		if (!atomic_exchange(&s->loop[i].is_reload_posted, true))
			executor_post(s->loop[i].home, &s->loop[i].reload);
}

/* ---- stop ---- */

static void loop_over(struct server_loop *l)
{
	if (l->is_stopping && !l->conns && !l->lmtps && !l->orphans && !l->is_over) {
		l->is_over = true;
		atomic_fetch_add(&l->server->guarded->loops_stopped, 1);
	}
}

static void look_if_over(void *arg)
{
	struct server_loop *l = arg;

	loop_over(l);
	if (!l->is_over)
		net_timer_start(l->loop, &l->stopping, 10, look_if_over, l);
}

static void stop_loop(struct task *t)
{
	struct server_loop *l = TASK_OWNER(t, struct server_loop, stop);
	struct conn *next;

	l->is_stopping = true;
	if (l == l->server->loop)
		for (size_t i = 0; i < l->server->config.n_listeners; i++) {
			net_listener_close(l->server->listener[i]);
			l->server->listener[i] = NULL;
		}
	for (struct conn *c = l->conns; c; c = next) {
		next = c->next;
		conn_bye(c, "The server is stopping.");
	}
	lmtp_stop_all(l);
	look_if_over(l);
}

static void abort_loop(struct task *t)
{
	struct server_loop *l = TASK_OWNER(t, struct server_loop, abort);

	while (l->conns)
		conn_abort(l->conns);
	lmtp_abort_all(l);
	look_if_over(l);
}

static bool wait_for_loops(struct server *s, uint64_t ms)
{
	uint64_t end = clock_mono_ms() + ms;

	while (atomic_load(&s->guarded->loops_stopped) < s->n_loops) {
		if (clock_mono_ms() >= end)
			return false;
		usleep(2000);
	}
	return true;
}

void server_free(struct server *s)
{
	for (unsigned i = 0; i < s->n_loops; i++)
		net_loop_free(s->loop[i].loop);
	throttle_free(s->throttle);
	slots_free(s->sessions);
	slots_free(s->addresses);
	free(s->overload);
	net_tls_unref(s->guarded->tls);
	pthread_mutex_destroy(&s->guarded->mutex);
	free(s->guarded);
	free(s->listener);
	free(s->accepting);
	free(s->loop);
	free(s);
}

static void end_loops(struct server *s)
{
	for (unsigned i = 0; i < s->n_loops; i++)
		net_loop_stop(s->loop[i].loop);
	for (unsigned i = 0; i < s->n_loops; i++)
		net_loop_join(s->loop[i].loop);
}

void server_stop(struct server *s, uint64_t grace_ms)
{
	for (unsigned i = 0; i < s->n_loops; i++)
		executor_post(s->loop[i].home, &s->loop[i].stop);
	if (!wait_for_loops(s, grace_ms)) {
		for (unsigned i = 0; i < s->n_loops; i++)
			executor_post(s->loop[i].home, &s->loop[i].abort);
		wait_for_loops(s, ORPHANS_MS);
	}
	/* BYE and close_notify are still on their way out of the stacks. */
	usleep(50000);
	end_loops(s);
}

/* ---- start ---- */

static void loop_init(struct server *s, unsigned i)
{
	struct server_loop *l = &s->loop[i];

	l->server = s;
	l->home = net_loop_executor(l->loop);
	l->reload.run = reload_loop;
	l->stop.run = stop_loop;
	l->abort.run = abort_loop;
}

static enum err listen_all(struct server *s, struct buf *ret_why)
{
	struct loop **loops = xcalloc(s->n_loops, sizeof(struct loop *));
	struct net_error why;
	enum err rc = ERR_OK;

	for (unsigned i = 0; i < s->n_loops; i++)
		loops[i] = s->loop[i].loop;
	for (size_t i = 0; i < s->config.n_listeners && rc == ERR_OK; i++) {
		const struct server_listener *l = &s->config.listener[i];
		struct net_listen o = { .host = l->address,
					.port = l->port,
					.loops = loops,
					.n_loops = s->n_loops,
					.accept = on_accept,
					.arg = &s->accepting[i],
					.path = l->path,
					.mode = l->mode };

		s->accepting[i] = (struct listener_of){ s, l };
		rc = net_listener_open(s->loop[0].loop, &o, &s->listener[i], &why);
		if (rc != ERR_OK)
			buf_printf(
			    ret_why,
			    "%s. Choose another %s for listener \"%s\", or stop what "
			    "uses this one.",
			    why.text, l->path ? "path" : "port", l->name);
	}
	free(loops);
	return rc;
}

static struct server *server_new(const struct server_config *c, unsigned n_loops)
{
	struct server *s = xcalloc(1, sizeof *s);

	s->config = *c;
	s->guarded = xcalloc(1, sizeof *s->guarded);
	pthread_mutex_init(&s->guarded->mutex, NULL);
	s->guarded->tls = c->tls ? net_tls_ref(c->tls) : NULL;
	s->loop = xcalloc(n_loops, sizeof *s->loop);
	s->listener = xcalloc(c->n_listeners + 1, sizeof(struct net_listener *));
	s->accepting = xcalloc(c->n_listeners + 1, sizeof *s->accepting);
	s->throttle = throttle_new(&c->login_delay);
	s->sessions = slots_new(c->limits.sessions_per_user);
	s->addresses = slots_new(c->limits.connections_per_address);
	s->overload = overload_new(c);
	return s;
}

enum err server_start(const struct server_config *c, struct server **ret,
		      struct buf *ret_why)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned want = c->loops ? c->loops : cores > 0 ? (unsigned)cores : 1;
	struct server *s = server_new(c, want);
	enum err rc = ERR_OK;

	for (unsigned i = 0; i < want && rc == ERR_OK; i++) {
		rc = net_loop_new(&s->loop[i].loop);
		if (rc == ERR_OK) {
			s->n_loops++;
			loop_init(s, i);
		}
	}
	if (rc != ERR_OK)
		buf_puts(ret_why,
			 "The system has no more file descriptors for event loops.");
	else
		rc = listen_all(s, ret_why);
	for (unsigned i = 0; i < want && rc == ERR_OK; i++) {
		rc = net_loop_start(s->loop[i].loop);
		if (rc != ERR_OK) {
			buf_puts(ret_why, "The system refuses another thread.");
			end_loops(s);
		}
	}
	if (rc != ERR_OK)
		server_free(s);
	else
		*ret = s;
	return rc;
}

uint16_t server_listener_port(const struct server *s, size_t i)
{
	return net_listener_port(s->listener[i]);
}
