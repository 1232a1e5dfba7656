/* The log: one JSON object a line, levels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/log.h"

static void a_line_is_one_object_with_time_level_and_event(void **state)
{
	int p[2];
	char text[400];
	assert_int_equal(pipe(p), 0);
	struct log log = { p[1], LOG_INFO };
	struct log_line l;
	log_begin(&l, &log, LOG_WARNING, "login");
	log_str(&l, "who", SPAN("a\"b\n"));
	log_num(&l, "n", 3);
	log_bool(&l, "ok", false);
	log_end(&l);
	ssize_t n = read(p[0], text, sizeof text - 1);
	assert_true(n > 0);
	text[n] = 0;
	/* {"time":"2024-01-02T03:04:05.678Z","level":... */
	assert_memory_equal(text, "{\"time\":\"2", 10);
	assert_memory_equal(text + 32, "Z\",", 3);
	assert_string_equal(text + 35, "\"level\":\"warning\",\"event\":\"login\","
				       "\"who\":\"a\\\"b\\n\",\"n\":3,\"ok\":false}\n");
	close(p[0]);
	close(p[1]);
}

static void lines_below_the_level_and_without_a_log_are_dropped(void **state)
{
	int p[2];
	assert_int_equal(pipe(p), 0);
	struct log log = { p[1], LOG_WARNING };
	struct log *logs[] = { &log, NULL };
	for (int i = 0; i < 2; i++) {
		struct log_line l;
		log_begin(&l, logs[i], LOG_INFO, "x");
		log_num(&l, "n", 3);
		log_end(&l);
	}
	close(p[1]);
	char c;
	assert_int_equal(read(p[0], &c, 1), 0);
	close(p[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_one_object_with_time_level_and_event),
		cmocka_unit_test(lines_below_the_level_and_without_a_log_are_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
