/*
 * The packed summary. Version 1, little-endian:
 *
 *   0  u32 magic "MSM1"   4  u32 bytes in all      8  u64 bytes of the message
 *  16  i64 sent, UTC     24  i32 sent, day        28  u32 flags
 *  32  u32 parts         36  u32 bytes of names   40  u32 bytes of ENVELOPE
 *  44  u32 of BODY       48  u32 of BODYSTRUCTURE 52  u32 of the header
 *  56  u32 of BODY       60  u32 of BODYSTRUCTURE, both for IMAP4rev1; 0: the same
 *
 * then the parts (PART_BYTES each), names, ENVELOPE, BODY, BODYSTRUCTURE, header, BODY
 * and BODYSTRUCTURE for IMAP4rev1.
 */
#include "mail/summary.h"

#include <assert.h>

#include "mail/scan.h"

#define MAGIC		  0x314d534du
#define HEAD_BYTES	  64
#define PART_BYTES	  56
#define FLAG_DATE	  1u
#define FLAG_HEADER_SHIFT 8
#define FLAGS_KNOWN	  0x301u

static void put32(struct buf *out, uint32_t v)
{
	char b[4];

	for (int i = 0; i < 4; i++)
		b[i] = (char)(v >> (8 * i));
	buf_put(out, span_of(b, 4));
}

static void put64(struct buf *out, uint64_t v)
{
	put32(out, (uint32_t)v);
	put32(out, (uint32_t)(v >> 32));
}

