/* The journal of an import (import_journal.h). */
#include "tools/import_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/arena.h"

#define FIRST "mailstile import 1 "
enum { LINE = 64 + JOURNAL_BATCH * (2 * KEY_BYTES + 1) };

static bool fail(struct import_journal *j, const char *what, struct buf *why)
{
	buf_printf(why, "Cannot %s the journal %s: %s.", what, j->path, strerror(errno));
	return false;
}

static void put_hex(struct buf *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%02x", p[i]);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *p, uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++, p += 2) {
		int hi = digit(p[0]), lo = hi < 0 ? -1 : digit(p[1]);

		if (lo < 0)
			return false;
		to[i] = (uint8_t)(hi * 16 + lo);
	}
	return true;
}

static bool append(struct import_journal *j, struct buf *line, struct buf *why)
{
	bool is_cut = ftruncate(j->fd, (off_t)j->size) == 0; /* what was not whole */
	ssize_t n = is_cut ? pwrite(j->fd, buf_span(line).p, line->n, (off_t)j->size)
			   : -1;
	bool is_ok = n == (ssize_t)line->n && fdatasync(j->fd) == 0;

	if (n > 0 && n < (ssize_t)line->n)
		errno = ENOSPC;
	j->size += is_ok ? (uint64_t)n : 0;
	buf_done(line);
	return is_ok || fail(j, "write", why);
}

/* ---- reading ---- */

struct batch {
	uint64_t number;
	size_t n;
	uint8_t (*keys)[KEY_BYTES];
	bool is_cancelled;
};

/* All lines, before the mark is known: a batch's keys are taken when it is. */
struct reading {
	struct batch *at;
	size_t n, cap;
	uint64_t ended, highest;
};

static bool read_batch(struct reading *r, const char *line)
{
	unsigned long long number;
	size_t n;
	int at;
	struct batch b = { 0 };

	if (sscanf(line, "B %llu %zu%n", &number, &n, &at) != 2 || n > JOURNAL_BATCH)
		return false;
	b.number = number;
	b.keys = xcalloc(n + 1, sizeof *b.keys);
	for (line += at;
	     b.n < n && *line == ' ' && read_hex(line + 1, b.keys[b.n], KEY_BYTES);
	     line += 1 + 2 * KEY_BYTES)
		b.n++;
	if (b.n < n || *line != '\n') {
		free(b.keys);
		return false;
	}
	if (r->n == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 64;
		r->at = xrealloc(r->at, r->cap * sizeof *r->at);
	}
	r->at[r->n++] = b;
	r->highest = number > r->highest ? number : r->highest;
	return true;
}

static bool read_line(struct reading *r, const char *line)
{
	unsigned long long number;

	if (line[0] == 'B')
		return read_batch(r, line);
	if (sscanf(line, "X %llu\n", &number) == 1) {
		for (size_t i = r->n; i > 0; i--)
			if (r->at[i - 1].number == number)
				r->at[i - 1].is_cancelled = true;
		return true;
	}
	if (sscanf(line, "E %llu\n", &number) != 1)
		return false;
	r->ended = number;
	return true;
}

/* What was being written when the end came is cut off: it was not committed. */
static void read_lines(struct import_journal *j, FILE *f, struct reading *r)
{
	char *line = xcalloc(1, LINE + 2);

	while (fgets(line, LINE + 2, f)) {
		size_t n = strlen(line);

		if (line[n - 1] != '\n' || !read_line(r, line))
			break;
		j->size += n;
	}
	free(line);
}

/* Batches that are not there must not look as if they were when the mark has gone on. */
static bool settle(struct import_journal *j, struct reading *r, uint64_t mark,
		   struct buf *why)
{
	struct buf lines = { 0 };

	for (size_t i = 0; i < r->n; i++) {
		const struct batch *b = &r->at[i];

		if (b->is_cancelled)
			continue;
		if (b->number <= mark || b->number <= r->ended)
			import_journal_committed(j, (const uint8_t(*)[KEY_BYTES])b->keys,
						 b->n);
		else
			buf_printf(&lines, "X %llu\n", (unsigned long long)b->number);
	}
	j->number = r->highest;
	return lines.n == 0 || append(j, &lines, why);
}

