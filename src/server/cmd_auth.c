/*
 * AUTHENTICATE, LOGIN, STARTTLS (RFC 9051 section 6.2; SASL-IR of RFC 4959). Only in not
 * authenticated state, also after UNAUTHENTICATE (RFC 8437 section 5).
 */
#include "auth/login.h"
#include "auth/mech.h"
#include "base/base64.h"
#include "base/clock.h"
#include "server/capability.h"
#include "server/conn_run.h"
#include "server/reply.h"

enum {
	START,
	MECH_LINE,
	MECH_PROOF,
	MECH_LEARNED,
	CHECK,
	CHECKED,
	OPERATOR,
	PROVEN,
	LEARNED,
	OPENED,
	FAILED
};

struct login {
	const struct mech *mech;
	const char *mechanism;
	void *mech_state;
	struct auth_request request;
	struct auth_identity who;
	struct buf in;	    /* the decoded message of the client */
	const char *reason; /* for the log; NULL: the usual one */
	struct mech_env env;
	struct scram_keys keys;
	enum scram_hash hash; /* of the keys asked for */
	struct buf end_point, unique;
	uint8_t exporter[32];
	bool has_waited; /* before the proof */
};

static void login_done(void *arg)
{
	struct login *l = arg;

	buf_done(&l->in);
	buf_done(&l->end_point);
	buf_done(&l->unique);
	wipe(&l->request, sizeof l->request);
}

static struct login *login_new(struct cmd *cmd, const char *mechanism)
{
	struct login *l = ARENA_NEW(cmd->arena, struct login);

	l->mechanism = mechanism;
	arena_defer(cmd->arena, login_done, l);
	cmd->state = l;
	return l;
}

static void log_failure(struct cmd *cmd, enum err why)
{
	struct login *l = cmd->state;
	struct log_line line;

	log_begin(&line, cmd->server->config.log, LOG_WARNING, "login failed");
	log_num(&line, "connection", (int64_t)cmd->conn->number);
	log_str(&line, "peer", span_str(cmd->conn->peer.text));
	log_str(&line, "mechanism", span_str(l->mechanism));
	log_str(&line, "authcid", l->request.authcid);
	log_str(&line, "authzid", l->request.authzid);
	log_str(&line, "reason",
		span_str(l->reason	     ? l->reason
			 : why == ERR_DENIED ? "not allowed to act for that user"
			 : why == ERR_IO || why == ERR_UNKNOWN
			     ? "a user database does not answer"
			     : "wrong credential"));
	log_end(&line);
}

/* Failures are counted in the connection and by address, whoever logs in later (D8). */
static enum verdict login_failed(struct cmd *cmd, enum err why)
{
	struct conn *c = cmd->conn;
	uint64_t delay = throttle_failed_text(cmd->server->throttle, c->peer.text,
					      clock_mono_ms());
	unsigned limit = cmd->server->config.limits.failed_logins;

	log_failure(cmd, why);
	if (why == ERR_DENIED)
		reply_no(cmd, "AUTHORIZATIONFAILED", "You may not act for that user.");
	else
		reply_no(cmd, "AUTHENTICATIONFAILED", "User name or password is wrong.");
	if (++c->failed_logins >= limit && limit)
		c->bye_text = "Too many failed logins.";
	return delay ? cmd_sleep(cmd, FAILED, delay) : CMD_DONE;
}

/* Nobody can say who it is: no failure of his. */
static enum verdict unavailable(struct cmd *cmd, enum err why)
{
	struct conn *c = cmd->conn;

	log_failure(cmd, why);
	if (why == ERR_UNKNOWN)
		throttle_failed_text(cmd->server->throttle, c->peer.text,
				     clock_mono_ms());
	return reply_no(cmd, "UNAVAILABLE",
			"User names cannot be looked up now; try again later.");
}

/* Asks the databases for those who are not in the table; then goes on at `step`. */
static enum verdict learn(struct cmd *cmd, int step, const struct span *names, size_t n)
{
	struct op_to to = cmd_to(cmd);

	return cmd_wait(cmd, step,
			auth_learn_start(cmd->server->config.auth, names, n, to.home,
					 to.done, to.owner));
}

static enum verdict log_in(struct cmd *cmd, struct account *account)
{
	struct login *l = cmd->state;

