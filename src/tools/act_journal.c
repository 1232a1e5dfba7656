/* The journal of a run (act_journal.h): reading it back, group commit of records. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "tools/act_journal.h"
#include "tools/act_set.h"

/* One write and sync: what had gathered when it started. */
struct flush {
	struct op op;
	int fd;
	struct buf text;
	struct journal_ticket *tickets;
};

struct journal {
	int fd;
	struct executor *work, *home;
	struct act_set users; /* state: enum journal_state; a, b: its numbers */
	struct buf text;      /* records not handed to a flush yet */
	struct journal_ticket *tickets, **tail;
	bool is_flushing;
	enum err broken; /* of the first failed sync */
	uint64_t syncs;
};

static uint32_t crc32_of(struct span s)
{
	uint32_t c = ~0u;

	for (size_t i = 0; i < s.n; i++) {
		c ^= (uint8_t)s.p[i];
		for (int k = 0; k < 8; k++)
			c = (c >> 1) ^ (0xedb88320u & (0u - (c & 1)));
	}
	return ~c;
}

static void put_name(struct buf *b, struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];
		if (c <= 0x20 || c == '%' || c == 0x7f)
			buf_printf(b, "%%%02X", c);
		else
			buf_putc(b, (char)c);
	}
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool get_name(struct span s, struct buf *ret)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '%') {
			buf_putc(ret, s.p[i]);
			continue;
		}
		int hi = i + 2 < s.n ? hex(s.p[i + 1]) : -1;
		int lo = i + 2 < s.n ? hex(s.p[i + 2]) : -1;
		if (hi < 0 || lo < 0 || (hi == 0 && lo == 0))
			return false;
		buf_putc(ret, (char)(hi * 16 + lo));
		i += 2;
	}
	return s.n > 0;
}

/* Takes the next field off the front of `line`; empty at the end. */
static struct span field(struct span *line)
{
	ptrdiff_t at = span_find(*line, ' ');
	struct span f = at < 0 ? *line : span_sub(*line, 0, (size_t)at);

	*line = at < 0 ? SPAN_NONE : span_sub(*line, (size_t)at + 1, line->n);
	return f;
}

static bool number(struct span *line, uint32_t *ret)
{
	uint64_t v;

	if (!span_u64(field(line), UINT32_MAX, &v))
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool take_record(struct journal *j, struct span line)
{
	struct span verb = field(&line), name = field(&line);
	struct journal_entry e = { 0 };

	if (span_eq(verb, SPAN("begin"))) {
		e.state = JOURNAL_BEGUN;
		if (!number(&line, &e.uidvalidity) || !number(&line, &e.uidnext))
			return false;
	} else if (span_eq(verb, SPAN("done"))) {
		e.state = JOURNAL_DONE;
	} else if (span_eq(verb, SPAN("failed"))) {
		e.state = JOURNAL_FAILED;
	} else {
		return false;
	}
	struct buf user = { 0 };
	bool is_good = line.n == 0 && get_name(name, &user);
	if (is_good) {
		struct act_name *u = act_set_add(&j->users, buf_span(&user), NULL);
		u->state = (uint8_t)e.state;
		if (e.state == JOURNAL_BEGUN) { /* what follows keeps the numbers */
			u->a = e.uidvalidity;
			u->b = e.uidnext;
		}
	}
	buf_done(&user);
	return is_good;
}

/* Checks the CRC at the end of `line` and takes it off. */
static bool check_line(struct span *line)
{
	if (line->n < 10 || line->p[line->n - 9] != ' ')
		return false;
	char want[9];
	struct span body = span_sub(*line, 0, line->n - 9);
	snprintf(want, sizeof want, "%08x", crc32_of(body));
	if (memcmp(want, line->p + line->n - 8, 8) != 0)
		return false;
	*line = body;
	return true;
}

static void end_line(struct buf *b, size_t from)
{
	struct span all = buf_span(b);
	uint32_t crc = crc32_of(span_sub(all, from, all.n));

	buf_printf(b, " %08x\n", crc);
}

static void header(struct span job, struct buf *ret)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	size_t from = ret->n;

	EVP_Digest(job.p ? job.p : "", job.n, sum, &n, EVP_sha256(), NULL);
	buf_puts(ret, "mailstile-journal 1 ");
	for (unsigned i = 0; i < n; i++)
		buf_printf(ret, "%02x", sum[i]);
	end_line(ret, from);
}

