/*
 * The items of FETCH that are about a message's content: structure from its
 * summary, sections as ranges of its bytes, BINARY decoded (RFC 9051 sections
 * 6.4.5 and 7.5.2). Bytes stream in chunks; a literal says its size first, so a
 * part that is decoded is read twice when it is large.
 */
#include "mail/header.h"
#include "mail/preview.h"
#include "server/fetch_state.h"
#include "server/reply.h"
#include "server/selected.h"

enum { HEADER_MAX = 16 << 20 }; /* a header that is filtered is held whole */

bool fetch_is_content(const struct fetch_item *item)
{
	return !(item->kind &
		 (FETCH_FLAGS | FETCH_UID | FETCH_INTERNALDATE | FETCH_RFC822_SIZE |
		  FETCH_MODSEQ | FETCH_SAVEDATE | FETCH_EMAILID | FETCH_THREADID));
}

static void content_reset(struct fetch_state *st)
{
	if (st->has_decoder)
		decoder_done(&st->decoder);
	st->has_decoder = false;
	buf_done(&st->collected);
}

void fetch_content_done(struct fetch_state *st)
{
	content_reset(st);
}

static const struct fetch_item *item_of(const struct fetch_state *st)
{
	return &st->args.items[st->item];
}

/* What of `total` bytes the item's partial wants. */
static void partial(const struct fetch_item *item, uint64_t total, uint64_t *ret_off,
		    uint64_t *ret_n)
{
	*ret_off = 0;
	*ret_n = total;
	if (!item->has_partial)
		return;
	*ret_off = item->offset < total ? item->offset : total;
	*ret_n = total - *ret_off;
	if (*ret_n > item->bytes)
		*ret_n = item->bytes;
}

/* ---- reading ---- */

static enum verdict take_chunk(struct cmd *cmd, enum err rc, struct span bytes);

/* Of a small message the bytes are here, all of them. */
static enum verdict read_next(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	uint64_t left = st->bytes - st->done;
	size_t n = left < FETCH_CHUNK ? (size_t)left : FETCH_CHUNK;
	const struct gathered_message *m = st->content;

	if (m && m->has_bytes)
		return take_chunk(cmd, ERR_OK,
				  span_sub(m->bytes, (size_t)(st->start + st->done), n));
	if (m && m->bytes_rc != ERR_OK)
		return take_chunk(cmd, m->bytes_rc, SPAN_NONE);
	return cmd_wait(cmd, FETCH_CHUNK_CAME,
			body_read(cmd->session->selected->place.account, st->message->msg.info->body,
				  st->start + st->done, n, cmd_to(cmd)));
}

static enum verdict read_range(struct cmd *cmd, enum fetch_how how, uint64_t start,
			       uint64_t bytes)
{
	struct fetch_state *st = cmd->state;

	st->how = how;
	st->start = start;
	st->bytes = bytes;
	st->done = 0;
	return read_next(cmd);
}

void fetch_send(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;

	buf_put(cmd_out(cmd), buf_span(&st->line));
	st->line.off = st->line.n = 0;
	st->is_out = true;
	cmd->tells_progress = false; /* not within a response */
}

enum verdict fetch_stream(struct cmd *cmd)
{
	return read_next(cmd);
}

static enum verdict more(struct cmd *cmd)
{
	fetch_send(cmd);
	if (cmd_must_drain(cmd))
		return cmd_drain(cmd, FETCH_STREAM);
	return read_next(cmd);
}

/* The message is passed over; in the middle of a literal there is no way but to close. */
static enum verdict give_up(struct cmd *cmd, const char *code)
{
	struct fetch_state *st = cmd->state;

	content_reset(st);
	if (st->is_out) {
		/* not a byte more: it would be taken for the rest of the literal */
		cmd->no_report = true;
		return CMD_CLOSE;
	}
	buf_clear(&st->line);
	st->failed++;
	st->code = code;
	st->ahead.at++;
	return CMD_DONE;
}

/* ---- what to do with a chunk ---- */

/*
 * A literal holds no NUL (RFC 9051 section 9, CHAR8). Mail that came by LMTP may have
 * one: it is shown as 0x80, as other servers do; BINARY gives the byte itself.
 */
static void put_char8(const struct fetch_state *st, struct buf *out, struct span bytes)
{
	char *nul, *end;

	buf_put(out, bytes);
	if (item_of(st)->kind == FETCH_BINARY || !bytes.n || st->keeps_nul)
		return;
	/* each byte once: a message of NULs would keep the loop to itself */
	end = out->p + out->off + out->n;
	for (nul = end - bytes.n; (nul = memchr(nul, '\0', (size_t)(end - nul)));)
		*nul++ = (char)0x80;
}

