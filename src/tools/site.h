/*
 * What `serve`, `check` and the tools that act on mail (reach.h) open: the parts of a site
 * named by its configuration.
 */
#ifndef TOOLS_SITE_H
#define TOOLS_SITE_H

#include "tools/config.h"

/* Whether any listener has TLS. */
bool site_wants_tls(const struct config *c);
/* A new TLS context from the files. ERR_INVAL etc. with a sentence. */
enum err site_tls(const struct config *c, struct net_tls **ret, struct buf *ret_why);
/* Who may become whom, and whose client certificates are. */
struct policy *site_policy(const struct config *c);
struct engine_config site_engine(const struct config *c, struct executor *workers);
/* The user table, with the secret beside it, the databases and the policy. A sentence
 * otherwise. */
enum err site_auth(const struct config *c, struct executor *workers,
		   struct userdb_note note, struct auth **ret, struct buf *ret_why);
/* The store to be served, with the quota that holds for all. `fatal` as in store/engine.h. */
enum err site_store(const struct config *c, struct executor *workers,
		    void (*fatal)(void *arg, const char *sentence), void *arg,
		    struct store **ret, struct buf *ret_why);

/*
 * The listener of the operator's tools (server.h, is_operator): the socket
 * DIR/mailstile.sock. Its path lives as long as `c`; where DIR's is too long for a socket
 * it goes by way of a descriptor that stays open.
 */
#define SITE_SOCKET "mailstile.sock"
struct server_listener site_operator(const struct config *c);
/* What the server is started with, on these listeners. */
struct server_config site_server(const struct config *c,
				 const struct server_listener *listener, size_t n,
				 struct log *log);

#endif
