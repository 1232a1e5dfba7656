/* Quota as commands that add messages see it (RFC 9208). */
#ifndef SERVER_QUOTA_H
#define SERVER_QUOTA_H

#include "server/command.h"

/* Whether messages of so many bytes would be refused: asked before they are sent. */
bool quota_is_short(struct account *a, uint64_t bytes, uint64_t messages);
/* "* NO [OVERQUOTA]" when a command has filled the quota of `a`, the user's own account,
 * to the part that is warned of (RFC 9208 section 4.3.1). */
void quota_warn(struct cmd *cmd, struct account *a);

#endif
