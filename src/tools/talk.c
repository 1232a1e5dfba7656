/* A small blocking IMAP client (talk.h). */
#include "tools/talk.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/base64.h"

enum { READ_BYTES = 65536, POUR_BYTES = 262144, FRAME_BYTES = 64 << 20 };

static const struct frame_limits limits = { FRAME_BYTES, FRAME_BYTES };

static void lose(struct talk *t, const char *why)
{
	if (t->is_lost)
		return;
	t->is_lost = true;
	buf_clear(&t->said);
	buf_puts(&t->said, why);
}

static bool write_all(struct talk *t)
{
	while (t->out.n && !t->is_lost) {
		ssize_t n = send(t->fd, t->out.p + t->out.off, t->out.n, MSG_NOSIGNAL);

		if (n > 0)
			buf_take(&t->out, (size_t)n);
		else if (n < 0 && errno != EINTR)
			lose(t, "The server has ended.");
	}
	return !t->is_lost;
}

bool talk_pour(struct talk *t)
{
	return t->out.n < POUR_BYTES ? !t->is_lost : write_all(t);
}

static bool read_more(struct talk *t)
{
	ssize_t n;

	do
		n = read(t->fd, buf_room(&t->in, READ_BYTES), READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		buf_added(&t->in, (size_t)n);
	else
		lose(t, "The server has ended.");
	return n > 0;
}

/* One response, whole, at the front of t->in: t->frame.scanned bytes. */
static bool next_frame(struct talk *t)
{
	struct frame_literal lit;

	while (!t->is_lost) {
		switch (frame_next(&t->frame, &limits, buf_span(&t->in), &lit)) {
		case FRAME_DONE: return true;
		case FRAME_MORE: read_more(t); break;
		case FRAME_LITERAL:
			if (frame_accept(&t->frame, &limits, &lit))
				break;
			/* fall through */
		default: lose(t, "The server does not speak as it should.");
		}
	}
	return false;
}

static void drop_frame(struct talk *t)
{
	buf_take(&t->in, t->frame.scanned);
	buf_shrink(&t->in, 2 * READ_BYTES);
	frame_reset(&t->frame);
	arena_free(t->arena);
	t->arena = NULL;
}

static bool read_response(struct talk *t, struct cursor *c, struct response *r)
{
	if (!next_frame(t))
		return false;
	t->arena = arena_new(NULL);
	*c = cursor_of(span_sub(buf_span(&t->in), 0, t->frame.scanned), true, t->arena);
	if (cursor_response(c, r))
		return true;
	lose(t, "The server does not speak as it should.");
	return false;
}

bool talk_open(struct talk *t, int fd, struct buf *why)
{
	struct cursor c;
	struct response r;
	bool is_ok;

	*t = (struct talk){ .fd = fd };
	if (fd < 0)
		return false;
	frame_init(&t->frame, FRAME_RESPONSES);
	is_ok = read_response(t, &c, &r) && r.cond == COND_OK;
	if (!is_ok)
		buf_put(why, t->is_lost ? buf_span(&t->said) : r.text);
	drop_frame(t);
	return is_ok;
}

void talk_close(struct talk *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	arena_free(t->arena);
	t->arena = NULL;
	buf_done(&t->in);
	buf_done(&t->out);
	buf_done(&t->said);
	buf_done(&t->code_args);
}

struct emit_mode talk_mode(void)
{
	return (struct emit_mode){ true, true, EMIT_CLIENT_PLUS };
}

struct buf *talk_text(struct talk *t)
{
	return &t->out;
}

struct buf *talk_begin(struct talk *t)
{
	buf_printf(&t->out, "t%u ", ++t->tag);
	return &t->out;
}

void talk_next(struct talk *t)
{
	buf_puts(&t->out, "\r\n");
}

static enum talk_rc rc_of(enum cond cond)
{
	return cond == COND_OK ? TALK_OK : cond == COND_NO ? TALK_NO : TALK_BAD;
}

static void keep_answer(struct talk *t, const struct response *r)
{
	buf_clear(&t->said);
	buf_put(&t->said, r->text);
	buf_clear(&t->code_args);
	buf_put(&t->code_args, r->code_args);
	t->code = r->code;
}

enum talk_rc talk_run(struct talk *t, talk_data *data, void *arg)
{
	enum talk_rc worst = TALK_OK, rc;
	struct cursor c;
	struct response r;

	talk_next(t);
	write_all(t);
	while (t->first_tag < t->tag && read_response(t, &c, &r)) {
		if (r.kind == RESPONSE_TAGGED) {
			t->first_tag++;
			rc = rc_of(r.cond);
			if (worst == TALK_OK)
				keep_answer(t, &r);
			worst = rc > worst ? rc : worst;
		} else if (r.cond == COND_BYE) {
			lose(t, "The server is stopping.");
		} else if (r.kind == RESPONSE_UNTAGGED && r.cond == COND_NONE && data) {
			data(arg, &r, &c);
		}
		drop_frame(t);
	}
	return t->is_lost ? TALK_LOST : worst;
}

enum code talk_code(const struct talk *t)
{
	return t->code;
}

struct span talk_code_args(const struct talk *t)
{
	return buf_span(&t->code_args);
}

struct span talk_said(const struct talk *t)
{
	return buf_span(&t->said);
}

bool talk_become(struct talk *t, struct span user, struct buf *why)
{
	struct buf plain = { 0 };
	enum talk_rc rc;

	if (t->is_logged_in) {
		buf_puts(talk_begin(t), "UNAUTHENTICATE");
		talk_next(t);
	}
	t->is_logged_in = false;
	buf_put(&plain, user);
	buf_putc(&plain, 0);
	buf_put(&plain, AUTH_OPERATOR);
	buf_put(&plain, span_of("\0-", 2));
	buf_puts(talk_begin(t), "AUTHENTICATE PLAIN ");
	base64_encode(buf_span(&plain), talk_text(t));
	buf_done(&plain);
	rc = talk_run(t, NULL, NULL);
	if (rc == TALK_NO) {
		buf_printf(why, "There is no user \"%.*s\".", (int)user.n, user.p);
		return false;
	}
	if (rc == TALK_OK) {
		buf_puts(talk_begin(t), "ENABLE UTF8=ACCEPT");
		rc = talk_run(t, NULL, NULL);
	}
	t->is_logged_in = rc == TALK_OK;
	if (rc != TALK_OK)
		buf_put(why, talk_said(t));
	return rc == TALK_OK;
}
