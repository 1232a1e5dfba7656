/*
 * IMAP URLs of messages and their parts (RFC 5092; URLAUTH of RFC 4467; PARTIAL of RFC
 * 5550): absolute ones, and those relative to the user's server or a mailbox.
 *
 *	imap://joe@example.com/INBOX/;UID=20/;SECTION=1.2;URLAUTH=submit+fred:INTERNAL:91354a
 *	/Drafts;UIDVALIDITY=7/;UID=20/;PARTIAL=0.1024
 *	;UID=20
 */
#ifndef WIRE_URL_H
#define WIRE_URL_H

#include "base/arena.h"
#include "wire/fetch.h"

#define WIRE_URL_MAX 8192 /* longer ones are none */

enum url_access { URL_NO_ACCESS, URL_SUBMIT, URL_USER, URL_AUTHUSER, URL_ANONYMOUS };

struct wire_url {
	bool is_absolute; /* imap://... */
	struct span user; /* decoded; p NULL: none */
	struct span host; /* as written, with its port */
	/* Decoded, UTF-8; p NULL: none, the selected mailbox. Relative to the selected one
	 * when the URL has no "/" before it. */
	struct span mailbox;
	bool is_rooted;
	uint32_t uidvalidity; /* 0: none */
	uint32_t uid;	      /* 0: not a URL of a message */
	struct fetch_section section;
	bool has_partial;
	uint64_t offset, bytes; /* bytes 0: to the end */
	bool has_expire;
	int64_t expire; /* seconds since 1970 */
	enum url_access access;
	struct span access_user; /* decoded: of submit+ and user+ */
	struct span rump;	 /* all up to the end of the access identifier, as written */
	struct span mechanism, token; /* behind it; p NULL: none */
};

/*
 * False: not an IMAP URL, or one of a server, of a list of mailboxes, of a mailbox or of
 * search results. Everything lives in `a` or in `text`.
 */
bool wire_url_parse(struct arena *a, struct span text, struct wire_url *ret);

#endif
