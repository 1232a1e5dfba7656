/* Files as messages: line ends, Message-ID, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "tools/act.h"

static char path[64];

static void put_file(struct span s)
{
	snprintf(path, sizeof path, "/tmp/message-%ld", (long)getpid());
	FILE *f = fopen(path, "w");
	if (s.n)
		assert_int_equal(fwrite(s.p, 1, s.n, f), s.n);
	fclose(f);
}

static void check(struct span in, struct span want)
{
	struct message_cache *m = message_cache_new();
	struct buf why = { 0 };
	uint64_t bytes;
	int fd;
	char *got = malloc(want.n + 1);

	put_file(in);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(message_open(m, path, round, &fd, &bytes, &why), ERR_OK);
		assert_int_equal(bytes, want.n);
		assert_int_equal(pread(fd, got, want.n + 1, 0), (ssize_t)want.n);
		assert_memory_equal(got, want.p, want.n);
		close(fd);
	}
	free(got);
	message_cache_free(m);
	unlink(path);
}

static void lines_end_in_crlf(void **state)
{
	check(SPAN("A: b\n\nc\n"), SPAN("A: b\r\n\r\nc\r\n"));
	check(SPAN("A: b\r\n\r\nc"), SPAN("A: b\r\n\r\nc"));
	check(SPAN("A: b\r\n\nc\r\r\n"), SPAN("A: b\r\n\r\nc\r\r\n"));
}

static void a_line_end_across_two_reads_is_one(void **state)
{
	char *text = malloc(65537);

	memset(text, 'x', 65537);
	text[65535] = '\r';
	text[65536] = '\n';
	check(span_of(text, 65537), span_of(text, 65537));
	free(text);
}

static void what_is_no_message_is_refused(void **state)
{
	struct message_cache *m = message_cache_new();
	struct buf why = { 0 };
	uint64_t bytes;
	int fd;

	put_file(SPAN_NONE);
	assert_int_equal(message_open(m, path, false, &fd, &bytes, &why), ERR_INVAL);
	put_file(SPAN("a\0b"));
	assert_int_equal(message_open(m, path, true, &fd, &bytes, &why), ERR_INVAL);
	unlink(path);
	assert_int_equal(message_open(m, path, false, &fd, &bytes, &why), ERR_IO);
	assert_int_equal(message_open(m, "/tmp", false, &fd, &bytes, &why), ERR_IO);
	buf_done(&why);
	message_cache_free(m);
}

static void check_id(struct span in, struct span want)
{
	struct buf id = { 0 };

	put_file(in);
	FILE *f = fopen(path, "r");
	message_id_of(fileno(f), &id);
	fclose(f);
	assert_true(span_eq(buf_span(&id), want));
	buf_done(&id);
	unlink(path);
}

static void the_message_id_is_found_in_the_header_only(void **state)
{
	check_id(SPAN("A: b\r\nmessage-id:  <1@x> \r\n\r\n"), SPAN("<1@x>"));
	check_id(SPAN("Message-ID:\r\n <1@x>\r\n\r\n"), SPAN("<1@x>"));
	check_id(SPAN("A: b\r\n\r\nMessage-ID: <1@x>\r\n"), SPAN_NONE);
	check_id(SPAN("Message-ID: <1@x>"), SPAN("<1@x>"));
	check_id(SPAN("X-Message-ID: <1@x>\r\n"), SPAN_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_in_crlf),
		cmocka_unit_test(a_line_end_across_two_reads_is_one),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(the_message_id_is_found_in_the_header_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
