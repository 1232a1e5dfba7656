/* From the bytes of a command to the command that runs (RFC 9051 section 2.2). */
#ifndef SERVER_DISPATCH_H
#define SERVER_DISPATCH_H

#include "server/command.h"

/*
 * A command from a whole frame, or from one that ends with the header of `literal`
 * (not NULL). The bytes are copied: they may go after this. Always returns a
 * command; when it cannot run, its tagged reply is set already (cmd->def is then a
 * command that does nothing).
 */
struct cmd *dispatch(struct conn *c, struct span frame,
		     const struct frame_literal *literal);
/*
 * Whether the literal that a frame so far ends with is for the command itself to
 * take (APPEND's message), and not an argument to be buffered.
 */
bool dispatch_streams(struct conn *c, struct span frame,
		      const struct frame_literal *literal);
/* A command of the server's own, which nobody sent; it writes what it says as its tagged
 * reply. */
struct cmd *dispatch_own(struct conn *c, const struct command *def);
/* Ends a command and what it deferred. */
void cmd_free(struct cmd *cmd);

#endif
