/*
 * A whole connection, from bytes to bytes: a server on the mem engine whose one loop
 * runs here, and a client that sends what the fuzzer wrote, in pieces.
 *
 * The first byte says how it begins: whether root is logged in for alice, whether her
 * mailbox is selected, and whether all comes at once; the second how the pieces are
 * cut. Alice's mail holds a word that nobody can guess, and once she is logged in
 * nobody can become her again. What must hold:
 *	- all that comes back is well formed, and each tag in it was sent;
 *	- behind the OK of UNAUTHENTICATE nothing is answered as if somebody was
 *	  logged in, until somebody is, and alice's word does not come any more;
 *	- UNAUTHENTICATE is never answered with NO (RFC 8437 section 3);
 *	- the connection ends when the client does, and nothing is left of it.
 */
#include <crypt.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#endif
#endif

#include "fuzz_wire.h"
#include "server/conn.h"
#include "wire/frame.h"
#include "wire/response.h"
#include "wire/text.h"

enum { ROUNDS = 1000 /* then a new store, as accounts pile up in it */ };
enum { IS_LOGGED_IN = 1, IS_SELECTED = 2, IS_ONE_PIECE = 4 };

/* What libcrypt would take 10 ms for. Found before the library's. */
char *crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
	snprintf(data, (size_t)size, "$y$%.100s", phrase);
	return data;
}

struct world {
	struct workers *workers;
	struct store *store;
	struct auth *auth;
	struct server *server;
	unsigned rounds;
};

static struct world world;
static uint64_t serial; /* of the run: accounts and the word are made from it */

static const struct server_listener listener = {
	.name = "fuzz",
	.address = "127.0.0.1",
	.tls = SERVER_TLS_NONE,
	.plaintext_loopback = true,
	.unauthenticate = AUTH_GATE_ON,
};

static const struct server_limits limits = {
	.line_bytes = 8192,
	.command_bytes = 65536,
	.literal_prelogin_bytes = 4096,
	.message_bytes = 65536,
	.connections = 10,
	.connections_per_address = 10,
	.output_high_bytes = 65536,
	.prelogin_ms = 3600000,
	.switch_ms = 3600000,
	.idle_ms = 3600000,
	.slow_peer_ms = 3600000,
};

static struct users *users_now(bool has_alice)
{
	struct buf text = { 0 }, why = { 0 };
	struct users *u = NULL;

	buf_printf(&text, "root:%032x:admin:$y$secret\n", 0xaaaa);
	if (has_alice)
		buf_printf(&text, "alice:a%031llx:-:*\n", (unsigned long long)serial);
	buf_printf(&text, "bob:b%031llx:-:$y$bob\n", (unsigned long long)serial);
	MUST(users_parse(buf_span(&text), "fuzz", &u, &why) == ERR_OK);
	buf_done(&text);
	return u;
}

static struct policy *policy_all(void)
{
	static const char *const any[] = { "*" };
	static const struct policy_rule rule = {
		.who = "*", .may_become = any, .n_may_become = 1, .admins = true
	};

	return policy_new(&rule, 1);
}

static struct server_loop *loop_of_world(void)
{
	return &world.server->loop[0];
}

static void world_open(void)
{
	struct server_config c = { .limits = limits, .loops = 1, .version = "fuzz" };
	struct engine_config e = { .kind = "mem" };
	struct auth_config a = { .remember_ms = 3600000, .remember_max = 16 };
	struct buf why = { 0 };

	world.workers = workers_new(1);
	MUST(world.workers);
	a.workers = e.workers = c.workers = workers_executor(world.workers);
	world.auth = c.auth = auth_new(&a, users_now(true), policy_all());
	MUST(world.auth && store_open(&e, &world.store, &why) == ERR_OK);
	c.store = world.store;
	c.login_delay.free = 1000000;
	MUST(server_start(&c, &world.server, &why) == ERR_OK);
	/* From here on the loop runs in the thread that fuzzes. */
	net_loop_stop(loop_of_world()->loop);
	net_loop_join(loop_of_world()->loop);
}

