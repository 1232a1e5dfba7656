/*
 * COMPARATOR and I18NLEVEL=2 (RFC 5255 section 4): which comparator SEARCH, SORT and
 * THREAD use. The choice ends with the session (RFC 8437).
 */
#include "server/collation.h"
#include "server/reply.h"

extern const struct extension ext_comparator;

struct collation_slot {
	const struct comparator *active; /* NULL: the default */
};

const struct comparator *collation_of(struct session *s)
{
	struct collation_slot *slot = session_slot(s, &ext_comparator);

	return slot->active ? slot->active : comparator_default();
}

static bool has(const struct comparator *const *list, size_t n,
		const struct comparator *c)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == c)
			return true;
	return false;
}

/* All that any of the arguments names, the first argument's first; none twice. */
static size_t find_all(struct cmd *cmd, const struct comparator *list[COMPARATORS])
{
	const struct comparator *found[COMPARATORS];
	size_t n = 0;

	while (cursor_try_sp(&cmd->cur)) {
		size_t k = comparator_find(cursor_astring(&cmd->cur), found);

		for (size_t i = 0; i < k && !cmd->cur.bad; i++)
			if (!has(list, n, found[i]))
				list[n++] = found[i];
	}
	return n;
}

static void put_name(struct cmd *cmd, const struct comparator *c)
{
	emit_astring(cmd_out(cmd), cmd_mode(cmd), span_str(comparator_name(c)));
}

/* The active one; what else was named too, when that was more than one (section 4.8). */
static void answer(struct cmd *cmd, const struct comparator *const *list, size_t n)
{
	struct buf *out = cmd_out(cmd);

	buf_puts(out, "* COMPARATOR ");
	put_name(cmd, collation_of(cmd->session));
	for (size_t i = 0; n > 1 && i < n; i++) {
		buf_puts(out, i == 0 ? " (" : " ");
		put_name(cmd, list[i]);
	}
	buf_puts(out, n > 1 ? ")\r\n" : "\r\n");
}

static enum verdict run(struct cmd *cmd)
{
	struct collation_slot *slot = session_slot(cmd->session, &ext_comparator);
	const struct comparator *list[COMPARATORS];
	bool asks = cursor_at_end(&cmd->cur);
	size_t n = find_all(cmd, list);

	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (!asks && n == 0)
		return reply_no(cmd, "BADCOMPARATOR",
				"No comparator here is called like that.");
	if (!asks)
		slot->active = list[0];
	answer(cmd, list, n);
	return reply_done(cmd);
}

static const struct command commands[] = {
	{ "COMPARATOR", IN_LOGGED_IN, 0, run },
	{ 0 },
};
const struct extension ext_comparator = {
	.name = "I18NLEVEL=2, COMPARATOR",
	.rfc = "RFC 5255",
	.about = "case and accents of any script in SEARCH; the client may choose how",
	.capability = "I18NLEVEL=2",
	.states = IN_LOGGED_IN,
	.commands = commands,
	.slot_bytes = sizeof(struct collation_slot),
};