	if (!session_login(cmd->session, &l->who, l->mechanism, account))
		return reply_no(cmd, "LIMIT",
				"This user has too many sessions; end one first.");
	return reply_ok(cmd, capability_code(cmd, IN_AUTH), "Logged in.");
}

static enum verdict open_account(struct cmd *cmd)
{
	struct login *l = cmd->state;

	return cmd_wait(cmd, OPENED,
			store_account_open(cmd->server->config.store,
					   auth_account(&l->who), !l->who.is_assumed,
					   cmd_to(cmd)));
}

/* The password is known: from the cache at once, or by a worker. */
static enum verdict check(struct cmd *cmd)
{
	struct login *l = cmd->state;
	struct auth *auth = cmd->server->config.auth;
	enum err rc = auth_login_now(auth, &l->request, &l->who);
	struct op_to to = cmd_to(cmd);
	struct account *account = NULL;

	if (rc == ERR_OK)
		account = store_account_now(cmd->server->config.store,
					    auth_account(&l->who));
	if (account)
		return log_in(cmd, account);
	if (rc == ERR_OK)
		return open_account(cmd);
	if (rc == ERR_DENIED)
		return login_failed(cmd, rc);
	return cmd_wait(cmd, CHECKED,
			auth_login_start(auth, &l->request, to.home, to.done, to.owner));
}

/* On the socket that only the operator can open: what he says counts. */
static enum verdict operator_login(struct cmd *cmd)
{
	struct login *l = cmd->state;
	struct auth *auth = cmd->server->config.auth;

	if (cmd->step != OPERATOR && auth_must_learn(auth, l->request.authzid, 0))
		return learn(cmd, OPERATOR, &l->request.authzid, 1);
	if (cmd->step == OPERATOR && cmd->op->rc != ERR_OK)
		return unavailable(cmd, cmd->op->rc);
	enum err rc = auth_operator(auth, l->request.authcid, l->request.authzid,
				    &l->who);

	if (rc == ERR_OK)
		return open_account(cmd);
	log_failure(cmd, rc);
	if (rc == ERR_DENIED)
		return reply_no(cmd, "AUTHORIZATIONFAILED", "You may not act for that user.");
	return reply_no(cmd, "AUTHENTICATIONFAILED", "User name or password is wrong.");
}

/* An address that has failed often waits before its next try is looked at. */
static enum verdict throttled_check(struct cmd *cmd)
{
	if (cmd->conn->listener->is_operator)
		return operator_login(cmd);
	uint64_t delay = throttle_delay_text_ms(cmd->server->throttle,
						cmd->conn->peer.text, clock_mono_ms());

	return delay ? cmd_sleep(cmd, CHECK, delay) : check(cmd);
}

static enum verdict checked(struct cmd *cmd)
{
	struct login *l = cmd->state;

	if (cmd->op->rc == ERR_IO || cmd->op->rc == ERR_UNKNOWN)
		return unavailable(cmd, cmd->op->rc);
	if (cmd->op->rc != ERR_OK)
		return login_failed(cmd, cmd->op->rc);
	l->who = *auth_login_identity(cmd->op);
	return open_account(cmd);
}

/* Whose the client certificate is, verified anew: a list of revoked ones may have come
 * since the handshake, or since the one that it resumed. */
static enum err certificate(struct cmd *cmd)
{
	struct login *l = cmd->state;
	struct net_tls *tls = server_tls(cmd->server);
	struct buf der = { 0 };
	struct net_error why;
	enum err rc = ERR_AUTH;

	l->reason = NULL;
	if (!net_tls_peer_stands(cmd->conn->net, tls, &why))
		l->reason = arena_strdup(cmd->arena, why.text);
	else if (net_tls_peer_cert(cmd->conn->net, &der) == ERR_OK)
		rc = auth_certificate(cmd->server->config.auth, buf_span(&der),
				      l->request.authzid, &l->who);
	buf_done(&der);
	net_tls_unref(tls);
	return rc;
}

/* A reload may have come while the account was opened. */
static bool still_stands(struct cmd *cmd)
{
	struct login *l = cmd->state;
	struct auth_identity was = l->who;

	return auth_standing(cmd->server->config.auth, &was) &&
	       (!was.by_certificate ||
		(certificate(cmd) == ERR_OK &&
		 span_eq(auth_authcid(&l->who), auth_authcid(&was)) &&
		 span_eq(auth_account(&l->who), auth_account(&was))));
}

