/* Reading dates (RFC 5322 sections 3.3 and 4.3), forgiving. */
#include "mail/date.h"

#include "mail/mime.h"

/* What the words of a Date field gave so far; -1: nothing. */
struct reading {
	int32_t day, month, year;
	int32_t hour, minute, second;
	int32_t zone;
	bool has_zone;
};

static int32_t month_of(struct span word)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	if (word.n < 3)
		return -1;
	for (int32_t m = 0; m < 12; m++) {
		if (span_ieq(span_sub(word, 0, 3), span_of(names + 3 * m, 3)))
			return m + 1;
	}
	return -1;
}

/* The zones of RFC 5322 section 4.3; others are -0000, it says. */
static bool zone_of(struct span word, int32_t *ret_minutes)
{
	static const struct {
		struct span name;
		int32_t hours;
	} zones[] = {
		{ SPAN_INIT("UT"), 0 },	  { SPAN_INIT("GMT"), 0 },
		{ SPAN_INIT("UTC"), 0 },  { SPAN_INIT("Z"), 0 },
		{ SPAN_INIT("EST"), -5 }, { SPAN_INIT("EDT"), -4 },
		{ SPAN_INIT("CST"), -6 }, { SPAN_INIT("CDT"), -5 },
		{ SPAN_INIT("MST"), -7 }, { SPAN_INIT("MDT"), -6 },
		{ SPAN_INIT("PST"), -8 }, { SPAN_INIT("PDT"), -7 },
	};

	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
		if (span_ieq(word, zones[i].name)) {
			*ret_minutes = zones[i].hours * 60;
			return true;
		}
	}
	return false;
}

int32_t date_days(int32_t year, int32_t month, int32_t day)
{
	/* years from March, so that the leap day is the last of its year */
	int64_t y = month <= 2 ? (int64_t)year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return (int32_t)(era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
			 of_year - 719468);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static struct span take_while(struct span *in, bool (*is_part)(char))
{
	size_t n = 0;

	while (n < in->n && is_part(in->p[n]))
		n++;
	struct span taken = span_sub(*in, 0, n);

	*in = span_sub(*in, n, in->n);
	return taken;
}

/* Digits as a number; -1 when there are none or far too many. */
static int32_t number(struct span digits)
{
	uint64_t v;

	return span_u64(digits, 99999999, &v) ? (int32_t)v : -1;
}

static bool next_is(struct span in, char c)
{
	return in.n > 0 && in.p[0] == c;
}

/* ":MM" and ":SS" behind an hour; dots are seen in place of colons. */
static void take_time(struct reading *r, int32_t hour, struct span *in)
{
	char sep = in->p[0];

	*in = span_sub(*in, 1, in->n);
	r->hour = hour;
	r->minute = number(take_while(in, is_digit));
	r->second = 0;
	if (next_is(*in, sep) && in->n > 1 && is_digit(in->p[1])) {
		*in = span_sub(*in, 1, in->n);
		r->second = number(take_while(in, is_digit));
	}
	/* fractions of a second are dropped */
	if (next_is(*in, '.')) {
		*in = span_sub(*in, 1, in->n);
		take_while(in, is_digit);
	}
}

/* "+0100", "+01:00", "+1". */
static void take_offset(struct reading *r, struct span *in)
{
	int32_t sign = in->p[0] == '-' ? -1 : 1;

	*in = span_sub(*in, 1, in->n);
	struct span digits = take_while(in, is_digit);
	int32_t v = number(digits);

	if (v < 0)
		return;
	if (next_is(*in, ':')) {
		*in = span_sub(*in, 1, in->n);
		v = v * 100 + number(take_while(in, is_digit));
	} else if (digits.n <= 2) {
		v *= 100;
	}
	if (v < 0 || v > 9959 || v % 100 > 59)
		v = 0;
	r->zone = sign * (v / 100 * 60 + v % 100);
	r->has_zone = true;
}

static int32_t full_year(struct span digits, int32_t v)
{
	/* RFC 5322 section 4.3 */
	if (digits.n == 2)
		return v < 50 ? v + 2000 : v + 1900;
	if (digits.n == 3)
		return v + 1900;
	return v;
}

static void take_number(struct reading *r, struct span *in)
{
	struct span digits = take_while(in, is_digit);
	int32_t v = number(digits);

	if (r->hour < 0 && digits.n <= 2 &&
	    (next_is(*in, ':') || (r->year >= 0 && next_is(*in, '.'))) && in->n > 1 &&
	    is_digit(in->p[1]))
		take_time(r, v, in);
	else if (digits.n == 4 && r->day < 0 && r->year < 0 && r->month < 0)
		r->year = v; /* ISO order: 2001-02-03 */
	else if (r->year >= 0 && r->month < 0 && digits.n <= 2)
		r->month = v;
	else if (r->day < 0 && digits.n <= 2)
		r->day = v;
	else if (r->year < 0 && digits.n >= 2)
		r->year = full_year(digits, v);
}

static void take_word(struct reading *r, struct span *in)
{
	struct span word = take_while(in, is_alpha);
	int32_t month = month_of(word);
	int32_t zone;

	if (month > 0 && r->month < 0) {
		r->month = month;
	} else if (span_ieq(word, SPAN("PM")) && r->hour >= 0 && r->hour < 12) {
		r->hour += 12;
	} else if (span_ieq(word, SPAN("AM")) && r->hour == 12) {
		r->hour = 0;
	} else if (r->hour >= 0 && !r->has_zone && zone_of(word, &zone)) {
		r->zone = zone;
		r->has_zone = true;
	}
}

static bool is_whole(const struct reading *r)
{
	static const int32_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool is_leap = (r->year % 4 == 0 && r->year % 100 != 0) || r->year % 400 == 0;

	if (r->year < 1 || r->year > 9999 || r->month < 1 || r->month > 12)
		return false;
	if (r->day < 1 || r->day > days[r->month - 1] + (is_leap && r->month == 2))
		return false;
	/* second 60 is a leap second (RFC 5322 section 3.3) */
	return r->hour <= 24 && r->minute <= 59 && r->second <= 60;
}

bool date_parse(struct span in, struct mail_date *ret_date)
{
	struct reading r = { -1, -1, -1, -1, -1, -1, 0, false };

	while (in.n > 0) {
		char c = in.p[0];

		if (c == '(' || lex_is_wsp(c)) {
			lex_cfws(&in, NULL);
		} else if ((c == '+' || c == '-') && r.hour >= 0 && !r.has_zone &&
			   in.n > 1 && is_digit(in.p[1])) {
			take_offset(&r, &in);
		} else if (is_digit(c)) {
			take_number(&r, &in);
		} else if (is_alpha(c)) {
			take_word(&r, &in);
		} else {
			in = span_sub(in, 1, in.n);
		}
	}
	if (!is_whole(&r))
		return false;
	/* a date without time can be sorted and searched all the same */
	if (r.hour < 0 || r.minute < 0 || r.second < 0)
		r.hour = r.minute = r.second = 0;
	ret_date->day = date_days(r.year, r.month, r.day);
	ret_date->utc = (int64_t)ret_date->day * 86400 + r.hour * 3600 + r.minute * 60 +
			r.second - r.zone * 60;
	ret_date->zone_minutes = (int16_t)r.zone;
	return true;
}
