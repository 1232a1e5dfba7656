/*
 * Contexts (RFC 5267): searches whose client is told what is added to the result and what
 * leaves it, while the mailbox stays selected. ext_context.c.
 */
#ifndef SERVER_CONTEXT_H
#define SERVER_CONTEXT_H

#include "server/command.h"
#include "wire/search.h"

/* Whether the tag of this command, which asks for UPDATE, is taken already: BAD. */
bool context_is_taken(struct cmd *cmd, const struct search_program *p);
/*
 * With UPDATE keeps the search, `hits` being what it found (UIDs), or says NOUPDATE;
 * NULL: the order of a SORT, which is not kept, or nothing of the selected mailbox.
 * Without UPDATE nothing. Behind the response. `is_esearch`: told as ESEARCH tells.
 */
void context_keep(struct cmd *cmd, const struct search_program *p,
		  const struct numset *hits, bool is_esearch);

#endif
