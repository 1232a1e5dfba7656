/* Segment files: what the collector (rocks_collect.c) and snapshots do with them. */
#include "store/segment_inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void segment_unpin(struct segments *s, uint32_t number)
{
	struct pin **at = &s->pins;
	while (*at && (*at)->number != number)
		at = &(*at)->next;
	struct pin *p = *at;
	if (!p || --p->n > 0)
		return;
	*at = p->next;
	free(p);
}

void segments_unpin(struct segments *s, const struct piece *p)
{
	pthread_mutex_lock(&s->lock);
	segment_unpin(s, p->segment);
	pthread_mutex_unlock(&s->lock);
}

enum err segments_list(struct segments *s,
		       bool (*segment)(void *arg, uint32_t number, uint64_t bytes),
		       void *arg)
{
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d) {
		if (fd >= 0)
			close(fd);
		return ERR_IO;
	}
	uint32_t number;
	struct stat st;
	for (struct dirent *e; (e = readdir(d));) {
		if (!segment_number(e->d_name, &number) ||
		    fstatat(s->dir, e->d_name, &st, 0) != 0)
			continue;
		if (!segment(arg, number, (uint64_t)st.st_size))
			break;
	}
	closedir(d);
	return ERR_OK;
}

bool segments_is_sealed(struct segments *s, uint32_t number)
{
	pthread_mutex_lock(&s->lock);
	const struct pin *p = s->pins;
	while (p && p->number != number)
		p = p->next;
	bool is_growing = (s->open.file && s->open.file->number == number) ||
			  (s->copies.file && s->copies.file->number == number);
	bool is_sealed = !p && !is_growing && number < s->next;
	pthread_mutex_unlock(&s->lock);
	return is_sealed;
}

enum err segments_window(struct segments *s, uint32_t number, uint64_t off, char *to,
			 size_t n, size_t *ret_n)
{
	char name[16];
	segment_name(number, name);
	int fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return segment_err(errno);
	size_t got = 0;
	enum err rc = ERR_OK;
	while (got < n && rc == ERR_OK) {
		ssize_t k = pread(fd, to + got, n - got, (off_t)(off + got));
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			rc = segment_err(errno);
		if (k <= 0)
			break;
		got += (size_t)k;
	}
	close(fd);
	*ret_n = got;
	return rc;
}

/* A sync failed: the next one of the same file would not say so again (fsync(2)). */
static void forget_copies(struct segments *s)
{
	file_unref(s->copies.file);
	s->copies = (struct growing){ 0 };
}

enum err segments_copy(struct segments *s, struct span record, uint32_t *ret_segment,
		       uint32_t *ret_offset)
{
	struct file *f;
	uint32_t offset, room = record_room((uint32_t)record.n - RECORD_HEAD);
	pthread_mutex_lock(&s->lock);
	struct file *before = s->copies.file;
	/* a full one is synced before it is left: copies_sync knows only the newest */
	bool is_full = before && room > s->max_bytes - s->copies.end;
	if (is_full)
		before->refs++;
	pthread_mutex_unlock(&s->lock);
	enum err rc = is_full && fdatasync(before->fd) != 0 ? ERR_IO : ERR_OK;
	pthread_mutex_lock(&s->lock);
	if (is_full)
		file_unref(before);
	if (rc != ERR_OK)
		forget_copies(s);
	if (rc == ERR_OK)
		rc = segment_reserve(s, &s->copies, room, &f, &offset);
	pthread_mutex_unlock(&s->lock);
	if (rc != ERR_OK)
		return rc;
	rc = segment_write(f->fd, record, SPAN_NONE, offset);
	*ret_segment = f->number;
	*ret_offset = offset;
	pthread_mutex_lock(&s->lock);
	if (rc != ERR_OK && s->copies.file == f)
		s->copies.end = offset;
	file_unref(f);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

enum err segments_copies_sync(struct segments *s)
{
	pthread_mutex_lock(&s->lock);
	struct file *f = s->copies.file;
	if (f)
		f->refs++;
	pthread_mutex_unlock(&s->lock);
	if (!f)
		return ERR_OK;
	enum err rc = fdatasync(f->fd) == 0 ? ERR_OK : segment_err(errno);
	pthread_mutex_lock(&s->lock);
	if (rc != ERR_OK)
		forget_copies(s);
	file_unref(f);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void segments_seal(struct segments *s)
{
	pthread_mutex_lock(&s->lock);
	file_unref(s->open.file);
	s->open = (struct growing){ 0 };
	forget_copies(s);
	pthread_mutex_unlock(&s->lock);
}

struct linking {
	struct segments *s;
	int to_dir;
	struct buf *growing, *why;
	enum err rc;
};

static bool link_segment(void *arg, uint32_t number, uint64_t bytes)
{
	struct linking *l = arg;
	char name[16];
	segment_name(number, name);
	if (linkat(l->s->dir, name, l->to_dir, name, 0) != 0) {
		l->rc = segment_err(errno);
		buf_printf(l->why, "The segment %s cannot be linked: %s.", name,
			   strerror(errno));
	}
	if (!segments_is_sealed(l->s, number))
		buf_printf(l->growing, "%s\n", name);
	return l->rc == ERR_OK;
}

enum err segments_link(struct segments *s, int to_dir, struct buf *growing,
		       struct buf *ret_why)
{
	struct linking l = { s, to_dir, growing, ret_why, ERR_OK };
	enum err rc = segments_list(s, link_segment, &l);
	if (rc != ERR_OK)
		buf_puts(ret_why, "The directory of the segments cannot be read.");
	return rc == ERR_OK ? l.rc : rc;
}

enum err segments_remove(struct segments *s, uint32_t number)
{
	char name[16];
	segment_name(number, name);
	pthread_mutex_lock(&s->lock);
	struct file **slot = &s->cache[number % SEGMENT_CACHE];
	if (*slot && (*slot)->number == number) {
		file_unref(*slot);
		*slot = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	return unlinkat(s->dir, name, 0) == 0 || errno == ENOENT ? ERR_OK
								 : segment_err(errno);
}
