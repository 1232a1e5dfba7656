/*
 * The message and its deliveries. For one recipient it streams into the store as it
 * comes; for several it goes through a spool. Accounts share its bytes, which are written
 * once; then each gets it with a header of his own, as many at a time as IN_FLIGHT_BYTES
 * allows. A recipient is answered when
 * his append is durable, in the order of the RCPT commands (RFC 2033 section 4.2).
 */
#include "server/lmtp_conn.h"

#include <time.h>

#include "base/clock.h"

enum { IN_FLIGHT_BYTES = 8 << 20 };

/* ---- what is put before the message (RFC 5321 section 4.4) ---- */

static void put_date(struct buf *out, int64_t at_s)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)at_s;
	struct tm tm;

	gmtime_r(&t, &tm);
	buf_printf(out, "%.3s, %d %.3s %d %02d:%02d:%02d +0000", days + 3 * tm.tm_wday,
		   tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour,
		   tm.tm_min, tm.tm_sec);
}

static void put_peer(struct buf *out, const struct net_addr *peer)
{
	if (!peer->is_ip)
		buf_puts(out, "(local socket)");
	else
		buf_printf(out, "([%s%s])", strchr(peer->text, ':') ? "IPv6:" : "",
			   peer->text);
}

/* The next behind `o` whose mailbox gets r's copy as well. */
static const struct lmtp_rcpt *next_along(const struct lmtp_rcpt *r,
					  const struct lmtp_rcpt *o)
{
	do
		o = o->next;
	while (o && (o->same != r || o->is_twice));
	return o;
}

static void put_header(const struct lmtp *c, const struct lmtp_rcpt *r, struct buf *out)
{
	const struct lmtp_mail *m = c->mail;

	bool is_alone = true;

	buf_printf(out, "Return-Path: <%.*s>\r\n", (int)m->sender.n, m->sender.p);
	for (const struct lmtp_rcpt *o = r; o; o = next_along(r, o)) {
		is_alone = is_alone && o == r;
		buf_printf(out, "Delivered-To: %.*s\r\n", (int)o->address.n,
			   o->address.p);
	}
	buf_printf(out, "Received: from %s ", c->hello);
	put_peer(out, &c->peer);
	buf_printf(out, "\r\n\tby %s with %s id %llu-%llu", c->host,
		   m->has_utf8 ? "UTF8LMTP" : "LMTP", (unsigned long long)c->number,
		   (unsigned long long)c->mails);
	if (is_alone) /* the clause is for one address */
		buf_printf(out, "\r\n\tfor <%.*s>; ", (int)r->address.n, r->address.p);
	else
		buf_puts(out, ";\r\n\t");
	put_date(out, m->arrived_s);
	buf_puts(out, "\r\n");
}

/* ---- the message comes ---- */

static void go_on(void *arg)
{
	struct lmtp *c = arg;

	c->is_held = false;
	lmtp_pump(c);
}

/* Opens the recipient's copy: its header is in. */
static void open_copy(struct lmtp *c, struct lmtp_rcpt *r)
{
	struct buf header = { 0 };

	r->in = incoming_new(r->account, c->home->home, go_on, c);
	put_header(c, r, &header);
	incoming_feed(r->in, buf_span(&header));
	buf_done(&header);
}

void lmtp_data_begin(struct lmtp *c)
{
	struct lmtp_mail *m = c->mail;

	m->arrived_s = clock_wall_s();
	if (m->n == 1)
		open_copy(c, m->first);
	else
		m->spool = lmtp_spool_new(c->server->config.spool_dir,
					  c->server->config.workers, c->home->home, go_on,
					  c);
	c->state = LMTP_DATA;
	lmtp_say(c, "354 Send the message; end with <CRLF>.<CRLF>");
}

static void drop_message(struct lmtp_mail *m)
{
	incoming_free(m->first->in);
	m->first->in = NULL;
	lmtp_spool_free(m->spool);
	m->spool = NULL;
}

/* Takes what stands in m->text. */
static void take_text(struct lmtp *c)
{
	struct lmtp_mail *m = c->mail;
	struct span text = buf_span(&m->text);

	m->bytes += text.n;
	if (!m->is_too_big && m->bytes > c->server->config.limits.message_bytes) {
		m->is_too_big = true; /* the rest is read over, then refused */
		drop_message(m);
	}
	if (text.n && !m->is_too_big)
		c->is_held = m->spool ? !lmtp_spool_put(m->spool, text)
				      : !incoming_feed(m->first->in, text);
	buf_clear(&m->text);
}

