/*
 * Digests: of the messages of a chunk (256 UIDs) the pieces of their summaries that
 * lists, searches, SORT and THREAD ask for, each kind (a column) in one row. A summary
 * has 1.4 KB and a row of its own, so that asking all messages of a large mailbox for
 * 150 bytes each would walk ten times as much, row by row.
 *
 * They are a cache, made of the summaries by whoever asks for many messages of a chunk
 * (gather_digest.c). What a summary says never changes, so an item is right for as long
 * as its UID is there, and nobody is told of one that is not.
 */
#ifndef STORE_DIGEST_H
#define STORE_DIGEST_H

#include "mail/summary.h"
#include "store/chunk.h"

enum digest_column { /* numbers of the rows: format */
		     DIGEST_ENVELOPE,
		     DIGEST_STRUCTURE, /* unless clients of IMAP4rev1 are shown another */
		     DIGEST_FIELDS, /* the sent date, and digest_names() of the header */
		     DIGEST_THREAD, /* likewise */
		     DIGEST_COLUMNS,
};

#define DIGEST_ITEM_MAX 8192 /* bytes; a longer one is not kept: its summary has it */

/* The names of header fields that a column has; none of the others. */
const struct span *digest_names(enum digest_column column, size_t *ret_n);

/* A row; borrows its bytes. */
struct digest {
	uint64_t mask[4]; /* UIDs that it knows of */
	const uint8_t *lengths;
	const char *bytes;
	uint32_t off[CHUNK_UIDS + 1]; /* by rank in the mask */
};

enum digest_answer {
	DIGEST_UNKNOWN,
	DIGEST_NOT_KEPT, /* too long, or the summary has not got it */
	DIGEST_KEPT,
};

enum err digest_read(struct span row, struct digest *ret);
enum digest_answer digest_item(const struct digest *d, uint32_t slot,
			       struct span *ret_item);

/* The item of a message; false: it is not kept. `scratch` is where it may live. */
bool digest_make(enum digest_column column, const struct summary *s, struct buf *scratch,
		 struct span *ret_item);
/* Puts what an item says into a summary; false: it is damaged. */
bool digest_take(enum digest_column column, struct span item, struct summary *to);

/* Items that a row has not yet. */
struct digest_news {
	uint64_t mask[4];
	struct {
		uint32_t off;
		uint16_t n;
	} at[CHUNK_UIDS];
	struct buf bytes;
};
void digest_put(struct digest_news *news, enum digest_column column, uint32_t slot,
		const struct summary *s);
/* Appends a row of `old` (NULL: none) with the news. */
void digest_write(const struct digest *old, const struct digest_news *news,
		  struct buf *out);

#endif
