/*
 * The tree of names of an account, as rows (parent, name) and as a sorted snapshot
 * that sessions share. Private to the store; doc/store.md has the rules.
 *
 * A level is a *node* with a number that its children's rows carry, so a RENAME of a
 * tree rewrites one row. A node without mailbox is there for a subscription at or
 * below it, never for a mailbox below: CREATE and RENAME make the levels above.
 */
#ifndef STORE_NAMES_H
#define STORE_NAMES_H

#include <stdatomic.h>
#include "store/keys.h"
#include "store/store.h"

struct change;
struct pool; /* names and their paths: append-only, shared by successive snapshots */

/* Immutable once it is made the head; edited before by whoever copied it. */
struct tree {
	struct names names; /* first: what sessions see */
	atomic_uint refs;
	struct pool *pool;
	struct name **at; /* in the pool; one that another snapshot has is not edited */
	size_t cap;
};

struct tree *tree_ref(struct tree *t);
void tree_unref(struct tree *t); /* NULL is fine */
struct tree *tree_empty(void);
/* From the rows. ERR_CORRUPT when they make no tree. */
enum err tree_load(struct txn *t, struct tree **ret);

/* Canonical form and limits of a name; appends to `out`. `cut`: one trailing "/" goes.
 * ERR_INVAL, ERR_LIMIT. */
enum err name_canonical(struct span path, bool cut, struct buf *out);
/* Order of paths: bytes with "/" lowest. */
int path_cmp(struct span a, struct span b);
/* `path` is below `top`. */
bool path_is_below(struct span path, struct span top);

/* Edits for commands (change_names.c), each on c->names. */
enum err names_create(struct change *c, struct span path, unsigned special_use,
		      uint32_t *ret_mailbox);
enum err names_remove(struct change *c, struct span path, uint32_t *ret_mailbox);
enum err names_move(struct change *c, struct span from, struct span to);
/* ERR_CONFLICT: another mailbox has one of these uses. `ret_did`: it had others. */
enum err names_use(struct change *c, uint32_t mailbox, unsigned special_use, bool *ret_did);
/* The i-th name's mailbox gets another MAILBOXID. */
void names_identify(struct change *c, size_t i, const uint8_t id[8]);
enum err names_subscribe(struct change *c, struct span path, bool on);

#endif
