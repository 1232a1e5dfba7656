/* What the parts of store_check share. Private to the store. */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store/change.h"

/* A message's hold on a body. */
struct hold {
	struct body_id body;
	uint64_t bytes;
};

struct check {
	struct store *store;
	void (*finding)(void *arg, const char *sentence);
	void *arg;
	bool is_damaged;
	uint64_t messages; /* of all accounts */

	/* of the account being checked */
	struct account *a;
	struct txn *t;
	char name[80]; /* its name, cut */
	struct account_header h;
	struct tree *names;
	struct staged staged;
	uint64_t n_messages, n_bytes;
	struct hold *holds;
	size_t n_holds, cap_holds;
};

/* Says it: "account NAME: ...". */
void check_say(struct check *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* All rows of a kind; 0: whole kind. */
enum err check_scan(struct check *c, enum key_kind kind, uint32_t mailbox,
		    bool (*row)(void *arg, struct span key, struct span value),
		    void *arg);
void check_hold(struct check *c, struct body_id body, uint64_t bytes);

/* A digest's row: it can be read, and there are messages that it speaks of. */
bool check_digest(struct txn *t, struct span key, struct span value);
/* One mailbox with a name (check_mailbox.c). */
enum err check_mailbox(struct check *c, const struct name *n);
/* What a deleted one still holds; or one whose rows from chunk `from` on do not show. */
enum err check_doomed(struct check *c, uint32_t number, uint32_t from);
/* Holders, bodies, summaries, what waits to be dropped (check_bodies.c). */
enum err check_bodies(struct check *c);
/* What it shares with others (check_shared.c); with `mend`, the plan of it, it is put right. */
enum err check_parts(struct check *c, struct txn *mend, uint64_t *mended);
/* What all share, when every account was looked at. */
enum err check_common(struct check *c);
/* In a plan of the common account. */
enum err repair_common(struct check *c, struct txn *t, uint64_t *mended);

#endif
