/*
 * Sections: where BODY[1.2.HEADER] and its like lie in a message
 * (RFC 9051 section 6.4.5.1, RFC 3501 section 6.4.5).
 */
#ifndef MAIL_SECTION_H
#define MAIL_SECTION_H

#include "mail/summary.h"

enum section_text {
	SECTION_WHOLE, /* BODY[] or BODY[1.2] */
	SECTION_HEADER,
	SECTION_HEADER_FIELDS,	   /* range of the whole header: filter it */
	SECTION_HEADER_FIELDS_NOT, /* with header_filter() of mail/header.h */
	SECTION_TEXT,
	SECTION_MIME,
};

struct section_range {
	uint64_t start, bytes;
	uint32_t part; /* whose header or body it is; 0 and whole for BODY[] */
};

/*
 * Finds a section. `path`: the part numbers, from 1. ERR_NOENT when the
 * message has no such section: no such part, MIME without a number, HEADER or
 * TEXT of a part that is no message.
 */
enum err section_find(const struct summary *s, const uint32_t *path, size_t n_path,
		      enum section_text text, struct section_range *ret_range);

/*
 * The leaf that BINARY[path] decodes (RFC 9051 section 6.4.5): its index for
 * summary_part_get(). An empty path is the whole message (BINARY[]), which is
 * not decoded: SUMMARY_NO_PART. ERR_NOENT when there is no such part;
 * ERR_INVAL when it is a multipart or a message, which BINARY does not allow.
 */
enum err section_binary(const struct summary *s, const uint32_t *path, size_t n_path,
			uint32_t *ret_part);

/* The section number of a part, "1.2" ("" for a multipart at the top, part 0). */
void section_print(const struct summary *s, uint32_t part, struct buf *out);

#endif
