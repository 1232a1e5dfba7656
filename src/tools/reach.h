/*
 * The mail of a site for the operator's tools, while its server runs and while it does
 * not: one way for both.
 *
 * The server listens on DIR/mailstile.sock, which only its own user and root can open,
 * and speaks IMAP there (server.h, is_operator). When no server runs, reach_open() takes
 * its place, so that none starts meanwhile: it opens the store and starts a server inside
 * this process that has this one listener.
 */
#ifndef TOOLS_REACH_H
#define TOOLS_REACH_H

#include "tools/config.h"

struct reach;

/* Both live longer than `ret`. A sentence in `why` otherwise. */
enum err reach_open(const struct config *c, struct reach **ret, struct buf *why);
/* Whether a server of another process serves; it may end at any time. */
bool reach_is_served(const struct reach *r);
/* The store of this process; NULL when another one serves. */
struct store *reach_store(struct reach *r);
/* A connected stream socket, blocking, close-on-exec, the caller's (talk.h); or -1 and a
 * sentence. */
int reach_dial(struct reach *r, struct buf *why);
/* Connections are closed before. NULL is fine. */
void reach_close(struct reach *r);

#endif
