/*
 * Format 1 of segment files. All integers are little-endian.
 *
 *	file:   0  "MSTLSEG\0"
 *	        8  u32 version, 1
 *	       12  u32 number of the segment, which its name says too
 *	       16  16 bytes id of the store
 *	       32  zeros
 *	       60  u32 CRC-32C of bytes 0..59
 *	then records, each at a multiple of 8:
 *	        0  u32 magic, "MSRC"
 *	        4  u16 version, 1
 *	        6  u8  codec: 0 as is, 1 zstd frame
 *	        7  u8  0
 *	        8  u32 bytes stored
 *	       12  u32 bytes of the piece itself
 *	       16  16 bytes account
 *	       32  16 bytes body
 *	       48  u32 number of the piece in the body, from 0
 *	       52  zeros
 *	       60  u32 CRC-32C of bytes 0..59 and of the data
 *	       64  data
 *
 * What stands between two records (a write that failed) is passed over by
 * going on in steps of 8 to the next header whose CRC fits.
 */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "store/engine.h"

enum {
	RECORD_HEAD = 64,
	SEGMENT_HEAD = 64,
	RECORD_ALIGN = 8,
	SEGMENT_BYTES = 256 << 20,
};

enum record_codec { CODEC_RAW = 0, CODEC_ZSTD = 1 };

struct store_id {
	uint8_t b[16];
};

struct record {
	struct account_id account;
	struct body_id body;
	uint32_t piece, stored, raw; /* number; bytes */
	uint8_t codec;
};

/* Bytes that a record takes in its segment. */
static inline uint32_t record_room(uint32_t stored)
{
	return (RECORD_HEAD + stored + RECORD_ALIGN - 1) & ~(uint32_t)(RECORD_ALIGN - 1);
}

void record_encode(const struct record *r, struct span data, uint8_t head[RECORD_HEAD]);
/* What a head says; ERR_CORRUPT when it cannot be one. Its CRC is not looked at. */
enum err record_decode(const char head[RECORD_HEAD], struct record *ret);
/* `bytes`: head and data. ERR_CORRUPT when it is not exactly this record, unhurt. */
enum err record_check(const struct record *want, struct span bytes);

void segment_encode(struct store_id store, uint32_t segment, uint8_t head[SEGMENT_HEAD]);

#endif
