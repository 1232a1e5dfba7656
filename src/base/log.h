/*
 * The log: JSON lines, one write(2) a line. Library rooms never log; server,
 * proxy and tools do. Never a secret, never message text.
 *
 *	struct log_line l;
 *	log_begin(&l, log, LOG_INFO, "login");
 *	log_str(&l, "authcid", authcid);
 *	log_num(&l, "connection", n);
 *	log_end(&l);
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/json.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log {
	int fd;               /* where lines go */
	enum log_level level; /* lines below are dropped */
};

struct log_line {
	struct log *log; /* NULL: dropped */
	struct buf text;
	struct json json;
};

/* Writes "time" (RFC 3339, UTC, ms), "level", "event". */
void log_begin(struct log_line *l, struct log *log, enum log_level level, const char *event);
void log_str(struct log_line *l, const char *key, struct span v);
void log_num(struct log_line *l, const char *key, int64_t v);
void log_bool(struct log_line *l, const char *key, bool v);
void log_end(struct log_line *l);

#endif
