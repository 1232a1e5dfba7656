/*
 * Accounts, mailboxes, messages, as the server sees them.
 *
 * An account is one user's tree of mailboxes. A mailbox is a sequence of
 * immutable versions (view.h); a command asks for a change, and what a client
 * is told is the difference of two views. Every call that may touch a disk
 * starts an op (base/task.h) and completes on the loop it was called from.
 * Calls named *_now answer at once from memory, only with what is durable.
 *
 * Names of mailboxes are UTF-8 (NFC not enforced), "/" separates levels,
 * "INBOX" in any ASCII case is INBOX. The wire's encodings are the server's.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/numset.h"
#include "mail/summary.h"
#include "mail/text_index.h"
#include "store/engine.h"
#include "store/view.h"

struct store;
struct account; /* refcounted handle, shared by all sessions of the account */
struct mailbox; /* refcounted handle on an open mailbox */

enum err store_open(const struct engine_config *c, struct store **ret, struct buf *ret_why);
void store_close(struct store *s);

/* How an op is started: where it completes, for whom (base/task.h). `owner` is never NULL:
 * that would be an orphan. */
struct op_to {
	struct executor *home;
	void (*done)(struct op *, void *owner);
	void *owner;
};

/* ---- accounts ---- */

/* The account of that store name, made (with INBOX) if absent and `create`. */
struct op *store_account_open(struct store *s, struct span name, bool create, struct op_to to);
/* In done: the handle, with one reference that becomes the caller's. */
struct account *op_account(struct op *op);
/* The same at once when the account is in memory, as it is for a while after its last
 * session. NULL: store_account_open() knows. */
struct account *store_account_now(struct store *s, struct span name);
struct account *account_ref(struct account *a);
void account_unref(struct account *a);

/*
 * A watch: `changed(arg)` runs on `home` after a newer version of the account
 * became durable; coalesced (one call may stand for many versions).
 */
struct watch;
struct watch *account_watch(struct account *a, struct executor *home,
			    void (*changed)(void *arg), void *arg);
/* On the home loop; after it returns `changed` is not called again. */
void watch_close(struct watch *w);

/* ---- the tree of names ---- */

enum name_flag {
	NAME_SUBSCRIBED = 1, /* may be set on a name without mailbox */
	NAME_EXISTS = 2,     /* a mailbox; without it a \NonExistent level or subscription only */
	NAME_CHILDREN = 4,   /* an existing mailbox lies below */
};
/* Special uses, RFC 6154 and 8457, as bits. */
enum special_use {
	USE_ALL = 1, USE_ARCHIVE = 2, USE_DRAFTS = 4, USE_FLAGGED = 8,
	USE_JUNK = 16, USE_SENT = 32, USE_TRASH = 64, USE_IMPORTANT = 128,
};
struct name {
	struct span path;     /* full name, UTF-8 */
	uint32_t mailbox;     /* number in the account; 0 without NAME_EXISTS */
	unsigned flags;       /* enum name_flag */
	unsigned special_use; /* enum special_use */
	uint8_t mailbox_id[8];/* stable id (RFC 8474 MAILBOXID), survives RENAME */
	uint32_t node;        /* the store's */
};
/* Immutable, sorted so that parents stand before children (byte order with
 * "/" lowest). INBOX is always there. */
struct names {
	size_t n;
	const struct name *const *at; /* successive snapshots share what did not change */
};
const struct names *account_names_now(struct account *a); /* a reference: names_unref */
void names_unref(const struct names *n);
const struct name *names_find(const struct names *n, struct span path); /* NULL */

/* All: ERR_EXISTS, ERR_NOENT, ERR_INVAL (bad name), ERR_LIMIT (depth, length, number), as fits. */
/* CREATE: missing superior levels are made too (RFC 9051 6.3.4). ERR_CONFLICT: special use taken. */
struct op *mailbox_create(struct account *a, struct span path, unsigned special_use, struct op_to to);
/* DELETE: ERR_BUSY when it has children (then the mailbox stays, RFC 9051 6.3.5: NO [HASCHILDREN]
 * is the caller's) ; ERR_DENIED for INBOX. A \NonExistent level is removed with its last child. */
