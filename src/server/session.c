/* Sessions: what belongs to a user, from login to UNAUTHENTICATE or the end. */
#include "server/recheck.h"
#include "server/session.h"

#include "base/clock.h"
#include "server/command.h"
#include "server/selected.h"

static size_t n_extensions(void)
{
	size_t n = 0;

	while (server_extensions[n])
		n++;
	return n;
}

struct session *session_new(struct conn *c)
{
	struct arena *a = arena_new(NULL);
	struct session *s = ARENA_NEW(a, struct session);
	struct net_counters at = net_counters(c->net);

	s->conn = c;
	s->arena = a;
	s->state = IN_NOT_AUTH;
	s->slots = arena_array(a, n_extensions(), sizeof *s->slots);
	s->started_ms = clock_mono_ms();
	s->bytes_in = at.plain_in;
	s->bytes_out = at.plain_out;
	return s;
}

/* One line an identity epoch (D17). */
static void audit(const struct session *s)
{
	const struct conn *c = s->conn;
	struct net_counters now = { 0 };
	struct log_line l;

	if (s->epoch == 0)
		return;
	if (c->net)
		now = net_counters(c->net);
	else
		now = c->last_counters;
	log_begin(&l, c->server->config.log, LOG_INFO, "epoch");
	log_num(&l, "connection", (int64_t)c->number);
	log_num(&l, "epoch", s->epoch);
	log_str(&l, "authcid", auth_authcid(&s->who));
	log_str(&l, "authzid", auth_authzid(&s->who));
	log_str(&l, "mechanism", span_str(s->mechanism));
	log_str(&l, "peer", span_str(c->peer.text));
	if (c->id.text) {
		log_str(&l, "client", span_str(c->id.text));
		log_bool(&l, "client_from_earlier_epoch", c->id.epoch < s->epoch);
	}
	log_num(&l, "commands", (int64_t)s->commands);
	log_num(&l, "bytes_in", (int64_t)(now.plain_in - s->bytes_in));
	log_num(&l, "bytes_out", (int64_t)(now.plain_out - s->bytes_out));
	log_num(&l, "ms", (int64_t)(clock_mono_ms() - s->started_ms));
	log_end(&l);
}

void session_end(struct session *s)
{
	if (!s)
		return;
	audit(s);
	s->conn->ended_commands += s->commands;
	selected_end(s);
	arena_free(s->arena);
}

static void changed(void *arg)
{
	struct session *s = arg;

	s->is_changed = true;
	conn_changed(s->conn);
}

static void account_drop(void *account)
{
	account_unref(account);
}

static void watch_drop(void *watch)
{
	watch_close(watch);
}

static void slot_drop(void *arg)
{
	struct session *s = arg;

	slots_release(s->conn->server->sessions, auth_account(&s->who));
}

bool session_login(struct session *s, const struct auth_identity *who,
		   const char *mechanism, struct account *account)
{
	struct conn *c = s->conn;

	if (!who->is_operator && !slots_acquire(c->server->sessions, auth_account(who))) {
		account_unref(account);
		return false;
	}
	arena_defer(s->arena, account_drop, account);
	s->who = *who;
	if (!who->is_operator)
		arena_defer(s->arena, slot_drop, s);
	s->account = account;
	s->watch = account_watch(account, c->home->home, changed, s);
	arena_defer(s->arena, watch_drop, s->watch);
	s->mechanism = mechanism;
	s->may_unauthenticate = auth_may_unauthenticate(
	    c->server->config.auth, c->listener->unauthenticate, auth_authcid(who));
	s->epoch = ++c->epoch;
	s->state = IN_AUTH;
	recheck_watch(c->home);
	return true;
}

static void **slot_of(const struct session *s, const struct extension *ext)
{
	size_t i = 0;

	while (server_extensions[i] != ext)
		i++;
	return &s->slots[i];
}

void *session_slot(struct session *s, const struct extension *ext)
{
	void **slot = slot_of(s, ext);

	if (!*slot)
		*slot = arena_alloc(s->arena, ext->slot_bytes);
	return *slot;
}

void *session_slot_if(const struct session *s, const struct extension *ext)
{
	return *slot_of(s, ext);
}

bool session_is_rev2(const struct session *s)
{
	return s->enabled & ENABLED_REV2;
}

bool session_condstore(const struct session *s)
{
	return s->enabled & (ENABLED_CONDSTORE | CONDSTORE_IMPLIED | ENABLED_QRESYNC);
}

bool session_vanished(const struct session *s)
{
	return s->enabled & (ENABLED_QRESYNC | ENABLED_UIDONLY);
}

bool session_is_uidonly(const struct session *s)
{
	return s->enabled & ENABLED_UIDONLY;
}

bool session_is_utf8(const struct session *s)
{
	return s->enabled & (ENABLED_REV2 | ENABLED_UTF8);
}
