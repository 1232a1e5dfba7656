/*
 * Rows of an account: their keys and records (doc/store.md). All numbers are
 * big-endian, so that keys sort as numbers; each record has a version byte. A record
 * is checked when it is read, since a disk may be damaged: ERR_CORRUPT.
 *
 * The engine's own rows, where a body lies, are kept by it elsewhere.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "store/engine.h"

enum key_kind {
	KEY_ACCOUNT = 'a',  /* the account's header */
	KEY_PART = 'b',	    /* body: its own bytes, and whose follow (shared_body.h) */
	KEY_CHUNK = 'c',    /* mailbox, uid / 256: flags and modseqs */
	KEY_DROP = 'd',	    /* modseq, body: no row holds it, a view may still */
	KEY_SUMMARY = 'e',  /* body: its summary (mail/summary.h) */
	KEY_DIGEST = 'g',   /* mailbox, column, uid / 256: pieces of summaries (digest.h) */
	KEY_MAILBOX = 'h',  /* mailbox: its header */
	KEY_INFO = 'i',	    /* mailbox, uid / 32: what never changes */
	KEY_KEYWORDS = 'k', /* mailbox, uid / 256: keywords beyond the flags word */
	KEY_NAME = 'n',	    /* parent, name: an entry of the tree of names */
	KEY_ATTR_NOW = 'm', /* mailbox, kind, user, name: an attribute kept in memory */
	KEY_HOLDER = 'o',   /* shared body, account, body: who holds it (shared_body.h) */
	KEY_STAGED = 'p',   /* parts of a change that is not at its end (stage.h) */
	KEY_HOLDERS = 'r',  /* body: how many rows hold it, when more than one */
	KEY_ATTR = 't',	    /* the same, of the kinds that are read when asked for */
	KEY_UNHELD = 'u',   /* shared body: perhaps nobody holds it (shared_body.h) */
	KEY_VANISHED = 'v', /* mailbox, modseq: UIDs expunged then */
	KEY_WORDS = 'w',    /* body: the index of its text (mail/text_index.h) */
	KEY_DOOMED = 'x',   /* mailbox: deleted, its rows are being swept */
	KEY_GUARD = 'y',    /* shared body: may get more holders (shared_body.h) */
};

#define KEY_MAX 64 /* of all but names */

struct key {
	size_t n;
	uint8_t b[KEY_MAX];
};

static inline struct span key_span(const struct key *k)
{
	return span_of(k->b, k->n);
}

struct key key_account(void);
struct key key_of_mailbox(enum key_kind kind, uint32_t mailbox);
struct key key_in_mailbox(enum key_kind kind, uint32_t mailbox, uint32_t index);
struct key key_vanished(uint32_t mailbox, uint64_t modseq);
struct key key_body(enum key_kind kind, struct body_id body);
struct key key_digest(uint32_t mailbox, unsigned column, uint32_t chunk);
struct key key_drop(uint64_t modseq, struct body_id body);
struct span key_name(struct arena *a, uint32_t parent, struct span name);
/* The first key behind all that start with this one. */
struct key key_after(const struct key *prefix);
/* The first key behind all of one kind. */
struct key key_kind_end(enum key_kind kind);

/* The index (chunk, block) of a key made by key_in_mailbox; false: not well formed. */
bool key_index(struct span key, uint32_t *ret_index);
bool key_read_digest(struct span key, uint32_t *ret_mailbox, unsigned *ret_column,
		     uint32_t *ret_chunk);
bool key_read_name(struct span key, uint32_t *ret_parent, struct span *ret_name);
bool key_read_drop(struct span key, uint64_t *ret_modseq, struct body_id *ret_body);
bool key_read_vanished(struct span key, uint64_t *ret_modseq);
bool key_read_body(struct span key, struct body_id *ret_body);

/* Big-endian writing and checked reading of records. */
struct pen {
	uint8_t *p;
};
void pen_uint(struct pen *w, uint64_t v, unsigned bytes);
void pen_bytes(struct pen *w, const void *p, size_t n);

struct reader {
	const uint8_t *p, *end;
	bool bad; /* read behind the end: every later number is 0 */
};
struct reader reader_of(struct span s);
uint64_t read_uint(struct reader *r, unsigned bytes);
int64_t read_int48(struct reader *r);
void read_bytes(struct reader *r, void *to, size_t n);
struct span read_span(struct reader *r, size_t n);
/* All was there, and nothing is left. */
bool reader_ok(const struct reader *r);

struct account_header {
	uint64_t modseq;	   /* the one counter; also the account's version */
	uint32_t next_number;	   /* of mailboxes and of names; never used again */
	uint32_t last_uidvalidity; /* never given twice in the account */
	uint64_t bytes;		   /* of all messages in all mailboxes */
	uint64_t messages;
	uint64_t drops;	 /* rows KEY_DROP */
	uint32_t doomed; /* rows KEY_DOOMED */
	int64_t made;	 /* seconds since 1970 */
};
#define ACCOUNT_HEADER_BYTES 53
struct span account_header_write(const struct account_header *h,
				 uint8_t to[ACCOUNT_HEADER_BYTES]);
enum err account_header_read(struct span s, struct account_header *ret);

struct name_record {
	uint32_t node;	  /* its number as a parent */
	uint32_t mailbox; /* 0: a level or a subscription only */
	bool is_subscribed;
	unsigned special_use;
	uint8_t id[8]; /* MAILBOXID */
};
#define NAME_RECORD_BYTES 20
struct span name_record_write(const struct name_record *r, uint8_t to[NAME_RECORD_BYTES]);
enum err name_record_read(struct span s, struct name_record *ret);

#endif