static enum verdict opened(struct cmd *cmd)
{
	/* nobody said that there is such a user, and he has no mail */
	if (cmd->op->rc == ERR_NOENT)
		return login_failed(cmd, ERR_DENIED);
	if (cmd->op->rc != ERR_OK)
		return reply_no(cmd, "UNAVAILABLE",
				"The mail cannot be opened now; try again.");
	if (!still_stands(cmd)) {
		account_unref(op_account(cmd->op));
		return login_failed(cmd, ERR_DENIED);
	}
	return log_in(cmd, op_account(cmd->op));
}

/* Whose the client certificate would be. */
static struct span certificate_name(struct cmd *cmd)
{
	struct buf der = { 0 };
	struct user_name name = { 0 };

	if (net_tls_peer_cert(cmd->conn->net, &der) == ERR_OK)
		auth_certificate_name(cmd->server->config.auth, buf_span(&der), &name);
	buf_done(&der);
	return arena_dup(cmd->arena, span_of(name.text, name.n));
}

/* The mechanism knows who it is; what is left is whom he may act for. */
static enum verdict proven(struct cmd *cmd)
{
	struct login *l = cmd->state;
	struct auth *auth = cmd->server->config.auth;

	if (cmd->step != LEARNED && auth_asks(auth)) {
		const struct span names[] = { l->mech->flags & MECH_CERTIFICATE
						  ? certificate_name(cmd)
						  : l->request.authcid,
					      l->request.authzid };

		return learn(cmd, LEARNED, names, 2);
	}
	if (cmd->step == LEARNED && cmd->op->rc != ERR_OK)
		return unavailable(cmd, cmd->op->rc);
	enum err rc = l->mech->flags & MECH_CERTIFICATE
			  ? certificate(cmd)
			  : auth_proven(auth, &l->request, &l->keys, &l->who);

	return rc == ERR_OK ? open_account(cmd) : login_failed(cmd, rc);
}

/* An address that has failed often waits before a proof is looked at, as before a
 * password; once. */
static uint64_t proof_delay(struct cmd *cmd)
{
	struct login *l = cmd->state;

	if (l->has_waited)
		return 0;
	l->has_waited = true;
	return throttle_delay_text_ms(cmd->server->throttle, cmd->conn->peer.text,
				      clock_mono_ms());
}

static enum verdict throttled_proof(struct cmd *cmd)
{
	uint64_t delay = proof_delay(cmd);

	return delay ? cmd_sleep(cmd, PROVEN, delay) : proven(cmd);
}

static enum verdict step_on(struct cmd *cmd)
{
	switch (cmd->step) {
	case CHECK: return check(cmd);
	case CHECKED: return checked(cmd);
	case OPERATOR: return operator_login(cmd);
	case PROVEN:
	case LEARNED: return proven(cmd);
	case OPENED: return opened(cmd);
	default: return CMD_DONE; /* FAILED: the reply was set, the delay is over */
	}
}

/* ---- AUTHENTICATE ---- */

/* What this connection can be bound to (RFC 5056). */
static void find_channel(struct login *l, const struct conn *c)
{
	const struct net_stack *n = c->net;

	if (!c->has_tls)
		return;
	l->env.offers_plus = true;
	if (net_tls_exporter(n, "EXPORTER-Channel-Binding", l->exporter,
			     sizeof l->exporter) == ERR_OK)
		l->env.tls_exporter = span_of(l->exporter, sizeof l->exporter);
	if (net_tls_end_point(n, &l->end_point) == ERR_OK)
		l->env.tls_server_end_point = buf_span(&l->end_point);
	if (net_tls_unique(n, &l->unique) == ERR_OK)
		l->env.tls_unique = buf_span(&l->unique);
}

static enum verdict challenge(struct cmd *cmd, struct span text)
{
	struct buf line = { 0 };

	base64_encode(text, &line);
	continuation(cmd, buf_span(&line));
	buf_done(&line);
	return cmd_line(cmd, MECH_LINE);
}

static enum verdict mech_go(struct cmd *cmd, const struct span *in);

/* The keys of who has been learned, or false ones; then the same message again. */
static enum verdict mech_keys(struct cmd *cmd)
{
	struct login *l = cmd->state;
	struct span in = buf_span(&l->in);

