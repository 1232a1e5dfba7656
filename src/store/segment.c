/* Segment files: appending, syncing, reading. */
#include "store/segment_inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	TINY = 256, /* below this a frame's own head eats what it saves */
	WRITE_BEHIND =
	    1
	    << 20, /* pieces as large as this start on their way to the device at once */
};

enum err segment_err(int e)
{
	switch (e) {
	case ENOSPC:
	case EDQUOT: return ERR_FULL;
	case ENOENT: return ERR_CORRUPT; /* a row says that it is there */
	default: return ERR_IO;
	}
}

void segment_name(uint32_t number, char name[16])
{
	snprintf(name, 16, "%08x.seg", (unsigned)number);
}

/* ---- files; with the lock held ---- */

static struct file *file_ref(struct file *f)
{
	f->refs++;
	return f;
}

void file_unref(struct file *f)
{
	if (f && --f->refs == 0) {
		close(f->fd);
		free(f);
	}
}

static struct file *file_new(uint32_t number, int fd)
{
	struct file *f = xcalloc(1, sizeof *f);
	f->number = number;
	f->fd = fd;
	f->refs = 1;
	return f;
}

static void cache_put(struct segments *s, struct file *f)
{
	struct file **slot = &s->cache[f->number % SEGMENT_CACHE];
	file_unref(*slot);
	*slot = file_ref(f);
}

