/* The public library (mailstile.h), both levels, against a server in threads. */
#include "host.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"

static struct mailstile *open_to(struct host *h, const struct host_rule *rules)
{
	struct mailstile_options o = host_options(h);
	struct mailstile *m;

	host_start(h, rules);
	m = mailstile_new(&o, NULL, 0);
	assert_non_null(m);
	return m;
}

static void end(struct mailstile *m, struct host *h)
{
	mailstile_free(m);
	host_end(h);
}

static void ten_calls_do_the_job_for_two_users_on_one_connection(void **state)
{
	static const struct host_rule rules[] = {
		HOST_UNAUTH,
		HOST_LOGIN,
		{ .want = "SELECT",
		  .say = "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] is\r\n"
			 "$T OK [READ-WRITE] for $U\r\n" },
		{ 0 },
	};
	struct host h = { 0 };
	struct mailstile *m = open_to(&h, rules);
	struct mailstile_reply *r;
	enum mailstile_how how;

	assert_int_equal(mailstile_act_for(m, "alice", &how), MAILSTILE_OK);
	assert_int_equal(how, MAILSTILE_CONNECTED);
	assert_string_equal(mailstile_user(m), "alice");
	assert_int_equal(mailstile_runf(m, &r, "SELECT %m", "INBOX"), MAILSTILE_OK);
	assert_string_equal(r->code, "READ-WRITE");
	assert_string_equal(r->text, "for alice");
	assert_int_equal(r->lines, 2);
	assert_int_equal(mailstile_reply_find(r, "EXISTS", 0)->number, 3);
	assert_string_equal(r->line[1].code, "UIDVALIDITY");
	assert_string_equal(r->line[1].args, "7");
	assert_null(mailstile_reply_find(r, "FETCH", 0));
	mailstile_reply_free(r);
	assert_int_equal(mailstile_act_for(m, "bob", &how), MAILSTILE_OK);
	assert_int_equal(how, MAILSTILE_SWITCHED);
	assert_int_equal(mailstile_act_for(m, "bob", &how), MAILSTILE_OK);
	assert_int_equal(how, MAILSTILE_SAME);
	mailstile_forget(m); /* what bob's login left is not wanted */
	assert_int_equal(mailstile_act_for(m, "bob", &how), MAILSTILE_OK);
	assert_int_equal(how, MAILSTILE_SWITCHED);
	assert_int_equal(mailstile_runf(m, NULL, "NOOP"), MAILSTILE_OK);
	assert_int_equal(h.connections, 1);
	end(m, &h);
}

static void a_forgotten_login_reconnects_where_nothing_can_be_switched(void **state)
{
	static const struct host_rule rules[] = {
		{ .want = "AUTHENTICATE", .say = "$T OK [CAPABILITY IMAP4rev1] in\r\n" },
		{ .want = "CAPABILITY", .say = "* CAPABILITY IMAP4rev1\r\n$T OK\r\n" },
		{ 0 },
	};
	struct host h = { 0 };
	struct mailstile *m = open_to(&h, rules);
	enum mailstile_how how;

	assert_int_equal(mailstile_act_for(m, "bob", &how), MAILSTILE_OK);
	mailstile_forget(m);
	assert_int_equal(mailstile_act_for(m, "bob", &how), MAILSTILE_OK);
	assert_int_equal(how, MAILSTILE_RECONNECTED);
	assert_non_null(mailstile_why_no_switch(m));
	assert_int_equal(h.connections, 2);
	end(m, &h);
}

