/*
 * MESSAGELIMIT (RFC 9738): how many messages one command may touch, where the operator has
 * set a limit (messages-per-command). The newest ones are taken, and the tagged OK says where
 * the client has to go on (reply.c).
 */
#ifndef SERVER_MESSAGE_LIMIT_H
#define SERVER_MESSAGE_LIMIT_H

#include "server/selected.h"

/* Leaves the newest of `uids` that the command may touch. */
void message_limit(struct cmd *cmd, struct numset *uids);
/* For what is done to all or to none: whether `n` are too many; then the reply is set.
 * `uids` may be NULL. */
bool message_limit_refuses(struct cmd *cmd, uint64_t n, const struct numset *uids);
/* "MESSAGELIMIT 1000 23221" of a command that was limited; NULL: it was not. */
const char *message_limit_code(struct cmd *cmd);

#endif
