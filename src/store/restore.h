/*
 * Setting accounts back: what its parts share. Private to the store; store.h has what
 * others call, doc/backup.md the rules.
 */
#ifndef STORE_RESTORE_H
#define STORE_RESTORE_H

#include "store/change.h"

/* A row of a mailbox as the backup has it; its key without kind and mailbox. */
struct saved_row {
	enum key_kind kind;
	struct span tail, value;
};

struct saved_name {
	struct span path;
	unsigned flags, special_use; /* enum name_flag, enum special_use */
	struct mailbox_header h;     /* with NAME_EXISTS */
	struct keywords *keywords;   /* a reference, or NULL */
	struct saved_row *rows;
	size_t n_rows, cap_rows;
};

struct saved_body {
	struct body_id id;
	uint64_t bytes;
	uint32_t holders;
};

/* One account as the backup has it: all but bodies and their caches. */
struct saved {
	struct arena *arena;
	struct account_header h;
	struct saved_name *name; /* parents before children */
	size_t n_names;
	struct saved_name account; /* its rows belong to the account itself */
	struct saved_body *body;   /* sorted, each once */
	size_t n_bodies, cap_bodies;
	uint64_t messages, bytes;
};

/* Blocking. ERR_NOENT: the backup has nothing of that account; ERR_CORRUPT. */
enum err saved_read(struct engine *e, struct account_id a, struct saved *ret);
/* Private attributes of the account's owner become those of its new name. */
void saved_rename(struct saved *s, struct span from, struct span to);
void saved_done(struct saved *s);
/* NULL: it holds none of that id. */
const struct saved_body *saved_find(const struct saved *s, struct body_id id);

/*
 * In a plan: everything that the account has goes, and what was saved comes. Its bodies
 * must be kept already; ERR_CONFLICT: one is not.
 */
enum err saved_set_back(const struct saved *s, struct change *c);

/* As store_restore(), of an account that is open. */
enum err account_restore(struct account *a, struct span to_name, struct store *from,
			 struct span from_name, struct restored *ret, struct buf *ret_why);

/* An op that its starter waits for; never on a worker or a loop. */
struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool has_ended;
	enum err rc;
};
void waiting_init(struct waiting *w);
void waiting_end(struct waiting *w, enum err rc);
/* Its end; the next wait may begin. */
enum err waiting_for(struct waiting *w);
void waiting_done(struct waiting *w);
/* op_new() for it: `plan` runs in the account, made if need be. */
void *waited_op(size_t size, struct account *a,
		enum err (*plan)(struct store_op *, struct change *), struct waiting *w);
/* Runs it to its end; or, with an error or without a plan, ends it with that. */
enum err waited_run(struct store_op *o, enum err rc, struct waiting *w);

#endif
