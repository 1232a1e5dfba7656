/* A scripted server (peer.h). */
#include "peer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/clock.h"

static int dial(void *arg)
{
	struct peer *p = arg;
	int fd[2];

	assert_true(p->connections < PEER_SCRIPTS);
	if (!p->script[p->connections])
		return -1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = fd[1];
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
	p->connections++;
	p->step = 0;
	buf_done(&p->in);
	return fd[0];
}

void peer_start(struct peer *p, const struct client_config *change)
{
	struct client_config c = { 0 };

	if (change)
		c = *change;
	assert_int_equal(net_loop_new(&p->loop), ERR_OK);
	p->fd = -1;
	p->arena = arena_new(NULL);
	c.loop = p->loop;
	c.host = "localhost";
	c.dial = dial;
	c.dial_arg = p;
	if (!change)
		c.tls_mode = CLIENT_TLS_NONE;
	c.authcid = SPAN("root");
	c.password = SPAN("pw");
	c.connect_ms = 5000;
	if (!c.silence_ms)
		c.silence_ms = 5000;
	p->client = client_new(&c);
}

void peer_end(struct peer *p)
{
	client_free(p->client);
	net_loop_free(p->loop);
	if (p->fd >= 0)
		close(p->fd);
	buf_done(&p->in);
	buf_done(&p->seen);
	buf_done(&p->notes);
	arena_free(p->arena);
}

static void send_all(int fd, struct span s)
{
	while (s.n) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EPIPE)
			return;
		assert_true(n > 0);
		s = span_sub(s, (size_t)n, s.n);
	}
}

static void say(struct peer *p, const char *text)
{
	struct buf out = { 0 };

	for (; *text; text++) {
		if (text[0] == '$' && (text[1] == 'T' || text[1] == 'P')) {
			buf_puts(&out, text[1] == 'T' ? p->tag : p->before);
			text++;
		} else {
			buf_putc(&out, *text);
		}
	}
	send_all(p->fd, buf_span(&out));
	buf_done(&out);
}

/* The next line is taken; true when it holds `want`. */
static bool take_line(struct peer *p, const char *want)
{
	ptrdiff_t nl = span_find(buf_span(&p->in), '\n');

	if (nl < 0)
		return false;
	struct span line = span_sub(buf_span(&p->in), 0, (size_t)nl + 1);
	char *text = strndup(line.p, line.n);
	ptrdiff_t sp = span_find(line, ' ');
	if (sp > 0 && sp < 16) {
		strcpy(p->before, p->tag);
		snprintf(p->tag, sizeof p->tag, "%.*s", (int)sp, line.p);
	}
	buf_put(&p->seen, line);
	bool is_it = strstr(text, want) != NULL;
	if (!is_it && strcmp(want, "never") != 0 && !strstr(text, "LOGOUT"))
		fail_msg("the client sent %s, not %s", text, want);
	free(text);
	buf_take(&p->in, (size_t)nl + 1);
	return is_it;
}

/* One step of the script, if it can be done. */
static bool play(struct peer *p)
{
	if (p->fd < 0 || !p->connections || !p->script[p->connections - 1])
		return false;
	const struct peer_step *s = &p->script[p->connections - 1][p->step];
	if (!s->want && !s->say && !s->raw && !s->is_close)
		return false; /* the end */
	if (s->raw) {
		if (p->in.n < s->raw)
			return false;
		buf_take(&p->in, s->raw);
	}
	if (s->want && !take_line(p, s->want))
		return false;
	p->step++;
	if (s->say)
		say(p, s->say);
	if (s->is_close) {
		close(p->fd);
		p->fd = -1;
	}
	return true;
}

static void turn(struct peer *p)
{
	char piece[65536];

	net_loop_turn(p->loop, false);
	for (;;) {
		ssize_t n = p->fd < 0 ? -1 : read(p->fd, piece, sizeof piece);
		if (n <= 0)
			break;
		buf_put(&p->in, span_of(piece, (size_t)n));
	}
	while (play(p))
		;
}

void peer_idle(struct peer *p, unsigned ms)
{
	uint64_t end = clock_mono_ms() + ms;

	while (clock_mono_ms() < end) {
		turn(p);
		usleep(500);
	}
}

void peer_until(struct peer *p, const char *want)
{
	uint64_t end = clock_mono_ms() + 8000;

	while (!span_eq(buf_span(&p->notes), span_str(want))) {
		turn(p);
		usleep(200);
		if (clock_mono_ms() > end)
			fail_msg("noted %.*s, not %s", (int)p->notes.n,
				 buf_span(&p->notes).p, want);
	}
}

const char *peer_rc(enum err rc)
{
	switch (rc) {
	case ERR_OK: return "ok";
	case ERR_DENIED: return "no";
	case ERR_INVAL: return "bad";
	case ERR_AUTH: return "auth";
	case ERR_UNKNOWN: return "unknown";
	case ERR_CLOSED: return "closed";
	case ERR_IO: return "io";
	case ERR_UNSUPPORTED: return "unsupported";
	case ERR_CORRUPT: return "corrupt";
	default: return "other";
	}
}

struct note {
	struct peer *peer;
	char *text;
};

static void became(void *arg, const struct client_result *r)
{
	struct note *n = arg;

	buf_printf(&n->peer->notes, "(%s:%s)", n->text, peer_rc(r->rc));
}

static void answered(void *arg, const struct client_result *r)
{
	struct note *n = arg;

	buf_printf(&n->peer->notes, "[%s:%s]", n->text, peer_rc(r->rc));
	if (r->rc == ERR_UNKNOWN || r->rc == ERR_CLOSED)
		print_message("# %.*s\n", (int)r->text.n, r->text.p);
}

static struct note *note(struct peer *p, const char *text)
{
	struct note *n = ARENA_NEW(p->arena, struct note);

	n->peer = p;
	n->text = arena_strdup(p->arena, text);
	return n;
}

void peer_become(struct peer *p, const char *user)
{
	client_become(p->client, span_str(user), became, note(p, user));
	client_flush(p->client);
}

void peer_command(struct peer *p, const char *text)
{
	static const struct client_calls calls = { .done = answered };
	struct client_cmd *cmd = client_cmd_new(p->client, &calls, note(p, text));

	buf_puts(client_cmd_text(cmd), text);
	client_cmd_send(cmd);
	client_flush(p->client);
}

unsigned peer_saw(const struct peer *p, const char *text)
{
	struct span want = span_str(text), all = buf_span(&p->seen);
	unsigned n = 0;

	for (size_t i = 0; i + want.n <= all.n; i++)
		n += memcmp(all.p + i, want.p, want.n) == 0;
	return n;
}
