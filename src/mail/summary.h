/*
 * What is worth knowing of a message, found in one pass while it is appended and
 * kept beside it: byte ranges of every part, ENVELOPE, BODY and BODYSTRUCTURE
 * in wire form, the header fields that searches ask for, the sent date
 * (RFC 9051 section 7.5.2, RFC 2045, 2046, 5322).
 *
 * Line ends are CRLF or a bare LF; a bare CR is an ordinary byte. No message is
 * refused; malformed ones give something that is valid IMAP all the same.
 *
 * Bounds: SUMMARY_MAX_DEPTH and SUMMARY_MAX_PARTS, beyond which a multipart or
 * message is one opaque leaf; of a header block the first SUMMARY_HEADER_READ
 * bytes are parsed; strings in wire form stop at SUMMARY_WIRE_MAX (parameters
 * are then NIL). So a scan holds a few MiB at most, whatever the message.
 */
#ifndef MAIL_SUMMARY_H
#define MAIL_SUMMARY_H

#include "base/buf.h"
#include "base/err.h"
#include "mail/coding.h"

#define SUMMARY_MAX_DEPTH    100
#define SUMMARY_MAX_PARTS    10000
#define SUMMARY_MAX_BOUNDARY 250   /* bytes; RFC 2046 section 5.1.1 allows 70 */
#define SUMMARY_HEADER_KEPT  16384 /* a top header up to this is kept whole */
#define SUMMARY_COMMON_MAX   65536 /* else its common fields, up to this */
#define SUMMARY_HEADER_READ  1048576
#define SUMMARY_WIRE_MAX     1048576

struct summary_scanner;

struct summary_scanner *summary_scanner_new(void);
/* The next bytes of the message, cut anywhere. */
void summary_scanner_feed(struct summary_scanner *s, struct span bytes);
/*
 * Ends the message and appends its summary to `out`. The scanner is then as new and
 * may take another message.
 */
void summary_scanner_finish(struct summary_scanner *s, struct buf *out);
void summary_scanner_free(struct summary_scanner *s); /* NULL is fine */

enum part_kind {
	PART_LEAF,
	PART_MULTIPART, /* one child or more */
	PART_MESSAGE,	/* message/rfc822 or message/global: one child, its body */
};

#define SUMMARY_NO_PART UINT32_MAX

/*
 * One part. Part 0 is the message itself: its header is the message's header
 * and its body all the rest. The child of a PART_MESSAGE likewise is the message
 * inside. Lines are counted by their ends (LF) within the range.
 */
struct summary_part {
	enum part_kind kind;
	enum coding coding;
	uint32_t depth;	       /* 0 for part 0 */
	uint32_t parent;       /* SUMMARY_NO_PART for part 0 */
	uint32_t end;	       /* index behind the last part below this one */
	uint64_t header_start; /* byte offsets in the message */
	uint64_t body_start;   /* also the header's end, its empty line included */
	uint64_t body_end;
	uint32_t header_lines;
	uint64_t body_lines;
	struct span type, subtype; /* upper case; borrowed from the summary */
	struct span charset;	   /* as written; empty when not given */
};

enum summary_header {
	SUMMARY_HEADER_WHOLE,  /* `header` is the message's header block */
	SUMMARY_HEADER_COMMON, /* `header` has the common fields alone, complete */
	SUMMARY_HEADER_NONE,   /* read the header from the message */
};

/* An opened summary; borrows the bytes it was opened on. */
struct summary {
	uint64_t size;	       /* of the message: RFC822.SIZE */
	uint32_t n_parts;      /* at least 1 */
	bool has_date;	       /* the Date field could be read */
	int64_t sent_utc;      /* seconds since 1970 */
	int32_t sent_day;      /* days since 1970, as written in the field: SENTON */
	struct span envelope;  /* "(...)", ready to send */
	struct span body;      /* BODY, "(...)", of IMAP4rev2 */
	struct span structure; /* BODYSTRUCTURE, "(...)", of IMAP4rev2 */
	/*
	 * The same for a client that has not enabled IMAP4rev2 or UTF8=ACCEPT: differs
	 * where there is a message/global, whose envelope and body RFC 3501 section 9 has
	 * no place for.
	 */
	struct span body_rev1, structure_rev1;
	enum summary_header header_kind;
	struct span header;
	struct span parts; /* private: the packed parts and the names they use */
	struct span names;
};

/*
 * Opens a summary that may come from a damaged disk: everything in it is
 * checked here, so that nothing below can read outside of it, and the ranges
 * of the parts lie within each other and within `size`. The wire forms are not
 * parsed again. ERR_CORRUPT when it is not one, or not of this version.
 */
enum err summary_open(struct span blob, struct summary *ret_summary);
/* The same but for the parts: they are not checked, and not there. */
enum err summary_open_wire(struct span blob, struct summary *ret_summary);
/* Part `i` < n_parts, in the order of the message, parents first. */
void summary_part_get(const struct summary *s, uint32_t i, struct summary_part *ret_part);
/* The first part below `i`, or SUMMARY_NO_PART; the next one beside it likewise. */
uint32_t summary_part_child(const struct summary *s, uint32_t i);
uint32_t summary_part_next(const struct summary *s, uint32_t i);
/*
 * Whether `header` answers for every field of this name: all there are in
 * the message stand in it (maybe none).
 */
bool summary_header_covers(const struct summary *s, struct span name);

#endif