static enum verdict raw_chunk(struct cmd *cmd, struct span bytes)
{
	struct fetch_state *st = cmd->state;

	if (st->done == 0 && st->keeps_nul)
		emit_literal8_header(&st->line, cmd_mode(cmd), st->bytes);
	else if (st->done == 0)
		emit_literal_header(&st->line, cmd_mode(cmd), st->bytes);
	st->done += bytes.n;
	if (st->done == st->bytes && st->item + 1 == st->args.n_items) {
		/* nothing can go wrong any more: not by way of the line */
		fetch_send(cmd);
		put_char8(st, cmd_out(cmd), bytes);
		return CMD_DONE;
	}
	put_char8(st, &st->line, bytes);
	return st->done == st->bytes ? CMD_DONE : more(cmd);
}

static void print_header(struct cmd *cmd, struct span block)
{
	struct fetch_state *st = cmd->state;
	struct buf room = { 0 };
	struct span text = fetch_header(cmd, block, &room);

	text = fetch_partial(item_of(st), text);
	if (st->keeps_nul)
		emit_literal8_header(&st->line, cmd_mode(cmd), text.n);
	else
		emit_literal_header(&st->line, cmd_mode(cmd), text.n);
	put_char8(st, &st->line, text);
	buf_done(&room);
}

static void print_fields(struct cmd *cmd, struct span block)
{
	struct fetch_state *st = cmd->state;
	const struct fetch_section *sec = &item_of(st)->section;
	struct buf text = { 0 };

	header_filter(block, sec->names, sec->n_names,
		      sec->text == FETCH_TEXT_HEADER_FIELDS_NOT, &text);
	print_header(cmd, buf_span(&text));
	buf_done(&text);
}

static enum verdict fields_chunk(struct cmd *cmd, struct span bytes)
{
	struct fetch_state *st = cmd->state;

	buf_put(&st->collected, bytes);
	st->done += bytes.n;
	if (st->done < st->bytes)
		return read_next(cmd);
	if (st->how == HOW_HEADER)
		print_header(cmd, buf_span(&st->collected));
	else
		print_fields(cmd, buf_span(&st->collected));
	content_reset(st);
	return CMD_DONE;
}

static void decoded_header(struct cmd *cmd, uint64_t n)
{
	struct fetch_state *st = cmd->state;

	/* literal8 only for what needs it (RFC 9051 section 4.3.1). */
	if (st->has_nul)
		emit_literal8_header(&st->line, cmd_mode(cmd), n);
	else
		emit_literal_header(&st->line, cmd_mode(cmd), n);
}

static void decoder_begin(struct fetch_state *st)
{
	if (st->has_decoder)
		decoder_done(&st->decoder);
	st->has_decoder = decoder_init(&st->decoder, st->coding, st->crlf) == ERR_OK;
	st->decoded = 0;
}

/* The size is known. Small parts were kept; others are read again. */
static enum verdict counted(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	const struct fetch_item *item = item_of(st);
	uint64_t off, n;

	if (item->kind == FETCH_BINARY_SIZE) {
		buf_put_u64(&st->line, st->decoded);
		content_reset(st);
		return CMD_DONE;
	}
	partial(item, st->decoded, &off, &n);
	if (st->bytes <= FETCH_CHUNK) {
		struct span part = span_sub(buf_span(&st->collected), (size_t)off,
					    (size_t)n);

		emit_literal(&st->line, cmd_mode(cmd), part);
		content_reset(st);
		return CMD_DONE;
	}
	decoded_header(cmd, n);
	decoder_begin(st);
	fetch_send(cmd);
	return read_range(cmd, HOW_DECODED, st->start, st->bytes);
}

static enum verdict count_chunk(struct cmd *cmd, struct span bytes)
{
	struct fetch_state *st = cmd->state;
	struct span out;

	decoder_feed(&st->decoder, bytes, &st->collected);
	st->done += bytes.n;
	if (st->done == st->bytes)
		decoder_finish(&st->decoder, &st->collected);
	out = buf_span(&st->collected);
	st->decoded += out.n;
	st->has_nul |= out.n && memchr(out.p, '\0', out.n) != NULL;
	if (st->bytes > FETCH_CHUNK)
		buf_clear(&st->collected);
	return st->done < st->bytes ? read_next(cmd) : counted(cmd);
}

