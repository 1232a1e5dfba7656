/* The manifest of a backup: reading and writing (backup_files.h). */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/crc32c.h"
#include "tools/backup_files.h"

static const char head[] = "mailstile-backup 1\n";

static int by_path(const void *a, const void *b)
{
	const struct backup_file *x = a, *y = b;
	return strcmp(x->path, y->path);
}

/* Paths of ours: no level up, nothing absolute. */
static bool is_path(const char *p)
{
	return p[0] && p[0] != '/' && !strstr(p, "..") && strlen(p) < 256;
}

static bool add_line(struct manifest *m, char *line)
{
	struct backup_file f;
	char grows;
	int at = 0;
	if (sscanf(line, "file %" SCNu64 " %" SCNx32 " %" SCNu64 " %c %n", &f.bytes,
		   &f.crc, &f.mtime_ns, &grows, &at) != 4 ||
	    at == 0 || !is_path(line + at) || (grows != '+' && grows != '-'))
		return false;
	f.grows = grows == '+';
	f.path = arena_strdup(m->arena, line + at);
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 64;
		m->file = xrealloc(m->file, m->cap * sizeof *m->file);
	}
	m->file[m->n++] = f;
	m->bytes += f.bytes;
	return true;
}

/* ERR_AGAIN: it is cut off. */
static enum err read_lines(struct manifest *m, FILE *file)
{
	char *line = NULL;
	size_t cap = 0, n_end;
	uint32_t crc = 0, crc_end;
	enum err rc = ERR_OK;
	bool is_first = true;
	ssize_t n;
	while (rc == ERR_OK && !m->is_whole && (n = getline(&line, &cap, file)) > 0) {
		struct span whole = span_of(line, (size_t)n);
		if (line[n - 1] != '\n')
			break;
		if (is_first) {
			rc = span_eq(whole, span_str(head)) ? ERR_OK : ERR_CORRUPT;
		} else if (sscanf(line, "end %zu %" SCNx32, &n_end, &crc_end) == 2) {
			m->is_whole = n_end == m->n && crc_end == crc;
			if (!m->is_whole)
				rc = ERR_CORRUPT;
		} else {
			uint32_t more = crc32c(crc, whole);
			line[n - 1] = 0;
			rc = add_line(m, line) ? ERR_OK : ERR_CORRUPT;
			crc = more;
			is_first = false;
			continue;
		}
		crc = crc32c(crc, whole);
		is_first = false;
	}
	free(line);
	return rc == ERR_OK && !m->is_whole ? ERR_AGAIN : rc;
}

enum err manifest_read(const char *dir, struct manifest *ret, struct buf *why)
{
	*ret = (struct manifest){ .arena = arena_new(NULL) };
	const char *path = arena_printf(ret->arena, "%s/" BACKUP_MANIFEST, dir);
	FILE *file = fopen(path, "re");
	if (!file) {
		enum err rc = errno == ENOENT ? ERR_NOENT : ERR_IO;
		file_fail(why, "read", path);
		return rc;
	}
	enum err rc = read_lines(ret, file);
	fclose(file);
	if (rc == ERR_CORRUPT)
		buf_printf(why, "%s is damaged.", path);
	if (rc == ERR_AGAIN)
		buf_printf(why, "%s is cut off: the backup is not whole.", path);
	if (ret->n > 1)
		qsort(ret->file, ret->n, sizeof *ret->file, by_path);
	return rc == ERR_AGAIN ? ERR_CORRUPT : rc;
}

void manifest_done(struct manifest *m)
{
	free(m->file);
	arena_free(m->arena);
	*m = (struct manifest){ 0 };
}

const struct backup_file *manifest_find(const struct manifest *m, const char *path)
{
	struct backup_file key = { .path = path };
	return m->n ? bsearch(&key, m->file, m->n, sizeof key, by_path) : NULL;
}

/* ---- writing ---- */

static bool put(struct manifest_writer *w, const char *line, struct buf *why)
{
	w->crc = crc32c(w->crc, span_str(line));
	return (fputs(line, w->file) >= 0 && fflush(w->file) == 0) ||
	       file_fail(why, "write", "the manifest");
}

bool manifest_begin(struct manifest_writer *w, const char *dir, struct buf *why)
{
	struct buf path = { 0 };
	*w = (struct manifest_writer){ 0 };
	buf_printf(&path, "%s/" BACKUP_MANIFEST, dir);
	buf_putc(&path, '\0');
	w->file = fopen(buf_span(&path).p, "wxe");
	bool is_ok = w->file ? put(w, head, why)
			     : file_fail(why, "write", buf_span(&path).p);
	buf_done(&path);
	return is_ok;
}

bool manifest_add(struct manifest_writer *w, const struct backup_file *f, struct buf *why)
{
	struct buf line = { 0 };
	buf_printf(&line, "file %" PRIu64 " %08" PRIx32 " %" PRIu64 " %c %s\n", f->bytes,
		   f->crc, f->mtime_ns, f->grows ? '+' : '-', f->path);
	buf_putc(&line, '\0');
	bool is_ok = put(w, buf_span(&line).p, why);
	buf_done(&line);
	w->n++;
	return is_ok;
}

bool manifest_end(struct manifest_writer *w, struct buf *why)
{
	char line[80];
	snprintf(line, sizeof line, "end %zu %08" PRIx32 "\n", w->n, w->crc);
	return put(w, line, why) &&
	       (fsync(fileno(w->file)) == 0 || file_fail(why, "write", "the manifest"));
}

void manifest_close(struct manifest_writer *w)
{
	if (w->file)
		fclose(w->file);
	w->file = NULL;
}
