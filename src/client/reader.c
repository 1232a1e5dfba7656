/*
 * Reading responses (RFC 9051 section 7): frames, literals that are too large to keep,
 * and who gets what.
 */
#include "base/arena.h"
#include "client/impl.h"

/* A SEARCH response of a large mailbox is one line of megabytes. */
static const struct frame_limits limits = { .line_bytes = (size_t)16 << 20,
					    .total_bytes = (size_t)20 << 20 };

/* Read at most in one turn of the loop. */
#define TURN_BYTES ((size_t)1 << 20)

void reader_reset(struct client *c)
{
	buf_done(&c->in);
	buf_done(&c->skeleton);
	frame_init(&c->frame, FRAME_RESPONSES);
	net_timer_stop(&c->more);
	c->literal_left = c->responses = 0;
	c->sink = NULL;
}

static struct cursor open_frame(struct client *c, struct span frame)
{
	arena_free(c->frame_arena);
	c->frame_arena = arena_new(NULL);
	return cursor_of(frame, false, c->frame_arena);
}

/* Offers untagged data to the commands under way. */
static void offer(struct client *c, const struct client_data *d)
{
	struct client_cmd *cmd = c->first;

	while (cmd && cmd->is_started && !c->is_dead) {
		/* The callback may send or cancel, but this one ends with its tag only.
		 */
		if (cmd->calls && cmd->calls->untagged &&
		    cmd->calls->untagged(cmd->arg, d))
			return;
		cmd = cmd->next;
	}
	if (c->cfg.unsolicited && !c->is_dead)
		c->cfg.unsolicited(c->cfg.unsolicited_arg, d);
}

static void take_untagged(struct client *c, const struct client_data *d)
{
	const struct response *r = d->r;

	if (r->code == CODE_CAPABILITY)
		login_caps_set(c, r->code_args);
	if (span_ieq(r->name, SPAN("CAPABILITY"))) {
		struct span words = span_sub(d->frame, d->at.at, d->frame.n);
		c->was_told = c->first && c->first->role == ROLE_AUTHENTICATE;
		login_caps_set(c, span_trim(words));
		if (c->phase == PHASE_IN)
			offer(c, d);
		return;
	}
	if (r->cond == COND_BYE) {
		connect_drop(c, ERR_CLOSED, "the server said BYE: %.*s",
			     (int)(r->text.n < 150 ? r->text.n : 150),
			     r->text.p ? r->text.p : "");
		return;
	}
	if (c->phase == PHASE_GREETING) {
		login_greeting(c, r);
		return;
	}
	offer(c, d);
}

static void take_response(struct client *c, struct span frame)
{
	struct client_data d = { .frame = frame };
	struct response r;

	d.at = open_frame(c, frame);
	if (!cursor_response(&d.at, &r)) {
		connect_drop(c, ERR_CORRUPT, "the server sent what is no IMAP response");
		return;
	}
	d.r = &r;
	if (c->phase == PHASE_GREETING && r.kind != RESPONSE_UNTAGGED)
		connect_drop(c, ERR_CORRUPT, "the server's greeting is none");
	else if (r.kind == RESPONSE_UNTAGGED)
		take_untagged(c, &d);
	else if (r.kind == RESPONSE_CONTINUE)
		cmd_continue(c, r.text);
	else
		cmd_answer(c, &r);
}

/*
 * All of `in` up to the frame's end is a response, or the last part of one. It is taken
 * out first: a callback may end the connection, and `in` with it.
 */
static void take_frame(struct client *c)
{
	struct buf whole = c->skeleton;
	size_t n = c->frame.scanned;
	bool is_head = !whole.n; /* else counted when its literal came */

	c->skeleton = (struct buf){ 0 };
	buf_put(&whole, span_sub(buf_span(&c->in), 0, n));
	buf_take(&c->in, n);
	c->responses += is_head;
	frame_reset(&c->frame);
	c->now = buf_span(&whole);
	take_response(c, buf_span(&whole));
	c->now = SPAN_NONE;
	buf_clear(&whole);
	buf_shrink(&whole, CLIENT_LITERAL_MAX);
	if (c->skeleton.p)
		buf_done(&whole);
	else
		c->skeleton = whole;
}

