/* Mail from a Maildir with the subfolders of Maildir++ (source.h). */
#include "tools/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/mail_form.h"
#include "wire/mutf7.h"

enum { PIECE = 262144, SMALL = 1 << 20, KEYWORDS = 26 };

struct dir {
	const char *path;
	struct span name;
	uint64_t bytes;
};

struct name {
	char *file; /* "cur/..." */
};

struct maildir {
	struct dir *at;
	size_t n, cap, next;
	uint64_t read_before, read_here;
	struct name *names; /* of the folder in hand */
	size_t n_names, cap_names, next_name;
	struct span keyword[KEYWORDS];
	struct arena *keywords;
	/* the message in hand */
	const char *path;
	int fd;
	uint64_t bytes; /* as kept */
	struct mail_reader reader;
	struct buf text; /* of a small one */
	bool has_text;
	char *piece;
};

/* ---- folders ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "\2e" stands for a dot within a level (Dovecot's listescape). */
static void unescape(struct buf *name)
{
	char *p = name->p + name->off;
	size_t n = 0;

	for (size_t i = 0; i < name->n; i++) {
		int hi = p[i] == '\\' && i + 2 < name->n ? hex(p[i + 1]) : -1;
		int lo = hi >= 0 ? hex(p[i + 2]) : -1;

		if (lo >= 0 && hi * 16 + lo > 32) {
			p[n++] = (char)(hi * 16 + lo);
			i += 2;
		} else {
			p[n++] = p[i];
		}
	}
	buf_truncate(name, n);
}

/* ".Work.2024" -> "Work/2024" */
static struct span folder_name(struct arena *a, const char *file)
{
	struct buf name = { 0 }, utf8 = { 0 };
	struct span ret;

	buf_puts(&name, file + 1);
	for (size_t i = 0; i < name.n; i++)
		if (name.p[name.off + i] == '.')
			name.p[name.off + i] = '/';
	unescape(&name);
	if (mutf7_decode(buf_span(&name), &utf8) != ERR_OK)
		buf_put(&utf8,
			buf_span(&name)); /* UTF-8 as it is, as some servers write */
	ret = arena_dup(a, buf_span(&utf8));
	buf_done(&name);
	buf_done(&utf8);
	return ret;
}

static uint64_t measure(struct source *s, const char *path)
{
	static const char *const parts[] = { "new", "cur" };
	uint64_t bytes = 0;

	for (int i = 0; i < 2; i++) {
		DIR *d = opendir(arena_printf(s->message, "%s/%s", path, parts[i]));
		const struct dirent *e;
		struct stat st;

		while (d && (e = readdir(d)))
			if (e->d_name[0] != '.' &&
			    fstatat(dirfd(d), e->d_name, &st, 0) == 0 &&
			    S_ISREG(st.st_mode)) {
				bytes += (uint64_t)st.st_size;
				s->counts.files++;
			}
		if (d)
			closedir(d);
	}
	return bytes;
}

