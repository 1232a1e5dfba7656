/*
 * The journal of an import: which messages of the source are there already, so that it
 * goes on after any end, and a later run imports only what is new.
 *
 *	mailstile import 1 ID MAILBOXID	  of this import, and of the user's INBOX
 *	B NUMBER COUNT KEY...		  on the disk before these messages are committed
 *	X NUMBER			  they were not
 *	E NUMBER			  a run ended: all up to there is decided
 *
 * With each batch the store keeps ID and NUMBER in the commit of its messages (XMARK,
 * server/operator.h). So a batch without an X is there when its number is not above the
 * mark, or stands before an E; whatever was killed between the two.
 */
#ifndef TOOLS_IMPORT_JOURNAL_H
#define TOOLS_IMPORT_JOURNAL_H

#include "base/buf.h"
#include "tools/key_set.h"

enum { JOURNAL_ID = 32, JOURNAL_BATCH = 1000 };

struct import_journal {
	char id[JOURNAL_ID + 1];
	struct key_set done;
	uint64_t number; /* of the last batch begun */
	/* its own */
	int fd;
	const char *path;
	uint64_t size;
};

/*
 * Opens it, or makes it, and locks it. `inbox`: the MAILBOXID of the user's INBOX, hex or
 * whatever has no space. `mark`: asks the store for the number that it keeps with the id,
 * 0: none; false: it could not be asked. A sentence otherwise.
 */
bool import_journal_open(struct import_journal *j, const char *path, struct span inbox,
			 bool (*mark)(void *arg, const char *id, uint64_t *ret),
			 void *arg, struct buf *why);
/* Next batch: j->number is its number. Durable when it returns. */
bool import_journal_begin(struct import_journal *j, const uint8_t (*keys)[KEY_BYTES],
			  size_t n, struct buf *why);
/* It is there; or it is not. */
void import_journal_committed(struct import_journal *j, const uint8_t (*keys)[KEY_BYTES],
			      size_t n);
bool import_journal_cancel(struct import_journal *j, struct buf *why);
/* A run ended in order: durable, and the mark may go. */
bool import_journal_end(struct import_journal *j, struct buf *why);
void import_journal_close(struct import_journal *j);

#endif
