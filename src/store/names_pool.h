/* Names and the text of paths, shared by successive snapshots: only ever appended to, by
 * plans, while readers read what was there before. Private to names*.c. */
#ifndef STORE_NAMES_POOL_H
#define STORE_NAMES_POOL_H

#include "store/names.h"

struct pool *pool_new(void);
struct pool *pool_ref(struct pool *p);
void pool_unref(struct pool *p); /* NULL is fine */
/* The three joined; lives as long as the pool. */
struct span pool_join(struct pool *p, struct span a, struct span b, struct span c);
/* A name that is not in a snapshot yet. */
struct name *pool_name(struct pool *p, const struct name *from);
/* Bytes that the newest snapshot has no use for any more. */
void pool_waste(struct pool *p, size_t bytes);
bool pool_is_wasteful(const struct pool *p);

/* An empty tree with room for `cap` names, one reference; takes over the pool's. */
struct tree *tree_new(size_t cap, struct pool *pool);

#endif