static void what_the_server_refuses_says_why(void **state)
{
	static const struct host_rule rules[] = {
		HOST_UNAUTH,
		{ .want = "AUTHENTICATE PLAIN Ym9i", /* bob */
		  .say = "$T NO [AUTHORIZATIONFAILED] not bob\r\n" },
		HOST_LOGIN,
		{ .want = "CREATE", .say = "$T NO [OVERQUOTA] full\r\n" },
		{ .want = "NONSENSE", .say = "$T BAD what\r\n" },
		{ 0 },
	};
	struct host h = { 0 };
	struct mailstile *m = open_to(&h, rules);
	struct mailstile_reply *r;

	assert_int_equal(mailstile_runf(m, NULL, "NOOP"), MAILSTILE_CLOSED);
	assert_string_equal(mailstile_error(m), "nobody is logged in");
	assert_int_equal(mailstile_act_for(m, "bob", NULL), MAILSTILE_REFUSED);
	assert_string_equal(mailstile_error(m), "not bob");
	assert_null(mailstile_user(m));
	assert_int_equal(mailstile_act_for(m, "alice", NULL), MAILSTILE_OK);
	assert_int_equal(mailstile_runf(m, &r, "CREATE %m", "x"), MAILSTILE_NO);
	assert_string_equal(r->code, "OVERQUOTA");
	mailstile_reply_free(r);
	assert_int_equal(mailstile_runf(m, NULL, "NONSENSE"), MAILSTILE_BAD);
	assert_string_equal(mailstile_error(m), "what");
	end(m, &h);
}

static void what_cannot_be_said_is_not_sent(void **state)
{
	static const struct host_rule rules[] = { HOST_LOGIN, { 0 } };
	struct host h = { 0 };
	struct mailstile *m = open_to(&h, rules);
	struct mailstile_command *cmd;

	assert_int_equal(mailstile_act_for(m, "alice", NULL), MAILSTILE_OK);
	assert_int_equal(mailstile_runf(m, NULL, "NOOP\r\nx LOGOUT"), MAILSTILE_INVALID);
	assert_int_equal(mailstile_runf(m, NULL, "NOOP {5}"), MAILSTILE_INVALID);
	assert_int_equal(mailstile_runf(m, NULL, "SELECT %m", "\xff"), MAILSTILE_INVALID);
	assert_int_equal(mailstile_runf(m, NULL, "NOOP %q"), MAILSTILE_INVALID);
	cmd = mailstile_command(m);
	mailstile_put(cmd, "LOGIN ");
	mailstile_put_string(cmd, "a\0b", 3);
	assert_int_equal(mailstile_run(cmd, NULL), MAILSTILE_INVALID);
	/* Any other bytes are a string. */
	assert_int_equal(mailstile_runf(m, NULL, "SEARCH SUBJECT %s", "a\r\n\"b{5}"),
			 MAILSTILE_OK);
	assert_int_equal(
	    mailstile_runf(m, NULL, "STATUS %m (UIDNEXT)", "Entw\xc3\xbcrfe"),
	    MAILSTILE_OK);
	assert_int_equal(host_saw(&h, "Entw&APw-rfe"), 1);
	assert_int_equal(host_saw(&h, "LOGOUT"), 0);
	assert_int_equal(host_saw(&h, "SEARCH SUBJECT {8+}"), 1);
	end(m, &h);
}

/* --- literals ------------------------------------------------------------------- */

static ptrdiff_t letters(void *arg, char *into, size_t room)
{
	uint64_t *sent = arg;
	size_t n = room < 1000 ? room : 1000;

	memset(into, 'x', n);
	*sent += n;
	return (ptrdiff_t)n;
}

static void literals_are_streamed_to_the_server(void **state)
{
	static const struct host_rule rules[] = {
		HOST_LOGIN,
		{ .want = "APPEND", .say = "$T OK [APPENDUID 7 42] in\r\n" },
		{ 0 }
	};
	struct host h = { 0 };
	struct mailstile *m = open_to(&h, rules);
	FILE *file = tmpfile();
	struct mailstile_command *cmd;
	uint32_t uid = 0;
	uint64_t sent = 0;

	for (int i = 0; i < 50000; i++)
		fputs("line\r\n", file);
	fflush(file);
	assert_int_equal(mailstile_act_for(m, "alice", NULL), MAILSTILE_OK);
	assert_int_equal(mailstile_append(m, "INBOX", "\\Seen $Junk", 86400 * 365,
					  fileno(file), 300000, &uid),
			 MAILSTILE_OK);
	assert_int_equal(uid, 42);
	assert_int_equal(host_saw(&h,
				  "APPEND INBOX (\\Seen $Junk) \" 1-Jan-1971 00:00:00 "
				  "+0000\" {300000+}"),
			 1);
	cmd = mailstile_command(m);
	mailstile_put(cmd, "APPEND INBOX ");
	mailstile_put_source(cmd, 3000001, letters, &sent);
	assert_int_equal(mailstile_run(cmd, NULL), MAILSTILE_OK);
	assert_int_equal(sent, 3000001);
	/* A file that is shorter than was said: the rest was promised. */
	assert_int_equal(
	    mailstile_append(m, "INBOX", NULL, -1, fileno(file), 300001, NULL),
	    MAILSTILE_UNKNOWN);
	fclose(file);
	end(m, &h);
}

