/* CRC-32C (Castagnoli), RFC 3720 section 12.1 and appendix B.4. */
#ifndef STORE_CRC32C_H
#define STORE_CRC32C_H

#include "base/span.h"

/* Goes on from `crc`, the result over what stands before; 0 at the start. */
uint32_t crc32c(uint32_t crc, struct span s);

#endif
