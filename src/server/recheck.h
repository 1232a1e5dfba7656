/*
 * Users of databases who are logged in are looked up again from time to time, as nobody
 * tells when one was deleted or locked: then his sessions end with BYE. A database that
 * does not answer changes nothing.
 */
#ifndef SERVER_RECHECK_H
#define SERVER_RECHECK_H

#include "server/conn.h"

/* Somebody has logged in on this loop: the timer runs as long as anybody is there. */
void recheck_watch(struct server_loop *l);
/* At once, behind what is under way. */
void recheck_now(struct server_loop *l);
/* server.c: ends the sessions of this loop whose users are no longer allowed. */
void server_sweep(struct server_loop *l);

#endif
