/* Shared by the fuzz targets of wire. */
#ifndef FUZZ_WIRE_H
#define FUZZ_WIRE_H

#include <stdio.h>
#include <stdlib.h>

#include "wire/cursor.h"
#include "wire/emit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): it must hold in release builds too. */
#define MUST(x)                                                                          \
	do {                                                                             \
		if (!(x)) {                                                              \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);          \
			abort();                                                         \
		}                                                                        \
	} while (0)

/* A cursor that has failed says why, and has not left its input. */
#define MUST_BE_SANE(c) MUST((c)->bad ? (c)->why != NULL : (c)->at <= (c)->in.n)

#endif
