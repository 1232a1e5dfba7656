/* The header row of a mailbox, and the table of its keywords. */
#ifndef STORE_HEADER_H
#define STORE_HEADER_H

#include <stdatomic.h>
#include "store/keys.h"
#include "store/limits.h"

/* Immutable; a keyword's number is its place and never changes. */
struct keywords {
	atomic_uint refs;
	size_t n;
	struct span at[];
};
struct keywords *keywords_ref(struct keywords *k);
void keywords_unref(struct keywords *k); /* NULL is fine */
/* An empty table, one reference. */
struct keywords *keywords_new(void);
/* A new table, one reference: `k` and one more. */
struct keywords *keywords_with(const struct keywords *k, struct span name);
/* ASCII case-insensitive; -1. NULL is an empty table. */
int keywords_find(const struct keywords *k, struct span name);

struct mailbox_header {
	uint8_t id[8]; /* MAILBOXID */
	uint32_t uidvalidity, uidnext;
	uint64_t modseq; /* HIGHESTMODSEQ */
	uint32_t exists, unseen, deleted;
	uint64_t bytes;
	uint32_t first_recent;	/* UIDs from here on no session has claimed */
	uint32_t vanished_rows; /* rows KEY_VANISHED */
	int64_t made;
};

struct span mailbox_header_write(const struct mailbox_header *h, const struct keywords *k,
				 struct arena *a);
/* `ret_keywords` gets one reference. */
enum err mailbox_header_read(struct span row, struct mailbox_header *ret,
			     struct keywords **ret_keywords);

#endif
