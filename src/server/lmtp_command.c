/* The commands of LMTP (RFC 2033 section 4, RFC 5321 section 4.1). */
#include "server/lmtp_conn.h"

#include "base/clock.h"
#include "server/mailbox_name.h"
#include "server/overload.h"

/* ---- the transaction ---- */

static void mail_new(struct lmtp *c)
{
	struct arena *a = arena_new(NULL);
	struct lmtp_mail *m = ARENA_NEW(a, struct lmtp_mail);

	m->arena = a;
	m->started_ms = clock_mono_ms();
	m->last = &m->first;
	c->mail = m;
	c->mails++;
}

void lmtp_mail_end(struct lmtp *c)
{
	struct lmtp_mail *m = c->mail;

	c->mail = NULL;
	c->state = LMTP_COMMANDS;
	c->is_held = false;
	if (!m)
		return;
	for (struct lmtp_rcpt *r = m->first; r; r = r->next) {
		incoming_free(r->in);
		account_unref(r->account);
	}
	lmtp_spool_free(m->spool);
	shared_unref(m->shared);
	buf_done(&m->text);
	arena_free(m->arena);
}

/* ---- LHLO ---- */

static void lhlo(struct lmtp *c, struct span args)
{
	if (!lmtp_is_host(args)) {
		lmtp_bad(c, "501 5.5.4 LHLO wants the name of your host.");
		return;
	}
	lmtp_mail_end(c);
	memcpy(c->hello, args.p, args.n);
	c->hello[args.n] = 0;
	lmtp_say(c, "250-%s", c->host);
	lmtp_say(c, "250-PIPELINING");
	lmtp_say(c, "250-ENHANCEDSTATUSCODES");
	lmtp_say(c, "250-8BITMIME");
	lmtp_say(c, "250-SMTPUTF8");
	lmtp_say(c, "250 SIZE %llu",
		 (unsigned long long)c->server->config.limits.message_bytes);
}

/* ---- MAIL ---- */

struct mail_params {
	bool has_size, has_body, has_utf8;
	bool is_bad, is_unknown;
	uint64_t size;
};

static void take_param(struct mail_params *p, struct span key, struct span value)
{
	if (span_ieq(key, SPAN("SIZE"))) {
		/* at most 20 digits (RFC 1870 section 3): more than 64 bits hold */
		p->is_bad |= p->has_size || !value.n || value.n > 20;
		for (size_t i = 0; i < value.n; i++)
			p->is_bad |= value.p[i] < '0' || value.p[i] > '9';
		if (!span_u64(value, UINT64_MAX, &p->size))
			p->size = UINT64_MAX;
		p->has_size = true;
	} else if (span_ieq(key, SPAN("BODY"))) {
		p->is_bad |= p->has_body || (!span_ieq(value, SPAN("7BIT")) &&
					     !span_ieq(value, SPAN("8BITMIME")));
		p->has_body = true;
	} else if (span_ieq(key, SPAN("SMTPUTF8"))) {
		p->is_bad |= p->has_utf8 || value.n;
		p->has_utf8 = true;
	} else {
		p->is_unknown = true;
	}
}

/* What is wrong with it, as a reply; NULL: nothing. */
static const char *mail_take(struct lmtp *c, struct span args)
{
	struct lmtp_mail *m = c->mail;
	struct mail_params p = { 0 };
	struct lmtp_address from;
	struct span key, value;
	int n;

	args = span_sub(args, strlen("FROM:"), args.n);
	if (!lmtp_path(m->arena, &args, &from))
		return "501 5.1.7 The sender is not well formed.";
	while ((n = lmtp_param(&args, &key, &value)) > 0)
		take_param(&p, key, value);
	if (n < 0 || p.is_bad)
		return "501 5.5.4 A parameter is not well formed.";
	if (p.is_unknown)
		return "555 5.5.4 A parameter is not one of those offered.";
	if (from.has_utf8 && !p.has_utf8)
		return "553 5.6.7 That sender needs SMTPUTF8.";
	if (p.size > c->server->config.limits.message_bytes)
		return "552 5.3.4 The message is larger than this server takes.";
	m->sender = arena_dup(m->arena, from.text);
	m->has_utf8 = p.has_utf8;
	return NULL;
}

static void mail(struct lmtp *c, struct span args)
{
	const char *why;

	if (!c->hello[0]) {
		lmtp_bad(c, "503 5.5.1 LHLO comes first.");
		return;
	}
	if (c->mail) {
		lmtp_bad(c, "503 5.5.1 There is a sender already; RSET ends it.");
		return;
	}
	mail_new(c);
	why = mail_take(c, args);
	if (!why) {
		lmtp_say(c, "250 2.1.0 The sender is fine.");
		return;
	}
	if (span_starts(span_str(why), SPAN("50")))
		lmtp_bad(c, why);
	else
		lmtp_say(c, "%s", why);
	lmtp_mail_end(c);
	c->mails--;
}

