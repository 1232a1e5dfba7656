/* The public library: the blocking level (mailstile.h). */
#include "client/lib.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include "base/arena.h"
#include "client/impl.h"

/* A call that waits. It lies on the stack of that call. */
struct wait {
	struct mailstile *m;
	struct mailstile_reply *reply; /* gets the result, and the data if is_kept */
	struct arena *arena;	       /* of the reply */
	bool is_done, is_late, is_over, is_kept;
	enum mailstile_how how;
	size_t kept, line_cap; /* bytes; places in reply->line */
	/* A response with literals that come in pieces, put together again. */
	struct buf whole;
	size_t taken; /* of what the library hands out, which has "{0}" for them */
	bool is_in_literal;
	struct net_timer timer;
};

/* The public struct comes first: freeing it frees the arena that it lies in. */
struct reply {
	struct mailstile_reply is;
	struct arena *arena;
};

static struct mailstile_reply *new_reply(void)
{
	struct arena *a = arena_new(NULL);
	struct reply *r = ARENA_NEW(a, struct reply);

	r->arena = a;
	r->is.code = r->is.args = r->is.text = "";
	return &r->is;
}

void mailstile_reply_free(struct mailstile_reply *reply)
{
	if (reply)
		arena_free(((struct reply *)reply)->arena);
}

const struct mailstile_data *mailstile_reply_find(const struct mailstile_reply *reply,
						  const char *name, size_t from)
{
	for (size_t i = from; reply && i < reply->lines; i++)
		if (strcmp(reply->line[i].name, name) == 0)
			return &reply->line[i];
	return NULL;
}

const char *mailstile_error(const struct mailstile *m)
{
	return m->error.n ? buf_span(&m->error).p : "";
}

static void set_error(struct mailstile *m, const char *text)
{
	buf_clear(&m->error);
	buf_put(&m->error, span_of(text, strlen(text) + 1));
}

static enum mailstile_rc fail(struct mailstile *m, enum mailstile_rc rc, const char *text)
{
	set_error(m, text);
	return rc;
}

/* --- waiting ------------------------------------------------------------------ */

static void wait_begin(struct wait *w, struct mailstile *m)
{
	*w = (struct wait){ .m = m, .reply = new_reply() };
	w->arena = ((struct reply *)w->reply)->arena;
}

static void on_late(void *arg)
{
	struct wait *w = arg;

	w->is_late = true;
	if (!w->m->is_dead)
		client_drop(w->m->client);
}

static void give_up(struct wait *w)
{
	if (w->is_over)
		return;
	w->is_over = true;
	client_drop(w->m->client);
}

static void on_done(void *arg, const struct mailstile_result *r)
{
	struct wait *w = arg;

	w->is_done = true;
	w->how = r->how;
	w->reply->rc = r->rc;
	w->reply->code = arena_strdup(w->arena, r->code);
	w->reply->args = arena_strdup(w->arena, r->args);
	w->reply->text = arena_strdup(w->arena, r->text);
}

/* Turns the loop until it is done; then says how. False: the object is gone. */
static bool wait_end(struct wait *w, uint32_t ms)
{
	struct mailstile *m = w->m;
	struct mailstile_reply *r = w->reply;

	if (ms)
		net_timer_start(m->loop, &w->timer, ms, on_late, w);
	/* What was given up may be complete before it is cut. */
	while (!w->is_done || ((w->is_over || w->is_late) && mailstile_is_ready(m)))
		if (!lib_turn(m, true)) {
			r->rc = MAILSTILE_CLOSED;
			r->text = "the client was freed meanwhile";
			buf_done(&w->whole);
			return false;
		}
	net_timer_stop(&w->timer);
	buf_done(&w->whole);
	if (w->is_late && r->rc != MAILSTILE_OK) {
		r->rc = lib_late(r->rc, true);
		r->text = "the deadline passed";
	}
	if (w->is_over) {
		r->rc = MAILSTILE_LIMIT;
		r->text = "the answer is larger than reply_max, or was not wanted";
	}
	set_error(m, r->text[0] ? r->text : mailstile_rc_text(r->rc));
	return true;
}