struct op *mailbox_delete(struct account *a, struct span path, struct op_to to);
/* RENAME with all below; INBOX: its messages move to the new mailbox (RFC 9051 6.3.6). ERR_INVAL:
 * to a name below itself. Levels above are made; subscriptions stay with the old names. */
struct op *mailbox_rename(struct account *a, struct span from, struct span to_path, struct op_to to);
struct op *mailbox_subscribe(struct account *a, struct span path, bool on, struct op_to to);
/* In done of mailbox_create: the MAILBOXID. */
const uint8_t *op_mailbox_id(struct op *op);

/* ---- STATUS ---- */

struct mailbox_status {
	uint32_t mailbox;
	bool exists;          /* false: no such mailbox; the rest is zero */
	uint32_t messages, uidnext, uidvalidity, unseen, deleted, recent;
	uint64_t bytes;       /* sum of RFC822.SIZE */
	uint64_t deleted_bytes; /* of those with \Deleted; 0 unless asked for */
	uint64_t highestmodseq;
};
/* mailbox_status() and deleted_bytes, which may take reading the mailbox. */
struct op *mailbox_status_deleted(struct account *a, const uint32_t *mailboxes, size_t n,
				  struct op_to to);
/* By numbers in the account (struct name). In done: op_status gives n results in order. */
struct op *mailbox_status(struct account *a, const uint32_t *mailboxes, size_t n, struct op_to to);
/* As a user sees it (mailbox_open_as); `with_deleted`: deleted_bytes too. */
struct op *mailbox_status_as(struct account *a, const uint32_t *mailboxes, size_t n,
			     struct span user, bool with_deleted, struct op_to to);
const struct mailbox_status *op_status(struct op *op, size_t *ret_n);

/* ---- an open mailbox ---- */

/* In done: op_mailbox, a handle with one reference; mailbox_view_now is ready. */
struct op *mailbox_open(struct account *a, struct span path, struct op_to to);
struct mailbox *op_mailbox(struct op *op);
/* The same at once when the mailbox is open, or was not long ago; a reference. NULL:
 * mailbox_open() knows. */
struct mailbox *mailbox_open_now(struct account *a, struct span path);
/*
 * The mailbox as a user sees it who does not own it: \Seen is his own there, in views and in
 * what is changed by this handle (RFC 4314 section 4). `user` is what he is known by for
 * ever; empty: the mailbox itself.
 */
struct op *mailbox_open_as(struct account *a, struct span path, struct span user, struct op_to to);
struct mailbox *mailbox_open_as_now(struct account *a, struct span path, struct span user);
/*
 * For SELECT: as mailbox_open(), but what never changes of the messages (view_msg.info) may be
 * NULL, as it has not been read. Who needs it asks whether the mailbox is whole, and makes it
 * so: then it is for all views. A mailbox of 50,000 messages is open in a quarter of the time.
 */
struct mailbox *mailbox_select_now(struct account *a, struct span path);
struct op *mailbox_select(struct account *a, struct span path, struct op_to to);
bool mailbox_is_whole_now(struct mailbox *m);
struct op *mailbox_whole(struct mailbox *m, struct op_to to);
struct mailbox *mailbox_ref(struct mailbox *m);
void mailbox_unref(struct mailbox *m);
uint32_t mailbox_number_of(const struct mailbox *m); /* in its account */
/* The newest durable view; one reference becomes the caller's (view_unref). */
struct view *mailbox_view_now(struct mailbox *m);
/* As in struct name: it stays the same when the mailbox is renamed. */
uint32_t mailbox_number(const struct mailbox *m);
/* Deleted (or its name given to another) since: sessions end its selection. */
bool mailbox_is_gone_now(struct mailbox *m);
/*
 * \Recent (RFC 3501 2.3.2): claims the UIDs from the returned one (inclusive)
 * to `uidnext` (exclusive) for one session; returns `uidnext` when none are
 * left. Without `claim` it only looks (EXAMINE, STATUS).
 */
uint32_t mailbox_recent(struct mailbox *m, uint32_t uidnext, bool claim);

/* ---- changes ---- */

