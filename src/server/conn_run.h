/* Between conn.c, which owns a connection, and what runs on it. */
#ifndef SERVER_CONN_RUN_H
#define SERVER_CONN_RUN_H

#include "server/command.h"
#include "server/conn.h"

/* What the running command waited for has come: runs it, then whatever follows. */
void conn_resume(struct conn *c);
/* The running command is to be resumed in `ms`. */
void conn_sleep(struct conn *c, uint64_t ms);

/* conn_input.c: one unit of input, the command waiting or not. False: none is there now.
 */
bool conn_input(struct conn *c);
/* conn.c: runs the command a step and carries out its verdict. */
void conn_step(struct conn *c);
/* conn.c: reading was held; it goes on. */
void conn_go_on(struct conn *c);
/* conn.c: says BYE and ends. */
void conn_fail(struct conn *c, const char *bye);
/* conn.c: the connection ends after its output; freed when nothing runs on it. */
void conn_end(struct conn *c);

/* server.c: counts it; NULL, or why it may not stay (limits). */
const char *server_conn_came(struct conn *c);
void server_conn_gone(struct conn *c);
/* server.c: the owner of the op has gone. Its result is freed unread; until then the loop
 * must live. */
void server_orphan(struct server_loop *home, struct op *op);
/* cmd_auth.c: greets, by PREAUTH who has a client certificate that is somebody's. */
extern const struct command command_preauth;
/* server.c: the context for a new handshake; a reference that is the caller's. */
struct net_tls *server_tls(struct server *s);

#endif
