/* Mail from an mbox file or a folder of them (source.h). */
#include "tools/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/key_set.h"
#include "tools/mbox_file.h"

enum { DEPTH = 64, SMALL = 1 << 20 };

struct file {
	const char *path;
	struct span name;
	uint64_t bytes;
};

struct mboxes {
	struct file *at;
	size_t n, cap, next;
	uint64_t read_before; /* bytes of the files before this one */
	struct mbox_file file;
	bool is_open;
	struct mbox_place place; /* of the message in hand */
	uint64_t begin;		 /* of the first */
	struct key_set seen;	 /* in this file */
	struct buf text;	 /* of the message in hand, when it is small */
	EVP_MD_CTX *digest;
	/* what the sink found */
	struct source *source;
	struct source_message *message;
	bool is_pseudo;
};

/* ---- which files ---- */

static void add_file(struct source *s, struct mboxes *m, const char *path,
		     struct span name, uint64_t bytes)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 16;
		m->at = xrealloc(m->at, m->cap * sizeof *m->at);
	}
	m->at[m->n++] = (struct file){ path, name, bytes };
	s->counts.bytes += bytes;
	s->counts.files++;
}

static struct span without(struct span name, struct span end)
{
	return span_ends(name, end) && name.n > end.n ? span_sub(name, 0, name.n - end.n)
						      : name;
}

static struct span join(struct source *s, struct span above, struct span level)
{
	level = source_level(s->arena, level);
	if (!above.n)
		return level;
	return span_str(arena_printf(s->arena, "%.*s/%.*s", (int)above.n, above.p,
				     (int)level.n, level.p));
}

static bool is_left_out(const char *file)
{
	return file[0] == '.' || strcmp(file, "subscriptions") == 0 ||
	       span_ends(span_str(file), SPAN(".msf")) ||
	       span_ends(span_str(file), SPAN(".mailstile-import"));
}

static bool walk(struct source *s, struct mboxes *m, const char *dir, struct span above,
		 int depth, struct buf *why);

