/*
 * The LMTP listener (RFC 2033): mail arrives. What server.c calls; the rest is
 * lmtp_conn.h's.
 *
 * LMTP has no logins: who can reach the listener may deliver to any user, so the
 * configuration allows it on loopback addresses and Unix sockets alone.
 */
#ifndef SERVER_LMTP_H
#define SERVER_LMTP_H

#include "server/conn.h"

struct lmtp;

/* Takes over an accepted socket, on its loop. */
void lmtp_accept(struct server_loop *home, const struct server_listener *l, int fd,
		 const struct net_addr *peer);
/* 421 and the end; deliveries under way come to theirs first. */
void lmtp_stop_all(struct server_loop *home);
/* Ends all at once. */
void lmtp_abort_all(struct server_loop *home);

#endif