/* A new segment; its name is durable, its bytes are not yet. */
enum err segment_begin(struct segments *s, struct growing *g)
{
	char name[16];
	uint8_t head[SEGMENT_HEAD];
	segment_name(s->next, name);
	int fd = openat(s->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == ENOENT ? ERR_IO : segment_err(errno);
	segment_encode(s->store, s->next, head);
	errno = ENOSPC;
	if (pwrite(fd, head, sizeof head, 0) != (ssize_t)sizeof head ||
	    fsync(s->dir) != 0) {
		enum err rc = segment_err(errno);
		close(fd);
		unlinkat(s->dir, name, 0);
		return rc;
	}
	file_unref(g->file);
	g->file = file_new(s->next++, fd);
	g->end = SEGMENT_HEAD;
	cache_put(s, g->file);
	return ERR_OK;
}

/* A body that is being written keeps its segment from the collector. */
static void pin(struct segments *s, uint32_t number)
{
	struct pin *p = s->pins;
	while (p && p->number != number)
		p = p->next;
	if (!p) {
		p = xcalloc(1, sizeof *p);
		p->number = number;
		p->next = s->pins;
		s->pins = p;
	}
	p->n++;
}

enum err segment_reserve(struct segments *s, struct growing *g, uint32_t room,
			 struct file **ret, uint32_t *ret_offset)
{
	enum err rc = ERR_OK;
	if (!g->file || g->end > s->max_bytes || room > s->max_bytes - g->end)
		rc = segment_begin(s, g);
	if (rc == ERR_OK) {
		*ret = file_ref(g->file);
		*ret_offset = g->end;
		g->end += room;
	}
	return rc;
}

static enum err reserve(struct segments *s, uint32_t room, struct file **ret,
			uint32_t *ret_offset)
{
	pthread_mutex_lock(&s->lock);
	enum err rc = segment_reserve(s, &s->open, room, ret, ret_offset);
	if (rc == ERR_OK)
		pin(s, (*ret)->number);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static void wrote(struct segments *s, struct file *f, uint32_t offset, uint32_t room,
		  bool is_ok)
{
	pthread_mutex_lock(&s->lock);
	if (is_ok && !f->is_dirty) {
		f->is_dirty = true;
		f->next_dirty = s->dirty;
		s->dirty = file_ref(f);
	}
	/* a full device must not be filled with holes */
	if (!is_ok && s->open.file == f && s->open.end == offset + room)
		s->open.end = offset;
	if (!is_ok)
		segment_unpin(s, f->number);
	file_unref(f);
	pthread_mutex_unlock(&s->lock);
}

/* Takes at most `max` dirty files off the list, with their references. */
static size_t dirty_take(struct segments *s, struct file *to[], size_t max)
{
	size_t n = 0;
	pthread_mutex_lock(&s->lock);
	for (; n < max && s->dirty; n++) {
		to[n] = s->dirty;
		s->dirty = to[n]->next_dirty;
		to[n]->is_dirty = false;
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* ---- appending ---- */

enum err segment_write(int fd, struct span head, struct span data, uint64_t at)
{
	while (head.n + data.n > 0) {
		struct iovec v[2] = { { (void *)(uintptr_t)head.p, head.n },
				      { (void *)(uintptr_t)data.p, data.n } };
		ssize_t n = pwritev(fd, v, 2, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? ERR_IO : segment_err(errno);
		at += (uint64_t)n;
		size_t of_head = (size_t)n < head.n ? (size_t)n : head.n;
		head = span_sub(head, of_head, SIZE_MAX);
		data = span_sub(data, (size_t)n - of_head, SIZE_MAX);
	}
	return ERR_OK;
}

/* The frame, malloc'd; p NULL when it does not save a tenth. */
static struct span squeeze(struct segments *s, struct span bytes)
{
	if (bytes.n < TINY)
		return SPAN_NONE;
	size_t room = bytes.n - bytes.n / 10;
	char *to = xmalloc(room);
	struct codec *c = codec_take(&s->codecs);
	size_t n = codec_compress(c, to, room, bytes);
	codec_give(&s->codecs, c);
	if (n > 0)
		return span_of(to, n);
	free(to);
	return SPAN_NONE;
}

enum err segments_append(struct segments *s, struct account_id a, struct body_id body,
			 uint32_t number, struct span bytes, struct piece *ret)
{
	struct span frame = squeeze(s, bytes), data = frame.p ? frame : bytes;
	struct record r = { .account = a, .body = body, .piece = number };
	r.stored = (uint32_t)data.n;
	r.raw = (uint32_t)bytes.n;
	r.codec = frame.p ? CODEC_ZSTD : CODEC_RAW;
	uint8_t head[RECORD_HEAD];
	record_encode(&r, data, head);

	struct file *f;
	uint32_t offset, room = record_room(r.stored);
	enum err rc = reserve(s, room, &f, &offset);
	if (rc == ERR_OK) {
		rc = segment_write(f->fd, span_of(head, sizeof head), data, offset);
		/* a long message shall not all be left to the commit's sync */
		if (rc == ERR_OK && r.stored >= WRITE_BEHIND)
			sync_file_range(f->fd, offset, room, SYNC_FILE_RANGE_WRITE);
		*ret = (struct piece){ f->number, offset, r.stored, r.raw, r.codec };
		wrote(s, f, offset, room, rc == ERR_OK);
	}
	free((void *)(uintptr_t)frame.p);
	return rc;
}

static enum err sync_file(struct file *f, struct buf *ret_why)
{
	if (fdatasync(f->fd) == 0)
		return ERR_OK;
	enum err rc = segment_err(errno);
	buf_printf(ret_why, "fdatasync of segment %08x: %s", (unsigned)f->number,
		   strerror(errno));
	return rc;
}

enum err segments_sync(struct segments *s, struct buf *ret_why)
{
	enum { MAX = 16 };
	struct file *dirty[MAX];
	enum err rc = ERR_OK;
	size_t n = MAX;
	while (n == MAX) {
		n = dirty_take(s, dirty, MAX);
		for (size_t i = 0; i < n; i++) {
			if (rc == ERR_OK)
				rc = sync_file(dirty[i], ret_why);
			pthread_mutex_lock(&s->lock);
			file_unref(dirty[i]);
			pthread_mutex_unlock(&s->lock);
		}
	}
	return rc;
}

enum err segments_sync_old(struct segments *s)
{
	return syncfs(s->dir) == 0 ? ERR_OK : segment_err(errno);
}

/* ---- reading ---- */

/* A reference; opened when it is not at hand. */
static enum err file_get(struct segments *s, uint32_t number, struct file **ret)
{
	enum err rc = ERR_OK;
	pthread_mutex_lock(&s->lock);
	struct file *f = s->cache[number % SEGMENT_CACHE];
	if (!f || f->number != number) {
		char name[16];
		segment_name(number, name);
		int fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			rc = segment_err(errno);
		} else {
			f = file_new(number, fd);
			cache_put(s, f);
			file_unref(f);
		}
	}
	if (rc == ERR_OK)
		*ret = file_ref(f);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static enum err read_all(int fd, char *to, size_t n, uint64_t at)
{
	while (n > 0) {
		ssize_t got = pread(fd, to, n, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ERR_IO;
		if (got == 0)
			return ERR_CORRUPT; /* cut off */
		to += got;
		n -= (size_t)got;
		at += (uint64_t)got;
	}
	return ERR_OK;
}

static enum err unsqueeze(struct codec *c, struct span frame, uint32_t raw, size_t off,
			  size_t len, struct buf *out)
{
	bool is_all = off == 0 && len >= raw;
	char *to = is_all ? buf_room(out, raw) : xmalloc(raw);
	enum err rc = codec_decompress(c, to, raw, frame) ? ERR_OK : ERR_CORRUPT;
	if (is_all && rc == ERR_OK)
		buf_added(out, raw);
	else if (rc == ERR_OK)
		buf_put(out, span_sub(span_of(to, raw), off, len));
	if (!is_all)
		xfree_secret(to, raw);
	return rc;
}

/* The bytes of a record from the device, checked, into `bytes`. */
static enum err record_read(struct segments *s, const struct record *want,
			    const struct piece *p, char *bytes)
{
	size_t n = RECORD_HEAD + (size_t)p->stored;
	struct file *f;
	enum err rc = file_get(s, p->segment, &f);
	if (rc != ERR_OK)
		return rc;
	rc = read_all(f->fd, bytes, n, p->offset);
	pthread_mutex_lock(&s->lock);
	file_unref(f);
	pthread_mutex_unlock(&s->lock);
	return rc == ERR_OK ? record_check(want, span_of(bytes, n)) : rc;
}

enum err segments_read(struct segments *s, struct account_id a, struct body_id body,
		       uint32_t number, const struct piece *p, size_t off, size_t len,
		       struct buf *out)
{
	if (p->stored > BODY_PIECE || p->raw > BODY_PIECE ||
	    (p->codec == CODEC_RAW && p->stored != p->raw) || p->codec > CODEC_ZSTD)
		return ERR_CORRUPT;
	struct record want = { .account = a,
			       .body = body,
			       .piece = number,
			       .stored = p->stored,
			       .raw = p->raw,
			       .codec = p->codec };
	struct codec *c = codec_take(&s->codecs);
	size_t n = RECORD_HEAD + (size_t)p->stored;
	bool has_own = n > CODEC_SCRATCH;
	char *bytes = has_own ? xmalloc(n) : codec_scratch(c);
	struct span data = span_of(bytes + RECORD_HEAD, p->stored);
	enum err rc = record_read(s, &want, p, bytes);
	if (rc == ERR_OK && p->codec == CODEC_ZSTD)
		rc = unsqueeze(c, data, p->raw, off, len, out);
	else if (rc == ERR_OK)
		buf_put(out, span_sub(data, off, len));
	if (has_own)
		xfree_secret(bytes, n);
	codec_give(&s->codecs, c);
	return rc;
}

/* ---- opening ---- */

bool segment_number(const char *name, uint32_t *ret)
{
	char *end;
	if (strlen(name) != 12 || strcmp(name + 8, ".seg") != 0)
		return false;
	*ret = (uint32_t)strtoul(name, &end, 16);
	return end == name + 8;
}

static enum err find_next(struct segments *s, uint32_t next)
{
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d) {
		if (fd >= 0)
			close(fd);
		return ERR_IO;
	}
	uint32_t number;
	s->next = next ? next : 1;
	for (struct dirent *e; (e = readdir(d));) {
		if (segment_number(e->d_name, &number) && number >= s->next)
			s->next = number + 1;
	}
	closedir(d);
	return ERR_OK;
}

enum err segments_open(const struct segments_config *c, struct segments **ret,
		       struct buf *ret_why)
{
	const char *dir = c->dir;
	if (!c->is_read_only && mkdir(dir, 0700) != 0 && errno != EEXIST) {
		buf_printf(ret_why, "cannot make the directory %s: %s", dir,
			   strerror(errno));
		return segment_err(errno);
	}
	struct segments *s = xcalloc(1, sizeof *s);
	s->store = c->store;
	s->max_bytes = c->max_bytes;
	pthread_mutex_init(&s->lock, NULL);
	codecs_init(&s->codecs);
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0 || find_next(s, c->next) != ERR_OK) {
		buf_printf(ret_why, "cannot read the directory %s: %s", dir,
			   strerror(errno));
		segments_close(s);
		return ERR_IO;
	}
	*ret = s;
	return ERR_OK;
}

void segments_close(struct segments *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < SEGMENT_CACHE; i++)
		file_unref(s->cache[i]);
	while (s->dirty) {
		struct file *f = s->dirty;
		s->dirty = f->next_dirty;
		file_unref(f);
	}
	file_unref(s->open.file);
	file_unref(s->copies.file);
	for (struct pin *p = s->pins, *next; p; p = next) {
		next = p->next;
		free(p);
	}
	codecs_done(&s->codecs);
	if (s->dir >= 0)
		close(s->dir);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
