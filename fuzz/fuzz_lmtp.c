/*
 * A whole LMTP connection, from bytes to replies: a server on the mem engine whose one
 * loop runs here, and a client that sends what the fuzzer wrote, in pieces. The first
 * byte says how it is cut; with its lowest bit set a transaction is begun before, up to
 * 354.
 *
 * The replies are compared with what was sent by a reader of its own: a line is one
 * reply, 354 is followed by text up to the first CRLF "." CRLF, and behind that stands
 * one reply for each recipient that had got 250 (RFC 2033 section 4.2). So what one side
 * takes for the end of a message, and what for a command, the other does as well.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#endif
#endif

#include "fuzz_wire.h"
#include "server/lmtp.h"

enum { ROUNDS = 1000 /* then a new store, as mail piles up in it */ };
enum { IS_IN_DATA = 1, IS_ONE_PIECE = 2 };

struct world {
	struct workers *workers;
	struct store *store;
	struct auth *auth;
	struct server *server;
	unsigned rounds;
};

static struct world world;

static const struct server_listener listener = {
	.name = "fuzz",
	.address = "127.0.0.1",
	.protocol = SERVER_LMTP,
};

static const struct server_limits limits = {
	.message_bytes = 65536,
	.bad_commands = 100,
	.slow_peer_ms = 3600000,
	.lmtp_connections = 10,
	.recipients = 10,
	.lmtp_idle_ms = 3600000,
};

static struct users *users_make(void)
{
	static const char table[] = "alice:0123456789abcdef0123456789abcdef:-:*\n"
				    "bob@b:1123456789abcdef0123456789abcdef:-:*\n";
	struct buf why = { 0 };
	struct users *u = NULL;

	MUST(users_parse(span_str(table), "fuzz", &u, &why) == ERR_OK);
	return u;
}

static struct server_loop *loop_of_world(void)
{
	return &world.server->loop[0];
}

static void world_open(void)
{
	struct server_config c = {
		.limits = limits, .loops = 1, .version = "fuzz", .spool_dir = "/tmp"
	};
	struct engine_config e = { .kind = "mem" };
	struct auth_config a = { 0 };
	struct buf why = { 0 };

	world.workers = workers_new(1);
	MUST(world.workers);
	a.workers = e.workers = c.workers = workers_executor(world.workers);
	world.auth = c.auth = auth_new(&a, users_make(), policy_new(NULL, 0));
	MUST(world.auth && store_open(&e, &world.store, &why) == ERR_OK);
	c.store = world.store;
	MUST(server_start(&c, &world.server, &why) == ERR_OK);
	/* From here on the loop runs in the thread that fuzzes. */
	net_loop_stop(loop_of_world()->loop);
	net_loop_join(loop_of_world()->loop);
}

/* Checked here: after each run, libFuzzer would walk through all mail each time. */
static void must_not_leak(void)
{
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
	MUST(__lsan_do_recoverable_leak_check() == 0);
#endif
#endif
}

static void world_close(void)
{
	if (!world.server)
		return;
	MUST(net_loop_start(loop_of_world()->loop) == ERR_OK);
	server_stop(world.server, 1000);
	store_close(world.store);
	workers_free(world.workers);
	server_free(world.server);
	auth_free(world.auth);
	world = (struct world){ 0 };
	must_not_leak();
}

/* ---- the client ---- */

struct client {
	int fd;
	struct buf sent, got;
};

