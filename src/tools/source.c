/* What the kinds of sources have in common (source.h). */
#include "tools/source.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/mutf7.h"

enum { KEYWORD_MAX = 255, SUBSCRIPTIONS_LINE = 8192 };

static bool has_cur(const char *path)
{
	struct buf p = { 0 };
	struct stat st;
	bool is_there;

	buf_printf(&p, "%s/cur", path);
	buf_putc(&p, 0);
	is_there = stat(buf_span(&p).p, &st) == 0 && S_ISDIR(st.st_mode);
	buf_done(&p);
	return is_there;
}

bool source_open(const char *path, bool no_unquote, struct source **ret, struct buf *why)
{
	struct stat st;
	struct source *s;
	bool is_ok;

	if (stat(path, &st) != 0) {
		buf_printf(why, "Cannot read %s: %s.", path, strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
		buf_printf(why, "%s is neither a file nor a folder.", path);
		return false;
	}
	s = xcalloc(1, sizeof *s);
	s->path = path;
	s->is_file = S_ISREG(st.st_mode);
	s->no_unquote = no_unquote;
	s->arena = arena_new(NULL);
	s->kind = !s->is_file && has_cur(path) ? &source_maildir : &source_mbox;
	is_ok = s->kind == &source_mbox ? source_mbox_open(s, why)
					: source_maildir_open(s, why);
	if (is_ok)
		*ret = s;
	else
		source_close(s);
	return is_ok;
}

void source_close(struct source *s)
{
	if (!s)
		return;
	if (s->state)
		s->kind->close(s);
	arena_free(s->message);
	arena_free(s->arena);
	free(s);
}

const char *source_kind_name(const struct source *s)
{
	return s->kind->name;
}

struct source_counts source_counts(const struct source *s)
{
	return s->counts;
}

enum err source_folder(struct source *s, struct span *ret_name, struct buf *why)
{
	return s->kind->folder(s, ret_name, why);
}

enum err source_next(struct source *s, struct source_message *ret, struct buf *why)
{
	arena_free(s->message);
	s->message = arena_new(NULL);
	*ret = (struct source_message){ 0 };
	return s->kind->next(s, ret, why);
}

bool source_pour(struct source *s, bool (*put)(void *arg, struct span bytes), void *arg,
		 struct buf *why)
{
	return s->kind->pour(s, put, arg, why);
}

/* An atom of RFC 9051, so that it can be set. */
static bool is_keyword(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 127 || strchr("(){%*\"\\]", s.p[i]))
			return false;
	return s.n > 0 && s.n <= KEYWORD_MAX;
}

void source_keyword(struct source *s, struct wire_flags *f, struct span name)
{
	struct span *more;

	if (!is_keyword(name)) {
		s->counts.bad_keywords += name.n > 0;
		return;
	}
	for (size_t i = 0; i < f->n_keywords; i++)
		if (span_ieq(f->keywords[i], name))
			return;
	if ((f->n_keywords & (f->n_keywords + 1)) == 0) { /* 0, 1, 3, 7: room doubles */
		more = arena_array(s->message, 2 * f->n_keywords + 1, sizeof *more);
		if (f->n_keywords)
			memcpy(more, f->keywords, f->n_keywords * sizeof *more);
		f->keywords = more;
	}
	f->keywords[f->n_keywords++] = arena_dup(s->message, name);
}

void source_digest(uint8_t ret[SOURCE_KEY], struct span a, struct span b)
{
	uint8_t all[EVP_MAX_MD_SIZE] = { 0 };
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (!c || EVP_DigestInit_ex(c, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(c, a.p, a.n) != 1 || EVP_DigestUpdate(c, "", 1) != 1 ||
	    EVP_DigestUpdate(c, b.p, b.n) != 1 || EVP_DigestFinal_ex(c, all, NULL) != 1)
		abort(); /* without SHA-256 there is no OpenSSL */
	EVP_MD_CTX_free(c);
	memcpy(ret, all, SOURCE_KEY);
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct span source_level(struct arena *a, struct span file)
{
	char *to = arena_alloc(a, file.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < file.n; i++) {
		int hi = i + 2 < file.n && file.p[i] == '%' ? hex(file.p[i + 1]) : -1;
		int lo = hi >= 0 ? hex(file.p[i + 2]) : -1;

		if (lo >= 0 && hi * 16 + lo > 32) {
			to[n++] = (char)(hi * 16 + lo);
			i += 2;
		} else {
			to[n++] = file.p[i];
		}
	}
	return span_of(to, n);
}

/* ---- subscriptions, as Dovecot writes them ---- */

/* A name of version 2 has tabs between its levels; of version 1 it is as on disk. */
static void one_subscription(struct span line, bool is_v2,
			     void (*each)(void *arg, struct span name), void *arg)
{
	struct buf name = { 0 }, utf8 = { 0 };

	buf_put(&name, line);
	for (size_t i = 0; i < name.n; i++)
		if (name.p[name.off + i] == (is_v2 ? '\t' : '.'))
			name.p[name.off + i] = '/';
	if (mutf7_decode(buf_span(&name), &utf8) == ERR_OK)
		each(arg, buf_span(&utf8));
	else
		each(arg, buf_span(&name));
	buf_done(&name);
	buf_done(&utf8);
}

void source_subscriptions(struct source *s, void (*each)(void *arg, struct span name),
			  void *arg)
{
	char line[SUBSCRIPTIONS_LINE];
	const char *path = arena_printf(s->arena, "%s/subscriptions", s->path);
	FILE *f = s->is_file ? NULL : fopen(path, "re");
	bool is_v2 = false;

	while (f && fgets(line, sizeof line, f)) {
		struct span text = span_str(line);

		if (!span_ends(text, SPAN("\n")))
			continue;
		text.n--;
		if (span_eq(text, SPAN("V\t2")))
			is_v2 = true;
		else if (text.n)
			one_subscription(text, is_v2, each, arg);
	}
	if (f)
		fclose(f);
}