static enum verdict decoded_chunk(struct cmd *cmd, struct span bytes)
{
	struct fetch_state *st = cmd->state;
	const struct fetch_item *item = item_of(st);
	uint64_t from = item->has_partial ? item->offset : 0;
	uint64_t to = item->has_partial ? item->offset + item->bytes : UINT64_MAX;
	uint64_t skip, keep;
	struct span out;

	decoder_feed(&st->decoder, bytes, &st->collected);
	st->done += bytes.n;
	if (st->done == st->bytes)
		decoder_finish(&st->decoder, &st->collected);
	out = buf_span(&st->collected);
	skip = st->decoded < from ? from - st->decoded : 0;
	keep = st->decoded < to ? to - st->decoded : 0;
	if (skip < out.n && keep > skip)
		buf_put(&st->line,
			span_sub(span_sub(out, 0, keep < out.n ? (size_t)keep : out.n),
				 (size_t)skip, SIZE_MAX));
	st->decoded += out.n;
	buf_clear(&st->collected);
	if (st->done < st->bytes)
		return more(cmd);
	content_reset(st);
	return CMD_DONE;
}

static enum verdict preview_chunk(struct cmd *cmd, struct span bytes)
{
	struct fetch_state *st = cmd->state;
	struct buf text = { 0 };

	preview_make(&st->part, bytes, &text);
	emit_string(&st->line, cmd_mode(cmd), text.n ? buf_span(&text) : SPAN(""));
	buf_done(&text);
	return CMD_DONE;
}

static enum verdict take_chunk(struct cmd *cmd, enum err rc, struct span bytes)
{
	struct fetch_state *st = cmd->state;
	uint64_t left = st->bytes - st->done;

	if (rc != ERR_OK)
		return give_up(cmd, rc == ERR_CORRUPT ? "CORRUPTION" : "UNAVAILABLE");
	if (bytes.n != (left < FETCH_CHUNK ? left : FETCH_CHUNK))
		return give_up(cmd, "CORRUPTION");
	switch (st->how) {
	case HOW_RAW: return raw_chunk(cmd, bytes);
	case HOW_FIELDS:
	case HOW_HEADER: return fields_chunk(cmd, bytes);
	case HOW_COUNT: return count_chunk(cmd, bytes);
	case HOW_PREVIEW: return preview_chunk(cmd, bytes);
	default: return decoded_chunk(cmd, bytes);
	}
}

enum verdict fetch_chunk(struct cmd *cmd)
{
	return take_chunk(cmd, cmd->op->rc, buf_span(op_bytes(cmd->op)));
}

/* ---- items ---- */

static void nil(struct fetch_state *st)
{
	buf_puts(&st->line, "NIL");
}

static enum verdict raw_range(struct cmd *cmd, uint64_t start, uint64_t bytes)
{
	struct fetch_state *st = cmd->state;
	uint64_t off, n;

	partial(item_of(st), bytes, &off, &n);
	if (n == 0) {
		buf_puts(&st->line, "\"\"");
		return CMD_DONE;
	}
	return read_range(cmd, HOW_RAW, start + off, n);
}

static bool summary_has_fields(const struct fetch_state *st,
			       const struct fetch_section *sec)
{
	if (sec->n_path)
		return false;
	if (st->summary->header_kind == SUMMARY_HEADER_WHOLE)
		return true;
	if (sec->text != FETCH_TEXT_HEADER_FIELDS)
		return false;
	for (size_t i = 0; i < sec->n_names; i++)
		if (!summary_header_covers(st->summary, sec->names[i]))
			return false;
	return true;
}

static enum verdict section(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	const struct fetch_section *sec = &item_of(st)->section;
	bool is_fields = sec->text == FETCH_TEXT_HEADER_FIELDS ||
			 sec->text == FETCH_TEXT_HEADER_FIELDS_NOT;
	struct section_range r;

	if (fetch_is_whole(item_of(st)))
		return raw_range(cmd, 0, st->message->msg.info->bytes);
	if (st->want.n_names && fetch_is_fields(item_of(st)) && st->content->has_fields) {
		print_header(cmd, st->summary->header);
		return CMD_DONE;
	}
	if (section_find(st->summary, sec->path, sec->n_path,
			 (enum section_text)sec->text, &r)) {
		nil(st);
		return CMD_DONE;
	}
	if (fetch_downgrades(cmd) && r.bytes > 0 && r.bytes <= HEADER_MAX &&
	    (sec->text == FETCH_TEXT_HEADER || sec->text == FETCH_TEXT_MIME))
		return read_range(cmd, HOW_HEADER, r.start, r.bytes);
	if (!is_fields)
		return raw_range(cmd, r.start, r.bytes);
	if (summary_has_fields(st, sec)) {
		print_fields(cmd, st->summary->header);
		return CMD_DONE;
	}
	if (r.bytes == 0) {
		print_fields(cmd, SPAN(""));
		return CMD_DONE;
	}
	return read_range(cmd, HOW_FIELDS, r.start, r.bytes);
}

