/* The line "From sender date" before each message of an mbox. */
#ifndef TOOLS_FROM_LINE_H
#define TOOLS_FROM_LINE_H

#include "wire/date.h"

/*
 * Whether `line` is one, with or without its end: a date as ctime(3) writes it stands
 * behind the sender, perhaps without seconds, with a zone before or behind the year.
 * Without "+hhmm" the time is UTC (RFC 4155).
 */
bool from_line_read(struct span line, struct wire_time *ret);
/* With its LF. The zone is written unless it is UTC. */
void from_line_put(struct buf *out, struct wire_time t);

#endif