/* ---- RCPT ---- */

static void add_name(struct lmtp_rcpt *r, struct span user, struct span folder)
{
	for (unsigned i = 0; i < r->n_as; i++)
		if (span_eq(r->as[i].user, user))
			return;
	r->as[r->n_as].user = user;
	r->as[r->n_as++].folder = folder;
}

static struct span with_domain(struct arena *a, struct span local, struct span domain)
{
	return span_str(
	    arena_printf(a, "%.*s@%.*s", (int)local.n, local.p, (int)domain.n, domain.p));
}

/*
 * The names that an address may mean: the whole of it, then without the folder, then each
 * without the domain, as which domains are served here is the mail server's to know.
 */
static void find_names(struct lmtp_rcpt *r, const struct lmtp_address *to)
{
	struct arena *a = r->arena;
	struct span local = arena_dup(a, to->local), base, detail;

	lmtp_split(local, &base, &detail);
	if (to->domain.n) {
		add_name(r, with_domain(a, local, to->domain), SPAN_NONE);
		add_name(r, with_domain(a, base, to->domain), detail);
	}
	add_name(r, local, SPAN_NONE);
	add_name(r, base, detail);
}

static void is_nobody(struct lmtp *c, struct lmtp_rcpt *r)
{
	lmtp_say(c, "550 5.1.1 <%.*s> is not a user here.", (int)r->address.n,
		 r->address.p);
	arena_free(r->arena);
}

static void open_next(struct lmtp *c, struct lmtp_rcpt *r);

static void opened(struct op *op, void *owner)
{
	struct lmtp_rcpt *r = owner;
	struct lmtp *c = r->conn;
	struct lmtp_mail *m = c->mail;

	c->op = NULL;
	if (op->rc == ERR_OK) {
		r->account = op_account(op);
		*m->last = r;
		m->last = &r->next;
		m->n++;
		lmtp_say(c, "250 2.1.5 The recipient is fine.");
	} else if (op->rc == ERR_NOENT) {
		/* nobody said that there is such a user, and he has no mail */
		open_next(c, r);
	} else {
		if (op->rc == ERR_FULL)
			lmtp_say(c, "452 4.3.1 There is no space left; try again later.");
		else
			lmtp_say(c, "451 4.3.0 The mailbox cannot be opened now.");
		arena_free(r->arena);
	}
	lmtp_pump(c);
}

/* The next of the names that is a user's. */
static void open_next(struct lmtp *c, struct lmtp_rcpt *r)
{
	const struct op_to to = { c->home->home, opened, r };
	const struct user *u = NULL;
	struct users *users = NULL;

	while (!u && r->tried < r->n_as)
		users = auth_user(c->server->config.auth, r->as[r->tried++].user, &u);
	if (!u) {
		is_nobody(c, r);
		return;
	}
	r->user = arena_dup(r->arena, u->name);
	r->folder = mailbox_name_normal(r->arena, r->as[r->tried - 1].folder);
	memcpy(r->mail, u->account.p, USER_ACCOUNT_LEN);
	c->op = store_account_open(c->server->config.store, span_str(r->mail),
				   !u->is_assumed, to);
	users_unref(users);
}

static void learned(struct op *op, void *owner)
{
	struct lmtp_rcpt *r = owner;
	struct lmtp *c = r->conn;

	c->op = NULL;
	if (op->rc == ERR_OK) {
		open_next(c, r);
	} else {
		lmtp_say(c, "451 4.3.0 Users cannot be looked up now; try again later.");
		arena_free(r->arena);
	}
	lmtp_pump(c);
}

/* Databases are asked for all names before one of the user table. */
static void look_up(struct lmtp *c, struct lmtp_rcpt *r)
{
	struct auth *auth = c->server->config.auth;
	struct span names[4];
	size_t n = 0;

	for (unsigned i = 0; i < r->n_as; i++) {
		const struct user *u;
		struct users *users = auth_user(auth, r->as[i].user, &u);
		bool is_theirs = auth_must_learn(auth, r->as[i].user, 0);

		users_unref(users);
		if (is_theirs)
			names[n++] = r->as[i].user;
		else if (u)
			break;
	}
	if (n)
		c->op = auth_learn_start(auth, names, n, c->home->home, learned, r);
	else
		open_next(c, r);
}