static bool read_all(struct import_journal *j, FILE *f, struct span inbox,
		     bool (*mark)(void *arg, const char *id, uint64_t *ret), void *arg,
		     struct buf *why)
{
	struct reading r = { 0 };
	char line[256], of[200];
	uint64_t number = 0;
	bool is_ok = false;

	if (!fgets(line, sizeof line, f) ||
	    sscanf(line, FIRST "%32s %199s", j->id, of) != 2 ||
	    strlen(j->id) != JOURNAL_ID)
		buf_printf(why,
			   "%s is no journal of an import. Name another one with "
			   "--journal.",
			   j->path);
	else if (!span_eq(inbox, span_str(of)))
		buf_printf(why,
			   "The journal %s is of another user or another store. Name "
			   "another one with --journal, or remove it.",
			   j->path);
	else
		is_ok = mark(arg, j->id, &number);
	j->size = is_ok ? strlen(line) : 0;
	if (is_ok) {
		read_lines(j, f, &r);
		is_ok = settle(j, &r, number, why);
	}
	for (size_t i = 0; i < r.n; i++)
		free(r.at[i].keys);
	free(r.at);
	return is_ok;
}

static bool make(struct import_journal *j, struct span inbox, struct buf *why)
{
	struct buf line = { 0 }, id = { 0 };
	uint8_t random[JOURNAL_ID / 2];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return fail(j, "make", why);
	put_hex(&id, random, sizeof random);
	memcpy(j->id, buf_span(&id).p, JOURNAL_ID);
	buf_printf(&line, FIRST "%s %.*s\n", j->id, (int)inbox.n, inbox.p);
	buf_done(&id);
	return append(j, &line, why);
}

bool import_journal_open(struct import_journal *j, const char *path, struct span inbox,
			 bool (*mark)(void *arg, const char *id, uint64_t *ret),
			 void *arg, struct buf *why)
{
	FILE *f;
	int fd;
	bool is_ok;

	*j = (struct import_journal){ .path = path };
	j->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (j->fd < 0)
		return fail(j, "open", why);
	if (flock(j->fd, LOCK_EX | LOCK_NB) != 0) {
		buf_printf(why, "Another import uses the journal %s.", path);
		return false;
	}
	if (lseek(j->fd, 0, SEEK_END) == 0)
		return make(j, inbox, why);
	lseek(j->fd, 0, SEEK_SET);
	fd = fcntl(j->fd, F_DUPFD_CLOEXEC, 0);
	f = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (!f)
		return fail(j, "read", why);
	is_ok = read_all(j, f, inbox, mark, arg, why);
	fclose(f);
	return is_ok;
}

/* ---- writing ---- */

bool import_journal_begin(struct import_journal *j, const uint8_t (*keys)[KEY_BYTES],
			  size_t n, struct buf *why)
{
	struct buf line = { 0 };

	buf_printf(&line, "B %llu %zu", (unsigned long long)++j->number, n);
	for (size_t i = 0; i < n; i++) {
		buf_putc(&line, ' ');
		put_hex(&line, keys[i], KEY_BYTES);
	}
	buf_putc(&line, '\n');
	return append(j, &line, why);
}

void import_journal_committed(struct import_journal *j, const uint8_t (*keys)[KEY_BYTES],
			      size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!key_set_count(&j->done, keys[i]))
			key_set_add(&j->done, keys[i]);
}

static bool append_number(struct import_journal *j, char what, struct buf *why)
{
	struct buf line = { 0 };

	buf_printf(&line, "%c %llu\n", what, (unsigned long long)j->number);
	return append(j, &line, why);
}

bool import_journal_cancel(struct import_journal *j, struct buf *why)
{
	return append_number(j, 'X', why);
}

bool import_journal_end(struct import_journal *j, struct buf *why)
{
	return j->number == 0 || append_number(j, 'E', why);
}

void import_journal_close(struct import_journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	key_set_done(&j->done);
}