enum mailstile_rc mailstile_act_for(struct mailstile *m, const char *user,
				    enum mailstile_how *ret_how)
{
	struct wait w;
	enum mailstile_rc rc;

	if (m->depth || m->become.is_active || !user)
		return fail(m, MAILSTILE_INVALID,
			    "not from a callback, and one at a time");
	wait_begin(&w, m);
	mailstile_become(m, user, on_done, &w);
	wait_end(&w, m->deadline_ms);
	rc = w.reply->rc;
	if (rc == MAILSTILE_OK && ret_how)
		*ret_how = w.how;
	mailstile_reply_free(w.reply);
	return rc;
}

/* --- keeping what comes -------------------------------------------------------- */

static bool has_room(struct wait *w, size_t more)
{
	if (w->is_over)
		return false;
	w->kept += more;
	if (w->kept <= w->m->reply_max)
		return true;
	give_up(w);
	return false;
}

/* What stands in `bytes` behind what was taken, without the place of a literal. */
static void take_text(struct wait *w, const char *bytes, size_t n)
{
	if (w->is_in_literal) {
		w->taken += w->taken < n && bytes[w->taken] == '~' ? 6 : 5;
		w->is_in_literal = false;
	}
	if (w->taken > n)
		w->taken = n;
	buf_put(&w->whole, span_of(bytes + w->taken, n - w->taken));
	w->taken = n;
}

static bool keep_literal(void *arg, const struct mailstile_data *d, const char *piece,
			 size_t n, uint64_t left)
{
	struct wait *w = arg;

	if (!w->is_kept)
		return false;
	if (!d) {
		if (has_room(w, n))
			buf_put(&w->whole, span_of(piece, n));
		return true;
	}
	if (w->is_over || left > w->m->reply_max) {
		give_up(w);
		return true;
	}
	take_text(w, d->bytes, d->length);
	buf_printf(&w->whole, "{%ju}\r\n", (uintmax_t)left);
	w->is_in_literal = true;
	return true;
}

static bool keep_data(void *arg, const struct mailstile_data *d)
{
	struct wait *w = arg;
	struct mailstile_data copy = *d;
	struct mailstile_data *line;

	/* What a line costs of itself counts as well: empty ones must not be free. */
	if (!w->is_kept || !has_room(w, d->length + sizeof copy + 64))
		return w->is_kept;
	if (w->taken || w->is_in_literal) {
		take_text(w, d->bytes, d->length);
		copy.bytes = arena_dup(w->arena, buf_span(&w->whole)).p;
		copy.length = w->whole.n;
		buf_done(&w->whole);
		w->taken = 0;
	} else {
		copy.bytes = arena_dup(w->arena, span_of(d->bytes, d->length)).p;
	}
	copy.name = arena_strdup(w->arena, d->name);
	copy.code = arena_strdup(w->arena, d->code);
	copy.args = arena_strdup(w->arena, d->args);
	copy.text = arena_strdup(w->arena, d->text);
	if (w->reply->lines == w->line_cap) {
		w->line_cap = w->line_cap ? w->line_cap * 2 : 16;
		line = arena_array(w->arena, w->line_cap, sizeof *line);
		if (w->reply->lines)
			memcpy(line, w->reply->line, w->reply->lines * sizeof *line);
		w->reply->line = line;
	}
	line = (struct mailstile_data *)w->reply->line;
	line[w->reply->lines++] = copy;
	return true;
}

static const struct mailstile_calls keeping = { .data = keep_data,
						.literal = keep_literal,
						.done = on_done };

/* --- commands ------------------------------------------------------------------ */

/* Sends and waits. False: the object is gone. */
static bool run(struct mailstile_command *cmd, struct wait *w,
		const struct mailstile_calls *calls, void *arg)
{
	struct mailstile *m = w->m;
	enum mailstile_rc rc;

	if (m->depth) {
		mailstile_cancel(cmd);
		rc = MAILSTILE_INVALID;
	} else {
		rc = mailstile_send(cmd, calls, arg);
	}
	if (rc == MAILSTILE_OK)
		return wait_end(w, m->deadline_ms);
	w->reply->rc = rc;
	w->reply->text = rc == MAILSTILE_CLOSED ? "nobody is logged in"
						: "the command cannot be said";
	set_error(m, w->reply->text);
	return true;
}

