/* Address lists (RFC 5322 sections 3.4 and 4.4), forgiving. */
#include "mail/address.h"

#include "mail/mime.h"

#define NAME_LOOK 512 /* bytes of a name with "@" in it, looked for its "<" */

/* The text before "<", "@", ":" or the end of an address, read in two ways. */
struct words {
	struct buf phrase;	/* words with one space between: a display name */
	struct buf local;	/* the last run without space: a local part */
	size_t before_local;	/* bytes of phrase before that run */
	size_t n_words;		/* how many runs */
	bool after_dot, joined; /* the next word goes on with the run */
};

struct parser {
	struct arena *a;
	struct span in;
	struct address_list *list;
	struct words words;
	struct buf comment;
	bool is_in_group;
};

static char next(const struct parser *p)
{
	return p->in.n > 0 ? p->in.p[0] : '\0';
}

static bool next_is(const struct parser *p, const char *set)
{
	return p->in.n > 0 && p->in.p[0] && strchr(set, p->in.p[0]);
}

static void skip(struct parser *p, size_t n)
{
	p->in = span_sub(p->in, n, p->in.n);
}

static struct span keep(struct parser *p, struct span s)
{
	return arena_dup(p->a, s);
}

static void emit(struct parser *p, struct address addr)
{
	struct address_list *l = p->list;

	if (l->n >= ADDRESS_MAX)
		return;
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 4;
		struct address *v = arena_array(p->a, cap, sizeof *v);

		if (l->n > 0)
			memcpy(v, l->v, l->n * sizeof *v);
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = addr;
}

/*
 * Bytes of an encoded word that stands here (RFC 2047 section 2), 0 if none does. Many
 * senders leave a comma or such in one, which must not cut the address.
 */
static size_t encoded_word_bytes(struct span s)
{
	unsigned marks = 0;

	if (!span_starts(s, SPAN("=?")))
		return 0;
	s = span_sub(s, 0, 2048); /* else many "=?" take quadratic time */
	for (size_t i = 2; i < s.n && !lex_is_wsp(s.p[i]) && s.p[i] != '"'; i++) {
		if (s.p[i] != '?')
			continue;
		if (++marks == 3)
			return i + 1 < s.n && s.p[i + 1] == '=' ? i + 2 : 0;
	}
	return 0;
}

static void words_clear(struct words *w)
{
	buf_clear(&w->phrase);
	buf_clear(&w->local);
	w->before_local = w->n_words = 0;
	w->after_dot = w->joined = false;
}

static void words_add(struct words *w, struct span text, bool has_space_before)
{
	if (w->n_words == 0 || (has_space_before && !w->after_dot && !w->joined)) {
		buf_clear(&w->local);
		w->before_local = w->phrase.n;
		w->n_words++;
	}
	if (w->phrase.n > 0 && has_space_before)
		buf_putc(&w->phrase, ' ');
	buf_put(&w->phrase, text);
	buf_put(&w->local, text);
	w->joined = false;
}

/* An atom, taken generously: what is special nowhere here is part of it; one byte at
 * least. */
static struct span take_atom(struct parser *p, const char *specials)
{
	size_t n = encoded_word_bytes(p->in);

	if (n == 0) {
		while (n < p->in.n && !lex_is_wsp(p->in.p[n]) &&
		       !(p->in.p[n] && strchr(specials, p->in.p[n])))
			n++;
	}
	struct span atom = span_sub(p->in, 0, n > 0 ? n : 1);

	skip(p, atom.n);
	return atom;
}

static bool skip_cfws(struct parser *p)
{
	size_t before = p->in.n;

	lex_cfws(&p->in, &p->comment);
	return p->in.n != before;
}

/* Reads words up to one of `stops`, which is left there. */
static void take_words(struct parser *p, const char *stops)
{
	struct words *w = &p->words;
	bool space = skip_cfws(p);

	while (p->in.n > 0 && !next_is(p, stops)) {
		if (next(p) == '"') {
			struct buf text = { 0 };

			lex_quoted(&p->in, &text);
			words_add(w, buf_span(&text), space);
			buf_done(&text);
			w->after_dot = false;
		} else if (next(p) == '.') {
			/* "a . b" is one local part (obs-local-part), and
			 * "J. Doe" a phrase (obs-phrase) */
			w->joined = true;
			words_add(w, SPAN("."), space);
			w->after_dot = true;
			skip(p, 1);
		} else if (next_is(p, ">)")) {
			skip(p, 1);
		} else {
			words_add(w, take_atom(p, ".\"(),:;<>@"), space);
			w->after_dot = false;
		}
		space = skip_cfws(p);
	}
}

/* A domain without its comments and space; stops at what cannot go on with it. */
static struct span take_domain(struct parser *p)
{
	struct buf text = { 0 };
	bool is_open = true; /* the next atom belongs to it */

	lex_cfws(&p->in, &p->comment);
	while (p->in.n > 0 && !next_is(p, ",;:<>\"")) {
		if (next(p) == '.') {
			buf_putc(&text, '.');
			skip(p, 1);
			is_open = true;
		} else if (!is_open) {
			break;
		} else if (next(p) == '[') {
			ptrdiff_t end = span_find(p->in, ']');
			size_t n = end < 0 ? p->in.n : (size_t)end + 1;

			for (size_t i = 0; i < n; i++) {
				if (!lex_is_wsp(p->in.p[i]))
					buf_putc(&text, p->in.p[i]);
			}
			skip(p, n);
			is_open = false;
		} else if (next(p) == ')') {
			skip(p, 1);
		} else {
			buf_put(&text, take_atom(p, ".\"(),:;<>["));
			is_open = false;
		}
		lex_cfws(&p->in, &p->comment);
	}
	struct span domain = keep(p, buf_span(&text));

