/* Object identifiers (RFC 8474): a letter for the kind, then hex digits. */
#ifndef SERVER_OBJECT_ID_H
#define SERVER_OBJECT_ID_H

#include "server/command.h"

/* EMAILID 'M', THREADID 'T', of 16 bytes: "(M0123...)". */
void object_id_put(struct buf *out, char kind, const uint8_t id[16]);
/* MAILBOXID, of 8 bytes: "F0123..."; lives in `a`. */
struct span object_id_mailbox(struct arena *a, const uint8_t id[8]);
/* False: not one of ours. */
bool object_id_read(struct span text, char kind, uint8_t ret_id[16]);

#endif
