/*
 * Accounts and open mailboxes in memory. Private to the store.
 *
 * An account has two states. The *head* is what the last plan left: only plans touch
 * it, and a plan is alone in its account. The *published* state is what is durable:
 * loops read it under the account's lock, and commits move the head's pieces into
 * it in their order. Both are made of immutable, counted pieces (views, the tree of
 * names), so moving is swapping pointers. A plan whose commit fails, or that has to
 * run again, drops the head, which is then read anew from the rows.
 *
 * Lock order: store, account. Nothing else is called under either, except posting.
 */
#ifndef STORE_ACCOUNT_H
#define STORE_ACCOUNT_H

#include <pthread.h>
#include <stdatomic.h>
#include "store/attrs_inside.h"
#include "store/limits.h"
#include "store/names.h"
#include "store/quota.h"
#include "store/store.h"
#include "store/view_inside.h"

struct store {
	struct engine *engine;
	struct executor *workers;
	unsigned flags; /* ENGINE_READ_ONLY */
	uint64_t quota[QUOTA_RESOURCES]; /* for accounts without limits of their own */
	uint32_t expunge_history; /* rows KEY_VANISHED of a mailbox */
	uint32_t commit_chunks; /* what one commit changes */
	void (*at)(void *arg, const char *point); /* engine.h */
	void *at_arg;

	pthread_mutex_t lock;  /* guards the rest */
	pthread_cond_t quiet;  /* n_background became 0 */
	unsigned n_background; /* ops that no caller waits for */
	bool is_closing;
	struct account **bucket; /* by id */
	struct account **named;	 /* by the name they were opened by; as many */
	struct { /* mailboxes without sessions, longest unused first (kept.c) */
		struct mailbox *first, **last;
		size_t n, bytes;
	} kept;
	size_t n_buckets, n_accounts;
	struct account *idle_first, **idle_last; /* longest idle first */
	size_t n_idle;
};

/* Chunks that a change in parts has written (stage.h); mailbox 0: none. */
struct staged {
	uint32_t mailbox, chunk; /* from this one on */
};

struct account {
	struct store *store;
	struct account_id id;
	atomic_uint refs;	   /* reaches 0 under the store's lock only */
	struct account *hash_next; /* store's lock */
	struct span name;	   /* malloc'd; none: not opened by name. Store's lock */
	struct account *name_next; /* store's lock */
	struct account *idle_next, **idle_prev; /* NULL: not idle; store's lock */

	/* the head: plans only */
	bool has_head;
	struct account_header h;
	struct tree *head_names;
	struct attr_set *head_attrs;
	struct staged staged; /* nothing, but while an op goes on or after one that failed */

	atomic_bool drop_head; /* before the next plan */

	pthread_mutex_t lock; /* guards the rest */
	bool is_ready;	      /* something is published */
	uint64_t modseq;
	struct tree *names;
	struct attr_set *attrs;
	struct attr_log *attr_log;
	struct used {
		uint64_t bytes, messages;
	} used;
	struct mailbox *mailboxes;
	struct watch *watches;
	struct view *views; /* all that live */
	uint64_t drops;	    /* rows to sweep: durable ones */
	uint32_t doomed;
	bool is_reaping, reap_is_blocked;
	bool sweep_is_held; /* bodies that nobody holds yet are being put back (restore.c) */
	uint64_t views_gone; /* superseded ones that ended: may unblock it */
};

struct seen;

struct mailbox {
	struct account *account; /* a reference */
	uint32_t number;
	/* account's lock */
	unsigned refs;
	struct mailbox *next, **prev;
	struct view *published;
	bool is_gone;
	uint32_t first_recent, saved_recent;
	bool is_kept;	 /* one of the references is the store's (kept.c) */
	bool is_let_go;	 /* not to be kept again, unless it is opened again */
	/* store's lock; prev NULL: not on its list */
	struct mailbox *kept_next, **kept_prev;
	size_t kept_bytes;
	/* the head: plans only; NULL: not loaded, or gone */
	struct view *head;

	/* How a user sees it (seen.h): the account's lock */
	struct mailbox *readers;
	/* Of such a handle, whose other fields but refs, next, prev are not used: */
	struct mailbox *of; /* the mailbox, a reference; NULL: it is one itself */
	struct span user;   /* malloc'd */
	struct seen *seen_head; /* plans only; NULL: not loaded */
	struct seen *seen;	/* published; account's lock, and the last view made: */
	struct view *own, *own_base;
	struct seen *own_seen;
};

/* The account's entry, made if it is not in memory; one reference. */
struct account *account_get(struct store *s, struct account_id id);
/* Notes by which name it was opened, for store_account_now(). */
void account_name(struct account *a, struct span name);
/* Begins (+1) or ends (-1) work that no caller waits for. False: the store is closing,
 * and it is not begun. */
bool store_background(struct store *s, int by);
/* The same of who has begun some already: always taken. */
void store_background_more(struct store *s);
/* Waits until there is none. */
void store_wait_quiet(struct store *s);
/* Removes messages whose bodies are torn (torn.c): of the whole store, waiting; of one
 * account, as an op in the background. */
enum err store_mend_torn(struct store *s);
void store_torn_remove(struct store *s, struct account_id id,
		       const struct body_id *bodies, size_t n, _Atomic enum err *rc);
/* Evicts kept mailboxes and idle accounts beyond `keep` of each. */
void store_evict(struct store *s, size_t keep);

/* kept.c. Whether a mailbox whose last handle goes may be kept; the account's lock. */
bool kept_may(const struct mailbox *m);
/* It was marked as kept: that reference is the store's now. */
void kept_add(struct mailbox *m);
/* It was kept all the time and its last handle went. */
void kept_touch(struct mailbox *m);
/* Lets it go if it is kept and gone: its bodies may go. No lock is held. */
void kept_drop(struct mailbox *m);
/* Lets go what is beyond `keep` mailboxes, and beyond the memory for them. */
void kept_evict(struct store *s, size_t keep);

/* A new view goes on the list of live ones; one that died comes off. */
void account_view_made(struct account *a, struct view *v);
void account_view_gone(struct account *a, struct view *v);
/* Whether a live view was superseded at `modseq` or before; or is of this mailbox (0:
 * none). */
bool account_views_before(struct account *a, uint64_t modseq, uint32_t mailbox);
/* The earliest modseq at which a live view was superseded; UINT64_MAX: none. */
uint64_t account_oldest_superseded(struct account *a);

/* The open mailbox of that number, one reference; NULL when it is not open. */
struct mailbox *account_mailbox(struct account *a, uint32_t number);
/* The same, made if need be. */
struct mailbox *account_mailbox_make(struct account *a, uint32_t number);
/* Drops what plans left: rows are read anew. In a plan. */
void account_drop_head(struct account *a);

/* The account's lock is held. */
void account_watches_fire(struct account *a);

/* Starts a sweep (reap.c) unless one runs, if there is anything to sweep. Any thread. */
void account_reap(struct account *a);

#endif
