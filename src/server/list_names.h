/*
 * The names that LIST and LSUB walk over: the user's own, then those of others that he
 * may look up (RFC 4314 section 4, RFC 2342). Of what he may not, nothing shows.
 */
#ifndef SERVER_LIST_NAMES_H
#define SERVER_LIST_NAMES_H

#include "server/place.h"

/* Where a listed name lies. */
struct list_origin {
	struct account *account; /* NULL: a level or subscription that is no mailbox */
	unsigned rights;
};

/* Sorted so that what lies below a name comes right behind it. */
struct list_names {
	size_t n;
	const struct name *const *at;
	const struct list_origin *origin; /* NULL: all are the user's own */
};

/*
 * In cmd->arena; as place_account() for waiting. `patterns`: accounts that none of them
 * could match a name of are not asked.
 */
bool list_names(struct cmd *cmd, const struct span *patterns, size_t n_patterns,
		struct list_names *ret);
/*
 * The name at a place as LIST shows it: of others' mailboxes without what is their
 * owner's own, and with the user's subscription. False: it is not there any more.
 */
bool list_name_at(struct cmd *cmd, const struct place *place, struct name *ret);
/* Whether a mailbox that the user may look up lies below. */
bool list_shows_below(struct cmd *cmd, const struct place *place);
/* Of the i-th; the user's own account and all rights when origin is NULL. */
struct list_origin list_origin(const struct cmd *cmd, const struct list_names *l,
			       size_t i);

#endif
