/*
 * Dates of the protocol (RFC 9051 section 9): date "1-Feb-2024" of SEARCH and
 * date-time of INTERNALDATE and APPEND. (Dates of messages: mail/date.h.)
 */
#ifndef WIRE_DATE_H
#define WIRE_DATE_H

#include "wire/cursor.h"

struct wire_time {
	int64_t utc;	      /* seconds since 1970-01-01T00:00Z */
	int16_t zone_minutes; /* east of Greenwich, -5999 .. 5999 as the grammar allows */
};

/* date, quoted or not: days since 1970-01-01. A day the calendar has not is bad. */
int32_t cursor_date(struct cursor *c);
/* date-time, in its quotes. Day, hour, minute, second (60 is allowed) and zone are
 * checked. */
struct wire_time cursor_date_time(struct cursor *c);
/* A quote that starts a date-time is next (APPEND). */
bool cursor_is_date_time(const struct cursor *c);

/* "1-Feb-2024"; days of the years 0000 .. 9999, others are clamped. */
void emit_date(struct buf *out, int32_t days);
/* "\" 1-Feb-2024 10:00:00 +0100\"" in its zone. */
void emit_date_time(struct buf *out, struct wire_time t);

/* Proleptic Gregorian calendar, days since 1970-01-01; month 1..12. */
int32_t wire_days(int year, int month, int day);
void wire_civil(int32_t days, int *ret_year, int *ret_month, int *ret_day);

#endif
