/* LIST responses, for LIST and for SELECT of rev2 clients (RFC 9051
 * sections 6.3.2, 7.3.1). */
#ifndef SERVER_LIST_LINE_H
#define SERVER_LIST_LINE_H

#include "server/place.h"

/* Appends one LIST line; `more`: further attributes, enum list_attr. */
void list_line(struct cmd *cmd, const char *command, const struct name *name,
	       unsigned more, bool childinfo);
/* "* MYRIGHTS name rights" (ext_acl.c), for RETURN (MYRIGHTS) too (RFC 8440). */
void list_myrights_line(struct cmd *cmd, struct span name, unsigned rights);
/* The line of the mailbox that was just selected. */
void list_line_selected(struct cmd *cmd, const struct place *place);

#endif
