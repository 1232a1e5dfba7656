/*
 * The deflate layer (COMPRESS=DEFLATE, RFC 4978; RFC 1951), over zlib.
 *
 * No RFC says where a deflate stream ends that is taken off. Inbound we inflate block by
 * block, and once the layer is finishing (net_layer_pop()) until it stands at the end of
 * the stream, or at a byte-aligned end of a block; an empty block that comes next is
 * still of the stream, and what is behind it is not. Exact for what ends with a sync
 * flush, a full flush or a finish; Z_PARTIAL_FLUSH has no exact end. Outbound each batch
 * ends with a sync flush, so the stream can end anywhere between two.
 */
#include "net/deflate.h"
#include "net/layer.h"

#include <limits.h>
#include <zlib.h>

#include "base/arena.h"

enum {
	INFLATE_WINDOW = -15, /* raw, and whatever window the peer uses */
	DEFLATE_WINDOW = -12, /* 4 KiB: 38 KB a connection, and nearly the same ratio */
	DEFLATE_MEMORY = 5,
	PIECE = 16384,	 /* handed up, or compressed, at once */
	PENDING = 16384, /* more than zlib holds back */
	BLOCK_END = 128,
	LAST_BLOCK = 64,
	UNUSED_BITS = 7, /* of z_stream.data_type */
};

struct deflate_layer {
	struct net_layer layer;
	z_stream in, out;
	bool has_ended; /* the peer has finished the stream */
};

static struct deflate_layer *of(struct net_layer *l)
{
	return (struct deflate_layer *)(void *)l;
}

/* What zlib holds is a user's mail: wiped when it is freed. */
struct block {
	_Alignas(16) size_t n;
};

static void *block_new(void *opaque, unsigned items, unsigned size)
{
	size_t n = sizeof(struct block) + (size_t)items * size;
	struct block *b = xcalloc(1, n);

	b->n = n;
	return b + 1;
}

static void block_free(void *opaque, void *at)
{
	struct block *b = at;

	if (b)
		xfree_secret(b - 1, b[-1].n);
}

/* --- inbound --------------------------------------------------------------- */

/*
 * Inflates to the next end of a block, of the input or of the room. Z_BUF_ERROR: it needs
 * more input.
 */
static int inflate_some(struct deflate_layer *d, struct buf *from, char *room,
			size_t most, size_t *ret_n)
{
	size_t n = from->n < UINT_MAX ? from->n : UINT_MAX;
	int rc;

	d->in.next_in = (Bytef *)(from->n ? from->p + from->off : NULL);
	d->in.avail_in = (uInt)n;
	d->in.next_out = (Bytef *)room;
	d->in.avail_out = (uInt)most;
	rc = inflate(&d->in, Z_BLOCK);
	buf_take(from, n - d->in.avail_in);
	*ret_n = most - d->in.avail_out;
	if (rc == Z_STREAM_END)
		d->has_ended = true;
	else if (rc != Z_OK && rc != Z_BUF_ERROR)
		net_layer_fail(&d->layer, ERR_INVAL, "deflate: %s",
			       d->in.msg ? d->in.msg : "the stream is broken");
	return rc;
}

enum next { NEXT_UNKNOWN, NEXT_OTHER, NEXT_EMPTY_BLOCK };

/*
 * What comes at a byte-aligned end of a block: an empty stored block (a flush), an empty
 * last one (a finish behind a flush), what a partial flush puts in front of these, or
 * other bytes. No tag begins with a control character (RFC 9051 section 9), so plain
 * commands are never taken for one.
 */
static enum next what_is_next(struct span s)
{
	static const struct span empty[] = {
		SPAN_INIT("\x00\x00\x00\xff\xff"), SPAN_INIT("\x01\x00\x00\xff\xff"),
		SPAN_INIT("\x03\x00"),
		SPAN_INIT(
		    "\x02"), /* fixed codes; the end of the block ends in the next byte */
	};

	for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
		if (span_starts(s, empty[i]))
			return NEXT_EMPTY_BLOCK;
		if (span_starts(empty[i], s))
			return NEXT_UNKNOWN;
	}
	return NEXT_OTHER;
}

static bool is_at_aligned_end(const struct deflate_layer *d)
{
	return (d->in.data_type & BLOCK_END) && !(d->in.data_type & LAST_BLOCK) &&
	       !(d->in.data_type & UNUSED_BITS);
}

