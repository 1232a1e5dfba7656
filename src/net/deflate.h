/* Compression as a layer of a stack: COMPRESS=DEFLATE (RFC 4978). */
#ifndef NET_DEFLATE_H
#define NET_DEFLATE_H

#include "net/layer.h"

enum { NET_DEFLATE_LEVEL = 1 };

/*
 * For net_layer_push(): compresses all that is written from then on at `level` (zlib's, 0
 * to 9), with one sync flush per net_flush(), and inflates what is read. About 80 KB.
 * NULL when zlib refuses the level.
 *
 * What ends it is net_layer_pop(): outbound behind what was written so far; inbound where
 * the blocks end that hold what was read so far. When the peer compressed more than that,
 * the connection fails.
 */
struct net_layer *net_deflate_new(int level);

#endif
