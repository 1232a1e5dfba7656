/* From_ lines (from_line.h). */
#include "tools/from_line.h"

#include <stdlib.h>

enum { WORDS = 16 };

static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
				      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };

static int find(const char *const *of, int n, struct span word)
{
	for (int i = 0; i < n; i++)
		if (span_ieq(word, span_str(of[i])))
			return i;
	return -1;
}

/* The last words of the line. */
static size_t split(struct span line, struct span words[WORDS])
{
	size_t n = 0;

	while (n < WORDS) {
		size_t end;

		line = span_trim(line);
		if (!line.n)
			break;
		for (end = line.n; end > 0 && line.p[end - 1] != ' '; end--)
			continue;
		words[n++] = span_sub(line, end, line.n);
		line.n = end;
	}
	for (size_t i = 0; i < n / 2; i++) {
		struct span w = words[i];

		words[i] = words[n - 1 - i];
		words[n - 1 - i] = w;
	}
	return n;
}

static bool number(struct span s, uint64_t max, int *ret)
{
	uint64_t v;

	if (!span_u64(s, max, &v))
		return false;
	*ret = (int)v;
	return true;
}

/* "12:08:34" or "12:08" */
static bool clock_of(struct span s, int *ret_s)
{
	int h, m, sec = 0;

	if ((s.n != 8 && s.n != 5) || s.p[2] != ':' ||
	    !number(span_sub(s, 0, 2), 23, &h) || !number(span_sub(s, 3, 2), 59, &m))
		return false;
	if (s.n == 8 && (s.p[5] != ':' || !number(span_sub(s, 6, 2), 60, &sec)))
		return false;
	*ret_s = h * 3600 + m * 60 + sec;
	return true;
}

static bool zone_of(struct span s, int *ret_min)
{
	int h, m;

	if (s.n != 5 || (s.p[0] != '+' && s.p[0] != '-') ||
	    !number(span_sub(s, 1, 2), 23, &h) || !number(span_sub(s, 3, 2), 59, &m))
		return false;
	*ret_min = (h * 60 + m) * (s.p[0] == '-' ? -1 : 1);
	return true;
}

static bool date_at(const struct span *w, size_t n, struct wire_time *ret)
{
	int month, day, seconds, year = 0, zone = 0;
	size_t i = 4;

	if (n < 5 || find(days, 7, w[0]) < 0 || (month = find(months, 12, w[1])) < 0 ||
	    !number(w[2], 31, &day) || day == 0 || !clock_of(w[3], &seconds))
		return false;
	if (!number(w[i], 9999, &year)) {
		zone_of(w[i], &zone);
		i++;
		if (i == n || !number(w[i], 9999, &year))
			return false;
	}
	if (year < 1900)
		return false;
	if (i + 1 < n)
		zone_of(w[i + 1], &zone);
	ret->zone_minutes = (int16_t)zone;
	ret->utc = (int64_t)wire_days(year, month + 1, day) * 86400 + seconds - zone * 60;
	return i + 3 >= n;
}

bool from_line_read(struct span line, struct wire_time *ret)
{
	struct span words[WORDS];
	size_t n;

	if (!span_starts(line, SPAN("From ")))
		return false;
	n = split(line, words);
	for (size_t i = 0; i + 5 <= n; i++)
		if (date_at(words + i, n - i, ret))
			return true;
	return false;
}

void from_line_put(struct buf *out, struct wire_time t)
{
	int64_t local = t.utc + t.zone_minutes * 60, day = local / 86400;
	int seconds = (int)(local % 86400), year, month, mday, zone = abs(t.zone_minutes);

	if (seconds < 0) {
		seconds += 86400;
		day--;
	}
	wire_civil((int32_t)day, &year, &month, &mday);
	buf_printf(out, "From MAILER-DAEMON %s %s %2d %02d:%02d:%02d %04d",
		   days[((day % 7) + 7) % 7], months[month - 1], mday, seconds / 3600,
		   seconds / 60 % 60, seconds % 60, year);
	if (zone)
		buf_printf(out, " %c%02d%02d", t.zone_minutes < 0 ? '-' : '+', zone / 60,
			   zone % 60);
	buf_putc(out, '\n');
}