static enum err read_all(int fd, struct buf *ret)
{
	for (;;) {
		ssize_t n = read(fd, buf_room(ret, 1 << 16), 1 << 16);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		if (n == 0)
			return ERR_OK;
		buf_added(ret, (size_t)n);
	}
}

static enum err write_all(int fd, struct span s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
		s = span_sub(s, (size_t)n, s.n);
	}
	return ERR_OK;
}

/* `ret_good`: the bytes up to the end of the last whole record. */
static enum err replay(struct journal *j, struct span all, struct span head,
		       size_t *ret_good, struct buf *why)
{
	size_t at = 0, line_no = 0;

	while (at < all.n) {
		struct span rest = span_sub(all, at, all.n);
		ptrdiff_t nl = span_find(rest, '\n');
		if (nl < 0)
			break; /* the tail of a crash */
		struct span line = span_sub(rest, 0, (size_t)nl);
		bool is_last = (size_t)nl + 1 == rest.n;
		line_no++;
		if (line_no == 1 && span_eq(span_sub(rest, 0, (size_t)nl + 1), head)) {
			at += (size_t)nl + 1;
			continue;
		}
		bool is_whole = check_line(&line);
		if (line_no == 1 && is_whole &&
		    span_starts(line, SPAN("mailstile-journal "))) {
			buf_puts(why, "it belongs to another job; use a new file");
			return ERR_CONFLICT;
		}
		if (line_no == 1 || !is_whole || !take_record(j, line)) {
			if (line_no > 1 && !is_whole && is_last)
				break;
			buf_printf(why, "line %zu is not a record of a journal", line_no);
			return ERR_CORRUPT;
		}
		at += (size_t)nl + 1;
	}
	*ret_good = at;
	return ERR_OK;
}

static void sync_dir(const char *path)
{
	char copy[PATH_MAX];

	if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
		return;
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

static enum err load(struct journal *j, const char *path, struct span job,
		     struct buf *why)
{
	struct buf all = { 0 }, head = { 0 };
	size_t good = 0;

	header(job, &head);
	enum err rc = read_all(j->fd, &all);
	/* A file cut off inside its first line holds nothing yet. */
	if (rc == ERR_OK && all.n < head.n && span_find(buf_span(&all), '\n') < 0 &&
	    span_starts(buf_span(&head), span_sub(buf_span(&all), 0, 20)))
		buf_truncate(&all, 0);
	if (rc == ERR_OK)
		rc = replay(j, buf_span(&all), buf_span(&head), &good, why);
	if (rc == ERR_OK && ftruncate(j->fd, (off_t)good) != 0)
		rc = ERR_IO;
	if (rc == ERR_OK && lseek(j->fd, (off_t)good, SEEK_SET) < 0)
		rc = ERR_IO;
	if (rc == ERR_OK && good == 0) {
		rc = write_all(j->fd, buf_span(&head));
		if (rc == ERR_OK && fsync(j->fd) != 0)
			rc = ERR_IO;
		sync_dir(path);
	}
	if (rc != ERR_OK && why->n == 0)
		buf_printf(why, "%s", errno ? strerror(errno) : err_text(rc));
	buf_done(&all);
	buf_done(&head);
	return rc;
}

enum err journal_open(const char *path, struct span job, struct executor *work,
		      struct executor *home, struct journal **ret_journal,
		      struct buf *why)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0) {
		buf_printf(why, "%s", strerror(errno));
		return ERR_IO;
	}
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		buf_puts(why, "it is no file");
		close(fd);
		return ERR_IO;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		buf_puts(why, "another run is using it");
		close(fd);
		return ERR_BUSY;
	}
	struct journal *j = xcalloc(1, sizeof *j);
	*j = (struct journal){ .fd = fd, .work = work, .home = home };
	j->tail = &j->tickets;
	errno = 0;
	enum err rc = load(j, path, job, why);
	if (rc != ERR_OK) {
		journal_close(j);
		return rc;
	}
	*ret_journal = j;
	return ERR_OK;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	assert(!j->is_flushing);
	act_set_done(&j->users);
	buf_done(&j->text);
	close(j->fd);
	free(j);
}

