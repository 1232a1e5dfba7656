/* The largest message that may be appended (RFC 7889). */
#ifndef SERVER_APPEND_LIMIT_H
#define SERVER_APPEND_LIMIT_H

#include "server/session.h"

/* Bytes: the server's limit, or the user's own one (store/attrs.h, ATTR_LIMIT
 * "APPENDLIMIT", decimal) where it is less. The server's before login. */
uint64_t append_limit(const struct session *s);

#endif
