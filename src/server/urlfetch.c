/*
 * URLFETCH (RFC 4467): the bytes that URLs name, by the authority of their tokens. Who
 * may use a URL is judged by the authorization identity of the session; what is read is
 * what the URL's owner may read: his own mailboxes. Whatever is wrong with a URL: NIL.
 */
#include "base/clock.h"
#include "server/mailbox_name.h"
#include "server/reply.h"
#include "server/url_source.h"
#include "server/urlauth.h"

enum { PARSE, LEARNED, OPENED, KEYS, FIND, READ, DRAINED };

struct urlfetch {
	struct span text[URLS_MAX];
	size_t n, at;
	/* the one in hand */
	struct url_source from;
	char owner[USER_ACCOUNT_LEN + 1]; /* his account */
	uint32_t mailbox;
	uint64_t done;
};

static enum verdict next(struct cmd *cmd);

/* "* URLFETCH url" */
static void begin(struct cmd *cmd)
{
	struct urlfetch *f = cmd->state;

	buf_puts(cmd_out(cmd), "* URLFETCH ");
	emit_string(cmd_out(cmd), cmd_mode(cmd), f->text[f->at]);
	buf_putc(cmd_out(cmd), ' ');
}

static enum verdict nil(struct cmd *cmd)
{
	struct urlfetch *f = cmd->state;

	begin(cmd);
	buf_puts(cmd_out(cmd), "NIL\r\n");
	f->at++;
	return next(cmd);
}

/* ---- who may ---- */

/* Finds the owner's account; `ret_submit`: the session's user is an administrator's, whom
 * submit+ trusts to have asked the user (section 3). */
static bool look_up(struct cmd *cmd, bool *ret_submit)
{
	struct urlfetch *f = cmd->state;
	struct auth *auth = cmd->server->config.auth;
	const struct user *owner, *self;
	struct users *of_self = auth_user(auth, auth_authzid(&cmd->session->who), &self);
	struct users *of_owner = auth_user(auth, f->from.url.user, &owner);

	*ret_submit = self && self->is_admin;
	if (owner)
		memcpy(f->owner, owner->account.p, USER_ACCOUNT_LEN);
	users_unref(of_self);
	users_unref(of_owner);
	return owner != NULL;
}

static bool may_use(struct cmd *cmd, const struct wire_url *u, bool may_submit)
{
	if (u->has_expire && clock_wall_s() > u->expire)
		return false;
	switch (u->access) {
	case URL_USER:
		return url_user_is(u->access_user, auth_authzid(&cmd->session->who));
	case URL_SUBMIT: return may_submit;
	case URL_AUTHUSER:
	case URL_ANONYMOUS: return true;
	default: return false;
	}
}

static void account_drop(void *a)
{
	account_unref(a);
}

/* ---- the bytes ---- */

/* CMD_YIELD: there is more to read. */
static enum verdict put(struct cmd *cmd, struct span bytes)
{
	struct urlfetch *f = cmd->state;
	struct buf *out = cmd_out(cmd);
	char *nul, *end;

	if (bytes.n == 0) {
		/* not a byte more: it would be taken for the rest of the literal */
		cmd->no_report = true;
		return CMD_CLOSE;
	}
	buf_put(out, bytes);
	end = out->p + out->off + out->n;
	for (nul = end - bytes.n; (nul = memchr(nul, '\0', (size_t)(end - nul)));)
		*nul++ = (char)0x80; /* as FETCH shows it */
	f->done += bytes.n;
	if (f->done < f->from.bytes)
		return cmd_must_drain(cmd) ? cmd_drain(cmd, DRAINED) : CMD_YIELD;
	buf_puts(out, "\r\n");
	f->at++;
	return next(cmd);
}

static enum verdict read_more(struct cmd *cmd)
{
	struct urlfetch *f = cmd->state;
	enum verdict v;

	do {
		struct span now;
		struct op *op = url_source_read(cmd, &f->from, f->done, &now);

		if (op)
			return cmd_wait(cmd, READ, op);
		v = put(cmd, now);
	} while (v == CMD_YIELD);
	return v;
}

static enum verdict came(struct cmd *cmd)
{
	enum verdict v = put(cmd, cmd->op->rc == ERR_OK ? buf_span(op_bytes(cmd->op))
							: SPAN_NONE);

	return v == CMD_YIELD ? read_more(cmd) : v;
}

static enum verdict found(struct cmd *cmd)
{
	struct urlfetch *f = cmd->state;

	/* another may have got the name since the token was verified */
	if (f->from.mailbox && mailbox_number(f->from.mailbox) != f->mailbox)
		return nil(cmd);
	/* a section that is not there is the empty string (section 8, URLFETCH) */
	if (f->from.rc == ERR_NOENT && f->from.info.bytes)
		f->from.bytes = 0;
	else if (f->from.rc != ERR_OK)
		return nil(cmd);
	begin(cmd);
	f->done = 0;
	if (f->from.bytes == 0) {
		buf_puts(cmd_out(cmd), "\"\"\r\n");
		f->at++;
		return next(cmd);
	}
	emit_literal_header(cmd_out(cmd), cmd_mode(cmd), f->from.bytes);
	return read_more(cmd);
}

