/*
 * What all connections, those of LMTP as well, share and what happens when it is short:
 * memory for bytes that wait (parts of commands, of messages on their way in, output that
 * was not read), and descriptors. Reading stops before anything breaks; only when that
 * has not helped for a while are those ended that hold the most.
 */
#ifndef SERVER_OVERLOAD_H
#define SERVER_OVERLOAD_H

#include "server/conn.h"

struct overload {
	_Atomic uint64_t used;	  /* bytes that wait, of all connections */
	uint64_t limit;		  /* of them */
	size_t share;		  /* what each connection may hold in any case */
	int descriptors;	  /* a socket of this number or above is refused */
	_Atomic uint64_t told_ms; /* when the log was told last */
};

/* Looks at the limit on open files; says so in the log when it is the tighter one. */
struct overload *overload_new(const struct server_config *c);
bool overload_is_short(const struct overload *o);
/* At so much output that was not read a producer stops now. */
size_t overload_output_bytes(const struct server *s);

/*
 * A socket that has just been accepted: true when it was refused, in a word where
 * the listener speaks plain text, and closed. `connections`: how many there are.
 */
bool overload_refuse(struct server *s, const struct server_listener *l, int fd,
		     unsigned connections);

/* Counts anew what the connection holds; also before it goes (`c->net` NULL). */
void conn_charge(struct conn *c);
/* Whether more may be read for the command in hand. False: conn_go_on() comes later. */
bool conn_may_read(struct conn *c);

#endif