static void turn(struct client *c, bool wait)
{
	char bytes[16384];
	ssize_t n;

	net_loop_turn(loop_of_world()->loop, wait);
	while ((n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
		buf_put(&c->got, span_of(bytes, (size_t)n));
}

static void transmit(struct client *c, struct span s)
{
	while (s.n) {
		ssize_t n = send(c->fd, s.p, s.n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return; /* the server has hung up */
		if (n > 0)
			s = span_sub(s, (size_t)n, s.n);
		turn(c, n < 0);
	}
}

static void send_pieces(struct client *c, uint8_t how)
{
	struct span rest = buf_span(&c->sent);
	uint32_t cut = how;

	while (rest.n) {
		size_t n = rest.n;

		if (!(how & IS_ONE_PIECE)) {
			cut = cut * 1664525 + 1013904223;
			n = 1 + (cut >> 24) % 64;
		}
		transmit(c, span_sub(rest, 0, n));
		rest = span_sub(rest, n, rest.n);
	}
}

/* ---- what must hold ---- */

/* One reply off the front: its code. 0: there is none. */
static int take_reply(struct span *got)
{
	int code = 0;
	bool is_last = false;

	while (!is_last && got->n) {
		const char *end = memmem(got->p, got->n, "\r\n", 2);
		struct span line;
		int this;

		MUST(end);
		line = span_of(got->p, (size_t)(end - got->p));
		MUST(line.n > 4 && !memchr(line.p, '\n', line.n));
		MUST(line.p[0] >= '2' && line.p[0] <= '5' && line.p[3] != 0);
		this = atoi(line.p);
		MUST(this >= 200 && this < 600 && (!code || code == this));
		code = this;
		/* RFC 2034 section 4: the class is the reply's */
		if (code != 220 && code != 354 && line.p[5] == '.')
			MUST(line.p[4] == line.p[0]);
		is_last = line.p[3] == ' ';
		MUST(is_last || line.p[3] == '-');
		*got = span_sub(*got, line.n + 2, got->n);
	}
	MUST(is_last || !code);
	return code;
}

/* A command off the front, with its line end; false at what is cut off. */
static bool take_line(struct span *sent, struct span *ret)
{
	ptrdiff_t lf = span_find(*sent, '\n');

	if (lf < 0)
		return false;
	*ret = span_sub(*sent, 0, (size_t)lf + 1);
	*sent = span_sub(*sent, (size_t)lf + 1, sent->n);
	return true;
}

/* The text of a message off the front; false at one that does not end. */
static bool take_text(struct span *sent)
{
	const char *end;

	if (span_starts(*sent, SPAN(".\r\n"))) {
		*sent = span_sub(*sent, 3, sent->n);
		return true;
	}
	end = memmem(sent->p, sent->n, "\r\n.\r\n", 5);
	if (!end)
		return false;
	*sent = span_sub(*sent, (size_t)(end - sent->p) + 5, sent->n);
	return true;
}

static void judge(struct span sent, struct span got)
{
	struct span line;
	unsigned recipients = 0;

	MUST(take_reply(&got) == 220);
	while (take_line(&sent, &line)) {
		int code = take_reply(&got);

		if (code == 221 || code == 421)
			break;
		MUST(code);
		if (code == 354) {
			MUST(span_istarts(line, SPAN("DATA")) && recipients);
			if (!take_text(&sent))
				break;
			while (recipients--)
				MUST(take_reply(&got));
		}
		if (code == 250 && span_istarts(line, SPAN("RCPT TO:")))
			recipients++;
		else if (code == 250 && !span_istarts(line, SPAN("NOOP")))
			recipients = 0;
		else if (code == 354)
			recipients = 0;
	}
	/* a limit that was reached says so behind the reply */
	if (got.n)
		MUST(take_reply(&got) == 421);
	MUST(!got.n);
}

static void begin(struct client *c, uint8_t how)
{
	struct net_addr peer = { .text = "local", .is_loopback = true };
	int pair[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) ==
	     0);
	c->fd = pair[0];
	lmtp_accept(loop_of_world(), &listener, pair[1], &peer);
	if (how & IS_IN_DATA)
		buf_puts(&c->sent, "LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<alice+x@y>\r\n"
				   "RCPT TO:<bob@b>\r\nRCPT TO:<nobody>\r\nDATA\r\n");
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char **more = xcalloc((size_t)*argc + 2, sizeof *more);

	memcpy(more, *argv, (size_t)*argc * sizeof *more);
	more[(*argc)++] = xstrdup("-detect_leaks=0");
	*argv = more;
	atexit(world_close);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client c = { 0 };
	struct server_loop *l;

	if (size < 1)
		return 0;
	if (!world.server || world.rounds++ == ROUNDS) {
		world_close();
		world_open();
	}
	l = loop_of_world();
	begin(&c, data[0]);
	buf_put(&c.sent, span_of(data + 1, size - 1));
	send_pieces(&c, data[0]);
	shutdown(c.fd, SHUT_WR);
	while (l->lmtps || l->orphans)
		turn(&c, true);
	turn(&c, false);
	judge(buf_span(&c.sent), buf_span(&c.got));
	close(c.fd);
	turn(&c, false);
	buf_done(&c.sent);
	buf_done(&c.got);
	return 0;
}
