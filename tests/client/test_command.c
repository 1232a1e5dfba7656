/*
 * Commands and responses against a server that misbehaves: literals both ways
 * (RFC 9051 section 4.3, RFC 7888), broken answers, ended connections.
 */
#include "peer.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/arena.h"

#define SYNC_CAPS "IMAP4rev1 SASL-IR UNAUTHENTICATE"
#define SYNC_OK                                                                          \
	{                                                                                \
		.want = "AUTHENTICATE PLAIN ",                                           \
		.say = "$T OK [CAPABILITY " SYNC_CAPS "] in\r\n"                         \
	}

static int file_of(size_t n)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	char *text = malloc(n + 1);

	memset(text, 'x', n);
	assert_int_equal(write(fd, text, n), (ssize_t)n);
	free(text);
	return fd;
}

static void note_done(void *arg, const struct client_result *r)
{
	struct peer *p = arg;

	buf_printf(&p->notes, "[%s]", peer_rc(r->rc));
}

static const struct client_calls note_calls = { .done = note_done };

static void append(struct peer *p, int fd, size_t n)
{
	struct client_cmd *cmd = client_cmd_new(p->client, &note_calls, p);

	buf_puts(client_cmd_text(cmd), "APPEND INBOX ");
	client_cmd_file(cmd, fd, n);
	client_cmd_send(cmd);
	client_flush(p->client);
}

static void a_waiting_literal_is_sent_after_the_continuation(void **state)
{
	static const struct peer_step script[] = {
		GREETING,
		SYNC_OK,
		{ .want = "APPEND INBOX {100000}\r\n", .say = "+ go\r\n" },
		{ .raw = 100000 },
		{ .want = "\r\n", .say = "$T OK stored\r\n" },
		{ .want = "NOOP", .say = "$T OK\r\n" },
		{ 0 },
	};
	struct peer p = { .script = { script } };

	peer_start(&p, NULL);
	peer_become(&p, "a");
	peer_until(&p, "(a:ok)");
	append(&p, file_of(100000), 100000);
	peer_command(&p, "NOOP");
	peer_until(&p, "(a:ok)[ok][NOOP:ok]");
	peer_end(&p);
}

static void a_refused_literal_is_not_sent_and_the_next_command_is(void **state)
{
	static const struct peer_step script[] = {
		GREETING,
		SYNC_OK,
		{ .want = "{100000}\r\n", .say = "$T NO [TRYCREATE] no\r\n" },
		{ .want = "NOOP", .say = "$T OK\r\n" },
		{ 0 },
	};
	struct peer p = { .script = { script } };

	peer_start(&p, NULL);
	peer_become(&p, "a");
	peer_until(&p, "(a:ok)");
	append(&p, file_of(100000), 100000);
	peer_command(&p, "NOOP");
	peer_until(&p, "(a:ok)[no][NOOP:ok]");
	peer_end(&p);
}

/* RFC 7888 section 3: what was announced with "+" must be sent, whatever is answered. */
static void an_early_answer_does_not_cut_a_literal_that_was_promised(void **state)
{
	static const struct peer_step script[] = {
		GREETING,
		LOGIN_OK,
		{ .want = "{3000000+}\r\n", .say = "$T NO full\r\n" },
		{ .raw = 3000000 },
		{ .want = "\r\n" },
		{ .want = "NOOP", .say = "$T OK\r\n" },
		{ 0 },
	};
	struct peer p = { .script = { script } };

	peer_start(&p, NULL);
	peer_become(&p, "a");
	peer_until(&p, "(a:ok)");
	append(&p, file_of(3000000), 3000000);
	peer_command(&p, "NOOP");
	peer_until(&p, "(a:ok)[no][NOOP:ok]");
	peer_end(&p);
}

static void a_file_that_became_shorter_ends_the_connection(void **state)
{
	static const struct peer_step script[] = {
		GREETING, LOGIN_OK, { .want = "{500+}" }, SILENT
	};
	struct peer p = { .script = { script } };

	peer_start(&p, NULL);
	peer_become(&p, "a");
	peer_until(&p, "(a:ok)");
	append(&p, file_of(100), 500);
	peer_until(&p, "(a:ok)[unknown]");
	peer_end(&p);
}