/* What makes no sense and is not a whole response yet. */
static void bad_bytes(struct client *c, const char *what)
{
	c->responses += c->skeleton.n == 0;
	c->now = c->skeleton.n ? buf_span(&c->skeleton) : buf_span(&c->in);
	connect_drop(c, ERR_CORRUPT, "%s", what);
	c->now = SPAN_NONE;
}

/* A large literal begins: the text so far stays, with an empty literal in its place. */
static void begin_literal(struct client *c, const struct frame_literal *lit)
{
	struct span head = span_sub(buf_span(&c->in), 0, lit->header_off);

	if (c->skeleton.n + head.n > limits.total_bytes) {
		bad_bytes(c, "the server sent a response without end");
		return;
	}
	if (c->cfg.literal_max && lit->bytes > c->cfg.literal_max) {
		bad_bytes(c, "the server sent a literal larger than is allowed");
		return;
	}
	c->responses += c->skeleton.n == 0;
	buf_put(&c->skeleton, head);
	buf_puts(&c->skeleton, lit->literal8 ? "~{0}\r\n" : "{0}\r\n");
	buf_take(&c->in, c->frame.scanned);
	frame_reset(&c->frame);
	c->literal_left = lit->bytes;
	c->sink = NULL;

	struct response r;
	struct cursor cur = open_frame(c, buf_span(&c->skeleton));
	if (!cursor_response(&cur, &r))
		return; /* said when it is complete */
	c->literal_head = span_sub(buf_span(&c->skeleton), cur.at,
				   c->skeleton.n - cur.at - (lit->literal8 ? 6 : 5));
	for (struct client_cmd *cmd = c->first; cmd && cmd->is_started; cmd = cmd->next)
		if (cmd->calls && cmd->calls->literal &&
		    cmd->calls->literal(cmd->arg, &r, SPAN_NONE, lit->bytes)) {
			c->sink = cmd;
			break;
		}
}

static void feed_literal(struct client *c)
{
	struct span piece = buf_span(&c->in);
	uint32_t epoch = c->epoch;

	if (piece.n > c->literal_left)
		piece.n = (size_t)c->literal_left;
	c->literal_left -= piece.n;
	if (c->sink) {
		/* The response is read again when it is complete; a sink knows its own.
		 */
		struct response r = { .kind = RESPONSE_UNTAGGED };
		c->sink->calls->literal(c->sink->arg, &r, piece, c->literal_left);
	}
	if (c->epoch == epoch)
		buf_take(&c->in, piece.n);
}

/* Takes what is complete. False: the connection is gone or needs more bytes. */
static bool step(struct client *c)
{
	struct frame_literal lit;
	uint32_t epoch = c->epoch;

	if (c->literal_left) {
		if (c->in.n)
			feed_literal(c);
		return c->epoch == epoch && !c->is_dead && !c->literal_left;
	}
	enum frame_rc rc = frame_next(&c->frame, &limits, buf_span(&c->in), &lit);
	switch (rc) {
	case FRAME_MORE: return false;
	case FRAME_DONE: take_frame(c); break;
	case FRAME_LITERAL:
		if (lit.bytes > CLIENT_LITERAL_MAX) {
			begin_literal(c, &lit);
		} else if (!frame_accept(&c->frame, &limits, &lit)) {
			bad_bytes(c, "the server sent a response without end");
		}
		break;
	default: bad_bytes(c, "the server sent a line that is no IMAP"); break;
	}
	return c->epoch == epoch && !c->is_dead && c->phase != PHASE_UPGRADE;
}

static void on_more(void *arg)
{
	struct client *c = arg;

	client_enter(c);
	if (c->net)
		reader_readable(c);
	client_leave(c);
}

void reader_readable(struct client *c)
{
	struct net_stack *net = c->net;
	uint32_t epoch = c->epoch;

	for (size_t taken = 0;;) {
		ptrdiff_t n = net_read(net, &c->in);
		if (n == 0 || n == NET_ERR)
			return;
		if (n == NET_EOF) {
			connect_drop(c, ERR_CLOSED, "the server closed the connection");
			return;
		}
		while (step(c))
			;
		/* STARTTLS put a layer on it, or it is another one now. */
		if (c->is_dead || c->epoch != epoch || c->phase == PHASE_UPGRADE)
			return;
		/* A server that never stops must not keep deadlines from coming. */
		taken += (size_t)n;
		if (taken > TURN_BYTES) {
			net_timer_start(c->cfg.loop, &c->more, 0, on_more, c);
			return;
		}
	}
}