static void deliver_begin(struct lmtp *c);

bool lmtp_data_step(struct lmtp *c)
{
	struct lmtp_mail *m = c->mail;
	ptrdiff_t n;

	if (c->is_held)
		return false;
	if (!c->in.n) {
		if (!lmtp_may_read(c))
			return false;
		n = net_read(c->net, &c->in);
		if (n == NET_EOF)
			lmtp_end(c);
		if (n <= 0)
			return false;
	}
	buf_take(&c->in, lmtp_dots(&m->dots, buf_span(&c->in), &m->text));
	take_text(c);
	if (m->dots.at == LMTP_END)
		deliver_begin(c);
	return true;
}

/* Of `bytes` that were fed to a store's incoming: a piece gathers, another is written. */
static uint64_t waits_in(const struct incoming *in)
{
	uint64_t bytes = in ? incoming_bytes(in) : 0;

	return bytes > 2 * BODY_PIECE ? 2 * BODY_PIECE : bytes;
}

uint64_t lmtp_mail_memory(const struct lmtp *c)
{
	const struct lmtp_mail *m = c->mail;

	if (!m || !m->n)
		return 0;
	if (m->share == SHARE_FEEDS)
		return lmtp_spool_memory(m->spool) + 2 * BODY_PIECE;
	return m->text.cap + m->in_flight + (m->spool ? lmtp_spool_memory(m->spool) : 0) +
	       waits_in(m->feeds ? m->feeds->in : m->first->in);
}

/* ---- where to ---- */

static bool is_mailbox(const struct name *n)
{
	return n && (n->flags & NAME_EXISTS);
}

/* The folder of that name, in any case if not exactly (mail servers change the case of
 * addresses); NULL when there is none. */
static const struct name *folder(const struct names *names, struct span wanted)
{
	const struct name *n = wanted.n ? names_find(names, wanted) : NULL;

	if (!wanted.n || is_mailbox(n))
		return n;
	for (size_t i = 0; i < names->n; i++)
		if (span_ieq(names->at[i]->path, wanted) && is_mailbox(names->at[i]))
			return names->at[i];
	return NULL;
}

/* Of a folder that is not there the mail comes to INBOX. */
static struct span path_of(const struct lmtp_rcpt *r)
{
	const struct names *names = account_names_now(r->account);
	const struct name *n = folder(names, r->folder);
	struct span path = n ? arena_dup(r->arena, n->path) : SPAN("INBOX");

	names_unref(names);
	return path;
}

/* He may have been deleted since RCPT, or deleted and added anew. */
static bool is_still_there(const struct lmtp *c, const struct lmtp_rcpt *r)
{
	struct auth *auth = c->server->config.auth;
	const struct user *u;
	struct users *users = auth_user(auth, r->user, &u);
	/* forgotten what a database said at RCPT: that holds */
	bool is_same = u ? span_eq(u->account, span_str(r->mail))
			 : auth_must_learn(auth, r->user, UINT64_MAX);

	users_unref(users);
	return is_same;
}

static void find_same(struct lmtp_mail *m, struct lmtp_rcpt *r)
{
	for (struct lmtp_rcpt *o = m->first; o != r; o = o->next) {
		if (o->account != r->account)
			continue;
		if (!r->same)
			r->same = o;
		if (span_eq(o->path, r->path))
			r->is_twice = true;
	}
}

static void deliver_begin(struct lmtp *c)
{
	struct lmtp_mail *m = c->mail;

	c->state = LMTP_DELIVERS;
	m->answer = m->feeds = m->first;
	for (struct lmtp_rcpt *r = m->first; r; r = r->next) {
		r->path = path_of(r);
		find_same(m, r);
		if (m->is_too_big)
			r->rc = ERR_TOOBIG;
		else if (!is_still_there(c, r))
			r->is_unknown = true;
		else
			continue;
		r->state = RCPT_DONE;
	}
}

/* ---- a delivery ---- */

/* What an append holds in memory at most: incoming hands over what is larger. */
static uint64_t weight(const struct lmtp_mail *m)
{
	return m->bytes < IN_FLIGHT_BYTES ? m->bytes : IN_FLIGHT_BYTES;
}

static void appended(struct op *op, void *owner)
{
	struct lmtp_rcpt *r = owner;

	r->op = NULL;
	r->rc = op->rc;
	r->state = RCPT_DONE;
	r->conn->mail->in_flight -= weight(r->conn->mail);
	lmtp_pump(r->conn);
}

