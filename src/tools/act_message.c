/*
 * Files as messages (RFC 5322 section 2.3: lines end in CRLF). What is right already is
 * sent from the file; what is not is copied once to anonymous memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "tools/act.h"

#define PIECE	     65536
#define HEADER_BYTES 65536 /* where a Message-ID is looked for */

/* A file that every user gets. */
struct shared {
	struct shared *next;
	char *path;
	int fd;
	uint64_t bytes;
};

struct message_cache {
	struct shared *first;
	char piece[PIECE];
};

struct message_cache *message_cache_new(void)
{
	return xcalloc(1, sizeof(struct message_cache));
}

void message_cache_free(struct message_cache *m)
{
	while (m && m->first) {
		struct shared *s = m->first;
		m->first = s->next;
		close(s->fd);
		free(s->path);
		free(s);
	}
	free(m);
}

static ssize_t read_at(int fd, char *to, size_t n, uint64_t at)
{
	ssize_t got;

	do
		got = pread(fd, to, n, (off_t)at);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Looks at all of the file. False: it cannot be read. */
static bool look(struct message_cache *m, int fd, bool *ret_needs_crlf, bool *ret_has_nul)
{
	uint64_t at = 0;
	char before = 0;
	ssize_t n;

	*ret_needs_crlf = *ret_has_nul = false;
	while ((n = read_at(fd, m->piece, PIECE, at)) > 0) {
		struct span s = span_of(m->piece, (size_t)n);
		for (const char *p = s.p; (p = memchr(p, '\n', s.n - (size_t)(p - s.p)));
		     p++)
			if ((p == s.p ? before : p[-1]) != '\r')
				*ret_needs_crlf = true;
		*ret_has_nul |= memchr(s.p, 0, s.n) != NULL;
		before = s.p[s.n - 1];
		at += (uint64_t)n;
	}
	return n == 0;
}

static bool write_all(int fd, struct span s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);
		if (n < 0 && errno != EINTR)
			return false;
		s = span_sub(s, n > 0 ? (size_t)n : 0, s.n);
	}
	return true;
}

/* A copy in memory with CRLF; -1 when there is no room. */
static int convert(struct message_cache *m, int fd)
{
	int to = memfd_create("message", MFD_CLOEXEC);
	uint64_t at = 0;
	char before = 0;
	ssize_t n = to < 0 ? -1 : 0;
	struct buf out = { 0 };

	while (n >= 0 && (n = read_at(fd, m->piece, PIECE, at)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (m->piece[i] == '\n' && before != '\r')
				buf_putc(&out, '\r');
			buf_putc(&out, m->piece[i]);
			before = m->piece[i];
		}
		at += (uint64_t)n;
		if (!write_all(to, buf_span(&out)))
			n = -1;
		buf_clear(&out);
	}
	buf_done(&out);
	if (n < 0 && to >= 0) {
		close(to);
		to = -1;
	}
	return to;
}

static enum err open_file(struct message_cache *m, const char *path, int *ret_fd,
			  uint64_t *ret_bytes, struct buf *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	bool needs_crlf, has_nul;

	if (fd < 0 || fstat(fd, &st) != 0 || !look(m, fd, &needs_crlf, &has_nul)) {
		buf_printf(why, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return ERR_IO;
	}
	if (!S_ISREG(st.st_mode) || st.st_size == 0 || has_nul) {
		buf_printf(why, "%s: %s", path,
			   has_nul	? "it holds NUL, which no message may"
			   : st.st_size ? "it is no file"
					: "it is empty");
		close(fd);
		return ERR_INVAL;
	}
	if (needs_crlf) {
		int copy = convert(m, fd);
		close(fd);
		fd = copy;
		if (fd < 0 || fstat(fd, &st) != 0) {
			buf_printf(why, "%s: cannot be copied to memory", path);
			return ERR_IO;
		}
	}
	*ret_fd = fd;
	*ret_bytes = (uint64_t)st.st_size;
	return ERR_OK;
}

enum err message_open(struct message_cache *m, const char *path, bool is_shared,
		      int *ret_fd, uint64_t *ret_bytes, struct buf *why)
{
	struct shared *s = m->first;
	int fd;
	uint64_t bytes;

	if (!is_shared)
		return open_file(m, path, ret_fd, ret_bytes, why);
	while (s && strcmp(s->path, path) != 0)
		s = s->next;
	if (!s) {
		enum err rc = open_file(m, path, &fd, &bytes, why);
		if (rc != ERR_OK)
			return rc;
		s = xcalloc(1, sizeof *s);
		*s = (struct shared){ m->first, xstrdup(path), fd, bytes };
		m->first = s;
	}
	fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		buf_printf(why, "%s: %s", path, strerror(errno));
		return ERR_LIMIT;
	}
	*ret_fd = fd;
	*ret_bytes = s->bytes;
	return ERR_OK;
}

void message_id_of(int fd, struct buf *out)
{
	char *text = xmalloc(HEADER_BYTES);
	ssize_t got = read_at(fd, text, HEADER_BYTES, 0);
	struct span rest = span_of(text, got > 0 ? (size_t)got : 0);

	while (rest.n) {
		ptrdiff_t nl = span_find(rest, '\n');
		struct span line = nl < 0 ? rest : span_sub(rest, 0, (size_t)nl + 1);
		rest = span_sub(rest, line.n, rest.n);
		if (span_trim(line).n == 0)
			break; /* the body */
		if (!span_istarts(line, SPAN("Message-ID:")))
			continue;
		line = span_trim(span_sub(line, 11, line.n));
		/* Folded behind the name, as long ids are (RFC 5322 section 2.2.3). */
		if (line.n == 0 && rest.n && (rest.p[0] == ' ' || rest.p[0] == '\t')) {
			nl = span_find(rest, '\n');
			line = span_trim(nl < 0 ? rest : span_sub(rest, 0, (size_t)nl));
		}
		buf_put(out, line);
		break;
	}
	free(text);
}

bool message_digest(int fd, unsigned char ret_sum[32])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	char *piece = xmalloc(PIECE);
	uint64_t at = 0;
	ssize_t n = -1;
	bool is_ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

	while (is_ok && (n = read_at(fd, piece, PIECE, at)) > 0) {
		is_ok = EVP_DigestUpdate(md, piece, (size_t)n) == 1;
		at += (uint64_t)n;
	}
	is_ok = is_ok && n == 0 && EVP_DigestFinal_ex(md, ret_sum, NULL) == 1;
	EVP_MD_CTX_free(md);
	free(piece);
	return is_ok;
}