static char *big_fetch(size_t n)
{
	struct buf b = { 0 };

	buf_printf(&b, "* 1 FETCH (UID 9 BODY[TEXT] {%zu}\r\n", n);
	for (size_t i = 0; i < n; i++)
		buf_putc(&b, (char)('a' + i % 26));
	buf_puts(&b,
		 " FLAGS (\\Seen) BODY[1]<0> \"a\\\"b\" BODY[2] NIL)\r\n$T OK done\r\n");
	buf_putc(&b, 0);
	return b.p;
}

struct got {
	size_t n, limit;
	bool is_right;
};

static bool got(void *arg, const char *p, size_t n)
{
	struct got *g = arg;

	for (size_t i = 0; i < n; i++)
		g->is_right &= p[i] == (char)('a' + (g->n + i) % 26);
	g->n += n;
	return !g->limit || g->n < g->limit;
}

static void literals_are_streamed_from_the_server(void **state)
{
	char *large = big_fetch(3000000), *small = big_fetch(100);
	struct host_rule rules[] = {
		HOST_LOGIN,
		{ .want = "UID FETCH 1 ", .say = large },
		{ .want = "UID FETCH 2 ", .say = small },
		{ 0 },
	};
	struct host h = { 0 };
	struct mailstile *m = open_to(&h, rules);
	struct got g = { .is_right = true }, few = { .is_right = true },
		   stops = { .limit = 70000 };

	assert_int_equal(mailstile_act_for(m, "alice", NULL), MAILSTILE_OK);
	assert_int_equal(mailstile_fetch(m, 1, "TEXT", got, &g), MAILSTILE_OK);
	assert_true(g.n == 3000000 && g.is_right);
	assert_int_equal(mailstile_fetch(m, 2, "TEXT", got, &few), MAILSTILE_OK);
	assert_true(few.n == 100 && few.is_right);
	assert_int_equal(mailstile_fetch(m, 3, "", got, &g), MAILSTILE_NO);
	assert_int_equal(mailstile_fetch(m, 1, "TEXT", got, &stops), MAILSTILE_LIMIT);
	assert_false(mailstile_is_ready(m));
	end(m, &h);
	free(large);
	free(small);
}

static void a_reply_holds_large_literals_in_their_place(void **state)
{
	char *large = big_fetch(200000);
	struct host_rule rules[] = { HOST_LOGIN,
				     { .want = "FETCH", .say = large },
				     { 0 } };
	static const enum mailstile_token_kind want[] = {
		MAILSTILE_OPEN,	  MAILSTILE_ATOM,  MAILSTILE_ATOM,   MAILSTILE_ATOM,
		MAILSTILE_STRING, MAILSTILE_ATOM,  MAILSTILE_OPEN,   MAILSTILE_ATOM,
		MAILSTILE_CLOSE,  MAILSTILE_ATOM,  MAILSTILE_STRING, MAILSTILE_ATOM,
		MAILSTILE_NIL,	  MAILSTILE_CLOSE, MAILSTILE_END,
	};
	struct host h = { 0 };
	struct mailstile *m = open_to(&h, rules);
	struct mailstile_reply *r;
	struct mailstile_token t;
	char copy[8];
	size_t at = 0;

	assert_int_equal(mailstile_act_for(m, "alice", NULL), MAILSTILE_OK);
	assert_int_equal(mailstile_runf(m, &r, "FETCH %u BODY[]", 1u), MAILSTILE_OK);
	assert_int_equal(r->lines, 1);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		mailstile_token_next(r->line[0].bytes, r->line[0].length, &at, &t);
		assert_int_equal(t.kind, want[i]);
		if (i == 4)
			assert_true(t.n == 200000 && memcmp(t.p, "abcdef", 6) == 0 &&
				    t.p[199999] == (char)('a' + 199999 % 26));
		if (i == 10) {
			assert_int_equal(mailstile_token_copy(&t, copy), 3);
			assert_memory_equal(copy, "a\"b", 3);
		}
	}
	assert_int_equal(at, r->line[0].length);
	mailstile_reply_free(r);
	end(m, &h);
	free(large);
}