static bool one(struct source *s, struct mboxes *m, const char *path, const char *file,
		struct span above, int depth, struct buf *why)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		buf_printf(why, "Cannot read %s: %s.", path, strerror(errno));
		return false;
	}
	if (S_ISDIR(st.st_mode))
		return walk(s, m, path,
			    join(s, above, without(span_str(file), SPAN(".sbd"))),
			    depth + 1, why);
	if (S_ISREG(st.st_mode))
		add_file(s, m, path,
			 join(s, above, without(span_str(file), SPAN(".mbox"))),
			 (uint64_t)st.st_size);
	return true;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool walk(struct source *s, struct mboxes *m, const char *dir, struct span above,
		 int depth, struct buf *why)
{
	struct dirent **list;
	int n = depth > DEPTH ? -1 : scandir(dir, &list, NULL, by_name);
	bool is_ok = n >= 0;

	if (!is_ok)
		buf_printf(why, "Cannot read %s: %s.", dir,
			   depth > DEPTH ? "too many levels" : strerror(errno));
	for (int i = 0; i < n; i++) {
		const char *file = list[i]->d_name;

		if (is_ok && !is_left_out(file))
			is_ok = one(s, m, arena_printf(s->arena, "%s/%s", dir, file),
				    file, above, depth, why);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return is_ok;
}

bool source_mbox_open(struct source *s, struct buf *why)
{
	struct mboxes *m = xcalloc(1, sizeof *m);
	struct stat st;

	s->state = m;
	m->source = s;
	m->digest = EVP_MD_CTX_new();
	if (!s->is_file)
		return walk(s, m, s->path, SPAN_NONE, 0, why);
	add_file(s, m, s->path, SPAN(""), stat(s->path, &st) ? 0 : (uint64_t)st.st_size);
	return true;
}

static void close_file(struct mboxes *m)
{
	if (m->is_open) {
		m->source->counts.odd_lines += m->file.odd_lines;
		mbox_file_done(&m->file);
	}
	m->is_open = false;
	key_set_done(&m->seen);
}

static enum err folder(struct source *s, struct span *ret_name, struct buf *why)
{
	struct mboxes *m = s->state;
	const struct file *f;
	int fd;

	close_file(m);
	if (m->next)
		m->read_before += m->at[m->next - 1].bytes;
	s->counts.read = m->read_before;
	if (m->next == m->n)
		return ERR_NOENT;
	f = &m->at[m->next++];
	fd = open(f->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		buf_printf(why, "Cannot read %s: %s.", f->path, strerror(errno));
		return ERR_INVAL;
	}
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	mbox_file_init(&m->file, fd);
	m->is_open = true;
	m->place.next = 0;
	*ret_name = f->name;
	if (mbox_file_begin(&m->file, &m->begin))
		return ERR_OK;
	buf_printf(why, "%s is no mbox: it does not begin with a \"From \" line.",
		   f->path);
	return ERR_INVAL;
}

/* ---- messages ---- */

static void letters(struct wire_flags *f, struct span value, const char *letter,
		    const unsigned *bits)
{
	for (size_t i = 0; i < value.n; i++) {
		const char *at = strchr(letter, value.p[i]);

		if (at && value.p[i])
			f->system |= bits[at - letter];
	}
}

static void keywords(struct mboxes *m, struct span value)
{
	while ((value = span_trim(value)).n) {
		size_t n = 0;

		while (n < value.n && value.p[n] != ' ' && value.p[n] != '\t')
			n++;
		source_keyword(m->source, &m->message->flags, span_sub(value, 0, n));
		value = span_sub(value, n, value.n);
	}
}

static void take_field(void *arg, enum mbox_field field, struct span value)
{
	static const unsigned status[] = { WIRE_SEEN };
	static const unsigned more[] = { WIRE_ANSWERED, WIRE_FLAGGED, WIRE_DRAFT,
					 WIRE_DELETED };
	struct mboxes *m = arg;

	switch (field) {
	case MBOX_STATUS: letters(&m->message->flags, value, "R", status); break;
	case MBOX_X_STATUS: letters(&m->message->flags, value, "AFTD", more); break;
	case MBOX_X_KEYWORDS: keywords(m, value); break;
	case MBOX_X_IMAP: m->is_pseudo = m->place.at == m->begin; break;
	default: break;
	}
}

static bool take_bytes(void *arg, struct span bytes)
{
	struct mboxes *m = arg;

	m->message->bytes += bytes.n;
	if (m->message->bytes <= SMALL)
		buf_put(&m->text, bytes);
	return EVP_DigestUpdate(m->digest, bytes.p, bytes.n) == 1;
}

static bool fail(struct mboxes *m, enum err rc, struct buf *why)
{
	buf_printf(why, "Cannot read %s: %s.", m->at[m->next - 1].path,
		   rc == ERR_IO ? strerror(errno) : "it was changed meanwhile");
	return false;
}

static void make_key(struct mboxes *m, struct source_message *ret)
{
	uint8_t all[EVP_MAX_MD_SIZE];
	const struct file *f = &m->at[m->next - 1];
	struct {
		uint8_t key[KEY_BYTES];
		uint32_t count;
	} of = { 0 };

	EVP_DigestFinal_ex(m->digest, all, NULL);
	memcpy(of.key, all, KEY_BYTES);
	of.count = key_set_add(&m->seen, of.key);
	source_digest(ret->key, f->name, span_of(&of, sizeof of));
}

static enum err next(struct source *s, struct source_message *ret, struct buf *why)
{
	struct mboxes *m = s->state;
	const struct mbox_sink sink = { take_bytes, take_field, m };
	enum err rc;

	do {
		m->place = (struct mbox_place){ .at = m->place.next ? m->place.next
								    : m->begin,
						.length = UINT64_MAX,
						.no_unquote = s->no_unquote };
		*ret = (struct source_message){ 0 };
		m->message = ret;
		m->is_pseudo = false;
		buf_clear(&m->text);
		EVP_DigestInit_ex(m->digest, EVP_sha256(), NULL);
		rc = mbox_file_read(&m->file, &m->place, &sink);
		s->counts.read = m->read_before + m->file.off;
		if (rc == ERR_NOENT)
			return rc;
		if (rc != ERR_OK) {
			fail(m, rc, why);
			return ERR_IO;
		}
		s->counts.empty += !m->is_pseudo && ret->bytes == 0;
	} while (m->is_pseudo || ret->bytes == 0);
	ret->date = m->place.date;
	make_key(m, ret);
	return ERR_OK;
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
	struct mboxes *m = s->state;
	struct pouring p = { put, arg, 0 };
	const struct mbox_sink sink = { pour_bytes, NULL, &p };
	enum err rc;

	if (m->message->bytes <= SMALL)
		return put(arg, buf_span(&m->text));
	rc = mbox_file_read(&m->file, &m->place, &sink);
	if (rc == ERR_CLOSED)
		return false;
	return (rc == ERR_OK && p.bytes == m->message->bytes) || fail(m, rc, why);
}

static void close_all(struct source *s)
{
	struct mboxes *m = s->state;

	close_file(m);
	buf_done(&m->text);
	EVP_MD_CTX_free(m->digest);
	free(m->at);
	free(m);
}

const struct source_kind source_mbox = {
	.name = "mbox",
	.folder = folder,
	.next = next,
	.pour = pour,
	.close = close_all,
};