	if (cmd->step == MECH_LEARNED && cmd->op->rc != ERR_OK)
		return unavailable(cmd, cmd->op->rc);
	if (auth_scram_keys(cmd->server->config.auth, l->request.authcid, l->hash,
			    &l->keys) != ERR_OK)
		return login_failed(cmd, ERR_AUTH);
	l->env.keys = &l->keys;
	return mech_go(cmd, &in);
}

/* Those of the table are asked for as well, so that all take the same time. */
static enum verdict mech_learn(struct cmd *cmd, const struct mech_step *step)
{
	struct login *l = cmd->state;

	l->request = step->request;
	l->hash = step->hash;
	if (!auth_asks(cmd->server->config.auth))
		return mech_keys(cmd);
	return learn(cmd, MECH_LEARNED, &l->request.authcid, 1);
}

static enum verdict mech_go(struct cmd *cmd, const struct span *in)
{
	struct login *l = cmd->state;
	struct mech_step step = { 0 };
	enum mech_rc rc = l->mech->server_step(l->mech, l->mech_state, cmd->arena,
					       &l->env, in, &step);

	switch (rc) {
	case MECH_KEYS: return mech_learn(cmd, &step);
	case MECH_CHALLENGE: return challenge(cmd, step.out);
	case MECH_PASSWORD: l->request = step.request; return throttled_check(cmd);
	case MECH_PROVEN: l->request = step.request; return throttled_proof(cmd);
	default: l->request = step.request; return login_failed(cmd, ERR_AUTH);
	}
}

/* The message that was decoded. */
static enum verdict mech_in(struct cmd *cmd)
{
	struct login *l = cmd->state;
	struct span in = buf_span(&l->in);

	return mech_go(cmd, &in);
}

static enum verdict mech_line(struct cmd *cmd)
{
	struct login *l = cmd->state;
	uint64_t delay;

	if (span_eq(cmd->line, SPAN("*")))
		return reply_bad(cmd, "AUTHENTICATE was cancelled.");
	buf_clear(&l->in);
	if (base64_decode(cmd->line, &l->in) != ERR_OK)
		return reply_bad(cmd, "A line of base64 was expected.");
	/* Keys were handed out: this is the proof, and the mechanism answers at once
	 * whether it is right. Who is refused later could leave and ask anew. */
	delay = l->env.keys ? proof_delay(cmd) : 0;
	return delay ? cmd_sleep(cmd, MECH_PROOF, delay) : mech_in(cmd);
}

/* No password in plain text without TLS, and nothing to bind to without it. */
static bool is_offered(const struct conn *c, const struct mech *m)
{
	struct net_tls_facts facts;

	if ((m->flags & MECH_CERTIFICATE) &&
	    !(c->listener->asks_certificate && net_tls_facts(c->net, &facts) &&
	      facts.has_peer_cert))
		return false;
	return !((m->flags & MECH_PLAINTEXT) && !conn_may_login(c)) &&
	       !((m->flags & MECH_BOUND) && !c->has_tls);
}

static enum verdict authenticate(struct cmd *cmd)
{
	struct span name, initial = SPAN_NONE;
	struct login *l;
	const struct mech *mech;
	bool has_initial;

	cursor_sp(&cmd->cur);
	name = cursor_atom(&cmd->cur);
	has_initial = !cmd->cur.bad && cursor_try_sp(&cmd->cur);
	if (has_initial)
		initial = cursor_base64(&cmd->cur);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	mech = mech_find(name);
	if (!mech)
		return reply_no(cmd, "CANNOT", "That mechanism is not offered here.");
	if (!is_offered(cmd->conn, mech))
		return reply_no(cmd, "PRIVACYREQUIRED", "Start TLS first.");
	l = login_new(cmd, mech->name.p);
	if (!(mech->flags & MECH_PLAINTEXT))
		find_channel(l, cmd->conn);
	l->mech = mech;
	l->mech_state = arena_alloc(cmd->arena, mech->server_size);
	if (!has_initial)
		return mech_go(cmd, NULL);
	if (mech_initial(initial, &l->in) != ERR_OK)
		return reply_bad(cmd, "The initial response is not base64.");
	return mech_in(cmd);
}

