/* Messages for several recipients, until each has one. */
#include "server/lmtp_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"

enum { MEMORY_BYTES = 1 << 20, READ_BYTES = 1 << 20 };

struct lmtp_spool {
	const char *dir;
	struct executor *workers, *home;
	void (*ready)(void *arg);
	void *arg;

	/* home */
	struct buf tail; /* behind what a worker has or had */
	uint64_t sent;	 /* bytes that a worker has or had */
	bool is_busy, is_reading, is_waited_for, is_dropped;
	struct task job, back;

	/* who has the job */
	int fd; /* -1: there is no file */
	struct buf piece;
	uint64_t piece_at; /* in the file */
	enum err rc;
};

struct lmtp_spool *lmtp_spool_new(const char *dir, struct executor *workers,
				  struct executor *home, void (*ready)(void *arg),
				  void *arg)
{
	struct lmtp_spool *s = xcalloc(1, sizeof *s);

	s->dir = dir;
	s->workers = workers;
	s->home = home;
	s->ready = ready;
	s->arg = arg;
	s->fd = -1;
	return s;
}

static void destroy(struct lmtp_spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
	buf_done(&s->tail);
	buf_done(&s->piece);
	free(s);
}

void lmtp_spool_free(struct lmtp_spool *s)
{
	if (!s)
		return;
	if (s->is_busy)
		s->is_dropped = true; /* the piece comes back first */
	else
		destroy(s);
}

/* ---- on a worker ---- */

static enum err err_of(int sys)
{
	return sys == ENOSPC || sys == EDQUOT || sys == EFBIG ? ERR_FULL : ERR_IO;
}

static enum err make_file(struct lmtp_spool *s)
{
	char path[4096];

	s->fd = open(s->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s->fd >= 0)
		return ERR_OK;
	/* file systems that have no files without a name */
	if (snprintf(path, sizeof path, "%s/.lmtp-XXXXXX", s->dir) >= (int)sizeof path)
		return ERR_IO;
	s->fd = mkostemp(path, O_CLOEXEC);
	if (s->fd < 0)
		return err_of(errno);
	unlink(path);
	return ERR_OK;
}

static enum err write_piece(struct lmtp_spool *s)
{
	enum err rc = s->fd < 0 ? make_file(s) : ERR_OK;

	while (rc == ERR_OK && s->piece.n) {
		struct span rest = buf_span(&s->piece);
		ssize_t n = pwrite(s->fd, rest.p, rest.n, (off_t)s->piece_at);

		if (n > 0) {
			s->piece_at += (uint64_t)n;
			buf_take(&s->piece, (size_t)n);
		} else if (n == 0 || errno != EINTR) {
			rc = n == 0 ? ERR_IO : err_of(errno);
		}
	}
	return rc;
}

static enum err read_piece(struct lmtp_spool *s, size_t want)
{
	buf_clear(&s->piece);
	while (s->piece.n < want) {
		char *to = buf_room(&s->piece, want - s->piece.n);
		ssize_t n = pread(s->fd, to, want - s->piece.n,
				  (off_t)(s->piece_at + s->piece.n));

		if (n > 0)
			buf_added(&s->piece, (size_t)n);
		else if (n == 0 || errno != EINTR)
			return ERR_IO;
	}
	return ERR_OK;
}

/* ---- on home ---- */

static void start(struct lmtp_spool *s, void (*run)(struct task *));

static void run_write(struct task *t);

static void write_tail(struct lmtp_spool *s)
{
	struct buf spare = s->piece;

	buf_clear(&spare);
	s->piece = s->tail;
	s->tail = spare;
	s->piece_at = s->sent;
	s->sent += s->piece.n;
	s->is_reading = false;
	start(s, run_write);
}

static void come_back(struct task *t)
{
	struct lmtp_spool *s = TASK_OWNER(t, struct lmtp_spool, back);

	s->is_busy = false;
	if (s->is_dropped) {
		destroy(s);
		return;
	}
	if (!s->is_waited_for)
		return;
	s->is_waited_for = false;
	s->ready(s->arg);
}

static void run_write(struct task *t)
{
	struct lmtp_spool *s = TASK_OWNER(t, struct lmtp_spool, job);

	if (s->rc == ERR_OK)
		s->rc = write_piece(s);
	buf_clear(&s->piece);
	executor_post(s->home, &s->back);
}

static void run_read(struct task *t)
{
	struct lmtp_spool *s = TASK_OWNER(t, struct lmtp_spool, job);
	uint64_t left = s->sent - s->piece_at;

	if (s->rc == ERR_OK)
		s->rc = read_piece(s, left < READ_BYTES ? (size_t)left : READ_BYTES);
	executor_post(s->home, &s->back);
}

static void start(struct lmtp_spool *s, void (*run)(struct task *))
{
	s->is_busy = true;
	s->job.run = run;
	s->back.run = come_back;
	executor_post(s->workers, &s->job);
}

bool lmtp_spool_put(struct lmtp_spool *s, struct span bytes)
{
	buf_put(&s->tail, bytes);
	if (s->tail.n < MEMORY_BYTES)
		return true;
	if (!s->is_busy)
		write_tail(s);
	else
		s->is_waited_for = true;
	return !s->is_waited_for;
}

uint64_t lmtp_spool_bytes(const struct lmtp_spool *s)
{
	return s->sent + s->tail.n;
}

uint64_t lmtp_spool_memory(const struct lmtp_spool *s)
{
	/* who is busy has the piece */
	return s->tail.cap + (s->is_busy ? MEMORY_BYTES : s->piece.cap);
}

static enum err wait_for_it(struct lmtp_spool *s)
{
	s->is_waited_for = true;
	return ERR_AGAIN;
}

enum err lmtp_spool_get(struct lmtp_spool *s, uint64_t off, struct span *ret)
{
	if (s->is_busy)
		return wait_for_it(s);
	if (s->rc != ERR_OK)
		return s->rc;
	if (off >= s->sent) {
		struct span tail = buf_span(&s->tail);

		*ret = off - s->sent > tail.n
			   ? SPAN_NONE
			   : span_sub(tail, (size_t)(off - s->sent), tail.n);
		return ERR_OK;
	}
	if (s->is_reading && off >= s->piece_at && off - s->piece_at < s->piece.n) {
		*ret = span_sub(buf_span(&s->piece), (size_t)(off - s->piece_at),
				s->piece.n);
		return ERR_OK;
	}
	s->is_reading = true;
	s->piece_at = off;
	start(s, run_read);
	return wait_for_it(s);
}
