/* The secret beside the user table: USERS.secret, mode 0600, made at the first start. */
#ifndef TOOLS_SECRET_H
#define TOOLS_SECRET_H

#include "base/buf.h"

enum { SECRET_BYTES = 32 };

/* Reads it, or makes it. False: a sentence in `why`. */
bool secret_load(const char *path, uint8_t secret[SECRET_BYTES], struct buf *why);

#endif