/* What is wrong with it, as a reply; NULL: nothing, and `r` has its names. */
static const char *rcpt_take(struct lmtp *c, struct lmtp_rcpt *r, struct span args)
{
	struct lmtp_address to;
	struct span key, value;

	args = span_sub(args, strlen("TO:"), args.n);
	if (!lmtp_path(r->arena, &args, &to) || !to.text.n)
		return "501 5.1.3 The recipient is not well formed.";
	if (lmtp_param(&args, &key, &value) != 0)
		return "555 5.5.4 RCPT takes no parameters here.";
	if (to.has_utf8 && !c->mail->has_utf8)
		return "553 5.6.7 That recipient needs SMTPUTF8.";
	if (c->mail->n >= c->server->config.limits.recipients)
		return "452 4.5.3 These are too many recipients for one message.";
	r->address = arena_dup(r->arena, to.text);
	find_names(r, &to);
	return NULL;
}

static void rcpt(struct lmtp *c, struct span args)
{
	struct arena *a;
	struct lmtp_rcpt *r;
	const char *why;

	if (!c->mail) {
		lmtp_bad(c, "503 5.5.1 MAIL comes first.");
		return;
	}
	a = arena_new(c->mail->arena);
	r = ARENA_NEW(a, struct lmtp_rcpt);
	r->arena = a;
	r->conn = c;
	why = rcpt_take(c, r, args);
	if (!why) {
		look_up(c, r);
		return;
	}
	/* one too many is no fault of the client's */
	if (span_starts(span_str(why), SPAN("50")))
		lmtp_bad(c, why);
	else
		lmtp_say(c, "%s", why);
	arena_free(a);
}

/* ---- the others ---- */

static void data(struct lmtp *c, struct span args)
{
	if (!c->mail || !c->mail->n)
		lmtp_bad(c, "503 5.5.1 There is no recipient.");
	else if (overload_is_short(c->server->overload))
		lmtp_say(c, "452 4.3.1 The server is short of memory; try again later.");
	else
		lmtp_data_begin(c);
}

static void rset(struct lmtp *c, struct span args)
{
	lmtp_mail_end(c);
	lmtp_say(c, "250 2.0.0 Forgotten.");
}

static void noop(struct lmtp *c, struct span args)
{
	lmtp_say(c, "250 2.0.0 Nothing was done.");
}

static void vrfy(struct lmtp *c, struct span args)
{
	lmtp_say(c, "252 2.5.0 RCPT will tell.");
}

static void help(struct lmtp *c, struct span args)
{
	lmtp_say(c, "214 2.0.0 LHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT");
}

static void quit(struct lmtp *c, struct span args)
{
	lmtp_say(c, "221 2.0.0 %s says good-bye.", c->host);
	lmtp_end(c);
}

/* RFC 2033 section 4.1: who says these takes us for an SMTP server. */
static void not_smtp(struct lmtp *c, struct span args)
{
	lmtp_bad(c, "500 5.5.1 This is LMTP: begin with LHLO.");
}

static const struct {
	const char *verb, *then; /* what the arguments begin with */
	enum { NO_ARGS, ARGS, ANY_ARGS } args;
	void (*run)(struct lmtp *c, struct span args);
} commands[] = {
	{ "LHLO", "", ARGS, lhlo },	    { "MAIL", "FROM:", ARGS, mail },
	{ "RCPT", "TO:", ARGS, rcpt },	    { "DATA", "", NO_ARGS, data },
	{ "RSET", "", NO_ARGS, rset },	    { "NOOP", "", ANY_ARGS, noop },
	{ "VRFY", "", ARGS, vrfy },	    { "HELP", "", ANY_ARGS, help },
	{ "QUIT", "", NO_ARGS, quit },	    { "HELO", "", ANY_ARGS, not_smtp },
	{ "EHLO", "", ANY_ARGS, not_smtp },
};

/* Trailing white space is let pass (RFC 5321 section 4.1.1). */
static struct span trim_end(struct span s)
{
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

void lmtp_command(struct lmtp *c, struct span line)
{
	ptrdiff_t space;
	struct span verb = trim_end(line), args = SPAN_NONE;

	space = span_find(verb, ' ');
	if (space >= 0) {
		args = span_sub(verb, (size_t)space + 1, verb.n);
		verb.n = (size_t)space;
	}
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (!span_ieq(verb, span_str(commands[i].verb)))
			continue;
		if ((commands[i].args == NO_ARGS && args.n) ||
		    (commands[i].args == ARGS && !args.n) ||
		    !span_istarts(args, span_str(commands[i].then)))
			lmtp_bad(c, "501 5.5.4 The arguments are not well formed.");
		else
			commands[i].run(c, args);
		return;
	}
	lmtp_bad(c, "500 5.5.1 There is no such command here.");
}
