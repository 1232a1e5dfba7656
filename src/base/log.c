/* JSON lines on a file descriptor. */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_DEBUG: return "debug";
	case LOG_INFO: return "info";
	case LOG_WARNING: return "warning";
	case LOG_ERROR: return "error";
	}
	return "error";
}

/* RFC 3339 section 5.6, UTC with milliseconds. */
static void put_time(struct json *j)
{
	int64_t ms = clock_wall_ms();
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	char text[40];
	gmtime_r(&s, &tm);
	size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	int more = snprintf(text + n, sizeof text - n, ".%03dZ", (int)(ms % 1000));
	json_str(j, "time", span_of(text, n + (size_t)more));
}

void log_begin(struct log_line *l, struct log *log, enum log_level level,
	       const char *event)
{
	*l = (struct log_line){ 0 };
	if (!log || level < log->level)
		return;
	l->log = log;
	json_init(&l->json, &l->text);
	json_open(&l->json, NULL, '{');
	put_time(&l->json);
	json_str(&l->json, "level", span_str(level_name(level)));
	json_str(&l->json, "event", span_str(event));
}

void log_str(struct log_line *l, const char *key, struct span v)
{
	if (l->log)
		json_str(&l->json, key, v);
}

void log_num(struct log_line *l, const char *key, int64_t v)
{
	if (l->log)
		json_num(&l->json, key, v);
}

void log_bool(struct log_line *l, const char *key, bool v)
{
	if (l->log)
		json_bool(&l->json, key, v);
}

void log_end(struct log_line *l)
{
	if (!l->log)
		return;
	json_close(&l->json, '}');
	buf_putc(&l->text, '\n');
	for (struct span s = buf_span(&l->text); s.n;) {
		ssize_t n = write(l->log->fd, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* a log that nobody reads must not stop us */
		s = span_sub(s, (size_t)n, s.n);
	}
	buf_done(&l->text);
	l->log = NULL;
}
