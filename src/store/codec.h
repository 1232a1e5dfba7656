/*
 * zstd's contexts, kept for the next piece: making one asks the processor what it is,
 * which a virtual machine answers in as much time as a small message takes. Any thread.
 */
#ifndef STORE_CODEC_H
#define STORE_CODEC_H

#include <pthread.h>
#include "base/span.h"

enum { CODEC_SCRATCH = 128 << 10 };

struct codec; /* one thread has it between take and give */
struct codecs {
	pthread_mutex_t lock;
	struct codec *idle; /* at most as many as threads ever had one at once */
};

void codecs_init(struct codecs *all);
void codecs_done(struct codecs *all); /* none is taken */

struct codec *codec_take(struct codecs *all);
void codec_give(struct codecs *all, struct codec *c);

/* Bytes written, or 0: it does not fit in `room`, or zstd failed. */
size_t codec_compress(struct codec *c, char *to, size_t room, struct span from);
/* False: not a frame of `raw` bytes. */
bool codec_decompress(struct codec *c, char *to, size_t raw, struct span frame);
/* CODEC_SCRATCH bytes for who has it, wiped at the end only. */
char *codec_scratch(struct codec *c);

#endif
