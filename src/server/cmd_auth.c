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

enum { START, MECH_LINE, CHECK, CHECKED, OPENED, FAILED };

struct login {
	const struct mech *mech;
	const char *mechanism;
	void *mech_state;
	struct auth_request request;
	struct auth_identity who;
	struct buf in; /* the decoded message of the client */
};

static void login_done(void *arg)
{
	struct login *l = arg;

	buf_done(&l->in);
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
		span_str(why == ERR_DENIED ? "not allowed to act for that user"
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
					   auth_account(&l->who), true, cmd_to(cmd)));
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

/* An address that has failed often waits before its next try is looked at. */
static enum verdict throttled_check(struct cmd *cmd)
{
	uint64_t delay = throttle_delay_text_ms(cmd->server->throttle,
						cmd->conn->peer.text, clock_mono_ms());

	return delay ? cmd_sleep(cmd, CHECK, delay) : check(cmd);
}

static enum verdict checked(struct cmd *cmd)
{
	struct login *l = cmd->state;

	if (cmd->op->rc != ERR_OK)
		return login_failed(cmd, cmd->op->rc);
	l->who = *auth_login_identity(cmd->op);
	return open_account(cmd);
}

static enum verdict opened(struct cmd *cmd)
{
	struct login *l = cmd->state;

	if (cmd->op->rc != ERR_OK)
		return reply_no(cmd, "UNAVAILABLE",
				"The mail cannot be opened now; try again.");
	/* A reload may have come between. */
	if (!auth_standing(cmd->server->config.auth, &l->who)) {
		account_unref(op_account(cmd->op));
		return login_failed(cmd, ERR_DENIED);
	}
	return log_in(cmd, op_account(cmd->op));
}

static enum verdict step_on(struct cmd *cmd)
{
	switch (cmd->step) {
	case CHECK: return check(cmd);
	case CHECKED: return checked(cmd);
	case OPENED: return opened(cmd);
	default: return CMD_DONE; /* FAILED: the reply was set, the delay is over */
	}
}

/* ---- AUTHENTICATE ---- */

static enum verdict mech_go(struct cmd *cmd, const struct span *in)
{
	struct login *l = cmd->state;
	struct mech_step step = { 0 };

	switch (l->mech->server_step(l->mech_state, in, &step)) {
	case MECH_CHALLENGE: {
		struct buf line = { 0 };

		base64_encode(step.out, &line);
		continuation(cmd, buf_span(&line));
		buf_done(&line);
		return cmd_line(cmd, MECH_LINE);
	}
	case MECH_PASSWORD: l->request = step.request; return throttled_check(cmd);
	default: return login_failed(cmd, ERR_AUTH);
	}
}

static enum verdict mech_line(struct cmd *cmd)
{
	struct login *l = cmd->state;
	struct span in;

	if (span_eq(cmd->line, SPAN("*")))
		return reply_bad(cmd, "AUTHENTICATE was cancelled.");
	buf_clear(&l->in);
	if (base64_decode(cmd->line, &l->in) != ERR_OK)
		return reply_bad(cmd, "A line of base64 was expected.");
	in = buf_span(&l->in);
	return mech_go(cmd, &in);
}

static enum verdict authenticate(struct cmd *cmd)
{
	struct span name, initial = SPAN_NONE, in;
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
	if ((mech->flags & MECH_PLAINTEXT) && !conn_may_login(cmd->conn))
		return reply_no(cmd, "PRIVACYREQUIRED", "Start TLS first.");
	l = login_new(cmd, mech->name.p);
	l->mech = mech;
	l->mech_state = arena_alloc(cmd->arena, mech->server_size);
	if (!has_initial)
		return mech_go(cmd, NULL);
	if (mech_initial(initial, &l->in) != ERR_OK)
		return reply_bad(cmd, "The initial response is not base64.");
	in = buf_span(&l->in);
	return mech_go(cmd, &in);
}

static enum verdict run_authenticate(struct cmd *cmd)
{
	switch (cmd->step) {
	case START: return authenticate(cmd);
	case MECH_LINE: return mech_line(cmd);
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

		if ((m->flags & MECH_PLAINTEXT) && !conn_may_login(c))
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