static void commit(struct lmtp *c, struct lmtp_rcpt *r)
{
	struct append_item item = { .body = r->in, .internal_date = c->mail->arrived_s };
	const struct op_to to = { c->home->home, appended, r };
	struct span *paths = arena_alloc(r->arena, c->mail->n * sizeof *paths);
	size_t n = 0;

	r->in = NULL; /* the op's now */
	r->state = RCPT_COMMITS;
	c->mail->in_flight += weight(c->mail);
	for (const struct lmtp_rcpt *o = r; o; o = next_along(r, o))
		paths[n++] = o->path;
	r->op = messages_deliver(r->account, paths, n, &item, to);
}

/* The next of the spool. ERR_AGAIN: wait. */
static enum err next_text(struct lmtp_mail *m, struct span *ret)
{
	enum err rc = lmtp_spool_get(m->spool, m->fed, ret);

	if (rc == ERR_OK && !ret->n)
		rc = ERR_IO;
	if (rc == ERR_OK)
		m->fed += ret->n;
	return rc;
}

/* From the spool into the copy of m->feeds. False: wait. */
static bool feed(struct lmtp *c)
{
	struct lmtp_mail *m = c->mail;
	struct lmtp_rcpt *r = m->feeds;
	struct span text;
	enum err rc;

	if (m->fed == m->bytes) {
		commit(c, r);
		return true;
	}
	rc = next_text(m, &text);
	if (rc == ERR_AGAIN)
		return false;
	if (rc != ERR_OK) {
		r->rc = rc;
		r->state = RCPT_DONE;
		return true;
	}
	c->is_held = !incoming_feed(r->in, text);
	return !c->is_held;
}

/* ---- the bytes that all have ---- */

/* Nobody gets it. */
static void share_fails(struct lmtp *c, enum err rc)
{
	c->mail->share = SHARE_NOT;
	for (struct lmtp_rcpt *r = c->mail->first; r; r = r->next)
		if (r->state == RCPT_WAITS) {
			r->rc = rc;
			r->state = RCPT_DONE;
		}
}

static void shared_is_kept(struct op *op, void *owner)
{
	struct lmtp *c = owner;

	c->mail->share_op = NULL;
	c->mail->share = SHARE_READY;
	if (op->rc != ERR_OK)
		share_fails(c, op->rc);
	lmtp_pump(c);
}

static bool share_feed(struct lmtp *c)
{
	struct lmtp_mail *m = c->mail;
	const struct op_to to = { c->home->home, shared_is_kept, c };
	struct span text;
	enum err rc;

	if (m->fed == m->bytes) {
		m->share = SHARE_KEEPS;
		m->share_op = shared_keep(m->shared, to);
		return false;
	}
	rc = next_text(m, &text);
	if (rc == ERR_OK)
		c->is_held = !shared_feed(m->shared, text);
	else if (rc != ERR_AGAIN)
		share_fails(c, rc);
	return rc != ERR_AGAIN && !c->is_held;
}

/* Whether several accounts get it. */
static bool is_shared(const struct lmtp_mail *m)
{
	unsigned n = 0;

	for (const struct lmtp_rcpt *r = m->first; r; r = r->next)
		n += r->state == RCPT_WAITS && !r->same;
	return m->spool && m->bytes && n > 1;
}

static void share_begin(struct lmtp *c)
{
	struct lmtp_mail *m = c->mail;

	if (!is_shared(m)) {
		m->share = SHARE_NOT;
		return;
	}
	m->shared = shared_new(c->server->config.store, c->home->home, go_on, c);
	m->share = SHARE_FEEDS;
	m->fed = 0;
}

/* Brings the next delivery on; false when none can go on now. */
static bool deliver_next(struct lmtp *c)
{
	struct lmtp_mail *m = c->mail;
	struct lmtp_rcpt *r = m->feeds;

	if (c->is_held || !r)
		return false;
	if (r->same || r->state == RCPT_COMMITS || r->state == RCPT_DONE) {
		m->feeds = r->next;
		return true;
	}
	if (r->state == RCPT_FEEDS)
		return feed(c);
	if (!m->spool) {
		commit(c, r);
		return true;
	}
	if (m->share == SHARE_ASK)
		share_begin(c);
	if (m->share == SHARE_FEEDS)
		return share_feed(c);
	if (m->share == SHARE_KEEPS)
		return false;
	if (m->in_flight && m->in_flight + weight(m) > IN_FLIGHT_BYTES)
		return false;
	open_copy(c, r);
	if (m->shared)
		incoming_share(r->in, m->shared);
	r->state = RCPT_FEEDS;
	m->fed = 0;
	return true;
}

