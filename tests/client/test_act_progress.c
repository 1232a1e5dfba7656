/* The progress bar, as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>
#include "tools/act_progress.h"

static void check(struct buf *out, const char *want)
{
	if (!span_eq(buf_span(out), span_str(want)))
		fail_msg("\"%.*s\"", (int)out->n, buf_span(out).p);
	buf_done(out);
}

static void the_bar_has_rate_and_time_left(void **state)
{
	struct progress p = {
		.fd = -1, .total = 1000, .done = 500, .failed = 2, .rate = 100
	};
	struct buf out = { 0 };

	progress_bar(&p, 60, 5000, &out);
	check(&out, "[#######........] 500/1000  100 users/s  0:05 left  2 failed");
	progress_line(&p, 5000, &out);
	check(&out, "500 of 1000 users, 100 users/s, 0:05 left, 2 failed");
}

static void the_bar_never_is_wider_than_the_terminal(void **state)
{
	struct progress p = {
		.fd = -1, .total = 123456789, .done = 5, .failed = 3, .rate = 0.01
	};

	for (unsigned columns = 0; columns < 200; columns++) {
		struct buf out = { 0 };
		progress_bar(&p, columns, 9000, &out);
		assert_true(out.n <= columns);
		buf_done(&out);
	}
}

static void nobody_at_all_is_no_reason_to_divide_by_zero(void **state)
{
	struct progress p = { .fd = -1 };
	struct buf out = { 0 };

	progress_bar(&p, 79, 0, &out);
	buf_done(&out);
	progress_line(&p, 0, &out);
	check(&out, "0 of 0 users, 0.0 users/s");
}

static void a_file_gets_a_line_every_ten_seconds(void **state)
{
	struct progress p;
	int fd[2];
	char text[1000];

	assert_int_equal(pipe2(fd, O_CLOEXEC | O_NONBLOCK), 0);
	progress_init(&p, fd[1], 100, 1000);
	for (uint64_t ms = 1000; ms < 10999; ms += 100)
		progress_step(&p, false, ms);
	assert_int_equal(read(fd[0], text, sizeof text), -1);
	progress_tick(&p, 11000);
	ssize_t n = read(fd[0], text, sizeof text);
	assert_true(n > 0 && text[n - 1] == '\n' && !memchr(text, '\r', (size_t)n));
	close(fd[0]);
	close(fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bar_has_rate_and_time_left),
		cmocka_unit_test(the_bar_never_is_wider_than_the_terminal),
		cmocka_unit_test(nobody_at_all_is_no_reason_to_divide_by_zero),
		cmocka_unit_test(a_file_gets_a_line_every_ten_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
