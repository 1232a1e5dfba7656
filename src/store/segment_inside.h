/* The inside of segments: what segment.c and segment_collect.c share. */
#ifndef STORE_SEGMENT_INSIDE_H
#define STORE_SEGMENT_INSIDE_H

#include <pthread.h>
#include "store/codec.h"
#include "store/segment.h"

enum { SEGMENT_CACHE = 128 /* descriptors of segments that are read */ };

struct file {
	uint32_t number;
	int fd;
	unsigned refs;
	bool is_dirty;
	struct file *next_dirty;
};

/* One that is appended to. */
struct growing {
	struct file *file; /* NULL: none yet */
	uint32_t end;	   /* bytes */
};

struct pin {
	struct pin *next;
	uint32_t number;
	unsigned n; /* pieces of bodies whose writer has not ended */
};

struct segments {
	int dir;
	struct store_id store;
	pthread_mutex_t lock; /* guards what follows */
	uint32_t next, max_bytes;
	struct growing open;   /* pieces of new bodies */
	struct growing copies; /* the collector's; it syncs that itself */
	struct file *dirty;
	struct pin *pins;
	struct file *cache[SEGMENT_CACHE]; /* by number */
	struct codecs codecs;		   /* with a lock of its own */
};

enum err segment_err(int errno_);
void segment_name(uint32_t number, char name[16]);
/* False: it is no segment's name. */
bool segment_number(const char *name, uint32_t *ret);
enum err segment_write(int fd, struct span head, struct span data, uint64_t at);

/* With the lock held. */
void file_unref(struct file *f); /* NULL is fine */
enum err segment_begin(struct segments *s, struct growing *g);
/* Room in the growing segment, or in a new one; `ret` is a reference. */
enum err segment_reserve(struct segments *s, struct growing *g, uint32_t room,
			 struct file **ret, uint32_t *ret_offset);
void segment_unpin(struct segments *s, uint32_t number);

#endif
