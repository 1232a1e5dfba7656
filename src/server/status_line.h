/* STATUS responses, for STATUS and LIST RETURN (STATUS ...) (RFC 9051 section 7.3.4). */
#ifndef SERVER_STATUS_LINE_H
#define SERVER_STATUS_LINE_H

#include "server/command.h"
#include "wire/status.h"

/* Items that are answered. */
#define STATUS_SERVED                                                                    \
	(STATUS_BASE | STATUS_HIGHESTMODSEQ | STATUS_MAILBOXID | STATUS_APPENDLIMIT |     \
	 STATUS_DELETED_STORAGE)

/* The items are asked for; some of them change what the client is told later (RFC 7162). */
void status_asked(struct cmd *cmd, unsigned items);
/* Appends one STATUS line; `items`: enum status_item (wire/status.h). */
/* The look-up that these items need. */
struct op *status_ask(struct cmd *cmd, struct account *a, const uint32_t *mailboxes,
		      size_t n, unsigned items);
void status_line(struct cmd *cmd, const struct name *name, const struct mailbox_status *s,
		 unsigned items);

#endif
