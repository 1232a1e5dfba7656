/* Responses: status lines both ways, words, response codes, searches (RFC 9051 section
 * 7). */
#include "wire/response.h"
#include "wire/grow.h"

/* Everything up to the CRLF that ends the frame. */
static struct span rest_of_line(struct cursor *c)
{
	struct span s;

	if (c->bad || c->in.n - c->at < 2) {
		cursor_fail(c, "the end of the line was expected");
		return SPAN_NONE;
	}
	s = span_sub(c->in, c->at, c->in.n - c->at - 2);
	c->at += s.n;
	return s;
}

/* The "]" of a response code that starts behind `from`; strings may hold brackets. */
static ptrdiff_t code_end(struct span line, size_t from)
{
	bool is_quoted = false;

	for (size_t i = from; i < line.n; i++) {
		if (is_quoted && line.p[i] == '\\')
			i++;
		else if (line.p[i] == '"')
			is_quoted = !is_quoted;
		else if (line.p[i] == ']' && !is_quoted)
			return (ptrdiff_t)i;
	}
	return -1;
}

/* resp-text; a "[" without its "]" is taken for text. */
static void resp_text(struct span line, struct response *r)
{
	ptrdiff_t end = line.n > 0 && line.p[0] == '[' ? code_end(line, 1) : -1;
	struct span code;
	ptrdiff_t sp;

	r->text = line;
	if (end < 0)
		return;
	code = span_sub(line, 1, (size_t)end - 1);
	sp = span_find(code, ' ');
	r->code_name = sp < 0 ? code : span_sub(code, 0, (size_t)sp);
	r->code_args = sp < 0 ? SPAN_NONE : span_sub(code, (size_t)sp + 1, code.n);
	r->code = code_of(r->code_name);
	r->text = span_sub(line, (size_t)end + 1, line.n);
	if (r->text.n > 0 && r->text.p[0] == ' ')
		r->text = span_sub(r->text, 1, r->text.n);
}

static bool status_read(struct cursor *c, struct response *r)
{
	if (!cursor_at_end(c))
		cursor_sp(c);
	resp_text(rest_of_line(c), r);
	return cursor_end(c);
}

static bool tagged_read(struct cursor *c, struct response *r)
{
	r->kind = RESPONSE_TAGGED;
	r->tag = cursor_tag(c);
	cursor_sp(c);
	r->cond = cond_of(cursor_atom(c));
	if (r->cond == COND_NONE || r->cond > COND_BAD)
		return cursor_fail(c, "OK, NO or BAD was expected");
	return status_read(c, r);
}

static bool untagged_read(struct cursor *c, struct response *r)
{
	int ch = cursor_peek(c);

	if (ch >= '0' && ch <= '9') {
		r->has_number = true;
		r->number = cursor_number(c);
		cursor_sp(c);
	}
	r->name = cursor_atom(c);
	if (c->bad || r->has_number)
		return !c->bad;
	r->cond = cond_of(r->name);
	return r->cond == COND_NONE || status_read(c, r);
}

bool cursor_response(struct cursor *c, struct response *ret_response)
{
	struct response r = { .kind = RESPONSE_UNTAGGED };
	bool ok;

	if (cursor_try_char(c, '+')) {
		r.kind = RESPONSE_CONTINUE;
		cursor_try_sp(c);
		r.text = rest_of_line(c);
		ok = cursor_end(c);
	} else if (cursor_try_char(c, '*')) {
		ok = cursor_sp(c) && untagged_read(c, &r);
	} else {
		ok = tagged_read(c, &r);
	}
	if (ok)
		*ret_response = r;
	return ok;
}

bool cursor_next_word(struct cursor *c, struct span *ret_word)
{
	size_t from;

	/* A space before the end is forgiven: CAPABILITY lines have it. */
	if (!cursor_try_sp(c) || cursor_at_end(c))
		return false;
	from = c->at;
	while (c->at < c->in.n && (unsigned char)c->in.p[c->at] > 0x20)
		c->at++;
	if (c->at == from)
		return cursor_fail(c, "a word was expected");
	*ret_word = span_sub(c->in, from, c->at - from);
	return true;
}

bool wire_words_have(struct span words, const char *word)
{
	for (size_t i = 0; i < words.n;) {
		size_t n = 0;

		while (i + n < words.n && words.p[i + n] != ' ')
			n++;
		if (span_ieq(span_sub(words, i, n), span_str(word)))
			return true;
		i += n + 1;
	}
	return false;
}

bool code_appenduid(struct span code_args, uint32_t *ret_uidvalidity, struct numset *uids)
{
	struct cursor c = cursor_of(code_args, false, NULL);
	uint32_t v = cursor_nz_number(&c);

	cursor_sp(&c);
	if (!cursor_uid_set(&c, uids) || !cursor_rest_empty(&c))
		return false;
	*ret_uidvalidity = v;
	return true;
}

bool code_copyuid(struct arena *a, struct span code_args, uint32_t *ret_uidvalidity,
		  struct seqset *ret_from, struct seqset *ret_to)
{
	struct cursor c = cursor_of(code_args, false, a);
	struct seqset from = { 0 }, to = { 0 };
	uint32_t v = cursor_nz_number(&c);

