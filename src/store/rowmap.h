/* A sorted map of rows in memory (a skip list): a plan's writes, and the mem engine. */
#ifndef STORE_ROWMAP_H
#define STORE_ROWMAP_H

#include "base/arena.h"

struct rowmap;

struct row {
	struct span key, value; /* owned by the map */
	bool is_delete;		/* a plan's writes: this hides the row below */
};

/* With an arena, everything lies there and a replaced value stays readable;
 * without (NULL), it is malloc'd and a replaced value is freed. */
struct rowmap *rowmap_new(struct arena *a);
/* Only for a map without arena; NULL is fine. */
void rowmap_free(struct rowmap *m);
/* Adds or replaces; key and value are copied. */
void rowmap_put(struct rowmap *m, struct span key, struct span value, bool is_delete);
void rowmap_remove(struct rowmap *m, struct span key);
/* NULL when absent. */
const struct row *rowmap_get(const struct rowmap *m, struct span key);
/* The first row with key >= `key`, or > `key` with `is_after`. NULL at the end. */
const struct row *rowmap_seek(const struct rowmap *m, struct span key, bool is_after);
const struct row *rowmap_next(const struct row *r);
size_t rowmap_count(const struct rowmap *m);

#endif