static uint32_t get32(const char *p)
{
	uint32_t v = 0;

	for (int i = 4; i-- > 0;)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

static uint64_t get64(const char *p)
{
	return (uint64_t)get32(p + 4) << 32 | get32(p);
}

static void put_part(struct buf *out, const struct scan_part *p)
{
	const uint64_t most = UINT32_MAX;

	assert(p->subtype.off == p->type.off + p->type.n);
	assert(p->charset.off == p->subtype.off + p->subtype.n);

	put64(out, p->header_start);
	put64(out, p->body_start);
	put64(out, p->body_end);
	put64(out, p->body_lines);
	put32(out, (uint32_t)(p->header_lines < most ? p->header_lines : most));
	put32(out, p->end);
	put32(out, p->parent);
	put32(out, p->type.off);
	/* subtype and charset lie behind type */
	buf_putc(out, (char)p->type.n);
	buf_putc(out, (char)p->subtype.n);
	buf_putc(out, (char)p->charset.n);
	buf_putc(out, (char)p->depth);
	put32(out, (uint32_t)p->kind | (uint32_t)p->coding << 8);
}

void summary_pack(const struct scan *s, struct buf *out)
{
	struct buf body = { 0 }, structure = { 0 }, body_rev1 = { 0 },
		   structure_rev1 = { 0 };
	struct span envelope = stretch_span(s->envelope, &s->wire);
	size_t n;

	if (envelope.n == 0)
		envelope = SPAN("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
	structure_put(s, 0, (struct structure_form){ false, false }, &body);
	structure_put(s, 0, (struct structure_form){ true, false }, &structure);
	if (structure_has_global(s)) {
		structure_put(s, 0, (struct structure_form){ false, true }, &body_rev1);
		structure_put(s, 0, (struct structure_form){ true, true },
			      &structure_rev1);
	}
	n = HEAD_BYTES + s->n_parts * (size_t)PART_BYTES + s->names.n + envelope.n +
	    body.n + structure.n + s->header.n + body_rev1.n + structure_rev1.n;
	put32(out, MAGIC);
	put32(out, (uint32_t)n);
	put64(out, s->size);
	put64(out, s->has_date ? (uint64_t)s->date.utc : 0);
	put32(out, s->has_date ? (uint32_t)s->date.day : 0);
	put32(out, (s->has_date ? FLAG_DATE : 0) | (uint32_t)s->header_kind
						       << FLAG_HEADER_SHIFT);
	put32(out, s->n_parts);
	put32(out, (uint32_t)s->names.n);
	put32(out, (uint32_t)envelope.n);
	put32(out, (uint32_t)body.n);
	put32(out, (uint32_t)structure.n);
	put32(out, (uint32_t)s->header.n);
	put32(out, (uint32_t)body_rev1.n);
	put32(out, (uint32_t)structure_rev1.n);
	for (uint32_t i = 0; i < s->n_parts; i++)
		put_part(out, &s->parts[i]);
	buf_put(out, buf_span(&s->names));
	buf_put(out, envelope);
	buf_put(out, buf_span(&body));
	buf_put(out, buf_span(&structure));
	buf_put(out, buf_span(&s->header));
	buf_put(out, buf_span(&body_rev1));
	buf_put(out, buf_span(&structure_rev1));
	buf_done(&body);
	buf_done(&structure);
	buf_done(&body_rev1);
	buf_done(&structure_rev1);
}

void summary_part_get(const struct summary *s, uint32_t i, struct summary_part *ret_part)
{
	const char *p = s->parts.p + (size_t)i * PART_BYTES;
	size_t name = get32(p + 44);
	size_t n_type = (unsigned char)p[48], n_subtype = (unsigned char)p[49];

	*ret_part = (struct summary_part){
		.header_start = get64(p),
		.body_start = get64(p + 8),
		.body_end = get64(p + 16),
		.body_lines = get64(p + 24),
		.header_lines = get32(p + 32),
		.end = get32(p + 36),
		.parent = get32(p + 40),
		.type = span_sub(s->names, name, n_type),
		.subtype = span_sub(s->names, name + n_type, n_subtype),
		.charset = span_sub(s->names, name + n_type + n_subtype,
				    (unsigned char)p[50]),
		.depth = (unsigned char)p[51],
		.kind = (enum part_kind)(unsigned char)p[52],
		.coding = (enum coding)(unsigned char)p[53],
	};
}

uint32_t summary_part_child(const struct summary *s, uint32_t i)
{
	struct summary_part p;

	summary_part_get(s, i, &p);
	return p.end > i + 1 ? i + 1 : SUMMARY_NO_PART;
}

uint32_t summary_part_next(const struct summary *s, uint32_t i)
{
	struct summary_part p, parent;

	summary_part_get(s, i, &p);
	if (p.parent == SUMMARY_NO_PART)
		return SUMMARY_NO_PART;
	summary_part_get(s, p.parent, &parent);
	return p.end < parent.end ? p.end : SUMMARY_NO_PART;
}

/* Takes `n` bytes off the front of `rest`. */
static bool take(struct span *rest, uint64_t n, struct span *ret)
{
	if (n > rest->n)
		return false;
	*ret = span_sub(*rest, 0, (size_t)n);
	*rest = span_sub(*rest, (size_t)n, rest->n);
	return true;
}

/* What is to hold of a part by itself. */
static bool is_sound(const struct summary *s, uint32_t i, const struct summary_part *p)
{
	const char *raw = s->parts.p + (size_t)i * PART_BYTES;
	uint64_t names = (uint64_t)(unsigned char)raw[48] + (unsigned char)raw[49] +
			 (unsigned char)raw[50];

	if ((unsigned char)raw[52] > PART_MESSAGE ||
	    (unsigned char)raw[53] > CODING_UNKNOWN)
		return false;
	if (raw[54] || raw[55] || (uint64_t)get32(raw + 44) + names > s->names.n)
		return false;
	if (p->header_start > p->body_start || p->body_start > p->body_end ||
	    p->body_end > s->size)
		return false;
	if (p->body_lines > p->body_end - p->body_start ||
	    p->header_lines > p->body_start - p->header_start)
		return false;
	if (p->end <= i || p->end > s->n_parts)
		return false;
	return (p->kind == PART_LEAF) == (p->end == i + 1);
}

/* A part and the one it says it is in; `up` are the parts around it, by depth. */
static bool fits(const struct summary *s, uint32_t i, const struct summary_part *p,
		 const struct summary_part *up, const uint32_t *up_index)
{
	const struct summary_part *parent;

	if (i == 0)
		return p->depth == 0 && p->parent == SUMMARY_NO_PART &&
		       p->end == s->n_parts && p->header_start == 0 &&
		       p->body_end == s->size;
	if (p->depth == 0 || p->depth > SUMMARY_MAX_DEPTH)
		return false;
	parent = &up[p->depth - 1];
	if (up_index[p->depth - 1] != p->parent || p->parent >= i || i >= parent->end)
		return false;
	if (p->end > parent->end || p->header_start < parent->body_start ||
	    p->body_end > parent->body_end)
		return false;
	if (parent->kind == PART_LEAF)
		return false;
	return parent->kind != PART_MESSAGE ||
	       (i == p->parent + 1 && p->end == parent->end);
}

/*
 * The parts come parents first, so one array of the parts that are open, by depth,
 * is enough to check that ends, parents and ranges make a tree.
 */
static bool parts_are_sound(const struct summary *s)
{
	struct summary_part up[SUMMARY_MAX_DEPTH + 1];
	uint32_t up_index[SUMMARY_MAX_DEPTH + 1];
	uint32_t last_depth = 0;

	for (uint32_t i = 0; i < s->n_parts; i++) {
		struct summary_part p;

		summary_part_get(s, i, &p);
		if (i > 0 && p.depth > last_depth + 1)
			return false;
		if (!is_sound(s, i, &p) || !fits(s, i, &p, up, up_index))
			return false;
		/* what is deeper, or as deep, has ended here */
		for (uint32_t d = p.depth; i > 0 && d <= last_depth; d++) {
			if (up[d].end > i)
				return false;
		}
		up[p.depth] = p;
		up_index[p.depth] = i;
		last_depth = p.depth;
	}
	return true;
}

static enum err open_all(struct span blob, bool with_parts, struct summary *ret_summary)
{
	struct summary s = { 0 };
	struct span rest = span_sub(blob, HEAD_BYTES, blob.n);
	const char *p = blob.p;
	uint32_t flags;

	if (blob.n < HEAD_BYTES || get32(p) != MAGIC || get32(p + 4) != blob.n)
		return ERR_CORRUPT;
	flags = get32(p + 28);
	s.size = get64(p + 8);
	s.sent_utc = (int64_t)get64(p + 16);
	s.sent_day = (int32_t)get32(p + 24);
	s.has_date = flags & FLAG_DATE;
	s.n_parts = get32(p + 32);
	if (flags & ~FLAGS_KNOWN || flags >> FLAG_HEADER_SHIFT > SUMMARY_HEADER_NONE)
		return ERR_CORRUPT;
	s.header_kind = (enum summary_header)(flags >> FLAG_HEADER_SHIFT);
	if (s.n_parts == 0 || s.n_parts > SUMMARY_MAX_PARTS ||
	    !take(&rest, s.n_parts * (uint64_t)PART_BYTES, &s.parts) ||
	    !take(&rest, get32(p + 36), &s.names) ||
	    !take(&rest, get32(p + 40), &s.envelope) ||
	    !take(&rest, get32(p + 44), &s.body) ||
	    !take(&rest, get32(p + 48), &s.structure) ||
	    !take(&rest, get32(p + 52), &s.header) ||
	    !take(&rest, get32(p + 56), &s.body_rev1) ||
	    !take(&rest, get32(p + 60), &s.structure_rev1) || rest.n > 0)
		return ERR_CORRUPT;
	if (with_parts && !parts_are_sound(&s))
		return ERR_CORRUPT;
	if (s.body_rev1.n == 0)
		s.body_rev1 = s.body;
	if (s.structure_rev1.n == 0)
		s.structure_rev1 = s.structure;
	if (!with_parts) {
		s.n_parts = 0;
		s.parts = s.names = SPAN_NONE;
	}
	*ret_summary = s;
	return ERR_OK;
}

enum err summary_open(struct span blob, struct summary *ret_summary)
{
	return open_all(blob, true, ret_summary);
}

enum err summary_open_wire(struct span blob, struct summary *ret_summary)
{
	return open_all(blob, false, ret_summary);
}
