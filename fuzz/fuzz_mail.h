/* Shared by the fuzz targets of mail. */
#ifndef FUZZ_MAIL_H
#define FUZZ_MAIL_H

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): it must hold in release builds too. */
#define MUST(x)                                                                          \
	do {                                                                             \
		if (!(x)) {                                                              \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);          \
			abort();                                                         \
		}                                                                        \
	} while (0)

/* The length of the next cut, from the bytes themselves, so that it is the same again. */
static inline size_t next_cut(const uint8_t *data, size_t size, size_t at)
{
	return 1 + (data[at] ^ data[size - 1 - at]) % 37u;
}

#endif
