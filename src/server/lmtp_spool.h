/*
 * A message on its way to several recipients, kept until each has it: small ones in
 * memory, large ones in a file without a name, which goes with the process. The loop
 * never touches the disk: workers write and read.
 */
#ifndef SERVER_LMTP_SPOOL_H
#define SERVER_LMTP_SPOOL_H

#include "base/buf.h"
#include "base/task.h"

struct lmtp_spool;

/* `ready(arg)` is called on `home` when what was waited for (below) may be tried again.
 * `dir` (the caller's) is where a file is made. */
struct lmtp_spool *lmtp_spool_new(const char *dir, struct executor *workers,
				  struct executor *home, void (*ready)(void *arg),
				  void *arg);
/* Takes all of `s`. False: put no more until `ready`. */
bool lmtp_spool_put(struct lmtp_spool *s, struct span bytes);
uint64_t lmtp_spool_bytes(const struct lmtp_spool *s);
/* Bytes of memory that it takes now, within a piece. */
uint64_t lmtp_spool_memory(const struct lmtp_spool *s);
/*
 * Bytes from `off` on, some or up to the end, in `ret`, which stays as it is until the
 * next call. ERR_AGAIN: not here yet, `ready` will come. ERR_FULL, ERR_IO: the spool has
 * failed.
 */
enum err lmtp_spool_get(struct lmtp_spool *s, uint64_t off, struct span *ret);
/* NULL is fine; `ready` is not called any more. */
void lmtp_spool_free(struct lmtp_spool *s);

#endif