enum flag_change { FLAGS_ADD, FLAGS_REMOVE, FLAGS_SET };
struct flag_names {
	uint64_t system;            /* enum flag bits, view.h */
	const struct span *keyword; /* any case; the mailbox keeps the first spelling */
	size_t n_keyword;
	/* FLAGS_SET: of these flags each message keeps what it has (RFC 4314 section 4); with
	 * FLAG_ANSWERED its keywords too. */
	uint64_t locked;
	/* Of messages that are added: whose \Seen it is (mailbox_open_as); empty: all flags are
	 * the mailbox's. Of a STORE the handle tells. */
	struct span user;
};
/* The bits of a flags word (view.h) that FLAGS_SET does not change. */
static inline uint64_t flag_names_kept(uint64_t locked)
{
	return locked | (locked & FLAG_ANSWERED ? ~UINT64_C(0xff) : 0);
}
/*
 * STORE. `unchangedsince`: UINT64_MAX for none (RFC 7162 3.1.3). UIDs that are
 * gone are passed over. Everything the op needs is copied at start.
 * A message that already is as asked for keeps its modseq (RFC 7162 3.1.11).
 * ERR_LIMIT: too many keywords. ERR_NOENT: the mailbox is gone, here and in messages_expunge.
 */
struct op *messages_flag(struct mailbox *m, const struct numset *uids, enum flag_change how,
			 const struct flag_names *flags, uint64_t unchangedsince, struct op_to to);
/*
 * The same for a client that was told `known`: FLAGS_ADD and FLAGS_REMOVE do not fail for a
 * message that others have changed since, as long as the flags asked for are as the client
 * knows them (RFC 7162 section 3.1.12).
 */
struct op *messages_flag_known(struct mailbox *m, const struct numset *uids, enum flag_change how,
			       const struct flag_names *flags, uint64_t unchangedsince,
			       struct view *known, struct op_to to);
/* In done of messages_flag: UIDs that failed UNCHANGEDSINCE; owned by the op. */
const struct numset *op_modified(struct op *op);

/*
 * What was expunged since a modseq (RFC 7162 section 3.2.6). In done: op_source_uids; it may
 * name more than what is gone, never less, so whoever tells it leaves out what is there.
 * History that is forgotten (engine.h, expunge_history) gives all UIDs.
 */
struct op *mailbox_expunged(struct mailbox *m, uint64_t since, struct op_to to);

/* EXPUNGE: \Deleted messages, among `uids` if not NULL. In done: op_source_uids = what went. */
struct op *messages_expunge(struct mailbox *m, const struct numset *uids, struct op_to to);

/*
 * COPY or MOVE to a mailbox of the same account by name; all or nothing.
 * ERR_NOENT: no such mailbox (TRYCREATE); ERR_CLOSED: the source is gone; ERR_LIMIT: too many
 * keywords in the target. Flags and internal date are kept,
 * bodies are shared. In done: op_uidvalidity (of the target), op_source_uids,
 * op_target_uids (pairwise, ascending); both empty when nothing was left.
 */
struct op *messages_copy(struct mailbox *m, const struct numset *uids, struct span to_path,
			 bool move, struct op_to to);
/*
 * The same to a mailbox of any account, without the flags that are `locked`. Between two the
 * bytes are copied. COPY is all or nothing, of STORE_ACROSS_COPY messages at most: ERR_LIMIT.
 * MOVE takes each message as a whole; after a crash it is in the one account or the other,
 * never in neither and never in both (moving.h). ERR_QUOTA is the target's.
 */
struct copy_target {
	struct account *account;
	struct span path;
	uint64_t locked;
	struct span user; /* whose \Seen it is there, as in struct flag_names */
};
struct op *messages_copy_to(struct mailbox *m, const struct numset *uids,
			    const struct copy_target *target, bool move, struct op_to to);
uint32_t op_uidvalidity(struct op *op);
const struct numset *op_source_uids(struct op *op);
const struct numset *op_target_uids(struct op *op);

/* ---- APPEND ---- */

/*
 * One message on its way in. Fed on the loop; bytes go to the workers a piece
 * at a time, where they are written and scanned (mail/summary.h).
 */
struct incoming;
struct incoming *incoming_new(struct account *a, struct executor *home,
			      void (*drained)(void *arg), void *arg);
