/* The active comparator of a session (RFC 5255 section 4.2): SEARCH, SORT, THREAD. */
#ifndef SERVER_COLLATION_H
#define SERVER_COLLATION_H

#include "mail/comparator.h"
#include "server/session.h"

/* i;unicode-casemap until COMPARATOR chose another. */
const struct comparator *collation_of(struct session *s);

#endif
