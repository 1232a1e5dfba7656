/*
 * A server that means harm: what it sends without end costs bounded memory, and the error
 * names the response (mailstile.h, "MEMORY").
 */
#include "host.h"
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
static size_t allocated(void)
{
	return __sanitizer_get_current_allocated_bytes();
}
#else
static size_t allocated(void)
{
	struct mallinfo2 i = mallinfo2();

	return i.uordblks + i.hblkhd;
}
#endif

static atomic_size_t most;

/* Sends `piece` again and again until nobody reads; false then. Looks what we hold. */
static void pour(int fd, const char *head, const char *piece, size_t n)
{
	if (*head && send(fd, head, strlen(head), MSG_NOSIGNAL) <= 0)
		return;
	for (uint64_t sent = 0; sent < (uint64_t)1 << 30; sent += n) {
		if (send(fd, piece, n, MSG_NOSIGNAL) <= 0)
			return;
		size_t now = allocated();
		if (now > atomic_load(&most))
			atomic_store(&most, now);
	}
	abort(); /* a gigabyte: it would read for ever */
}

static void parentheses(int fd, const char *tag)
{
	static char piece[65536];

	(void)tag;
	memset(piece, '(', sizeof piece);
	pour(fd, "* 1 FETCH (BODYSTRUCTURE ", piece, sizeof piece);
}

static void long_line(int fd, const char *tag)
{
	static char piece[65536];

	(void)tag;
	memset(piece, '7', sizeof piece);
	pour(fd, "* SEARCH ", piece, sizeof piece);
}

static void long_literal(int fd, const char *tag)
{
	static char piece[65536];

	(void)tag;
	memset(piece, 'x', sizeof piece);
	pour(fd, "* 1 FETCH (BODY[] {9000000000000000000}\r\n", piece, sizeof piece);
}

static void literal_within_limits(int fd, const char *tag)
{
	static char piece[65536];

	(void)tag;
	memset(piece, 'x', sizeof piece);
	pour(fd, "* 1 FETCH (BODY[] {4000000000}\r\n", piece, sizeof piece);
}

static void many_literals(int fd, const char *tag)
{
	static const char piece[] = "{10}\r\n0123456789 ";

	(void)tag;
	pour(fd, "* 1 FETCH (", piece, sizeof piece - 1);
}

static void many_large_literals(int fd, const char *tag)
{
	static char piece[70009] = "{70000}\r\n";

	(void)tag;
	memset(piece + 9, ' ', sizeof piece - 9);
	pour(fd, "* 1 FETCH (", piece, sizeof piece);
}

static void many_lines(int fd, const char *tag)
{
	static const char piece[] = "* 1 EXISTS\r\n* 0 EXISTS\r\n* 4294967295 EXISTS\r\n";

	(void)tag;
	pour(fd, "", piece, sizeof piece - 1);
}

static void lying(int fd, const char *tag)
{
	static const char text[] = "* 99999999999999999999 EXISTS\r\n";

	(void)tag;
	send(fd, text, sizeof text - 1, MSG_NOSIGNAL);
}

static void number_of_no_literal(int fd, const char *tag)
{
	static const char text[] =
	    "* OK fine\r\n* 1 FETCH (BODY[] {99999999999999999999}\r\n";

	(void)tag;
	send(fd, text, sizeof text - 1, MSG_NOSIGNAL);
}

static void tag_of_nobody(int fd, const char *tag)
{
	static const char text[] = "m99 OK surprise\r\n";

	(void)tag;
	send(fd, text, sizeof text - 1, MSG_NOSIGNAL);
}

struct harm {
	void (*flood)(int fd, const char *tag);
	enum mailstile_rc rc;
	const char *text; /* is in the error */
};

static void meet(const struct harm *a, bool is_kept)
{
	struct host_rule rules[] = {
		HOST_LOGIN, { .want = "SEARCH", .flood = a->flood, .is_end = true }, { 0 }
	};
	struct host h = { 0 };
	struct mailstile_options o = host_options(&h);
	struct mailstile_reply *r = NULL;
	struct mailstile *m;
	size_t before;

	host_start(&h, rules);
	o.reply_max = 8 << 20;
	o.no_compress = true;
	m = mailstile_new(&o, NULL, 0);
	assert_int_equal(mailstile_act_for(m, "alice", NULL), MAILSTILE_OK);
	before = allocated();
	atomic_store(&most, before);
	if (mailstile_runf(m, is_kept ? &r : NULL, "SEARCH ALL") != a->rc)
		fail_msg("not %d: %s", a->rc, mailstile_error(m));
	if (!strstr(mailstile_error(m), a->text))
		fail_msg("\"%s\" does not say \"%s\"", mailstile_error(m), a->text);
	/* 20 MiB are a response, and the buffer doubles as it grows. */
	assert_true(atomic_load(&most) < before + ((size_t)96 << 20));
	mailstile_reply_free(r);
	mailstile_free(m);
	host_end(&h);
}

static void what_has_no_end_costs_bounded_memory_and_names_the_line(void **state)
{
	static const struct harm all[] = {
		{ parentheses, MAILSTILE_UNKNOWN,
		  "(response 3: * 1 FETCH (BODYSTRUCTURE ((((((" },
		{ long_line, MAILSTILE_UNKNOWN, "(response 3: * SEARCH 77777" },
		{ long_literal, MAILSTILE_UNKNOWN,
		  "(response 3: * 1 FETCH (BODY[] {9000000000000000000}" },
		{ many_literals, MAILSTILE_UNKNOWN, "(response 3: * 1 FETCH ({10}" },
		{ lying, MAILSTILE_UNKNOWN,
		  "(response 3: * 99999999999999999999 EXISTS)" },
		{ number_of_no_literal, MAILSTILE_UNKNOWN,
		  "(response 4: * 1 FETCH (BODY[] {99999999999999999999})" },
		{ tag_of_nobody, MAILSTILE_UNKNOWN, "(response 3: m99 OK surprise)" },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		meet(&all[i], true);
		meet(&all[i], false);
	}
}

static void a_reply_that_is_kept_has_a_limit(void **state)
{
	static const struct harm all[] = {
		{ literal_within_limits, MAILSTILE_LIMIT, "reply_max" },
		{ many_large_literals, MAILSTILE_LIMIT, "reply_max" },
		{ many_lines, MAILSTILE_LIMIT, "reply_max" },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		meet(&all[i], true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_no_end_costs_bounded_memory_and_names_the_line),
		cmocka_unit_test(a_reply_that_is_kept_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