/* --- the asynchronous level -------------------------------------------------------- */

struct world {
	struct mailstile *m;
	struct buf notes;
	struct mailstile_command *idle;
	unsigned events;
};

static bool note_data(void *arg, const struct mailstile_data *d)
{
	struct world *w = arg;

	buf_printf(&w->notes, "%s%u ", d->name, d->number);
	return true;
}

static void note_done(void *arg, const struct mailstile_result *r)
{
	struct world *w = arg;

	buf_printf(&w->notes, "%d ", r->rc);
}

static const struct mailstile_calls noting = { .data = note_data, .done = note_done };

static void note_event(void *arg, const struct mailstile_data *d)
{
	struct world *w = arg;

	buf_printf(&w->notes, "!%s(%.*s) ", d->name, (int)d->length, d->bytes);
}

/* The caller's own loop. */
static void until(struct world *w, const char *want)
{
	uint64_t last = clock_mono_ms() + 8000;

	while (!span_eq(buf_span(&w->notes), span_str(want))) {
		struct pollfd p = { mailstile_fd(w->m), mailstile_events(w->m), 0 };

		poll(&p, 1, mailstile_timeout_ms(w->m));
		mailstile_step(w->m);
		if (clock_mono_ms() > last)
			fail_msg("noted %.*s, not %s", (int)w->notes.n,
				 buf_span(&w->notes).p, want);
	}
	buf_clear(&w->notes);
}

static void send_one(struct world *w, const char *text)
{
	struct mailstile_command *cmd = mailstile_command(w->m);

	mailstile_put(cmd, text);
	assert_int_equal(mailstile_send(cmd, &noting, w), MAILSTILE_OK);
}

static void the_callers_loop_is_enough(void **state)
{
	static const struct host_rule rules[] = { HOST_UNAUTH,
						  HOST_LOGIN,
						  { .want = "SELECT",
						    .say = "* 3 EXISTS\r\n$T OK\r\n" },
						  { 0 } };
	struct host h = { 0 };
	struct world w = { .m = open_to(&h, rules) };

	assert_int_equal(mailstile_become(w.m, "alice", note_done, &w), MAILSTILE_OK);
	assert_int_equal(mailstile_become(w.m, "bob", note_done, &w), MAILSTILE_INVALID);
	until(&w, "0 ");
	send_one(&w, "SELECT INBOX");
	send_one(&w, "NOOP");
	assert_int_equal(mailstile_pending(w.m), 2);
	mailstile_become(w.m, "bob", note_done, &w); /* behind them, in one write */
	until(&w, "EXISTS3 0 0 0 ");
	assert_int_equal(h.connections, 1);
	buf_done(&w.notes);
	end(w.m, &h);
}

static void idle_tells_and_ends_when_something_follows(void **state)
{
	static const struct host_rule rules[] = {
		HOST_UNAUTH,
		HOST_LOGIN,
		{ .want = "IDLE", .say = "+ idling\r\n* 4 EXISTS\r\n" },
		{ .want = "DONE",
		  .say = "" }, /* the tag is not in that line: see below */
		{ 0 },
	};
	struct host h = { 0 };
	struct world w = { .m = open_to(&h, rules) };

	mailstile_become(w.m, "alice", note_done, &w);
	until(&w, "0 ");
	w.idle = mailstile_idle(w.m, &noting, &w);
	assert_non_null(w.idle);
	until(&w, "EXISTS4 ");
	assert_int_equal(host_saw(&h, "DONE"), 0);
	send_one(&w, "NOOP");
	/* IDLE has no answer yet when NOOP has: the peer does not tell. */
	until(&w, "0 ");
	assert_int_equal(host_saw(&h, "DONE"), 1);
	mailstile_cancel(w.idle);
	buf_done(&w.notes);
	end(w.m, &h);
}

/* The IDLE's tag is the first word that the peer saw last but one. */
static void answer_done(int fd, const char *tag)
{
	static const char text[] = "m2 OK idled\r\n";

	(void)tag;
	assert_true(send(fd, text, sizeof text - 1, MSG_NOSIGNAL) > 0);
}