	cursor_sp(&c);
	cursor_sequence_set(&c, &from);
	cursor_sp(&c);
	cursor_sequence_set(&c, &to);
	if (!cursor_rest_empty(&c) || from.saved || to.saved || seqset_has_star(&from) ||
	    seqset_has_star(&to))
		return false;
	*ret_uidvalidity = v;
	*ret_from = from;
	*ret_to = to;
	return true;
}

bool code_number(struct span code_args, uint64_t *ret_number)
{
	return span_u64(code_args, INT64_MAX, ret_number);
}

/* "(MODSEQ n)" behind the numbers (RFC 7162 section 3.1.5) */
static uint64_t modseq_read(struct cursor *c)
{
	uint64_t v;

	cursor_list_open(c);
	cursor_word(c, "MODSEQ");
	cursor_sp(c);
	v = cursor_number64(c);
	cursor_list_close(c);
	return v;
}

bool cursor_search_response(struct cursor *c, struct numset *set, uint64_t *ret_modseq)
{
	uint64_t modseq = 0;

	/* As with CAPABILITY, a space before the end is forgiven. */
	while (cursor_try_sp(c) && !cursor_at_end(c)) {
		uint32_t v;

		if (cursor_peek(c) == '(') {
			modseq = modseq_read(c);
			break;
		}
		v = cursor_nz_number(c);
		if (v)
			numset_add(set, v);
	}
	if (!c->bad)
		*ret_modseq = modseq;
	return !c->bad;
}

static void esearch_item(struct cursor *c, struct esearch_response *r, struct numset *set)
{
	if (cursor_try_word(c, "MIN")) {
		cursor_sp(c);
		r->has_min = true;
		r->min = cursor_nz_number(c);
	} else if (cursor_try_word(c, "MAX")) {
		cursor_sp(c);
		r->has_max = true;
		r->max = cursor_nz_number(c);
	} else if (cursor_try_word(c, "ALL")) {
		cursor_sp(c);
		r->has_all = true;
		cursor_uid_set(c, set);
	} else if (cursor_try_word(c, "COUNT")) {
		cursor_sp(c);
		r->has_count = true;
		r->count = cursor_number(c);
	} else if (cursor_try_word(c, "MODSEQ")) {
		cursor_sp(c);
		r->modseq = cursor_number64(c);
	} else if (r->other.n >= WIRE_PARAMS_MAX) {
		cursor_fail(c, "there are too many items");
	} else {
		struct wire_param p;

		if (cursor_param(c, &p))
			*WIRE_PUSH(c->arena, r->other.v, r->other.n) = p;
	}
}

/* "(" "TAG" SP tag-string ")" */
static void correlator_read(struct cursor *c, struct esearch_response *r)
{
	cursor_list_open(c);
	cursor_word(c, "TAG");
	cursor_sp(c);
	r->tag = cursor_astring(c);
	cursor_list_close(c);
}

bool cursor_esearch_response(struct cursor *c, struct esearch_response *ret_result,
			     struct numset *set)
{
	struct esearch_response r = { 0 };
	bool is_first = true;

	while (cursor_try_sp(c)) {
		if (is_first && cursor_peek(c) == '(')
			correlator_read(c, &r);
		else if (!r.uid && cursor_try_word(c, "UID"))
			r.uid = true;
		else
			esearch_item(c, &r, set);
		is_first = false;
	}
	if (!c->bad)
		*ret_result = r;
	return !c->bad;
}

void emit_esearch_response(struct buf *out, struct emit_mode m,
			   const struct esearch_response *r, const struct numset *all)
{
	buf_puts(out, "* ESEARCH");
	if (r->tag.p) {
		/* RFC 4466 has a string here, RFC 9051 an astring: a string is both. */
		buf_puts(out, " (TAG ");
		emit_string(out, m, r->tag);
		buf_putc(out, ')');
	}
	if (r->uid)
		buf_puts(out, " UID");
	if (r->has_min)
		buf_printf(out, " MIN %u", r->min);
	if (r->has_max)
		buf_printf(out, " MAX %u", r->max);
	if (r->has_all && all->n > 0) {
		buf_puts(out, " ALL ");
		numset_print(all, out);
	}
	if (r->has_count)
		buf_printf(out, " COUNT %u", r->count);
	if (r->modseq)
		buf_printf(out, " MODSEQ %llu", (unsigned long long)r->modseq);
	emit_params(out, &r->other, false);
	buf_puts(out, "\r\n");
}

static void put_text(struct buf *out, struct emit_mode m, struct span text)
{
	bool keep = m.utf8 && wire_is_utf8(text);

	for (size_t i = 0; i < text.n; i++) {
		char ch = text.p[i];
		bool is_bad = ch == '\r' || ch == '\n' || ch == '\0' ||
			      ((ch & 0x80) && !keep);

		buf_putc(out, is_bad ? ' ' : ch);
	}
}

void emit_status_line(struct buf *out, struct emit_mode m, struct span tag,
		      enum cond cond, const char *code, struct span text)
{
	buf_put(out, tag.n > 0 ? tag : SPAN("*"));
	buf_putc(out, ' ');
	buf_puts(out, cond_name(cond));
	buf_putc(out, ' ');
	if (code)
		buf_printf(out, "[%s] ", code);
	put_text(out, m, text);
	buf_puts(out, "\r\n");
}

void emit_continue(struct buf *out, struct span text)
{
	buf_puts(out, "+ ");
	put_text(out, (struct emit_mode){ 0 }, text);
	buf_puts(out, "\r\n");
}
