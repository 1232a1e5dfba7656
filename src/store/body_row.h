/*
 * Where a body's pieces lie: the value of a row in the column family "body".
 * Format 1, little-endian: u8 1; u64 bytes of the body; u32 number of pieces;
 * then for each piece u32 segment, u32 offset, u32 stored, u32 raw, u8 codec.
 * Every piece but the last has BODY_PIECE bytes.
 */
#ifndef STORE_BODY_ROW_H
#define STORE_BODY_ROW_H

#include "store/segment.h"

struct body_row {
	uint64_t bytes;
	uint32_t n;
	struct span pieces; /* encoded */
};

void body_row_encode(uint64_t bytes, const struct piece *pieces, uint32_t n,
		     struct buf *out);
/* ERR_CORRUPT when it is not a row of format 1 that fits together. */
enum err body_row_decode(struct span value, struct body_row *ret);
struct piece body_row_piece(const struct body_row *r, uint32_t i);
/* The row with piece i at another place. `row`: the value that was decoded. */
void body_row_move(char *row, uint32_t i, uint32_t segment, uint32_t offset);

#endif
