/* The capability list, from the registered extensions (RFC 9051 section 7.2.2). */
#ifndef SERVER_CAPABILITY_H
#define SERVER_CAPABILITY_H

#include "server/command.h"

/*
 * Appends "CAPABILITY IMAP4rev1 IMAP4rev2 ..." as it holds for this connection
 * in that state (IN_NOT_AUTH: before login or after UNAUTHENTICATE; D12).
 */
void capability_put(const struct conn *c, unsigned state, struct buf *out);
/* The same as a response code for reply_ok(), in the command's arena. */
const char *capability_code(struct cmd *cmd, unsigned state);

#endif
