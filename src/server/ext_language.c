/*
 * LANGUAGE (RFC 5255 section 3): the language of replies, for the session alone: the next
 * user hears English again (RFC 8437 section 3).
 */
#include "server/language.h"

#include "server/reply.h"

extern const struct extension ext_language;

enum { DEFAULT, ENGLISH, TRANSLATED /* and on: language_tags[0] ... */ };

struct language_slot {
	size_t chosen;
};

static const char *tag_of(size_t language)
{
	return language == DEFAULT   ? "i-default"
	       : language == ENGLISH ? "en"
				     : language_tags[language - TRANSLATED];
}

static size_t chosen(const struct session *s)
{
	const struct language_slot *slot = session_slot_if(s, &ext_language);

	return slot ? slot->chosen : DEFAULT;
}

static const struct language_entry *find(const char *text)
{
	size_t lo = 0, hi = language_entries;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int order = strcmp(text, language_table[mid].text);

		if (order == 0)
			return &language_table[mid];
		if (order < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const char *language_text(const struct session *s, const char *text)
{
	size_t language = chosen(s);
	const struct language_entry *e;

	if (language < TRANSLATED)
		return text;
	e = find(text);
	return e ? e->in[language - TRANSLATED] : text;
}

void language_put_translation(const struct session *s, const char *prefix,
			      struct buf *out)
{
	const char *text = language_text(s, prefix);
	struct emit_mode m = { .utf8 = session_is_utf8(s), .literal = EMIT_SERVER };

	if (text == prefix)
		return;
	buf_puts(out, " \"TRANSLATION\" (");
	emit_mailbox(out, m, span_str(text));
	buf_putc(out, ')');
}

/* ---- the command ---- */

static bool find_tag(struct span tag, size_t *ret)
{
	for (size_t i = 0; i < TRANSLATED || language_tags[i - TRANSLATED]; i++) {
		if (!span_ieq(tag, span_str(tag_of(i))))
			continue;
		*ret = i;
		return true;
	}
	return false;
}

/* Lookup of RFC 4647 section 3.4: "de-Latn-AT", "de-Latn", "de". */
static bool find_range(struct span range, size_t *ret)
{
	if (span_ieq(range, SPAN("default")) || span_eq(range, SPAN("*"))) {
		*ret = DEFAULT;
		return true;
	}
	while (range.n > 0) {
		size_t n = range.n;

		if (find_tag(range, ret))
			return true;
		while (n > 0 && range.p[n - 1] != '-')
			n--;
		/* a single letter goes with what was behind it */
		if (n >= 3 && range.p[n - 3] == '-')
			n -= 2;
		range = span_sub(range, 0, n > 0 ? n - 1 : 0);
	}
	return false;
}

static enum verdict list_all(struct cmd *cmd)
{
	struct buf *out = cmd_out(cmd);

	buf_puts(out, "* LANGUAGE (");
	for (size_t i = 0; i < TRANSLATED || language_tags[i - TRANSLATED]; i++) {
		if (i > 0)
			buf_putc(out, ' ');
		buf_puts(out, tag_of(i));
	}
	buf_puts(out, ")\r\n");
	return reply_done(cmd);
}

/* The change holds from the LANGUAGE response on (section 3.2). */
static enum verdict choose(struct cmd *cmd, size_t language)
{
	struct language_slot *slot = session_slot(cmd->session, &ext_language);

	slot->chosen = language;
	untagged(cmd, "LANGUAGE (%s)", tag_of(language));
	if (cmd->session->state & IN_LOGGED_IN)
		namespace_put(cmd);
	return reply_done(cmd);
}

static enum verdict run(struct cmd *cmd)
{
	bool asks = cursor_at_end(&cmd->cur), is_found = false;
	size_t language = DEFAULT, one;

	while (cursor_try_sp(&cmd->cur)) {
		struct span range = cursor_astring(&cmd->cur);

		if (!cmd->cur.bad && !is_found && find_range(range, &one)) {
			language = one;
			is_found = true;
		}
	}
	if (!cursor_end(&cmd->cur))
		return reply_syntax(cmd);
	if (asks)
		return list_all(cmd);
	if (!is_found)
		return reply_no(cmd, NULL, "That language is not spoken here.");
	return choose(cmd, language);
}

static const struct command commands[] = {
	{ "LANGUAGE", IN_ANY, 0, run },
	{ 0 },
};
const struct extension ext_language = {
	.name = "LANGUAGE",
	.rfc = "RFC 5255",
	.about = "replies in English, French or German",
	.capability = "LANGUAGE",
	.states = IN_ANY,
	.commands = commands,
	.slot_bytes = sizeof(struct language_slot),
};