/* ---- the replies ---- */

static void log_failure(const struct lmtp *c, const struct lmtp_rcpt *r)
{
	struct log_line l;

	log_begin(&l, c->server->config.log, LOG_WARNING, "delivery_failed");
	log_num(&l, "connection", (int64_t)c->number);
	log_num(&l, "message", (int64_t)c->mails);
	log_str(&l, "recipient", r->address);
	log_str(&l, "reason", span_str(err_text(r->rc)));
	log_end(&l);
}

struct refusal {
	const char *code, *text;
};

/* Only what can never succeed is refused for good: the mail server tries the rest again.
 */
static struct refusal refusal(const struct lmtp *c, const struct lmtp_rcpt *r)
{
	if (r->is_unknown)
		return (struct refusal){ "550 5.1.1", "This is no user here any more." };
	switch (r->rc) {
	case ERR_TOOBIG:
		return (struct refusal){
			"552 5.3.4", "The message is larger than this server takes."
		};
	case ERR_FULL:
		return (struct refusal){ "452 4.3.1",
					 "There is no space left; try again later." };
	case ERR_QUOTA:
		if (c->server->config.limits.quota_refuses_mail)
			return (struct refusal){ "552 5.2.2", "The mailbox is full." };
		return (struct refusal){ "452 4.2.2",
					 "The mailbox is full; try again later." };
	case ERR_LIMIT:
		return (struct refusal){ "452 4.2.2", "The mailbox takes no more." };
	case ERR_NOENT:
		return (struct refusal){ "451 4.2.0",
					 "The mailbox has gone; try again." };
	case ERR_CLOSED:
		return (struct refusal){ "451 4.3.2", "The server is stopping." };
	default:
		return (struct refusal){ "451 4.3.0",
					 "It could not be kept; try again later." };
	}
}

static void answer(struct lmtp *c, const struct lmtp_rcpt *r)
{
	struct lmtp_mail *m = c->mail;
	const struct lmtp_rcpt *to = r->same ? r->same : r;
	struct refusal no;

	if (to->rc == ERR_OK && !to->is_unknown) {
		m->delivered++;
		lmtp_say(c, "250 2.0.0 <%.*s>: Kept as %llu-%llu.", (int)r->address.n,
			 r->address.p, (unsigned long long)c->number,
			 (unsigned long long)c->mails);
		return;
	}
	no = refusal(c, to);
	lmtp_say(c, "%s <%.*s>: %s", no.code, (int)r->address.n, r->address.p, no.text);
	if (no.code[0] == '4') {
		m->deferred++;
		log_failure(c, r);
	} else {
		m->refused++;
	}
}

static void log_delivery(const struct lmtp *c)
{
	const struct lmtp_mail *m = c->mail;
	const char *result = m->delivered == m->n  ? "delivered"
			     : m->delivered	   ? "partly"
			     : m->deferred == m->n ? "deferred"
			     : m->refused == m->n  ? "refused"
						   : "failed";
	struct log_line l;

	log_begin(&l, c->server->config.log, LOG_INFO, "delivery");
	log_num(&l, "connection", (int64_t)c->number);
	log_num(&l, "message", (int64_t)c->mails);
	log_str(&l, "sender", m->sender);
	log_num(&l, "recipients", m->n);
	log_num(&l, "delivered", m->delivered);
	log_num(&l, "deferred", m->deferred);
	log_num(&l, "refused", m->refused);
	log_num(&l, "bytes", (int64_t)m->bytes);
	log_str(&l, "result", span_str(result));
	log_num(&l, "ms", (int64_t)(clock_mono_ms() - m->started_ms));
	log_end(&l);
}

bool lmtp_deliver_step(struct lmtp *c)
{
	struct lmtp_mail *m = c->mail;

	while (m->answer) {
		const struct lmtp_rcpt *r = m->answer->same ? m->answer->same : m->answer;

		if (r->state != RCPT_DONE)
			return deliver_next(c);
		answer(c, m->answer);
		m->answer = m->answer->next;
	}
	log_delivery(c);
	lmtp_mail_end(c);
	return true;
}