static enum verdict find(struct cmd *cmd)
{
	struct urlfetch *f = cmd->state;
	struct op *op = url_source_find(cmd, &f->from);

	return op ? cmd_wait(cmd, FIND, op) : found(cmd);
}

/* ---- the token ---- */

static bool token_is(struct cmd *cmd, const struct wire_url *u, const struct url_keys *k)
{
	struct span want = url_token(cmd->arena, k, u->rump);
	struct span got = arena_dup(cmd->arena, u->token);

	for (size_t i = 0; i < got.n; i++)
		if (got.p[i] >= 'A' && got.p[i] <= 'F')
			((char *)got.p)[i] = (char)(got.p[i] | 0x20);
	return want.p && span_eq_secret(want, got);
}

static enum verdict keys_came(struct cmd *cmd)
{
	struct urlfetch *f = cmd->state;
	const struct wire_url *u = &f->from.url;
	struct url_keys k;
	bool may_submit = false;
	bool has_keys = cmd->op->rc == ERR_OK && url_keys_take(cmd, &k);
	bool is_right = token_is(cmd, u, has_keys ? &k : &(struct url_keys){ 0 });

	if (!has_keys || !is_right || !look_up(cmd, &may_submit) ||
	    !may_use(cmd, u, may_submit))
		return nil(cmd);
	return find(cmd);
}

/* The owner's account is at hand. */
static enum verdict with_account(struct cmd *cmd)
{
	struct urlfetch *f = cmd->state;
	struct url_source *from = &f->from;
	const struct names *names = account_names_now(from->account);
	const struct name *name;

	from->path = mailbox_name_normal(cmd->arena, from->url.mailbox);
	name = names_find(names, from->path);
	f->mailbox = name ? name->mailbox : 0;
	names_unref(names);
	/* number 0 has no keys: who guesses names waits as long (section 6) */
	return cmd_wait(cmd, KEYS,
			url_keys_read(cmd, from->account, span_str(f->owner),
				      f->mailbox ? f->mailbox : UINT32_MAX));
}

static enum verdict opened(struct cmd *cmd)
{
	struct urlfetch *f = cmd->state;

	if (cmd->op->rc != ERR_OK)
		return nil(cmd);
	f->from.account = op_account(cmd->op);
	arena_defer(cmd->arena, account_drop, f->from.account);
	return with_account(cmd);
}

/* Who the owner is is known. */
static enum verdict learned(struct cmd *cmd)
{
	struct urlfetch *f = cmd->state;
	bool may_submit;

	if (!look_up(cmd, &may_submit))
		return nil(cmd);
	if (span_eq(span_str(f->owner), auth_account(&cmd->session->who))) {
		f->from.account = cmd->session->account;
		return with_account(cmd);
	}
	return cmd_wait(cmd, OPENED,
			store_account_open(cmd->server->config.store, span_str(f->owner),
					   false, cmd_to(cmd)));
}

static enum verdict next(struct cmd *cmd)
{
	struct urlfetch *f = cmd->state;
	struct wire_url *u = &f->from.url;
	struct auth *auth = cmd->server->config.auth;
	struct op_to to = cmd_to(cmd);

	if (f->at == f->n)
		return reply_done(cmd);
	f->from = (struct url_source){ 0 };
	if (!wire_url_parse(cmd->arena, f->text[f->at], u) || !u->token.p ||
	    !u->is_absolute || !u->user.p || !span_ieq(u->mechanism, SPAN("INTERNAL")))
		return nil(cmd);
	if (!auth_must_learn(auth, u->user, AUTH_LEARNED_MS))
		return learned(cmd);
	return cmd_wait(cmd, LEARNED,
			auth_learn_start(auth, &u->user, 1, to.home, to.done, to.owner));
}

static enum verdict parse(struct cmd *cmd)
{
	struct urlfetch *f = cmd->state = ARENA_NEW(cmd->arena, struct urlfetch);

	do {
		struct span text;

		cursor_sp(&cmd->cur);
		text = cursor_astring(&cmd->cur);
		if (cmd->cur.bad)
			break;
		if (f->n == URLS_MAX)
			return reply_no(cmd, "LIMIT", "These are too many URLs.");
		f->text[f->n++] = text;
	} while (!cursor_at_end(&cmd->cur));
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	return next(cmd);
}

enum verdict run_urlfetch(struct cmd *cmd)
{
	switch (cmd->step) {
	case PARSE: return parse(cmd);
	case LEARNED: return learned(cmd);
	case OPENED: return opened(cmd);
	case KEYS: return keys_came(cmd);
	case FIND: return find(cmd);
	case READ: return came(cmd);
	default: return read_more(cmd);
	}
}