enum mailstile_rc mailstile_run(struct mailstile_command *cmd,
				struct mailstile_reply **ret_reply)
{
	struct wait w;
	enum mailstile_rc rc;

	wait_begin(&w, cmd->m);
	w.is_kept = ret_reply != NULL;
	run(cmd, &w, &keeping, &w);
	rc = w.reply->rc;
	if (ret_reply)
		*ret_reply = w.reply;
	else
		mailstile_reply_free(w.reply);
	return rc;
}

enum mailstile_rc mailstile_runf(struct mailstile *m, struct mailstile_reply **ret_reply,
				 const char *format, ...)
{
	struct mailstile_command *cmd = mailstile_command(m);
	va_list ap;

	if (!cmd) {
		if (ret_reply) {
			*ret_reply = new_reply();
			(*ret_reply)->rc = MAILSTILE_CLOSED;
			(*ret_reply)->text = "nobody is logged in";
		}
		return fail(m, MAILSTILE_CLOSED, "nobody is logged in");
	}
	va_start(ap, format);
	lib_vputf(cmd, format, ap);
	va_end(ap);
	return mailstile_run(cmd, ret_reply);
}

/* date-time (RFC 9051 section 9), in UTC. */
static void put_date(struct mailstile_command *cmd, int64_t when)
{
	static const char month[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)when;
	struct tm tm;
	char text[64];

	if (!gmtime_r(&t, &tm) || tm.tm_year > 9999 - 1900) {
		cmd->is_bad = true;
		return;
	}
	snprintf(text, sizeof text, " \"%2d-%s-%04d %02d:%02d:%02d +0000\"", tm.tm_mday,
		 month[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	mailstile_put(cmd, text);
}

static uint32_t uid_of(const struct mailstile_reply *r)
{
	uint32_t validity, uid = 0;
	struct numset uids = { 0 };

	if (strcasecmp(r->code, "APPENDUID") == 0 &&
	    code_appenduid(span_str(r->args), &validity, &uids))
		uid = numset_min(&uids);
	numset_done(&uids);
	return uid;
}

enum mailstile_rc mailstile_append(struct mailstile *m, const char *mailbox,
				   const char *flags, int64_t when, int fd, uint64_t n,
				   uint32_t *ret_uid)
{
	struct mailstile_command *cmd = mailstile_command(m);
	int own = cmd ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	struct mailstile_reply *reply;
	enum mailstile_rc rc;

	if (!cmd)
		return fail(m, MAILSTILE_CLOSED, "nobody is logged in");
	if (own < 0) {
		mailstile_cancel(cmd);
		return fail(m, MAILSTILE_INVALID, "that is no file");
	}
	mailstile_putf(cmd, "APPEND %m", mailbox);
	if (flags)
		mailstile_putf(cmd, " (%w)", flags);
	if (when >= 0)
		put_date(cmd, when);
	mailstile_put(cmd, " ");
	mailstile_put_fd(cmd, own, n);
	rc = mailstile_run(cmd, &reply);
	if (rc == MAILSTILE_OK && ret_uid)
		*ret_uid = uid_of(reply);
	mailstile_reply_free(reply);
	return rc;
}

/* --- FETCH that streams --------------------------------------------------------- */

struct fetch {
	struct wait w;
	bool (*write)(void *arg, const char *p, size_t n);
	void *arg;
	bool is_found, is_streamed;
};

static void hand_out(struct fetch *f, const char *p, size_t n)
{
	if (!f->w.is_over && n && !f->write(f->arg, p, n))
		give_up(&f->w);
}

static bool fetch_literal(void *arg, const struct mailstile_data *d, const char *piece,
			  size_t n, uint64_t left)
{
	struct fetch *f = arg;

	(void)left;
	if (!d)
		hand_out(f, piece, n);
	else if (strcmp(d->name, "FETCH") != 0 || f->is_streamed)
		return false;
	f->is_streamed = true;
	return true;
}

/* The string behind BODY[...]. */
static bool fetch_data(void *arg, const struct mailstile_data *d)
{
	struct fetch *f = arg;
	struct mailstile_token t;
	size_t at = 0;
	bool is_next = false;

	if (strcmp(d->name, "FETCH") != 0)
		return false;
	while (mailstile_token_next(d->bytes, d->length, &at, &t) != MAILSTILE_END) {
		if (is_next) {
			char *copy = arena_alloc(f->w.arena, t.n);
			f->is_found |= t.kind == MAILSTILE_STRING;
			if (t.kind == MAILSTILE_STRING && !f->is_streamed)
				hand_out(f, copy, mailstile_token_copy(&t, copy));
			return true;
		}
		is_next = t.kind == MAILSTILE_ATOM &&
			  span_istarts(span_of(t.p, t.n), SPAN("BODY["));
	}
	return false;
}

static const struct mailstile_calls fetching = { .data = fetch_data,
						 .literal = fetch_literal,
						 .done = on_done };

enum mailstile_rc mailstile_fetch(struct mailstile *m, uint32_t uid, const char *section,
				  bool (*write)(void *arg, const char *p, size_t n),
				  void *arg)
{
	struct mailstile_command *cmd = mailstile_command(m);
	struct fetch f = { .write = write, .arg = arg };
	enum mailstile_rc rc;

	if (!cmd)
		return fail(m, MAILSTILE_CLOSED, "nobody is logged in");
	mailstile_putf(cmd, "UID FETCH %u (BODY.PEEK[%w])", uid, section);
	wait_begin(&f.w, m);
	if (run(cmd, &f.w, &fetching, &f) && f.w.reply->rc == MAILSTILE_OK &&
	    !f.is_found) {
		/* RFC 9051 section 6.4.9: a UID that is not there is no error. */
		f.w.reply->rc = MAILSTILE_NO;
		set_error(m, "there is no message with that UID");
	}
	rc = f.w.reply->rc;
	mailstile_reply_free(f.w.reply);
	return rc;
}

/* --- IDLE ------------------------------------------------------------------------ */

struct idle {
	struct wait w;
	struct mailstile_command *cmd;
	bool (*event)(void *arg, const struct mailstile_data *d);
	void *arg;
	bool is_it;
	struct net_timer timer;
};

static bool idle_data(void *arg, const struct mailstile_data *d)
{
	struct idle *i = arg;

	if (i->is_it || !i->event(i->arg, d))
		return true;
	i->is_it = true;
	mailstile_idle_end(i->cmd);
	return true;
}

static void idle_over(void *arg)
{
	struct idle *i = arg;

	if (i->w.m->is_dead || i->w.is_done)
		return;
	mailstile_idle_end(i->cmd);
	client_flush(i->w.m->client);
}

static const struct mailstile_calls idling = { .data = idle_data, .done = on_done };

enum mailstile_rc
mailstile_idle_wait(struct mailstile *m, uint32_t ms,
		    bool (*event)(void *arg, const struct mailstile_data *d), void *arg)
{
	struct idle i = { .event = event, .arg = arg };
	enum mailstile_rc rc;

	if (m->depth)
		return fail(m, MAILSTILE_INVALID, "not from a callback");
	wait_begin(&i.w, m);
	i.cmd = mailstile_idle(m, &idling, &i);
	if (!i.cmd) {
		bool is_ready = mailstile_is_ready(m);
		mailstile_reply_free(i.w.reply);
		return is_ready ? fail(m, MAILSTILE_UNSUPPORTED, "the server has no IDLE")
				: fail(m, MAILSTILE_CLOSED, "nobody is logged in");
	}
	net_timer_start(m->loop, &i.timer, ms, idle_over, &i);
	if (wait_end(&i.w, 0))
		net_timer_stop(&i.timer);
	rc = i.w.reply->rc;
	if (rc == MAILSTILE_OK && !i.is_it)
		rc = MAILSTILE_TIMEOUT;
	mailstile_reply_free(i.w.reply);
	return rc;
}