	buf_done(&text);
	return domain;
}

/* "@a,@b:" in front of an address in brackets (obs-route). */
static struct span take_route(struct parser *p)
{
	struct buf route = { 0 };
	struct span ret = SPAN_NONE;

	while (next_is(p, "@,")) {
		bool is_at = next(p) == '@';

		skip(p, 1);
		if (is_at) {
			if (route.n > 0)
				buf_putc(&route, ',');
			buf_putc(&route, '@');
			buf_put(&route, take_domain(p));
		}
		lex_cfws(&p->in, &p->comment);
	}
	if (next(p) == ':')
		skip(p, 1);
	if (route.n > 0)
		ret = keep(p, buf_span(&route));
	buf_done(&route);
	return ret;
}

/* To the next separator or "<", over quotes and comments. */
static void skip_rest(struct parser *p, const char *stops)
{
	struct buf dropped = { 0 };

	while (p->in.n > 0 && !next_is(p, stops)) {
		if (next(p) == '"')
			lex_quoted(&p->in, &dropped);
		else if (next(p) == '(')
			lex_cfws(&p->in, &p->comment);
		else
			skip(p, 1);
		buf_clear(&dropped);
	}
	buf_done(&dropped);
}

static void use_comment(struct parser *p, struct address *addr)
{
	struct span text = span_trim(buf_span(&p->comment));

	/* "joe@example.org (Joe Doe)": RFC 5322 section 3.4 calls the comment
	 * unspecified, but it is where old mail has the name, and what other
	 * servers put there. */
	if (!addr->name.p && text.n > 0)
		addr->name = keep(p, text);
}

/* At "<": the address in brackets; `name` stands before it. */
static void take_angle(struct parser *p, struct span name)
{
	struct address addr = { .kind = ADDRESS_MAILBOX, .host = SPAN("") };

	if (name.n > 0)
		addr.name = keep(p, name);
	words_clear(&p->words);
	skip(p, 1);
	lex_cfws(&p->in, &p->comment);
	if (next(p) == '@')
		addr.route = take_route(p);
	take_words(p, "@>,;<");
	addr.mailbox = keep(p, buf_span(&p->words.local));
	if (p->words.n_words > 1)
		addr.mailbox = keep(p, buf_span(&p->words.phrase));
	if (next(p) == '@') {
		skip(p, 1);
		addr.host = take_domain(p);
	}
	skip_rest(p, ",;>");
	if (next(p) == '>')
		skip(p, 1);
	skip_rest(p, ",;");
	use_comment(p, &addr);
	emit(p, addr);
}

/* At "@": an address without brackets, unless a "<" shows it was a name. */
static void take_bare(struct parser *p, struct span whole)
{
	struct words *w = &p->words;
	struct address addr = { .kind = ADDRESS_MAILBOX };
	struct span behind;

	addr.mailbox = keep(p, buf_span(&w->local));
	if (w->before_local > 0)
		addr.name = keep(p, span_sub(buf_span(&w->phrase), 0, w->before_local));
	skip(p, 1);
	addr.host = take_domain(p);
	use_comment(p, &addr);
	behind = p->in;
	/* a bounded look, as it may be repeated at each of the next words */
	p->in = span_sub(behind, 0, NAME_LOOK);
	skip_rest(p, ",;<");
	p->in = span_sub(behind, (size_t)(p->in.p - behind.p), behind.n);
	if (next(p) == '<') {
		/* joe@example.org <joe@example.org> */
		size_t n = (size_t)(p->in.p - whole.p);

		take_angle(p, span_trim(span_sub(whole, 0, n)));
		return;
	}
	/* "a@example.org b@example.org": the comma was forgotten */
	if (behind.n > 0 && (behind.p[0] == '"' || lex_is_atext(behind.p[0])))
		p->in = behind;
	else
		skip_rest(p, ",;");
	emit(p, addr);
}

/* Words and nothing else: a local name, or a display name without address. */
static void take_plain(struct parser *p)
{
	struct words *w = &p->words;
	struct address addr = { .kind = ADDRESS_MAILBOX,
				.mailbox = SPAN(""),
				.host = SPAN("") };

	if (w->n_words == 0)
		return;
	if (w->n_words == 1) {
		addr.mailbox = keep(p, buf_span(&w->local));
		use_comment(p, &addr);
	} else {
		addr.name = keep(p, buf_span(&w->phrase));
	}
	emit(p, addr);
}

static void end_group(struct parser *p)
{
	if (p->is_in_group)
		emit(p, (struct address){ .kind = ADDRESS_GROUP_END });
	p->is_in_group = false;
}

static void take_one(struct parser *p)
{
	struct span whole = p->in;
	struct address group = { .kind = ADDRESS_GROUP };

	words_clear(&p->words);
	buf_clear(&p->comment);
	take_words(p, ",;:<@");
	switch (next(p)) {
	case '<': take_angle(p, buf_span(&p->words.phrase)); break;
	case '@': take_bare(p, whole); break;
	case ':':
		end_group(p);
		group.mailbox = keep(p, buf_span(&p->words.phrase));
		p->is_in_group = true;
		emit(p, group);
		skip(p, 1);
		return;
	default: take_plain(p); break;
	}
	if (next(p) == ';')
		end_group(p);
	if (next_is(p, ",;"))
		skip(p, 1);
}

void address_parse(struct arena *a, struct span value, struct address_list *list)
{
	struct parser p = { .a = a, .in = value, .list = list };

	/* room for the end of a group that a full list may leave open */
	while (p.in.n > 0 && list->n < ADDRESS_MAX - 2)
		take_one(&p);
	end_group(&p);
	buf_done(&p.words.phrase);
	buf_done(&p.words.local);
	buf_done(&p.comment);
}