static bool is_text(const struct summary_part *part)
{
	return span_eq(part->type, SPAN("TEXT"));
}

static enum verdict binary(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	const struct fetch_item *item = item_of(st);
	const struct fetch_section *sec = &item->section;
	bool is_size = item->kind == FETCH_BINARY_SIZE;
	struct summary_part part;
	uint32_t index;
	enum err rc = section_binary(st->summary, sec->path, sec->n_path, &index);

	if (rc != ERR_OK) {
		buf_puts(&st->line, is_size ? "0" : "NIL");
		return CMD_DONE;
	}
	if (index == SUMMARY_NO_PART) /* the whole, as it stands */
		part = (struct summary_part){ .coding = CODING_BINARY,
					      .body_end = st->summary->size };
	else
		summary_part_get(st->summary, index, &part);
	if (index == SUMMARY_NO_PART && is_size) {
		buf_put_u64(&st->line, st->summary->size);
		return CMD_DONE;
	}
	st->coding = part.coding;
	st->crlf = is_text(&part);
	st->has_nul = false;
	if (part.body_end == part.body_start) {
		buf_puts(&st->line, is_size ? "0" : "\"\"");
		return CMD_DONE;
	}
	decoder_begin(st);
	return read_range(cmd, HOW_COUNT, part.body_start,
			  part.body_end - part.body_start);
}

/* Made at once, LAZY or not: it takes one short read at most (RFC 8970 section 4.1). */
static enum verdict preview(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	uint64_t bytes;

	if (!preview_part(st->summary, &st->part)) {
		buf_puts(&st->line, "\"\"");
		return CMD_DONE;
	}
	bytes = st->part.body_end - st->part.body_start;
	return read_range(cmd, HOW_PREVIEW, st->part.body_start,
			  bytes < PREVIEW_READ ? bytes : PREVIEW_READ);
}

static const char *binary_obstacle(const struct fetch_state *st,
				   const struct fetch_section *sec)
{
	struct summary_part part;
	uint32_t index;

	if (section_binary(st->summary, sec->path, sec->n_path, &index) != ERR_OK ||
	    index == SUMMARY_NO_PART)
		return NULL;
	summary_part_get(st->summary, index, &part);
	return part.coding == CODING_UNKNOWN ? "UNKNOWN-CTE" : NULL;
}

static const char *fields_obstacle(const struct fetch_state *st,
				   const struct fetch_section *sec)
{
	struct section_range r;

	if (sec->n_path == 0 && st->want.n_names && st->content->has_fields)
		return NULL;
	if (section_find(st->summary, sec->path, sec->n_path,
			 (enum section_text)sec->text, &r) != ERR_OK)
		return NULL;
	return r.bytes > HEADER_MAX && !summary_has_fields(st, sec) ? "LIMIT" : NULL;
}

const char *fetch_obstacle(const struct fetch_state *st)
{
	const char *why = NULL;

	for (size_t i = 0; i < st->args.n_items && !why; i++) {
		const struct fetch_item *item = &st->args.items[i];
		const struct fetch_section *sec = &item->section;

		if (item->kind & (FETCH_BINARY | FETCH_BINARY_SIZE))
			why = binary_obstacle(st, sec);
		else if (sec->text == FETCH_TEXT_HEADER_FIELDS ||
			 sec->text == FETCH_TEXT_HEADER_FIELDS_NOT)
			why = fields_obstacle(st, sec);
	}
	return why;
}

enum verdict fetch_content(struct cmd *cmd)
{
	struct fetch_state *st = cmd->state;
	bool is_utf8 = session_is_utf8(cmd->session);

	content_reset(st);
	switch (item_of(st)->kind) {
	case FETCH_ENVELOPE:
		fetch_put_envelope(cmd, st->summary->envelope);
		return CMD_DONE;
	case FETCH_BODY:
		fetch_put_structure(cmd,
				    is_utf8 ? st->summary->body : st->summary->body_rev1);
		return CMD_DONE;
	case FETCH_BODYSTRUCTURE:
		fetch_put_structure(cmd, is_utf8 ? st->summary->structure
						 : st->summary->structure_rev1);
		return CMD_DONE;
	case FETCH_BINARY:
	case FETCH_BINARY_SIZE: return binary(cmd);
	case FETCH_PREVIEW: return preview(cmd);
	default: return section(cmd);
	}
}
