/* NOTIFY (RFC 5465 section 8): what a client wants to be told by itself. */
#ifndef WIRE_NOTIFY_H
#define WIRE_NOTIFY_H

#include "wire/fetch.h"

enum notify_event {
	NOTIFY_MESSAGE_NEW = 1,
	NOTIFY_MESSAGE_EXPUNGE = 2,
	NOTIFY_FLAG_CHANGE = 4,
	NOTIFY_ANNOTATION_CHANGE = 8,
	NOTIFY_MAILBOX_NAME = 16,
	NOTIFY_SUBSCRIPTION_CHANGE = 32,
	NOTIFY_MAILBOX_METADATA_CHANGE = 64,
	NOTIFY_SERVER_METADATA_CHANGE = 128,
	NOTIFY_OTHER = 256, /* an event of no known name */
};
#define NOTIFY_MESSAGE_EVENTS 15u

enum notify_filter {
	NOTIFY_SELECTED,
	NOTIFY_SELECTED_DELAYED,
	NOTIFY_INBOXES,
	NOTIFY_PERSONAL,
	NOTIFY_SUBSCRIBED,
	NOTIFY_SUBTREE,
	NOTIFY_MAILBOXES,
	NOTIFY_SUBTREE_ONE, /* of ESEARCH alone (RFC 7377 section 2.2) */
};

/* A choice of mailboxes: "SUBTREE (a b)", "PERSONAL" (section 8, filter-mailboxes). */
struct mailbox_filter {
	enum notify_filter filter;
	struct span *names; /* UTF-8: of SUBTREE, SUBTREE_ONE and MAILBOXES */
	size_t n_names;
};

struct notify_group {
	struct mailbox_filter of;
	unsigned events;	 /* enum notify_event; 0: NONE */
	struct fetch_args fetch; /* of MessageNew; n_items 0: none */
};

struct notify_args {
	bool is_none; /* NOTIFY NONE */
	bool has_status;
	struct notify_group *groups;
	size_t n_groups;
};

/*
 * Behind "NOTIFY", from the SP on, without the CRLF. What section 5 and 6 forbid is bad:
 * message events by halves, other events or two groups of the selected mailbox, FETCH
 * items of another than that. `fetch_allowed`: enum fetch_kind.
 */
bool cursor_notify_args(struct cursor *c, unsigned fetch_allowed,
			struct notify_args *ret_args);
/* From the SP on; unknown events are left out. */
void emit_notify_args(struct buf *out, struct emit_mode m, const struct notify_args *a);
/* "MessageNew MessageExpunge": the names of these, for BADEVENT. */
void emit_notify_events(struct buf *out, unsigned events);

/* Where ESEARCH looks (RFC 7377 section 2.2); none: in the selected mailbox. */
struct search_sources {
	struct mailbox_filter *v;
	size_t n;
};
/* "IN (...)"; false, and no error, when it is not next. */
bool cursor_search_sources(struct cursor *c, struct search_sources *ret_sources);
void emit_search_sources(struct buf *out, struct emit_mode m,
			 const struct search_sources *s);

#endif