static void literals_printed_into_a_command_wait_where_they_must(void **state)
{
	static const struct peer_step script[] = {
		GREETING,
		SYNC_OK,
		{ .want = "SEARCH SUBJECT {6}\r\n", .say = "+ \r\n" },
		{ .raw = 6 },
		{ .want = " TO {2}\r\n", .say = "+ \r\n" },
		{ .raw = 2 },
		/* The text behind a literal starts with a space: no tag in it. */
		{ .want = " SEEN\r\n", .say = "m2 OK\r\n" },
		{ 0 },
	};
	struct peer p = { .script = { script } };

	peer_start(&p, NULL);
	peer_become(&p, "a");
	peer_until(&p, "(a:ok)");
	struct client_cmd *cmd = client_cmd_new(p.client, &note_calls, &p);
	struct buf *out = client_cmd_text(cmd);
	buf_puts(out, "SEARCH SUBJECT ");
	emit_literal(out, client_mode(p.client), SPAN("Gr\xc3\xbc\xc3\x9f"));
	buf_puts(out, " TO ");
	emit_literal(out, client_mode(p.client), SPAN("\xc3\xbc"));
	buf_puts(out, " SEEN");
	client_cmd_send(cmd);
	client_flush(p.client);
	peer_until(&p, "(a:ok)[ok]");
	peer_end(&p);
}

/* ---- responses ---- */

struct sink {
	struct peer *p;
	uint64_t announced, got;
	uint32_t uid;
};

static bool take_literal(void *arg, const struct response *r, struct span piece,
			 uint64_t left)
{
	struct sink *s = arg;

	if (piece.n == 0) {
		assert_true(span_eq(r->name, SPAN("FETCH")));
		s->announced = left;
	}
	for (size_t i = 0; i < piece.n; i++)
		assert_int_equal(piece.p[i], 'y');
	s->got += piece.n;
	assert_int_equal(s->got + left, s->announced);
	return true;
}

static bool take_fetch(void *arg, const struct client_data *d)
{
	struct sink *s = arg;
	struct cursor c = d->at;
	struct fetch_att att;

	if (!span_eq(d->r->name, SPAN("FETCH")))
		return false;
	cursor_sp(&c);
	for (cursor_fetch_begin(&c); cursor_fetch_next(&c, &att);)
		if (span_eq(att.name, SPAN("UID")))
			s->uid = (uint32_t)att.number;
	assert_true(cursor_end(&c));
	buf_printf(&s->p->notes, "{%u}", s->uid);
	return true;
}

static void sink_done(void *arg, const struct client_result *r)
{
	note_done(((struct sink *)arg)->p, r);
}

static const struct client_calls sink_calls = { .untagged = take_fetch,
						.literal = take_literal,
						.done = sink_done };

#define BODY_BYTES 200000

static char *with_body(const char *before, const char *after)
{
	struct buf out = { 0 };

	buf_puts(&out, before);
	for (int i = 0; i < BODY_BYTES; i++)
		buf_putc(&out, 'y');
	buf_puts(&out, after);
	buf_putc(&out, 0);
	char *text = strdup(buf_span(&out).p);
	buf_done(&out);
	return text;
}

static void send_fetch(struct sink *s)
{
	struct client_cmd *cmd = client_cmd_new(s->p->client, &sink_calls, s);

	buf_puts(client_cmd_text(cmd), "FETCH 1 (UID BODY.PEEK[])");
	client_cmd_send(cmd);
	client_flush(s->p->client);
}

static void a_large_literal_comes_in_pieces_and_the_rest_is_read(void **state)
{
	char *say = with_body("* 1 FETCH (FLAGS (\\Seen) BODY[] {200000}\r\n",
			      " UID 77)\r\n$T OK done\r\n");
	const struct peer_step script[] = {
		GREETING, LOGIN_OK, { .want = "FETCH 1", .say = say }, { 0 }
	};
	struct peer p = { .script = { script } };
	struct sink s = { .p = &p };

	peer_start(&p, NULL);
	peer_become(&p, "a");
	peer_until(&p, "(a:ok)");
	int size = 1 << 20; /* the whole answer at once */
	setsockopt(p.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	send_fetch(&s);
	peer_until(&p, "(a:ok){77}[ok]");
	assert_int_equal(s.got, BODY_BYTES);
	peer_end(&p);
	free(say);
}

static void eof_within_a_literal_leaves_the_answer_unknown(void **state)
{
	static const struct peer_step script[] = {
		GREETING,
		LOGIN_OK,
		{ .want = "FETCH 1",
		  .say = "* 1 FETCH (BODY[] {200000}\r\nyyyyyyyyyy",
		  .is_close = true },
		{ 0 },
	};
	struct peer p = { .script = { script } };
	struct sink s = { .p = &p };

	peer_start(&p, NULL);
	peer_become(&p, "a");
	peer_until(&p, "(a:ok)");
	send_fetch(&s);
	peer_until(&p, "(a:ok)[unknown]");
	assert_int_equal(s.got, 10);
	peer_end(&p);
}

static void what_is_no_imap_ends_the_connection(void **state)
{
	static const char *const says[] = {
		"what?\r\n",	  "m99 OK never sent\r\n",
		"+ more\r\n",	  "* 1 FETCH (BODY[] {99999999999999999999}\r\n",
		"* OK bare LF\n",
	};

	for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
		const struct peer_step script[] = {
			GREETING,
			LOGIN_OK,
			{ .want = "NOOP", .say = says[i] },
			SILENT,
		};
		struct peer p = { .script = { script } };
		peer_start(&p, NULL);
		peer_become(&p, "a");
		peer_until(&p, "(a:ok)");
		peer_command(&p, "NOOP");
		peer_until(&p, "(a:ok)[NOOP:unknown]");
		assert_false(client_is_ready(p.client));
		peer_end(&p);
	}
}

