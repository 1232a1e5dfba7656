/* Scripts of `mailstile act run` (act_script.h). */
#include <stdio.h>
#include "tools/act_options.h"
#include "tools/act_script.h"

#define SCRIPT_LINES 10000

/* They change the user or the connection, which is ours to do (RFC 8437), or
 * answer with a continuation that no script can wait for. */
static const char *const refused[] = {
	"AUTHENTICATE", "COMPRESS", "IDLE",	      "LOGIN",
	"LOGOUT",	"STARTTLS", "UNAUTHENTICATE",
};

struct walk {
	struct span rest;
	bool in_quotes;
};

enum stretch { STRETCH_END, STRETCH_TEXT, STRETCH_USER, STRETCH_FILE, STRETCH_BAD };

/* The next stretch of a line. STRETCH_USER: %u; its text is unset. */
static enum stretch next_stretch(struct walk *w, bool *ret_quoted, struct span *ret)
{
	struct span s = w->rest;
	size_t n = 0;

	*ret_quoted = w->in_quotes;
	if (s.n == 0)
		return w->in_quotes ? STRETCH_BAD : STRETCH_END;
	if (span_starts(s, SPAN("%u"))) {
		w->rest = span_sub(s, 2, s.n);
		return STRETCH_USER;
	}
	if (span_starts(s, SPAN("%%"))) {
		*ret = span_sub(s, 0, 1);
		w->rest = span_sub(s, 2, s.n);
		return STRETCH_TEXT;
	}
	if (s.p[0] == '{' && !w->in_quotes) {
		ptrdiff_t end = span_find(s, '}');
		if (end < 3 || s.p[1] != '<')
			return STRETCH_BAD;
		*ret = span_sub(s, 2, (size_t)end - 2);
		w->rest = span_sub(s, (size_t)end + 1, s.n);
		return STRETCH_FILE;
	}
	for (n = 0; n < s.n; n++) {
		if (n && s.p[n] == '%')
			break;
		if (s.p[n] == '{' && !w->in_quotes)
			break;
		if (s.p[n] == '\\' && w->in_quotes && n + 1 < s.n)
			n++;
		else if (s.p[n] == '"')
			w->in_quotes = !w->in_quotes;
	}
	*ret = span_sub(s, 0, n);
	w->rest = span_sub(s, n, s.n);
	return STRETCH_TEXT;
}

static bool check(struct span text, unsigned number, struct buf *why)
{
	ptrdiff_t sp = span_find(text, ' ');
	struct span verb = sp < 0 ? text : span_sub(text, 0, (size_t)sp);

	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (span_ieq(verb, span_str(refused[i]))) {
			buf_printf(why, "line %u: %s is not for scripts", number,
				   refused[i]);
			return false;
		}
	for (size_t i = 0; i < verb.n; i++)
		if (!((verb.p[i] | 0x20) >= 'a' && (verb.p[i] | 0x20) <= 'z') &&
		    verb.p[i] != '-') {
			buf_printf(why, "line %u: no command; tags are added", number);
			return false;
		}
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f) {
			buf_printf(why, "line %u: control character", number);
			return false;
		}
	struct walk w = { .rest = text };
	enum stretch kind;
	struct span s;
	bool quoted;
	while ((kind = next_stretch(&w, &quoted, &s)) != STRETCH_END)
		if (kind == STRETCH_BAD) {
			buf_printf(why,
				   w.rest.n ? "line %u: a literal is written {<FILE}"
					    : "line %u: a quote does not end",
				   number);
			return false;
		}
	return true;
}

enum err script_parse(struct arena *a, struct span text, struct script *ret_script,
		      struct buf *why)
{
	size_t lines = 1;
	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	struct script s = { .line = arena_array(a, lines, sizeof *s.line) };
	unsigned number = 0, group = 0;
	bool is_gap = false;

	while (text.n) {
		ptrdiff_t nl = span_find(text, '\n');
		struct span line = nl < 0 ? text : span_sub(text, 0, (size_t)nl);
		text = nl < 0 ? SPAN_NONE : span_sub(text, (size_t)nl + 1, text.n);
		line = span_trim(line);
		number++;
		if (line.n == 0)
			is_gap = s.n > 0;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (!check(line, number, why))
			return ERR_INVAL;
		if (s.n == SCRIPT_LINES) {
			buf_printf(why, "more than %d commands", SCRIPT_LINES);
			return ERR_TOOBIG;
		}
		group += is_gap;
		is_gap = false;
		s.line[s.n++] = (struct script_line){ arena_dup(a, line), number, group };
	}
	if (s.n == 0) {
		buf_puts(why, "it holds no command");
		return ERR_INVAL;
	}
	*ret_script = s;
	return ERR_OK;
}

static bool is_atom(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= 0x20 || (unsigned char)s.p[i] >= 0x7f ||
		    strchr("(){%*\"\\]", s.p[i]))
			return false;
	return s.n > 0;
}

static void put_user(struct buf *out, struct span user, bool in_quotes)
{
	bool add_quotes = !in_quotes && !is_atom(user);

	if (add_quotes)
		buf_putc(out, '"');
	for (size_t i = 0; i < user.n; i++) {
		if ((in_quotes || add_quotes) && (user.p[i] == '"' || user.p[i] == '\\'))
			buf_putc(out, '\\');
		buf_putc(out, user.p[i]);
	}
	if (add_quotes)
		buf_putc(out, '"');
}

static void add_text(struct arena *a, struct script_piece *pieces, size_t *n,
		     struct buf *text)
{
	if (text->n)
		pieces[(*n)++].text = arena_dup(a, buf_span(text));
	buf_truncate(text, 0);
}

size_t script_expand(struct arena *a, const struct script_line *line, struct span user,
		     struct script_piece **ret_pieces)
{
	size_t n = 0, files = 0;
	struct buf text = { 0 }, name = { 0 };
	struct walk w = { .rest = line->text };
	enum stretch kind;
	struct span s;
	bool quoted;

	for (size_t i = 0; i < line->text.n; i++)
		files += line->text.p[i] == '{';
	struct script_piece *pieces = arena_array(a, files * 2 + 1, sizeof *pieces);
	while ((kind = next_stretch(&w, &quoted, &s)) != STRETCH_END) {
		if (kind == STRETCH_TEXT) {
			buf_put(&text, s);
		} else if (kind == STRETCH_USER) {
			put_user(&text, user, quoted);
		} else if (kind == STRETCH_FILE) {
			struct buf safe = { 0 };
			act_path_component(user, &safe);
			buf_clear(&name);
			act_expand(arena_dup(a, s).p, buf_span(&safe), &name);
			add_text(a, pieces, &n, &text);
			pieces[n++] =
			    (struct script_piece){ arena_dup(a, buf_span(&name)), true };
			buf_done(&safe);
		} else {
			break; /* script_parse refused it */
		}
	}
	add_text(a, pieces, &n, &text);
	buf_done(&text);
	buf_done(&name);
	*ret_pieces = pieces;
	return n;
}
