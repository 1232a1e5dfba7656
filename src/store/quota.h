/*
 * Quota (RFC 9208): what an account may hold. The account is the quota root. What would
 * make it hold more of something than its limit fails with ERR_QUOTA before anything is
 * written; what makes it smaller, or leaves it as it is, always works.
 *
 * An account's own limits are attributes (ATTR_LIMIT); where it has none the store's
 * defaults hold.
 */
#ifndef STORE_QUOTA_H
#define STORE_QUOTA_H

#include "store/store.h"

enum quota_resource {
	QUOTA_STORAGE, /* units of 1024 octets of messages, RFC822.SIZE */
	QUOTA_MESSAGE,
	QUOTA_MAILBOX,
	QUOTA_RESOURCES
};
#define QUOTA_NONE UINT64_MAX /* no limit */

struct quota {
	uint64_t used[QUOTA_RESOURCES];
	uint64_t limit[QUOTA_RESOURCES];
};

const char *quota_name(enum quota_resource r); /* "STORAGE" */

/* For accounts without limits of their own. Before the store is used; else none. */
void store_quota_default(struct store *s, const uint64_t limit[QUOTA_RESOURCES]);
/* As durable now. */
void account_quota_now(struct account *a, struct quota *ret);
/* Whether so much more would be refused. */
bool quota_refuses(const struct quota *q, uint64_t bytes, uint64_t messages);
/* The account's own limits, all of them; `limit` NULL: the defaults hold again. */
struct op *account_quota_set(struct account *a, const uint64_t limit[QUOTA_RESOURCES],
			     struct op_to to);
/* One of them alone; `limit` NULL: the default. */
struct op *account_quota_set_one(struct account *a, enum quota_resource r,
				 const uint64_t *limit, struct op_to to);

#endif