static void untagged_data_goes_to_the_first_command_that_wants_it(void **state)
{
	static const struct peer_step script[] = {
		GREETING,
		LOGIN_OK,
		{ .want = "NOOP" },
		{ .want = "FETCH 1",
		  .say = "* 1 FETCH (UID 5)\r\n* 9 EXISTS\r\n$P OK\r\n$T OK\r\n" },
		{ 0 },
	};
	struct peer p = { .script = { script } };
	struct sink s = { .p = &p };

	peer_start(&p, NULL);
	peer_become(&p, "a");
	peer_until(&p, "(a:ok)");
	peer_command(&p, "NOOP");
	send_fetch(&s);
	peer_until(&p, "(a:ok){5}[NOOP:ok][ok]");
	peer_end(&p);
}

static void a_cancelled_command_has_no_callback(void **state)
{
	static const struct peer_step script[] = {
		GREETING,
		LOGIN_OK,
		{ .want = "FETCH 1", .say = "* 1 FETCH (UID 5)\r\n$T OK\r\n" },
		{ .want = "NOOP", .say = "$T OK\r\n" },
		{ 0 },
	};
	struct peer p = { .script = { script } };
	struct sink s = { .p = &p };

	peer_start(&p, NULL);
	peer_become(&p, "a");
	peer_until(&p, "(a:ok)");
	struct client_cmd *cmd = client_cmd_new(p.client, &sink_calls, &s);
	buf_puts(client_cmd_text(cmd), "FETCH 1 UID");
	client_cmd_send(cmd);
	client_flush(p.client);
	client_cmd_cancel(cmd); /* on its way already */
	cmd = client_cmd_new(p.client, &sink_calls, &s);
	buf_puts(client_cmd_text(cmd), "FETCH 2 UID");
	client_cmd_send(cmd);
	client_cmd_cancel(cmd); /* still here */
	peer_command(&p, "NOOP");
	peer_until(&p, "(a:ok)[NOOP:ok]");
	assert_int_equal(peer_saw(&p, "FETCH 2"), 0);
	peer_end(&p);
}

static void free_at_once(void *arg, const struct client_result *r)
{
	struct peer *p = arg;

	client_free(p->client);
	p->client = NULL;
	buf_puts(&p->notes, "[freed]");
}

static void the_client_may_be_freed_in_a_callback(void **state)
{
	static const struct client_calls calls = { .done = free_at_once };
	static const struct peer_step script[] = {
		GREETING,
		LOGIN_OK,
		{ .want = "NOOP", .say = "$T OK\r\n* 1 EXISTS\r\n" },
		SILENT,
	};
	struct peer p = { .script = { script } };

	peer_start(&p, NULL);
	peer_become(&p, "a");
	peer_until(&p, "(a:ok)");
	struct client_cmd *cmd = client_cmd_new(p.client, &calls, &p);
	buf_puts(client_cmd_text(cmd), "NOOP");
	client_cmd_send(cmd);
	client_flush(p.client);
	peer_until(&p, "(a:ok)[freed]");
	peer_idle(&p, 10);
	peer_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_waiting_literal_is_sent_after_the_continuation),
		cmocka_unit_test(a_refused_literal_is_not_sent_and_the_next_command_is),
		cmocka_unit_test(
		    an_early_answer_does_not_cut_a_literal_that_was_promised),
		cmocka_unit_test(a_file_that_became_shorter_ends_the_connection),
		cmocka_unit_test(literals_printed_into_a_command_wait_where_they_must),
		cmocka_unit_test(a_large_literal_comes_in_pieces_and_the_rest_is_read),
		cmocka_unit_test(eof_within_a_literal_leaves_the_answer_unknown),
		cmocka_unit_test(what_is_no_imap_ends_the_connection),
		cmocka_unit_test(untagged_data_goes_to_the_first_command_that_wants_it),
		cmocka_unit_test(a_cancelled_command_has_no_callback),
		cmocka_unit_test(the_client_may_be_freed_in_a_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
