/* Private to mail: addresses that ASCII cannot write (RFC 6858 section 2.1). */
#ifndef MAIL_DOWNGRADE_NAME_H
#define MAIL_DOWNGRADE_NAME_H

#include "mail/address.h"
#include "mail/downgrade.h"

/* Whether the address itself, not the name beside it, is beyond ASCII. */
bool downgraded_is_needed(const struct address *a);
/* Appends, in UTF-8, the name that is shown: what was there, "Name <local@host>". */
void downgraded_name(const struct address *a, struct buf *out);

#endif
