/*
 * The Date field (RFC 5322 section 3.3, obsolete forms of section 4.3) and
 * the usual broken ones: no weekday, wrong weekday, two-digit years, no seconds,
 * named and missing zones, asctime order, "1-Jan-2001", dots in the time.
 */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "base/span.h"

struct mail_date {
	int64_t utc;	      /* seconds since 1970-01-01T00:00Z */
	int32_t day;	      /* calendar day as written, days since 1970-01-01:
				 SENTON, SENTSINCE, SENTBEFORE (RFC 9051 section 6.4.4) */
	int16_t zone_minutes; /* east of Greenwich; 0 when unknown */
};

/* False, and `ret` as it was, when no date can be read. */
bool date_parse(struct span value, struct mail_date *ret_date);
/* Days since 1970-01-01 of a day in the Gregorian calendar; month 1..12. */
int32_t date_days(int32_t year, int32_t month, int32_t day);

#endif