/* ---- PREAUTH (RFC 9051 section 7.1.4; RFC 8437 section 4.2) ---- */

/* The greeting. It is said once, so a login that UNAUTHENTICATE ends does not come back.
 */
static enum verdict greeting(struct cmd *cmd, const char *state, unsigned in,
			     const char *text)
{
	buf_printf(&cmd->tagged, "* %s [%s] %s\r\n", state, capability_code(cmd, in),
		   text);
	return CMD_DONE;
}

static enum verdict greet_plainly(struct cmd *cmd)
{
	return greeting(cmd, "OK", IN_NOT_AUTH, "Mailstile is ready.");
}

static enum verdict run_preauth(struct cmd *cmd)
{
	struct login *l;
	struct account *account;

	if (cmd->step == START) {
		struct span name;

		login_new(cmd, "PREAUTH");
		name = certificate_name(cmd);
		if (auth_must_learn(cmd->server->config.auth, name, 0))
			return learn(cmd, LEARNED, &name, 1);
	}
	l = cmd->state;
	if (cmd->step != OPENED)
		return certificate(cmd) == ERR_OK ? open_account(cmd)
						  : greet_plainly(cmd);
	if (cmd->op->rc != ERR_OK)
		return greet_plainly(cmd);
	account = op_account(cmd->op);
	if (!still_stands(cmd)) {
		account_unref(account);
		return greet_plainly(cmd);
	}
	if (!session_login(cmd->session, &l->who, l->mechanism, account))
		return greet_plainly(cmd);
	return greeting(cmd, "PREAUTH", IN_AUTH, "Logged in by your certificate.");
}

const struct command command_preauth = { "", IN_NOT_AUTH, CMD_NO_REPORT, run_preauth };

static enum verdict run_authenticate(struct cmd *cmd)
{
	switch (cmd->step) {
	case START: return authenticate(cmd);
	case MECH_LINE: return mech_line(cmd);
	case MECH_PROOF: return mech_in(cmd);
	case MECH_LEARNED: return mech_keys(cmd);
	default: return step_on(cmd);
	}
}

/* ---- LOGIN ---- */

static enum verdict run_login(struct cmd *cmd)
{
	struct login *l;
	struct span name, password;

	if (cmd->step != START)
		return step_on(cmd);
	cursor_sp(&cmd->cur);
	name = cursor_astring(&cmd->cur);
	cursor_sp(&cmd->cur);
	password = cursor_astring(&cmd->cur);
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!conn_may_login(cmd->conn))
		return reply_no(cmd, "PRIVACYREQUIRED", "Start TLS first.");
	l = login_new(cmd, "LOGIN");
	l->request = (struct auth_request){ .authcid = name, .password = password };
	return throttled_check(cmd);
}

/* ---- STARTTLS ---- */

static enum verdict run_starttls(struct cmd *cmd)
{
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!conn_may_starttls(cmd->conn))
		return reply_bad(cmd, "STARTTLS is not offered here.");
	cmd->plan = (struct switch_plan){ .push_tls = true, .new_session = true };
	reply_ok(cmd, NULL, "Start the handshake.");
	return CMD_SWITCH;
}

static void offer(const struct conn *c, unsigned state, struct buf *out)
{
	if (!(state & IN_NOT_AUTH))
		return;
	buf_puts(out, " SASL-IR");
	if (conn_may_starttls(c))
		buf_puts(out, " STARTTLS");
	if (!conn_may_login(c))
		buf_puts(out, " LOGINDISABLED");
	for (size_t i = 0; mech_at(i); i++) {
		const struct mech *m = mech_at(i);

		if (!is_offered(c, m))
			continue;
		buf_puts(out, " AUTH=");
		buf_put(out, m->name);
	}
}

static const struct command commands[] = {
	{ "AUTHENTICATE", IN_NOT_AUTH, CMD_NO_REPORT, run_authenticate },
	{ "LOGIN", IN_NOT_AUTH, CMD_NO_REPORT, run_login },
	{ "STARTTLS", IN_NOT_AUTH, CMD_NO_REPORT, run_starttls },
	{ 0 },
};
const struct extension cmd_auth = {
	.name = "SASL-IR",
	.rfc = "RFC 4959",
	.about = "login in one round trip; AUTHENTICATE, LOGIN, STARTTLS",
	.offer = offer,
	.commands = commands,
};
