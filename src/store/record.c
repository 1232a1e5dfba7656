/* Format 1 of segment files: the heads. */
#include "store/record.h"

#include "store/crc32c.h"
#include "store/pack.h"

enum {
	RECORD_MAGIC = 0x4352534d, /* "MSRC" */
	VERSION = 1,
	CRC_AT = 60,
};

static const char segment_magic[8] = "MSTLSEG";

void record_encode(const struct record *r, struct span data, uint8_t head[RECORD_HEAD])
{
	memset(head, 0, RECORD_HEAD);
	pack_le32(head, RECORD_MAGIC);
	pack_le16(head + 4, VERSION);
	head[6] = r->codec;
	pack_le32(head + 8, r->stored);
	pack_le32(head + 12, r->raw);
	memcpy(head + 16, r->account.b, sizeof r->account.b);
	memcpy(head + 32, r->body.b, sizeof r->body.b);
	pack_le32(head + 48, r->piece);
	pack_le32(head + CRC_AT, crc32c(crc32c(0, span_of(head, CRC_AT)), data));
}

enum err record_decode(const char head[RECORD_HEAD], struct record *ret)
{
	struct record r = { .stored = unpack_le32(head + 8),
			    .raw = unpack_le32(head + 12),
			    .piece = unpack_le32(head + 48),
			    .codec = (uint8_t)head[6] };
	if (unpack_le32(head) != RECORD_MAGIC || r.stored > BODY_PIECE ||
	    r.raw > BODY_PIECE || r.codec > CODEC_ZSTD)
		return ERR_CORRUPT;
	memcpy(r.account.b, head + 16, sizeof r.account.b);
	memcpy(r.body.b, head + 32, sizeof r.body.b);
	*ret = r;
	return ERR_OK;
}

enum err record_check(const struct record *want, struct span bytes)
{
	uint8_t head[RECORD_HEAD];
	if (bytes.n != (size_t)RECORD_HEAD + want->stored)
		return ERR_CORRUPT;
	record_encode(want, span_sub(bytes, RECORD_HEAD, SIZE_MAX), head);
	return memcmp(head, bytes.p, RECORD_HEAD) == 0 ? ERR_OK : ERR_CORRUPT;
}

void segment_encode(struct store_id store, uint32_t segment, uint8_t head[SEGMENT_HEAD])
{
	memset(head, 0, SEGMENT_HEAD);
	memcpy(head, segment_magic, sizeof segment_magic);
	pack_le32(head + 8, VERSION);
	pack_le32(head + 12, segment);
	memcpy(head + 16, store.b, sizeof store.b);
	pack_le32(head + CRC_AT, crc32c(0, span_of(head, CRC_AT)));
}