static bool is_fourth(void *arg, const struct mailstile_data *d)
{
	struct world *w = arg;

	w->events++;
	return strcmp(d->name, "EXISTS") == 0 && d->number == 4;
}

static void idle_waits_for_what_is_wanted(void **state)
{
	static const struct host_rule rules[] = {
		HOST_LOGIN,
		{ .want = "IDLE", .say = "+ idling\r\n* 3 EXISTS\r\n* 4 EXISTS\r\n" },
		{ .want = "DONE", .flood = answer_done },
		{ 0 },
	};
	static const struct host_rule quiet[] = {
		HOST_LOGIN,
		{ .want = "IDLE", .say = "+ idling\r\n" },
		{ .want = "DONE", .flood = answer_done },
		{ 0 },
	};
	struct host h = { 0 }, q = { 0 };
	struct world w = { .m = open_to(&h, rules) };

	assert_int_equal(mailstile_idle_wait(w.m, 50, is_fourth, &w), MAILSTILE_CLOSED);
	assert_int_equal(mailstile_act_for(w.m, "alice", NULL), MAILSTILE_OK);
	assert_int_equal(mailstile_idle_wait(w.m, 8000, is_fourth, &w), MAILSTILE_OK);
	assert_int_equal(w.events, 2);
	assert_true(mailstile_is_ready(w.m));
	end(w.m, &h);
	w.m = open_to(&q, quiet);
	assert_int_equal(mailstile_act_for(w.m, "alice", NULL), MAILSTILE_OK);
	assert_int_equal(mailstile_idle_wait(w.m, 30, is_fourth, &w), MAILSTILE_TIMEOUT);
	assert_true(mailstile_is_ready(w.m));
	end(w.m, &q);
}

static void idle_is_begun_anew_before_its_half_hour(void **state)
{
	static const struct host_rule rules[] = {
		HOST_LOGIN,
		{ .want = "m2 IDLE", .say = "+ idling\r\n" },
		{ .want = "DONE", .flood = answer_done },
		{ .want = "m3 IDLE", .say = "+ idling\r\n* 4 EXISTS\r\n" },
		{ 0 },
	};
	struct host h = { 0 };
	struct mailstile_options o = host_options(&h);
	struct world w = { 0 };

	host_start(&h, rules);
	o.idle_ms = 40;
	o.silence_ms = 20; /* not of an IDLE */
	w.m = mailstile_new(&o, NULL, 0);
	mailstile_become(w.m, "alice", note_done, &w);
	until(&w, "0 ");
	mailstile_idle(w.m, &noting, &w);
	until(&w, "EXISTS4 ");
	buf_done(&w.notes);
	end(w.m, &h);
}

static void what_nobody_asked_for_is_an_event(void **state)
{
	static const struct host_rule rules[] = {
		HOST_LOGIN,
		{ .want = "NOTIFY SET",
		  .say = "$T OK\r\n* STATUS Lists (MESSAGES 8)\r\n* 9 EXISTS\r\n" },
		{ 0 },
	};
	struct host h = { 0 };
	struct world w = { .m = open_to(&h, rules) };

	assert_int_equal(mailstile_act_for(w.m, "alice", NULL), MAILSTILE_OK);
	mailstile_on_event(w.m, note_event, &w);
	assert_int_equal(mailstile_runf(w.m, NULL, "NOTIFY SET (personal (MessageNew))"),
			 MAILSTILE_OK);
	until(&w, "!STATUS(Lists (MESSAGES 8)) !EXISTS() ");
	buf_done(&w.notes);
	end(w.m, &h);
}

static void a_deadline_cuts_the_connection_and_says_what_is_known(void **state)
{
	static const struct host_rule rules[] = {
		HOST_LOGIN, { .want = "SLOW" }, { .want = "SILENT" }, { 0 }
	};
	struct host h = { 0 };
	struct mailstile_options o = host_options(&h);
	struct mailstile *m;
	uint64_t start;

	host_start(&h, rules);
	o.deadline_ms = 80;
	m = mailstile_new(&o, NULL, 0);
	assert_int_equal(mailstile_act_for(m, "alice", NULL), MAILSTILE_OK);
	start = clock_mono_ms();
	assert_int_equal(mailstile_runf(m, NULL, "SLOW"), MAILSTILE_UNKNOWN);
	assert_string_equal(mailstile_error(m), "the deadline passed");
	assert_true(clock_mono_ms() - start < 5000);
	assert_int_equal(mailstile_runf(m, NULL, "NOOP"), MAILSTILE_CLOSED);
	assert_int_equal(mailstile_act_for(m, "alice", NULL), MAILSTILE_OK);
	end(m, &h);
}

