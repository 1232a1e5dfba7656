/*
 * Segment files: where the pieces of message bodies lie (record.h). They are
 * only ever appended to, and never to one that an earlier process began, as
 * its tail may be torn. Any thread.
 */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include "store/record.h"

struct segments;

/* Where a piece lies. */
struct piece {
	uint32_t segment, offset; /* of its record */
	uint32_t stored, raw;	  /* bytes */
	uint8_t codec;
};

/* Where segments lie and how large they may grow (record.h). */
struct segments_config {
	const char *dir;
	struct store_id store;
	uint32_t next; /* the first new number, if none is there that is as high */
	uint32_t max_bytes;
	bool is_read_only;
};

/*
 * `dir` is made if absent, unless read-only. Nothing is created before the first
 * piece.
 */
enum err segments_open(const struct segments_config *c, struct segments **ret,
		       struct buf *ret_why);
void segments_close(struct segments *s); /* NULL is fine */

/* Compresses (where that pays) and writes; not yet durable. */
enum err segments_append(struct segments *s, struct account_id a, struct body_id body,
			 uint32_t number, struct span bytes, struct piece *ret);
/* Makes durable all that was appended before the call. */
enum err segments_sync(struct segments *s, struct buf *ret_why);
/* Makes durable what an earlier process left to the system. */
enum err segments_sync_old(struct segments *s);
/* Checks the piece and appends its bytes [off, off+len), cut to its end, to `out`. */
enum err segments_read(struct segments *s, struct account_id a, struct body_id body,
		       uint32_t number, const struct piece *p, size_t off, size_t len,
		       struct buf *out);

#endif
