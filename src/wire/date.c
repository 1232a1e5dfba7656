/* date and date-time (RFC 9051 section 9). */
#include "wire/date.h"

#define DAY_SECONDS 86400

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
				    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

/*
 * Days from civil and back, for the proleptic Gregorian calendar: years are
 * counted from March, in eras of 400 years (146097 days).
 */
int32_t wire_days(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = (y >= 0 ? y : y - 399) / 400;
	int of_era = y - era * 400;
	int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void wire_civil(int32_t days, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t z = (int64_t)days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int of_era = (int)(z - era * 146097);
	int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int of_year = of_era - (365 * year + year / 4 - year / 100);
	int m = (5 * of_year + 2) / 153;

	*ret_day = of_year - (153 * m + 2) / 5 + 1;
	*ret_month = m < 10 ? m + 3 : m - 9;
	*ret_year = (int)(year + era * 400) + (*ret_month <= 2);
}

static int month_days(int year, int month)
{
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (month == 2)
		return is_leap ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static int fail(struct cursor *c, const char *why)
{
	cursor_fail(c, why);
	return 0;
}

/* Exactly `n` digits. */
static int digits(struct cursor *c, size_t n, const char *why)
{
	int v = 0;

	for (size_t i = 0; i < n; i++) {
		int ch = cursor_peek(c);

		if (ch < '0' || ch > '9')
			return fail(c, why);
		v = v * 10 + (ch - '0');
		c->at++;
	}
	return v;
}

/* "-" date-month "-" date-year behind `day`. */
static int32_t month_year(struct cursor *c, int day, const char *why)
{
	struct span name;
	int month = 0, year;

	if (!cursor_try_char(c, '-'))
		return fail(c, why);
	name = span_sub(c->in, c->at, 3);
	while (month < 12 && !span_ieq(name, span_str(months[month])))
		month++;
	if (month == 12)
		return fail(c, why);
	c->at += 3;
	if (!cursor_try_char(c, '-'))
		return fail(c, why);
	year = digits(c, 4, why);
	if (c->bad)
		return 0;
	if (day < 1 || day > month_days(year, month + 1))
		return fail(c, "a day that the calendar has was expected");
	return wire_days(year, month + 1, day);
}

int32_t cursor_date(struct cursor *c)
{
	static const char why[] = "a date like 1-Feb-2024 was expected";
	bool is_quoted = cursor_try_char(c, '"');
	int day = digits(c, 1, why);
	int next = cursor_peek(c);
	int32_t days;

	if (next >= '0' && next <= '9')
		day = day * 10 + digits(c, 1, why);
	days = month_year(c, day, why);
	if (is_quoted && !cursor_try_char(c, '"'))
		return fail(c, why);
	return days;
}

bool cursor_is_date_time(const struct cursor *c)
{
	return cursor_peek(c) == '"';
}

static int zone(struct cursor *c, const char *why)
{
	bool is_west = cursor_try_char(c, '-');
	int hours, minutes;

	if (!is_west && !cursor_try_char(c, '+'))
		return fail(c, why);
	hours = digits(c, 2, why);
	minutes = digits(c, 2, why);
	if (minutes > 59)
		return fail(c, "a zone has less than 60 minutes");
	return is_west ? -(hours * 60 + minutes) : hours * 60 + minutes;
}

static int time_part(struct cursor *c, char before, int max, const char *why)
{
	int v;

	if (!cursor_try_char(c, before))
		return fail(c, why);
	v = digits(c, 2, why);
	return v > max ? fail(c, "a time of day was expected") : v;
}

struct wire_time cursor_date_time(struct cursor *c)
{
	static const char why[] =
	    "a date and time like \" 1-Feb-2024 10:00:00 +0000\" was expected";
	struct wire_time t = { 0 };
	int day, hour, minute, second;
	bool is_short;
	int32_t days;

	if (!cursor_try_char(c, '"'))
		cursor_fail(c, why);
	/* imapflow and others leave out the space before a single digit: without this they
	 * could not append on the first nine days of a month. */
	is_short = cursor_try_sp(c) || (c->at + 1 < c->in.n && c->in.p[c->at + 1] == '-');
	day = digits(c, is_short ? 1 : 2, why);
	days = month_year(c, day, why);
	hour = time_part(c, ' ', 23, why);
	minute = time_part(c, ':', 59, why);
	second = time_part(c, ':', 60, why);
	if (!cursor_try_sp(c))
		cursor_fail(c, why);
	t.zone_minutes = (int16_t)zone(c, why);
	if (!cursor_try_char(c, '"'))
		cursor_fail(c, why);
	if (c->bad)
		return (struct wire_time){ 0 };
	t.utc = (int64_t)days * DAY_SECONDS + hour * 3600 + minute * 60 + second -
		t.zone_minutes * 60;
	return t;
}

/* Years have four digits on the wire. */
static int32_t days_clamp(int64_t days)
{
	int32_t first = wire_days(0, 1, 1), last = wire_days(9999, 12, 31);

	return days < first ? first : days > last ? last : (int32_t)days;
}

void emit_date(struct buf *out, int32_t days)
{
	int y, m, d;

	wire_civil(days_clamp(days), &y, &m, &d);
	buf_printf(out, "%d-%s-%04d", d, months[m - 1], y);
}

void emit_date_time(struct buf *out, struct wire_time t)
{
	int64_t local = t.utc + t.zone_minutes * 60;
	int64_t days = local / DAY_SECONDS - (local % DAY_SECONDS < 0);
	int second = (int)(local - days * DAY_SECONDS);
	int zone_abs = t.zone_minutes < 0 ? -t.zone_minutes : t.zone_minutes;
	int y, m, d;

	wire_civil(days_clamp(days), &y, &m, &d);
	buf_printf(out, "\"%2d-%s-%04d %02d:%02d:%02d %c%02d%02d\"", d, months[m - 1], y,
		   second / 3600, second / 60 % 60, second % 60,
		   t.zone_minutes < 0 ? '-' : '+', zone_abs / 60 % 100, zone_abs % 60);
}
