/* What `serve` and `check` both open: the parts of a site named by its configuration. */
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

#endif