/* Takes all of `s`. Returns false when the caller should stop feeding until
 * `drained` is called (on home): a piece is being written. */
bool incoming_feed(struct incoming *in, struct span s);
/*
 * The message is complete and another one follows it (MULTIAPPEND): a large rest goes to the
 * workers now, so that messages that wait for their append hold little memory. False:
 * do not feed the next one until `drained` is called.
 */
bool incoming_end(struct incoming *in);
uint64_t incoming_bytes(const struct incoming *in);
/* Drops it (aborted APPEND, lost connection); NULL is fine. Not after messages_append. */
void incoming_free(struct incoming *in);

/*
 * A message that goes to several accounts: fed and kept once, it is there for all of them.
 * Then each one's incoming is fed what is put before it for that account, is told to share,
 * and is fed the message again, the same bytes, which are looked at and not written. Only
 * what comes before it is the account's own. It may be shared until the last reference to it goes,
 * which each such incoming has as well.
 */
struct shared;
struct shared *shared_new(struct store *s, struct executor *home,
			  void (*drained)(void *arg), void *arg);
/* As incoming_feed. */
bool shared_feed(struct shared *sh, struct span s);
/* ERR_FULL as messages_append. */
struct op *shared_keep(struct shared *sh, struct op_to to);
void shared_unref(struct shared *sh); /* NULL is fine */
/* `sh` is kept. False: what came before is too much, so it does not. */
bool incoming_share(struct incoming *in, struct shared *sh);

struct append_item {
	struct incoming *body;     /* becomes the op's */
	struct flag_names flags;
	int64_t internal_date;     /* seconds since 1970 UTC */
	int16_t zone_min;          /* the zone it was given in, minutes east */
};
/* All or none (RFC 3502). ERR_FULL here, in messages_copy and in mailbox_create: the device
 * is nearly full (engine.h, reserve_bytes), nothing was changed. ERR_NOENT: TRYCREATE. In done: op_uidvalidity, op_target_uids. */
struct op *messages_append(struct account *a, struct span path, struct append_item *items,
			   size_t n, struct op_to to);
/*
 * The same, and the attribute is set in the same commit: who sees it, sees the messages, and
 * who does not, sees none of them. NULL is fine.
 */
struct attr_edit;
struct op *messages_append_marked(struct account *a, struct span path,
				  struct append_item *items, size_t n,
				  const struct attr_edit *mark, struct op_to to);
/*
 * One message into several mailboxes of the account, all or none; they share its body. As
 * messages_append() else; the UIDVALIDITY and the UID are those in the first. No mailbox
 * may be named twice.
 */
struct op *messages_deliver(struct account *a, const struct span *paths, size_t n_paths,
			    struct append_item *item, struct op_to to);

/*
 * REPLACE (RFC 8508): `item` is appended in account `a` and the message of `m` goes, in one
 * commit; to another account as MOVE (messages_copy_to). ERR_CLOSED: it is gone already, or
 * `m` is. As messages_append() in all else.
 */
struct op *messages_replace(struct mailbox *m, uint32_t uid, struct account *a, struct span path,
			    struct append_item *item, struct op_to to);

/* ---- reading ---- */

/* Bytes [off, off+len) of a message; in done op_bytes, which the caller may
 * take over with buf moves. */
struct op *body_read(struct account *a, struct body_id id, uint64_t off, size_t len, struct op_to to);
struct buf *op_bytes(struct op *op);

