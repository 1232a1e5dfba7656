/* Mailbox names of commands, in the one form the store knows. */
#ifndef SERVER_MAILBOX_NAME_H
#define SERVER_MAILBOX_NAME_H

#include "server/command.h"

/*
 * Reads a mailbox name: UTF-8 in normal form C, whatever form it came in, so that two
 * spellings of one name are one mailbox (RFC 9051 section 5.1, RFC 5198). In the
 * command's arena; empty when the cursor is bad.
 */
struct span mailbox_name(struct cmd *cmd);
/* The same for a name or pattern that was read already. */
struct span mailbox_name_normal(struct arena *a, struct span utf8);

#endif
