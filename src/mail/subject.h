/* The base subject of SORT and THREAD (RFC 5256 section 2.1). */
#ifndef MAIL_SUBJECT_H
#define MAIL_SUBJECT_H

#include "base/buf.h"

/*
 * Appends the base subject of a Subject field's value as it stands there: decoded
 * to UTF-8, without "Re:", "Fwd:", "[list]" and their like. Returns whether the message
 * is a reply or forward by what was taken off (RFC 5256 section 3, THREAD).
 */
bool subject_base(struct span value, struct buf *out);

#endif
