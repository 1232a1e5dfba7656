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
/* The writer of the body that the piece belongs to has ended: kept or not. */
void segments_unpin(struct segments *s, const struct piece *p);

/* ---- the collector's ---- */

/* Every segment file, in no order; stops when `segment` returns false. */
enum err segments_list(struct segments *s,
		       bool (*segment)(void *arg, uint32_t number, uint64_t bytes),
		       void *arg);
/* Nothing is appended to it any more, and no body that is still being written lies there.
 */
bool segments_is_sealed(struct segments *s, uint32_t number);
/* At most n bytes from `off`; fewer at the end of the file. */
enum err segments_window(struct segments *s, uint32_t number, uint64_t off, char *to,
			 size_t n, size_t *ret_n);
/*
 * Copies a whole record to a segment that holds nothing but copies. Durable after
 * segments_copies_sync alone. One thread at a time.
 */
enum err segments_copy(struct segments *s, struct span record, uint32_t *ret_segment,
		       uint32_t *ret_offset);
enum err segments_copies_sync(struct segments *s);
/*
 * Nothing more is appended to the segments that are there: the next piece begins a new
 * one. What writers have begun there they still end. Not while copies are being made.
 */
void segments_seal(struct segments *s);
/* Hard links to all segments in another directory on the same file system; the names of
 * those that are not sealed go to `growing`, one a line. No segment may be removed
 * meanwhile. */
enum err segments_link(struct segments *s, int to_dir, struct buf *growing,
		       struct buf *ret_why);
/* The file goes; who has it open can still read it. */
enum err segments_remove(struct segments *s, uint32_t number);

#endif
