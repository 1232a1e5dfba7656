/* From an IMAP URL to bytes: the mailbox, the message, the section, the range. */
#include "server/url_source.h"

#include "mail/header.h"
#include "mail/section.h"

enum { OPEN, OPENED, STRUCTURED, HEADER_CAME, FOUND };
enum { HEADER_MAX = 1 << 20 };

static void mailbox_drop(void *m)
{
	mailbox_unref(m);
}

static void view_drop(void *v)
{
	view_unref(v);
}

static struct op *fail(struct url_source *u, enum err rc)
{
	u->rc = rc;
	u->step = FOUND;
	return NULL;
}

/* PARTIAL, when the range or the text is known. */
static struct op *found(struct url_source *u)
{
	const struct wire_url *url = &u->url;

	u->step = FOUND;
	if (u->text.p)
		u->bytes = u->text.n;
	if (url->has_partial) {
		uint64_t off = url->offset < u->bytes ? url->offset : u->bytes;

		u->bytes -= off;
		if (url->bytes && url->bytes < u->bytes)
			u->bytes = url->bytes;
		u->start += off;
		if (u->text.p)
			u->text = span_sub(u->text, (size_t)off, (size_t)u->bytes);
	}
	return NULL;
}

static bool is_fields(const struct wire_url *url)
{
	return url->section.text == FETCH_TEXT_HEADER_FIELDS ||
	       url->section.text == FETCH_TEXT_HEADER_FIELDS_NOT;
}

static struct op *opened(struct cmd *cmd, struct url_source *u)
{
	const struct fetch_section *sec = &u->url.section;
	static const struct want want = { .what = WANT_SUMMARY | WANT_PARTS };
	uint32_t seq;

	arena_defer(cmd->arena, mailbox_drop, u->mailbox);
	if (u->number && mailbox_number(u->mailbox) != u->number)
		return fail(u, ERR_NOENT);
	u->view = mailbox_view_now(u->mailbox);
	arena_defer(cmd->arena, view_drop, u->view);
	if (u->url.uidvalidity && u->url.uidvalidity != view_uidvalidity(u->view))
		return fail(u, ERR_NOENT);
	seq = view_seq(u->view, u->url.uid);
	if (!seq)
		return fail(u, ERR_NOENT);
	u->info = *view_get(u->view, seq).info;
	u->body = u->info.body;
	u->bytes = u->info.bytes;
	if (sec->n_path == 0 && sec->text == FETCH_TEXT_WHOLE)
		return found(u);
	u->step = STRUCTURED;
	return messages_gather(u->account, &u->body, 1, &want, cmd_to(cmd));
}

static struct op *structured(struct cmd *cmd, struct url_source *u)
{
	const struct fetch_section *sec = &u->url.section;
	struct section_range range;
	struct gathered got;
	enum err rc = ERR_CORRUPT;

	if (cmd->op->rc != ERR_OK)
		return fail(u, cmd->op->rc);
	op_gathered(cmd->op, &got);
	if (got.n == 1 && got.at[0].has_summary)
		rc = section_find(&got.at[0].summary, sec->path, sec->n_path,
				  (enum section_text)sec->text, &range);
	gathered_done(&got);
	if (rc != ERR_OK)
		return fail(u, rc);
	u->start = range.start;
	u->bytes = range.bytes;
	if (!is_fields(&u->url))
		return found(u);
	if (range.bytes > HEADER_MAX)
		return fail(u, ERR_LIMIT);
	u->step = HEADER_CAME;
	return body_read(u->account, u->body, range.start, (size_t)range.bytes,
			 cmd_to(cmd));
}

static struct op *header_came(struct cmd *cmd, struct url_source *u)
{
	const struct fetch_section *sec = &u->url.section;
	struct buf text = { 0 };

	if (cmd->op->rc != ERR_OK)
		return fail(u, cmd->op->rc);
	header_filter(buf_span(op_bytes(cmd->op)), sec->names, sec->n_names,
		      sec->text == FETCH_TEXT_HEADER_FIELDS_NOT, &text);
	u->text = arena_dup(cmd->arena, buf_span(&text));
	buf_done(&text);
	return found(u);
}

struct op *url_source_find(struct cmd *cmd, struct url_source *u)
{
	switch (u->step) {
	case OPEN:
		u->mailbox = mailbox_open_now(u->account, u->path);
		if (u->mailbox)
			return opened(cmd, u);
		u->step = OPENED;
		return mailbox_open(u->account, u->path, cmd_to(cmd));
	case OPENED:
		if (cmd->op->rc != ERR_OK)
			return fail(u, cmd->op->rc);
		u->mailbox = op_mailbox(cmd->op);
		return opened(cmd, u);
	case STRUCTURED: return structured(cmd, u);
	case HEADER_CAME: return header_came(cmd, u);
	default: return NULL;
	}
}

struct op *url_source_read(struct cmd *cmd, const struct url_source *u, uint64_t at,
			   struct span *ret_now)
{
	uint64_t left = u->bytes - at;
	size_t n = left < URL_CHUNK ? (size_t)left : URL_CHUNK;

	*ret_now = SPAN("");
	if (n == 0)
		return NULL;
	if (u->text.p) {
		*ret_now = span_sub(u->text, (size_t)at, n);
		return NULL;
	}
	return body_read(u->account, u->body, u->start + at, n, cmd_to(cmd));
}