/* Checked here: after each run, libFuzzer would walk through all accounts each time. */
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
	struct buf got;
	size_t judged;	  /* bytes of it */
	struct span sent; /* what the fuzzer wrote */
	char word[20];	  /* in alice's mail */
	bool is_out;	  /* UNAUTHENTICATE was the last that changed it */
	bool was_out;	  /* ever */
	struct arena *arena;
};

static void receive(struct client *c)
{
	char bytes[16384];
	ssize_t n;

	while ((n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
		buf_put(&c->got, span_of(bytes, (size_t)n));
}

static void turn(struct client *c, bool wait)
{
	net_loop_turn(loop_of_world()->loop, wait);
	receive(c);
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

static void client_open(struct client *c)
{
	struct net_addr peer = { .text = "127.0.0.1",
				 .is_ip = true,
				 .is_loopback = true };
	int pair[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) ==
	     0);
	c->fd = pair[0];
	conn_accept(loop_of_world(), &listener, pair[1], &peer);
}

static bool has(struct span in, struct span what)
{
	return what.n && in.n >= what.n && memmem(in.p, in.n, what.p, what.n);
}

/* Logs root in for alice, whose mail gets the word. */
static void preamble(struct client *c, bool select)
{
	struct buf b = { 0 };

	buf_puts(&b, "p1 AUTHENTICATE PLAIN YWxpY2UAcm9vdABzZWNyZXQ=\r\n");
	buf_printf(&b, "p2 CREATE %s\r\n", c->word);
	buf_printf(&b, "p3 APPEND INBOX ($%s) {%zu+}\r\nSubject: %s\r\n\r\n%s\r\n\r\n",
		   c->word, 15 + 2 * strlen(c->word), c->word, c->word);
	buf_printf(&b, "p4 %s\r\n", select ? "SELECT INBOX" : "NOOP");
	transmit(c, buf_span(&b));
	buf_done(&b);
	while (!has(buf_span(&c->got), SPAN("\r\np4 ")))
		turn(c, true);
	MUST(has(buf_span(&c->got), SPAN("\r\np4 OK")));
}

/* ---- what must hold ---- */

/* Every line that begins with this tag and a space is UNAUTHENTICATE. */
static bool is_unauthenticate(struct span sent, struct span tag)
{
	static const struct span name = SPAN_INIT("UNAUTHENTICATE");
	bool is_one = false;

	for (size_t at = 0; at + tag.n + 1 < sent.n;) {
		struct span line = span_sub(sent, at, sent.n);
		ptrdiff_t end = span_find(line, '\n');

		if (span_starts(line, tag) && line.p[tag.n] == ' ') {
			struct span rest = span_sub(line, tag.n + 1, sent.n);

			if (!span_istarts(rest, name) || rest.n < name.n + 2 ||
			    memcmp(rest.p + name.n, "\r\n", 2) != 0)
				return false;
			is_one = true;
		}
		if (end < 0)
			break;
		at += (size_t)end + 1;
	}
	return is_one;
}

static bool is_data(const struct response *r)
{
	return r->kind == RESPONSE_UNTAGGED && r->cond == COND_NONE;
}

/* In not authenticated state there is nothing else to say. */
static void judge_stranger(const struct response *r)
{
	static const char *const fine[] = { "NOOP completed.", "CAPABILITY completed.",
					    "LOGOUT completed.", "ID completed.",
					    "Logged in." };
	bool is_fine = false;

	if (r->kind == RESPONSE_CONTINUE || r->cond == COND_BAD || r->cond == COND_BYE)
		return;
	if (is_data(r)) {
		MUST(span_ieq(r->name, SPAN("CAPABILITY")) ||
		     span_ieq(r->name, SPAN("ID")));
		return;
	}
	if (r->cond == COND_NO) {
		MUST(has(r->text, SPAN("password is wrong")) ||
		     has(r->text, SPAN("may not act")) ||
		     has(r->text, SPAN("mechanism")));
		return;
	}
	for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
		is_fine |= span_eq(r->text, span_str(fine[i]));
	MUST(is_fine);
}

static void judge_data(struct cursor *cur, const struct response *r)
{
	struct esearch_response e;
	struct fetch_att att;
	struct numset set = { 0 };
	uint64_t modseq;

	if (span_ieq(r->name, SPAN("FETCH"))) {
		cursor_sp(cur);
		cursor_fetch_begin(cur);
		while (cursor_fetch_next(cur, &att))
			;
		MUST(cursor_end(cur));
	} else if (span_ieq(r->name, SPAN("SEARCH"))) {
		MUST(cursor_search_response(cur, &set, &modseq) && cursor_end(cur));
	} else if (span_ieq(r->name, SPAN("ESEARCH"))) {
		MUST(cursor_esearch_response(cur, &e, &set) && cursor_end(cur));
	}
	numset_done(&set);
}

static void judge_response(struct client *c, struct span frame)
{
	struct cursor cur = cursor_of(frame, true, c->arena);
	struct response r;

	/* A message with NUL came as literal8; BODY[] gives it as it is. */
	if (memchr(frame.p, 0, frame.n))
		return;
	MUST(cursor_response(&cur, &r));
	if (r.kind == RESPONSE_TAGGED) {
		MUST(has(c->sent, r.tag) || (r.tag.n == 2 && r.tag.p[0] == 'p'));
		MUST(r.cond != COND_NO || !is_unauthenticate(c->sent, r.tag));
	}
	if (c->is_out)
		judge_stranger(&r);
	if (c->was_out)
		MUST(!has(frame, span_str(c->word)));
	if (is_data(&r))
		judge_data(&cur, &r);
	if (r.kind == RESPONSE_TAGGED && span_eq(r.text, SPAN("Logged in.")))
		c->is_out = false;
	if (r.kind == RESPONSE_TAGGED &&
	    span_eq(r.text, SPAN("Not authenticated any more.")))
		c->is_out = c->was_out = true;
}

static void judge(struct client *c)
{
	const struct frame_limits most = { 16 << 20, 64 << 20 };
	struct frame f;
	struct frame_literal literal;

	while (c->got.n) {
		enum frame_rc rc;

		frame_init(&f, FRAME_RESPONSES);
		while ((rc = frame_next(&f, &most, buf_span(&c->got), &literal)) ==
		       FRAME_LITERAL)
			MUST(frame_accept(&f, &most, &literal));
		if (rc == FRAME_MORE)
			break; /* cut off: the connection has ended meanwhile */
		MUST(rc == FRAME_DONE || memchr(c->got.p + c->got.off, 0, f.scanned));
		judge_response(c, span_sub(buf_span(&c->got), 0, f.scanned));
		buf_take(&c->got, f.scanned);
	}
}

/* ---- one run ---- */

static void send_pieces(struct client *c, uint8_t how, uint32_t cut)
{
	struct span rest = c->sent;

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

static void make_word(struct client *c)
{
	uint64_t x = ++serial * 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	snprintf(c->word, sizeof c->word, "zq%016llx", (unsigned long long)(x ^ x >> 27));
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
	struct client c = { .sent = span_of(data + 2, size > 2 ? size - 2 : 0) };
	struct server_loop *l;

	if (size < 2)
		return 0;
	if (!world.server || world.rounds++ == ROUNDS) {
		world_close();
		world_open();
	}
	l = loop_of_world();
	make_word(&c);
	c.arena = arena_new(NULL);
	auth_replace(world.auth, users_now(true), policy_all());
	client_open(&c);
	if (data[0] & IS_LOGGED_IN)
		preamble(&c, data[0] & IS_SELECTED);
	auth_replace(world.auth, users_now(false), policy_all());
	send_pieces(&c, data[0], data[1]);
	shutdown(c.fd, SHUT_WR);
	while (l->conns || l->orphans)
		turn(&c, true);
	receive(&c);
	judge(&c);
	close(c.fd);
	turn(&c, false);
	buf_done(&c.got);
	arena_free(c.arena);
	return 0;
}
