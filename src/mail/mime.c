/* MIME header fields and lexical pieces (RFC 2045 section 5, RFC 2183, RFC 5322 3.2). */
#include "mail/mime.h"

static char at(struct span s, size_t i)
{
	return i < s.n ? s.p[i] : '\0';
}

static void skip(struct span *in, size_t n)
{
	*in = span_sub(*in, n, in->n);
}

bool lex_is_wsp(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool lex_is_token(char c)
{
	if ((unsigned char)c >= 0x80)
		return true;
	return c > ' ' && c < 0x7f && !strchr("()<>@,;:\\\"/[]?=", c);
}

bool lex_is_atext(char c)
{
	if ((unsigned char)c >= 0x80)
		return true;
	return c > ' ' && c < 0x7f && !strchr("()<>[]:;@\\,.\"", c);
}

/* One comment, at its "("; nesting is counted, not recursed into. */
static void take_comment(struct span *in, struct buf *comment)
{
	size_t depth = 0;

	if (comment)
		buf_clear(comment);
	while (in->n > 0) {
		char c = in->p[0];
		bool is_text = depth > 0;

		skip(in, 1);
		if (c == '(') {
			depth++;
		} else if (c == ')') {
			if (--depth == 0)
				return;
		} else if (c == '\\' && in->n > 0) {
			c = in->p[0];
			skip(in, 1);
		} else if (c == '\r' || c == '\n') {
			is_text = false;
		}
		if (comment && is_text)
			buf_putc(comment, c);
	}
}

void lex_cfws(struct span *in, struct buf *comment)
{
	while (in->n > 0) {
		if (in->p[0] == '(')
			take_comment(in, comment);
		else if (lex_is_wsp(in->p[0]))
			skip(in, 1);
		else
			return;
	}
}

void lex_quoted(struct span *in, struct buf *out)
{
	skip(in, 1);
	while (in->n > 0) {
		char c = in->p[0];

		skip(in, 1);
		if (c == '"')
			return;
		if (c == '\\' && in->n > 0) {
			c = in->p[0];
			skip(in, 1);
		}
		if (c == '\n' || (c == '\r' && at(*in, 0) == '\n'))
			continue;
		buf_putc(out, c);
	}
}

static struct span take_token(struct span *in)
{
	size_t n = 0;

	while (n < in->n && lex_is_token(in->p[n]))
		n++;
	struct span token = span_sub(*in, 0, n);

	skip(in, n);
	return token;
}

/*
 * A value without quotes ought to be a token. In mail it may hold anything up to
 * the next ";", space or comment: "name=a/b", "boundary==_x".
 */
static struct span take_bare_value(struct span *in)
{
	size_t n = 0;

	while (n < in->n && in->p[n] != ';' && in->p[n] != '"' && !lex_is_wsp(in->p[n]) &&
	       in->p[n] != '(')
		n++;
	struct span value = span_sub(*in, 0, n);

	skip(in, n);
	return value;
}

/* To the next ";" outside of quoted strings and comments, and over it. */
static void skip_to_semicolon(struct span *in)
{
	struct buf dropped = { 0 };

	while (in->n > 0 && in->p[0] != ';') {
		if (in->p[0] == '"')
			lex_quoted(in, &dropped);
		else if (in->p[0] == '(')
			take_comment(in, NULL);
		else
			skip(in, 1);
		buf_clear(&dropped);
	}
	buf_done(&dropped);
	skip(in, 1);
}

/* attribute "=" value; false when it is none. */
static bool take_param(struct arena *a, struct span *in, struct mime_param *ret_param)
{
	lex_cfws(in, NULL);
	ret_param->name = take_token(in);
	lex_cfws(in, NULL);
	if (ret_param->name.n == 0 || at(*in, 0) != '=')
		return false;
	skip(in, 1);
	lex_cfws(in, NULL);
	if (at(*in, 0) == '"') {
		struct buf text = { 0 };

		lex_quoted(in, &text);
		ret_param->value = arena_dup(a, buf_span(&text));
		buf_done(&text);
		return true;
	}
	ret_param->value = take_bare_value(in);
	return true;
}

/* The ";" between parameters is forgotten often enough to do without. */
static void take_params(struct arena *a, struct span *in, struct mime_value *v)
{
	struct mime_param found[MIME_MAX_PARAMS];
	size_t n = 0;

	while (in->n > 0 && n < MIME_MAX_PARAMS) {
		struct span after = *in;

		if (take_param(a, &after, &found[n])) {
			*in = after;
			n++;
		} else {
			skip_to_semicolon(in);
		}
	}
	v->params = arena_array(a, n, sizeof *v->params);
	v->n_params = n;
	if (n > 0)
		memcpy(v->params, found, n * sizeof *found);
}

bool mime_content_type(struct arena *a, struct span value, struct mime_value *ret_value)
{
	struct mime_value v = { 0 };

	lex_cfws(&value, NULL);
	v.type = take_token(&value);
	lex_cfws(&value, NULL);
	if (v.type.n == 0 || at(value, 0) != '/')
		return false;
	skip(&value, 1);
	lex_cfws(&value, NULL);
	v.subtype = take_token(&value);
	if (v.subtype.n == 0)
		return false;
	take_params(a, &value, &v);
	*ret_value = v;
	return true;
}

bool mime_disposition(struct arena *a, struct span value, struct mime_value *ret_value)
{
	struct mime_value v = { 0 };

	lex_cfws(&value, NULL);
	v.type = take_token(&value);
	if (v.type.n == 0)
		return false;
	take_params(a, &value, &v);
	*ret_value = v;
	return true;
}

struct span mime_token(struct arena *a, struct span value)
{
	lex_cfws(&value, NULL);
	if (at(value, 0) == '"') {
		struct buf text = { 0 };

		/* "quoted-printable" in quotes is seen in mail */
		lex_quoted(&value, &text);
		struct span s = arena_dup(a, span_trim(buf_span(&text)));

		buf_done(&text);
		return s;
	}
	size_t n = 0;

	while (n < value.n && !lex_is_wsp(value.p[n]) && value.p[n] != '(' &&
	       value.p[n] != ';')
		n++;
	return span_sub(value, 0, n);
}

size_t mime_languages(struct arena *a, struct span value, struct span **ret_tags)
{
	struct span tags[MIME_MAX_PARAMS];
	size_t n = 0;

	while (value.n > 0 && n < MIME_MAX_PARAMS) {
		lex_cfws(&value, NULL);
		struct span tag = take_token(&value);

		if (tag.n > 0)
			tags[n++] = tag;
		else
			skip(&value, 1);
	}
	*ret_tags = arena_array(a, n, sizeof **ret_tags);
	if (n > 0)
		memcpy(*ret_tags, tags, n * sizeof *tags);
	return n;
}

const struct mime_param *mime_param_find(const struct mime_value *v, struct span name)
{
	for (size_t i = 0; i < v->n_params; i++) {
		if (span_ieq(v->params[i].name, name))
			return &v->params[i];
	}
	return NULL;
}