static void add_dir(struct source *s, const char *path, struct span name)
{
	struct maildir *m = s->state;

	if (m->n == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 16;
		m->at = xrealloc(m->at, m->cap * sizeof *m->at);
	}
	m->at[m->n] = (struct dir){ path, name, measure(s, path) };
	s->counts.bytes += m->at[m->n++].bytes;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

bool source_maildir_open(struct source *s, struct buf *why)
{
	struct maildir *m = xcalloc(1, sizeof *m);
	struct dirent **list;
	struct stat st;
	int n = scandir(s->path, &list, NULL, by_name);

	s->state = m;
	s->message = arena_new(NULL);
	m->fd = -1;
	m->piece = xcalloc(1, PIECE);
	if (n < 0) {
		buf_printf(why, "Cannot read %s: %s.", s->path, strerror(errno));
		return false;
	}
	add_dir(s, s->path, SPAN("INBOX"));
	for (int i = 0; i < n; i++) {
		const char *file = list[i]->d_name;
		const char *path = arena_printf(s->arena, "%s/%s", s->path, file);

		if (file[0] == '.' && file[1] && strcmp(file, "..") != 0 &&
		    stat(arena_printf(s->message, "%s/cur", path), &st) == 0)
			add_dir(s, path, folder_name(s->arena, file));
		free(list[i]);
	}
	free(list);
	return true;
}

/* ---- a folder ---- */

static void drop_names(struct maildir *m)
{
	for (size_t i = 0; i < m->n_names; i++)
		free(m->names[i].file);
	m->n_names = m->next_name = 0;
}

static void add_name(struct maildir *m, const char *part, const char *file)
{
	size_t n = strlen(part) + strlen(file) + 2;

	if (m->n_names == m->cap_names) {
		m->cap_names = m->cap_names ? 2 * m->cap_names : 256;
		m->names = xrealloc(m->names, m->cap_names * sizeof *m->names);
	}
	m->names[m->n_names].file = xcalloc(1, n);
	snprintf(m->names[m->n_names++].file, n, "%s/%s", part, file);
}

/* In the order of arrival: a name begins with the seconds. */
static int by_arrival(const void *a, const void *b)
{
	const char *x = ((const struct name *)a)->file + 4;
	const char *y = ((const struct name *)b)->file + 4;
	uint64_t i = strtoull(x, NULL, 10), j = strtoull(y, NULL, 10);

	return i < j ? -1 : i > j ? 1 : strcmp(x, y);
}

static void list_part(struct maildir *m, const char *path, const char *part)
{
	struct buf p = { 0 };
	const struct dirent *e;
	DIR *d;

	buf_printf(&p, "%s/%s", path, part);
	buf_putc(&p, 0);
	d = opendir(buf_span(&p).p);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			add_name(m, part, e->d_name);
	if (d)
		closedir(d);
	buf_done(&p);
}

/* dovecot-keywords: "0 name"; the letter is "a" and the number. */
static void read_keywords(struct maildir *m, const char *path)
{
	char line[512];
	FILE *f;

	arena_free(m->keywords);
	m->keywords = arena_new(NULL);
	memset(m->keyword, 0, sizeof m->keyword);
	f = fopen(arena_printf(m->keywords, "%s/dovecot-keywords", path), "re");
	while (f && fgets(line, sizeof line, f)) {
		char *end;
		unsigned long i = strtoul(line, &end, 10);

		if (end > line && *end == ' ' && i < KEYWORDS)
			m->keyword[i] = arena_dup(m->keywords, span_trim(span_str(end)));
	}
	if (f)
		fclose(f);
}

static enum err folder(struct source *s, struct span *ret_name, struct buf *why)
{
	struct maildir *m = s->state;
	const struct dir *d;

	if (m->next)
		m->read_before += m->at[m->next - 1].bytes;
	m->read_here = 0;
	s->counts.read = m->read_before;
	drop_names(m);
	if (m->next == m->n)
		return ERR_NOENT;
	d = &m->at[m->next++];
	list_part(m, d->path, "cur");
	list_part(m, d->path, "new");
	if (m->n_names)
		qsort(m->names, m->n_names, sizeof *m->names, by_arrival);
	read_keywords(m, d->path);
	*ret_name = d->name;
	return ERR_OK;
}

/* ---- a message ---- */

static void read_flags(struct source *s, const char *file, struct wire_flags *f)
{
	static const char letter[] = "SRFTD";
	static const unsigned bits[] = { WIRE_SEEN, WIRE_ANSWERED, WIRE_FLAGGED,
					 WIRE_DELETED, WIRE_DRAFT };
	struct maildir *m = s->state;
	const char *p = strstr(file, ":2,");

	for (p = p ? p + 3 : ""; *p; p++) {
		const char *at = strchr(letter, *p);

		if (at)
			f->system |= bits[at - letter];
		else if (*p == 'P')
			source_keyword(s, f, SPAN("$Forwarded"));
		else if (*p >= 'a' && *p <= 'z')
			source_keyword(s, f, m->keyword[*p - 'a']);
	}
}

/* ",W=" of the name: the size with CRLF. Where it is that of the file the bytes are as
 * they were, whatever its line ends. */
static bool is_exact(const char *file, uint64_t bytes)
{
	const char *w = strstr(file, ",W=");
	char *end;

	if (!w || w[3] < '0' || w[3] > '9')
		return false;
	return strtoull(w + 3, &end, 10) == bytes &&
	       (*end == ':' || *end == ',' || !*end);
}

static bool each_piece(struct maildir *m, bool (*put)(void *arg, struct span), void *arg)
{
	struct buf out = { 0 };
	off_t off = 0;
	ssize_t n;
	bool is_ok = true;

	m->reader.has_cr = false;
	while (is_ok && (n = pread(m->fd, m->piece, PIECE, off)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		is_ok = n > 0;
		if (!is_ok)
			break;
		off += n;
		mail_read(&m->reader, span_of(m->piece, (size_t)n), &out);
		is_ok = put(arg, buf_span(&out));
		buf_clear(&out);
	}
	buf_done(&out);
	return is_ok;
}

static bool count(void *arg, struct span bytes)
{
	struct maildir *m = arg;

	m->bytes += bytes.n;
	if (m->bytes <= SMALL)
		buf_put(&m->text, bytes);
	return true;
}

static enum err look(struct source *s, const char *file, struct source_message *ret,
		     struct buf *why)
{
	struct maildir *m = s->state;
	struct stat st;

	if (fstat(m->fd, &st) != 0)
		return ERR_IO;
	if (!S_ISREG(st.st_mode))
		return ERR_AGAIN;
	m->reader.is_raw = is_exact(file, (uint64_t)st.st_size);
	m->bytes = 0;
	buf_clear(&m->text);
	m->read_here += (uint64_t)st.st_size;
	s->counts.read = m->read_before + m->read_here;
	if (!each_piece(m, count, m))
		return ERR_IO;
	ret->bytes = m->bytes;
	ret->date.utc = st.st_mtim.tv_sec;
	s->counts.empty += m->bytes == 0;
	return m->bytes ? ERR_OK : ERR_AGAIN;
}

static enum err next(struct source *s, struct source_message *ret, struct buf *why)
{
	struct maildir *m = s->state;
	const struct dir *d = &m->at[m->next - 1];
	enum err rc = ERR_AGAIN;

	while (rc == ERR_AGAIN) {
		const char *file, *base;

		if (m->next_name == m->n_names)
			return ERR_NOENT;
		file = m->names[m->next_name++].file;
		base = file + 4;
		m->path = arena_printf(s->message, "%s/%s", d->path, file);
		if (m->fd >= 0)
			close(m->fd);
		m->fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (m->fd < 0 && errno == ENOENT)
			continue; /* moved to cur, or given other flags: the next run has
				     it */
		rc = m->fd < 0 ? ERR_IO : look(s, file, ret, why);
		if (rc == ERR_OK) {
			read_flags(s, base, &ret->flags);
			source_digest(ret->key, d->name,
				      span_of(base, strcspn(base, ":")));
		} else if (rc == ERR_IO) {
			buf_printf(why, "Cannot read %s: %s.", m->path, strerror(errno));
		}
	}
	return rc;
}

struct pouring {
	bool (*put)(void *arg, struct span bytes);
	void *arg;
	uint64_t bytes;
};

static bool pour_bytes(void *arg, struct span bytes)
{
	struct pouring *p = arg;

	p->bytes += bytes.n;
	return p->put(p->arg, bytes);
}

static bool pour(struct source *s, bool (*put)(void *arg, struct span bytes), void *arg,
		 struct buf *why)
{
	struct maildir *m = s->state;
	struct pouring p = { put, arg, 0 };

	if (m->bytes <= SMALL)
		return put(arg, buf_span(&m->text));
	if (each_piece(m, pour_bytes, &p) && p.bytes == m->bytes)
		return true;
	buf_printf(why, "%s could not be read as it was before.", m->path);
	return false;
}

static void close_all(struct source *s)
{
	struct maildir *m = s->state;

	drop_names(m);
	if (m->fd >= 0)
		close(m->fd);
	arena_free(m->keywords);
	buf_done(&m->text);
	free(m->names);
	free(m->piece);
	free(m->at);
	free(m);
}

const struct source_kind source_maildir = {
	.name = "Maildir",
	.folder = folder,
	.next = next,
	.pour = pour,
	.close = close_all,
};
