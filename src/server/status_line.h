/* STATUS responses, for STATUS and LIST RETURN (STATUS ...) (RFC 9051 section 7.3.4). */
#ifndef SERVER_STATUS_LINE_H
#define SERVER_STATUS_LINE_H

#include "server/command.h"
#include "wire/status.h"

/* Items that are answered. */
#define STATUS_SERVED (STATUS_BASE | STATUS_MAILBOXID | STATUS_APPENDLIMIT)

/* Appends one STATUS line; `items`: enum status_item (wire/status.h). */
void status_line(struct cmd *cmd, const struct name *name, const struct mailbox_status *s,
		 unsigned items);

#endif
