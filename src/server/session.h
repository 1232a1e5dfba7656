/*
 * A session: everything that belongs to a user, from login to UNAUTHENTICATE
 * or the end. It owns an arena; what is not memory is deferred on that arena
 * on the line after it was acquired. Ending the session forgets the user.
 */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

#include "base/arena.h"
#include "auth/auth.h"
#include "server/conn.h"
#include "store/store.h"

enum enabled { /* what ENABLE turned on (RFC 5161), or a command implied */
	       ENABLED_REV2 = 1,	/* IMAP4rev2 (RFC 9051 6.3.1) */
	       ENABLED_CONDSTORE = 2,	/* RFC 7162 */
	       CONDSTORE_IMPLIED = 4,	/* by STATUS (HIGHESTMODSEQ) and its like */
	       ENABLED_QRESYNC = 8,	/* RFC 7162 */
	       ENABLED_UIDONLY = 16,	/* RFC 9586 */
	       ENABLED_UTF8 = 32,	/* RFC 9755 */
	       ENABLED_METADATA = 64,	/* RFC 5464 */
	       ENABLED_METADATA_SERVER = 128,
	       ENABLED_MAX = 65536, /* the last bit */
};

/* Of the selected mailbox, what the client does not want told by itself (RFC 5465). */
enum unwanted { UNWANTED_MESSAGES = 1, /* new and expunged: its numbers stay as they are */
		UNWANTED_FLAGS = 2 };

struct session {
	struct conn *conn;
	struct arena *arena;
	unsigned state;		  /* IN_NOT_AUTH, IN_AUTH, IN_SELECTED */
	unsigned epoch;		  /* of the connection; 0 before a login */
	struct auth_identity who; /* authcid proved, authzid is acted for */
	const char *mechanism;	  /* static */
	bool may_unauthenticate;  /* the gate, decided at login (D10) */
	struct account *account;
	struct watch *watch;	   /* of the account */
	unsigned enabled;	   /* enum enabled */
	bool is_changed;	   /* the account, since `background` looked (command.h) */
	bool is_notified;	   /* NOTIFY SET is in force (notify.h) */
	unsigned unwanted;	   /* enum unwanted */
	struct selected *selected; /* selected.h; NULL unless IN_SELECTED */
	void **slots;		   /* one an extension, by index */
	uint64_t commands;
	uint64_t started_ms, bytes_in, bytes_out; /* at the start of the epoch */
};

/* A session in not authenticated state: the only constructor. */
struct session *session_new(struct conn *c);
/* Ends it; the audit line of its epoch is written (D17). NULL is fine. */
void session_end(struct session *s);
/*
 * After a successful login: identity, account (its reference is taken), watch.
 * False when all slots of the account are taken (the reference is taken all the same).
 */
bool session_login(struct session *s, const struct auth_identity *who,
		   const char *mechanism, struct account *account);
/* State of an extension in this session, zeroed at first use. */
struct extension;
void *session_slot(struct session *s, const struct extension *ext);
/* The same, NULL when it was not used yet. */
void *session_slot_if(const struct session *s, const struct extension *ext);
bool session_is_rev2(const struct session *s);
/* CONDSTORE-aware: FETCH responses carry MODSEQ and UID (RFC 7162 sections 3.1, 3.2.4). */
bool session_condstore(const struct session *s);
/* What went is told as VANISHED, not EXPUNGE (RFC 7162 section 3.2.10, RFC 9586). */
bool session_vanished(const struct session *s);
/* No message number in either direction (RFC 9586). */
bool session_is_uidonly(const struct session *s);
/* UTF-8 in names and quoted strings, both ways: IMAP4rev2 or UTF8=ACCEPT is enabled. */
bool session_is_utf8(const struct session *s);

#endif
