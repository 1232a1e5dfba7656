/* zstd's contexts, kept: see the header. */
#include "store/codec.h"

#include <stdlib.h>
#include <zstd.h>

#include "base/arena.h"

/* An append is bound by CPU, and mail's base64 shrinks at any level. */
enum { LEVEL = 1 };

struct codec {
	struct codec *next;
	ZSTD_CCtx *compress; /* these are NULL until they are needed */
	ZSTD_DCtx *decompress;
	char *scratch;
};

void codecs_init(struct codecs *all)
{
	*all = (struct codecs){ 0 };
	pthread_mutex_init(&all->lock, NULL);
}

void codecs_done(struct codecs *all)
{
	while (all->idle) {
		struct codec *c = all->idle;

		all->idle = c->next;
		ZSTD_freeCCtx(c->compress);
		ZSTD_freeDCtx(c->decompress);
		xfree_secret(c->scratch, c->scratch ? CODEC_SCRATCH : 0);
		free(c);
	}
	pthread_mutex_destroy(&all->lock);
}

struct codec *codec_take(struct codecs *all)
{
	struct codec *c;

	pthread_mutex_lock(&all->lock);
	c = all->idle;
	if (c)
		all->idle = c->next;
	pthread_mutex_unlock(&all->lock);
	return c ? c : xcalloc(1, sizeof *c);
}

void codec_give(struct codecs *all, struct codec *c)
{
	pthread_mutex_lock(&all->lock);
	c->next = all->idle;
	all->idle = c;
	pthread_mutex_unlock(&all->lock);
}

size_t codec_compress(struct codec *c, char *to, size_t room, struct span from)
{
	size_t n;

	if (!c->compress)
		c->compress = ZSTD_createCCtx();
	if (!c->compress)
		return 0;
	n = ZSTD_compressCCtx(c->compress, to, room, from.p, from.n, LEVEL);
	return ZSTD_isError(n) ? 0 : n;
}

bool codec_decompress(struct codec *c, char *to, size_t raw, struct span frame)
{
	if (!c->decompress)
		c->decompress = ZSTD_createDCtx();
	return c->decompress &&
	       ZSTD_decompressDCtx(c->decompress, to, raw, frame.p, frame.n) == raw;
}

char *codec_scratch(struct codec *c)
{
	if (!c->scratch)
		c->scratch = xmalloc(CODEC_SCRATCH);
	return c->scratch;
}
