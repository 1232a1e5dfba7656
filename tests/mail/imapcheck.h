/*
 * Reads ENVELOPE, BODY and BODYSTRUCTURE as strictly as RFC 9051 section 9 has them
 * (quoted strings without 8-bit, as in RFC 3501), to check what mail writes.
 */
#ifndef TEST_MAIL_IMAPCHECK_H
#define TEST_MAIL_IMAPCHECK_H

#include "base/span.h"

bool imapcheck_envelope(struct span s);
bool imapcheck_body(struct span s, bool is_extended);

#endif
