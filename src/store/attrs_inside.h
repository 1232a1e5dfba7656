/* Attributes: rows, snapshots and the log of changes. Private to the store. */
#ifndef STORE_ATTRS_INSIDE_H
#define STORE_ATTRS_INSIDE_H

#include <stdatomic.h>
#include "store/attrs.h"
#include "store/keys.h"

/* A snapshot of those that are kept in memory; immutable. */
struct attr_set {
	struct attrs attrs; /* first: what others see */
	atomic_uint refs;
	size_t bytes; /* of names, users and values */
	struct attr at[];
};
struct attr_set *attr_set_ref(struct attr_set *s);
void attr_set_unref(struct attr_set *s); /* NULL is fine */
struct attr_set *attr_set_empty(void);
/* From the rows. ERR_CORRUPT. */
enum err attr_set_load(struct txn *t, struct attr_set **ret);
/* A new one: `s` with one attribute set (value.p not NULL) or taken out. */
struct attr_set *attr_set_with(const struct attr_set *s, const struct attr *a);
/* A new one without those of a mailbox; `s` itself, one more reference, if it has none.
 */
struct attr_set *attr_set_without(struct attr_set *s, uint32_t mailbox);

/* The row's key, in `a`; KEY_ATTR_NOW or KEY_ATTR by kind. */
struct span attr_row_key(struct arena *a, const struct attr_key *k);
bool attr_row_key_read(struct span key, struct attr_key *ret);
struct span attr_row_write(struct arena *a, uint64_t modseq, struct span value);
bool attr_row_read(struct span row, uint64_t *ret_modseq, struct span *ret_value);

/* The last changes, a ring; NULL: none yet. */
struct attr_log;
void attr_log_add(struct attr_log **log, const struct attr_key *k, uint64_t modseq);
void attr_log_free(struct attr_log *log); /* NULL is fine */

#endif