/* What is wanted of many messages at once. */
enum {
	WANT_SUMMARY = 1, /* date, size; and more of it with: */
	WANT_ENVELOPE = 2,
	WANT_BODY = 4,	    /* body, body_rev1 */
	WANT_STRUCTURE = 8, /* structure, structure_rev1 */
	WANT_HEADER = 16,
	WANT_BYTES = 32, /* the messages themselves: only of small ones */
	WANT_PARTS =
	    64, /* else n_parts is 0, unless names are wanted and has_fields is false */
};
struct want {
	unsigned what;
	/* WANT_HEADER: these fields alone, or all but these (mail/header.h, header_filter);
	 * n_names 0: the header as the summary has it. */
	const struct span *names;
	size_t n_names;
	bool is_not;
	size_t bytes; /* WANT_BYTES: of all of them, to make room at once; 0: not known */
	/* Asked of each body's index first, unless bodies have none: only messages that it
	 * leaves undecided are read. NULL: no sieve. */
	const struct text_sieve *sieve;
	/* Where the messages are, if all are in one mailbox: its number and their UIDs, as
	 * many as ids. Pieces of summaries then come from digests (digest.h). 0: not told. */
	uint32_t mailbox;
	const uint32_t *uids;
};
struct gathered_message {
	bool has_sieved;	 /* the sieve was asked: */
	enum text_answer sieved; /* what it said */
	uint64_t may;		 /* which of its terms may be there */
	/* False: unreadable. What is not wanted of a summary is empty in it; the size is
	 * there with WANT_PARTS. */
	bool has_summary;
	/* With want.names: summary.header is what header_filter() gives. False: the summary
	 * has not all of these fields; read the header from the message. */
	bool has_fields;
	bool has_bytes;
	enum err bytes_rc; /* why not */
	struct summary summary;
	struct span bytes;
};
struct gathered {
	size_t n;
	struct gathered_message *at; /* in the order of the ids */
	struct buf bytes;            /* what they point into */
};
/* A summary that is missing is made anew from the body and put back. In done: op_gathered. */
struct op *messages_gather(struct account *a, const struct body_id *ids, size_t n,
			   const struct want *want, struct op_to to);
/* Once: the result becomes the caller's, who calls gathered_done(). */
void op_gathered(struct op *op, struct gathered *to);
void gathered_done(struct gathered *g);

/* ---- backup and restore (doc/backup.md); blocking, never on a worker or a loop ---- */

/* engine_snapshot() of all that is stored. */
enum err store_snapshot(struct store *s, const char *dir, struct buf *ret_why);

struct restored {
	uint64_t mailboxes, messages;	/* that the account has now */
	uint64_t copied, copied_bytes; /* bodies that were not there any more */
};
/*
 * Sets the account `to_name`, made if need be, back to what `from_name` is in another store:
 * names, subscriptions, messages, attributes. What it had goes. Every mailbox is a new one,
 * with a UIDVALIDITY above all that either account ever gave, a HIGHESTMODSEQ likewise and
 * a new MAILBOXID; UIDs, flags, dates, EMAILID and THREADID come back. All or nothing.
 * Others may use `to`, and the account, meanwhile. On failure `ret_why` is a sentence.
 */
enum err store_restore(struct store *to, struct span to_name, struct store *from,
		       struct span from_name, struct restored *ret, struct buf *ret_why);
/* Gives every mailbox of every account a new UIDVALIDITY and MAILBOXID and forgets what was
 * expunged; above all that the same accounts gave in `was` too (NULL: there is none). Nobody
 * else uses the store. On failure `ret_why` is a sentence. */
enum err store_raise(struct store *s, struct store *was, struct buf *ret_why);

/*
 * The same two for a server: on a thread of their own. The snapshot is made in the store's
 * own directory, as STORE_SNAPSHOT, which must not be there; `dir` is the store of a
 * backup. On failure op_bytes() has a sentence.
 */
#define STORE_SNAPSHOT "snapshot"
struct op *store_snapshot_start(struct store *s, struct op_to to);
struct op *account_restore_start(struct account *a, struct span to_name, const char *dir,
				 struct span from_name, struct op_to to);
/* In done of account_restore_start(). */
const struct restored *op_restored(struct op *op);

/* ---- tools ---- */

/* Every invariant, read-only (doc/store.md lists them); a sentence per finding.
 * Blocking. Returns ERR_CORRUPT when there was any. */
enum err store_check(struct store *s, void (*finding)(void *arg, const char *sentence),
		     void *arg, uint64_t *ret_accounts, uint64_t *ret_messages);
/*
 * Makes anew what the messages' own rows say better: counters, holders of bodies, summaries,
 * the record of what was expunged; a sentence for each that was wrong. The store must be
 * opened with ENGINE_REPAIR and nobody else use it. What cannot be mended store_check tells
 * afterwards. Blocking.
 */
enum err store_repair(struct store *s, void (*said)(void *arg, const char *sentence),
		      void *arg, uint64_t *ret_mended);

#endif
