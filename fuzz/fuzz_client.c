/*
 * The client library against a server that says whatever the fuzzer wrote, in pieces
 * (the first byte says how they are cut). The client logs in, sends commands, changes
 * its user and sends more; tags are m1, m2, ... so the fuzzer can answer them.
 *
 * What must hold: each callback comes once, whatever happens; a literal that is handed
 * out in pieces is as long as was said, and no callback comes behind client_free().
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/client.h"
#include "fuzz_wire.h"

enum { COMMANDS = 12 };

struct world {
	struct loop *loop;
	struct client *client;
	int fd;
	unsigned dials;
	unsigned due, ended; /* commands and becomes that are under way or were */
	uint64_t literal_left;
	bool is_free;
};

static int dial(void *arg)
{
	struct world *w = arg;
	int fd[2];

	/* A second connection finds nobody. */
	if (w->dials++ > 0)
		return -1;
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == 0);
	w->fd = fd[1];
	return fd[0];
}

static bool untagged(void *arg, const struct client_data *d)
{
	struct world *w = arg;
	struct cursor c = d->at;
	struct fetch_att att;

	MUST(!w->is_free);
	if (!span_ieq(d->r->name, SPAN("FETCH")))
		return false;
	cursor_sp(&c);
	for (cursor_fetch_begin(&c); cursor_fetch_next(&c, &att);)
		MUST(att.name.n > 0);
	return true;
}

static bool literal(void *arg, const struct response *r, struct span piece, uint64_t left)
{
	struct world *w = arg;

	MUST(!w->is_free);
	if (!piece.n) {
		MUST(left > CLIENT_LITERAL_MAX);
		w->literal_left = left;
		return true;
	}
	MUST(piece.n <= w->literal_left && w->literal_left - piece.n == left);
	w->literal_left = left;
	return true;
}

static void done(void *arg, const struct client_result *r)
{
	struct world *w = arg;

	MUST(!w->is_free && w->ended < w->due);
	w->ended++;
}

static const struct client_calls calls = { .untagged = untagged,
					   .literal = literal,
					   .done = done };

static void command(struct world *w, const char *text)
{
	struct client_cmd *cmd = client_cmd_new(w->client, &calls, w);

	buf_puts(client_cmd_text(cmd), text);
	w->due++;
	client_cmd_send(cmd);
}

static void became(void *arg, const struct client_result *r)
{
	struct world *w = arg;

	done(arg, r);
	if (r->rc != ERR_OK || w->due > COMMANDS)
		return;
	command(w, "SELECT INBOX");
	command(w, "UID FETCH 1:* (UID FLAGS BODY.PEEK[])");
	command(w, "APPEND x {5}\r\nhello");
	w->due++;
	client_become(w->client, SPAN("bob"), became, w);
}

static void turn(struct world *w, bool wait)
{
	char bytes[8192];

	net_loop_turn(w->loop, wait);
	while (w->fd >= 0 && recv(w->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		;
}

/* What the client said is thrown away: it is deterministic, and so is what it hears. */
static void play(struct world *w, struct span text, uint8_t how)
{
	while (text.n && w->fd >= 0) {
		size_t most = how & 1 ? 1 + how / 2u : 1u << 16;
		struct span piece = span_sub(text, 0, most);
		ssize_t n = send(w->fd, piece.p, piece.n, MSG_DONTWAIT | MSG_NOSIGNAL);

		turn(w, false);
		if (n < 0 && errno != EAGAIN)
			break;
		if (n < 0 && !client_pending(w->client))
			break; /* not read any more */
		if (n > 0)
			text = span_sub(text, (size_t)n, text.n);
	}
	if (w->fd >= 0)
		shutdown(w->fd, SHUT_WR);
	/* The connection has ended, so all that was under way ends as well: else this
	 * waits for ever. */
	while (w->ended < w->due)
		turn(w, true);
}

static void begin(struct world *w)
{
	struct client_config c = { .loop = w->loop,
				   .host = "localhost",
				   .dial = dial,
				   .dial_arg = w,
				   .tls_mode = CLIENT_TLS_NONE,
				   .authcid = SPAN("root"),
				   .password = SPAN("pw"),
				   .connect_ms = 3600000,
				   .silence_ms = 3600000 };

	w->client = client_new(&c);
	w->due++;
	client_become(w->client, SPAN("alice"), became, w);
	client_flush(w->client);
	while (w->fd < 0)
		turn(w, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .fd = -1 };

	if (size < 1)
		return 0;
	MUST(net_loop_new(&w.loop) == ERR_OK);
	begin(&w);
	play(&w, span_of(data + 1, size - 1), data[0]);
	client_free(w.client);
	w.is_free = true;
	turn(&w, false);
	close(w.fd);
	net_loop_free(w.loop);
	return 0;
}