struct journal_entry journal_find(const struct journal *j, struct span user)
{
	struct journal_entry e = { 0 };
	const struct act_name *u = act_set_find(&j->users, user);

	if (!u)
		return e;
	e.state = (enum journal_state)u->state;
	e.uidvalidity = u->a;
	e.uidnext = u->b;
	return e;
}

size_t journal_count(const struct journal *j, enum journal_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < j->users.n; i++)
		n += j->users.v[i].state == state;
	return n;
}

static void flush_free(struct op *op)
{
	struct flush *f = TASK_OWNER(op, struct flush, op);

	buf_done(&f->text);
	free(f);
}

static void flush_run(struct task *t)
{
	struct flush *f = TASK_OWNER(t, struct flush, op.task);
	enum err rc = write_all(f->fd, buf_span(&f->text));

	if (rc == ERR_OK && fdatasync(f->fd) != 0)
		rc = ERR_IO;
	op_finish(&f->op, rc);
}

static void flush_start(struct journal *j);

static void flush_done(struct op *op, void *owner)
{
	struct flush *f = TASK_OWNER(op, struct flush, op);
	struct journal *j = owner;
	struct journal_ticket *t = f->tickets;

	j->is_flushing = false;
	j->syncs++;
	if (op->rc != ERR_OK && j->broken == ERR_OK)
		j->broken = op->rc;
	/* The next sync runs while the owners of these go on. */
	flush_start(j);
	while (t) {
		struct journal_ticket *next = t->next;
		t->durable(t, op->rc);
		t = next;
	}
}

static void flush_start(struct journal *j)
{
	if (j->is_flushing || (!j->text.n && !j->tickets))
		return;
	struct flush *f = xcalloc(1, sizeof *f);
	f->op = (struct op){ .task = { .run = flush_run },
			     .home = j->home,
			     .done = flush_done,
			     .owner = j,
			     .free = flush_free };
	f->fd = j->fd;
	f->text = j->text;
	f->tickets = j->tickets;
	j->text = (struct buf){ 0 };
	j->tickets = NULL;
	j->tail = &j->tickets;
	j->is_flushing = true;
	/* Half a group may be in the file: nothing may follow it. */
	if (j->broken != ERR_OK)
		op_finish(&f->op, j->broken);
	else
		executor_post(j->work, &f->op.task);
}

static void record(struct journal *j, const char *verb, struct span user,
		   const uint32_t *num, int nums, struct journal_ticket *t)
{
	size_t from = j->text.n;

	buf_printf(&j->text, "%s ", verb);
	put_name(&j->text, user);
	for (int i = 0; i < nums; i++)
		buf_printf(&j->text, " %u", num[i]);
	end_line(&j->text, from);
	if (t) {
		t->next = NULL;
		*j->tail = t;
		j->tail = &t->next;
	}
	flush_start(j);
}

void journal_begin(struct journal *j, struct span user, uint32_t uidvalidity,
		   uint32_t uidnext, struct journal_ticket *t)
{
	record(j, "begin", user, (uint32_t[]){ uidvalidity, uidnext }, 2, t);
}

void journal_done(struct journal *j, struct span user, struct journal_ticket *t)
{
	record(j, "done", user, NULL, 0, t);
}

void journal_failed(struct journal *j, struct span user, struct journal_ticket *t)
{
	record(j, "failed", user, NULL, 0, t);
}

bool journal_idle(const struct journal *j)
{
	return !j->is_flushing && !j->text.n && !j->tickets;
}

uint64_t journal_syncs(const struct journal *j)
{
	return j->syncs;
}
