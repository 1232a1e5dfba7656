/* Where a body's pieces lie: the row. */
#include "store/body_row.h"

#include "store/pack.h"

enum { FORMAT = 1, HEAD = 13, PIECE = 17 };

void body_row_encode(uint64_t bytes, const struct piece *pieces, uint32_t n,
		     struct buf *out)
{
	size_t size = HEAD + (size_t)n * PIECE;
	char *to = buf_room(out, size), *p = to + HEAD;
	to[0] = FORMAT;
	pack_le64(to + 1, bytes);
	pack_le32(to + 9, n);
	for (uint32_t i = 0; i < n; i++, p += PIECE) {
		pack_le32(p, pieces[i].segment);
		pack_le32(p + 4, pieces[i].offset);
		pack_le32(p + 8, pieces[i].stored);
		pack_le32(p + 12, pieces[i].raw);
		p[16] = (char)pieces[i].codec;
	}
	buf_added(out, size);
}

struct piece body_row_piece(const struct body_row *r, uint32_t i)
{
	const char *p = r->pieces.p + (size_t)i * PIECE;
	return (struct piece){ unpack_le32(p), unpack_le32(p + 4), unpack_le32(p + 8),
			       unpack_le32(p + 12), (uint8_t)p[16] };
}

void body_row_move(char *row, uint32_t i, uint32_t segment, uint32_t offset)
{
	char *p = row + HEAD + (size_t)i * PIECE;
	pack_le32(p, segment);
	pack_le32(p + 4, offset);
}

enum err body_row_decode(struct span value, struct body_row *ret)
{
	if (value.n < HEAD || value.p[0] != FORMAT)
		return ERR_CORRUPT;
	struct body_row r = { .bytes = unpack_le64(value.p + 1),
			      .n = unpack_le32(value.p + 9) };
	r.pieces = span_sub(value, HEAD, SIZE_MAX);
	if (r.pieces.n != (size_t)r.n * PIECE)
		return ERR_CORRUPT;
	uint64_t sum = 0;
	for (uint32_t i = 0; i < r.n; i++) {
		uint32_t raw = body_row_piece(&r, i).raw;
		if (i + 1 < r.n ? raw != BODY_PIECE : raw == 0 || raw > BODY_PIECE)
			return ERR_CORRUPT;
		sum += raw;
	}
	if (sum != r.bytes)
		return ERR_CORRUPT;
	*ret = r;
	return ERR_OK;
}