static void a_login_that_lasts_too_long_is_given_up(void **state)
{
	static const struct host_rule rules[] = { { .want = "AUTHENTICATE" }, { 0 } };
	struct host h = { 0 };
	struct mailstile_options o = host_options(&h);
	struct mailstile *m;

	host_start(&h, rules);
	o.deadline_ms = 50;
	o.retry_ms = 60000; /* no other try behind the deadline */
	m = mailstile_new(&o, NULL, 0);
	assert_int_equal(mailstile_act_for(m, "alice", NULL), MAILSTILE_TIMEOUT);
	assert_int_equal(h.connections, 1);
	end(m, &h);
}

static void free_it(void *arg, const struct mailstile_result *r)
{
	struct world *w = arg;

	mailstile_free(w->m);
	buf_puts(&w->notes, "freed");
}

static void it_may_be_freed_in_a_callback(void **state)
{
	static const struct host_rule rules[] = { HOST_LOGIN, { 0 } };
	static const struct mailstile_calls freeing = { .done = free_it };
	struct host h = { 0 };
	struct world w = { .m = open_to(&h, rules) };
	struct mailstile_command *cmd;

	assert_int_equal(mailstile_act_for(w.m, "alice", NULL), MAILSTILE_OK);
	cmd = mailstile_command(w.m);
	mailstile_put(cmd, "NOOP");
	mailstile_send(cmd, &freeing, &w);
	send_one(&w, "NOOP");	/* gets no callback any more */
	mailstile_command(w.m); /* never sent */
	while (!w.notes.n)
		mailstile_wait(w.m, 10);
	assert_true(span_eq(buf_span(&w.notes), SPAN("freed")));
	buf_done(&w.notes);
	host_end(&h);
}

static void options_that_are_wrong_are_named(void **state)
{
	struct mailstile_options o = MAILSTILE_OPTIONS;
	char why[200];

	assert_null(mailstile_new(&o, why, sizeof why));
	assert_string_equal(why, "there is no host");
	o.host = "localhost";
	o.pin_sha256 = "12";
	assert_null(mailstile_new(&o, why, sizeof why));
	assert_string_equal(why, "pin_sha256 is not 64 hexadecimal digits");
	o.pin_sha256 = NULL;
	o.ca_file = "/nowhere.pem";
	assert_null(mailstile_new(&o, why, sizeof why));
	assert_non_null(strstr(why, "/nowhere.pem"));
	o.size = 1;
	assert_null(mailstile_new(&o, why, sizeof why));
	assert_null(mailstile_new(NULL, NULL, 0));
	mailstile_free(NULL);
	mailstile_reply_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_calls_do_the_job_for_two_users_on_one_connection),
		cmocka_unit_test(
		    a_forgotten_login_reconnects_where_nothing_can_be_switched),
		cmocka_unit_test(what_the_server_refuses_says_why),
		cmocka_unit_test(what_cannot_be_said_is_not_sent),
		cmocka_unit_test(literals_are_streamed_to_the_server),
		cmocka_unit_test(literals_are_streamed_from_the_server),
		cmocka_unit_test(a_reply_holds_large_literals_in_their_place),
		cmocka_unit_test(the_callers_loop_is_enough),
		cmocka_unit_test(idle_tells_and_ends_when_something_follows),
		cmocka_unit_test(idle_waits_for_what_is_wanted),
		cmocka_unit_test(idle_is_begun_anew_before_its_half_hour),
		cmocka_unit_test(what_nobody_asked_for_is_an_event),
		cmocka_unit_test(a_deadline_cuts_the_connection_and_says_what_is_known),
		cmocka_unit_test(a_login_that_lasts_too_long_is_given_up),
		cmocka_unit_test(it_may_be_freed_in_a_callback),
		cmocka_unit_test(options_that_are_wrong_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