/* What the owner wanted of this stream has been handed up: looks for its end. */
static enum net_unit decode_end(struct deflate_layer *d, struct buf *from)
{
	while (!d->has_ended) {
		char over;
		size_t n;
		int rc;

		if (is_at_aligned_end(d)) {
			enum next next = what_is_next(buf_span(from));

			if (next != NEXT_EMPTY_BLOCK)
				return next == NEXT_OTHER ? NET_END : NET_MORE;
		}
		rc = inflate_some(d, from, &over, 1, &n);
		if (n) {
			net_layer_fail(&d->layer, ERR_INVAL,
				       "deflate: bytes behind the end of compression");
			return NET_FAIL;
		}
		if (rc == Z_BUF_ERROR)
			return NET_MORE;
		if (rc != Z_OK && rc != Z_STREAM_END)
			return NET_FAIL;
	}
	return NET_END;
}

static enum net_unit decode(struct net_layer *l, struct buf *from, struct buf *to)
{
	struct deflate_layer *d = of(l);
	size_t n;
	int rc;

	if (l->is_finishing)
		return decode_end(d, from);
	if (d->has_ended && from->n) {
		net_layer_fail(l, ERR_INVAL,
			       "deflate: bytes behind the end of the stream");
		return NET_FAIL;
	}
	if (d->has_ended)
		return NET_MORE;
	rc = inflate_some(d, from, buf_room(to, PIECE), PIECE, &n);
	buf_added(to, n);
	if (rc == Z_BUF_ERROR)
		return NET_MORE;
	return rc == Z_OK || rc == Z_STREAM_END ? NET_UNIT : NET_FAIL;
}

/* --- outbound -------------------------------------------------------------- */

/*
 * The room is more than a piece and what zlib held back can take, so that a flush is done
 * in one call and not marked twice (zlib.h, deflate()).
 */
static bool deflate_piece(struct deflate_layer *d, struct buf *from, size_t n, int flush,
			  struct buf *to)
{
	size_t room = deflateBound(&d->out, (uLong)n) + PENDING;
	int rc;

	d->out.next_in = (Bytef *)(from->p + from->off);
	d->out.avail_in = (uInt)n;
	d->out.next_out = (Bytef *)buf_room(to, room);
	d->out.avail_out = (uInt)room;
	rc = deflate(&d->out, flush);
	buf_added(to, room - d->out.avail_out);
	buf_take(from, n - d->out.avail_in);
	return rc == Z_OK && d->out.avail_in == 0 && d->out.avail_out > 0;
}

static enum err encode(struct net_layer *l, struct buf *from, struct buf *to)
{
	while (from->n) {
		bool is_last = from->n <= PIECE;

		if (!deflate_piece(of(l), from, is_last ? from->n : PIECE,
				   is_last ? Z_SYNC_FLUSH : Z_NO_FLUSH, to))
			return net_layer_fail(l, ERR_IO, "deflate: zlib failed");
	}
	return ERR_OK;
}

/* What was encoded last ended with a sync flush. */
static enum err finish(struct net_layer *l, struct buf *to)
{
	return ERR_OK;
}

static void deflate_free(struct net_layer *l)
{
	struct deflate_layer *d = of(l);

	inflateEnd(&d->in);
	deflateEnd(&d->out);
	xfree_secret(d, sizeof *d);
}

static const struct net_layer_ops deflate_ops = {
	.name = "deflate",
	.decode = decode,
	.encode = encode,
	.finish = finish,
	.free = deflate_free,
};

struct net_layer *net_deflate_new(int level)
{
	struct deflate_layer *d = xcalloc(1, sizeof *d);

	d->layer.ops = &deflate_ops;
	d->in.zalloc = d->out.zalloc = block_new;
	d->in.zfree = d->out.zfree = block_free;
	if (inflateInit2(&d->in, INFLATE_WINDOW) == Z_OK &&
	    deflateInit2(&d->out, level, Z_DEFLATED, DEFLATE_WINDOW, DEFLATE_MEMORY,
			 Z_DEFAULT_STRATEGY) == Z_OK) {
		d->in.data_type = BLOCK_END;
		return &d->layer;
	}
	deflate_free(&d->layer);
	return NULL;
}
