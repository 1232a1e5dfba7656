/*
 * Address lists (RFC 5322 section 3.4, obsolete forms of section 4.4): mailboxes,
 * groups, routes, comments. Nothing is refused: what is no address gives
 * the nearest thing, so that a reader still sees it.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/arena.h"

enum address_kind {
	ADDRESS_MAILBOX,
	ADDRESS_GROUP, /* start of a group: mailbox holds its name */
	ADDRESS_GROUP_END,
};

/* p == NULL means absent: NIL in an envelope. Quotes removed, words not decoded. */
struct address {
	enum address_kind kind;
	struct span name;    /* display name; or the comment behind a bare address */
	struct span route;   /* "@a,@b" (obs-route) */
	struct span mailbox; /* local part */
	struct span host;    /* domain; empty, not absent, when there is none */
};

struct address_list {
	struct address *v;
	size_t n, cap;
};

#define ADDRESS_MAX 100000 /* entries of one list; those behind are not read */

/* Appends the addresses of one field value to `list`; all memory from `a`. */
void address_parse(struct arena *a, struct span value, struct address_list *list);

#endif
