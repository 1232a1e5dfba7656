/* LIST patterns (RFC 9051 section 6.3.9). */
#include "wire/list.h"

/* States are places in the pattern that have been reached: [i] with i of it matched. */
struct matcher {
	struct span pattern;
	char delimiter;
	bool on[WIRE_PATTERN_BYTES_MAX + 1];
	size_t lo, hi; /* states outside are off; lo > hi: none is on */
};

static void state_on(struct matcher *m, size_t i)
{
	m->on[i] = true;
	if (i < m->lo)
		m->lo = i;
	if (i > m->hi)
		m->hi = i;
}

/* A wildcard may match nothing: what is reached before it is reached behind it. */
static void pass_wildcards(struct matcher *m)
{
	for (size_t i = m->lo; i <= m->hi && i < m->pattern.n; i++)
		if (m->on[i] && (m->pattern.p[i] == '*' || m->pattern.p[i] == '%'))
			state_on(m, i + 1);
}

static bool begin(struct matcher *m, struct span pattern, char delimiter)
{
	if (pattern.n > WIRE_PATTERN_BYTES_MAX)
		return false;
	memset(m, 0, sizeof *m);
	m->pattern = pattern;
	m->delimiter = delimiter;
	state_on(m, 0);
	pass_wildcards(m);
	return true;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Moves on by one byte of the name. */
static void step(struct matcher *m, char ch, bool any_case)
{
	size_t lo = m->lo, hi = m->hi;

	m->lo = SIZE_MAX;
	m->hi = 0;
	/* From the end, so that a state set here is not looked at again. */
	for (size_t i = hi + 1; i-- > lo;) {
		char p = i < m->pattern.n ? m->pattern.p[i] : '\0';
		bool was_on = m->on[i];

		m->on[i] = false;
		if (!was_on || i >= m->pattern.n)
			continue;
		if (p == '*' || (p == '%' && ch != m->delimiter))
			state_on(m, i);
		else if (p != '%' && (p == ch || (any_case && lower(p) == lower(ch))))
			state_on(m, i + 1);
	}
	if (m->lo <= m->hi)
		pass_wildcards(m);
}

/* INBOX, alone or as the first level. */
static bool is_inbox(struct span name, char delimiter)
{
	return span_istarts(name, SPAN("INBOX")) &&
	       (name.n == 5 || name.p[5] == delimiter);
}

static bool walk(struct matcher *m, struct span pattern, struct span name, char delimiter)
{
	size_t inbox = is_inbox(name, delimiter) ? 5 : 0;

	if (!begin(m, pattern, delimiter))
		return false;
	for (size_t i = 0; i < name.n && m->lo <= m->hi; i++)
		step(m, name.p[i], i < inbox);
	return m->lo <= m->hi;
}

bool list_match(struct span pattern, struct span name, char delimiter)
{
	struct matcher m;

	return walk(&m, pattern, name, delimiter) && m.on[pattern.n];
}

bool list_match_below(struct span pattern, struct span name, char delimiter)
{
	struct matcher m;

	if (!walk(&m, pattern, name, delimiter))
		return false;
	step(&m, delimiter, false);
	/* From any place but the end something that is not empty leads on. */
	return m.lo < pattern.n;
}
