/*
 * Mod-sequences (RFC 7162): who is told of them, what is given as one, and how a client
 * that comes back hears what it has missed.
 */
#ifndef SERVER_CONDSTORE_H
#define SERVER_CONDSTORE_H

#include "server/selected.h"

/*
 * The command is a CONDSTORE enabling one (section 3.1): from here on FETCH responses
 * carry MODSEQ. The first in a session with a mailbox selected is answered with
 * HIGHESTMODSEQ.
 */
void condstore_enable(struct cmd *cmd);
/* "HIGHESTMODSEQ 7", in the command's arena: up to where this client has been told all.
 */
const char *condstore_highest(struct cmd *cmd);
/* mod-sequence-valzer as a parameter's value. False: it is none. */
bool condstore_value(struct cmd *cmd, struct span value, uint64_t *ret_modseq);
/* Every response that names a MODSEQ says so (section 6, a delayed VANISHED). */
void condstore_put(struct cmd *cmd, uint64_t modseq, struct buf *out); /* "(7)" */

/* What a client has missed (sections 3.2.5, 3.2.6); zeroed, in the command's arena. */
struct resync {
	uint64_t since;
	struct numset uids;  /* it asks about; the caller fills it in */
	uint32_t known_upto; /* up to this UID it knows what has gone (section 3.2.5.2) */
};
/* Starts the look into the history; NULL when nothing can have gone. */
struct op *resync_look(struct cmd *cmd, const struct resync *r);
/* "* VANISHED (EARLIER) ..." when that op has completed; nothing if there is nothing. */
void resync_vanished(struct cmd *cmd, const struct resync *r);

#endif
