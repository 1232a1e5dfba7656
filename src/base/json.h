/* Writing JSON (RFC 8259): commas and escapes are taken care of. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

struct json {
	struct buf *out;
	uint64_t comma; /* a bit a depth: something stands before */
	unsigned depth;
};

void json_init(struct json *j, struct buf *out);
/* `key` NULL inside arrays and at the top. */
void json_open(struct json *j, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *j, char bracket);                  /* '}' or ']' */
/* Bytes that are not UTF-8 become U+FFFD. */
void json_str(struct json *j, const char *key, struct span v);
void json_num(struct json *j, const char *key, int64_t v);
void json_real(struct json *j, const char *key, double v, int decimals);
void json_bool(struct json *j, const char *key, bool v);
void json_null(struct json *j, const char *key);

#endif
