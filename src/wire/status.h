/* STATUS items (RFC 9051 sections 6.3.11 and 7.3.4; RFC 3501, 7162, 8438, 8474, 7889,
 * 9208). */
#ifndef WIRE_STATUS_H
#define WIRE_STATUS_H

#include "wire/cursor.h"
#include "wire/emit.h"

enum status_item {
	STATUS_MESSAGES = 1,
	STATUS_UIDNEXT = 2,
	STATUS_UIDVALIDITY = 4,
	STATUS_UNSEEN = 8,
	STATUS_DELETED = 16,
	STATUS_SIZE = 32,
	STATUS_RECENT = 64,	       /* IMAP4rev1 */
	STATUS_HIGHESTMODSEQ = 128,    /* RFC 7162 */
	STATUS_MAILBOXID = 256,	       /* RFC 8474 */
	STATUS_APPENDLIMIT = 512,      /* RFC 7889 */
	STATUS_DELETED_STORAGE = 1024, /* RFC 9208 */
};

/* What a server without extensions answers. */
#define STATUS_BASE 127u

struct status_values {
	unsigned items; /* enum status_item: which of these are there */
	uint32_t messages, uidnext, uidvalidity, unseen, deleted, recent;
	uint64_t size, highestmodseq, appendlimit, deleted_storage;
	bool appendlimit_nil;
	struct span mailboxid;
};

/*
 * "(" status-att *(SP status-att) ")". Items outside `allowed` are bad, with a sentence
 * that says so. Returns the items; 0 when bad.
 */
unsigned cursor_status_items(struct cursor *c, unsigned allowed);
void emit_status_items(struct buf *out, unsigned items);

/* "(" [status-att-list] ")" of a response; values of unknown items are skipped. */
bool cursor_status_values(struct cursor *c, struct status_values *ret_values);
/* "* STATUS name (MESSAGES 3 ...)" CRLF. */
void emit_status_response(struct buf *out, struct emit_mode m, struct span utf8_name,
			  const struct status_values *v);

#endif
